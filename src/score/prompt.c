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
	SrmPrompt  *prompt = srm_calloc(1, sizeof(SrmPrompt), status);

	if (prompt == NULL)
		return NULL;
	prompt->dim = decoder->dim;
	prompt->text.hidden = srm_calloc(SRM_MAX_READ * decoder->dim, sizeof(float), status);
	if (prompt->text.hidden != NULL)
		prompt->cache = srm_cache_create(decoder, status);
	if (prompt->cache != NULL)
		return prompt;
	srm_prompt_free(prompt);
	return NULL;
}

void
srm_prompt_free(SrmPrompt *prompt)
{
	if (prompt == NULL)
		return;
	srm_cache_free(prompt->cache);
	free(prompt->tokens);
	free(prompt->text.hidden);
	free(prompt);
}

static size_t
count_common(const SrmPromptText *a, const SrmPromptText *b)
{
	size_t		n = 0;

	/* Other angles make other states */
	if (a->rope_length != b->rope_length)
		return 0;
	while (n < a->n_tokens && n < b->n_tokens && a->tokens[n] == b->tokens[n])
		n++;
	return n;
}

/* The number of a token's hidden state, or n_read. */
static size_t
find_hidden(const SrmPromptText *text, uint32_t token)
{
	size_t		i = 0;

	while (i < text->n_read && text->read[i] != token)
		i++;
	return i;
}

void
srm_prompt_compare(SrmPromptRest *rest, const SrmPromptText *text, const SrmPromptText *before)
{
	size_t		n = count_common(text, before);
	size_t		n_before = 0;

	while (n_before < text->n_read && text->read[n_before] < n &&
		   find_hidden(before, text->read[n_before]) < before->n_read)
		n_before++;
	if (n_before < text->n_read && text->read[n_before] < n)
		n = text->read[n_before];
	for (size_t i = n_before; i < text->n_read; i++)
		rest->wanted[i - n_before] = text->read[i] - (uint32_t) n;
	rest->n_common = n;
	rest->n_read_before = n_before;
}

void
srm_prompt_take_hidden(SrmPromptText *text, const SrmPromptRest *rest, const SrmPromptText *before, size_t dim)
{
	for (size_t i = 0; i < rest->n_read_before; i++)
		memcpy(text->hidden + i * dim, before->hidden + find_hidden(before, text->read[i]) * dim, dim * sizeof(float));
}

bool
srm_prompt_reserve(SrmPrompt *prompt, size_t n_tokens, SrmStatus *status)
{
	int32_t    *tokens;

	if (n_tokens <= prompt->capacity)
		return true;
	tokens = realloc(prompt->tokens, n_tokens * sizeof(int32_t));
	if (tokens == NULL)
		return srm_fail_memory(status, n_tokens * sizeof(int32_t));
	prompt->text.tokens = prompt->tokens = tokens;
	prompt->capacity = n_tokens;
	return true;
}

void
srm_prompt_keep(SrmPrompt *prompt, const SrmPromptText *text)
{
	float	   *hidden = prompt->text.hidden;

	memcpy(hidden, text->hidden, text->n_read * prompt->dim * sizeof(float));
	memcpy(prompt->tokens, text->tokens, text->n_tokens * sizeof(int32_t));
	prompt->text = *text;
	prompt->text.tokens = prompt->tokens;
	prompt->text.hidden = hidden;
}

void
srm_prompt_shorten(SrmPrompt *prompt)
{
	SrmPromptText *text = &prompt->text;

	if (text->n_tokens > prompt->cache->n_tokens)
		text->n_tokens = prompt->cache->n_tokens;
	while (text->n_read > 0 && text->read[text->n_read - 1] >= text->n_tokens)
		text->n_read--;
}

void
srm_prompt_trim(SrmPrompt *prompt, const SrmDecoder *decoder, size_t limit)
{
	SrmStatus	status;
	SrmCache   *empty;

	if (srm_cache_bytes(prompt->cache) <= limit)
		return;
	prompt->text.n_tokens = prompt->text.n_read = 0;
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
