/*-------------------------------------------------------------------------
 *
 * prompt.c
 *	  States of the last prompt, for the next response to it, and for the next
 *	  prompt that begins as it does.
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
	prompt->dim = decoder->dim;
	prompt->hidden = calloc(SRM_MAX_READ * decoder->dim, sizeof(float));
	if (prompt->hidden == NULL)
		srm_fail_memory(status, SRM_MAX_READ * decoder->dim * sizeof(float));
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

static size_t
count_common(const SrmPrompt *prompt, const SrmPromptRest *rest)
{
	size_t		n = 0;

	/* Other angles make other states */
	if (prompt->rope_length != rest->rope_length)
		return 0;
	while (n < prompt->n_tokens && n < rest->n_tokens && prompt->tokens[n] == rest->tokens[n])
		n++;
	return n;
}

/* The number of a token's hidden state, or n_read. */
static size_t
find_hidden(const SrmPrompt *prompt, uint32_t token)
{
	size_t		i = 0;

	while (i < prompt->n_read && prompt->read[i] != token)
		i++;
	return i;
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
srm_prompt_begin(SrmPrompt *prompt, SrmPromptRest *rest, SrmStatus *status)
{
	size_t		n = count_common(prompt, rest);
	size_t		n_before = 0;
	size_t		n_kept = 0;

	if (!make_room(prompt, rest->n_tokens, status))
		return false;
	while (n_before < rest->n_read && rest->read[n_before] < n &&
		   find_hidden(prompt, rest->read[n_before]) < prompt->n_read)
		n_before++;
	if (n_before < rest->n_read && rest->read[n_before] < n)
		n = rest->read[n_before];
	for (size_t i = n_before; i < rest->n_read; i++)
		rest->wanted[i - n_before] = rest->read[i] - (uint32_t) n;
	rest->n_common = n;
	rest->n_read_before = n_before;

	while (n_kept < prompt->n_read && prompt->read[n_kept] < n)
		n_kept++;
	prompt->n_read = n_kept;
	prompt->n_tokens = n;
	prompt->rope_length = rest->rope_length;
	srm_cache_truncate(prompt->cache, n);
	return true;
}

void
srm_prompt_end(SrmPrompt *prompt, const SrmPromptRest *rest, const float *hidden)
{
	size_t		bytes = prompt->dim * sizeof(float);

	/* Both ascend, so that a state moves to the front or stays */
	for (size_t i = 0; i < rest->n_read_before; i++)
		memmove(prompt->hidden + i * prompt->dim,
				prompt->hidden + find_hidden(prompt, rest->read[i]) * prompt->dim, bytes);
	for (size_t i = rest->n_read_before; i < rest->n_read; i++)
		memcpy(prompt->hidden + i * prompt->dim,
			   hidden + (i - rest->n_read_before) * prompt->dim, bytes);
	for (size_t i = 0; i < rest->n_read; i++)
		prompt->read[i] = rest->read[i];
	prompt->n_read = rest->n_read;
	if (rest->n_common < rest->n_tokens)
		memcpy(prompt->tokens + rest->n_common, rest->tokens + rest->n_common,
			   (rest->n_tokens - rest->n_common) * sizeof(int32_t));
	prompt->n_tokens = rest->n_tokens;
}

void
srm_prompt_trim(SrmPrompt *prompt, const SrmDecoder *decoder, size_t limit)
{
	SrmStatus	status;
	SrmCache   *empty;

	if (srm_cache_bytes(prompt->cache) <= limit)
		return;
	prompt->n_tokens = 0;
	prompt->n_read = 0;
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
