/*-------------------------------------------------------------------------
 *
 * gradient.h
 *	  Scores of many responses at once, the loss of pairs, and their gradients.
 *
 * The formulas are those of reward.h.  Vectors of the head are products in f32 here;
 * what belongs to a response is computed in double.  All sums have one order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GRADIENT_H
#define SRM_GRADIENT_H

#include <stdint.h>

#include "reward/aggregator.h"
#include "reward/reward.h"

/*
 * A response, by the rows of states that are read for it: t_0, which other
 * responses may share, and the n that follow each other.  Where values
 * of tokens count, token_rows are the rows that are averaged.
 */
typedef struct SrmResponse
{
	uint32_t	prompt_row;		/* t_0 */
	uint32_t	first_row;		/* t_1; t_i is at first_row + i - 1, if boundary_rows is NULL */
	const uint32_t *boundary_rows;	/* (n) t_1 .. t_n, or NULL */
	uint32_t	n;				/* sentences, at least 1 */
	const uint32_t *token_rows; /* (n_tokens), for SRM_AGGREGATE_TOKEN_MEAN */
	uint32_t	n_tokens;
} SrmResponse;

/* Weights of the head in f32; the same struct holds their gradients, which may be written. */
typedef struct SrmHead
{
	size_t		dim;			/* H */
	size_t		attention_dim;	/* d; 0: no aggregator */
	float	   *value_weight;	/* (H) */
	float	   *value_bias;		/* (1) */
	float	   *query_weight;	/* (d, H) */
	float	   *query_bias;		/* (d) */
	float	   *key_weight;		/* (d, H) */
	float	   *key_bias;		/* (d) */
} SrmHead;

/* What forward leaves for backward; all in the arena of the call. */
typedef struct SrmScoresPass
{
	const SrmHead *head;
	SrmAggregation aggregation;
	const float *states;		/* (n_rows, H) */
	size_t		n_rows;
	const SrmResponse *responses;	/* (n_responses) */
	size_t		n_responses;
	double	   *values;			/* (n_rows) */
	float	   *keys;			/* (n_rows, d) before rope; NULL without attention */
	float	   *queries;		/* (n_responses, d) before rope */
	SrmTurns	turns;			/* of the longest response */
	double	   *scores;			/* (n_responses) R */
	SrmArena   *arena;
} SrmScoresPass;

/* Sets the scores of a pass whose fields up to n_responses are set; the rest is allocated. */
extern bool srm_scores_forward(SrmScoresPass *pass, SrmArena *arena, SrmStatus *status);

/*
 * Adds to the gradients of the head, and sets dstates (n_rows, H), given
 * dscores (n_responses).  dstates may be NULL.
 */
extern bool srm_scores_backward(SrmHead *gradient, float *dstates, const double *dscores,
							  const SrmScoresPass *pass, SrmStatus *status);

/*
 * The loss of a pair, -log sigmoid(chosen - rejected - margin) + penalty *
 * (chosen^2 + rejected^2), and its gradients by the two scores.
 */
extern double srm_pair_loss(double chosen, double rejected, double margin, double penalty);
extern void srm_pair_loss_backward(double *dchosen, double *drejected, double chosen, double rejected,
								   double margin, double penalty);

#endif							/* SRM_GRADIENT_H */
