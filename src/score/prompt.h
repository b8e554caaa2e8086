/*-------------------------------------------------------------------------
 *
 * prompt.h
 *	  States of the last prompt, for the next response to it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PROMPT_H
#define SRM_PROMPT_H

#include "model/model.h"

typedef struct SrmPrompt
{
	SrmCache   *cache;			/* keys and values of the tokens */
	int32_t    *tokens;			/* (n_tokens) */
	size_t		n_tokens;
	size_t		capacity;
	float	   *hidden;			/* (dim) at the last token */
} SrmPrompt;

extern SrmPrompt *srm_prompt_create(const SrmDecoder *decoder, SrmStatus *status);
extern void srm_prompt_free(SrmPrompt *prompt); /* NULL is allowed */

/*
 * Makes the states those of the tokens, n_tokens > 0: computes them as one
 * block, unless they are there already from the very same tokens.
 */
extern bool srm_prompt_prepare(SrmPrompt *prompt, const SrmDecoder *decoder,
							   const int32_t *tokens, size_t n_tokens, int n_threads,
							   const SrmStop *stop, SrmStatus *status);

/* Gives memory above a limit back, and the states with it. */
extern void srm_prompt_trim(SrmPrompt *prompt, const SrmDecoder *decoder, size_t limit);

extern size_t srm_prompt_bytes(const SrmPrompt *prompt);

#endif							/* SRM_PROMPT_H */
