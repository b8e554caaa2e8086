/*-------------------------------------------------------------------------
 *
 * decoder_states.c
 *	  The memory of a decoder in training.
 *
 *-------------------------------------------------------------------------
 */
#include "train/decoder_states.h"

#include <math.h>
#include <string.h>

#include "kernel/pack.h"
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

/* Floats that a matrix takes, packed for one way or the other. */
static size_t
packed_floats(const SrmMatrix *w)
{
	size_t		bytes = srm_pack_bytes(SRM_PACKING_F32, w->rows, w->cols);

	return bytes == 0 ? SIZE_MAX / 8 : largest(bytes / sizeof(float), srm_panel_floats(w->cols, w->rows));
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

static void
add_adapters(Buffers *buffers, SrmDecoderTrain *train, const SrmLayer *layer, const SrmTrainSize *size)
{
	for (int i = 0; i < SRM_N_WEIGHTS && size->rank > 0; i++)
	{
		const SrmMatrix *w = srm_weight_matrix(layer, i);

		if (!srm_weight_is_matrix(i))
			continue;
		add_buffer(buffers, &train->packed_a[i], srm_panel_floats(size->rank, w->cols), 1);
		add_buffer(buffers, &train->packed_b[i], srm_panel_floats(size->rank, w->rows), 1);
		add_buffer(buffers, &train->reduced_x[i], size->n_rows, size->rank);
		add_buffer(buffers, &train->reduced_dout[i], size->n_rows, size->rank);
	}
}

/* inputs and states are arrays of n_layers + 1 and n_layers, or single ones where buffers are only measured. */
static void
add_all(Buffers *buffers, SrmDecoderTrain *train, const SrmDecoder *decoder, const SrmTrainSize *size,
		float **inputs, SrmLayerStates *states)
{
	size_t		n_kept = size->backward ? decoder->n_layers : 1;
	size_t		half = decoder->head_dim / 2;
	size_t		step = buffers->arena != NULL;

	for (int i = 0; i < SRM_N_ROPES; i++)
	{
		add_buffer(buffers, &train->cosines[i], srm_decoder_uses_rope(decoder, i) ? size->n_positions : 0, half);
		add_buffer(buffers, &train->sines[i], srm_decoder_uses_rope(decoder, i) ? size->n_positions : 0, half);
	}
	for (size_t i = 0; i <= n_kept; i++)
		add_buffer(buffers, &inputs[i * step], size->n_rows, decoder->dim);
	for (size_t i = 0; i < (size->recompute ? 1 : n_kept); i++)
		add_states(buffers, &states[i * step], decoder, size->n_rows);
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		const SrmMatrix *matrix = srm_weight_matrix(&decoder->layers[0], i);

		if (!srm_weight_is_matrix(i))
			continue;
		add_buffer(buffers, &train->tape.packed[i], packed_floats(matrix), 1);
	}
	if (size->backward)
		add_backward(buffers, train, decoder, size->n_rows);
	if (size->backward)
		add_adapters(buffers, train, &decoder->layers[0], size);
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
	float	   *input;
	SrmLayerStates states;
	size_t		scratch = srm_chunk_scratch(decoder) * sizeof(float);

	/* Nothing is written through these */
	add_all(&buffers, &train, decoder, size, &input, &states);
	if (size->backward)
		scratch = largest(scratch, srm_tree_attention_scratch(size->n_tree_rows, decoder->head_dim));
	return buffers.bytes + size->n_rows * sizeof(uint32_t) + scratch * (size_t) n_threads;
}

static void
fill_rope(SrmDecoderTrain *train, float *frequencies)
{
	const SrmDecoder *decoder = train->decoder;

	for (int i = 0; i < SRM_N_ROPES; i++)
	{
		if (!srm_decoder_uses_rope(decoder, i))
			continue;
		srm_rope_frequencies(frequencies, &decoder->ropes[i], decoder->head_dim, 0);
		srm_rope_table(train->cosines[i], train->sines[i], frequencies, &decoder->ropes[i], decoder->head_dim,
					   0, train->size.n_positions);
	}
}

static bool
allocate_train(SrmDecoderTrain *train, SrmStatus *status)
{
	const SrmDecoder *decoder = train->decoder;
	Buffers		buffers = {.arena = train->arena, .status = status};
	float	   *frequencies = srm_arena_array(train->arena, decoder->head_dim / 2, sizeof(float), status);

	train->positions = srm_arena_array(train->arena, train->size.n_rows, sizeof(uint32_t), status);
	train->tape.inputs = srm_arena_array(train->arena, decoder->n_layers + 1, sizeof(float *), status);
	train->tape.states = srm_arena_array(train->arena, decoder->n_layers, sizeof(SrmLayerStates), status);
	if (frequencies == NULL || train->positions == NULL || train->tape.inputs == NULL || train->tape.states == NULL)
		return false;
	add_all(&buffers, train, decoder, &train->size, train->tape.inputs, train->tape.states);
	if (buffers.failed)
		return false;
	share_buffers(decoder, &train->size, train->tape.inputs, train->tape.states);
	fill_rope(train, frequencies);
	return true;
}

SrmDecoderTrain *
srm_decoder_train_create(const SrmDecoder *decoder, const SrmDecoder *gradient, const SrmTrainAdapter *adapters,
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
		train->adapters = adapters;
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
		SrmBranch *segment = &batch->segments[i];

		segment->first_query = srm_active_before(train, segment->first);
		segment->n_queries = srm_active_before(train, segment->first + segment->n) - segment->first_query;
	}
}

SrmTreeAttention
srm_layer_attention(const SrmDecoderTrain *train)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayerStates *states = &train->tape.states[train->layer];
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

/* Whether the gradient of what a map reads is wanted. */
static bool
wants_input(const SrmDecoderTrain *train, SrmWeightNumber map)
{
	if (map == SRM_WEIGHT_QUERY || map == SRM_WEIGHT_KEY || map == SRM_WEIGHT_VALUE)
		return train->wants.normed;
	return map == SRM_WEIGHT_OUTPUT ? train->wants.heads : true;
}

/* Which columns of which matrix a task packs. */
typedef struct PackTask
{
	SrmDecoderTrain *train;
	size_t		first_task[SRM_N_WEIGHTS + 1];
} PackTask;

static void
pack_columns(void *arg, size_t task, int thread)
{
	const PackTask *pack = arg;
	const SrmDecoderTrain *train = pack->train;
	const SrmMatrix *w;
	size_t		number = 0;
	size_t		first;

	(void) thread;
	while (task >= pack->first_task[number + 1])
		number++;
	w = srm_weight_matrix(&train->decoder->layers[train->layer], number);
	first = (task - pack->first_task[number]) * PACKED_COLUMNS;
	srm_kernels->pack_columns(train->tape.packed[number] + first * w->rows, (const float *) w->data + first,
							  w->cols, 1, w->cols - first < PACKED_COLUMNS ? w->cols - first : PACKED_COLUMNS,
							  w->rows);
}

bool
srm_pack_layer_backward(SrmDecoderTrain *train)
{
	PackTask	pack = {.train = train};

	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		size_t		n = srm_weight_is_matrix(i) && wants_input(train, i) ?
			srm_weight_matrix(&train->decoder->layers[train->layer], i)->cols : 0;

		pack.first_task[i + 1] = pack.first_task[i] + (n + PACKED_COLUMNS - 1) / PACKED_COLUMNS;
	}
	return srm_threads_run_or_stop(train->threads, pack.first_task[SRM_N_WEIGHTS], pack_columns, &pack,
								   train->stop, train->status);
}
