/*-------------------------------------------------------------------------
 *
 * attention.h
 *	  Attention of a block of tokens to itself and to what came before.
 *
 * Scores exist for a tile of queries and keys at a time.  Tiles are counted
 * from the first token of the past and from the first of the block: the bits of a row
 * depend on its index and n_past alone, and not on the rows beside it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ATTENTION_H
#define SRM_ATTENTION_H

#include <stdint.h>

#include "nn/keys.h"
#include "kernel/threads.h"

/* The keys of both kinds are alike; queries have their head size, and are rounded as they are. */
typedef struct SrmAttention
{
	size_t		n_heads;		/* a multiple of those of keys; neighbouring heads share one */
	float		scale;			/* of the products; 0: 1 / sqrt(head_dim) */
	float		softcap;		/* s becomes softcap * tanh(s / softcap); 0: it stays s */
	size_t		window;			/* tokens up to its own that a query sees; 0: all */
	size_t		ahead;			/* tokens of the block behind its own that it sees */
	size_t		n_own;			/* of the block, whose keys are there; looked at where ahead is not 0 */
	size_t		n_past;
	size_t		past_first;		/* where they begin in past, a multiple of SRM_PANEL */
	const SrmKeys *past;		/* n_past tokens that come before all queries; NULL if there are none */
	const SrmKeys *own;			/* of the block */
	size_t		own_first;		/* where its tokens begin, a multiple of SRM_PANEL */
	const struct SrmDistances *distances;	/* whose products are added to those of queries and keys, or NULL; not with a past */
	const float *by_query;		/* (n, n_heads, width) of the rows of queries, or NULL */
	const float *by_key;		/* (n_own, n_heads, width) of the block, or NULL */
	float	   *logs;			/* (n, n_heads) gets the logarithms of the sums that the softmax
								 * divides by, for a backward; or NULL */
} SrmAttention;

/*
 * out (n, n_heads * head_dim) = for each head of each row of queries, the
 * same shape, the values weighted by the softmax of its products with the
 * keys, scaled and capped.
 *
 * Row i of the queries is token index[i] of the block and sees the tokens up
 * to itself, at most window of them, and some behind it; the indexes ascend.  out must not overlap queries.
 */
extern bool srm_attention_forward(float *out, const float *queries,
								  const SrmAttention *attention,
								  const uint32_t *index, size_t n,
								  SrmThreads *threads, const SrmStop *stop,
								  SrmStatus *status);

#endif							/* SRM_ATTENTION_H */
