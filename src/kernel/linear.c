/*-------------------------------------------------------------------------
 *
 * linear.c
 *	  Products of activations with weights, in panels.
 *
 * The rows of x are packed once for all maps that read them.  Then a task is
 * the product of a group of rows with a few panels of weights, computed by one thread, tile by
 * tile.  There are as many groups as threads where rows are not too few, since weights are read once for each
 * group: a thread then works on the rows that it has made.  Weights that are not packed are packed a panel at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/linear.h"

#include <string.h>

#include "base/sizes.h"
#include "kernel/kernels.h"
#include "kernel/pack.h"

#define ROWS_PER_TASK	8			/* to be packed */
#define LANE_BYTES		4
#define MIN_GROUP_ROWS	32
#define TASKS_PER_THREAD	8		/* and group of rows */
#define MOMENT_COLS		128		/* a task sums, */
#define MOMENT_ROWS		128		/* of so many rows at a time */
#define TASK_BYTES		(192 * 1024) /* of panels, which stay in a processor's second cache */

/* A map, and where its rows lie packed. */
typedef struct Map
{
	SrmLinear	linear;
	SrmCompute	compute;
	SrmPacking	packing;		/* of what is multiplied */
	SrmPacking	stored_packing; /* of panels where they lie */
	size_t		panel_bytes;	/* of a panel that is multiplied */
	size_t		stored_bytes;	/* of one where it lies */
	size_t		panels_per_task;
	size_t		n_panels;
	char	   *x;				/* (m) packed rows */
	size_t		x_stride;
	bool		shares_x;		/* with the map before */
} Map;

typedef struct LinearTask
{
	Map			maps[SRM_MAX_LINEARS];
	size_t		n_maps;
	size_t		first_task[SRM_MAX_LINEARS + 1];	/* of a group's tasks */
	size_t		m;
	size_t		n_groups;
	const SrmRowSource *source; /* or NULL */
	const Map  *gathered;		/* whose moments are summed */
	SrmThreads *threads;
} LinearTask;

/* A row of the source: where it will lie packed if the first map wants floats, which are packed as they are. */
static float *
read_source(const LinearTask *linear, size_t row, int thread)
{
	const Map  *map = linear->maps;
	float	   *place = srm_threads_scratch(linear->threads, thread);

	if (map->compute == SRM_COMPUTE_F32)
		place = (float *) (void *) (map->x + row * map->x_stride);
	linear->source->read(linear->source->arg, row, place);
	return place;
}

/* One row packed for one map, from x (cols), which may lie there already */
static void
pack_row(const Map *map, size_t row, const float *x)
{
	char	   *packed = map->x + row * map->x_stride;
	size_t		cols = map->linear.w->cols;

	if (x != (const float *) (const void *) packed)
		srm_kernels->pack_row[map->compute] (packed, x, cols);
	else
		memset((float *) (void *) packed + cols, 0, (srm_pack_lanes(SRM_PACKING_F32, cols) - cols) * sizeof(float));
}

/* Packs some rows, once for each kind of arithmetic that reads them. */
static void
pack_rows(void *arg, size_t task, int thread)
{
	const LinearTask *linear = arg;
	size_t		end = srm_smaller((task + 1) * ROWS_PER_TASK, linear->m);

	for (size_t row = task * ROWS_PER_TASK; row < end; row++)
	{
		const float *read = linear->source == NULL ? NULL : read_source(linear, row, thread);

		for (const Map *map = linear->maps; map < linear->maps + linear->n_maps; map++)
			if (!map->shares_x)
				pack_row(map, row, read != NULL ? read : map->linear.x + row * map->linear.w->cols);
	}
}

/* Whether panels can be multiplied where they lie. */
static bool
is_ready(const Map *map)
{
	return map->linear.w->packed != NULL && map->stored_packing == map->packing;
}

/* n panels from number first on: where they lie, or packed or unpacked into scratch. */
static const char *
find_panels(const Map *map, size_t first, size_t n, char *scratch)
{
	const SrmMatrix *w = map->linear.w;
	const char *stored = (const char *) w->packed + first * map->stored_bytes;

	if (is_ready(map))
		return stored;
	for (size_t i = 0; i < n; i++)
	{
		char	   *panel = scratch + i * map->panel_bytes;

		if (w->packed == NULL)
			srm_pack_panel(panel, w, map->packing, first + i);
		else
			srm_kernels->unpack[map->stored_packing] ((float *) (void *) panel, stored + i * map->stored_bytes,
													  srm_pack_lanes(map->packing, w->cols),
													  srm_pack_lanes(map->stored_packing, w->cols));
	}
	return scratch;
}

/* What a thread that has done this task of a group is likely to read next. */
static const char *
find_next_panel(const LinearTask *linear, size_t task)
{
	const Map  *map = linear->maps;
	size_t		number;

	/* Threads that share a group take turns */
	task += srm_divide_up((size_t) srm_threads_count(linear->threads), linear->n_groups);
	if (task >= linear->first_task[linear->n_maps])
		return NULL;
	for (number = 0; task >= linear->first_task[number + 1]; number++)
		map++;
	if (map->linear.w->packed == NULL)
		return NULL;
	return (const char *) map->linear.w->packed +
		(task - linear->first_task[number]) * map->panels_per_task * map->stored_bytes;
}

/* Rows of activations that one task multiplies. */
typedef struct Group
{
	size_t		first;
	size_t		m;
} Group;

static Group
group_of(const LinearTask *linear, size_t number)
{
	size_t		first = number * linear->m / linear->n_groups;

	return (Group) {first, (number + 1) * linear->m / linear->n_groups - first};
}

/* Lanes from start on that a group of rows is multiplied with at a time */
static size_t
part_of(const Map *map, size_t start)
{
	size_t		left = srm_pack_lanes(map->packing, map->linear.w->cols) - start;

	return map->compute == SRM_COMPUTE_F32 && srm_kernels->part_lanes > 0 ?
		srm_smaller(left, srm_kernels->part_lanes) : left;
}

/*
 * A group of rows, in tiles as equal as can be, times lanes from start on of n panels from
 * number first on: each tile with all of them, so that rows are fetched once.
 */
static void
multiply_part(const Map *map, Group group, size_t first, size_t n, size_t start,
			  const char *panels, const char *next)
{
	const SrmMatrix *w = map->linear.w;
	size_t		all = srm_pack_lanes(map->packing, w->cols);
	size_t		n_tiles = srm_divide_up(group.m, srm_kernels->tile_rows[map->compute]);
	size_t		height = group.m / n_tiles;
	size_t		n_higher = group.m % n_tiles;	/* tiles that take one row more */
	SrmTile		tile = {
		.out_stride = w->rows, .x = map->x + group.first * map->x_stride + start * LANE_BYTES,
		.x_stride = map->x_stride, .lanes = part_of(map, start), .adds = start > 0
	};
	size_t		row = group.first;

	/* Each tile of each part fetches its share of the next panels, spread over its lanes */
	tile.is_part = start + tile.lanes < all;
	tile.prefetch_step = next == NULL ? 0 : srm_divide_up(map->stored_bytes, all * n_tiles);
	for (size_t i = 0; i < n_tiles; i++)
	{
		tile.m = height + (i < n_higher);
		for (size_t j = 0; j < n; j++)
		{
			size_t		column = (first + j) * SRM_PANEL;

			tile.panel = panels + j * map->panel_bytes + start * SRM_PANEL * LANE_BYTES;
			tile.n = srm_smaller(w->rows - column, SRM_PANEL);
			tile.bias = map->linear.bias == NULL ? NULL : map->linear.bias + column;
			tile.out = map->linear.out + row * w->rows + column;
			tile.prefetch = next == NULL ? tile.x :
				next + j * map->stored_bytes + (start * n_tiles + i * tile.lanes) * tile.prefetch_step;
			srm_kernels->multiply[map->compute] (&tile);
		}
		row += tile.m;
		tile.x += tile.m * map->x_stride;
	}
}

/* The same of all lanes */
static void
multiply_panels(const Map *map, Group group, size_t first, size_t n,
				const char *panels, const char *next)
{
	size_t		lanes = srm_pack_lanes(map->packing, map->linear.w->cols);

	for (size_t start = 0; start < lanes; start += part_of(map, start))
		multiply_part(map, group, first, n, start, panels, next);
}

/* Tasks count the panels of all maps for the first group of rows, then for the next. */
static void
forward_panels(void *arg, size_t task, int thread)
{
	LinearTask *linear = arg;
	size_t		n_tasks = linear->first_task[linear->n_maps];
	Group		group = group_of(linear, task / n_tasks);
	const Map  *map = linear->maps;
	size_t		first;
	size_t		n;
	size_t		number = 0;

	task %= n_tasks;
	for (; task >= linear->first_task[number + 1]; number++)
		map++;
	first = (task - linear->first_task[number]) * map->panels_per_task;
	n = srm_smaller(map->panels_per_task, map->n_panels - first);
	multiply_panels(map, group, first, n,
					find_panels(map, first, n, srm_threads_scratch(linear->threads, thread)),
					find_next_panel(linear, task));
}

/* moments += x^T x, for some of their columns */
static void
sum_moments(void *arg, size_t task, int thread)
{
	const LinearTask *linear = arg;
	const Map  *map = linear->gathered;
	const SrmMatrix *w = map->linear.w;
	const float *x = (const float *) (const void *) map->x;
	size_t		stride = map->x_stride / sizeof(float);
	size_t		col = task * MOMENT_COLS;
	size_t		n = srm_smaller(w->cols - col, MOMENT_COLS);
	float	   *panels = srm_threads_scratch(linear->threads, thread);

	for (size_t row = 0; row < linear->m; row += MOMENT_ROWS)
	{
		size_t		n_rows = srm_smaller(linear->m - row, MOMENT_ROWS);

		srm_kernels->pack_columns(panels, x + row * stride + col, stride, 1, n, n_rows);
		srm_kernels->multiply_columns(w->moments + col, w->cols, x + row * stride, 1, stride, panels,
									  w->cols, n, n_rows, true);
	}
}

/* What calibration wants to know of the rows that were packed, see SrmMatrix. */
static bool
gather_moments(LinearTask *linear, const SrmStop *stop, SrmStatus *status)
{
	for (size_t i = 0; i < linear->n_maps; i++)
	{
		const Map  *map = &linear->maps[i];

		if (map->linear.w->moments == NULL || map->compute != SRM_COMPUTE_F32)
			continue;
		linear->gathered = map;
		if (!srm_threads_reserve(linear->threads, MOMENT_ROWS * MOMENT_COLS * sizeof(float), status) ||
			!srm_threads_run_or_stop(linear->threads, srm_divide_up(map->linear.w->cols, MOMENT_COLS), sum_moments,
									 linear, stop, status))
			return false;
	}
	return true;
}

/* Says how a map is computed; false where sizes do not fit. */
static bool
plan_map(Map *map, const SrmLinear *linear, size_t m, size_t n_tasks, SrmStatus *status)
{
	const SrmMatrix *w = linear->w;

	map->linear = *linear;
	map->compute = w->packed == NULL ? SRM_COMPUTE_F32 : srm_compute_products(w->compute);
	map->packing = srm_packing_of(map->compute);
	map->stored_packing = w->packed == NULL ? SRM_PACKING_F32 : w->packing;
	map->panel_bytes = srm_pack_panel_bytes(map->packing, w->cols);
	map->stored_bytes = srm_pack_panel_bytes(map->stored_packing, w->cols);
	map->n_panels = srm_divide_up(w->rows, SRM_PANEL);
	map->x_stride = srm_pack_row_bytes(map->packing, w->cols);
	if (map->panel_bytes == 0 || m > SIZE_MAX / 4 / SRM_MAX_LINEARS / map->x_stride)
		return srm_fail(status, SRM_LIMIT_EXCEEDED, "a matrix of %zu x %zu is too large",
						w->rows, w->cols);
	map->panels_per_task = TASK_BYTES / map->panel_bytes;
	if (n_tasks > 1)
		map->panels_per_task = srm_smaller(map->panels_per_task, map->n_panels / n_tasks);
	map->panels_per_task += map->panels_per_task == 0;
	return true;
}

/* Room for the packed rows, and for the panels that have to be packed. */
static bool
reserve_memory(LinearTask *linear, SrmStatus *status)
{
	size_t		x_bytes = 0;
	size_t		scratch_bytes = 0;
	char	   *x;

	for (size_t i = 0; i < linear->n_maps; i++)
	{
		const Map  *map = &linear->maps[i];

		x_bytes += map->shares_x ? 0 : linear->m * map->x_stride;
		if (!is_ready(map) && map->panels_per_task * map->panel_bytes > scratch_bytes)
			scratch_bytes = map->panels_per_task * map->panel_bytes;
		if (linear->source != NULL && map->linear.w->cols * sizeof(float) > scratch_bytes)
			scratch_bytes = map->linear.w->cols * sizeof(float);
	}
	x = srm_threads_shared(linear->threads, x_bytes, status);
	if (x == NULL || !srm_threads_reserve(linear->threads, scratch_bytes, status))
		return false;
	for (size_t i = 0; i < linear->n_maps; i++)
	{
		Map		   *map = &linear->maps[i];

		map->x = map->shares_x ? map[-1].x : x;
		x += map->shares_x ? 0 : linear->m * map->x_stride;
	}
	return true;
}

bool
srm_linears_forward_from(const SrmLinear *maps, size_t n_maps, size_t m,
						 const SrmRowSource *source, SrmThreads *threads,
						 const SrmStop *stop, SrmStatus *status)
{
	LinearTask	linear = {.n_maps = n_maps, .m = m, .source = source, .threads = threads};
	size_t		n_threads = (size_t) srm_threads_count(threads);
	size_t		n_tasks;		/* at least, of a map and group */

	if (m == 0)
		return true;
	linear.n_groups = srm_smaller(n_threads, m / MIN_GROUP_ROWS);
	linear.n_groups += linear.n_groups == 0;
	n_tasks = n_threads == 1 ? 1 : TASKS_PER_THREAD * srm_divide_up(n_threads, linear.n_groups);
	for (size_t i = 0; i < n_maps; i++)
	{
		Map		   *map = &linear.maps[i];

		if (!plan_map(map, &maps[i], m, n_tasks, status))
			return false;
		map->shares_x = i > 0 && map[-1].compute == map->compute &&
			(source != NULL || map[-1].linear.x == map->linear.x) &&
			map[-1].linear.w->cols == map->linear.w->cols;
		linear.first_task[i + 1] = linear.first_task[i] + srm_divide_up(map->n_panels, map->panels_per_task);
	}
	return reserve_memory(&linear, status) &&
		srm_threads_run_or_stop(threads, srm_divide_up(m, ROWS_PER_TASK), pack_rows, &linear, stop, status) &&
		gather_moments(&linear, stop, status) &&
		srm_threads_run_or_stop(threads, linear.n_groups * linear.first_task[n_maps], forward_panels,
								&linear, stop, status);
}

bool
srm_linears_forward(const SrmLinear *maps, size_t n_maps, size_t m,
					SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	return srm_linears_forward_from(maps, n_maps, m, NULL, threads, stop, status);
}
