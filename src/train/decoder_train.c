/*-------------------------------------------------------------------------
 *
 * decoder_train.c
 *	  The decoder forth and back, over a batch of trees.
 *
 * A layer goes back in the steps of its forward pass, in reverse; then the
 * gradients of its weights are summed over the rows, a tile of a matrix a
 * task.  What tasks add up for the norms stands in partial sums, one a chunk, which
 * are added in order.
 *
 *-------------------------------------------------------------------------
 */
#include "train/decoder_train.h"

#include <string.h>

#include "base/sizes.h"
#include "base/words.h"
#include "nn/decoder.h"
#include "nn/norm.h"
#include "nn/rope.h"
#include "train/decoder_adapters.h"

/* A tile of a weight's gradient, and the rows that are added to it at a time. */
#define TILE_ROWS	192
#define TILE_STRIDE	(TILE_ROWS + 16)	/* an odd number of cache lines */
#define TILE_COLS	256
#define TILE_DEPTH	128

#define EMBEDDING_COLS	64

const char *
srm_decoder_train_obstacle(const SrmDecoder *decoder)
{
	if (decoder->is_parallel)
		return "Its feed-forward networks are beside attention, not behind it.";
	if (decoder->norm_kind != SRM_NORM_RMS)
		return "Its norms are layer norms.";
	if (decoder->activation == SRM_ACTIVATION_GELU)
		return "Its activation is \"gelu\".";
	if (decoder->positions != NULL)
		return "Its positions are learned.";
	if (decoder->relative.span > 0)
		return "Its positions are relative to each other.";
	if (decoder->residual_scale != 0)
		return "What its steps add to the residual stream is scaled.";
	for (size_t i = 0; i < decoder->n_layers; i++)
	{
		const SrmLayer *layer = &decoder->layers[i];

		if (layer->attention_norm == NULL || layer->ffn_norm == NULL)
			return "Its layers have no norms before their steps.";
		if (layer->query_norm != NULL && decoder->head_norm != SRM_HEAD_NORM_SHARED)
			return "Heads have norms of their own, or one together.";
		if (layer->gate.rows == 0)
			return "Its feed-forward networks have no gate.";
	}
	return NULL;
}

/* The branches of a batch as sequences, and what is wanted of each. */
static SrmSequence *
list_sequences(const SrmTrainBatch *batch, float *hidden, size_t dim, SrmArena *arena, SrmStatus *status)
{
	SrmSequence *sequences = srm_arena_array(arena, batch->n_segments, sizeof(SrmSequence), status);
	uint32_t   *wanted = srm_arena_array(arena, batch->n_wanted, sizeof(uint32_t), status);
	const SrmTree *tree = batch->trees;
	size_t		at = 0;

	if (sequences == NULL || wanted == NULL)
		return NULL;
	for (size_t i = 0; i < batch->n_segments; i++)
	{
		const SrmBranch *branch = &batch->segments[i];
		SrmSequence *sequence = &sequences[i];

		while (branch >= tree->segments + tree->n_segments)
			tree++;
		*sequence = (SrmSequence) {.tokens = batch->tokens + branch->first,.n_tokens = branch->n,
			.wanted = wanted + at,.hidden = hidden == NULL ? NULL : hidden + at * dim,
			.past = branch->n_past == 0 ? NULL : &sequences[tree->segments - batch->segments]
		};
		for (; at < batch->n_wanted && batch->wanted[at] < branch->first + branch->n; at++)
			wanted[at] = batch->wanted[at] - (uint32_t) branch->first;
		sequence->n_wanted = (size_t) (wanted + at - sequence->wanted);
	}
	return sequences;
}

/* Some layers forward, from the first one's input on. */
static bool
run_layers(SrmDecoderTrain *train, float *hidden, size_t first_layer, size_t n_layers)
{
	const SrmTrainBatch *batch = train->batch;
	SrmArena   *arena = srm_arena_create(train->status);
	SrmSequence *sequences = arena == NULL ? NULL :
		list_sequences(batch, hidden, train->decoder->dim, arena, train->status);
	bool		done = sequences != NULL &&
		srm_decoder_forward_tape(train->decoder, &train->tape, first_layer, n_layers, sequences,
								 batch->n_segments, train->threads, train->stop, train->status);

	srm_arena_free(arena);
	return done;
}

/* Checks sizes, and numbers the rows of each conversation. */
static bool
start_batch(SrmDecoderTrain *train, const SrmTrainBatch *batch)
{
	if (batch->n_rows > train->size.n_rows || batch->n_wanted > train->size.n_wanted)
		return srm_fail(train->status, SRM_INTERNAL, "batch is greater than announced");
	for (size_t i = 0; i < batch->n_segments; i++)
	{
		const SrmBranch *branch = &batch->segments[i];

		if (branch->n_past + branch->n > train->size.n_positions)
			return srm_fail(train->status, SRM_INTERNAL, "conversation is longer than announced");
		for (size_t j = 0; j < branch->n; j++)
			train->positions[branch->first + j] = (uint32_t) (branch->n_past + j);
	}
	return true;
}

bool
srm_decoder_train_forward(SrmDecoderTrain *train, float *hidden, const SrmTrainBatch *batch,
						  bool keep, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	train->batch = batch;
	train->threads = threads;
	train->stop = stop;
	train->status = status;
	if (keep && !train->size.backward)
		return srm_fail(status, SRM_INTERNAL, "decoder was made for no backward");
	return start_batch(train, batch) && run_layers(train, hidden, 0, train->decoder->n_layers);
}

/* Places of the norms in a chunk's partial sums, in units of dim; those of heads come last. */
typedef enum Partial
{
	PARTIAL_FFN,
	PARTIAL_POST_FFN,
	PARTIAL_POST_ATTENTION,
	PARTIAL_ATTENTION,
	PARTIAL_QUERY,
	PARTIAL_KEY,
	N_PARTIALS
} Partial;

static float *
partial_of(const SrmDecoderTrain *train, size_t chunk, Partial partial)
{
	const SrmDecoder *decoder = train->decoder;
	float	   *sums = train->partials + chunk * (4 * decoder->dim + 2 * decoder->head_dim);

	if (partial <= PARTIAL_ATTENTION)
		return sums + partial * decoder->dim;
	return sums + 4 * decoder->dim + (partial - PARTIAL_QUERY) * decoder->head_dim;
}

/* dx (n, dim) = gradient of a norm of rows, added where add is set */
static void
norm_rows_backward(float *dx, float *dweight, const float *dout, const float *x, const float *weight,
				   float eps, size_t n, size_t dim, bool add)
{
	for (size_t i = 0; i < n; i++)
		srm_kernels->norm_backward(dx + i * dim, dweight, dout + i * dim, x + i * dim,
										 weight, eps, dim, add);
}

/* dx (n, w.cols) = dout (n, w.rows) * w */
static void
map_rows_backward(const SrmDecoderTrain *train, SrmWeightNumber map, float *dx, const float *dout, size_t n, bool add)
{
	const SrmMatrix *w = srm_weight_matrix(&train->decoder->layers[train->layer], map);

	srm_kernels->multiply_columns(dx, w->cols, dout, w->rows, 1, train->tape.packed[map], n, w->cols, w->rows, add);
}

/* The feed-forward network of active rows first .. first + n - 1: dmiddle from dout. */
static void
ffn_backward(const SrmDecoderTrain *train, float *dact, float *dnormed, size_t chunk, size_t first, size_t n)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	const SrmLayerStates *states = &train->tape.states[train->layer];
	size_t		dim = decoder->dim;
	size_t		start = first * decoder->ffn_dim;
	const float *dchange = train->dout + first * dim;

	if (layer->post_ffn_norm != NULL)
	{
		norm_rows_backward(train->dffn_out + first * dim, partial_of(train, chunk, PARTIAL_POST_FFN), dchange,
						   states->ffn_out + first * dim, layer->post_ffn_norm, decoder->norm_eps, n, dim, false);
		dchange = train->dffn_out + first * dim;
	}
	map_rows_backward(train, SRM_WEIGHT_DOWN, dact, dchange, n, false);
	(decoder->activation == SRM_ACTIVATION_SILU ? srm_kernels->silu_backward :
	 srm_kernels->gelu_tanh_backward) (train->act + start, states->gate + start, states->up + start,
											 dact, n * decoder->ffn_dim);
	srm_norm_forward(train->ffn_normed + first * dim, states->middle + first * dim, layer->ffn_norm,
					 decoder->norm_eps, n, dim);
	if (!train->wants.middle && train->gradient->layers[train->layer].ffn_norm == NULL)
		return;
	map_rows_backward(train, SRM_WEIGHT_GATE, dnormed, states->gate + start, n, false);
	map_rows_backward(train, SRM_WEIGHT_UP, dnormed, states->up + start, n, true);

	memcpy(train->dmiddle + first * dim, train->dout + first * dim, n * dim * sizeof(float));
	norm_rows_backward(train->dmiddle + first * dim, partial_of(train, chunk, PARTIAL_FFN), dnormed,
					   states->middle + first * dim, layer->ffn_norm, decoder->norm_eps, n, dim, true);
}

/* From dout to dattended, for active rows; as far as it is wanted. */
static void
finish_rows_backward(void *arg, size_t task, int thread)
{
	const SrmDecoderTrain *train = arg;
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	size_t		dim = decoder->dim;
	size_t		first = task * SRM_CHUNK;
	size_t		n = srm_chunk_rows(train->n_active, task);
	float	   *dact = srm_threads_scratch(train->threads, thread);
	const float *dchange = train->dmiddle + first * dim;

	memset(partial_of(train, task, PARTIAL_FFN), 0, 3 * dim * sizeof(float));
	ffn_backward(train, dact, dact + SRM_CHUNK * decoder->ffn_dim, task, first, n);
	if (!train->wants.middle)
		return;
	if (layer->post_attention_norm != NULL)
	{
		norm_rows_backward(train->dattention_out + first * dim, partial_of(train, task, PARTIAL_POST_ATTENTION),
						   dchange, train->tape.states[train->layer].attention_out + first * dim,
						   layer->post_attention_norm, decoder->norm_eps, n, dim, false);
		dchange = train->dattention_out + first * dim;
	}
	if (train->wants.heads)
		map_rows_backward(train, SRM_WEIGHT_OUTPUT, train->dattended + first * srm_q_dim(decoder), dchange, n, false);
}

/* Gradients of heads (n_heads * head_dim) of a row, from behind the rope to before the norm. */
static void
turn_heads_backward(const SrmDecoderTrain *train, float *dheads, float *dnorm, float *copy, const float *raw,
					const float *norm, size_t n_heads, size_t row)
{
	const SrmDecoder *decoder = train->decoder;
	size_t		head_dim = decoder->head_dim;
	size_t		start = train->positions[row] * (head_dim / 2);
	SrmRopeNumber rope = decoder->layers[train->layer].rope;

	if (rope != SRM_ROPE_NONE)
		srm_rope_backward(dheads, train->cosines[rope] + start, train->sines[rope] + start, &decoder->ropes[rope], n_heads, head_dim);
	for (size_t i = 0; norm != NULL && i < n_heads; i++)
	{
		memcpy(copy, dheads + i * head_dim, head_dim * sizeof(float));
		srm_kernels->norm_backward(dheads + i * head_dim, dnorm, copy, raw + i * head_dim, norm,
										 decoder->norm_eps, head_dim, false);
	}
}

/* Gradients of the queries of the active ones, numbers start .. end - 1, before the rope and their norm. */
static void
turn_queries_backward(const SrmDecoderTrain *train, float *copy, size_t chunk, size_t start, size_t end)
{
	const SrmDecoder *decoder = train->decoder;
	const SrmLayerStates *states = &train->tape.states[train->layer];
	size_t		q_dim = srm_q_dim(decoder);

	for (size_t i = start; i < end; i++)
		turn_heads_backward(train, train->dqueries + i * q_dim, partial_of(train, chunk, PARTIAL_QUERY), copy,
							states->raw_queries == NULL ? NULL : states->raw_queries + i * q_dim,
							decoder->layers[train->layer].query_norm, decoder->n_heads, srm_active_row(train, i));
}

/* dnormed (n, dim) += what the queries of the active ones among rows first .. first + n - 1 give. */
static void
queries_backward(const SrmDecoderTrain *train, float *dnormed, float *gathered, size_t first, size_t n)
{
	const SrmDecoder *decoder = train->decoder;
	size_t		dim = decoder->dim;
	size_t		q_dim = srm_q_dim(decoder);
	size_t		start = srm_active_before(train, first);
	size_t		end = srm_active_before(train, first + n);

	if (start == end)
		return;
	if (train->active == NULL)
	{
		map_rows_backward(train, SRM_WEIGHT_QUERY, dnormed, train->dqueries + start * q_dim, n, true);
		return;
	}
	map_rows_backward(train, SRM_WEIGHT_QUERY, gathered, train->dqueries + start * q_dim, end - start, false);
	for (size_t i = start; i < end; i++)
		srm_kernels->add(dnormed + (train->active[i] - first) * dim, gathered + (i - start) * dim, dim);
}

/* The inputs of the queries, where not all rows have one. */
static void
gather_active(const SrmDecoderTrain *train, size_t first, size_t n)
{
	size_t		dim = train->decoder->dim;
	size_t		end = srm_active_before(train, first + n);

	for (size_t i = srm_active_before(train, first); train->active != NULL && i < end; i++)
		memcpy(train->normed_active + i * dim, train->normed + train->active[i] * dim, dim * sizeof(float));
}

/* The residual stream of rows: what went around attention. */
static void
residual_backward(const SrmDecoderTrain *train, size_t first, size_t n)
{
	size_t		dim = train->decoder->dim;
	size_t		start = srm_active_before(train, first);
	size_t		end = srm_active_before(train, first + n);

	if (train->active != NULL)
		memset(train->din + first * dim, 0, n * dim * sizeof(float));
	for (size_t i = start; i < end; i++)
		memcpy(train->din + srm_active_row(train, i) * dim, train->dmiddle + i * dim, dim * sizeof(float));
}

/* From dqueries, dkeys and dvalues to din, as far as it is wanted. */
static void
project_rows_backward(void *arg, size_t task, int thread)
{
	const SrmDecoderTrain *train = arg;
	const SrmDecoder *decoder = train->decoder;
	const SrmLayer *layer = &decoder->layers[train->layer];
	const SrmLayerStates *states = &train->tape.states[train->layer];
	size_t		dim = decoder->dim;
	size_t		kv_dim = srm_kv_dim(decoder);
	size_t		first = task * SRM_CHUNK;
	size_t		n = srm_chunk_rows(train->batch->n_rows, task);
	const float *x = train->tape.inputs[train->layer] + first * dim;
	float	   *dnormed = srm_threads_scratch(train->threads, thread);
	float	   *gathered = dnormed + SRM_CHUNK * dim;
	float	   *copy = gathered + SRM_CHUNK * dim;

	memset(partial_of(train, task, PARTIAL_ATTENTION), 0, (dim + 2 * decoder->head_dim) * sizeof(float));
	srm_norm_forward(train->normed + first * dim, x, layer->attention_norm, decoder->norm_eps, n, dim);
	for (size_t i = first; i < first + n; i++)
		turn_heads_backward(train, train->dkeys + i * kv_dim, partial_of(train, task, PARTIAL_KEY), copy,
							states->raw_keys == NULL ? NULL : states->raw_keys + i * kv_dim,
							layer->key_norm, decoder->n_kv_heads, i);
	turn_queries_backward(train, copy, task, srm_active_before(train, first), srm_active_before(train, first + n));
	gather_active(train, first, n);
	if (!train->wants.normed)
		return;
	map_rows_backward(train, SRM_WEIGHT_KEY, dnormed, train->dkeys + first * kv_dim, n, false);
	map_rows_backward(train, SRM_WEIGHT_VALUE, dnormed, train->dvalues + first * kv_dim, n, true);
	queries_backward(train, dnormed, gathered, first, n);
	residual_backward(train, first, n);
	norm_rows_backward(train->din + first * dim, partial_of(train, task, PARTIAL_ATTENTION), dnormed, x,
					   layer->attention_norm, decoder->norm_eps, n, dim, true);
}

/* One map's part in the sums over rows. */
typedef struct MapSum
{
	float	   *dw;				/* (rows, cols); NULL: not wanted */
	float	   *dbias;			/* (rows) or NULL */
	const float *dout;			/* (n, rows) */
	const float *x;				/* (n, cols) */
	size_t		rows;
	size_t		cols;
	size_t		n;
} MapSum;

/* The sums of a layer: of its matrices, and of the two factors of each adapter. */
#define N_SUMS	(3 * SRM_N_WEIGHTS)

typedef struct SumTask
{
	const SrmDecoderTrain *train;
	MapSum		maps[N_SUMS];
	size_t		first_task[N_SUMS + 1];
} SumTask;

/* dw += dout^T x for one tile of dw, TILE_DEPTH rows of dout and x at a time. */
static void
sum_tile(const MapSum *map, size_t row, size_t col, float *scratch)
{
	size_t		n_rows = srm_smaller(map->rows - row, TILE_ROWS);
	size_t		n_cols = srm_smaller(map->cols - col, TILE_COLS);
	float	   *panels = scratch + TILE_DEPTH * TILE_STRIDE;

	for (size_t first = 0; first < map->n; first += TILE_DEPTH)
	{
		size_t		depth = srm_smaller(map->n - first, TILE_DEPTH);

		/* A block of its own: rows that lie a power of two apart share few places of a cache */
		for (size_t i = 0; i < depth; i++)
			srm_copy_words(scratch + i * TILE_STRIDE, map->dout + (first + i) * map->rows + row, n_rows);
		srm_kernels->pack_columns(panels, map->x + first * map->cols + col, map->cols, 1, n_cols, depth);
		srm_kernels->multiply_columns(map->dw + row * map->cols + col, map->cols, scratch, 1, TILE_STRIDE,
									panels, n_rows, n_cols, depth, true);
	}
}

/* dbias += the rows of dout, for one tile of it */
static void
sum_bias(const MapSum *map, size_t row)
{
	size_t		n_rows = srm_smaller(map->rows - row, TILE_ROWS);

	for (size_t i = 0; i < map->n; i++)
		srm_kernels->add(map->dbias + row, map->dout + i * map->rows + row, n_rows);
}

static void
sum_map(void *arg, size_t task, int thread)
{
	const SumTask *sum = arg;
	const MapSum *map = sum->maps;
	size_t		number = 0;
	size_t		row;
	size_t		col;

	while (task >= sum->first_task[number + 1])
		number++;
	map += number;
	task -= sum->first_task[number];
	row = task / srm_divide_up(map->cols, TILE_COLS) * TILE_ROWS;
	col = task % srm_divide_up(map->cols, TILE_COLS) * TILE_COLS;
	if (map->dw != NULL)
		sum_tile(map, row, col, srm_threads_scratch(sum->train->threads, thread));
	if (map->dbias != NULL && col == 0)
		sum_bias(map, row);
}

static MapSum
map_sum(const SrmDecoderTrain *train, SrmWeightNumber map, const float *dbias, const float *dout, const float *x, size_t n)
{
	const SrmLayer *gradient = &train->gradient->layers[train->layer];
	const SrmMatrix *w = srm_weight_matrix(&train->decoder->layers[train->layer], map);

	return (MapSum) {
		.dw = (float *) srm_weight_matrix(gradient, map)->data,
		.dbias = (float *) dbias,
		.dout = dout, .x = x, .rows = w->rows, .cols = w->cols, .n = n
	};
}

/* The maps of the layer at work, with what each reads and gives. */
static void
list_maps(const SrmDecoderTrain *train, MapSum *maps)
{
	const SrmLayer *gradient = &train->gradient->layers[train->layer];
	const SrmLayerStates *states = &train->tape.states[train->layer];
	size_t		n = train->n_active;
	size_t		n_rows = train->batch->n_rows;

	maps[SRM_WEIGHT_QUERY] = map_sum(train, SRM_WEIGHT_QUERY, gradient->query_bias, train->dqueries,
								  train->active == NULL ? train->normed : train->normed_active, n);
	maps[SRM_WEIGHT_KEY] = map_sum(train, SRM_WEIGHT_KEY, gradient->key_bias, train->dkeys, train->normed, n_rows);
	maps[SRM_WEIGHT_VALUE] = map_sum(train, SRM_WEIGHT_VALUE, gradient->value_bias, train->dvalues, train->normed, n_rows);
	maps[SRM_WEIGHT_OUTPUT] = map_sum(train, SRM_WEIGHT_OUTPUT, gradient->output_bias,
								   train->dattention_out == NULL ? train->dmiddle : train->dattention_out,
								   states->attended, n);
	maps[SRM_WEIGHT_GATE] = map_sum(train, SRM_WEIGHT_GATE, gradient->gate_bias, states->gate, train->ffn_normed, n);
	maps[SRM_WEIGHT_UP] = map_sum(train, SRM_WEIGHT_UP, gradient->up_bias, states->up, train->ffn_normed, n);
	maps[SRM_WEIGHT_DOWN] = map_sum(train, SRM_WEIGHT_DOWN, gradient->down_bias,
								 train->dffn_out == NULL ? train->dout : train->dffn_out, train->act, n);
}

/* The sums of the factors of the layer's adapters, behind those of the maps. */
static bool
list_adapters(SrmDecoderTrain *train, MapSum *maps)
{
	SrmMapRows	rows[SRM_N_WEIGHTS];

	for (int i = 0; i < SRM_N_WEIGHTS; i++)
		rows[i] = (SrmMapRows) {.x = maps[i].x,.dout = maps[i].dout,.n = maps[i].n};
	if (!srm_adapters_reduce(train, rows))
		return false;
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
	{
		const SrmTrainAdapter *adapter = srm_adapter_of(train, i);

		if (adapter == NULL)
			continue;
		maps[SRM_N_WEIGHTS + i] = (MapSum) {.dw = adapter->da,.dout = train->reduced_dout[i],.x = maps[i].x,
			.rows = adapter->rank,.cols = maps[i].cols,.n = maps[i].n
		};
		maps[2 * SRM_N_WEIGHTS + i] = (MapSum) {.dw = adapter->db,.dout = maps[i].dout,.x = train->reduced_x[i],
			.rows = maps[i].rows,.cols = adapter->rank,.n = maps[i].n
		};
	}
	return true;
}

/* Gradients of the layer's matrices, adapters and biases. */
static bool
sum_maps(SrmDecoderTrain *train)
{
	SumTask		sum = {.train = train};
	MapSum	   *maps = sum.maps;

	list_maps(train, maps);
	if (!list_adapters(train, maps))
		return false;
	for (int i = 0; i < N_SUMS; i++)
	{
		size_t		tiles = srm_divide_up(maps[i].rows, TILE_ROWS) * srm_divide_up(maps[i].cols, TILE_COLS);

		sum.first_task[i + 1] = sum.first_task[i] +
			(maps[i].dw == NULL && maps[i].dbias == NULL ? 0 : tiles);
	}
	return srm_threads_run_or_stop(train->threads, sum.first_task[N_SUMS], sum_map, &sum,
								   train->stop, train->status);
}

static void
sum_partials(const SrmDecoderTrain *train, const float *dweight, Partial partial, size_t n_chunks)
{
	size_t		n = partial <= PARTIAL_ATTENTION ? train->decoder->dim : train->decoder->head_dim;

	for (size_t i = 0; dweight != NULL && i < n_chunks; i++)
		srm_kernels->add((float *) dweight, partial_of(train, i, partial), n);
}

/* Gradients of the layer's norms. */
static void
sum_norms(const SrmDecoderTrain *train)
{
	const SrmLayer *gradient = &train->gradient->layers[train->layer];
	size_t		n_active = srm_n_chunks(train->n_active);
	size_t		n_rows = srm_n_chunks(train->batch->n_rows);

	sum_partials(train, gradient->ffn_norm, PARTIAL_FFN, n_active);
	sum_partials(train, gradient->post_ffn_norm, PARTIAL_POST_FFN, n_active);
	sum_partials(train, gradient->post_attention_norm, PARTIAL_POST_ATTENTION, n_active);
	sum_partials(train, gradient->attention_norm, PARTIAL_ATTENTION, n_rows);
	sum_partials(train, gradient->query_norm, PARTIAL_QUERY, n_rows);
	sum_partials(train, gradient->key_norm, PARTIAL_KEY, n_rows);
}

static void
swap_gradients(SrmDecoderTrain *train)
{
	float	   *dout = train->dout;

	train->dout = train->din;
	train->din = dout;
}

/* The way back through a layer, as far as anything trained asks for it. */
static bool
layer_backward(SrmDecoderTrain *train, size_t layer)
{
	const SrmLayerStates *states = &train->tape.states[layer];
	SrmTreeAttention attention;

	train->layer = layer;
	if (!srm_find_wants(train))
		return true;
	/* What the next layer's backward left there is of another layer */
	if (train->size.recompute && !run_layers(train, NULL, layer, 1))
		return false;
	srm_enter_layer(train, layer);
	attention = srm_layer_attention(train);
	if (!srm_pack_layer_backward(train) ||
		!srm_run_chunks(train, train->n_active, finish_rows_backward))
		return false;
	if (train->wants.heads &&
		(!srm_tree_attention_backward(train->dqueries, train->dkeys, train->dvalues, train->dattended,
									  states->attended, states->logs, &attention,
									  train->threads, train->stop, train->status) ||
		 !srm_run_chunks(train, train->batch->n_rows, project_rows_backward)))
		return false;
	if (!sum_maps(train))
		return false;
	sum_norms(train);
	swap_gradients(train);
	return true;
}

/* Some columns of the embedding's gradient: rows in their order. */
static void
sum_embedding(void *arg, size_t task, int thread)
{
	const SrmDecoderTrain *train = arg;
	size_t		dim = train->decoder->dim;
	size_t		first = task * EMBEDDING_COLS;
	size_t		n = srm_smaller(dim - first, EMBEDDING_COLS);
	float		scale = train->decoder->embedding_scale;

	(void) thread;
	for (size_t i = 0; i < train->batch->n_rows; i++)
	{
		float	   *row = (float *) train->gradient->embedding.data +
			(size_t) train->batch->tokens[i] * dim + first;
		const float *dx = train->dout + i * dim + first;

		for (size_t j = 0; j < n; j++)
			row[j] += scale != 0 ? scale * dx[j] : dx[j];
	}
}

/* The final norm: dout of the last layer. */
static bool
final_norm_backward(SrmDecoderTrain *train, const float *dhidden)
{
	const SrmDecoder *decoder = train->decoder;
	size_t		dim = decoder->dim;
	float	   *dweight = (float *) train->gradient->final_norm;

	/* The first partial sum serves where nobody wants it */
	if (dweight == NULL)
		dweight = train->partials;
	memset(train->partials, 0, dim * sizeof(float));
	norm_rows_backward(train->dout, dweight, dhidden, train->tape.inputs[decoder->n_layers],
					   decoder->final_norm, decoder->norm_eps, train->batch->n_wanted, dim, false);
	return srm_continue(train->stop, train->status);
}

bool
srm_decoder_train_backward(SrmDecoderTrain *train, const float *dhidden, const SrmTrainBatch *batch,
						   SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	const SrmDecoder *decoder = train->decoder;
	size_t		sum_scratch = TILE_DEPTH * (TILE_STRIDE + srm_panel_floats(TILE_COLS, 1));
	size_t		scratch = srm_chunk_scratch(decoder);

	train->batch = batch;
	train->threads = threads;
	train->stop = stop;
	train->status = status;
	if (train->gradient == NULL)
		return srm_fail(status, SRM_INTERNAL, "decoder was made for no backward");
	scratch = scratch > sum_scratch ? scratch : sum_scratch;
	if (!srm_threads_reserve(threads, scratch * sizeof(float), status) ||
		!final_norm_backward(train, dhidden))
		return false;
	for (size_t i = decoder->n_layers; i-- > 0;)
		if (!layer_backward(train, i))
			return false;
	if (train->gradient->embedding.data == NULL)
		return true;
	return srm_threads_run_or_stop(threads, srm_divide_up(decoder->dim, EMBEDDING_COLS), sum_embedding, train,
								   stop, status);
}
