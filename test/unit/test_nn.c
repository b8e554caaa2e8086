/*-------------------------------------------------------------------------
 *
 * test_nn.c
 *	  Tests of matrices, threads, linear maps and rotary position.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "kernel/kernels.h"
#include "kernel/linear.h"
#include "nn/rope.h"
#include "products.h"
#include "random_decoder.h"

/* dtypes */

/* The value of a 16-bit number from its definition. */
static double
value_of_bits(uint16_t bits, int fraction_bits, int bias)
{
	int			fraction = bits & ((1 << fraction_bits) - 1);
	int			exponent = (bits & 0x7FFF) >> fraction_bits;
	double		sign = bits & 0x8000 ? -1 : 1;

	if (exponent == 0x7FFF >> fraction_bits)
		return fraction != 0 ? NAN : sign * INFINITY;
	if (exponent == 0)
		return sign * ldexp(fraction, 1 - bias - fraction_bits);
	return sign * ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

static void
check_all_values(void (*read) (float *, const uint16_t *, size_t), int fraction_bits, int bias)
{
	uint16_t   *bits = allocate(65536 * sizeof(uint16_t));
	float	   *values = allocate(65536 * sizeof(float));

	for (int i = 0; i < 65536; i++)
		bits[i] = (uint16_t) i;
	read(values, bits, 65536);
	for (int i = 0; i < 65536; i++)
	{
		double		expected = value_of_bits((uint16_t) i, fraction_bits, bias);

		if (isnan(expected))
			assert_true(isnan(values[i]));
		else
			assert_true(values[i] == expected && !signbit(values[i]) == !signbit(expected));
	}
}

/* every 16-bit number becomes its exact value */
static void
test_read_every_value(void **state)
{
	(void) state;
	check_all_values(srm_kernels_portable.read_f16, 10, 15);
	check_all_values(srm_kernels_portable.read_bf16, 7, 127);
	check_all_values(srm_kernels->read_f16, 10, 15);
	check_all_values(srm_kernels->read_bf16, 7, 127);
}

/* reading may start anywhere and be of any length */
static void
test_read_pieces(void **state)
{
	uint16_t	halves[64];
	float		all[64];
	SrmMatrix	matrix = {.data = halves, .dtype = SRM_F16, .rows = 1, .cols = 64};

	(void) state;
	for (int i = 0; i < 64; i++)
		halves[i] = (uint16_t) (i * 977);
	srm_matrix_read(&matrix, 0, 64, all);
	for (size_t start = 0; start < 24; start++)
		for (size_t n = 0; n <= 40; n++)
		{
			float		piece[41];

			piece[n] = 7.0f;
			srm_matrix_read(&matrix, start, n, piece);
			assert_memory_equal(piece, all + start, n * sizeof(float));
			assert_true(piece[n] == 7.0f);
		}
}

/* rows of a fused tensor read as one matrix, wherever a read starts and ends */
static void
test_matrix_fused(void **state)
{
	float		tensor[60];		/* (20, 3) */
	float		expected[24];	/* (8, 3): rows 1, 2, 3 of each 7, and no more than 8 */
	SrmMatrix	matrix = {.data = tensor + 3, .dtype = SRM_F32, .rows = 8, .cols = 3,
	.band = 3, .stride = 7};

	(void) state;
	for (int i = 0; i < 60; i++)
		tensor[i] = (float) i;
	for (int i = 0; i < 24; i++)
		expected[i] = (float) ((1 + i / 9 * 7) * 3 + i % 9);
	for (size_t start = 0; start < 24; start++)
		for (size_t n = 0; start + n <= 24; n++)
		{
			float		piece[25];

			piece[n] = 7.0f;
			srm_matrix_read(&matrix, start, n, piece);
			assert_memory_equal(piece, expected + start, n * sizeof(float));
			assert_true(piece[n] == 7.0f);
		}
	assert_int_equal(srm_matrix_band(&matrix, 4), 2);
	assert_int_equal(srm_matrix_band(&matrix, 6), 2);
	matrix.band = matrix.rows;
	assert_int_equal(srm_matrix_row(&matrix, 7), 7);
	assert_int_equal(srm_matrix_band(&matrix, 3), 5);
}

/* threads */

#define N_TASKS		1000

typedef struct Tally
{
	atomic_int	runs[N_TASKS];
	int			n_threads;
	atomic_int	n_strangers;	/* calls with a thread number out of range */
} Tally;

static void
count_run(void *arg, size_t task, int thread)
{
	Tally	   *tally = arg;

	atomic_fetch_add(&tally->runs[task], 1);
	if (thread < 0 || thread >= tally->n_threads)
		atomic_fetch_add(&tally->n_strangers, 1);
}

/* each task runs once, round after round, with any number of threads */
static void
test_threads(void **state)
{
	Tally	   *tally = allocate(sizeof(Tally));

	(void) state;
	for (int n_threads = 0; n_threads <= 5; n_threads++)
	{
		SrmThreads *threads = srm_threads_start(n_threads, &status);

		assert_non_null(threads);
		memset(tally, 0, sizeof(Tally));
		tally->n_threads = srm_threads_count(threads);
		assert_in_range(tally->n_threads, 1, n_threads < 1 ? 1 : n_threads);
		for (size_t round = 0; round < 200; round++)
			srm_threads_run(threads, round * 7 % (N_TASKS + 1), count_run, tally);
		srm_threads_run(threads, N_TASKS, count_run, tally);
		srm_threads_end(threads);

		assert_int_equal(tally->n_strangers, 0);
		for (size_t task = 0; task < N_TASKS; task++)
		{
			int			expected = 1;

			for (size_t round = 0; round < 200; round++)
				expected += task < round * 7 % (N_TASKS + 1);
			assert_int_equal(tally->runs[task], expected);
		}
	}
}

typedef struct StopAfter
{
	int			n_left;
	int			n_asked;
} StopAfter;

static bool
stop_after(void *arg)
{
	StopAfter  *stop = arg;

	stop->n_asked++;
	return stop->n_left-- <= 0;
}

/* once the callback says stop, no task starts, and the threads can run again */
static void
test_threads_stop(void **state)
{
	Tally	   *tally = allocate(sizeof(Tally));

	(void) state;
	for (int n_threads = 1; n_threads <= 3; n_threads++)
	{
		SrmThreads *threads = srm_threads_start(n_threads, &status);
		StopAfter	after = {.n_left = 3};
		SrmStop		stop = {stop_after, &after, NULL};

		assert_non_null(threads);
		memset(tally, 0, sizeof(Tally));
		tally->n_threads = srm_threads_count(threads);
		if (n_threads == 1)
		{
			assert_false(srm_threads_run_or_stop(threads, N_TASKS, count_run, tally, &stop, &status));
			assert_int_equal(status.code, SRM_STOPPED);
			assert_int_equal(tally->runs[2], 1);
			assert_int_equal(tally->runs[3], 0);
			assert_int_equal(after.n_asked, 4);
		}
		else
			(void) srm_threads_run_or_stop(threads, N_TASKS, count_run, tally, &stop, &status);
		srm_status_init(&status);
		memset(tally->runs, 0, sizeof(tally->runs));
		after.n_left = 1000000;
		assert_true(srm_threads_run_or_stop(threads, N_TASKS, count_run, tally, &stop, &status));
		for (size_t task = 0; task < N_TASKS; task++)
			assert_int_equal(tally->runs[task], 1);
		srm_threads_end(threads);
	}
}

/* scratch memory belongs to one thread each, and is aligned */
static void
test_threads_scratch(void **state)
{
	SrmThreads *threads = srm_threads_start(3, &status);
	int			n_threads = srm_threads_count(threads);

	(void) state;
	for (size_t size = 1; size < 100000; size *= 3)
	{
		assert_true(srm_threads_reserve(threads, size, &status));
		for (int i = 0; i < n_threads; i++)
		{
			char	   *scratch = srm_threads_scratch(threads, i);

			assert_int_equal((uintptr_t) scratch % 64, 0);
			memset(scratch, i, size);
		}
		for (int i = 0; i < n_threads; i++)
			assert_int_equal(((char *) srm_threads_scratch(threads, i))[size - 1], i);
	}
	assert_false(srm_threads_reserve(threads, SIZE_MAX / 2, &status));
	assert_int_equal(status.code, SRM_OUT_OF_MEMORY);
	srm_threads_end(threads);
}

/* Threads of this process, or 1 where the system does not say. */
static int
count_threads(void)
{
	DIR		   *tasks = opendir("/proc/self/task");
	int			n = 0;

	if (tasks == NULL)
		return 1;
	while (readdir(tasks) != NULL)
		n++;
	closedir(tasks);
	return n - 2;				/* without . and .. */
}

typedef struct Masks
{
	pthread_t	caller;
	atomic_int	n_open;			/* signals that a thread other than the caller takes */
} Masks;

static void
look_at_mask(void *arg, size_t task, int thread)
{
	Masks	   *masks = arg;
	sigset_t	mask;

	(void) task;
	(void) thread;
	if (pthread_equal(pthread_self(), masks->caller))
		return;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < 32; i++)
		if (i != SIGKILL && i != SIGSTOP && !sigismember(&mask, i))
			atomic_fetch_add(&masks->n_open, 1);
}

/* threads take no signals, are gone after their call, and leave the caller's signals alone */
static void
test_threads_leave_nothing(void **state)
{
	int			n_threads = count_threads();
	Masks		masks = {.caller = pthread_self()};
	SrmThreads *threads;
	sigset_t	before;
	sigset_t	after;

	(void) state;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	threads = srm_threads_start(3, &status);
	assert_non_null(threads);
	srm_threads_run(threads, 10000, look_at_mask, &masks);
	srm_threads_end(threads);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(masks.n_open, 0);
	assert_int_equal(count_threads(), n_threads);
	for (int i = 1; i < 32; i++)
		assert_int_equal(sigismember(&after, i), sigismember(&before, i));
}

/* linear maps */

/* The same with sums in double. */
static void
linear_plain(float *out, const float *x, const SrmMatrix *w, const float *bias, size_t m)
{
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < w->rows; j++)
		{
			double		sum = bias == NULL ? 0 : bias[j];

			for (size_t l = 0; l < w->cols; l++)
			{
				float		weight;

				srm_matrix_read(w, j * w->cols + l, 1, &weight);
				sum += (double) weight * x[i * w->cols + l];
			}
			out[i * w->rows + j] = (float) sum;
		}
}

static void
check_linear(size_t m, size_t rows, size_t cols, SrmDtype dtype, bool with_bias)
{
	RandomState random = {.arena = arena, .seed = m * 31 + rows * 7 + cols};
	SrmMatrix	w = random_matrix(&random, rows, cols, dtype);
	float	   *bias = with_bias ? random_vector(&random, rows, 0.0f, 1.0f) : NULL;
	float	   *x = random_vector(&random, m * cols, 0.0f, 1.0f);
	float	   *expected = allocate(m * rows * sizeof(float));
	float	   *first = allocate(m * rows * sizeof(float));
	float	   *out = allocate(m * rows * sizeof(float));

	linear_plain(expected, x, &w, bias, m);
	for (int n_threads = 1; n_threads <= 3; n_threads++)
	{
		SrmThreads *threads = srm_threads_start(n_threads, &status);

		assert_non_null(threads);
		memset(out, 0xFF, m * rows * sizeof(float));
		assert_true(forward_linear(out, x, &w, bias, m, threads, &status));
		srm_threads_end(threads);
		if (n_threads == 1)
			memcpy(first, out, m * rows * sizeof(float));
		assert_memory_equal(out, first, m * rows * sizeof(float));
	}

	/* Sums of numbers of size 1 / sqrt(cols): a few units in the last place */
	for (size_t i = 0; i < m * rows; i++)
		assert_true(fabsf(out[i] - expected[i]) < 5e-6f);
}

/* products agree with plain sums, across the edges of panels and of row blocks */
static void
test_linear(void **state)
{
	(void) state;
	check_linear(1, 1, 1, SRM_F32, true);
	check_linear(1, 300, 33, SRM_F16, false);
	check_linear(7, 255, 64, SRM_BF16, true);
	check_linear(3, 257, 64, SRM_F32, true);
	check_linear(33, 513, 17, SRM_F32, false);
	check_linear(511, 16, 8, SRM_F16, true);
	check_linear(1025, 3, 5, SRM_F32, true);
	check_linear(2, 130, 20000, SRM_BF16, false);	/* narrower panels */
	check_linear(0, 5, 5, SRM_F32, true);
}

/* weights are used where they lie in a file, at any multiple of their size */
static void
test_linear_alignment(void **state)
{
	RandomState random = {.arena = arena, .seed = 3};
	SrmMatrix	w = random_matrix(&random, 70, 90, SRM_F32);
	SrmThreads *threads = srm_threads_start(1, &status);
	float	   *x = random_vector(&random, 40 * 90, 0.0f, 1.0f);
	float	   *first = allocate(40 * 70 * sizeof(float));
	float	   *out = allocate(40 * 70 * sizeof(float));
	float	   *moved = allocate((70 * 90 + 16) * sizeof(float));

	(void) state;
	assert_true(forward_linear(first, x, &w, NULL, 40, threads, &status));
	for (size_t shift = 1; shift < 16; shift++)
	{
		SrmMatrix	at = {.data = moved + shift, .dtype = SRM_F32, .rows = 70, .cols = 90};

		memcpy(moved + shift, w.data, 70 * 90 * sizeof(float));
		assert_true(forward_linear(out, x, &at, NULL, 40, threads, &status));
		assert_memory_equal(out, first, 40 * 70 * sizeof(float));
	}
	srm_threads_end(threads);
}

/* rotary position */

typedef struct RopeCase
{
	SrmRope		rope;
	float		frequencies[6];
	float		cosines[6];		/* at position 4097 */
} RopeCase;

/* From transformers 5.23.0 (torch 2.13.0), pairs 1, 9, 14, 18, 24, 31 of head_dim 64. */
static const RopeCase rope_cases[] = {
	{{.type = SRM_ROPE_DEFAULT, .theta = 1e6},
		{6.493816376e-01f, 2.053525113e-02f, 2.371373819e-03f, 4.216964880e-04f, 3.162277426e-05f, 1.539926529e-06f},
		{-9.161711335e-01f, -7.711984515e-01f, -9.580317140e-01f, -1.562512517e-01f, 9.916190505e-01f, 9.999800920e-01f}},
	{{.type = SRM_ROPE_LINEAR, .theta = 1e4, .factor = 4},
		{1.874735504e-01f, 1.874735393e-02f, 4.445698578e-03f, 1.405853312e-03f, 2.500000119e-04f, 3.333803761e-05f},
		{4.023034498e-02f, 1.604167968e-01f, 8.047580719e-01f, 8.661225438e-01f, 5.197397470e-01f, 9.906866550e-01f}},
	{{.type = SRM_ROPE_LLAMA3, .theta = 5e5, .factor = 32, .low_freq_factor = 1,
			.high_freq_factor = 4, .original_max_positions = 8192},
		{6.636012793e-01f, 2.495540865e-02f, 3.211446106e-03f, 1.946163866e-05f, 1.661967417e-06f, 9.418306490e-08f},
		{-2.706109583e-01f, -1.400860548e-01f, 8.304264545e-01f, 9.968228936e-01f, 9.999768138e-01f, 9.999999404e-01f}},
	{{.type = SRM_ROPE_YARN, .theta = 1e6, .factor = 4, .original_max_positions = 32768,
			.beta_fast = 32, .beta_slow = 1, .attention_factor = 1.138629436111989, .truncate = true},
		{6.493816376e-01f, 2.053525113e-02f, 1.778530306e-03f, 1.757068676e-04f, 7.905693565e-06f, 3.849816324e-07f},
		{-1.043179393e+00f, -8.781092763e-01f, 6.118916869e-01f, 8.561249971e-01f, 1.138032198e+00f, 1.138628006e+00f}},
	{{.type = SRM_ROPE_YARN, .theta = 1e4, .factor = 8, .original_max_positions = 512,
			.beta_fast = 32, .beta_slow = 1, .attention_factor = 1.2079441541679836, .truncate = false},
		{7.498942018e-01f, 4.364261031e-02f, 3.888165811e-03f, 7.029266562e-04f, 1.250000059e-04f, 1.666901881e-05f},
		{1.192329168e+00f, -1.165139794e+00f, -1.178339481e+00f, -1.166814804e+00f, 1.052971125e+00f, 1.205128312e+00f}}
};

/*
 * frequencies agree with transformers to the last bit but one, and so does a
 * cosine at a position where each bit of an angle counts
 */
static void
test_rope_numbers(void **state)
{
	static const int pairs[6] = {1, 9, 14, 18, 24, 31};

	(void) state;
	for (size_t i = 0; i < sizeof(rope_cases) / sizeof(rope_cases[0]); i++)
	{
		const RopeCase *expected = &rope_cases[i];
		float		frequencies[32];
		float		cosines[3 * 32];
		float		sines[3 * 32];

		srm_rope_frequencies(frequencies, &expected->rope, 64, 0);
		srm_rope_table(cosines, sines, frequencies, &expected->rope, 64, 4095, 3);
		for (int j = 0; j < 6; j++)
		{
			float		frequency = frequencies[pairs[j]];
			float		tolerance = 2.4e-7f + 4097 * frequency * 1.2e-7f;

			assert_true(fabsf(frequency - expected->frequencies[j]) <= 1.2e-7f * frequency);
			assert_true(fabsf(cosines[64 + pairs[j]] - expected->cosines[j]) <= tolerance);
		}
	}
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_read_every_value),
		TEST(test_read_pieces),
		TEST(test_matrix_fused),
		TEST(test_threads),
		TEST(test_threads_stop),
		TEST(test_threads_scratch),
		TEST(test_threads_leave_nothing),
		TEST(test_linear),
		TEST(test_linear_alignment),
		TEST(test_rope_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
