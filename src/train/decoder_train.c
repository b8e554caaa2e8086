/*-------------------------------------------------------------------------
 *
 * decoder_train.c
 *	  The decoder in training: its memory, and its forward pass.
 *
 * A layer is three runs of tasks: rows up to queries, keys and values; trees and
 * heads; rows from there to the next layer's input.  A task takes its rows
 * through all steps of a run.  In the last layer only wanted rows matter behind the
 * keys and values.
 *
 *-------------------------------------------------------------------------
 */
#include "train/decoder_train.h"

#include <math.h>
#include <string.h>

#include "nn/activation.h"
#include "train/decoder_states.h"
#include "nn/norm.h"
#include "nn/rope.h"

#define PACKED_COLUMNS	(4 * SRM_PANEL)	/* of a task */

static size_t
largest(size_t a, size_t b)
{
	return a > b ? a : b;
}

size_t
srm_chunk_scratch(const SrmDecoder *decoder)
{
	return SRM_CHUNK * (3 * decoder->dim + decoder->ffn_dim + srm_q_dim(decoder)) + decoder->head_dim;
}

size_t
srm_active_before(const SrmDecoderTrain *train, size_t row)
{
	size_t		low = 0;
	size_t		high = train->n_active;

	if (train->active == NULL)
		return row;
	while (low < high)
	{
		size_t		middle = (low + high) / 2;

		if (train->active[middle] < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
srm_run_chunks(SrmDecoderTrain *train, size_t n_rows, SrmTask task)
{
	return srm_threads_run_or_stop(train->threads, srm_n_chunks(n_rows), task, train,
								   train->stop, train->status);
}

/* A list of buffers, measured or allocated. */
typedef struct Buffers
{
	SrmArena   *arena;			/* NULL: only measured */
	SrmStatus  *status;
	size_t		bytes;
	bool		failed;
} Buffers;

static void
add_buffer(Buffers *buffers, float **buffer, size_t n, size_t width)
{
	size_t		bytes = n * width * sizeof(float);

	if (width > 0 && n > SIZE_MAX / sizeof(float) / width)
		bytes = SIZE_MAX / 2;
	buffers->bytes = buffers->bytes + bytes < buffers->bytes ? SIZE_MAX / 2 : buffers->bytes + bytes;
	if (buffers->arena == NULL || buffers->failed)
		return;
	*buffer = srm_arena_alloc(buffers->arena, bytes, buffers->status);
	buffers->failed = *buffer == NULL;
}

static void
add_states(Buffers *buffers, SrmLayerStates *states, const SrmDecoder *decoder, size_t rows)
{
	const SrmLayer *layer = &decoder->layers[0];
	size_t		q_dim = srm_q_dim(decoder);
	size_t		kv_dim = srm_kv_dim(decoder);

	if (layer->query_norm != NULL)
		add_buffer(buffers, &states->raw_queries, rows, q_dim);
	if (layer->key_norm != NULL)
		add_buffer(buffers, &states->raw_keys, rows, kv_dim);
	add_buffer(buffers, &states->queries, rows, q_dim);
	add_buffer(buffers, &states->keys, rows, kv_dim);
	add_buffer(buffers, &states->values, rows, kv_dim);
	add_buffer(buffers, &states->attended, rows, q_dim);
	add_buffer(buffers, &states->logs, rows, decoder->n_heads);
	if (layer->post_attention_norm != NULL)
		add_buffer(buffers, &states->attention_out, rows, decoder->dim);
	add_buffer(buffers, &states->middle, rows, decoder->dim);
	add_buffer(buffers, &states->gate, rows, decoder->ffn_dim);
	add_buffer(buffers, &states->up, rows, decoder->ffn_dim);
	if (layer->post_ffn_norm != NULL)
		add_buffer(buffers, &states->ffn_out, rows, decoder->dim);
}

static void
add_backward(Buffers *buffers, SrmDecoderTrain *train, const SrmDecoder *decoder, size_t rows)
{
	const SrmLayer *layer = &decoder->layers[0];
	size_t		dim = decoder->dim;

	add_buffer(buffers, &train->dout, rows, dim);
	add_buffer(buffers, &train->din, rows, dim);
	add_buffer(buffers, &train->dmiddle, rows, dim);
	if (layer->post_ffn_norm != NULL)
		add_buffer(buffers, &train->dffn_out, rows, dim);
	if (layer->post_attention_norm != NULL)
		add_buffer(buffers, &train->dattention_out, rows, dim);
	add_buffer(buffers, &train->normed, rows, dim);
	add_buffer(buffers, &train->normed_active, rows, dim);
	add_buffer(buffers, &train->ffn_normed, rows, dim);
	add_buffer(buffers, &train->act, rows, decoder->ffn_dim);
	add_buffer(buffers, &train->dattended, rows, srm_q_dim(decoder));
	add_buffer(buffers, &train->dqueries, rows, srm_q_dim(decoder));
	add_buffer(buffers, &train->dkeys, rows, srm_kv_dim(decoder));
	add_buffer(buffers, &train->dvalues, rows, srm_kv_dim(decoder));
	add_buffer(buffers, &train->partials, srm_n_chunks(rows), 4 * dim + 2 * decoder->head_dim);
}

/* inputs and states are arrays of n_layers + 1 and n_layers, of which all point somewhere afterwards. */
static void
add_all(Buffers *buffers, SrmDecoderTrain *train, const SrmDecoder *decoder, const SrmTrainSize *size,
		float **inputs, SrmLayerStates *states)
{
	size_t		n_kept = size->backward ? decoder->n_layers : 1;
	size_t		half = decoder->head_dim / 2;

	add_buffer(buffers, &train->cosines, size->n_positions, half);
	add_buffer(buffers, &train->sines, size->n_positions, half);
	for (size_t i = 0; i <= n_kept; i++)
		add_buffer(buffers, &inputs[i], size->n_rows, decoder->dim);
	for (size_t i = 0; i < (size->recompute ? 1 : n_kept); i++)
		add_states(buffers, &states[i], decoder, size->n_rows);
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		const SrmMatrix *matrix = srm_weight_matrix(&decoder->layers[0], i);

		if (!srm_weight_is_matrix(i))
			continue;
		add_buffer(buffers, &train->panels[i],
				   largest(srm_panel_floats(matrix->rows, matrix->cols),
						   srm_panel_floats(matrix->cols, matrix->rows)), 1);
	}
	if (size->backward)
		add_backward(buffers, train, decoder, size->n_rows);
}

/* Layers whose states are not kept share those of the first; inputs take turns. */
static void
share_buffers(const SrmDecoder *decoder, const SrmTrainSize *size, float **inputs, SrmLayerStates *states)
{
	for (size_t i = 0; !size->backward && i <= decoder->n_layers; i++)
		inputs[i] = inputs[i % 2];
	for (size_t i = 1; (!size->backward || size->recompute) && i < decoder->n_layers; i++)
		states[i] = states[0];
}

size_t
srm_decoder_train_bytes(const SrmDecoder *decoder, const SrmTrainSize *size, int n_threads)
{
	Buffers		buffers = {0};
	SrmDecoderTrain train;
	size_t		scratch = srm_chunk_scratch(decoder) * sizeof(float);

	/* Nothing is written through these where there is no arena */
	float	   *input;
	SrmLayerStates states;

	for (size_t i = 0; i <= (size->backward ? decoder->n_layers : 1); i++)
		add_buffer(&buffers, &input, size->n_rows, decoder->dim);
	for (size_t i = 0; i < (size->backward && !size->recompute ? decoder->n_layers : 1); i++)
		add_states(&buffers, &states, decoder, size->n_rows);
	add_buffer(&buffers, &input, size->n_positions, decoder->head_dim);
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		const SrmMatrix *matrix = srm_weight_matrix(&decoder->layers[0], i);

		if (!srm_weight_is_matrix(i))
			continue;
		add_buffer(&buffers, &input, largest(srm_panel_floats(matrix->rows, matrix->cols),
											 srm_panel_floats(matrix->cols, matrix->rows)), 1);
	}
	if (size->backward)
		add_backward(&buffers, &train, decoder, size->n_rows);
	scratch = largest(scratch, srm_tree_attention_scratch(size->n_tree_rows, decoder->head_dim, size->backward));
	return buffers.bytes + size->n_rows * sizeof(uint32_t) + scratch * (size_t) n_threads;
}

static void
fill_rope(SrmDecoderTrain *train, float *frequencies)
{
	const SrmDecoder *decoder = train->decoder;

	srm_rope_frequencies(frequencies, &decoder->rope, decoder->head_dim);
	srm_rope_table(train->cosines, train->sines, frequencies, &decoder->rope, decoder->head_dim,
				   0, train->size.n_positions);
}

static bool
allocate_train(SrmDecoderTrain *train, SrmStatus *status)
{
	const SrmDecoder *decoder = train->decoder;
	Buffers		buffers = {.arena = train->arena, .status = status};
	float	   *frequencies = srm_arena_array(train->arena, decoder->head_dim / 2, sizeof(float), status);

	train->positions = srm_arena_array(train->arena, train->size.n_rows, sizeof(uint32_t), status);
	train->inputs = srm_arena_array(train->arena, decoder->n_layers + 1, sizeof(float *), status);
	train->states = srm_arena_array(train->arena, decoder->n_layers, sizeof(SrmLayerStates), status);
	if (frequencies == NULL || train->positions == NULL || train->inputs == NULL || train->states == NULL)
		return false;
	add_all(&buffers, train, decoder, &train->size, train->inputs, train->states);
	if (buffers.failed)
		return false;
	share_buffers(decoder, &train->size, train->inputs, train->states);
	fill_rope(train, frequencies);
	return true;
}

SrmDecoderTrain *
srm_decoder_train_create(const SrmDecoder *decoder, const SrmDecoder *gradient,
						 const SrmTrainSize *size, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmDecoderTrain *train;

	if (arena == NULL)
		return NULL;
	train = srm_arena_array(arena, 1, sizeof(SrmDecoderTrain), status);
	if (train != NULL)
	{
		train->decoder = decoder;
		train->gradient = gradient;
		train->size = *size;
		train->arena = arena;
	}
	if (train != NULL && allocate_train(train, status))
		return train;
	srm_arena_free(arena);
	return NULL;
}

size_t
srm_decoder_train_used(const SrmDecoderTrain *train)
{
	return srm_arena_used(train->arena);
}

void
srm_decoder_train_free(SrmDecoderTrain *train)
{
	if (train != NULL)
		srm_arena_free(train->arena);
}

void
srm_enter_layer(SrmDecoderTrain *train, size_t layer)
{
	const SrmTrainBatch *batch = train->batch;
	bool		is_last = layer + 1 == train->decoder->n_layers;

	train->layer = layer;
	train->active = is_last ? batch->wanted : NULL;
	train->n_active = is_last ? batch->n_wanted : batch->n_rows;
	for (size_t i = 0; i < batch->n_segments; i++)
	{
		SrmSegment *segment = &batch->segments[i];

		segment->first_query = srm_active_before(train, segment->first);
		segment->n_queries = srm_active_before(train, segment->first + segment->n) - segment->first_query;
	}
}

SrmTreeAttention
srm_layer_attention(const SrmDecoderTrain *train)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayerStates *states = &train->states[train->layer];
	float		scale = decoder->attention_scale;

	return (SrmTreeAttention) {
		.n_heads = decoder->n_heads,
		.n_kv_heads = decoder->n_kv_heads,
		.head_dim = decoder->head_dim,
		.scale = scale > 0 ? scale : 1.0f / sqrtf((float) decoder->head_dim),
		.softcap = decoder->attention_softcap,
		.window = decoder->layers[train->layer].window,
		.trees = train->batch->trees,
		.n_trees = train->batch->n_trees,
		.queries = states->queries,
		.keys = states->keys,
		.values = states->values,
		.index = train->active
	};
}

/* Which columns of which matrix a task packs. */
typedef struct PackTask
{
	SrmDecoderTrain *train;
	bool		backward;
	size_t		first_task[SRM_N_WEIGHTS + 1];
} PackTask;

static void
pack_columns(void *arg, size_t task, int thread)
{
	const PackTask *pack = arg;
	const SrmDecoderTrain *train = pack->train;
	const SrmMatrix *w;
	size_t		map = 0;
	size_t		first;
	size_t		n;
	size_t		k;

	(void) thread;
	while (task >= pack->first_task[map + 1])
		map++;
	w = srm_weight_matrix(&train->decoder->layers[train->layer], map);
	first = (task - pack->first_task[map]) * PACKED_COLUMNS;
	n = pack->backward ? w->cols : w->rows;
	k = pack->backward ? w->rows : w->cols;
	srm_kernels->pack_columns(train->panels[map] + first * k,
							(const float *) w->data + first * (pack->backward ? 1 : w->cols),
							pack->backward ? w->cols : 1, pack->backward ? 1 : w->cols,
							n - first < PACKED_COLUMNS ? n - first : PACKED_COLUMNS, k);
}

bool
srm_pack_layer(SrmDecoderTrain *train, bool backward)
{
	PackTask	pack = {.train = train, .backward = backward};

	for (int map = 0; map < SRM_N_WEIGHTS; map++)
	{
		const SrmMatrix *w = srm_weight_matrix(&train->decoder->layers[train->layer], map);
		size_t		n = !srm_weight_is_matrix(map) ? 0 : backward ? w->cols : w->rows;

		pack.first_task[map + 1] = pack.first_task[map] + (n + PACKED_COLUMNS - 1) / PACKED_COLUMNS;
	}
	return srm_threads_run_or_stop(train->threads, pack.first_task[SRM_N_WEIGHTS], pack_columns, &pack,
								   train->stop, train->status);
}

/* out (n, w.rows) = x (n, w.cols) * w^T + bias */
static void
map_rows(const SrmDecoderTrain *train, SrmWeightNumber map, const float *bias, float *out, const float *x, size_t n)
{
	const SrmMatrix *w = srm_weight_matrix(&train->decoder->layers[train->layer], map);

	srm_kernels->multiply_columns(out, w->rows, x, w->cols, 1, train->panels[map], n, w->rows, w->cols, false);
	for (size_t i = 0; bias != NULL && i < n; i++)
		srm_kernels->add(out + i * w->rows, bias, w->rows);
}

/* The embeddings of a chunk. */
static void
start_rows(void *arg, size_t task, int thread)
{
	const SrmDecoderTrain *train = arg;
	const SrmDecoder *decoder = train->decoder;
	size_t		first = task * SRM_CHUNK;
	size_t		dim = decoder->dim;

	(void) thread;
	for (size_t i = first; i < first + srm_chunk_rows(train->batch->n_rows, task); i++)
	{
		float	   *row = train->inputs[0] + i * dim;

		memcpy(row, (const float *) decoder->embedding.data + (size_t) train->batch->tokens[i] * dim,
			   dim * sizeof(float));
		if (decoder->embedding_scale != 0)
			for (size_t j = 0; j < dim; j++)
				row[j] *= decoder->embedding_scale;
	}
}

/* Heads (n, n_heads * head_dim) of rows, normed and turned; raw keeps them as they were. */
static void
turn_heads(const SrmDecoderTrain *train, float *heads, float *raw, const float *norm,
		   size_t n_heads, size_t row)
{
	const SrmDecoder *decoder = train->decoder;
	size_t		start = train->positions[row] * (decoder->head_dim / 2);

	if (norm != NULL)
	{
		memcpy(raw, heads, n_heads * decoder->head_dim * sizeof(float));
		srm_norm_forward(heads, heads, norm, decoder->norm_eps, n_heads, decoder->head_dim);
	}
	srm_rope_forward(heads, train->cosines + start, train->sines + start, n_heads, decoder->head_dim);
}

static void
project_keys(const SrmDecoderTrain *train, const float *normed, size_t first, size_t n)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	const SrmLayerStates *states = &train->states[train->layer];
	size_t		kv_dim = srm_kv_dim(decoder);

	map_rows(train, SRM_WEIGHT_KEY, layer->key_bias, states->keys + first * kv_dim, normed, n);
	map_rows(train, SRM_WEIGHT_VALUE, layer->value_bias, states->values + first * kv_dim, normed, n);
	for (size_t i = first; i < first + n; i++)
		turn_heads(train, states->keys + i * kv_dim,
				   states->raw_keys == NULL ? NULL : states->raw_keys + i * kv_dim,
				   layer->key_norm, decoder->n_kv_heads, i);
}

/* Queries of the active rows among first .. first + n - 1, whose normed states are given. */
static void
project_queries(const SrmDecoderTrain *train, float *gathered, const float *normed, size_t first, size_t n)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	const SrmLayerStates *states = &train->states[train->layer];
	size_t		q_dim = srm_q_dim(decoder);
	size_t		start = srm_active_before(train, first);
	size_t		end = srm_active_before(train, first + n);

	if (train->active != NULL)
	{
		for (size_t i = start; i < end; i++)
			memcpy(gathered + (i - start) * decoder->dim, normed + (train->active[i] - first) * decoder->dim,
				   decoder->dim * sizeof(float));
		normed = gathered;
	}
	if (start < end)
		map_rows(train, SRM_WEIGHT_QUERY, layer->query_bias, states->queries + start * q_dim, normed, end - start);
	for (size_t i = start; i < end; i++)
		turn_heads(train, states->queries + i * q_dim,
				   states->raw_queries == NULL ? NULL : states->raw_queries + i * q_dim,
				   layer->query_norm, decoder->n_heads, srm_active_row(train, i));
}

/* From the residual stream to queries, keys and values. */
static void
project_rows(void *arg, size_t task, int thread)
{
	const SrmDecoderTrain *train = arg;
	const SrmDecoder *decoder = train->decoder;
	float	   *normed = srm_threads_scratch(train->threads, thread);
	size_t		first = task * SRM_CHUNK;
	size_t		n = srm_chunk_rows(train->batch->n_rows, task);

	srm_norm_forward(normed, train->inputs[train->layer] + first * decoder->dim,
					 decoder->layers[train->layer].attention_norm, decoder->norm_eps, n, decoder->dim);
	project_keys(train, normed, first, n);
	project_queries(train, normed + SRM_CHUNK * decoder->dim, normed, first, n);
}

/* out (n, dim) = residual + change, where change is normed if there is a norm; it is kept in raw then */
static void
add_change(const SrmDecoderTrain *train, float *out, const float *residual, float *change,
		   float *raw, const float *norm, size_t n)
{
	size_t		dim = train->decoder->dim;

	if (norm != NULL)
	{
		memcpy(raw, change, n * dim * sizeof(float));
		srm_norm_forward(change, change, norm, train->decoder->norm_eps, n, dim);
	}
	for (size_t i = 0; i < n * dim; i++)
		out[i] = residual[i] + change[i];
}

/* From what attention gathered to the middle of the layer, for active rows. */
static void
finish_attention(const SrmDecoderTrain *train, float *change, float *gathered, size_t first, size_t n)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	const SrmLayerStates *states = &train->states[train->layer];
	size_t		dim = decoder->dim;
	const float *residual = train->inputs[train->layer] + first * dim;

	if (train->active != NULL)
	{
		for (size_t i = 0; i < n; i++)
			memcpy(gathered + i * dim, train->inputs[train->layer] + train->active[first + i] * dim,
				   dim * sizeof(float));
		residual = gathered;
	}
	map_rows(train, SRM_WEIGHT_OUTPUT, layer->output_bias, change, states->attended + first * srm_q_dim(decoder), n);
	add_change(train, states->middle + first * dim, residual, change,
			   states->attention_out == NULL ? NULL : states->attention_out + first * dim,
			   layer->post_attention_norm, n);
}

/* From what attention gathered to the next layer's input, for active rows. */
static void
finish_rows(void *arg, size_t task, int thread)
{
	const SrmDecoderTrain *train = arg;
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	const SrmLayerStates *states = &train->states[train->layer];
	size_t		dim = decoder->dim;
	size_t		ffn_dim = decoder->ffn_dim;
	size_t		first = task * SRM_CHUNK;
	size_t		n = srm_chunk_rows(train->n_active, task);
	float	   *change = srm_threads_scratch(train->threads, thread);
	float	   *normed = change + SRM_CHUNK * dim;
	float	   *act = normed + SRM_CHUNK * dim;

	finish_attention(train, change, normed, first, n);
	srm_norm_forward(normed, states->middle + first * dim, layer->ffn_norm, decoder->norm_eps, n, dim);
	map_rows(train, SRM_WEIGHT_GATE, layer->gate_bias, states->gate + first * ffn_dim, normed, n);
	map_rows(train, SRM_WEIGHT_UP, layer->up_bias, states->up + first * ffn_dim, normed, n);
	srm_gate_forward(act, states->gate + first * ffn_dim, states->up + first * ffn_dim, decoder->activation,
					 n * ffn_dim);
	map_rows(train, SRM_WEIGHT_DOWN, layer->down_bias, change, act, n);
	add_change(train, train->inputs[train->layer + 1] + first * dim, states->middle + first * dim, change,
			   states->ffn_out == NULL ? NULL : states->ffn_out + first * dim, layer->post_ffn_norm, n);
}

bool
srm_layer_forward(SrmDecoderTrain *train, size_t layer)
{
	const SrmLayerStates *states = &train->states[layer];
	SrmTreeAttention attention;

	srm_enter_layer(train, layer);
	attention = srm_layer_attention(train);
	return srm_pack_layer(train, false) &&
		srm_run_chunks(train, train->batch->n_rows, project_rows) &&
		srm_tree_attention_forward(states->attended, states->logs, &attention,
								   train->threads, train->stop, train->status) &&
		srm_run_chunks(train, train->n_active, finish_rows);
}

static bool
check_batch(const SrmDecoderTrain *train, const SrmTrainBatch *batch, SrmStatus *status)
{
	if (batch->n_rows > train->size.n_rows || batch->n_wanted > train->size.n_wanted)
		return srm_fail(status, SRM_INTERNAL, "batch is greater than announced");
	for (size_t i = 0; i < batch->n_rows; i++)
		if (batch->tokens[i] < 0 || (size_t) batch->tokens[i] >= train->decoder->vocab_size)
			return srm_fail(status, SRM_INVALID_MODEL, "token %d is not in the model's embedding",
							(int) batch->tokens[i]);
	return true;
}

static bool
start_batch(SrmDecoderTrain *train, const SrmTrainBatch *batch)
{
	for (size_t i = 0; i < batch->n_segments; i++)
	{
		const SrmSegment *segment = &batch->segments[i];

		if (segment->n_past + segment->n > train->size.n_positions)
			return srm_fail(train->status, SRM_INTERNAL, "conversation is longer than announced");
		for (size_t j = 0; j < segment->n; j++)
			train->positions[segment->first + j] = (uint32_t) (segment->n_past + j);
	}
	return srm_run_chunks(train, batch->n_rows, start_rows);
}

bool
srm_decoder_train_forward(SrmDecoderTrain *train, float *hidden, const SrmTrainBatch *batch,
						  bool keep, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	const SrmDecoder *decoder = train->decoder;

	train->batch = batch;
	train->threads = threads;
	train->stop = stop;
	train->status = status;
	if (keep && !train->size.backward)
		return srm_fail(status, SRM_INTERNAL, "decoder was made for no backward");
	if (!check_batch(train, batch, status) ||
		!srm_threads_reserve(threads, srm_chunk_scratch(decoder) * sizeof(float), status) ||
		!start_batch(train, batch))
		return false;
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (!srm_layer_forward(train, i))
			return false;
	srm_norm_forward(hidden, train->inputs[decoder->n_layers], decoder->final_norm, decoder->norm_eps,
					 batch->n_wanted, decoder->dim);
	return true;
}
