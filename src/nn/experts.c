/*-------------------------------------------------------------------------
 *
 * experts.c
 *	  Feed-forward networks of which each token takes a few.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/experts.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "kernel/kernels.h"
#include "kernel/linear.h"
#include "nn/activation.h"

#define ROWS_PER_TASK	16
#define TAKEN			(-1.0f)	/* no share is below 0 */

/* Rows that one expert is for. */
typedef struct Work
{
	SrmPass    *pass;
	const uint32_t *slots;		/* (n) places among the choices of all rows */
	size_t		n;
	size_t		width;			/* of the feed-forward network */
} Work;

/* shares (n_experts) of one row, all by the same factor */
static void
find_shares(const SrmPass *pass, const float *row, float *shares)
{
	const SrmLayer *layer = pass->layer;
	float		greatest = -INFINITY;

	for (size_t i = 0; i < layer->n_experts; i++)
	{
		shares[i] = srm_kernels->dot(layer->router + i * pass->decoder->dim, row, pass->decoder->dim);
		greatest = fmaxf(greatest, shares[i]);
	}
	for (size_t i = 0; i < layer->n_experts; i++)
		shares[i] = expf(shares[i] - greatest);
}

/* The experts of the greatest shares, and those. */
static void
choose_experts(const SrmPass *pass, size_t row, float *shares)
{
	const SrmDecoder *decoder = pass->decoder;
	size_t		n_used = decoder->n_experts_used;
	uint32_t   *chosen = pass->expert_numbers + row * n_used;
	float	   *weights = pass->expert_weights + row * n_used;
	float		all = 0;
	float		taken = 0;

	find_shares(pass, pass->normed + row * decoder->dim, shares);
	for (size_t i = 0; i < pass->layer->n_experts; i++)
		all += shares[i];
	for (size_t k = 0; k < n_used; k++)
	{
		uint32_t	best = 0;

		/* Shares that are not numbers are taken, too */
		while (shares[best] == TAKEN)
			best++;
		for (size_t i = best; i < pass->layer->n_experts; i++)
			if (shares[i] > shares[best])
				best = (uint32_t) i;
		chosen[k] = best;
		weights[k] = shares[best];
		taken += shares[best];
		shares[best] = TAKEN;
	}
	for (size_t k = 0; k < n_used; k++)
		weights[k] /= decoder->normalizes_experts ? taken : all;
}

static void
route_rows(void *arg, size_t task, int thread)
{
	const Work *work = arg;
	size_t		first = task * ROWS_PER_TASK;

	for (size_t i = first; i < srm_smaller(first + ROWS_PER_TASK, work->n); i++)
		choose_experts(work->pass, i, srm_threads_scratch(work->pass->threads, thread));
}

/* The choices of n rows, by the expert: those of expert e are slots from starts[e] to before starts[e + 1]. */
static void
sort_choices(SrmPass *pass, size_t n)
{
	size_t		n_experts = pass->layer->n_experts;
	size_t		n_slots = n * pass->decoder->n_experts_used;
	uint32_t   *starts = pass->expert_starts;

	memset(starts, 0, (n_experts + 2) * sizeof(uint32_t));
	for (size_t i = 0; i < n_slots; i++)
		starts[pass->expert_numbers[i] + 2]++;
	for (size_t e = 2; e < n_experts + 2; e++)
		starts[e] += starts[e - 1];
	/* starts[e + 1] counts up to the end of e, where that of the next one is */
	for (size_t i = 0; i < n_slots; i++)
		pass->expert_slots[starts[pass->expert_numbers[i] + 1]++] = (uint32_t) i;
}

static size_t
row_of(const Work *work, size_t i)
{
	return work->slots[i] / work->pass->decoder->n_experts_used;
}

static void
read_routed(void *arg, size_t i, float *out)
{
	const Work *work = arg;
	size_t		dim = work->pass->decoder->dim;

	memcpy(out, work->pass->normed + row_of(work, i) * dim, dim * sizeof(float));
}

static void
read_gated(void *arg, size_t i, float *out)
{
	const Work *work = arg;

	srm_gate_forward(out, work->pass->gate + i * work->width, work->pass->up + i * work->width,
					 work->pass->decoder->activation, work->width);
}

/* change of rows += their weights times what the expert gives */
static void
add_outputs(void *arg, size_t task, int thread)
{
	const Work *work = arg;
	SrmPass    *pass = work->pass;
	size_t		dim = pass->decoder->dim;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < srm_smaller(first + ROWS_PER_TASK, work->n); i++)
	{
		float	   *change = pass->change + row_of(work, i) * dim;
		float		weight = pass->expert_weights[work->slots[i]];

		for (size_t j = 0; j < dim; j++)
			change[j] += weight * pass->expert_out[i * dim + j];
	}
}

static bool
run_rows(Work *work, SrmTask task)
{
	SrmPass    *pass = work->pass;

	return srm_threads_run_or_stop(pass->threads, srm_divide_up(work->n, ROWS_PER_TASK), task, work, pass->stop, pass->status);
}

/* Rows of a pass have one place in change, since none takes an expert twice. */
static bool
run_expert(Work *work, const SrmExpert *expert)
{
	SrmPass    *pass = work->pass;
	SrmRowSource routed = {read_routed, work};
	SrmRowSource gated = {read_gated, work};
	SrmLinear	maps[] = {{pass->gate, NULL, &expert->gate, NULL}, {pass->up, NULL, &expert->up, NULL}};
	SrmLinear	down = {pass->expert_out, NULL, &expert->down, NULL};

	return srm_linears_forward_from(maps, 2, work->n, &routed, pass->threads, pass->stop, pass->status) &&
		srm_linears_forward_from(&down, 1, work->n, &gated, pass->threads, pass->stop, pass->status) &&
		run_rows(work, add_outputs);
}

/* Scales what all tokens take by sigmoid(gate * x). */
static void
gate_shared(void *arg, size_t task, int thread)
{
	const Work *work = arg;
	SrmPass    *pass = work->pass;
	size_t		dim = pass->decoder->dim;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < srm_smaller(first + ROWS_PER_TASK, work->n); i++)
	{
		float		x = srm_kernels->dot(pass->layer->shared_gate, pass->normed + i * dim, dim);
		float		share = 1.0f / (1.0f + expf(-x));

		for (size_t j = 0; j < dim; j++)
			pass->change[i * dim + j] *= share;
	}
}

/* change = what all tokens take, or nothing */
static bool
run_shared(Work *work)
{
	SrmPass    *pass = work->pass;
	const SrmLayer *layer = pass->layer;
	SrmRowSource gated = {read_gated, work};
	SrmLinear	maps[] = {
		{pass->gate, pass->normed, &layer->gate, NULL},
		{pass->up, pass->normed, &layer->up, NULL}
	};
	SrmLinear	down = {pass->change, NULL, &layer->down, NULL};

	if (layer->up.rows == 0)
	{
		memset(pass->change, 0, work->n * pass->decoder->dim * sizeof(float));
		return true;
	}
	return srm_linears_forward(maps, 2, work->n, pass->threads, pass->stop, pass->status) &&
		srm_linears_forward_from(&down, 1, work->n, &gated, pass->threads, pass->stop, pass->status) &&
		run_rows(work, gate_shared);
}

bool
srm_experts_forward(SrmPass *pass, size_t n)
{
	const SrmLayer *layer = pass->layer;
	Work		all = {.pass = pass,.n = n,.width = layer->up.rows};

	if (!run_shared(&all) ||
		!srm_threads_reserve(pass->threads, layer->n_experts * sizeof(float), pass->status) ||
		!run_rows(&all, route_rows))
		return false;
	sort_choices(pass, n);
	for (size_t e = 0; e < layer->n_experts; e++)
	{
		Work		work = {
			.pass = pass,.slots = pass->expert_slots + pass->expert_starts[e],
			.n = pass->expert_starts[e + 1] - pass->expert_starts[e],.width = pass->decoder->expert_dim
		};

		if (work.n > 0 && !run_expert(&work, &layer->experts[e]))
			return false;
	}
	return true;
}
