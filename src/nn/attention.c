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

/* Turns the scores of one row into weights; visible of n are not masked. */
static void
weigh_row(Tile *tile, size_t row, size_t visible, size_t n, Queries *queries, size_t head_dim)
{
	float	   *scores = tile->scores + row * KEY_TILE;
	float	   *out = queries->out + row * queries->stride;

	if (visible > 0)
	{
		float		greatest = srm_kernels->maximum(scores, visible);

		if (!queries->started)
		{
			tile->greatest[row] = greatest;
			tile->sums[row] = 0.0f;
		}
		else if (greatest > tile->greatest[row])
		{
			float		shrink = expf(tile->greatest[row] - greatest);

			for (size_t i = 0; i < head_dim; i++)
				out[i] *= shrink;
			tile->sums[row] *= shrink;
			tile->greatest[row] = greatest;
		}
		tile->sums[row] += srm_kernels->exp_sum(scores, visible, tile->greatest[row]);
	}
	for (size_t i = visible; i < n; i++)
		scores[i] = 0.0f;
}

/*
 * Adds one tile of keys (n, head_dim) and values.  first is the number of
 * the first key in the block, and masks what comes after a query; for keys
 * that all queries see, past is set.
 */
static void
add_key_tile(Tile *tile, Queries *queries, const float *keys, const float *values,
			 size_t first, size_t n, bool past, const SrmAttention *attention)
{
	size_t		kv_stride = attention->n_kv_heads * attention->head_dim;
	size_t		head_dim = attention->head_dim;

	srm_blas_product_transposed(tile->scores, KEY_TILE, queries->queries, queries->stride,
								keys + queries->kv_offset, kv_stride,
								queries->n, n, head_dim, 1.0f / sqrtf((float) head_dim));
	for (size_t i = 0; i < queries->n; i++)
	{
		size_t		end = (size_t) queries->index[i] + 1;
		size_t		visible = past || end >= first + n ? n : end > first ? end - first : 0;

		weigh_row(tile, i, visible, n, queries, head_dim);
	}
	srm_blas_product(queries->out, queries->stride, tile->scores, KEY_TILE,
					 values + queries->kv_offset, kv_stride,
					 queries->n, head_dim, n, queries->started);
	queries->started = true;
}

static void
attend(Tile *tile, Queries *queries, const SrmAttention *attention)
{
	size_t		kv_stride = attention->n_kv_heads * attention->head_dim;
	size_t		n_keys = (size_t) queries->index[queries->n - 1] + 1;

	for (size_t first = 0; first < attention->n_past; first += KEY_TILE)
	{
		size_t		left = attention->n_past - first;

		add_key_tile(tile, queries, attention->past_keys + first * kv_stride,
					 attention->past_values + first * kv_stride,
					 first, left < KEY_TILE ? left : KEY_TILE, true, attention);
	}
	for (size_t first = 0; first < n_keys; first += KEY_TILE)
	{
		size_t		left = n_keys - first;

		add_key_tile(tile, queries, attention->keys + first * kv_stride,
					 attention->values + first * kv_stride,
					 first, left < KEY_TILE ? left : KEY_TILE, false, attention);
	}
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
