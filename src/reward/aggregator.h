/*-------------------------------------------------------------------------
 *
 * aggregator.h
 *	  The attention over sentences, forth and back.
 *
 * A row is a hidden state; out of it come a key, and of the last one of a response
 * the query.  Both are turned by the number of the sentence, in adjacent pairs (2j, 2j + 1).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_AGGREGATOR_H
#define SRM_AGGREGATOR_H

#include <stdint.h>

#include "base/arena.h"

typedef struct SrmAggregator
{
	size_t		hidden_dim;		/* H */
	size_t		dim;			/* d, even */
	const float *query_weight;	/* W_q (d, H) */
	const float *query_bias;	/* b_q (d) */
	const float *key_weight;	/* W_k (d, H) */
	const float *key_bias;		/* b_k (d) */
} SrmAggregator;

/* Cosines and sines of the angles of sentences. */
typedef struct SrmTurns
{
	size_t		dim;			/* d */
	double	   *cosines;		/* (n, d / 2) */
	double	   *sines;
} SrmTurns;

/* Sets the turns of sentences 0 .. n - 1, in the arena. */
extern bool srm_turns_fill(SrmTurns *turns, size_t dim, size_t n, SrmArena *arena, SrmStatus *status);

/* out (n, d) = x (n, H) * weight (d, H)^T + bias (d): keys or queries; a row does not depend on others. */
extern bool srm_project_forward(float *out, const float *x, const float *weight, const float *bias,
								size_t n, size_t d, size_t dim, SrmArena *arena, SrmStatus *status);

/* Adds to dx (n, H), which may be NULL, dweight and dbias. */
extern bool srm_project_backward(float *dx, float *dweight, float *dbias, const float *dout, const float *x,
								 const float *weight, size_t n, size_t d, size_t dim, SrmArena *arena,
								 SrmStatus *status);

/*
 * a (n + 1) = softmax over i = 0 .. n of query (d) * keys (d) of row rows[i]
 * / sqrt(d); rows NULL stands for 0 .. n.  space is (4 * d).
 */
extern void srm_attend_forward(double *a, const float *query, const float *keys, const uint32_t *rows,
							   const SrmTurns *turns, size_t n, double *space);

/* Adds to dquery (d) and dkeys, given da (n + 1). */
extern void srm_attend_backward(float *dquery, float *dkeys, const double *da, const double *a,
								const float *query, const float *keys, const uint32_t *rows,
								const SrmTurns *turns, size_t n, double *space);

/* a (n + 1) of hidden (n + 1, H), by attention; fails where memory is short. */
extern bool srm_aggregator_forward(double *a, const float *hidden, const SrmAggregator *aggregator,
								   size_t n, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_AGGREGATOR_H */
