/*-------------------------------------------------------------------------
 *
 * reward.h
 *	  From hidden states to sentence rewards and the score of a response.
 *
 * The method of arXiv 2503.04793.  A conversation has boundaries t_0 < t_1 <
 * ... < t_n, where t_0 ends the prompt and t_i ends sentence i:
 *
 *	  v_i = w . h_i + b						value at a boundary
 *	  c_0 = v_0, c_i = v_i - v_(i-1)		value of the prompt, reward of sentence i
 *	  q = rope(W_q h_n + b_q, n), k_i = rope(W_k h_i + b_k, i)
 *	  a = softmax over i of q . k_i / sqrt(d)
 *	  R = sum over i of a_i c_i				score
 *
 * What other aggregations than attention do is weights a, too, but for
 * SRM_AGGREGATE_TOKEN_MEAN.  Sums are formed in double, in one order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_REWARD_H
#define SRM_REWARD_H

#include "base/arena.h"

typedef enum SrmAggregation
{
	SRM_AGGREGATE_LAST,			/* v_n: a response-level model */
	SRM_AGGREGATE_SUM,			/* v_n - v_0 */
	SRM_AGGREGATE_MEAN,			/* of c_1 .. c_n */
	SRM_AGGREGATE_MIN,			/* of c_1 .. c_n */
	SRM_AGGREGATE_MAX,			/* of c_1 .. c_n */
	SRM_AGGREGATE_TOKEN_MEAN,	/* mean of the value over the response's tokens */
	SRM_AGGREGATE_ATTENTION		/* sum of a_i c_i */
} SrmAggregation;

/* The aggregation of a name such as "token_mean"; false if there is none. */
extern bool srm_aggregation_find(const char *name, SrmAggregation *aggregation);
extern const char *srm_aggregation_name(SrmAggregation aggregation);

typedef struct SrmValueHead
{
	size_t		dim;			/* H */
	const float *weight;		/* w (H) */
	float		bias;			/* b */
} SrmValueHead;

/* v (n) of hidden (n, H). */
extern void srm_values_forward(double *v, const float *hidden, const SrmValueHead *head, size_t n);

/* c (n + 1) of v (n + 1), the values at the boundaries t_0 .. t_n. */
extern void srm_rewards_forward(double *c, const double *v, size_t n);

/* The same where v are values of single sentences: c_i = v_i, c_0 = 0. */
extern void srm_step_rewards_forward(double *c, const double *v, size_t n);

/* a (n + 1) of c (n + 1), n > 0, for the aggregations that need no hidden states. */
extern void srm_weights_forward(double *a, const double *c, SrmAggregation aggregation, size_t n);

/* The same for values of single sentences, where the last is c_n alone. */
extern void srm_step_weights_forward(double *a, const double *c, SrmAggregation aggregation, size_t n);

/* R = sum of a_i c_i over i = 0 .. n. */
extern double srm_score_forward(const double *a, const double *c, size_t n);

/* Mean of v (n), n > 0. */
extern double srm_mean_forward(const double *v, size_t n);

/* P(a preferred to b) = sigmoid(margin), margin = R_a - R_b. */
extern double srm_preference_forward(double margin);

#endif							/* SRM_REWARD_H */
