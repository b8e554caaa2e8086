/*-------------------------------------------------------------------------
 *
 * decoder.c
 *	  One transformer decoder, driven by a description.
 *
 * A block runs through a layer in chunks of at most ROWS tokens: the buffers of
 * a feed-forward step are those of a chunk, and its products leave off soon
 * enough for a stop.  A chunk attends to the keys of those before it.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/decoder.h"

#include <string.h>

#include "nn/activation.h"
#include "nn/attention.h"
#include "nn/cache.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/rope.h"

#define ROWS			512
#define ROWS_PER_TASK	16

#define MAX_TOKENS		((size_t) 1 << 24)	/* positions are exact as float */

typedef struct Pass
{
	const SrmDecoder *decoder;
	SrmThreads *threads;
	const SrmStop *stop;
	SrmStatus  *status;

	const int32_t *tokens;		/* (n_tokens) */
	size_t		n_tokens;		/* of the block */
	size_t		n_past;
	float	   *frequencies;	/* (head_dim / 2) */
	float	   *hidden;			/* (n_tokens, dim): the residual stream */
	uint32_t   *index;			/* (n_tokens): 0, 1, 2 ... */
	float	   *cosines;		/* (n_tokens, head_dim / 2) */
	float	   *sines;			/* (n_tokens, head_dim / 2) */
	float	   *own_keys;		/* (n_tokens, kv_dim), NULL where the cache has room */
	float	   *own_values;

	/* Of a chunk */
	float	   *normed;			/* (rows, dim) */
	float	   *queries;		/* (rows, q_dim) */
	float	   *attended;		/* (rows, q_dim) */
	float	   *gate;			/* (rows, ffn_dim) */
	float	   *up;				/* (rows, ffn_dim) */
	float	   *change;			/* (rows, dim) */

	/* Of the layer at work */
	const SrmLayer *layer;
	SrmAttention attention;
	float	   *keys;			/* (n_tokens, kv_dim), in the cache or own_keys */
	float	   *values;
} Pass;

/* Rows of a residual stream; at most ROWS within a layer. */
typedef struct Chunk
{
	Pass	   *pass;
	float	   *hidden;			/* (n, dim) */
	const uint32_t *index;		/* (n): which token of the block a row is */
	size_t		n;
	const float *weight;		/* of the norm */
	const float *post_norm;		/* weight of the norm of change, or NULL */
	float	   *keys;			/* (n, kv_dim) to be turned, or NULL */
	float	   *queries;		/* (n, q_dim) to be turned, or NULL */
} Chunk;

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static float *
allocate_rows(SrmArena *arena, size_t n, size_t width, SrmStatus *status)
{
	if (width > 0 && n > SIZE_MAX / sizeof(float) / width)
	{
		srm_fail_memory(status, SIZE_MAX);
		return NULL;
	}
	return srm_arena_alloc(arena, n * width * sizeof(float), status);
}

/* Rows of a chunk are shared out; the arithmetic of each is its own. */
static bool
run_rows(Chunk *chunk, SrmTask task)
{
	Pass	   *pass = chunk->pass;

	return srm_threads_run_or_stop(pass->threads, (chunk->n + ROWS_PER_TASK - 1) / ROWS_PER_TASK,
								   task, chunk, pass->stop, pass->status);
}

static size_t
task_rows(const Chunk *chunk, size_t task)
{
	return smaller(chunk->n - task * ROWS_PER_TASK, ROWS_PER_TASK);
}

/* row (dim) = the embedding of a token */
static void
read_embedding(const SrmDecoder *decoder, int32_t token, float *row)
{
	srm_matrix_read(&decoder->embedding, (size_t) token * decoder->dim, decoder->dim, row);
	if (decoder->embedding_scale != 0)
		for (size_t i = 0; i < decoder->dim; i++)
			row[i] *= decoder->embedding_scale;
}

/* The embeddings of tokens, and what depends on their positions alone. */
static void
start_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	Pass	   *pass = chunk->pass;
	const SrmDecoder *decoder = pass->decoder;
	size_t		first = task * ROWS_PER_TASK;
	size_t		n = task_rows(chunk, task);
	size_t		half = decoder->head_dim / 2;

	(void) thread;
	srm_rope_table(pass->cosines + first * half, pass->sines + first * half, pass->frequencies,
				   &decoder->rope, decoder->head_dim, pass->n_past + first, n);
	for (size_t i = first; i < first + n; i++)
	{
		pass->index[i] = (uint32_t) i;
		read_embedding(decoder, pass->tokens[i], pass->hidden + i * decoder->dim);
	}
}

/* normed = norm(hidden) */
static void
norm_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	const SrmDecoder *decoder = chunk->pass->decoder;
	size_t		start = task * ROWS_PER_TASK * decoder->dim;

	(void) thread;
	srm_norm_forward(chunk->pass->normed + start, chunk->hidden + start, chunk->weight,
					 decoder->norm_eps, task_rows(chunk, task), decoder->dim);
}

/* hidden += change, or norm(change) where the layer has such a norm */
static void
add_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	size_t		dim = chunk->pass->decoder->dim;
	size_t		n = task_rows(chunk, task) * dim;
	float	   *hidden = chunk->hidden + task * ROWS_PER_TASK * dim;
	float	   *change = chunk->pass->change + task * ROWS_PER_TASK * dim;

	(void) thread;
	if (chunk->post_norm != NULL)
		srm_norm_forward(change, change, chunk->post_norm, chunk->pass->decoder->norm_eps,
						 task_rows(chunk, task), dim);
	for (size_t i = 0; i < n; i++)
		hidden[i] += change[i];
}

/* hidden += change, and normed = norm(hidden) */
static void
add_and_norm_rows(void *arg, size_t task, int thread)
{
	add_rows(arg, task, thread);
	norm_rows(arg, task, thread);
}

/* gate = activation(gate) * up */
static void
gate_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	const SrmDecoder *decoder = chunk->pass->decoder;
	size_t		start = task * ROWS_PER_TASK * decoder->ffn_dim;

	(void) thread;
	srm_gate_forward(chunk->pass->gate + start, chunk->pass->up + start, decoder->activation,
					 task_rows(chunk, task) * decoder->ffn_dim);
}

/* Norms the heads of one row where the layer says so, and turns them. */
static void
turn_heads(Pass *pass, float *heads, const float *norm, size_t n_heads, size_t token)
{
	size_t		head_dim = pass->decoder->head_dim;
	size_t		start = token * (head_dim / 2);

	if (norm != NULL)
		srm_norm_forward(heads, heads, norm, pass->decoder->norm_eps, n_heads, head_dim);
	srm_rope_forward(heads, pass->cosines + start, pass->sines + start, n_heads, head_dim);
}

static void
turn_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	Pass	   *pass = chunk->pass;
	const SrmDecoder *decoder = pass->decoder;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < first + task_rows(chunk, task); i++)
	{
		if (chunk->queries != NULL)
			turn_heads(pass, chunk->queries + i * decoder->n_heads * decoder->head_dim,
					   pass->layer->query_norm, decoder->n_heads, chunk->index[i]);
		if (chunk->keys != NULL)
			turn_heads(pass, chunk->keys + i * decoder->n_kv_heads * decoder->head_dim,
					   pass->layer->key_norm, decoder->n_kv_heads, chunk->index[i]);
	}
}

/*
 * Queries, keys and values of a chunk, from its hidden states; keys and
 * values stay for the chunks that follow.
 */
static bool
project_chunk(Chunk *chunk, bool with_queries, bool with_keys)
{
	Pass	   *pass = chunk->pass;
	const SrmLayer *layer = pass->layer;
	size_t		kv_start = chunk->index[0] * layer->key.rows;
	SrmLinear	maps[SRM_MAX_LINEARS];
	size_t		n_maps = 0;

	chunk->weight = layer->attention_norm;
	chunk->queries = with_queries ? pass->queries : NULL;
	chunk->keys = with_keys ? pass->keys + kv_start : NULL;
	if (with_queries)
		maps[n_maps++] = (SrmLinear) {pass->queries, pass->normed, &layer->query, layer->query_bias};
	if (with_keys)
	{
		maps[n_maps++] = (SrmLinear) {chunk->keys, pass->normed, &layer->key, layer->key_bias};
		maps[n_maps++] = (SrmLinear) {pass->values + kv_start, pass->normed, &layer->value, layer->value_bias};
	}
	return run_rows(chunk, norm_rows) &&
		srm_linears_forward(maps, n_maps, chunk->n, pass->threads, pass->stop, pass->status) &&
		run_rows(chunk, turn_rows);
}

/* change = the map of x, whose norm is added where post_norm is not NULL */
static bool
map_chunk(Chunk *chunk, const float *x, const SrmMatrix *w, const float *bias,
		  const float *post_norm)
{
	Pass	   *pass = chunk->pass;
	SrmLinear	map = {pass->change, x, w, bias};

	chunk->post_norm = post_norm;
	return srm_linears_forward(&map, 1, chunk->n, pass->threads, pass->stop, pass->status);
}

/* The rest of a layer, once the queries of a chunk and the keys up to it are there. */
static bool
finish_chunk(Chunk *chunk)
{
	Pass	   *pass = chunk->pass;
	const SrmLayer *layer = pass->layer;
	SrmLinear	maps[2] = {
		{pass->gate, pass->normed, &layer->gate, layer->gate_bias},
		{pass->up, pass->normed, &layer->up, layer->up_bias}
	};

	chunk->weight = layer->ffn_norm;
	return srm_attention_forward(pass->attended, pass->queries, &pass->attention,
								 chunk->index, chunk->n,
								 pass->threads, pass->stop, pass->status) &&
		map_chunk(chunk, pass->attended, &layer->output, layer->output_bias,
				  layer->post_attention_norm) &&
		run_rows(chunk, add_and_norm_rows) &&
		srm_linears_forward(maps, 2, chunk->n, pass->threads, pass->stop, pass->status) &&
		run_rows(chunk, gate_rows) &&
		map_chunk(chunk, pass->gate, &layer->down, layer->down_bias, layer->post_ffn_norm) &&
		run_rows(chunk, add_rows);
}

static Chunk
chunk_of(Pass *pass, float *hidden, const uint32_t *index, size_t first, size_t n)
{
	Chunk		chunk = {.pass = pass};

	chunk.hidden = hidden + first * pass->decoder->dim;
	chunk.index = index + first;
	chunk.n = smaller(n - first, ROWS);
	return chunk;
}

static bool
start_block(Pass *pass)
{
	Chunk		chunk = {.pass = pass, .n = pass->n_tokens};

	srm_rope_frequencies(pass->frequencies, &pass->decoder->rope, pass->decoder->head_dim);
	return run_rows(&chunk, start_rows);
}

static bool
forward_layer(Pass *pass)
{
	for (size_t first = 0; first < pass->n_tokens; first += ROWS)
	{
		Chunk		chunk = chunk_of(pass, pass->hidden, pass->index, first, pass->n_tokens);

		if (!project_chunk(&chunk, true, true) || !finish_chunk(&chunk))
			return false;
	}
	return true;
}

/*
 * In the last layer other tokens matter by their keys and values alone.
 * hidden (n_wanted, dim) gets the residual stream of those wanted.
 */
static bool
forward_last_layer(Pass *pass, float *hidden, const uint32_t *wanted, size_t n_wanted)
{
	size_t		dim = pass->decoder->dim;

	for (size_t first = 0; first < pass->n_tokens; first += ROWS)
	{
		Chunk		chunk = chunk_of(pass, pass->hidden, pass->index, first, pass->n_tokens);

		if (!project_chunk(&chunk, false, true))
			return false;
	}
	for (size_t i = 0; i < n_wanted; i++)
		memcpy(hidden + i * dim, pass->hidden + wanted[i] * dim, dim * sizeof(float));
	for (size_t first = 0; first < n_wanted; first += ROWS)
	{
		Chunk		chunk = chunk_of(pass, hidden, wanted, first, n_wanted);

		if (!project_chunk(&chunk, true, false) || !finish_chunk(&chunk))
			return false;
	}
	return true;
}

/* Makes a layer the one at work. */
static void
enter_layer(Pass *pass, size_t number, const SrmCache *cache)
{
	const SrmDecoder *decoder = pass->decoder;
	size_t		kv_dim = decoder->n_kv_heads * decoder->head_dim;

	pass->layer = &decoder->layers[number];
	pass->keys = pass->own_keys;
	pass->values = pass->own_values;
	if (pass->own_keys == NULL)
	{
		pass->keys = cache->keys[number] + pass->n_past * kv_dim;
		pass->values = cache->values[number] + pass->n_past * kv_dim;
	}
	pass->attention.n_heads = decoder->n_heads;
	pass->attention.n_kv_heads = decoder->n_kv_heads;
	pass->attention.head_dim = decoder->head_dim;
	pass->attention.scale = decoder->attention_scale;
	pass->attention.softcap = decoder->attention_softcap;
	pass->attention.window = pass->layer->window;
	pass->attention.n_past = pass->n_past;
	pass->attention.past_keys = cache == NULL ? NULL : cache->keys[number];
	pass->attention.past_values = cache == NULL ? NULL : cache->values[number];
	pass->attention.keys = pass->keys;
	pass->attention.values = pass->values;
}

static bool
allocate_pass(Pass *pass, bool own_keys, SrmArena *arena)
{
	const SrmDecoder *decoder = pass->decoder;
	size_t		n = pass->n_tokens;
	size_t		rows = smaller(n, ROWS);
	size_t		q_dim = decoder->n_heads * decoder->head_dim;
	size_t		kv_dim = decoder->n_kv_heads * decoder->head_dim;
	const struct
	{
		float	  **buffer;
		size_t		n;
		size_t		width;
	}			buffers[] = {
		{&pass->frequencies, 1, decoder->head_dim / 2},
		{&pass->hidden, n, decoder->dim},
		{&pass->cosines, n, decoder->head_dim / 2},
		{&pass->sines, n, decoder->head_dim / 2},
		{&pass->normed, rows, decoder->dim},
		{&pass->queries, rows, q_dim},
		{&pass->attended, rows, q_dim},
		{&pass->gate, rows, decoder->ffn_dim},
		{&pass->up, rows, decoder->ffn_dim},
		{&pass->change, rows, decoder->dim},
		/* The last two only where the cache does not take them */
		{&pass->own_keys, n, kv_dim},
		{&pass->own_values, n, kv_dim}
	};
	size_t		n_buffers = sizeof(buffers) / sizeof(buffers[0]) - (own_keys ? 0 : 2);

	for (size_t i = 0; i < n_buffers; i++)
	{
		*buffers[i].buffer = allocate_rows(arena, buffers[i].n, buffers[i].width, pass->status);
		if (*buffers[i].buffer == NULL)
			return false;
	}
	pass->index = srm_arena_alloc(arena, n * sizeof(uint32_t), pass->status);
	return pass->index != NULL;
}

static bool
check_tokens(const SrmDecoder *decoder, const int32_t *tokens, size_t n_tokens, SrmStatus *status)
{
	for (size_t i = 0; i < n_tokens; i++)
		if (tokens[i] < 0 || (size_t) tokens[i] >= decoder->vocab_size)
		{
			srm_fail(status, SRM_INVALID_MODEL, "token %d is not in the model's embedding",
					 (int) tokens[i]);
			return srm_fail_detail(status, "The embedding has %zu rows.", decoder->vocab_size);
		}
	return true;
}

static bool
check_call(const SrmDecoder *decoder, const SrmCache *cache, const int32_t *tokens, size_t n_tokens,
		   const uint32_t *wanted, size_t n_wanted, SrmStatus *status)
{
	size_t		n_past = cache == NULL ? 0 : cache->n_tokens;

	if (decoder->n_layers == 0)
		return srm_fail(status, SRM_INTERNAL, "decoder has no layers");
	if (cache != NULL && (cache->n_layers != decoder->n_layers ||
						  cache->width != decoder->n_kv_heads * decoder->head_dim))
		return srm_fail(status, SRM_INTERNAL, "cache belongs to another decoder");
	for (size_t i = 0; i < n_wanted; i++)
		if (wanted[i] >= n_tokens || (i > 0 && wanted[i] <= wanted[i - 1]))
			return srm_fail(status, SRM_INTERNAL, "wanted tokens do not ascend within the block");
	if (n_tokens > MAX_TOKENS || n_past > MAX_TOKENS - n_tokens)
		return srm_fail(status, SRM_LIMIT_EXCEEDED, "text has more than %zu tokens", MAX_TOKENS);
	return check_tokens(decoder, tokens, n_tokens, status);
}

static bool
run_pass(Pass *pass, const SrmCache *cache, const uint32_t *wanted, size_t n_wanted,
		 float *hidden)
{
	const SrmDecoder *decoder = pass->decoder;

	if (!start_block(pass))
		return false;
	for (size_t i = 0; i + 1 < decoder->n_layers; i++)
	{
		enter_layer(pass, i, cache);
		if (!forward_layer(pass))
			return false;
	}
	enter_layer(pass, decoder->n_layers - 1, cache);
	if (!forward_last_layer(pass, hidden, wanted, n_wanted))
		return false;
	srm_norm_forward(hidden, hidden, decoder->final_norm, decoder->norm_eps, n_wanted, decoder->dim);
	return true;
}

bool
srm_decoder_forward(const SrmDecoder *decoder, SrmCache *cache, bool keep,
					const int32_t *tokens, size_t n_tokens,
					const uint32_t *wanted, size_t n_wanted,
					float *hidden, int n_threads,
					const SrmStop *stop, SrmStatus *status)
{
	Pass		pass = {.decoder = decoder, .stop = stop, .status = status,
		.tokens = tokens, .n_tokens = n_tokens
	};
	SrmArena   *arena;
	bool		done;

	keep = keep && cache != NULL;
	if (!check_call(decoder, cache, tokens, n_tokens, wanted, n_wanted, status))
		return false;
	if (n_tokens == 0)
		return true;
	pass.n_past = cache == NULL ? 0 : cache->n_tokens;
	if (!srm_products_init(status) ||
		(keep && !srm_cache_reserve(cache, pass.n_past + n_tokens, status)))
		return false;

	arena = srm_arena_create(status);
	pass.threads = arena == NULL ? NULL : srm_threads_start(n_threads, status);
	done = pass.threads != NULL && allocate_pass(&pass, !keep, arena) &&
		run_pass(&pass, cache, wanted, n_wanted, hidden);
	srm_threads_end(pass.threads);
	srm_arena_free(arena);
	if (done && keep)
		cache->n_tokens += n_tokens;
	return done;
}
