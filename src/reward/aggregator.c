/*-------------------------------------------------------------------------
 *
 * aggregator.c
 *	  The attention over sentences, forth and back.
 *
 *-------------------------------------------------------------------------
 */
#include "reward/aggregator.h"

#include <math.h>
#include <string.h>

#include "kernel/kernels.h"

#define ROPE_THETA	10000.0

bool
srm_turns_fill(SrmTurns *turns, size_t dim, size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		half = dim / 2;

	turns->dim = dim;
	turns->cosines = srm_arena_array(arena, n, half * sizeof(double), status);
	turns->sines = srm_arena_array(arena, n, half * sizeof(double), status);
	if (turns->cosines == NULL || turns->sines == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < half; j++)
		{
			double		angle = (double) i * pow(ROPE_THETA, -(double) (2 * j) / (double) dim);

			turns->cosines[i * half + j] = cos(angle);
			turns->sines[i * half + j] = sin(angle);
		}
	return true;
}

bool
srm_project_forward(float *out, const float *x, const float *weight, const float *bias,
					size_t n, size_t d, size_t dim, SrmArena *arena, SrmStatus *status)
{
	float	   *panels = srm_arena_alloc(arena, srm_panel_floats(d, dim) * sizeof(float), status);

	if (panels == NULL)
		return false;
	srm_kernels->pack_columns(panels, weight, 1, dim, d, dim);
	srm_kernels->multiply_columns(out, d, x, dim, 1, panels, n, d, dim, false);
	for (size_t i = 0; i < n; i++)
		srm_kernels->add(out + i * d, bias, d);
	return true;
}

bool
srm_project_backward(float *dx, float *dweight, float *dbias, const float *dout, const float *x,
				 const float *weight, size_t n, size_t d, size_t dim, SrmArena *arena, SrmStatus *status)
{
	size_t		floats = srm_panel_floats(dim, n > d ? n : d);
	float	   *panels = srm_arena_alloc(arena, floats * sizeof(float), status);

	if (panels == NULL)
		return false;
	srm_kernels->pack_columns(panels, x, dim, 1, dim, n);
	srm_kernels->multiply_columns(dweight, dim, dout, 1, d, panels, d, dim, n, true);
	for (size_t i = 0; i < n; i++)
		srm_kernels->add(dbias, dout + i * d, d);
	if (dx == NULL)
		return true;
	srm_kernels->pack_columns(panels, weight, dim, 1, dim, d);
	srm_kernels->multiply_columns(dx, dim, dout, d, 1, panels, n, dim, d, true);
	return true;
}

/* x (d) = rope(vector, position) */
static void
turn(double *x, const float *vector, const SrmTurns *turns, size_t position)
{
	size_t		half = turns->dim / 2;
	const double *cosines = turns->cosines + position * half;
	const double *sines = turns->sines + position * half;

	for (size_t j = 0; j < half; j++)
	{
		double		even = vector[2 * j];
		double		odd = vector[2 * j + 1];

		x[2 * j] = even * cosines[j] - odd * sines[j];
		x[2 * j + 1] = even * sines[j] + odd * cosines[j];
	}
}

/* dvector (d) += the gradient of what was turned, turned back */
static void
turn_back(float *dvector, const double *dx, const SrmTurns *turns, size_t position)
{
	size_t		half = turns->dim / 2;
	const double *cosines = turns->cosines + position * half;
	const double *sines = turns->sines + position * half;

	for (size_t j = 0; j < half; j++)
	{
		dvector[2 * j] += (float) (dx[2 * j] * cosines[j] + dx[2 * j + 1] * sines[j]);
		dvector[2 * j + 1] += (float) (dx[2 * j + 1] * cosines[j] - dx[2 * j] * sines[j]);
	}
}

static size_t
row_of(const uint32_t *rows, size_t i)
{
	return rows == NULL ? i : rows[i];
}

/* a (n) = softmax(a), in place. */
static void
softmax(double *a, size_t n)
{
	double		highest = a[0];
	double		sum = 0.0;

	for (size_t i = 1; i < n; i++)
		highest = a[i] > highest ? a[i] : highest;
	for (size_t i = 0; i < n; i++)
	{
		a[i] = exp(a[i] - highest);
		sum += a[i];
	}
	for (size_t i = 0; i < n; i++)
		a[i] /= sum;
}

void
srm_attend_forward(double *a, const float *query, const float *keys, const uint32_t *rows,
				   const SrmTurns *turns, size_t n, double *space)
{
	size_t		d = turns->dim;
	double	   *turned = space;
	double	   *key = space + d;

	turn(turned, query, turns, n);
	for (size_t i = 0; i <= n; i++)
	{
		double		product = 0.0;

		turn(key, keys + row_of(rows, i) * d, turns, i);
		for (size_t j = 0; j < d; j++)
			product += turned[j] * key[j];
		a[i] = product / sqrt((double) d);
	}
	softmax(a, n + 1);
}

/*
 * With dl_i = a_i (da_i - sum of a da) / sqrt(d), the query's gradient is the
 * sum of dl_i k_i, and that of a key dl_i q.
 */
void
srm_attend_backward(float *dquery, float *dkeys, const double *da, const double *a,
					const float *query, const float *keys, const uint32_t *rows,
					const SrmTurns *turns, size_t n, double *space)
{
	size_t		d = turns->dim;
	double	   *turned = space;
	double	   *key = space + d;
	double	   *dturned = space + 2 * d;
	double	   *dkey = space + 3 * d;
	double		mean = 0.0;

	for (size_t i = 0; i <= n; i++)
		mean += a[i] * da[i];
	memset(dturned, 0, d * sizeof(double));
	turn(turned, query, turns, n);
	for (size_t i = 0; i <= n; i++)
	{
		size_t		row = row_of(rows, i);
		double		dlogit = a[i] * (da[i] - mean) / sqrt((double) d);

		turn(key, keys + row * d, turns, i);
		for (size_t j = 0; j < d; j++)
		{
			dturned[j] += dlogit * key[j];
			dkey[j] = dlogit * turned[j];
		}
		turn_back(dkeys + row * d, dkey, turns, i);
	}
	turn_back(dquery, dturned, turns, n);
}

bool
srm_aggregator_forward(double *a, const float *hidden, const SrmAggregator *aggregator,
					   size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		d = aggregator->dim;
	size_t		dim = aggregator->hidden_dim;
	float	   *query = srm_arena_array(arena, d, sizeof(float), status);
	float	   *keys = srm_arena_array(arena, n + 1, d * sizeof(float), status);
	double	   *space = srm_arena_array(arena, 4 * d, sizeof(double), status);
	SrmTurns	turns;

	if (query == NULL || keys == NULL || space == NULL ||
		!srm_turns_fill(&turns, d, n + 1, arena, status) ||
		!srm_project_forward(keys, hidden, aggregator->key_weight, aggregator->key_bias, n + 1, d, dim,
							 arena, status) ||
		!srm_project_forward(query, hidden + n * dim, aggregator->query_weight, aggregator->query_bias,
							 1, d, dim, arena, status))
		return false;
	srm_attend_forward(a, query, keys, NULL, &turns, n, space);
	return true;
}
