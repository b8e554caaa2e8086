/*-------------------------------------------------------------------------
 *
 * test_calibration.c
 *	  Rounding weights by what a model reads: moments, their factors, and what rounding makes of them.
 *
 * Runs with every set of kernels, since those gather the moments.
 *
 *-------------------------------------------------------------------------
 */
#include "scorer_fixture.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sizes.h"
#include "files/tree.h"
#include "kernel/pack.h"
#include "products.h"
#include "random_decoder.h"
#include "write/calibration.h"
#include "write/quantize.h"

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Damping as calibration.h says: of H, a hundredth of the mean of its diagonal */
#define DAMPING		0.01

/* x (m, n), columns of which depend on those before */
static float *
random_inputs(size_t m, size_t n, uint64_t seed)
{
	RandomState random = {.arena = arena,.seed = seed};
	float	   *x = random_vector(&random, m * n, 0.0f, 1.0f);

	for (size_t i = 0; i < m; i++)
		for (size_t j = 1; j < n; j++)
			x[i * n + j] += 0.9f * x[i * n + j - 1];
	return x;
}

/* moments (n, n) = x^T x */
static double *
sum_moments(const float *x, size_t m, size_t n)
{
	double	   *moments = srm_arena_array(arena, n * n, sizeof(double), &status);

	memset(moments, 0, n * n * sizeof(double));
	for (size_t row = 0; row < m; row++)
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < n; j++)
				moments[i * n + j] += (double) x[row * n + i] * x[row * n + j];
	return moments;
}

static float *
zeros(size_t n)
{
	float	   *values = srm_arena_array(arena, n, sizeof(float), &status);

	memset(values, 0, n * sizeof(float));
	return values;
}

static void
check_gathering(size_t m, size_t n, SrmCompute compute, int n_threads)
{
	RandomState random = {.arena = arena,.seed = m * 1000 + n};
	SrmMatrix	w = random_matrix(&random, 17, n, SRM_F32);
	const float *x = random_inputs(m, n, m + n);
	const double *expected = sum_moments(x, m, n);
	float	   *moments = zeros(n * n);
	float	   *out = zeros(m * w.rows);
	float	   *without = zeros(m * w.rows);
	SrmThreads *threads = srm_threads_start(n_threads, &status);

	w.compute = compute;
	w.packing = srm_packing_of(compute);
	w.packed = NULL;
	if (compute != SRM_COMPUTE_F32)
	{
		char	   *packed = srm_arena_alloc(arena, srm_pack_bytes(w.packing, w.rows, n), &status);

		srm_pack_rows(packed, &w, w.packing, 0, w.rows);
		w.packed = packed;
	}
	assert_true(forward_linear(without, x, &w, NULL, m, threads, &status));
	w.moments = moments;
	for (int pass = 1; pass <= 2; pass++)
	{
		assert_true(forward_linear(out, x, &w, NULL, m, threads, &status));
		assert_memory_equal(out, without, m * w.rows * sizeof(float));
		for (size_t i = 0; i < n * n; i++)
			assert_close(moments[i], compute == SRM_COMPUTE_F32 || compute == SRM_COMPUTE_W8 ? pass * expected[i] : 0.0, 1e-4);
	}
	srm_threads_end(threads);
}

/* products of inputs in f32 add x^T x to what is there, whatever the number of rows, columns and threads; outputs stay as they are */
static void
test_gathering(void **state)
{
	static const size_t sizes[][2] = {{1, 1}, {1, 40}, {7, 33}, {130, 24}, {300, 130}, {129, 260}};

	(void) state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int n_threads = 1; n_threads <= 3; n_threads += 2)
			check_gathering(sizes[i][0], sizes[i][1], SRM_COMPUTE_F32, n_threads);
	for (SrmCompute compute = 0; compute < SRM_N_COMPUTES; compute++)
		check_gathering(40, 64, compute, 1);
}

static void
check_factor(size_t m, size_t n)
{
	const double *sums = sum_moments(random_inputs(m, n, n), m, n);
	float	   *moments = zeros(n * n);
	double	   *feedback = srm_arena_array(arena, n * n, sizeof(double), &status);
	double		damping = 0;

	for (size_t i = 0; i < n * n; i++)
		moments[i] = (float) sums[i];
	for (size_t i = 0; i < n; i++)
		damping += moments[i * n + i] * DAMPING / (double) n;
	assert_true(srm_calibration_factor(feedback, moments, n, NULL, &status));
	/* H_ij = sum over k >= i, j of U_ik D_k U_jk; row k of feedback holds U_0k .. U_(k-1)k, and D_k */
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j <= i; j++)
		{
			double		sum = 0;

			for (size_t k = i; k < n; k++)
				sum += (k == i ? 1.0 : feedback[k * n + i]) * feedback[k * n + k] * (k == j ? 1.0 : feedback[k * n + j]);
			assert_close(sum, moments[i * n + j] + (i == j ? damping : 0.0), 1e-9);
		}
}

/* of many rows and of fewer than there are columns, which leaves the moments singular */
static void
test_factor(void **state)
{
	(void) state;
	check_factor(5, 1);
	check_factor(200, 30);
	check_factor(3, 30);
}

/* moments that no inputs have, as sums in f32 may come near: factors stay finite */
static void
test_factor_indefinite(void **state)
{
	float		moments[] = {1, 2, 2, 1};
	double		feedback[4];

	(void) state;
	assert_true(srm_calibration_factor(feedback, moments, 2, NULL, &status));
	assert_true(isfinite(feedback[0]) && feedback[0] > 0 && isfinite(feedback[2]) && feedback[3] > 0);
}

/* (w - q) H (w - q)^T for one row */
static double
output_error(const float *w, const int8_t *values, const float *scales, SrmDtype dtype, const double *moments, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
		{
			double		a = w[i] - (double) values[i] * scales[dtype == SRM_W8 ? i / SRM_SCALE_COLS : 0];
			double		b = w[j] - (double) values[j] * scales[dtype == SRM_W8 ? j / SRM_SCALE_COLS : 0];

			sum += a * moments[i * n + j] * b;
		}
	return sum;
}

/* Errors of all rows of a matrix, rounded by moments and to the nearest. */
static void
compare_rounding(SrmDtype dtype, const float *moments, const double *sums, size_t n, double *calibrated, double *plain)
{
	RandomState random = {.arena = arena,.seed = 5};
	SrmMatrix	w = random_matrix(&random, SRM_CALIBRATED_ROWS + 3, n, SRM_F32);
	size_t		n_scales = srm_scales_count(n, dtype);
	float	   *scales = zeros(w.rows * n_scales);
	float	   *scratch = zeros(SRM_CALIBRATION_SCRATCH * n);
	int8_t	   *nearest = srm_arena_alloc(arena, w.rows * n, &status);
	int8_t	   *values = srm_arena_alloc(arena, w.rows * n, &status);
	double	   *feedback = srm_arena_array(arena, n * n, sizeof(double), &status);

	assert_true(srm_calibration_factor(feedback, moments, n, NULL, &status));
	*calibrated = *plain = 0;
	for (size_t row = 0; row < w.rows; row++)
	{
		srm_pack_quantize_row(nearest + row * n, scales + row * n_scales, &w, row, dtype);
		*plain += output_error((const float *) w.data + row * n, nearest + row * n, scales + row * n_scales, dtype, sums, n);
	}
	for (size_t row = 0; row < w.rows; row += SRM_CALIBRATED_ROWS)
		srm_calibration_round(values + row * n, scales + row * n_scales, &w, row, srm_smaller(w.rows - row, SRM_CALIBRATED_ROWS),
							  dtype, feedback, scratch);
	for (size_t row = 0; row < w.rows; row++)
		*calibrated += output_error((const float *) w.data + row * n, values + row * n, scales + row * n_scales, dtype, sums, n);
	for (size_t i = 0; i < w.rows * n; i++)
		assert_int_not_equal(values[i], -128);
}

/* outputs of what was read are nearer by a good deal where inputs depend on each other, and as near where they do not */
static void
test_rounding(void **state)
{
	const size_t n = 130;
	const double *sums = sum_moments(random_inputs(600, n, 7), 600, n);
	double	   *alone = srm_arena_array(arena, n * n, sizeof(double), &status);
	float	   *moments = zeros(n * n);
	float	   *diagonal = zeros(n * n);
	double		calibrated;
	double		plain;

	(void) state;
	memset(alone, 0, n * n * sizeof(double));
	for (size_t i = 0; i < n * n; i++)
		moments[i] = (float) sums[i];
	for (size_t i = 0; i < n; i++)
		diagonal[i * n + i] = (float) (alone[i * n + i] = sums[i * n + i]);
	for (SrmDtype dtype = SRM_INT8; dtype <= SRM_W8; dtype++)
	{
		compare_rounding(dtype, moments, sums, n, &calibrated, &plain);
		assert_true(calibrated < 0.5 * plain);
		compare_rounding(dtype, diagonal, alone, n, &calibrated, &plain);
		assert_close(calibrated / plain, 1.0, 1e-4);
	}
}

/* rows of zeros and of the least numbers, whose scale has no inverse, are zeros */
static void
test_rounding_nothing(void **state)
{
	float		rows[2][4] = {{0, 0, 0, 0}, {1e-45f, 0, 1e-45f, 0}};
	SrmMatrix	w = {.data = rows,.dtype = SRM_F32,.rows = 2,.cols = 4};
	const double feedback[16] = {1, 0, 0, 0, 5, 1, 0, 0, 5, 5, 1, 0, 5, 5, 5, 1};
	float		scales[2];
	int8_t		values[8];
	float	   *scratch = zeros(SRM_CALIBRATION_SCRATCH * 4);

	(void) state;
	for (size_t row = 0; row < 2; row++)
		srm_pack_quantize_row(values + 4 * row, scales + row, &w, row, SRM_INT8);
	memset(values, 1, sizeof(values));
	srm_calibration_round(values, scales, &w, 0, 2, SRM_INT8, feedback, scratch);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(values[i], 0);
}

#define N_TEXTS		60

static const char *const words[] = {"sky", "blue. The", "water", "boils at 100 degrees,", "a mountain", "who?", "never!", "light", "I am sorry.", "42", "the air", "is"};

/* Text number i, of some words */
static const char *
make_text(size_t i)
{
	static char text[200];
	uint64_t	state = i * 0x9E3779B97F4A7C15u + 1;

	text[0] = '\0';
	for (size_t word = 0; word < 3 + i % 9; word++)
	{
		state = state * 6364136223846793005u + 1442695040888963407u;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", words[(state >> 33) % 12]);
	}
	return text;
}

static void
score_texts(SrmScorer *reader, float *scores)
{
	SrmScoreOptions options;

	srm_scorer_defaults(reader, &options);
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		const char *text = make_text(i);
		SrmMessage	messages[2] = {{"user", "Why is the sky blue?", 20, NULL}, {"assistant", text, strlen(text), NULL}};
		SrmScored	scored;

		if (!srm_scorer_score(reader, messages, 2, &options, arena, &scored, NULL, &status))
			fail_msg("%s", status.message);
		scores[i] = scored.score;
	}
}

static SrmScorer *
open_scorer(const char *directory, SrmCompute compute)
{
	SrmScorer  *opened = srm_scorer_open(directory, &(SrmModelOptions) {.compute_choice = (SrmComputeChoice) compute}, NULL, &status);

	if (opened == NULL)
		fail_msg("%s: %s", directory, status.message);
	return opened;
}

/* The sum of squares by which scores of a copy in 8 bits differ, but for what they all differ by: no margin has that. */
static double
copy_error(const char *source, SrmDtype dtype, const float *exact, const SrmCalibration *calibration)
{
	char		parent[64];
	char		path[80];
	SrmQuantizeOptions options = {.dtype = dtype,.calibration = calibration};
	SrmWriter  *writer;
	float		scores[N_TEXTS];
	double		mean = 0;
	double		sum = 0;
	int			fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	snprintf(parent, sizeof(parent), "/tmp/srm-calibration.%ld", (long) getpid());
	snprintf(path, sizeof(path), "%s/small", parent);
	assert_int_equal(mkdir(parent, 0700), 0);
	writer = srm_writer_begin(parent, "small", true, 0700, &status);
	if (!srm_model_quantize(writer, source, NULL, &options, NULL, &status) || !srm_writer_commit(writer, &status))
		fail_msg("%s: %s", source, status.message);
	srm_writer_close(writer);
	/* Weights of 8 bits, in exact arithmetic: what is measured is rounding alone */
	scorer = open_scorer(path, SRM_COMPUTE_F32);
	score_texts(scorer, scores);
	srm_scorer_close(scorer);
	scorer = NULL;
	srm_tree_remove(fd, parent + strlen("/tmp/"));
	close(fd);
	for (size_t i = 0; i < N_TEXTS; i++)
		mean += ((double) scores[i] - exact[i]) / N_TEXTS;
	for (size_t i = 0; i < N_TEXTS; i++)
		sum += pow((double) scores[i] - exact[i] - mean, 2);
	return sum;
}

static void
check_model(const char *name)
{
	char		source[100];
	float		exact[N_TEXTS];
	float		again[N_TEXTS];
	double		plain[2];
	SrmCalibration *calibration;

	snprintf(source, sizeof(source), "test/data/models/%s", name);
	scorer = open_scorer(source, SRM_COMPUTE_F32);
	score_texts(scorer, exact);
	srm_scorer_close(scorer);
	scorer = open_scorer(source, SRM_COMPUTE_F32);
	calibration = srm_calibration_create(&scorer->model->decoder, 0, &status);
	assert_non_null(calibration);
	srm_scorer_close(scorer);
	scorer = NULL;
	/* Nothing was read yet: weights are rounded as without */
	for (SrmDtype dtype = SRM_INT8; dtype <= SRM_W8; dtype++)
	{
		plain[dtype - SRM_INT8] = copy_error(source, dtype, exact, NULL);
		assert_true(copy_error(source, dtype, exact, calibration) == plain[dtype - SRM_INT8]);
	}
	scorer = open_scorer(source, SRM_COMPUTE_F32);
	assert_true(srm_calibration_attach(calibration, scorer->model, &status));
	score_texts(scorer, again);
	srm_calibration_detach(scorer->model);
	assert_memory_equal(again, exact, sizeof(exact));
	srm_scorer_close(scorer);
	scorer = NULL;
	for (SrmDtype dtype = SRM_INT8; dtype <= SRM_W8; dtype++)
	{
		double		calibrated = copy_error(source, dtype, exact, calibration);

		print_message("%s: %g, calibrated %g\n", name, plain[dtype - SRM_INT8], calibrated);
		assert_true(calibrated < plain[dtype - SRM_INT8]);
	}
	srm_calibration_free(calibration);
}

/* scores of texts that a copy was calibrated by are nearer, however tensors are laid out */
static void
test_models(void **state)
{
	(void) state;
	check_model("llama-yarn");
	check_model("attention-offset");
	check_model("tiny");
	check_model("gemma2");
	check_model("phi3");
	check_model("internlm2");
	check_model("qwen3-sharded");
	check_model("mixtral");
	check_model("cross-deberta");
	check_model("cross-modernbert-old");
}

/* a model of another size than that which was calibrated is refused, and so is too much memory */
static void
test_refusals(void **state)
{
	SrmCalibration *calibration;

	(void) state;
	scorer = open_scorer("test/data/models/llama", SRM_COMPUTE_F32);
	assert_null(srm_calibration_create(&scorer->model->decoder, 100, &status));
	assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
	srm_status_init(&status);
	calibration = srm_calibration_create(&scorer->model->decoder, 0, &status);
	srm_scorer_close(scorer);
	scorer = open_scorer("test/data/models/gemma2", SRM_COMPUTE_F32);
	assert_false(srm_calibration_attach(calibration, scorer->model, &status));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	assert_null(srm_calibration_find(calibration, 1000, SRM_WEIGHT_KEY, 32));
	srm_calibration_free(calibration);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_gathering),
		TEST(test_factor),
		TEST(test_factor_indefinite),
		TEST(test_rounding),
		TEST(test_rounding_nothing),
		TEST(test_models),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
