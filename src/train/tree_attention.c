/*-------------------------------------------------------------------------
 *
 * tree_attention.c
 *	  Causal attention in trees, on the way back.
 *
 * A task is one key head of one tree, with all the query heads that share it.  Scores of
 * QUERIES queries with all they see lie side by side: conversations are
 * short enough for whole rows.
 *
 *-------------------------------------------------------------------------
 */
#include "train/tree_attention.h"

#include <math.h>
#include <string.h>

#include "kernel/kernels.h"

#define QUERIES		48			/* of a tile */

typedef struct TreeTask
{
	const SrmTreeAttention *attention;
	const float *out;
	const float *logs;
	const float *dout;
	float	   *dqueries;
	float	   *dkeys;
	float	   *dvalues;
	SrmThreads *threads;
} TreeTask;

/* What a task works on; (n, head_dim) matrices of the tree are packed as right-hand sides. */
typedef struct Head
{
	const TreeTask *task;
	const SrmTreeAttention *attention;
	const SrmTree *tree;
	size_t		kv_head;
	size_t		n_rows;			/* of the tree */
	size_t		width;			/* of a row of scores, in floats */
	float	   *keys_across;	/* panels of keys^T, segment by segment */
	float	   *values_across;	/* panels of values^T */
	float	   *keys;			/* panels of keys */
	float	   *scores;			/* (QUERIES, width) */
	float	   *dscores;		/* (QUERIES, width) */
	float	   *queries;		/* panels of a tile's queries */
	float	   *dout;			/* panels of a tile's dout */
} Head;

/* Queries first .. first + n - 1 of a segment, for one head. */
typedef struct QueryTile
{
	const SrmBranch *segment;
	size_t		head;
	size_t		first;
	size_t		n;
	size_t		n_seen;			/* rows of the segment that the last one sees */
} QueryTile;

static size_t
padded(size_t n)
{
	return (n + SRM_PANEL - 1) / SRM_PANEL * SRM_PANEL;
}

/* Every row of scores has room for two segments, each rounded up to panels. */
static size_t
score_width(size_t n_rows)
{
	return padded(n_rows) + 2 * SRM_PANEL + 16;
}

/* Floats of the panels of all segments, each of which is padded to whole panels. */
static size_t
panel_floats(size_t n_rows, size_t n_segments, size_t head_dim)
{
	return (padded(n_rows) + n_segments * SRM_PANEL) * padded(head_dim);
}

static size_t
head_floats(size_t n_rows, size_t n_segments, size_t head_dim)
{
	return 3 * panel_floats(n_rows, n_segments, head_dim) + 2 * QUERIES * score_width(n_rows) +
		2 * QUERIES * padded(head_dim);
}

static size_t
tree_rows(const SrmTree *tree)
{
	size_t		n = 0;

	for (size_t i = 0; i < tree->n_segments; i++)
		n += tree->segments[i].n;
	return n;
}

size_t
srm_tree_attention_scratch(size_t n_rows, size_t head_dim)
{
	return head_floats(n_rows, 3, head_dim) * sizeof(float);
}

/* Where the panels of a segment start; segments before it are padded to panels. */
static size_t
panel_start(const Head *head, const SrmBranch *segment)
{
	size_t		n = 0;

	for (const SrmBranch *before = head->tree->segments; before < segment; before++)
		n += padded(before->n);
	return n * padded(head->attention->head_dim);
}

static void
pack_segments(const Head *head, float *panels, const float *matrix, bool across)
{
	size_t		head_dim = head->attention->head_dim;
	size_t		stride = head->attention->n_kv_heads * head_dim;

	for (size_t i = 0; i < head->tree->n_segments; i++)
	{
		const SrmBranch *segment = &head->tree->segments[i];
		const float *rows = matrix + segment->first * stride + head->kv_head * head_dim;
		float	   *place = panels + panel_start(head, segment);

		if (across)
			srm_kernels->pack_columns(place, rows, 1, stride, segment->n, head_dim);
		else
			srm_kernels->pack_columns(place, rows, stride, 1, head_dim, segment->n);
	}
}

static void
start_head(Head *head, float *scratch)
{
	const SrmTreeAttention *attention = head->attention;
	size_t		panels = panel_floats(head->n_rows, head->tree->n_segments, attention->head_dim);

	head->width = score_width(head->n_rows);
	head->keys_across = scratch;
	head->values_across = head->keys_across + panels;
	head->keys = head->values_across + panels;
	head->scores = head->keys + panels;
	head->dscores = head->scores + QUERIES * head->width;
	head->queries = head->dscores + QUERIES * head->width;
	head->dout = head->queries + QUERIES * padded(attention->head_dim);
	pack_segments(head, head->keys_across, attention->keys, true);
	pack_segments(head, head->values_across, attention->values, true);
	pack_segments(head, head->keys, attention->keys, false);
}

/* The row of the segment that a query stands at. */
static size_t
place_of(const Head *head, const SrmBranch *segment, size_t query)
{
	const uint32_t *index = head->attention->index;

	return (index == NULL ? query : index[query]) - segment->first;
}

static size_t
query_offset(const Head *head, const QueryTile *tile)
{
	return (tile->first * head->attention->n_heads + tile->head) * head->attention->head_dim;
}

/*
 * out (n, n_past + n_seen) = the tile's rows of x times the rows of the past
 * and of the segment; columns behind them are of no meaning.
 */
static void
multiply_across(const Head *head, const QueryTile *tile, float *out, const float *x, const float *panels)
{
	const SrmTreeAttention *attention = head->attention;
	const SrmBranch *segment = tile->segment;
	size_t		stride = attention->n_heads * attention->head_dim;

	if (segment->n_past > 0)
		srm_kernels->multiply_columns(out, head->width, x, stride, 1, panels,
									tile->n, padded(segment->n_past), attention->head_dim, false);
	srm_kernels->multiply_columns(out + segment->n_past, head->width, x, stride, 1,
								panels + panel_start(head, segment),
								tile->n, padded(tile->n_seen), attention->head_dim, false);
}

/* out (n, head_dim) = weights (n, n_past + n_seen) times the rows of the past and of the segment */
static void
multiply_down(const Head *head, const QueryTile *tile, float *out, const float *weights, const float *panels)
{
	const SrmTreeAttention *attention = head->attention;
	const SrmBranch *segment = tile->segment;
	size_t		stride = attention->n_heads * attention->head_dim;
	size_t		head_dim = attention->head_dim;

	/* The panels of a segment are as deep as it has rows; those of the past are all seen */
	if (segment->n_past > 0)
		srm_kernels->multiply_columns(out, stride, weights, head->width, 1, panels,
									tile->n, head_dim, segment->n_past, false);
	for (size_t first = 0; first < head_dim; first += SRM_PANEL)
	{
		size_t		n = head_dim - first < SRM_PANEL ? head_dim - first : SRM_PANEL;

		srm_kernels->multiply_columns(out + first, stride, weights + segment->n_past, head->width, 1,
									panels + panel_start(head, segment) + first * segment->n,
									tile->n, n, tile->n_seen, segment->n_past > 0);
	}
}

/* Which columns [*start, *end) of its row of scores a query sees. */
static void
find_seen(const Head *head, const QueryTile *tile, size_t i, size_t *start, size_t *end)
{
	size_t		window = head->attention->window;

	*end = tile->segment->n_past + place_of(head, tile->segment, tile->first + i) + 1;
	*start = window > 0 && *end > window ? *end - window : 0;
}

/* Scales and caps the scores that query i sees, and makes zeros of all others. */
static float *
trim_scores(const Head *head, const QueryTile *tile, size_t i, size_t *start, size_t *n)
{
	const SrmTreeAttention *attention = head->attention;
	float	   *scores = head->scores + i * head->width;
	size_t		all = tile->segment->n_past + tile->n_seen;
	size_t		end;

	find_seen(head, tile, i, start, &end);
	*n = end - *start;
	memset(scores, 0, *start * sizeof(float));
	memset(scores + end, 0, (all - end) * sizeof(float));
	scores += *start;
	for (size_t j = 0; j < *n; j++)
		scores[j] *= attention->scale;
	if (attention->softcap > 0)
		srm_kernels->soft_cap(scores, *n, attention->softcap);
	return scores;
}

/*
 * dscores = the gradient of the products from that of the weights, and scores
 * = the weights themselves.  The sum of weights times their gradients is that of out times
 * its gradient.
 */
static void
backward_scores(const Head *head, const QueryTile *tile)
{
	const TreeTask *task = head->task;
	const SrmTreeAttention *attention = head->attention;
	size_t		stride = attention->n_heads * attention->head_dim;
	size_t		offset = query_offset(head, tile);
	size_t		all = tile->segment->n_past + tile->n_seen;

	for (size_t i = 0; i < tile->n; i++)
	{
		size_t		start;
		size_t		n;
		float	   *scores = trim_scores(head, tile, i, &start, &n);
		float	   *dscores = head->dscores + i * head->width;
		float		delta = srm_kernels->dot(task->out + offset + i * stride,
												   task->dout + offset + i * stride, attention->head_dim);
		float		cap = attention->softcap;
		size_t		end = start + n;

		memset(dscores, 0, start * sizeof(float));
		memset(dscores + end, 0, (all - end) * sizeof(float));
		dscores += start;
		/* The slope of the cap, while the capped scores are still there */
		for (size_t j = 0; cap > 0 && j < n; j++)
		{
			float		capped = scores[j] / cap;

			dscores[j] -= delta;
			dscores[j] *= 1.0f - capped * capped;
		}
		srm_kernels->exp_shift(scores, task->logs[(tile->first + i) * attention->n_heads + tile->head], n);
		srm_kernels->softmax_backward(dscores, scores, cap > 0 ? 0.0f : delta, attention->scale, n);
	}
}

/* drows (n_past, head_dim), and of the segment, += weights^T * panels (n, head_dim) */
static void
multiply_back(const Head *head, const QueryTile *tile, float *drows, const float *weights, const float *panels)
{
	const SrmTreeAttention *attention = head->attention;
	const SrmBranch *segment = tile->segment;
	const SrmBranch *past = head->tree->segments;
	size_t		stride = attention->n_kv_heads * attention->head_dim;
	size_t		column = head->kv_head * attention->head_dim;

	if (segment->n_past > 0)
		srm_kernels->multiply_columns(drows + past->first * stride + column, stride, weights, 1, head->width,
									panels, segment->n_past, attention->head_dim, tile->n, true);
	srm_kernels->multiply_columns(drows + segment->first * stride + column, stride,
								weights + segment->n_past, 1, head->width,
								panels, tile->n_seen, attention->head_dim, tile->n, true);
}

static void
backward_tile(const Head *head, const QueryTile *tile)
{
	const TreeTask *task = head->task;
	const SrmTreeAttention *attention = head->attention;
	size_t		stride = attention->n_heads * attention->head_dim;
	size_t		offset = query_offset(head, tile);

	multiply_across(head, tile, head->scores, attention->queries + offset, head->keys_across);
	multiply_across(head, tile, head->dscores, task->dout + offset, head->values_across);
	backward_scores(head, tile);
	multiply_down(head, tile, task->dqueries + offset, head->dscores, head->keys);
	srm_kernels->pack_columns(head->queries, attention->queries + offset, stride, 1,
							attention->head_dim, tile->n);
	srm_kernels->pack_columns(head->dout, task->dout + offset, stride, 1, attention->head_dim, tile->n);
	multiply_back(head, tile, task->dvalues, head->scores, head->dout);
	multiply_back(head, tile, task->dkeys, head->dscores, head->queries);
}

static void
run_segment(const Head *head, const SrmBranch *segment, size_t query_head)
{
	for (size_t first = 0; first < segment->n_queries; first += QUERIES)
	{
		QueryTile	tile = {.segment = segment, .head = query_head, .first = segment->first_query + first};
		size_t		left = segment->n_queries - first;

		tile.n = left < QUERIES ? left : QUERIES;
		tile.n_seen = place_of(head, segment, tile.first + tile.n - 1) + 1;
		backward_tile(head, &tile);
	}
}

static void
clear_gradients(const Head *head)
{
	const SrmTreeAttention *attention = head->attention;
	size_t		stride = attention->n_kv_heads * attention->head_dim;
	size_t		start = head->tree->segments[0].first * stride + head->kv_head * attention->head_dim;

	for (size_t i = 0; i < head->n_rows; i++)
	{
		memset(head->task->dkeys + start + i * stride, 0, attention->head_dim * sizeof(float));
		memset(head->task->dvalues + start + i * stride, 0, attention->head_dim * sizeof(float));
	}
}

static void
run_head(void *arg, size_t number, int thread)
{
	const TreeTask *task = arg;
	const SrmTreeAttention *attention = task->attention;
	size_t		n_shared = attention->n_heads / attention->n_kv_heads;
	Head		head = {.task = task, .attention = attention};

	head.tree = &attention->trees[number / attention->n_kv_heads];
	head.kv_head = number % attention->n_kv_heads;
	head.n_rows = tree_rows(head.tree);
	start_head(&head, srm_threads_scratch(task->threads, thread));
	clear_gradients(&head);
	for (size_t i = 0; i < head.tree->n_segments; i++)
		for (size_t j = 0; j < n_shared; j++)
			run_segment(&head, &head.tree->segments[i], head.kv_head * n_shared + j);
}

bool
srm_tree_attention_backward(float *dqueries, float *dkeys, float *dvalues,
							const float *dout, const float *out, const float *logs,
							const SrmTreeAttention *attention,
							SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	TreeTask	task = {.attention = attention, .out = out, .logs = logs,
		.dout = dout, .dqueries = dqueries, .dkeys = dkeys, .dvalues = dvalues, .threads = threads
	};
	size_t		needed = 0;

	for (size_t i = 0; i < attention->n_trees; i++)
	{
		const SrmTree *tree = &attention->trees[i];
		size_t		floats = head_floats(tree_rows(tree), tree->n_segments, attention->head_dim);

		needed = floats > needed ? floats : needed;
	}
	return srm_threads_reserve(threads, needed * sizeof(float), status) &&
		srm_threads_run_or_stop(threads, attention->n_trees * attention->n_kv_heads,
								run_head, &task, stop, status);
}
