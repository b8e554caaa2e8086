/*-------------------------------------------------------------------------
 *
 * prompt.h
 *	  States of the last prompt, for the next response to it, and for the next
 *	  prompt that begins as it does.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PROMPT_H
#define SRM_PROMPT_H

#include "model/model.h"

/* Tokens of a prompt whose hidden states are read, at most. */
#define SRM_MAX_READ	4

typedef struct SrmPrompt
{
	SrmCache   *cache;			/* keys and values of the tokens */
	int32_t    *tokens;			/* (n_tokens) */
	size_t		n_tokens;
	size_t		capacity;
	size_t		rope_length;	/* of the texts that they began */
	size_t		dim;
	size_t		n_read;
	uint32_t	read[SRM_MAX_READ]; /* (n_read) tokens with hidden states */
	float	   *hidden;			/* (n_read, dim), room for SRM_MAX_READ */
} SrmPrompt;

/* What is to be computed of a prompt. */
typedef struct SrmPromptRest
{
	const int32_t *tokens;		/* (n_tokens) of the whole prompt */
	size_t		n_tokens;
	size_t		rope_length;	/* of the text that it begins */
	const uint32_t *read;		/* (n_read) tokens to read, ascending */
	size_t		n_read;
	size_t		n_common;		/* tokens whose states are there */
	size_t		n_read_before;	/* of read[], those whose hidden states are there */
	uint32_t	wanted[SRM_MAX_READ];	/* the others, counted from n_common */
} SrmPromptRest;

/* No states yet; NULL, with the status set, where memory is short. */
extern SrmPrompt *srm_prompt_create(const SrmDecoder *decoder, SrmStatus *status);
extern void srm_prompt_free(SrmPrompt *prompt); /* NULL is allowed */

/*
 * Keeps the beginning that the states have in common with the prompt that the first
 * five members of rest describe, n_tokens > 0, n_read <= SRM_MAX_READ; forgets the others,
 * and sets what is left to be computed.  A token that is to be read, but was not, is left, too.
 */
extern bool srm_prompt_begin(SrmPrompt *prompt, SrmPromptRest *rest, SrmStatus *status);

/*
 * The rest is in the cache.  hidden (n_read - n_read_before, dim) are the states
 * wanted; afterwards those of all tokens to be read are in prompt->hidden.
 * Without this call, the states are those of the common beginning.
 */
extern void srm_prompt_end(SrmPrompt *prompt, const SrmPromptRest *rest, const float *hidden);

/* Gives memory above a limit back, and the states with it. */
extern void srm_prompt_trim(SrmPrompt *prompt, const SrmDecoder *decoder, size_t limit);

/* Bytes that the states take. */
extern size_t srm_prompt_bytes(const SrmPrompt *prompt);

#endif							/* SRM_PROMPT_H */
