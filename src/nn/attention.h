/*-------------------------------------------------------------------------
 *
 * attention.h
 *	  Causal attention of a block of tokens to itself and to what came before.
 *
 * Scores exist for a tile of queries and keys at a time.  Tiles are counted
 * from the first token of the past and from the first of the block.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ATTENTION_H
#define SRM_ATTENTION_H

#include <stdint.h>

#include "nn/threads.h"

/* Keys and values are (tokens, n_kv_heads * head_dim). */
typedef struct SrmAttention
{
	size_t		n_heads;
	size_t		n_kv_heads;		/* divides n_heads; neighbouring heads share one */
	size_t		head_dim;
	size_t		n_past;
	const float *past_keys;		/* of n_past tokens, which all queries see */
	const float *past_values;
	const float *keys;			/* of the block */
	const float *values;
} SrmAttention;

/*
 * out (n, n_heads * head_dim) = for each head of each row of queries, the
 * same shape, the values weighted by the softmax of its products with the
 * keys over sqrt(head_dim).
 *
 * Row i of the queries is token index[i] of the block and sees the tokens up
 * to itself; the indexes ascend.  out must not overlap queries.
 */
extern bool srm_attention_forward(float *out, const float *queries,
								  const SrmAttention *attention,
								  const uint32_t *index, size_t n,
								  SrmThreads *threads, const SrmStop *stop,
								  SrmStatus *status);

#endif							/* SRM_ATTENTION_H */
