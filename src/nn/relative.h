/*-------------------------------------------------------------------------
 *
 * relative.h
 *	  What relative positions add to the scores of attention.
 *
 * Each distance has an embedding, which the layer's maps of queries and keys make a query and a
 * key of its own.  To the product of query i with key j come those of query i with the key of the
 * distance i - j, and of key j with its query (He et al., arXiv 2006.03654).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_RELATIVE_H
#define SRM_RELATIVE_H

#include "base/arena.h"
#include "kernel/threads.h"
#include "nn/keys.h"
#include "nn/layer.h"

/* Products of queries and keys with those of distances, which attention reads by the distance. */
typedef struct SrmDistances
{
	size_t		n;				/* rows of the embedding that the texts need */
	size_t		first;			/* of them */
	size_t		width;			/* n, filled up to panels */
	const uint32_t *columns;	/* columns[d] is that of distance d, which may be negative; less than n */
	float	   *key_rows;		/* (n, n_heads * head_dim) of the layer at work */
	float	   *query_rows;
	float	   *key_memory;		/* srm_distances_bytes() */
	float	   *query_memory;
	SrmKeys		keys;			/* (width) the same packed, in these; they have no values */
	SrmKeys		queries;
	float	   *by_query;		/* (rows of a chunk, n_heads, width), or NULL where they are not multiplied */
	float	   *by_key;			/* (rows of a pass, n_heads, width), or NULL */
} SrmDistances;

/* The row of the embedding for a token that is so far behind another; both may be exchanged. */
extern size_t srm_relative_row(const SrmRelative *relative, int64_t distance);

/* Sizes and columns for texts of up to n_tokens; the buffers are the caller's to place. */
extern bool srm_distances_begin(SrmDistances *distances, const SrmDecoder *decoder, size_t n_tokens,
								SrmArena *arena, SrmStatus *status);

/* Bytes of packed keys or queries. */
extern size_t srm_distances_bytes(const SrmDistances *distances, const SrmDecoder *decoder);

/* Keys and queries of the distances in a layer. */
extern bool srm_distances_enter(SrmDistances *distances, const SrmDecoder *decoder, const SrmLayer *layer,
								SrmThreads *threads, const SrmStop *stop, SrmStatus *status);

/* out (n, n_heads, width) = products of rows (n, n_heads * head_dim) with packed keys or queries. */
extern bool srm_distances_multiply(float *out, const SrmDistances *distances, const SrmKeys *packed, const float *rows,
								   size_t n, SrmThreads *threads, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_RELATIVE_H */
