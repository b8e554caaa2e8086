/*-------------------------------------------------------------------------
 *
 * random_decoder.h
 *	  Decoders of any shape with random weights, for tests and benchmarks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_RANDOM_DECODER_H
#define SRM_RANDOM_DECODER_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "nn/decoder.h"
#include "kernel/pack.h"

typedef struct RandomShape
{
	size_t		n_layers;
	size_t		dim;
	size_t		n_heads;
	size_t		n_kv_heads;
	size_t		head_dim;
	size_t		ffn_dim;
	size_t		vocab_size;
	SrmDtype	dtype;
	bool		with_biases;	/* all there are */
	bool		with_head_norms;
	SrmRope		rope;
	size_t		window;			/* of every window_step-th layer, the first among them */
	size_t		window_step;
	float		embedding_scale;
	float		attention_scale;
	float		attention_softcap;
	SrmActivation activation;
	bool		with_post_norms;
	bool		without_input_norms;
	SrmNormKind norm_kind;
	bool		with_norm_biases;
	bool		without_gate;
	bool		is_parallel;
	bool		post_norms_sum;
	size_t		ahead;
	size_t		first_position; /* not 0: positions are learned, and embeddings normed */
	SrmHeadNorm head_norm;
	float		residual_scale;
	bool		with_local_rope;	/* in layers with a window: theta is a tenth there */
	size_t		rope_step;		/* not 0: every rope_step-th layer, the first among them, has none */
	SrmRelative relative;		/* whose embedding is made */
	size_t		n_experts;		/* of every other layer, the first among them */
	size_t		n_experts_used;
	bool		normalizes_experts;
	size_t		expert_dim;
	size_t		shared_dim;
	bool		fused;			/* queries, keys and values lie in one tensor, by the head */
} RandomShape;

typedef struct RandomState
{
	SrmArena   *arena;
	uint64_t	seed;
	SrmStatus	status;
} RandomState;

/* Uniform in [-1, 1); xorshift64* */
static inline float
random_float(RandomState *state)
{
	state->seed ^= state->seed >> 12;
	state->seed ^= state->seed << 25;
	state->seed ^= state->seed >> 27;
	return (float) ((int32_t) ((state->seed * UINT64_C(2685821657736338717)) >> 32)) * 0x1p-31f;
}

/* The half next to zero from a value of magnitude below 2, subnormals included. */
static inline uint16_t
half_of_float(float value)
{
	float		magnitude = fabsf(value);
	uint16_t	sign = value < 0 ? 0x8000 : 0;
	int			exponent;
	float		fraction = frexpf(magnitude, &exponent);

	if (exponent < -13)
		return sign | (uint16_t) (magnitude * 0x1p24f);
	return sign | (uint16_t) ((exponent + 14) << 10) | ((uint16_t) (fraction * 2048.0f) & 0x3FF);
}

static inline uint16_t
bfloat_of_float(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return (uint16_t) (bits >> 16);
}

static inline float *
random_vector(RandomState *state, size_t n, float middle, float spread)
{
	float	   *vector = srm_arena_alloc(state->arena, n * sizeof(float), &state->status);

	if (vector == NULL)
		abort();
	for (size_t i = 0; i < n; i++)
		vector[i] = middle + spread * random_float(state);
	return vector;
}

static inline SrmMatrix
random_matrix(RandomState *state, size_t rows, size_t cols, SrmDtype dtype)
{
	SrmMatrix	matrix = {.dtype = dtype, .rows = rows, .cols = cols};
	void	   *data = srm_arena_alloc(state->arena, rows * cols * srm_dtype_size(dtype), &state->status);
	float		spread = sqrtf(3.0f / (float) cols);

	if (data == NULL)
		abort();
	for (size_t i = 0; i < rows * cols; i++)
	{
		float		value = spread * random_float(state);

		if (dtype == SRM_F32)
			((float *) data)[i] = value;
		else if (dtype == SRM_F16)
			((uint16_t *) data)[i] = half_of_float(value);
		else if (dtype == SRM_INT8 || dtype == SRM_W8)
			((int8_t *) data)[i] = (int8_t) lrintf(127 * value / spread);
		else
			((uint16_t *) data)[i] = bfloat_of_float(value);
	}
	matrix.data = data;
	if (srm_scales_count(cols, dtype) > 0)
		matrix.scales = random_vector(state, rows * srm_scales_count(cols, dtype), spread / 127, 0.1f * spread / 127);
	return matrix;
}

/* Rows of a fused tensor, of which each stride begin with a band. */
static inline SrmMatrix
rows_of(const SrmMatrix *tensor, size_t first, size_t rows, size_t band, size_t stride)
{
	SrmMatrix	matrix = *tensor;

	matrix.data = (const char *) tensor->data + first * tensor->cols * srm_dtype_size(tensor->dtype);
	matrix.rows = rows;
	matrix.band = band;
	matrix.stride = stride;
	return matrix;
}

/* The heads that share a key, the key, and the value; and so on */
static inline void
random_fused_maps(RandomState *state, const RandomShape *shape, SrmLayer *layer)
{
	size_t		q_dim = shape->n_heads * shape->head_dim;
	size_t		kv_dim = shape->n_kv_heads * shape->head_dim;
	size_t		band = q_dim / shape->n_kv_heads;
	size_t		stride = band + 2 * shape->head_dim;
	SrmMatrix	tensor = random_matrix(state, q_dim + 2 * kv_dim, shape->dim, shape->dtype);

	layer->query = rows_of(&tensor, 0, q_dim, band, stride);
	layer->key = rows_of(&tensor, band, kv_dim, shape->head_dim, stride);
	layer->value = rows_of(&tensor, band + shape->head_dim, kv_dim, shape->head_dim, stride);
}

static inline bool
is_head_norm(SrmWeightNumber number)
{
	return number == SRM_WEIGHT_QUERY_NORM || number == SRM_WEIGHT_KEY_NORM;
}

/* Whether a decoder of a shape has a weight. */
static inline bool
shape_has(const RandomShape *shape, SrmWeightNumber number)
{
	if (number == SRM_WEIGHT_GATE || number == SRM_WEIGHT_GATE_BIAS)
		return !shape->without_gate && (number == SRM_WEIGHT_GATE || shape->with_biases);
	if (number == SRM_WEIGHT_ATTENTION_NORM_BIAS || number == SRM_WEIGHT_FFN_NORM_BIAS)
		return shape->with_norm_biases && !shape->without_input_norms;
	if (number == SRM_WEIGHT_POST_ATTENTION_NORM_BIAS || number == SRM_WEIGHT_POST_FFN_NORM_BIAS)
		return shape->with_norm_biases && shape->with_post_norms;
	if (srm_layer_weights[number].role == SRM_ROLE_BIAS)
		return shape->with_biases;
	if (is_head_norm(number))
		return shape->with_head_norms;
	if (number == SRM_WEIGHT_POST_ATTENTION_NORM || number == SRM_WEIGHT_POST_FFN_NORM)
		return shape->with_post_norms;
	if (number == SRM_WEIGHT_ATTENTION_NORM || number == SRM_WEIGHT_FFN_NORM)
		return !shape->without_input_norms;
	return true;
}

static inline void
random_layer(RandomState *state, const RandomShape *shape, const SrmDecoder *decoder, SrmLayer *layer)
{
	memset(layer, 0, sizeof(SrmLayer));
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		size_t		rows = srm_weight_rows(decoder, i);

		if (!shape_has(shape, i))
			continue;
		if (srm_weight_is_matrix(i))
			*srm_weight_matrix(layer, i) = random_matrix(state, rows, srm_size_of(decoder, srm_layer_weights[i].cols),
														 shape->dtype);
		else if (srm_layer_weights[i].role == SRM_ROLE_BIAS)
			*srm_weight_vector(layer, i) = random_vector(state, rows, 0.0f, 1.0f);
		else
			*srm_weight_vector(layer, i) = random_vector(state, rows, 1.0f,
														 is_head_norm(i) ? 0.5f : 0.3f);
	}
	if (shape->fused)
		random_fused_maps(state, shape, layer);
}

/* Experts in place of the feed-forward network, which becomes the one that all tokens take, or is left out. */
static inline void
random_experts(RandomState *state, const RandomShape *shape, SrmLayer *layer)
{
	const SrmMatrix none = {0};

	layer->n_experts = shape->n_experts;
	layer->router = random_vector(state, shape->n_experts * shape->dim, 0.0f, 0.5f);
	layer->experts = srm_arena_array(state->arena, shape->n_experts, sizeof(SrmExpert), &state->status);
	if (layer->experts == NULL)
		abort();
	for (size_t i = 0; i < shape->n_experts; i++)
		layer->experts[i] = (SrmExpert) {
			random_matrix(state, shape->expert_dim, shape->dim, shape->dtype),
			random_matrix(state, shape->expert_dim, shape->dim, shape->dtype),
			random_matrix(state, shape->dim, shape->expert_dim, shape->dtype)
		};
	layer->gate = layer->up = layer->down = none;
	if (shape->shared_dim == 0)
		return;
	layer->gate = random_matrix(state, shape->shared_dim, shape->dim, shape->dtype);
	layer->up = random_matrix(state, shape->shared_dim, shape->dim, shape->dtype);
	layer->down = random_matrix(state, shape->dim, shape->shared_dim, shape->dtype);
	layer->shared_gate = random_vector(state, shape->dim, 0.0f, 0.5f);
}

#define RANDOM_POSITIONS	1000

static inline void
random_positions(RandomState *state, const RandomShape *shape, SrmDecoder *decoder)
{
	decoder->first_position = shape->first_position;
	decoder->n_positions = shape->first_position + RANDOM_POSITIONS;
	decoder->positions = random_vector(state, decoder->n_positions * shape->dim, 0.0f, 1.0f);
	decoder->n_token_types = 2;
	decoder->token_types = random_vector(state, 2 * shape->dim, 0.0f, 1.0f);
	decoder->embedding_norm = random_vector(state, shape->dim, 1.0f, 0.3f);
	decoder->embedding_norm_bias = random_vector(state, shape->dim, 0.0f, 1.0f);
}

/* In the arena; aborts when memory is short. */
static inline SrmDecoder *
random_decoder(const RandomShape *shape, uint64_t seed, SrmArena *arena)
{
	RandomState state = {.arena = arena, .seed = seed * 2 + 1};
	SrmDecoder *decoder;

	srm_status_init(&state.status);
	decoder = srm_arena_array(arena, 1, sizeof(SrmDecoder), &state.status);
	if (decoder == NULL)
		abort();
	decoder->n_layers = shape->n_layers;
	decoder->dim = shape->dim;
	decoder->n_heads = shape->n_heads;
	decoder->n_kv_heads = shape->n_kv_heads;
	decoder->head_dim = shape->head_dim;
	decoder->ffn_dim = shape->ffn_dim;
	decoder->vocab_size = shape->vocab_size;
	decoder->norm_eps = 1e-6f;
	decoder->ropes[SRM_ROPE_MAIN] = decoder->ropes[SRM_ROPE_LOCAL] = shape->rope;
	decoder->ropes[SRM_ROPE_LOCAL].theta /= 10;
	decoder->head_norm = shape->head_norm;
	decoder->residual_scale = shape->residual_scale;
	decoder->norm_kind = shape->norm_kind;
	decoder->is_parallel = shape->is_parallel;
	decoder->post_norms_sum = shape->post_norms_sum;
	decoder->embedding_scale = shape->embedding_scale;
	decoder->attention_scale = shape->attention_scale;
	decoder->attention_softcap = shape->attention_softcap;
	decoder->activation = shape->activation;
	decoder->embedding = random_matrix(&state, shape->vocab_size, shape->dim, shape->dtype);
	decoder->layers = srm_arena_array(arena, shape->n_layers, sizeof(SrmLayer), &state.status);
	if (decoder->layers == NULL)
		abort();
	for (size_t i = 0; i < shape->n_layers; i++)
	{
		random_layer(&state, shape, decoder, &decoder->layers[i]);
		if (shape->n_experts > 0 && i % 2 == 0)
			random_experts(&state, shape, &decoder->layers[i]);
		if (shape->window > 0 && i % shape->window_step == 0)
		{
			decoder->layers[i].window = shape->window;
			decoder->layers[i].rope = shape->with_local_rope ? SRM_ROPE_LOCAL : SRM_ROPE_MAIN;
		}
		decoder->layers[i].ahead = shape->ahead;
		if (shape->rope_step > 0 && i % shape->rope_step == 0)
			decoder->layers[i].rope = SRM_ROPE_NONE;
	}
	decoder->final_norm = random_vector(&state, shape->dim, 1.0f, 0.3f);
	if (shape->with_norm_biases)
		decoder->final_norm_bias = random_vector(&state, shape->dim, 0.0f, 1.0f);
	decoder->n_experts_used = shape->n_experts_used;
	decoder->normalizes_experts = shape->normalizes_experts;
	decoder->expert_dim = shape->expert_dim;
	decoder->shared_dim = shape->shared_dim;
	decoder->relative = shape->relative;
	if (shape->relative.span > 0)
		decoder->relative.embedding = random_vector(&state, 2 * shape->relative.span * shape->dim, 0.0f, 1.0f);
	if (shape->first_position > 0)
		random_positions(&state, shape, decoder);
	return decoder;
}

/* As a prepared file holds it */
static inline void
pack_matrix(SrmMatrix *matrix, SrmCompute compute, SrmArena *arena)
{
	SrmPacking	packing = srm_packing_for(compute, matrix->dtype);
	SrmStatus	status;
	void	   *packed;

	srm_status_init(&status);
	packed = srm_arena_alloc(arena, srm_pack_bytes(packing, matrix->rows, matrix->cols), &status);
	if (packed == NULL)
		abort();
	srm_pack_rows(packed, matrix, packing, 0, matrix->rows);
	matrix->packed = packed;
	matrix->compute = compute;
	matrix->packing = packing;
}

/* Packs the linear maps of a decoder, in the order in which they are used. */
static inline void
pack_decoder(SrmDecoder *decoder, SrmCompute compute, SrmArena *arena)
{
	for (size_t i = 0; i < decoder->n_layers; i++)
	{
		const SrmLayer *layer = &decoder->layers[i];

		for (int j = 0; j < SRM_N_WEIGHTS; j++)
			if (srm_weight_is_matrix(j) && srm_weight_matrix(layer, j)->rows > 0)
				pack_matrix(srm_weight_matrix(layer, j), compute, arena);
		for (size_t j = 0; j < layer->n_experts; j++)
		{
			pack_matrix(&layer->experts[j].gate, compute, arena);
			pack_matrix(&layer->experts[j].up, compute, arena);
			pack_matrix(&layer->experts[j].down, compute, arena);
		}
	}
}

#endif							/* SRM_RANDOM_DECODER_H */
