/*-------------------------------------------------------------------------
 *
 * kernels_openblas.c
 *	  Products of floats by OpenBLAS, for processors that no other set knows.
 *
 * The library is loaded by the first product that needs it, so never in the postmaster.
 * It computes in tiles of a few heights, whatever the number of rows, and has shown before
 * that a row has the same bits in all places of all of them, and whatever number of zeros follows
 * its lanes: with 0.3.21 on Haswell and Zen that is not so for 12 and 24 rows, and on Sapphire Rapids not for
 * 512 lanes, whose sums it divides by their number.  It rearranges a panel at each call, which is why tiles are
 * higher than those of other sets where they may be.
 * Without it, or where no height does, the plain loops compute.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"

#define LIBRARY			"libopenblas.so.0"
#define THREADS			"OPENBLAS_NUM_THREADS"
#define SEQUENTIAL		0		/* of openblas_get_parallel(): built without threads */
#define ROW_MAJOR		101		/* of cblas.h, which need not be here */
#define NO_TRANSPOSE	111
#define LANES			256		/* at a time; SRM_LANES_BLOCK is a multiple of it */
#define TOLERANCE		1e-4f	/* of sums of up to LANES products below 1 */

typedef void (*Sgemm) (int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
					   const float *a, int a_stride, const float *b, int b_stride, float beta,
					   float *c, int c_stride);

#define MAX_ROWS		SRM_OPENBLAS_ROWS

typedef float Rows[MAX_ROWS][LANES];
typedef float Sums[MAX_ROWS][SRM_PANEL];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static Sgemm sgemm = NULL;

/* The heights of tiles that are fit, ascending; none: the plain loops compute */
static const size_t candidates[] = {8, SRM_TILE_ROWS, MAX_ROWS};
#define N_CANDIDATES	(sizeof(candidates) / sizeof(candidates[0]))
static size_t heights[N_CANDIDATES];
static size_t n_heights = 0;

/* A library that was built without threads may not lock what its calls share. */
static bool takes_turns = false;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* sums (height) = the first n lanes of rows (height) times those of a panel */
static void
multiply_block(Sums sums, const Rows rows, size_t height, const float *panel, size_t n)
{
	if (takes_turns)
		pthread_mutex_lock(&turn);
	sgemm(ROW_MAJOR, NO_TRANSPOSE, NO_TRANSPOSE, (int) height, SRM_PANEL, (int) n, 1.0f,
		  rows[0], LANES, panel, SRM_PANEL, 0.0f, sums[0], SRM_PANEL);
	if (takes_turns)
		pthread_mutex_unlock(&turn);
}

/* Equal rows, and a panel */
typedef struct Trial
{
	Rows		rows;
	float		panel[LANES][SRM_PANEL];
} Trial;

/* Whether rows get the bits in expected, which are near the plain sums. */
static bool
is_right(const Trial *trial, size_t n, size_t height, const float *expected)
{
	Sums		sums;

	multiply_block(sums, trial->rows, height, trial->panel[0], n);
	for (size_t r = 0; r < height; r++)
		if (memcmp(sums[r], expected, sizeof(sums[r])) != 0)
			return false;
	for (size_t j = 0; j < SRM_PANEL; j++)
	{
		float		sum = 0;

		for (size_t k = 0; k < n; k++)
			sum += trial->rows[0][k] * trial->panel[k][j];
		if (!(fabsf(expected[j] - sum) <= TOLERANCE))
			return false;
	}
	return true;
}

/* Whether rows of n lanes have the same bits where zeros follow, up to all lanes. */
static bool
is_padded_right(const Trial *trial, size_t n, size_t height, const float *expected)
{
	Rows		rows = {{0}};

	for (size_t r = 0; r < height; r++)
		memcpy(rows[r], trial->rows[r], n * sizeof(float));
	for (size_t padded = n + SRM_LANES_UNIT; padded <= LANES; padded += SRM_LANES_UNIT)
	{
		Sums		sums;

		multiply_block(sums, rows, height, trial->panel[0], padded);
		for (size_t r = 0; r < height; r++)
			if (memcmp(sums[r], expected, sizeof(sums[r])) != 0)
				return false;
	}
	return true;
}

/* Whether a height gives the bits of the first row of the lowest one, for all numbers of lanes that occur */
static bool
is_fit(const Trial *trial, size_t height)
{
	for (size_t n = SRM_LANES_UNIT; n <= LANES; n += SRM_LANES_UNIT)
	{
		Sums		lowest;

		multiply_block(lowest, trial->rows, n_heights > 0 ? heights[0] : height, trial->panel[0], n);
		if (!is_right(trial, n, height, lowest[0]) || !is_padded_right(trial, n, height, lowest[0]))
			return false;
	}
	return true;
}

/* -0.5 .. 0.5 */
static float
next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return (float) (*state >> 8) * 0x1p-24f - 0.5f;
}

static void
find_heights(void)
{
	static Trial trial;
	uint32_t	random = 1;

	for (size_t k = 0; k < LANES; k++)
	{
		trial.rows[0][k] = next_random(&random);
		for (size_t r = 1; r < MAX_ROWS; r++)
			trial.rows[r][k] = trial.rows[0][k];
		for (size_t j = 0; j < SRM_PANEL; j++)
			trial.panel[k][j] = next_random(&random);
	}
	for (size_t i = 0; i < N_CANDIDATES; i++)
		if (is_fit(&trial, candidates[i]))
			heights[n_heights++] = candidates[i];
}

/* What the library says of itself, or what is meant where it is too old to say it. */
static int
ask_parallel(void *library)
{
	int			(*get_parallel) (void) = (int (*) (void)) dlsym(library, "openblas_get_parallel");

	return get_parallel == NULL ? SEQUENTIAL : get_parallel();
}

/*
 * Threads that it starts as it is loaded would stay: it looks at the environment for their
 * number.  Should there be one nevertheless, signals are not for it, but for the server's thread.
 */
static void *
open_library(void)
{
	const char *value = getenv(THREADS);
	char	   *kept = value == NULL ? NULL : strdup(value);
	sigset_t	all;
	sigset_t	mask;
	void	   *library;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	setenv(THREADS, "1", 1);
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (kept == NULL)
		unsetenv(THREADS);
	else
		setenv(THREADS, kept, 1);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	free(kept);
	return library;
}

static void
load_library(void)
{
	void	   *library = open_library();
	void		(*set_num_threads) (int);

	if (library == NULL)
		return;
	set_num_threads = (void (*) (int)) dlsym(library, "openblas_set_num_threads");
	if (set_num_threads != NULL)
		set_num_threads(1);
	takes_turns = ask_parallel(library) == SEQUENTIAL;
	sgemm = (Sgemm) dlsym(library, "cblas_sgemm");
	if (sgemm != NULL)
		find_heights();
}

bool
srm_openblas_is_used(void)
{
	pthread_once(&once, load_library);
	return n_heights > 0;
}

/* How many rows are computed at once where so many are left */
static size_t
choose_height(size_t left)
{
	for (size_t i = 0; i < n_heights; i++)
		if (heights[i] >= left)
			return heights[i];
	return heights[n_heights - 1];
}

/* rows (height) = n lanes from x on; zeros where there is no row */
static void
copy_rows(Rows rows, size_t height, const char *x, size_t x_stride, size_t m, size_t n)
{
	for (size_t r = 0; r < height; r++)
		if (r < m)
			memcpy(rows[r], x + r * x_stride, n * sizeof(float));
		else
			memset(rows[r], 0, n * sizeof(float));
}

/* Rows first .. first + m - 1 of a tile, m at most height */
static void
multiply_rows(const SrmTile *tile, size_t first, size_t m, size_t height)
{
	const char *x = tile->x + first * tile->x_stride;
	float	   *out = tile->out + first * tile->out_stride;
	Sums		totals = {{0}};

	for (size_t start = 0; start < tile->lanes; start += LANES)
	{
		size_t		n = srm_smaller(tile->lanes - start, LANES);
		Rows		rows;
		Sums		sums;

		copy_rows(rows, height, x + start * sizeof(float), tile->x_stride, m, n);
		multiply_block(sums, rows, height, (const float *) tile->panel + start * SRM_PANEL, n);
		for (size_t r = 0; r < m; r++)
			for (size_t j = 0; j < SRM_PANEL; j++)
				totals[r][j] += sums[r][j];
	}
	for (size_t r = 0; r < m; r++)
		for (size_t j = 0; j < tile->n; j++)
			out[r * tile->out_stride + j] = totals[r][j] + (tile->bias == NULL ? 0.0f : tile->bias[j]);
}

void
srm_multiply_f32_openblas(const SrmTile *tile)
{
	size_t		height;

	if (!srm_openblas_is_used())
	{
		srm_kernels_portable.multiply[SRM_COMPUTE_F32] (tile);
		return;
	}
	for (size_t row = 0; row < tile->m; row += height)
	{
		height = choose_height(tile->m - row);
		multiply_rows(tile, row, srm_smaller(tile->m - row, height), height);
	}
}
