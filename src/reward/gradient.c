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

/* One response in work: its boundaries' values and weights. */
typedef struct Sentences
{
	const SrmResponse *response;
	size_t		number;			/* of the response */
	double	   *c;				/* (n + 1) */
	double	   *a;				/* (n + 1) */
	double	   *dc;				/* (n + 1), backward */
	double	   *da;				/* (n + 1) */
	uint32_t   *rows;			/* (n + 1) of states */
	double	   *space;			/* (4 * d) */
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

static bool
project_attention(SrmScoresPass *pass, SrmStatus *status)
{
	const SrmHead *head = pass->head;
	size_t		d = head->attention_dim;
	size_t		n_positions = longest_response(pass) + 1;
	const float *last = gather_last(pass, status);

	pass->keys = srm_arena_array(pass->arena, pass->n_rows, d * sizeof(float), status);
	pass->queries = srm_arena_array(pass->arena, pass->n_responses, d * sizeof(float), status);
	return status->code == SRM_OK && srm_turns_fill(&pass->turns, d, n_positions, pass->arena, status) &&
		srm_project_forward(pass->keys, pass->states, head->key_weight, head->key_bias, pass->n_rows, d,
							head->dim, pass->arena, status) &&
		srm_project_forward(pass->queries, last, head->query_weight, head->query_bias, pass->n_responses, d,
							head->dim, pass->arena, status);
}

/* Rewards and weights of a response. */
static void
weigh(Sentences *sentences, const SrmScoresPass *pass)
{
	const SrmResponse *response = sentences->response;

	sentences->c[0] = pass->values[response->prompt_row];
	for (size_t i = 1; i <= response->n; i++)
		sentences->c[i] = pass->values[boundary_row(response, i)] - pass->values[boundary_row(response, i - 1)];
	for (size_t i = 0; i <= response->n; i++)
		sentences->rows[i] = (uint32_t) boundary_row(response, i);
	if (pass->aggregation == SRM_AGGREGATE_ATTENTION)
		srm_attend_forward(sentences->a, pass->queries + sentences->number * pass->turns.dim, pass->keys,
						   sentences->rows, &pass->turns, response->n, sentences->space);
	else
		srm_weights_forward(sentences->a, sentences->c, pass->aggregation, response->n);
}

static bool
allocate_sentences(Sentences *sentences, const SrmScoresPass *pass, SrmStatus *status)
{
	size_t		n = longest_response(pass) + 1;
	size_t		d = pass->head->attention_dim;
	double	   *space = srm_arena_array(pass->arena, 4 * n + 4 * d, sizeof(double), status);

	sentences->rows = srm_arena_array(pass->arena, n, sizeof(uint32_t), status);
	if (space == NULL || sentences->rows == NULL)
		return false;
	sentences->c = space;
	sentences->a = space + n;
	sentences->dc = space + 2 * n;
	sentences->da = space + 3 * n;
	sentences->space = space + 4 * n;
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
		srm_attend_backward(gradients->dqueries + sentences->number * pass->turns.dim, gradients->dkeys,
							sentences->da, sentences->a, pass->queries + sentences->number * pass->turns.dim,
							pass->keys, sentences->rows, &pass->turns, response->n, sentences->space);
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
		!srm_project_backward(dstates, gradient->key_weight, gradient->key_bias, gradients->dkeys, pass->states,
							  head->key_weight, pass->n_rows, head->attention_dim, dim, pass->arena, status) ||
		!srm_project_backward(dlast, gradient->query_weight, gradient->query_bias, gradients->dqueries, last,
							  head->query_weight, pass->n_responses, head->attention_dim, dim, pass->arena, status))
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
