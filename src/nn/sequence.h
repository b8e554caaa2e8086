/*-------------------------------------------------------------------------
 *
 * sequence.h
 *	  Tokens that go through a decoder.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEQUENCE_H
#define SRM_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

/* Tokens that follow each other, and whose hidden states are wanted. */
typedef struct SrmSequence
{
	const int32_t *tokens;		/* (n_tokens) */
	size_t		n_tokens;
	const uint32_t *wanted;		/* (n_wanted) ascending indexes into tokens */
	size_t		n_wanted;
	size_t		n_first;		/* tokens of the first type, those behind them are of the second; 0: all are of the first */
	float	   *hidden;			/* (n_wanted, dim) gets the final-norm hidden states of those */
	const struct SrmSequence *past; /* one before it in the same array, where there is no prompt: it
									 * goes on where that ends; NULL: where the prompt ends */
	size_t		rope_length;	/* srm_decoder_rope_length() of the whole text, which is the same for all of a pass */
} SrmSequence;

#endif							/* SRM_SEQUENCE_H */
