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

/* A prompt, and those of its tokens that are read. */
typedef struct SrmPromptText
{
	const int32_t *tokens;		/* (n_tokens) */
	size_t		n_tokens;
	size_t		rope_length;	/* of the texts that it begins */
	uint32_t	read[SRM_MAX_READ]; /* (n_read) ascending */
	size_t		n_read;
	float	   *hidden;			/* (n_read, dim) their states, with room for SRM_MAX_READ */
} SrmPromptText;

typedef struct SrmPrompt
{
	SrmCache   *cache;			/* keys and values of the tokens */
	SrmPromptText text;			/* whose tokens are these */
	int32_t    *tokens;			/* (capacity) */
	size_t		capacity;
	size_t		dim;
} SrmPrompt;

/* What is to be computed of a prompt, where another's states are there. */
typedef struct SrmPromptRest
{
	size_t		n_common;		/* tokens whose states are there */
	size_t		n_read_before;	/* of those to be read, the first ones whose hidden states are there */
	uint32_t	wanted[SRM_MAX_READ];	/* the others, counted from n_common */
} SrmPromptRest;

/* No states yet; NULL, with the status set, where memory is short. */
extern SrmPrompt *srm_prompt_create(const SrmDecoder *decoder, SrmStatus *status);
extern void srm_prompt_free(SrmPrompt *prompt); /* NULL is allowed */

/*
 * What is left of text behind the beginning that before has in common with it.  A token that is to be read, but was
 * not, is left, too.
 */
extern void srm_prompt_compare(SrmPromptRest *rest, const SrmPromptText *text, const SrmPromptText *before);

/* Copies the hidden states that are there, of dim floats; those wanted belong behind them. */
extern void srm_prompt_take_hidden(SrmPromptText *text, const SrmPromptRest *rest, const SrmPromptText *before, size_t dim);

/* Room for the tokens of a prompt that is to be kept. */
extern bool srm_prompt_reserve(SrmPrompt *prompt, size_t n_tokens, SrmStatus *status);

/* The states of text are in the cache now, where room was made for it; its hidden states are copied. */
extern void srm_prompt_keep(SrmPrompt *prompt, const SrmPromptText *text);

/* After a failure of the decoder, the tokens whose states are still there. */
extern void srm_prompt_shorten(SrmPrompt *prompt);

/* Gives memory above a limit back, and the states with it. */
extern void srm_prompt_trim(SrmPrompt *prompt, const SrmDecoder *decoder, size_t limit);

/* Bytes that the states take. */
extern size_t srm_prompt_bytes(const SrmPrompt *prompt);

#endif							/* SRM_PROMPT_H */
