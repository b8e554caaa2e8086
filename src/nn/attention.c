/*-------------------------------------------------------------------------
 *
 * attention.c
 *	  Causal attention of a block of tokens to itself and to what came before.
 *
 * The softmax runs along with the tiles of keys: each row keeps its greatest
 * score and the sum of its weights relative to that, and what it has
 * gathered shrinks whenever a greater score turns up (Milakov and
 * Gimelshein, arXiv 1805.02867).
 *
 *-------------------------------------------------------------------------
 */
#include "nn/attention.h"

#include <math.h>
#include <string.h>

#include "nn/blas.h"
#include "nn/kernels.h"

#define QUERY_TILE	64
#define KEY_TILE	128

/* Scratch of a thread. */
typedef struct Tile
{
	float		scores[QUERY_TILE * KEY_TILE];	/* (queries, KEY_TILE) */
	float		greatest[QUERY_TILE];
	float		sums[QUERY_TILE];
	bool		started[QUERY_TILE];	/* a row has seen a key */
} Tile;

/* One head of one tile of queries; strides are in elements. */
typedef struct Queries
{
	const float *queries;		/* (n, head_dim) */
	float	   *out;			/* (n, head_dim) */
	size_t		stride;
	const uint32_t *index;		/* (n) */
	size_t		n;
	size_t		kv_offset;		/* of the head in a row of keys or values */
	bool		started;		/* out holds something */
} Queries;

typedef struct AttentionTask
{
	const SrmAttention *attention;
	float	   *out;
	const float *queries;
	const uint32_t *index;
	size_t		n;
	SrmThreads *threads;
} AttentionTask;

/* Sets the greatest score of a row to a greater one, and shrinks what it has gathered. */
static void
raise_greatest(Tile *tile, Queries *queries, size_t row, float greatest, size_t head_dim)
{
	float	   *out = queries->out + row * queries->stride;
	float		shrink = expf(tile->greatest[row] - greatest);

	for (size_t i = 0; i < head_dim; i++)
		out[i] *= shrink;
	tile->sums[row] *= shrink;
	tile->greatest[row] = greatest;
}

/* Turns the n scores of one row into weights; those outside [first, end) are masked. */
static void
weigh_row(Tile *tile, Queries *queries, size_t row, size_t first, size_t end, size_t n,
		  const SrmAttention *attention)
{
	float	   *scores = tile->scores + row * KEY_TILE;

	if (end > first)
	{
		float		greatest;

		if (attention->softcap > 0)
			srm_kernels->soft_cap(scores + first, end - first, attention->softcap);
		greatest = srm_kernels->maximum(scores + first, end - first);
		if (!tile->started[row])
		{
			tile->greatest[row] = greatest;
			tile->sums[row] = 0.0f;
			tile->started[row] = true;
		}
		else if (greatest > tile->greatest[row])
			raise_greatest(tile, queries, row, greatest, attention->head_dim);
		tile->sums[row] += srm_kernels->exp_sum(scores + first, end - first, tile->greatest[row]);
	}
	for (size_t i = 0; i < first; i++)
		scores[i] = 0.0f;
	for (size_t i = end; i < n; i++)
		scores[i] = 0.0f;
}

/* The position from which on a query sees keys; positions count the past. */
static size_t
window_start(const SrmAttention *attention, size_t position)
{
	return attention->window == 0 || position < attention->window ? 0 :
		position - attention->window + 1;
}

/* first as an index into a tile of n keys at a position */
static size_t
within_tile(size_t first, size_t position, size_t n)
{
	return first <= position ? 0 : first - position < n ? first - position : n;
}

/*
 * Adds one tile of keys (n, head_dim) and values, which start at a position;
 * masks what comes after a query, or before its window.
 */
static void
add_key_tile(Tile *tile, Queries *queries, const float *keys, const float *values,
			 size_t position, size_t n, const SrmAttention *attention)
{
	size_t		kv_stride = attention->n_kv_heads * attention->head_dim;
	size_t		head_dim = attention->head_dim;
	float		scale = attention->scale > 0 ? attention->scale : 1.0f / sqrtf((float) head_dim);

	srm_blas_product_transposed(tile->scores, KEY_TILE, queries->queries, queries->stride,
								keys + queries->kv_offset, kv_stride,
								queries->n, n, head_dim, scale);
	for (size_t i = 0; i < queries->n; i++)
	{
		size_t		own = attention->n_past + queries->index[i];

		weigh_row(tile, queries, i, within_tile(window_start(attention, own), position, n),
				  within_tile(own + 1, position, n), n, attention);
	}
	srm_blas_product(queries->out, queries->stride, tile->scores, KEY_TILE,
					 values + queries->kv_offset, kv_stride,
					 queries->n, head_dim, n, queries->started);
	queries->started = true;
}

/* Adds n keys that start at a position, but for tiles that no query's window reaches. */
static void
add_keys(Tile *tile, Queries *queries, const float *keys, const float *values,
		 size_t position, size_t n, const SrmAttention *attention)
{
	size_t		kv_stride = attention->n_kv_heads * attention->head_dim;
	size_t		start = window_start(attention, attention->n_past + queries->index[0]);
	size_t		first = start > position ? (start - position) / KEY_TILE * KEY_TILE : 0;

	for (; first < n; first += KEY_TILE)
	{
		size_t		left = n - first;

		add_key_tile(tile, queries, keys + first * kv_stride, values + first * kv_stride,
					 position + first, left < KEY_TILE ? left : KEY_TILE, attention);
	}
}

static void
attend(Tile *tile, Queries *queries, const SrmAttention *attention)
{
	memset(tile->started, 0, sizeof(tile->started));
	add_keys(tile, queries, attention->past_keys, attention->past_values,
			 0, attention->n_past, attention);
	add_keys(tile, queries, attention->keys, attention->values,
			 attention->n_past, (size_t) queries->index[queries->n - 1] + 1, attention);
	for (size_t i = 0; i < queries->n; i++)
		for (size_t j = 0; j < attention->head_dim; j++)
			queries->out[i * queries->stride + j] /= tile->sums[i];
}

/* Tasks count the heads of the first tile of queries, then of the next. */
static void
run_task(void *arg, size_t number, int thread)
{
	AttentionTask *task = arg;
	const SrmAttention *attention = task->attention;
	size_t		head = number % attention->n_heads;
	size_t		first = number / attention->n_heads * QUERY_TILE;
	size_t		n_shared = attention->n_heads / attention->n_kv_heads;
	Queries		queries = {0};

	queries.stride = attention->n_heads * attention->head_dim;
	queries.queries = task->queries + first * queries.stride + head * attention->head_dim;
	queries.out = task->out + first * queries.stride + head * attention->head_dim;
	queries.index = task->index + first;
	queries.n = task->n - first < QUERY_TILE ? task->n - first : QUERY_TILE;
	queries.kv_offset = head / n_shared * attention->head_dim;
	attend(srm_threads_scratch(task->threads, thread), &queries, attention);
}

bool
srm_attention_forward(float *out, const float *queries, const SrmAttention *attention,
					  const uint32_t *index, size_t n,
					  SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	AttentionTask task = {.attention = attention, .out = out, .queries = queries,
		.index = index, .n = n, .threads = threads
	};
	size_t		n_tiles = (n + QUERY_TILE - 1) / QUERY_TILE;

	return srm_threads_reserve(threads, sizeof(Tile), status) &&
		srm_threads_run_or_stop(threads, n_tiles * attention->n_heads, run_task,
								&task, stop, status);
}
