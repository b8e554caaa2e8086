/*-------------------------------------------------------------------------
 *
 * bench_products.c
 *	  Products of activations with weights alone: operations in a second.
 *
 *	  bench_products [ROWS [THREADS]]		128 and 1 by default
 *
 * The shapes are those of a 0.6B model.  Products multiply with many copies of
 * the weights in turn, as the layers of a model are, and pack the activations.  A tile is one call
 * of the kernel on what is in the caches.  SRM_KERNELS chooses the kernels.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <time.h>

#include "../kernels_environment.h"
#include "../median.h"
#include "../unit/products.h"
#include "../unit/random_decoder.h"
#include "kernel/kernels.h"
#include "kernel/linear.h"
#include "kernel/pack.h"

#define N_RUNS		15
#define N_COPIES	24			/* 48 MB at least */
#define N_TILES		2000

typedef struct Shape
{
	size_t		rows;			/* of the weights: outputs */
	size_t		cols;
} Shape;

static const Shape shapes[] = {{2048, 1024}, {1024, 2048}, {3072, 1024}, {1024, 3072}};

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

/* Operations in a second of products with the matrices (N_COPIES) in turn. */
static double
measure_products(const SrmMatrix *matrices, float *out, const float *x, size_t m, SrmThreads *threads)
{
	double		rates[N_RUNS];
	SrmStatus	status;

	srm_status_init(&status);
	for (size_t run = 0; run < N_RUNS; run++)
	{
		double		start = now();

		for (size_t i = 0; i < N_COPIES; i++)
			forward_linear(out, x, &matrices[i], NULL, m, threads, &status);
		rates[run] = 2.0 * (double) (matrices[0].rows * matrices[0].cols * m * N_COPIES) / (now() - start);
	}
	return median(rates, N_RUNS);
}

/* The same of one tile with the first panel of a matrix, by one thread; x (as many rows as a tile of the kind has, cols) */
static double
measure_tile(const SrmMatrix *matrix, float *out, const float *x, SrmArena *arena)
{
	double		rates[N_RUNS];
	SrmStatus	status;
	SrmTile		tile = {
		.out = out, .out_stride = SRM_PANEL, .x_stride = srm_pack_row_bytes(srm_packing_of(matrix->compute), matrix->cols),
		.panel = matrix->packed, .lanes = srm_pack_lanes(srm_packing_of(matrix->compute), matrix->cols),
		.m = srm_kernels->tile_rows[matrix->compute], .n = SRM_PANEL
	};
	char	   *rows;

	srm_status_init(&status);
	rows = srm_arena_array(arena, tile.m, tile.x_stride, &status);
	if (rows == NULL)
		return 0;
	for (size_t i = 0; i < tile.m; i++)
		srm_kernels->pack_row[matrix->compute] (rows + i * tile.x_stride, x + i * matrix->cols, matrix->cols);
	tile.x = tile.prefetch = rows;
	for (size_t run = 0; run < N_RUNS; run++)
	{
		double		start = now();

		for (size_t i = 0; i < N_TILES; i++)
			srm_kernels->multiply[matrix->compute] (&tile);
		rates[run] = 2.0 * (double) (tile.m * SRM_PANEL * matrix->cols * N_TILES) / (now() - start);
	}
	return median(rates, N_RUNS);
}

/* One shape and kind of arithmetic; all memory is the arena's. */
static void
bench_shape(const Shape *shape, SrmCompute compute, size_t m, SrmThreads *threads, SrmArena *arena)
{
	RandomState state = {.arena = arena, .seed = 1};
	SrmMatrix	copies[N_COPIES];
	size_t		n_rows = m > srm_kernels->tile_rows[compute] ? m : srm_kernels->tile_rows[compute];
	float	   *x = random_vector(&state, n_rows * shape->cols, 0.0f, 1.0f);
	float	   *out = random_vector(&state, n_rows * shape->rows, 0.0f, 1.0f);

	for (size_t i = 0; i < N_COPIES; i++)
	{
		copies[i] = random_matrix(&state, shape->rows, shape->cols, SRM_BF16);
		pack_matrix(&copies[i], compute, arena);
	}
	printf("%-4s %zu x %zu: %.0f * 10^9 operations in a second, a tile %.0f\n",
		   srm_compute_name(compute), shape->rows, shape->cols,
		   1e-9 * measure_products(copies, out, x, m, threads), 1e-9 * measure_tile(&copies[0], out, x, arena));
}

int
main(int argc, char **argv)
{
	size_t		m = argc > 1 ? (size_t) strtoul(argv[1], NULL, 10) : 128;
	int			n_threads = argc > 2 ? atoi(argv[2]) : 1;
	SrmStatus	status;
	SrmThreads *threads;

	if (argc > 3 || m < 1 || m > 4096 || n_threads < 1)
	{
		fprintf(stderr, "usage: bench_products [ROWS [THREADS]]\n");
		return 2;
	}
	choose_kernels_of_environment();
	srm_status_init(&status);
	threads = srm_threads_start(n_threads, &status);
	for (SrmCompute compute = SRM_COMPUTE_F32; threads != NULL && compute < SRM_N_PRODUCTS; compute++)
		for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		{
			SrmArena   *arena = srm_arena_create(&status);

			if (arena != NULL)
				bench_shape(&shapes[i], compute, m, threads, arena);
			srm_arena_free(arena);
		}
	srm_threads_end(threads);
	return status.code == SRM_OK ? 0 : 1;
}
