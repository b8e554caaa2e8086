/*-------------------------------------------------------------------------
 *
 * relative.c
 *	  What relative positions add to the scores of attention.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/relative.h"

#include <math.h>

#include "base/sizes.h"
#include "kernel/kernels.h"
#include "kernel/linear.h"
#include "kernel/pack.h"
#include "nn/cache.h"

/*
 * Distances up to half of the buckets have their own, and those behind share them, the more the
 * farther they are.  In floats, as transformers does, since a rounded quotient decides.
 */
static int64_t
bucket_of(const SrmRelative *relative, int64_t distance)
{
	int64_t		mid = (int64_t) relative->n_buckets / 2;
	int64_t		magnitude = distance < 0 ? -distance : distance;
	float		share;

	if (relative->n_buckets == 0 || magnitude <= mid)
		return distance;
	share = logf((float) magnitude / (float) mid) /
		logf((float) (((double) relative->max_distance - 1) / (double) mid));
	magnitude = (int64_t) ceilf(share * (float) (mid - 1)) + mid;
	return distance < 0 ? -magnitude : magnitude;
}

size_t
srm_relative_row(const SrmRelative *relative, int64_t distance)
{
	int64_t		span = (int64_t) relative->span;
	int64_t		row = bucket_of(relative, distance) + span;

	return row < 0 ? 0 : row >= 2 * span ? (size_t) (2 * span - 1) : (size_t) row;
}

bool
srm_distances_begin(SrmDistances *distances, const SrmDecoder *decoder, size_t n_tokens,
					SrmArena *arena, SrmStatus *status)
{
	const SrmRelative *relative = &decoder->relative;
	int64_t		farthest = (int64_t) n_tokens - 1;
	uint32_t   *columns = srm_arena_array(arena, 2 * n_tokens, sizeof(uint32_t), status);

	if (columns == NULL)
		return false;
	distances->first = srm_relative_row(relative, -farthest);
	distances->n = srm_relative_row(relative, farthest) - distances->first + 1;
	distances->width = srm_keys_capacity(distances->n);
	for (int64_t d = -farthest; d <= farthest; d++)
		columns[d + farthest] = (uint32_t) (srm_relative_row(relative, d) - distances->first);
	distances->columns = columns + farthest;
	return true;
}

size_t
srm_distances_bytes(const SrmDistances *distances, const SrmDecoder *decoder)
{
	size_t		bytes = srm_pack_bytes(SRM_PACKING_F32, distances->width, decoder->head_dim);

	return bytes > SIZE_MAX / decoder->n_heads ? 0 : bytes * decoder->n_heads;
}

/* A panel of both. */
static void
pack_panel(void *arg, size_t number, int thread)
{
	SrmDistances *distances = arg;
	size_t		first = number * SRM_PANEL;
	size_t		n = srm_smaller(distances->n - first, SRM_PANEL);
	size_t		start = first * distances->keys.n_heads * distances->keys.head_dim;

	(void) thread;
	srm_keys_write_keys(&distances->keys, first, n, distances->key_rows + start);
	srm_keys_write_keys(&distances->queries, first, n, distances->query_rows + start);
}

bool
srm_distances_enter(SrmDistances *distances, const SrmDecoder *decoder, const SrmLayer *layer,
					SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	const float *rows = decoder->relative.embedding + distances->first * decoder->dim;
	SrmLinear	maps[] = {
		{distances->key_rows, rows, &layer->key, layer->key_bias},
		{distances->query_rows, rows, &layer->query, layer->query_bias}
	};
	SrmKeys		shape = srm_decoder_keys(decoder, layer);

	shape.capacity = distances->width;
	shape.keys = (char *) distances->key_memory;
	distances->keys = shape;
	shape.keys = (char *) distances->query_memory;
	distances->queries = shape;
	return srm_linears_forward(maps, 2, distances->n, threads, stop, status) &&
		srm_threads_run_or_stop(threads, distances->width / SRM_PANEL, pack_panel, distances, stop, status);
}

typedef struct Products
{
	float	   *out;
	const float *rows;
	size_t		n;
	size_t		n_columns;
	size_t		width;
	const SrmKeys *packed;
	SrmThreads *threads;
} Products;

/* Rows of a tile with one head. */
static void
multiply_rows(void *arg, size_t number, int thread)
{
	const Products *products = arg;
	const SrmKeys *packed = products->packed;
	size_t		head = number % packed->n_heads;
	size_t		first = number / packed->n_heads * SRM_TILE_ROWS;
	char	   *rows = srm_threads_scratch(products->threads, thread);
	SrmTile		tile = {
		.out_stride = packed->n_heads * products->width,.m = srm_smaller(products->n - first, SRM_TILE_ROWS),
		.lanes = srm_pack_lanes(srm_packing_of(packed->compute), packed->head_dim),
		.x = rows,.x_stride = srm_pack_row_bytes(srm_packing_of(packed->compute), packed->head_dim),.prefetch = rows
	};

	for (size_t i = 0; i < tile.m; i++)
		srm_kernels->pack_row[packed->compute] (rows + i * tile.x_stride,
												products->rows + ((first + i) * packed->n_heads + head) * packed->head_dim,
												packed->head_dim);
	for (size_t column = 0; column < products->width; column += SRM_PANEL)
	{
		tile.n = srm_smaller(products->n_columns - column, SRM_PANEL);
		tile.out = products->out + (first * packed->n_heads + head) * products->width + column;
		tile.panel = srm_keys_panel(packed, head, column);
		srm_kernels->multiply[packed->compute] (&tile);
	}
}

bool
srm_distances_multiply(float *out, const SrmDistances *distances, const SrmKeys *packed, const float *rows,
					   size_t n, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	Products	products = {out, rows, n, distances->n, distances->width, packed, threads};

	return srm_threads_reserve(threads, SRM_TILE_ROWS * srm_pack_row_bytes(srm_packing_of(packed->compute), packed->head_dim), status) &&
		srm_threads_run_or_stop(threads, srm_divide_up(n, SRM_TILE_ROWS) * packed->n_heads, multiply_rows,
								&products, stop, status);
}
