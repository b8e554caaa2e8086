/*-------------------------------------------------------------------------
 *
 * reward.c
 *	  From hidden states to sentence rewards and the score of a response.
 *
 *-------------------------------------------------------------------------
 */
#include "reward/reward.h"

#include <math.h>
#include <string.h>

static const char *const aggregation_names[] = {
	[SRM_AGGREGATE_LAST] = "last",
	[SRM_AGGREGATE_SUM] = "sum",
	[SRM_AGGREGATE_MEAN] = "mean",
	[SRM_AGGREGATE_MIN] = "min",
	[SRM_AGGREGATE_MAX] = "max",
	[SRM_AGGREGATE_TOKEN_MEAN] = "token_mean",
	[SRM_AGGREGATE_ATTENTION] = "attention"
};

#define N_AGGREGATIONS	(sizeof(aggregation_names) / sizeof(aggregation_names[0]))

bool
srm_aggregation_find(const char *name, SrmAggregation *aggregation)
{
	for (size_t i = 0; i < N_AGGREGATIONS; i++)
	{
		if (strcmp(name, aggregation_names[i]) != 0)
			continue;
		*aggregation = (SrmAggregation) i;
		return true;
	}
	return false;
}

const char *
srm_aggregation_name(SrmAggregation aggregation)
{
	return aggregation_names[aggregation];
}

static double
dot_product(const float *x, const float *y, size_t n)
{
	double		sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += (double) x[i] * y[i];
	return sum;
}

void
srm_values_forward(double *v, const float *hidden, const SrmValueHead *head, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = dot_product(hidden + i * head->dim, head->weight, head->dim) + head->bias;
}

void
srm_rewards_forward(double *c, const double *v, size_t n)
{
	c[0] = v[0];
	for (size_t i = 1; i <= n; i++)
		c[i] = v[i] - v[i - 1];
}

void
srm_step_rewards_forward(double *c, const double *v, size_t n)
{
	c[0] = 0.0;
	for (size_t i = 1; i <= n; i++)
		c[i] = v[i];
}

/* Where the lowest (sign 1) or highest (sign -1) of c_1 .. c_n stands first. */
static size_t
find_extreme(const double *c, size_t n, double sign)
{
	size_t		found = 1;

	for (size_t i = 2; i <= n; i++)
		if (sign * c[i] < sign * c[found])
			found = i;
	return found;
}

void
srm_weights_forward(double *a, const double *c, SrmAggregation aggregation, size_t n)
{
	double		weight = aggregation == SRM_AGGREGATE_MEAN ? 1.0 / (double) n : 1.0;
	bool		is_extreme = aggregation == SRM_AGGREGATE_MIN || aggregation == SRM_AGGREGATE_MAX;

	for (size_t i = 0; i <= n; i++)
		a[i] = is_extreme ? 0.0 : weight;
	if (is_extreme)
		a[find_extreme(c, n, aggregation == SRM_AGGREGATE_MIN ? 1.0 : -1.0)] = 1.0;
	if (aggregation != SRM_AGGREGATE_LAST)
		a[0] = 0.0;
}

void
srm_step_weights_forward(double *a, const double *c, SrmAggregation aggregation, size_t n)
{
	srm_weights_forward(a, c, aggregation, n);
	a[0] = 0.0;
	for (size_t i = 1; i < n && aggregation == SRM_AGGREGATE_LAST; i++)
		a[i] = 0.0;
}

double
srm_score_forward(const double *a, const double *c, size_t n)
{
	double		score = 0.0;

	for (size_t i = 0; i <= n; i++)
		score += a[i] * c[i];
	return score;
}

double
srm_mean_forward(const double *v, size_t n)
{
	double		sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += v[i];
	return sum / (double) n;
}

double
srm_preference_forward(double margin)
{
	return margin >= 0.0 ? 1.0 / (1.0 + exp(-margin)) : exp(margin) / (1.0 + exp(margin));
}
