/*-------------------------------------------------------------------------
 *
 * sequence.h
 *	  Tokens that go through a decoder.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEQUENCE_H
#define SRM_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tokens that follow each other, and whose hidden states are wanted.
 *
 * They begin a text, or go on from another sequence.  Texts may begin alike: where the keys of another text's
 * first tokens are there, in the pass or in the cache, a sequence has those behind them.  So may what goes on
 * from one text: where it begins alike, those tokens of another that goes on from it serve as its own.
 */
typedef struct SrmSequence
{
	const int32_t *tokens;		/* (n_tokens) */
	size_t		n_tokens;
	const uint32_t *wanted;		/* (n_wanted) ascending indexes into tokens */
	size_t		n_wanted;
	size_t		n_first;		/* tokens of the first type, those behind them are of the second; 0: all are of the first */
	float	   *hidden;			/* (n_wanted, dim) gets the final-norm hidden states of those */
	const struct SrmSequence *past; /* one before it in the same array, which begins a text: it goes on
									 * where that ends; NULL: it begins a text itself */
	size_t		n_common;		/* tokens before it of a text that it begins, or behind the past, */
	const struct SrmSequence *common;	/* with which the text of one before it in the array begins, or goes on
										 * from the same past, too; NULL: that of the cache begins with them */
	bool		is_kept;		/* it begins a text, and the keys of that go to the cache; at most one of a pass */
	size_t		rope_length;	/* srm_decoder_rope_length() of the whole text, which is the same for all of a pass */
} SrmSequence;

#endif							/* SRM_SEQUENCE_H */
