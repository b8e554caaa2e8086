/*-------------------------------------------------------------------------
 *
 * attention.c
 *	  Attention of a block of tokens to itself and to what came before.
 *
 * The softmax runs along with the tiles of keys: each row keeps its greatest
 * score and the sum of its weights relative to that, and what it has
 * gathered shrinks whenever a greater score turns up (Milakov and
 * Gimelshein, arXiv 1805.02867).
 *
 * A task is one head of the keys with all heads of the queries that share it.  A
 * tile of keys and values (keys.h) is used for all rows.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/attention.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "kernel/kernels.h"
#include "kernel/pack.h"
#include "nn/relative.h"

#define KEY_TILE		256
#define SCORES_STRIDE	(KEY_TILE + 16) /* in floats: rows are kept out of each other's sets */
#define TASKS_PER_THREAD	3
#define MIN_PART_TOKENS	32			/* where a thread keeps the rows that it has made */
#define MAX_TASK_SCORES	((size_t) 1 << 22)	/* of a head: some 10 milliseconds */

/* What is known of a row of queries so far. */
typedef struct RowState
{
	float		greatest;
	float		sum;
	bool		started;		/* a key has been seen */
} RowState;

typedef struct AttentionTask
{
	const SrmAttention *attention;
	float	   *out;
	const float *queries;
	const uint32_t *index;
	size_t		n;
	SrmThreads *threads;

	SrmCompute	compute;
	size_t		head_dim;
	size_t		n_kv_heads;
	float		scale;
	size_t		n_shared;		/* heads of queries for each of keys */
	size_t		n_parts;		/* that the tokens are cut into */
	size_t		part_tokens;
	size_t		query_bytes;	/* of a packed row */
	size_t		weights_bytes;
	size_t		key_lanes;
	size_t		n_value_panels;
} AttentionTask;

/* One task: tokens of the block, and a head of keys with scratch of its own. */
typedef struct Part
{
	const AttentionTask *task;
	const uint32_t *index;		/* (n) */
	size_t		n;				/* tokens; each has n_shared rows, one behind the other */
	const float *queries;		/* (n, n_shared heads), rows n_heads * head_dim apart */
	float	   *out;
	float	   *logs;			/* (n, n_shared), rows n_heads apart; or NULL */
	const float *by_query;		/* (n, n_heads, width) or NULL */
	size_t		head;			/* of keys */

	RowState   *rows;			/* (n * n_shared) */
	char	   *packed;			/* (n * n_shared) packed rows of queries */
	float	   *scores;			/* (SRM_TILE_ROWS, SCORES_STRIDE) */
	char	   *weights;		/* (SRM_TILE_ROWS) packed rows */
	float	   *gathered;		/* (SRM_TILE_ROWS, head_dim) */
} Part;

/* A tile of keys: n from a position on; positions count the past. */
typedef struct KeyTile
{
	const SrmKeys *keys;
	size_t		first;			/* token of keys */
	size_t		position;
	size_t		n;
} KeyTile;

/* The position from which on a query sees keys. */
static size_t
window_start(const SrmAttention *attention, size_t position)
{
	return attention->window == 0 || position < attention->window ? 0 :
		position - attention->window + 1;
}

/* A position as an index into a tile. */
static size_t
within_tile(size_t position, const KeyTile *tile)
{
	return position <= tile->position ? 0 : srm_smaller(position - tile->position, tile->n);
}

/* The keys of a tile that a token sees: from *first to before *end. */
static void
find_visible(const Part *part, const KeyTile *tile, size_t token, size_t *first, size_t *end)
{
	const SrmAttention *attention = part->task->attention;
	size_t		own = attention->n_past + part->index[token];

	*first = within_tile(window_start(attention, own), tile);
	*end = within_tile(own + 1 + attention->ahead, tile);
}

/* How many tokens of the block the query of one of them sees, from the first on. */
static size_t
own_keys(const SrmAttention *attention, size_t index)
{
	return attention->ahead == 0 ? index + 1 : srm_smaller(attention->n_own, index + 1 + attention->ahead);
}

/*
 * Turns the scores of one row into weights; those outside first .. end - 1
 * are masked, up to n.  Returns what the row has gathered shrinks by.
 */
static float
weigh_row(const SrmAttention *attention, RowState *row, float *scores, size_t first, size_t end,
		  size_t n)
{
	float		shrink = 0.0f;
	float		greatest;

	memset(scores, 0, (first < end ? first : n) * sizeof(float));
	if (first >= end)
		return 1.0f;
	memset(scores + end, 0, (n - end) * sizeof(float));
	if (attention->softcap > 0)
		srm_kernels->soft_cap(scores + first, end - first, attention->softcap);
	greatest = srm_kernels->maximum(scores + first, end - first);
	if (row->started)
	{
		greatest = greatest > row->greatest ? greatest : row->greatest;
		shrink = greatest == row->greatest ? 1.0f : expf(row->greatest - greatest);
	}
	row->greatest = greatest;
	row->sum = srm_kernels->exp_sum(scores + first, end - first, greatest) +
		(row->started ? shrink * row->sum : 0.0f);
	return shrink;
}

/* The output of one head of one token. */
static float *
row_out(const Part *part, size_t row)
{
	const AttentionTask *task = part->task;
	size_t		token = row / task->n_shared;

	return part->out + (token * task->attention->n_heads + row % task->n_shared) * task->head_dim;
}

/* scores (m, n_keys) of rows from row on, with a tile's keys from panel first_panel on */
static void
score_rows(const Part *part, const KeyTile *keys, size_t row, size_t m, size_t first_panel, size_t n_keys)
{
	const AttentionTask *task = part->task;
	SrmTile		tile = {
		.out_stride = SCORES_STRIDE, .m = m, .lanes = task->key_lanes,
		.x = part->packed + row * task->query_bytes, .x_stride = task->query_bytes
	};

	tile.prefetch = tile.x;
	for (size_t number = first_panel; number * SRM_PANEL < n_keys; number++)
	{
		tile.out = part->scores + number * SRM_PANEL;
		tile.panel = srm_keys_panel(keys->keys, part->head, keys->first + number * SRM_PANEL);
		tile.n = srm_smaller(n_keys - number * SRM_PANEL, SRM_PANEL);
		srm_kernels->multiply[task->compute] (&tile);
	}
}

/* scores of one row += what the distances of the keys from first to before end add */
static void
add_distances(const Part *part, const KeyTile *tile, size_t row, float *scores, size_t first, size_t end)
{
	const AttentionTask *task = part->task;
	const SrmAttention *attention = task->attention;
	size_t		token = row / task->n_shared;
	size_t		width = attention->distances->width;
	size_t		head = part->head * task->n_shared + row % task->n_shared;
	size_t		key_stride = attention->n_heads * width;
	const uint32_t *columns = attention->distances->columns + (ptrdiff_t) part->index[token];
	const float *by_query = part->by_query == NULL ? NULL : part->by_query + token * key_stride + head * width;
	const float *by_key = attention->by_key == NULL ? NULL : attention->by_key + head * width;

	for (size_t i = first; i < end; i++)
	{
		ptrdiff_t	key = (ptrdiff_t) (tile->position + i);
		uint32_t	column = columns[-key];
		float		sum = by_query == NULL ? 0.0f : by_query[column];

		if (by_key != NULL)
			sum += by_key[(size_t) key * key_stride + column];
		scores[i] += task->scale * sum;
	}
}

/* gathered (m, head_dim) = weights (m, n_keys) * a tile's values */
static void
gather_rows(const Part *part, const KeyTile *values, size_t m, size_t n_keys)
{
	const AttentionTask *task = part->task;
	size_t		head_dim = task->head_dim;
	SrmTile		tile = {
		.out_stride = head_dim, .m = m, .lanes = srm_pack_lanes(srm_packing_of(task->compute), n_keys),
		.x = part->weights, .x_stride = task->weights_bytes, .prefetch = part->weights
	};

	for (size_t number = 0; number < task->n_value_panels; number++)
	{
		tile.out = part->gathered + number * SRM_PANEL;
		tile.panel = srm_value_panel_at(values->keys, part->head, number, values->first);
		tile.n = srm_smaller(head_dim - number * SRM_PANEL, SRM_PANEL);
		srm_kernels->multiply[task->compute] (&tile);
	}
}

/* out (n) = shrink * out + more; where nothing has been gathered yet, more. */
static void
add_gathered(float *out, const float *more, bool started, float shrink, size_t n)
{
	if (!started)
		memcpy(out, more, n * sizeof(float));
	else
		for (size_t i = 0; i < n; i++)
			out[i] = shrink * out[i] + more[i];
}

/* Adds a tile of keys to m rows from row on. */
static void
add_tile_to_rows(const Part *part, const KeyTile *tile, size_t row, size_t m)
{
	const AttentionTask *task = part->task;
	const SrmAttention *attention = task->attention;
	float		shrink[SRM_TILE_ROWS];
	bool		started[SRM_TILE_ROWS];
	size_t		first[SRM_TILE_ROWS];
	size_t		end[SRM_TILE_ROWS];
	size_t		n_keys;
	size_t		n_padded;

	for (size_t i = 0; i < m; i++)
		find_visible(part, tile, (row + i) / task->n_shared, &first[i], &end[i]);
	/* Both ascend */
	n_keys = end[m - 1];
	if (n_keys == 0 || first[0] >= n_keys)
		return;
	n_padded = srm_pack_lanes(srm_packing_of(task->compute), n_keys) * srm_pack_group(srm_packing_of(task->compute));
	score_rows(part, tile, row, m, first[0] / SRM_PANEL, n_keys);
	for (size_t i = 0; i < m; i++)
	{
		float	   *scores = part->scores + i * SCORES_STRIDE;

		if (attention->distances != NULL)
			add_distances(part, tile, row + i, scores, first[i], end[i]);
		started[i] = part->rows[row + i].started;
		shrink[i] = weigh_row(attention, &part->rows[row + i], scores, first[i], end[i], n_padded);
		part->rows[row + i].started = started[i] || first[i] < end[i];
		if (task->compute == SRM_COMPUTE_BF16)
			srm_kernels->pack_row[task->compute] (part->weights + i * task->weights_bytes, scores, n_padded);
	}
	gather_rows(part, tile, m, n_keys);
	for (size_t i = 0; i < m; i++)
		if (first[i] < end[i])
			add_gathered(row_out(part, row + i), part->gathered + i * task->head_dim,
						 started[i], shrink[i], task->head_dim);
}

static void
add_tile(const Part *part, const KeyTile *tile)
{
	size_t		n_rows = part->n * part->task->n_shared;
	size_t		n_tiles = srm_divide_up(n_rows, SRM_TILE_ROWS);
	size_t		row = 0;

	for (size_t i = 0; i < n_tiles; i++)
	{
		size_t		m = srm_divide_up(n_rows - row, n_tiles - i);

		add_tile_to_rows(part, tile, row, m);
		row += m;
	}
}

/* Adds n keys that start at a position, but for tiles that no token's window reaches. */
static void
add_keys(const Part *part, const SrmKeys *keys, size_t first, size_t position, size_t n)
{
	const SrmAttention *attention = part->task->attention;
	size_t		start = window_start(attention, attention->n_past + part->index[0]);
	size_t		skipped = start > position ? (start - position) / KEY_TILE * KEY_TILE : 0;

	for (; skipped < n; skipped += KEY_TILE)
	{
		KeyTile		tile = {keys, first + skipped, position + skipped, srm_smaller(n - skipped, KEY_TILE)};

		add_tile(part, &tile);
	}
}

/* Queries in lanes, times the scale of their products. */
static void
pack_queries(const Part *part)
{
	const AttentionTask *task = part->task;
	size_t		head_dim = task->head_dim;

	for (size_t row = 0; row < part->n * task->n_shared; row++)
	{
		const float *query = part->queries +
			(row / task->n_shared * task->attention->n_heads + row % task->n_shared) * head_dim;

		for (size_t i = 0; i < head_dim; i++)
			part->gathered[i] = query[i] * task->scale;
		srm_kernels->pack_row[task->compute] (part->packed + row * task->query_bytes, part->gathered, head_dim);
	}
}

static void
attend(const Part *part)
{
	const SrmAttention *attention = part->task->attention;

	memset(part->rows, 0, part->n * part->task->n_shared * sizeof(RowState));
	pack_queries(part);
	add_keys(part, attention->past, attention->past_first, 0, attention->n_past);
	add_keys(part, attention->own, attention->own_first, attention->n_past,
			 own_keys(attention, part->index[part->n - 1]));
	for (size_t row = 0; row < part->n * part->task->n_shared; row++)
	{
		float	   *out = row_out(part, row);
		float		inverse = 1.0f / part->rows[row].sum;

		for (size_t i = 0; i < part->task->head_dim; i++)
			out[i] *= inverse;
		if (part->logs != NULL)
			part->logs[row / part->task->n_shared * attention->n_heads + row % part->task->n_shared] =
				part->rows[row].greatest + logf(part->rows[row].sum);
	}
}

/* The next bytes of scratch, which may be NULL; counts them. */
static void *
take_bytes(char *scratch, size_t *used, size_t bytes)
{
	size_t		start = *used;

	*used += (bytes + 63) & ~(size_t) 63;
	return scratch == NULL ? NULL : scratch + start;
}

/* Places a part's buffers one behind the other; returns how many bytes they take. */
static size_t
place_buffers(Part *part, const AttentionTask *task, char *scratch)
{
	size_t		n_rows = task->part_tokens * task->n_shared;
	size_t		used = 0;

	part->rows = take_bytes(scratch, &used, n_rows * sizeof(RowState));
	part->packed = take_bytes(scratch, &used, n_rows * task->query_bytes);
	part->scores = take_bytes(scratch, &used, SRM_TILE_ROWS * SCORES_STRIDE * sizeof(float));
	part->weights = (char *) part->scores;
	if (task->compute != SRM_COMPUTE_F32)
		part->weights = take_bytes(scratch, &used, SRM_TILE_ROWS * task->weights_bytes);
	part->gathered = take_bytes(scratch, &used, SRM_TILE_ROWS * task->head_dim * sizeof(float));
	return used;
}

/* Tasks count the heads of keys of the first part, then of the next. */
static void
run_task(void *arg, size_t number, int thread)
{
	AttentionTask *task = arg;
	size_t		head = number % task->n_kv_heads;
	size_t		first = number / task->n_kv_heads * task->part_tokens;
	size_t		offset = (first * task->attention->n_heads + head * task->n_shared) * task->head_dim;
	Part		part = {
		.task = task, .index = task->index + first, .n = srm_smaller(task->n - first, task->part_tokens),
		.queries = task->queries + offset, .out = task->out + offset, .head = head
	};

	if (task->attention->logs != NULL)
		part.logs = task->attention->logs + first * task->attention->n_heads + head * task->n_shared;
	if (task->attention->by_query != NULL)
		part.by_query = task->attention->by_query + first * task->attention->n_heads * task->attention->distances->width;
	place_buffers(&part, task, srm_threads_scratch(task->threads, thread));
	attend(&part);
}

/*
 * Parts of the tokens: enough of them for all threads, and none too long.
 * The arithmetic of a row does not depend on them.
 */
static void
plan_parts(AttentionTask *task)
{
	const SrmAttention *attention = task->attention;
	size_t		n_keys = attention->n_past + own_keys(attention, task->index[task->n - 1]);
	size_t		n_threads = (size_t) srm_threads_count(task->threads);
	size_t		n_tasks = TASKS_PER_THREAD * n_threads;
	size_t		n_parts = n_threads == 1 ? 1 : srm_divide_up(n_tasks, task->n_kv_heads);
	size_t		n_long = task->n * task->n_shared / (MAX_TASK_SCORES / n_keys + 1) + 1;

	if (n_parts < n_threads && task->n >= n_threads * MIN_PART_TOKENS)
		n_parts = n_threads;
	n_parts = n_parts > n_long ? n_parts : n_long;
	task->part_tokens = srm_divide_up(task->n, srm_smaller(n_parts, task->n));
	task->n_parts = srm_divide_up(task->n, task->part_tokens);
}

bool
srm_attention_forward(float *out, const float *queries, const SrmAttention *attention,
					  const uint32_t *index, size_t n,
					  SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	size_t		head_dim = attention->own->head_dim;
	AttentionTask task = {.attention = attention, .out = out, .queries = queries,
		.index = index, .n = n, .threads = threads, .compute = attention->own->compute,
		.head_dim = head_dim, .n_kv_heads = attention->own->n_heads
	};
	Part		part;

	if (n == 0)
		return true;
	task.scale = attention->scale > 0 ? attention->scale : 1.0f / sqrtf((float) head_dim);
	task.n_shared = attention->n_heads / task.n_kv_heads;
	task.query_bytes = srm_pack_row_bytes(srm_packing_of(task.compute), head_dim);
	task.weights_bytes = task.compute == SRM_COMPUTE_F32 ? SCORES_STRIDE * sizeof(float) :
		srm_pack_row_bytes(srm_packing_of(task.compute), KEY_TILE);
	task.key_lanes = srm_pack_lanes(srm_packing_of(task.compute), head_dim);
	task.n_value_panels = srm_value_panels(attention->own);
	plan_parts(&task);
	return srm_threads_reserve(threads, place_buffers(&part, &task, NULL), status) &&
		srm_threads_run_or_stop(threads, task.n_parts * task.n_kv_heads, run_task,
								&task, stop, status);
}
