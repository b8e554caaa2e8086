/*-------------------------------------------------------------------------
 *
 * prompt.c
 *	  States of the last prompt, for the next response to it.
 *
 *-------------------------------------------------------------------------
 */
#include "score/prompt.h"

#include <stdlib.h>
#include <string.h>

SrmPrompt *
srm_prompt_create(const SrmDecoder *decoder, SrmStatus *status)
{
	SrmPrompt  *prompt = calloc(1, sizeof(SrmPrompt));

	if (prompt == NULL)
	{
		srm_fail_memory(status, sizeof(SrmPrompt));
		return NULL;
	}
	prompt->hidden = calloc(decoder->dim, sizeof(float));
	if (prompt->hidden == NULL)
		srm_fail_memory(status, decoder->dim * sizeof(float));
	else
		prompt->cache = srm_cache_create(decoder, status);
	if (prompt->cache == NULL)
	{
		srm_prompt_free(prompt);
		return NULL;
	}
	return prompt;
}

void
srm_prompt_free(SrmPrompt *prompt)
{
	if (prompt == NULL)
		return;
	srm_cache_free(prompt->cache);
	free(prompt->tokens);
	free(prompt->hidden);
	free(prompt);
}

static bool
has_tokens(const SrmPrompt *prompt, const int32_t *tokens, size_t n_tokens)
{
	return prompt->n_tokens == n_tokens &&
		memcmp(prompt->tokens, tokens, n_tokens * sizeof(int32_t)) == 0;
}

static bool
make_room(SrmPrompt *prompt, size_t n_tokens, SrmStatus *status)
{
	int32_t    *tokens;

	if (n_tokens <= prompt->capacity)
		return true;
	tokens = realloc(prompt->tokens, n_tokens * sizeof(int32_t));
	if (tokens == NULL)
		return srm_fail_memory(status, n_tokens * sizeof(int32_t));
	prompt->tokens = tokens;
	prompt->capacity = n_tokens;
	return true;
}

bool
srm_prompt_prepare(SrmPrompt *prompt, const SrmDecoder *decoder,
				   const int32_t *tokens, size_t n_tokens, int n_threads,
				   const SrmStop *stop, SrmStatus *status)
{
	uint32_t	last = (uint32_t) n_tokens - 1;

	if (has_tokens(prompt, tokens, n_tokens))
		return true;
	prompt->n_tokens = 0;		/* until the new ones are complete */
	srm_cache_truncate(prompt->cache, 0);
	if (!make_room(prompt, n_tokens, status) ||
		!srm_decoder_forward(decoder, prompt->cache, true, tokens, n_tokens, &last, 1,
							 prompt->hidden, n_threads, stop, status))
		return false;
	memcpy(prompt->tokens, tokens, n_tokens * sizeof(int32_t));
	prompt->n_tokens = n_tokens;
	return true;
}

void
srm_prompt_trim(SrmPrompt *prompt, const SrmDecoder *decoder, size_t limit)
{
	SrmStatus	status;
	SrmCache   *empty;

	if (srm_cache_bytes(prompt->cache) <= limit)
		return;
	prompt->n_tokens = 0;
	srm_status_init(&status);
	empty = srm_cache_create(decoder, &status);
	if (empty == NULL)
	{
		srm_cache_truncate(prompt->cache, 0);
		return;
	}
	srm_cache_free(prompt->cache);
	prompt->cache = empty;
}

size_t
srm_prompt_bytes(const SrmPrompt *prompt)
{
	return srm_cache_bytes(prompt->cache) + prompt->capacity * sizeof(int32_t);
}
