/*-------------------------------------------------------------------------
 *
 * parameters.c
 *	  The weights that are trained, their gradients and moments.
 *
 * One walk over the model's tensors counts floats, and a second one of the
 * same order gives them their places.
 *
 *-------------------------------------------------------------------------
 */
#include "train/parameters.h"

#include <math.h>
#include <string.h>

#include "kernel/kernels.h"
#include "train/continued.h"
#include "train/options.h"
#include "train/random.h"

#define ALIGNED_FLOATS	16		/* 64 bytes */
#define NEW_DEVIATION	0.02	/* of weights that a model lacks */

/* A walk over the tensors of a model. */
typedef struct Walk
{
	const SrmModel *model;
	const SrmTrainOptions *options;
	SrmParameters *parameters;
	bool		placing;		/* the second walk */
	size_t		n;				/* parameters so far */
	size_t		at;				/* floats of the arrays so far */
	size_t		frozen_at;		/* floats of the decoder beside them */
	size_t		n_adapters;
	float	   *frozen;
} Walk;

static size_t
aligned(size_t n)
{
	return (n + ALIGNED_FLOATS - 1) / ALIGNED_FLOATS * ALIGNED_FLOATS;
}

/* A place in the arrays: where it starts. */
static size_t
claim(Walk *walk, size_t n, bool decays)
{
	size_t		start = walk->at;

	if (walk->placing)
	{
		walk->parameters->items[walk->n] = (SrmParameter) {start, n, decays};
		walk->parameters->n_trained += n;
	}
	walk->n++;
	walk->at += aligned(n);
	return start;
}

/* A tensor of the head, whose gradient lies in the same place of the other array. */
static void
place_head(Walk *walk, size_t n, bool decays, float **weight, float **gradient)
{
	size_t		start = claim(walk, n, decays);

	if (!walk->placing)
		return;
	*weight = walk->parameters->weights + start;
	*gradient = walk->parameters->gradients + start;
}

/* A tensor of the decoder: in the arrays, or frozen beside them. */
static float *
place_decoder(Walk *walk, size_t n, bool decays, float **gradient)
{
	SrmParameters *parameters = walk->parameters;
	size_t		start;

	*gradient = NULL;
	if (walk->options->part == SRM_TRAIN_FULL)
	{
		start = claim(walk, n, decays);
		if (!walk->placing)
			return NULL;
		*gradient = parameters->gradients + start;
		return parameters->weights + start;
	}
	start = walk->frozen_at;
	walk->frozen_at += aligned(n);
	return walk->placing ? walk->frozen + start : NULL;
}

static void
place_adapter(Walk *walk, size_t layer, SrmWeightNumber weight, const SrmMatrix *base, float *sum)
{
	SrmParameters *parameters = walk->parameters;
	const SrmTrainOptions *options = walk->options;
	SrmAdapter	adapter = {.layer = layer,.weight = weight,.base = *base,.sum = sum};

	if (srm_train_is_continued(walk->model, options))
	{
		adapter.start = base->change;
		adapter.base.change = NULL;
	}
	adapter.rank = adapter.start == NULL ? options->lora_rank : adapter.start->a.rows;
	adapter.scale = adapter.start == NULL ? (float) (options->lora_alpha / (double) options->lora_rank) :
		adapter.start->scale;
	adapter.a = claim(walk, adapter.rank * base->cols, true);
	adapter.b = claim(walk, base->rows * adapter.rank, true);
	if (walk->placing)
	{
		parameters->adapters[walk->n_adapters] = adapter;
		parameters->factors[layer * SRM_N_WEIGHTS + weight] = (SrmTrainAdapter) {
			.a = parameters->weights + adapter.a,.b = parameters->weights + adapter.b,
			.da = parameters->gradients + adapter.a,.db = parameters->gradients + adapter.b,
			.rank = adapter.rank,.scale = adapter.scale
		};
	}
	walk->n_adapters++;
}

/* Whether a matrix gets an adapter; the embedding, whose number is SRM_N_WEIGHTS, does not. */
static bool
is_adapted(const Walk *walk, const SrmMatrix *base, SrmWeightNumber number)
{
	if (walk->options->part != SRM_TRAIN_LORA || number >= SRM_N_WEIGHTS)
		return false;
	return srm_train_is_continued(walk->model, walk->options) ? base->change != NULL :
		srm_train_targets_hold(walk->options->lora_targets, srm_layer_weights[number].peft);
}

/* A matrix of a layer, or the embedding: number is SRM_N_WEIGHTS then. */
static void
place_matrix(Walk *walk, const SrmMatrix *base, SrmMatrix *weight, SrmMatrix *gradient,
			 size_t layer, SrmWeightNumber number)
{
	float	   *dw;
	float	   *w = place_decoder(walk, base->rows * base->cols, true, &dw);

	if (is_adapted(walk, base, number))
		place_adapter(walk, layer, number, base, w);
	if (!walk->placing)
		return;
	srm_matrix_read(base, 0, base->rows * base->cols, w);
	*weight = (SrmMatrix) {.data = w,.dtype = SRM_F32,.rows = base->rows,.cols = base->cols};
	*gradient = *weight;
	gradient->data = dw;
}

static void
place_vector(Walk *walk, const float *base, size_t n, const float **weight, const float **gradient)
{
	float	   *dw;
	float	   *w;

	if (base == NULL)
		return;
	w = place_decoder(walk, n, false, &dw);
	if (!walk->placing)
		return;
	memcpy(w, base, n * sizeof(float));
	*weight = w;
	*gradient = dw;
}

static void
place_layer(Walk *walk, size_t number)
{
	const SrmDecoder *decoder = &walk->model->decoder;
	const SrmLayer *base = &decoder->layers[number];
	SrmLayer	nothing;
	SrmLayer   *weight = walk->placing ? &walk->parameters->decoder.layers[number] : &nothing;
	SrmLayer   *gradient = walk->placing ? &walk->parameters->gradient.layers[number] : &nothing;

	if (walk->placing)
		weight->window = base->window;
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
		if (srm_weight_is_matrix(i))
			place_matrix(walk, srm_weight_matrix(base, i), srm_weight_matrix(weight, i),
						 srm_weight_matrix(gradient, i), number, i);
		else
			place_vector(walk, *srm_weight_vector(base, i), srm_weight_rows(decoder, i),
						 srm_weight_vector(weight, i), srm_weight_vector(gradient, i));
}

static size_t
attention_dim(const SrmModel *model, const SrmTrainOptions *options)
{
	if (options->aggregation != SRM_AGGREGATE_ATTENTION)
		return 0;
	return options->attention_dim > 0 ? options->attention_dim :
		model->attention.dim > 0 ? model->attention.dim : 64;
}

static void
place_heads(Walk *walk)
{
	SrmHead    *head = &walk->parameters->head;
	SrmHead    *gradient = &walk->parameters->head_gradient;
	size_t		dim = walk->model->decoder.dim;
	size_t		d = attention_dim(walk->model, walk->options);

	head->dim = gradient->dim = dim;
	head->attention_dim = gradient->attention_dim = d;
	head->value_bias = &walk->parameters->no_bias[0];
	gradient->value_bias = &walk->parameters->no_bias[1];
	place_head(walk, dim, true, &head->value_weight, &gradient->value_weight);
	if (walk->model->value_bias != 0.0f)
		place_head(walk, 1, false, &head->value_bias, &gradient->value_bias);
	if (d == 0)
		return;
	place_head(walk, d * dim, true, &head->query_weight, &gradient->query_weight);
	place_head(walk, d, false, &head->query_bias, &gradient->query_bias);
	place_head(walk, d * dim, true, &head->key_weight, &gradient->key_weight);
	place_head(walk, d, false, &head->key_bias, &gradient->key_bias);
}

static void
walk_model(Walk *walk)
{
	const SrmDecoder *decoder = &walk->model->decoder;
	SrmParameters *parameters = walk->parameters;

	walk->n = walk->at = walk->frozen_at = walk->n_adapters = 0;
	if (walk->options->part != SRM_TRAIN_HEAD)
	{
		place_matrix(walk, &decoder->embedding, &parameters->decoder.embedding,
					 &parameters->gradient.embedding, 0, SRM_N_WEIGHTS);
		for (size_t i = 0; i < decoder->n_layers; i++)
			place_layer(walk, i);
		place_vector(walk, decoder->final_norm, decoder->dim, &parameters->decoder.final_norm,
					 &parameters->gradient.final_norm);
	}
	place_heads(walk);
}

static size_t
array_bytes(const Walk *walk)
{
	size_t		n_arrays = walk->options->patience > 0 ? 5 : 4;

	return (walk->at * n_arrays + walk->frozen_at) * sizeof(float);
}

size_t
srm_parameters_bytes(const SrmModel *model, const SrmTrainOptions *options)
{
	SrmParameters parameters = {0};
	Walk		walk = {.model = model,.options = options,.parameters = &parameters};

	walk_model(&walk);
	return array_bytes(&walk);
}

/* The base's head, or a new one. */
static void
fill_heads(const Walk *walk, SrmRandom *random)
{
	const SrmModel *model = walk->model;
	const SrmModelAttention *attention = &model->attention;
	SrmHead    *head = &walk->parameters->head;
	size_t		d = head->attention_dim;
	size_t		dim = head->dim;
	bool		fresh = walk->options->fresh;

	if (model->value_weight != NULL && !fresh)
		for (size_t i = 0; i < dim; i++)
			head->value_weight[i] = model->value_weight[i] * (float) walk->options->value_scale;
	else
		srm_random_normal(random, head->value_weight, dim, NEW_DEVIATION);
	head->value_bias[0] = fresh ? 0.0f : model->value_bias * (float) walk->options->value_scale;
	if (d == 0)
		return;
	if (attention->dim == d && !fresh)
	{
		memcpy(head->query_weight, attention->query_weight, d * dim * sizeof(float));
		memcpy(head->query_bias, attention->query_bias, d * sizeof(float));
		memcpy(head->key_weight, attention->key_weight, d * dim * sizeof(float));
		memcpy(head->key_bias, attention->key_bias, d * sizeof(float));
		return;
	}
	srm_random_normal(random, head->query_weight, d * dim, NEW_DEVIATION);
	srm_random_normal(random, head->key_weight, d * dim, NEW_DEVIATION);
}

/* A new adapter begins as no change: a is uniform as in peft, b is zero. */
static void
fill_adapters(SrmParameters *parameters, SrmRandom *random)
{
	for (size_t i = 0; i < parameters->n_adapters; i++)
	{
		const SrmAdapter *adapter = &parameters->adapters[i];
		size_t		n_a = adapter->rank * adapter->base.cols;
		double		bound = 1.0 / sqrt((double) adapter->base.cols);

		if (adapter->start != NULL)
		{
			srm_matrix_read(&adapter->start->a, 0, n_a, parameters->weights + adapter->a);
			srm_matrix_read(&adapter->start->b, 0, adapter->base.rows * adapter->rank, parameters->weights + adapter->b);
			continue;
		}
		for (size_t j = 0; j < n_a; j++)
			parameters->weights[adapter->a + j] = (float) (bound * (2.0 * srm_random_uniform(random) - 1.0));
	}
}

static void
fill_vector(const float *vector, size_t n, float value)
{
	for (size_t i = 0; vector != NULL && i < n; i++)
		((float *) vector)[i] = value;
}

/* Outputs of layers start smaller, so that their sum does not grow. */
static void
fill_fresh_layer(const SrmDecoder *decoder, const SrmLayer *layer, SrmRandom *random)
{
	double		shrink = 1.0 / sqrt(2.0 * (double) decoder->n_layers);

	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		SrmRole		role = srm_layer_weights[i].role;
		const SrmMatrix *matrix;

		if (!srm_weight_is_matrix(i))
		{
			fill_vector(*srm_weight_vector(layer, i), srm_weight_rows(decoder, i),
						role == SRM_ROLE_NORM ? 1.0f : 0.0f);
			continue;
		}
		matrix = srm_weight_matrix(layer, i);
		srm_random_normal(random, (float *) matrix->data, matrix->rows * matrix->cols,
						  (role == SRM_ROLE_RESIDUAL ? shrink : 1.0) / sqrt((double) matrix->cols));
	}
}

static void
fill_fresh_decoder(SrmParameters *parameters, SrmRandom *random)
{
	const SrmDecoder *decoder = &parameters->decoder;

	srm_random_normal(random, (float *) decoder->embedding.data, decoder->vocab_size * decoder->dim,
					  NEW_DEVIATION);
	for (size_t i = 0; i < decoder->n_layers; i++)
		fill_fresh_layer(decoder, &decoder->layers[i], random);
	fill_vector(decoder->final_norm, decoder->dim, 1.0f);
}

static float *
allocate_floats(SrmParameters *parameters, size_t n, SrmStatus *status)
{
	return srm_arena_array(parameters->arena, n, sizeof(float), status);
}

static bool
allocate_arrays(Walk *walk, SrmStatus *status)
{
	SrmParameters *parameters = walk->parameters;
	size_t		n_layers = walk->model->decoder.n_layers;

	parameters->n = walk->n;
	parameters->n_floats = walk->at;
	parameters->n_adapters = walk->n_adapters;
	parameters->frozen_floats = walk->frozen_at;
	parameters->items = srm_arena_array(parameters->arena, walk->n, sizeof(SrmParameter), status);
	parameters->adapters = srm_arena_array(parameters->arena, walk->n_adapters, sizeof(SrmAdapter), status);
	parameters->factors = srm_arena_array(parameters->arena, n_layers * SRM_N_WEIGHTS, sizeof(SrmTrainAdapter), status);
	parameters->decoder.layers = srm_arena_array(parameters->arena, n_layers, sizeof(SrmLayer), status);
	parameters->gradient.layers = srm_arena_array(parameters->arena, n_layers, sizeof(SrmLayer), status);
	parameters->weights = allocate_floats(parameters, walk->at, status);
	parameters->gradients = allocate_floats(parameters, walk->at, status);
	parameters->first = allocate_floats(parameters, walk->at, status);
	parameters->second = allocate_floats(parameters, walk->at, status);
	if (walk->options->patience > 0)
		parameters->best = allocate_floats(parameters, walk->at, status);
	walk->frozen = allocate_floats(parameters, walk->frozen_at, status);
	return status->code == SRM_OK;
}

static bool
fill_parameters(SrmParameters *parameters, const SrmModel *model, const SrmTrainOptions *options,
				SrmStatus *status)
{
	Walk		walk = {.model = model,.options = options,.parameters = parameters};
	SrmRandom	random = srm_random_start(options->seed, SRM_RANDOM_WEIGHTS, 0);
	SrmLayer   *layers;
	SrmLayer   *gradient_layers;

	walk_model(&walk);
	if (!allocate_arrays(&walk, status))
		return false;
	layers = parameters->decoder.layers;
	gradient_layers = parameters->gradient.layers;
	parameters->decoder = parameters->gradient = model->decoder;
	parameters->decoder.layers = layers;
	parameters->gradient.layers = gradient_layers;
	parameters->gradient.embedding = (SrmMatrix) {0};
	parameters->gradient.final_norm = NULL;
	walk.placing = true;
	walk_model(&walk);
	if (options->fresh)
		fill_fresh_decoder(parameters, &random);
	fill_heads(&walk, &random);
	fill_adapters(parameters, &random);
	return true;
}

SrmParameters *
srm_parameters_create(const SrmModel *model, const SrmTrainOptions *options, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmParameters *parameters;

	if (arena == NULL)
		return NULL;
	parameters = srm_arena_array(arena, 1, sizeof(SrmParameters), status);
	if (parameters != NULL)
	{
		parameters->arena = arena;
		parameters->part = options->part;
	}
	if (parameters != NULL && fill_parameters(parameters, model, options, status))
		return parameters;
	srm_arena_free(arena);
	return NULL;
}

void
srm_parameters_free(SrmParameters *parameters)
{
	if (parameters != NULL)
		srm_arena_free(parameters->arena);
}

void
srm_parameters_clear(SrmParameters *parameters)
{
	memset(parameters->gradients, 0, parameters->n_floats * sizeof(float));
	parameters->no_bias[1] = 0.0f;
}

/* One adapter a task, with scratch for a factor in panels. */
typedef struct AdapterTask
{
	SrmParameters *parameters;
	SrmThreads *threads;
} AdapterTask;

/* sum = base + scale * b a */
static void
merge_adapter(void *arg, size_t number, int thread)
{
	const AdapterTask *task = arg;
	const SrmParameters *parameters = task->parameters;
	const SrmAdapter *adapter = &parameters->adapters[number];
	size_t		rows = adapter->base.rows;
	size_t		cols = adapter->base.cols;
	size_t		rank = adapter->rank;
	float	   *panels = srm_threads_scratch(task->threads, thread);
	size_t		n_panels = srm_panel_floats(cols, rank);

	srm_matrix_read(&adapter->base, 0, rows * cols, adapter->sum);
	srm_kernels->pack_columns(panels, parameters->weights + adapter->a, cols, 1, cols, rank);
	for (size_t i = 0; i < n_panels; i++)
		panels[i] *= adapter->scale;
	srm_kernels->multiply_columns(adapter->sum, cols, parameters->weights + adapter->b, rank, 1, panels,
								rows, cols, rank, true);
}

bool
srm_parameters_merge(SrmParameters *parameters, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	AdapterTask arg = {parameters, threads};
	size_t		floats = 0;

	for (size_t i = 0; i < parameters->n_adapters; i++)
	{
		size_t		needed = srm_panel_floats(parameters->adapters[i].base.cols, parameters->adapters[i].rank);

		floats = needed > floats ? needed : floats;
	}
	return floats == 0 ||
		(srm_threads_reserve(threads, floats * sizeof(float), status) &&
		 srm_threads_run_or_stop(threads, parameters->n_adapters, merge_adapter, &arg, stop, status));
}
