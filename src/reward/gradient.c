/*-------------------------------------------------------------------------
 *
 * gradient.c
 *	  Scores of many responses at once, the loss of pairs, and their gradients.
 *
 *-------------------------------------------------------------------------
 */
#include "reward/gradient.h"

#include <math.h>
#include <string.h>

#include "kernel/kernels.h"

#define ROPE_THETA	10000.0

/* One response in work: its boundaries' values and weights. */
typedef struct Sentences
{
	const SrmResponse *response;
	size_t		number;			/* of the response */
	double	   *c;				/* (n + 1) */
	double	   *a;				/* (n + 1) */
	double	   *dc;				/* (n + 1), backward */
	double	   *da;				/* (n + 1) */
	double	   *query;			/* (d) turned */
	double	   *key;			/* (d) turned */
	double	   *dquery;			/* (d) */
	double	   *dkey;			/* (d) */
} Sentences;

static size_t
boundary_row(const SrmResponse *response, size_t i)
{
	if (i == 0)
		return response->prompt_row;
	return response->boundary_rows != NULL ? response->boundary_rows[i - 1] : response->first_row + i - 1;
}

static size_t
longest_response(const SrmScoresPass *pass)
{
	size_t		longest = 0;

	for (size_t i = 0; i < pass->n_responses; i++)
		longest = pass->responses[i].n > longest ? pass->responses[i].n : longest;
	return longest;
}

/* out (n, d) = x (n, H) * weight (d, H)^T + bias (d) */
static bool
project(float *out, const float *x, const float *weight, const float *bias, const SrmHead *head,
		size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		d = head->attention_dim;
	float	   *panels = srm_arena_alloc(arena, srm_panel_floats(d, head->dim) * sizeof(float), status);

	if (panels == NULL)
		return false;
	srm_kernels->pack_columns(panels, weight, 1, head->dim, d, head->dim);
	srm_kernels->multiply_columns(out, d, x, head->dim, 1, panels, n, d, head->dim, false);
	for (size_t i = 0; i < n; i++)
		srm_kernels->add(out + i * d, bias, d);
	return true;
}

/* The states at the last boundaries, (n_responses, H). */
static float *
gather_last(const SrmScoresPass *pass, SrmStatus *status)
{
	size_t		dim = pass->head->dim;
	float	   *last = srm_arena_array(pass->arena, pass->n_responses, dim * sizeof(float), status);

	for (size_t i = 0; last != NULL && i < pass->n_responses; i++)
		memcpy(last + i * dim, pass->states + boundary_row(&pass->responses[i], pass->responses[i].n) * dim,
			   dim * sizeof(float));
	return last;
}

static void
fill_rope(SrmScoresPass *pass, size_t n_positions)
{
	size_t		d = pass->head->attention_dim;

	for (size_t i = 0; i < n_positions; i++)
		for (size_t j = 0; j < d / 2; j++)
		{
			double		angle = (double) i * pow(ROPE_THETA, -(double) (2 * j) / (double) d);

			pass->cosines[i * (d / 2) + j] = cos(angle);
			pass->sines[i * (d / 2) + j] = sin(angle);
		}
}

static bool
project_attention(SrmScoresPass *pass, SrmStatus *status)
{
	const SrmHead *head = pass->head;
	size_t		d = head->attention_dim;
	size_t		n_positions = longest_response(pass) + 1;
	const float *last = gather_last(pass, status);

	pass->keys = srm_arena_array(pass->arena, pass->n_rows, d * sizeof(float), status);
	pass->queries = srm_arena_array(pass->arena, pass->n_responses, d * sizeof(float), status);
	pass->cosines = srm_arena_array(pass->arena, n_positions, d / 2 * sizeof(double), status);
	pass->sines = srm_arena_array(pass->arena, n_positions, d / 2 * sizeof(double), status);
	if (status->code != SRM_OK)
		return false;
	fill_rope(pass, n_positions);
	return project(pass->keys, pass->states, head->key_weight, head->key_bias, head, pass->n_rows,
				   pass->arena, status) &&
		project(pass->queries, last, head->query_weight, head->query_bias, head, pass->n_responses,
				pass->arena, status);
}

/* x (d) = rope(vector, position), in adjacent pairs (2j, 2j + 1) */
static void
turn(double *x, const float *vector, const SrmScoresPass *pass, size_t position)
{
	size_t		half = pass->head->attention_dim / 2;
	const double *cosines = pass->cosines + position * half;
	const double *sines = pass->sines + position * half;

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
turn_back(float *dvector, const double *dx, const SrmScoresPass *pass, size_t position)
{
	size_t		half = pass->head->attention_dim / 2;
	const double *cosines = pass->cosines + position * half;
	const double *sines = pass->sines + position * half;

	for (size_t j = 0; j < half; j++)
	{
		dvector[2 * j] += (float) (dx[2 * j] * cosines[j] + dx[2 * j + 1] * sines[j]);
		dvector[2 * j + 1] += (float) (dx[2 * j + 1] * cosines[j] - dx[2 * j] * sines[j]);
	}
}

/* a = softmax over i of q . k_i / sqrt(d) */
static void
attend(Sentences *sentences, const SrmScoresPass *pass)
{
	size_t		d = pass->head->attention_dim;
	size_t		n = sentences->response->n;
	double		highest = -INFINITY;
	double		sum = 0.0;

	turn(sentences->query, pass->queries + sentences->number * d, pass, n);
	for (size_t i = 0; i <= n; i++)
	{
		double		product = 0.0;

		turn(sentences->key, pass->keys + boundary_row(sentences->response, i) * d, pass, i);
		for (size_t j = 0; j < d; j++)
			product += sentences->query[j] * sentences->key[j];
		sentences->a[i] = product / sqrt((double) d);
		highest = sentences->a[i] > highest ? sentences->a[i] : highest;
	}
	for (size_t i = 0; i <= n; i++)
	{
		sentences->a[i] = exp(sentences->a[i] - highest);
		sum += sentences->a[i];
	}
	for (size_t i = 0; i <= n; i++)
		sentences->a[i] /= sum;
}

/* Rewards and weights of a response. */
static void
weigh(Sentences *sentences, const SrmScoresPass *pass)
{
	const SrmResponse *response = sentences->response;

	sentences->c[0] = pass->values[response->prompt_row];
	for (size_t i = 1; i <= response->n; i++)
		sentences->c[i] = pass->values[boundary_row(response, i)] - pass->values[boundary_row(response, i - 1)];
	if (pass->aggregation == SRM_AGGREGATE_ATTENTION)
		attend(sentences, pass);
	else
		srm_weights_forward(sentences->a, sentences->c, pass->aggregation, response->n);
}

static bool
allocate_sentences(Sentences *sentences, const SrmScoresPass *pass, SrmStatus *status)
{
	size_t		n = longest_response(pass) + 1;
	size_t		d = pass->head->attention_dim;
	double	   *space = srm_arena_array(pass->arena, 4 * n + 4 * d, sizeof(double), status);

	if (space == NULL)
		return false;
	sentences->c = space;
	sentences->a = space + n;
	sentences->dc = space + 2 * n;
	sentences->da = space + 3 * n;
	space += 4 * n;
	sentences->query = space;
	sentences->key = space + d;
	sentences->dquery = space + 2 * d;
	sentences->dkey = space + 3 * d;
	return true;
}

static double
token_mean(const SrmScoresPass *pass, const SrmResponse *response)
{
	double		sum = 0.0;

	for (size_t i = 0; i < response->n_tokens; i++)
		sum += pass->values[response->token_rows[i]];
	return sum / (double) response->n_tokens;
}

bool
srm_scores_forward(SrmScoresPass *pass, SrmArena *arena, SrmStatus *status)
{
	const SrmValueHead value = {pass->head->dim, pass->head->value_weight, pass->head->value_bias[0]};
	Sentences	sentences = {0};

	pass->arena = arena;
	pass->values = srm_arena_array(arena, pass->n_rows, sizeof(double), status);
	pass->scores = srm_arena_array(arena, pass->n_responses, sizeof(double), status);
	if (pass->values == NULL || pass->scores == NULL || !allocate_sentences(&sentences, pass, status))
		return false;
	srm_values_forward(pass->values, pass->states, &value, pass->n_rows);
	if (pass->aggregation == SRM_AGGREGATE_ATTENTION && !project_attention(pass, status))
		return false;
	for (size_t i = 0; i < pass->n_responses; i++)
	{
		sentences.response = &pass->responses[i];
		sentences.number = i;
		if (pass->aggregation == SRM_AGGREGATE_TOKEN_MEAN)
		{
			pass->scores[i] = token_mean(pass, sentences.response);
			continue;
		}
		weigh(&sentences, pass);
		pass->scores[i] = srm_score_forward(sentences.a, sentences.c, sentences.response->n);
	}
	return true;
}

/* Gradients in work. */
typedef struct HeadGradients
{
	double	   *dvalues;		/* (n_rows) */
	float	   *dkeys;			/* (n_rows, d) */
	float	   *dqueries;		/* (n_responses, d) */
} HeadGradients;

/*
 * With dl_i = a_i (da_i - sum of a da) / sqrt(d), the query's gradient is the
 * sum of dl_i k_i, and that of a key dl_i q.
 */
static void
attend_backward(Sentences *sentences, HeadGradients *gradients, const SrmScoresPass *pass)
{
	size_t		d = pass->head->attention_dim;
	size_t		n = sentences->response->n;
	double		mean = 0.0;

	for (size_t i = 0; i <= n; i++)
		mean += sentences->a[i] * sentences->da[i];
	memset(sentences->dquery, 0, d * sizeof(double));
	turn(sentences->query, pass->queries + sentences->number * d, pass, n);
	for (size_t i = 0; i <= n; i++)
	{
		size_t		row = boundary_row(sentences->response, i);
		double		dlogit = sentences->a[i] * (sentences->da[i] - mean) / sqrt((double) d);

		turn(sentences->key, pass->keys + row * d, pass, i);
		for (size_t j = 0; j < d; j++)
		{
			sentences->dquery[j] += dlogit * sentences->key[j];
			sentences->dkey[j] = dlogit * sentences->query[j];
		}
		turn_back(gradients->dkeys + row * d, sentences->dkey, pass, i);
	}
	turn_back(gradients->dqueries + sentences->number * d, sentences->dquery, pass, n);
}

static void
response_backward(Sentences *sentences, HeadGradients *gradients, double dscore, const SrmScoresPass *pass)
{
	const SrmResponse *response = sentences->response;

	if (pass->aggregation == SRM_AGGREGATE_TOKEN_MEAN)
	{
		for (size_t i = 0; i < response->n_tokens; i++)
			gradients->dvalues[response->token_rows[i]] += dscore / (double) response->n_tokens;
		return;
	}
	weigh(sentences, pass);
	for (size_t i = 0; i <= response->n; i++)
	{
		sentences->dc[i] = sentences->a[i] * dscore;
		sentences->da[i] = sentences->c[i] * dscore;
	}
	/* c_i = v_i - v_(i-1) */
	for (size_t i = 0; i <= response->n; i++)
		gradients->dvalues[boundary_row(response, i)] +=
			sentences->dc[i] - (i < response->n ? sentences->dc[i + 1] : 0.0);
	if (pass->aggregation == SRM_AGGREGATE_ATTENTION)
		attend_backward(sentences, gradients, pass);
}

/*
 * Backward of a projection out (n, d) = x (n, H) weight^T + bias: dx (n, H)
 * is added to, and so are the gradients.
 */
static bool
project_backward(float *dx, float *dweight, float *dbias, const float *dout, const float *x,
				 const float *weight, const SrmHead *head, size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		d = head->attention_dim;
	size_t		dim = head->dim;
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

/* Of keys and queries, to the aggregator's weights and the states. */
static bool
aggregator_backward(SrmHead *gradient, float *dstates, const HeadGradients *gradients,
					const SrmScoresPass *pass, SrmStatus *status)
{
	const SrmHead *head = pass->head;
	size_t		dim = head->dim;
	const float *last = gather_last(pass, status);
	float	   *dlast = srm_arena_array(pass->arena, pass->n_responses, dim * sizeof(float), status);

	if (last == NULL || dlast == NULL ||
		!project_backward(dstates, gradient->key_weight, gradient->key_bias, gradients->dkeys, pass->states,
						  head->key_weight, head, pass->n_rows, pass->arena, status) ||
		!project_backward(dlast, gradient->query_weight, gradient->query_bias, gradients->dqueries, last,
						  head->query_weight, head, pass->n_responses, pass->arena, status))
		return false;
	for (size_t i = 0; dstates != NULL && i < pass->n_responses; i++)
		srm_kernels->add(dstates + boundary_row(&pass->responses[i], pass->responses[i].n) * dim,
							   dlast + i * dim, dim);
	return true;
}

/* Of the values, to the value head and the states, which are set. */
static void
values_backward(SrmHead *gradient, float *dstates, const double *dvalues, const SrmScoresPass *pass)
{
	size_t		dim = pass->head->dim;

	for (size_t i = 0; i < pass->n_rows; i++)
	{
		float		dvalue = (float) dvalues[i];

		for (size_t j = 0; j < dim; j++)
			gradient->value_weight[j] += dvalue * pass->states[i * dim + j];
		gradient->value_bias[0] += dvalue;
		for (size_t j = 0; dstates != NULL && j < dim; j++)
			dstates[i * dim + j] = dvalue * pass->head->value_weight[j];
	}
}

bool
srm_scores_backward(SrmHead *gradient, float *dstates, const double *dscores, const SrmScoresPass *pass,
				  SrmStatus *status)
{
	size_t		d = pass->head->attention_dim;
	HeadGradients gradients;
	Sentences	sentences = {0};

	gradients.dvalues = srm_arena_array(pass->arena, pass->n_rows, sizeof(double), status);
	gradients.dkeys = srm_arena_array(pass->arena, pass->n_rows, d * sizeof(float), status);
	gradients.dqueries = srm_arena_array(pass->arena, pass->n_responses, d * sizeof(float), status);
	if (status->code != SRM_OK || !allocate_sentences(&sentences, pass, status))
		return false;
	for (size_t i = 0; i < pass->n_responses; i++)
	{
		sentences.response = &pass->responses[i];
		sentences.number = i;
		response_backward(&sentences, &gradients, dscores[i], pass);
	}
	values_backward(gradient, dstates, gradients.dvalues, pass);
	return pass->aggregation != SRM_AGGREGATE_ATTENTION ||
		aggregator_backward(gradient, dstates, &gradients, pass, status);
}

/* log(1 + exp(x)) */
static double
softplus(double x)
{
	return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

double
srm_pair_loss(double chosen, double rejected, double margin, double penalty)
{
	return softplus(-(chosen - rejected - margin)) + penalty * (chosen * chosen + rejected * rejected);
}

void
srm_pair_loss_backward(double *dchosen, double *drejected, double chosen, double rejected,
					   double margin, double penalty)
{
	double		slope = srm_preference_forward(-(chosen - rejected - margin));

	*dchosen = -slope + 2.0 * penalty * chosen;
	*drejected = slope + 2.0 * penalty * rejected;
}
