/*-------------------------------------------------------------------------
 *
 * test_kernels.c
 *	  Tests of the loops over floats, with every set of kernels that the processor has.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernels.h"
#include "kernel/pack.h"
#include "random_decoder.h"

#define MAX_LENGTH	3100
#define EPS			1e-6f

/* Runs a check with each set. */
static void
with_each_set(void (*check) (const SrmKernels *kernels))
{
	for (size_t i = 0; srm_kernels_at(i) != NULL; i++)
		check(srm_kernels_at(i));
}

/* against the mathematics */

/* What is below 1e-7 of x in gelu(x) is lost where 1 + tanh is rounded. */
static void
check_tanh_kernels(const SrmKernels *kernels, const float *x, const float *y, size_t n)
{
	float		gelu[100];
	float		exact[100];
	float		capped[100];

	for (size_t i = 0; i < n; i++)
		gelu[i] = capped[i] = x[i] / 8;
	kernels->gelu_multiply(gelu, gelu, y, n);
	kernels->soft_cap(capped, n, 1.5f);
	for (size_t i = 0; i < n; i++)
		exact[i] = x[i] / 8;
	kernels->gelu_erf_multiply(exact, exact, y, n);
	for (size_t i = 0; i < n; i++)
	{
		double		z = (double) x[i] / 8;
		double		inner = sqrt(2 / acos(-1)) * (z + 0.044715 * z * z * z);

		assert_true(fabs(gelu[i] - z / 2 * (1 + tanh(inner)) * y[i]) <= 2e-7 * fabs(z));
		assert_true(fabs(exact[i] - z / 2 * (1 + erf(z / sqrt(2))) * y[i]) <= 2e-7 * fabs(z));
		assert_true(fabs(capped[i] - 1.5 * tanh(z / 1.5)) <= 3e-7 * fabs(z));
	}
}

static void
check_kernels(const SrmKernels *kernels)
{
	float		x[100];
	float		y[100];
	float		z[100];
	RandomState random = {.seed = 5};

	for (size_t n = 1; n <= 100; n++)
	{
		double		squares = 0;
		double		sum = 0;
		float		greatest = -INFINITY;
		float		shift;
		float		result;

		for (size_t i = 0; i < n; i++)
		{
			x[i] = 30 * random_float(&random);
			y[i] = random_float(&random);
			squares += (double) x[i] * x[i];
			greatest = fmaxf(greatest, x[i]);
		}
		assert_true(fabs(kernels->sum_squares(x, n) - squares) <= 1e-6 * squares);
		assert_true(kernels->maximum(x, n) == greatest);

		memcpy(z, x, sizeof(x));
		shift = greatest;
		result = kernels->exp_sum(z, n, shift);
		for (size_t i = 0; i < n; i++)
		{
			double		expected = exp((double) (x[i] - shift));

			sum += expected;
			assert_true(fabs(z[i] - expected) <= 2.5e-7 * expected);
		}
		assert_true(fabs(result - sum) <= 1e-6 * sum);

		memcpy(z, x, sizeof(x));
		kernels->silu_multiply(z, z, y, n);
		for (size_t i = 0; i < n; i++)
		{
			double		expected = x[i] / (1 + exp(-(double) x[i])) * y[i];

			assert_true(fabs(z[i] - expected) <= 1e-6 * fabs(expected) + 1e-30);
		}
		kernels->norm(z, x, y, EPS, n);
		for (size_t i = 0; i < n; i++)
		{
			double		expected = x[i] / sqrt(squares / (double) n + (double) EPS) * y[i];

			assert_true(fabs(z[i] - expected) <= 1e-6 * fabs(expected));
		}
		check_tanh_kernels(kernels, x, y, n);
	}
}

/* each set of kernels agrees with the mathematics at every length */
static void
test_kernels(void **state)
{
	(void) state;
	with_each_set(check_kernels);
}

static void
check_extremes(const SrmKernels *kernels)
{
	float		x[20] = {0};
	float		y[20];
	float		z[20];

	for (int i = 0; i < 20; i++)
		y[i] = 1.0f;
	x[3] = -1e30f;
	x[17] = -INFINITY;
	assert_true(fabsf(kernels->exp_sum(x, 20, 0.0f) - 18.0f) < 1e-5f);
	assert_true(x[3] < 1e-37f && x[17] < 1e-37f && x[0] == 1.0f);

	memset(x, 0, sizeof(x));
	x[2] = 1e30f;
	x[18] = -1e4f;
	kernels->silu_multiply(x, x, y, 20);
	assert_true(x[2] == 1e30f && fabsf(x[18]) < 1e-30f && x[0] == 0.0f);
	x[2] = 1e30f;
	x[18] = -1e30f;
	kernels->soft_cap(x, 20, 50.0f);
	assert_true(x[2] == 50.0f && x[18] == -50.0f && x[0] == 0.0f);
	x[2] = 1e12f;
	x[18] = -1e12f;
	kernels->gelu_multiply(x, x, y, 20);
	assert_true(x[2] == 1e12f && x[18] == 0.0f && x[0] == 0.0f);
	x[18] = -1e12f;
	kernels->gelu_erf_multiply(x, x, y, 20);
	assert_true(x[2] == 1e12f && x[18] == 0.0f && x[0] == 0.0f);

	for (int at = 0; at < 20; at++)
	{
		memset(x, 0, sizeof(x));
		x[at] = NAN;
		assert_true(isnan(kernels->sum_squares(x, 20)));
		kernels->silu_multiply(x, x, y, 20);
		assert_true(isnan(x[at]));
		kernels->gelu_multiply(x, x, y, 20);
		assert_true(isnan(x[at]));
		kernels->gelu_erf_multiply(x, x, y, 20);
		assert_true(isnan(x[at]));
		kernels->soft_cap(x, 20, 50.0f);
		assert_true(isnan(x[at]));
		kernels->norm(z, x, y, EPS, 20);
		for (int i = 0; i < 20; i++)
			assert_true(isnan(z[i]));
		assert_true(isnan(kernels->exp_sum(x, 20, 0.0f)));
		assert_true(isnan(x[at]) && !isnan(x[(at + 1) % 20]));
	}
}

/* what is huge, infinite or not a number gives neither garbage nor silence */
static void
test_kernels_extremes(void **state)
{
	(void) state;
	with_each_set(check_extremes);
}

/* against the plain loops */

/* What inputs have among them: as many as there are kinds of floats */
static const float specials[] = {0.0f, -0.0f, 1e-42f, -1e-38f, 3e38f, -3e38f, INFINITY, -INFINITY, NAN};

#define N_SPECIALS	(sizeof(specials) / sizeof(specials[0]))

/* One value more than there are: a loop that writes it has run too far. */
typedef struct Inputs
{
	size_t		n;
	bool		has_nan;
	float		x[MAX_LENGTH + 1];
	float		y[MAX_LENGTH + 1];
} Inputs;

/* Numbers of all sizes, with special ones at two places where number says so. */
static void
fill_inputs(Inputs *inputs, size_t n, size_t number)
{
	RandomState random = {.seed = n * 31 + number + 1};
	float		size = number % 3 == 0 ? 1.0f : number % 3 == 1 ? 20.0f : 1e-3f;

	inputs->n = n;
	for (size_t i = 0; i <= n; i++)
	{
		inputs->x[i] = size * random_float(&random);
		inputs->y[i] = random_float(&random);
	}
	if (number < N_SPECIALS)
	{
		inputs->x[number * 5 % n] = specials[number];
		inputs->x[n - 1] = specials[number];
	}
	inputs->has_nan = number < N_SPECIALS && isnan(specials[number]);
}

/* Equal, both NaN, or close: some units in the last place, also of numbers below the normal ones. */
static void
assert_close(float value, float expected, double tolerance)
{
	if (isnan(expected))
		assert_true(isnan(value));
	else if (isinf(expected))
		assert_true(value == expected);
	else
		assert_true(fabs((double) value - expected) <= tolerance * fabs(expected) + 6e-45);
}

/* That out is what the plain loop gave, and that what is behind was left alone. */
static void
assert_all_close(const float *out, const float *expected, size_t n, double tolerance)
{
	for (size_t i = 0; i < n; i++)
		assert_close(out[i], expected[i], tolerance);
	assert_memory_equal(out + n, expected + n, sizeof(float));
}

static void
compare_sums(const SrmKernels *kernels, const Inputs *inputs)
{
	const SrmKernels *plain = &srm_kernels_portable;
	size_t		n = inputs->n;
	float		out[MAX_LENGTH + 1];
	float		expected[MAX_LENGTH + 1];
	float		greatest = plain->maximum(inputs->x, n);
	float		sum;

	assert_close(kernels->sum_squares(inputs->x, n), plain->sum_squares(inputs->x, n), 1e-6);
	if (inputs->has_nan)
		greatest = 20.0f;
	else
		assert_true(kernels->maximum(inputs->x, n) == greatest);
	memcpy(out, inputs->x, sizeof(out));
	memcpy(expected, inputs->x, sizeof(out));
	sum = plain->exp_sum(expected, n, greatest);
	assert_close(kernels->exp_sum(out, n, greatest), sum, 1e-6);
	assert_all_close(out, expected, n, 4e-7);
}

static void
compare_maps(const SrmKernels *kernels, const Inputs *inputs)
{
	const SrmKernels *plain = &srm_kernels_portable;
	size_t		n = inputs->n;
	float		out[MAX_LENGTH + 1];
	float		expected[MAX_LENGTH + 1];

	memcpy(out, inputs->x, sizeof(out));
	memcpy(expected, inputs->x, sizeof(out));
	plain->silu_multiply(expected, inputs->x, inputs->y, n);
	kernels->silu_multiply(out, inputs->x, inputs->y, n);
	assert_all_close(out, expected, n, 1e-6);
	memcpy(out, inputs->x, sizeof(out));
	kernels->silu_multiply(out, out, inputs->y, n);
	assert_all_close(out, expected, n, 1e-6);

	plain->norm(expected, inputs->x, inputs->y, EPS, n);
	kernels->norm(out, inputs->x, inputs->y, EPS, n);
	assert_all_close(out, expected, n, 1e-6);
	memcpy(out, inputs->x, sizeof(out));
	kernels->norm(out, out, inputs->y, EPS, n);
	assert_all_close(out, expected, n, 1e-6);
}

/* A sum keeps its bits wherever in memory its values lie. */
static void
check_places(const SrmKernels *kernels, const Inputs *inputs)
{
	float		moved[2][MAX_LENGTH + 16];
	size_t		n = inputs->n;
	float		squares = kernels->sum_squares(inputs->x, n);
	float		sum = 0;

	for (size_t shift = 0; shift < 16; shift++)
	{
		float	   *out = moved[shift > 0] + shift;
		float		result;

		memcpy(out, inputs->x, n * sizeof(float));
		result = kernels->sum_squares(out, n);
		assert_memory_equal(&result, &squares, sizeof(float));
		result = kernels->exp_sum(out, n, 20.0f);
		if (shift == 0)
			sum = result;
		assert_memory_equal(&result, &sum, sizeof(float));
		assert_memory_equal(out, moved[0], n * sizeof(float));
	}
}

/* Bytes of rows are the same in all sets, to the last bit of what was cut off. */
static void
compare_bytes(const SrmKernels *kernels, const Inputs *inputs)
{
	size_t		n_bytes = 4 * srm_pack_lanes(SRM_PACKING_INT8, inputs->n);
	char		out[MAX_LENGTH + 64 + sizeof(SrmRowScale)] __attribute__((aligned(64)));
	char		expected[MAX_LENGTH + 64 + sizeof(SrmRowScale)] __attribute__((aligned(64)));
	const SrmRowScale *scale = (const SrmRowScale *) (const void *) (expected + n_bytes);

	memset(out, 0x11, sizeof(out));
	memset(expected, 0x11, sizeof(expected));
	kernels->pack_row[SRM_COMPUTE_INT8] (out, inputs->x, inputs->n);
	srm_kernels_portable.pack_row[SRM_COMPUTE_INT8] (expected, inputs->x, inputs->n);
	if (isfinite(scale->scale))
		assert_memory_equal(out, expected, sizeof(out));
	else
		assert_false(isfinite(((const SrmRowScale *) (const void *) (out + n_bytes))->scale));
}

/* Three heads turned, and what is behind them left alone. */
static void
check_turn(const SrmKernels *kernels)
{
	RandomState random = {.seed = 17};
	float		heads[6 * 70 + 1];
	float		turned[6 * 70 + 1];
	float		cosines[70];
	float		sines[70];

	for (size_t half = 1; half <= 70; half++)
	{
		for (size_t i = 0; i <= 6 * half; i++)
			heads[i] = turned[i] = random_float(&random);
		for (size_t j = 0; j < half; j++)
		{
			cosines[j] = random_float(&random);
			sines[j] = random_float(&random);
		}
		kernels->turn(turned, cosines, sines, 3, half);
		for (size_t i = 0; i < 6 * half; i++)
		{
			size_t		j = i % half;
			bool		is_second = i / half % 2 == 1;
			double		other = is_second ? heads[i - half] : -heads[i + half];

			assert_true(fabs(turned[i] - (heads[i] * (double) cosines[j] + other * sines[j])) <= 2e-7);
		}
		assert_true(turned[6 * half] == heads[6 * half]);
	}
}

static void
test_turn(void **state)
{
	(void) state;
	with_each_set(check_turn);
}

static void
compare_with_plain(const SrmKernels *kernels)
{
	static const size_t long_ones[] = {127, 128, 200, 255, 256, 1000, 1024, 3072, MAX_LENGTH};
	Inputs		inputs;

	for (size_t i = 1; i <= 70 + sizeof(long_ones) / sizeof(long_ones[0]); i++)
		for (size_t number = 0; number < N_SPECIALS + 3; number++)
		{
			fill_inputs(&inputs, i <= 70 ? i : long_ones[i - 71], number);
			compare_sums(kernels, &inputs);
			compare_maps(kernels, &inputs);
			compare_bytes(kernels, &inputs);
			if (number >= N_SPECIALS)
				check_places(kernels, &inputs);
		}
}

/* each set agrees with the plain loops at every length, and of what is not a number too */
static void
test_plain(void **state)
{
	(void) state;
	with_each_set(compare_with_plain);
}

/* Rows with more and more values far from the others. */
static void
compare_outliers(const SrmKernels *kernels)
{
	Inputs		inputs;

	for (size_t n_far = 0; n_far <= SRM_MAX_OUTLIERS + 8; n_far++)
		for (size_t n = 300; n <= 3072; n += 693)
		{
			fill_inputs(&inputs, n, N_SPECIALS);
			for (size_t i = 0; i < n_far; i++)
				inputs.x[(i * 97 + n_far) % n] *= 100.0f + (float) (i * i);
			compare_bytes(kernels, &inputs);
		}
}

static void
test_outliers(void **state)
{
	(void) state;
	with_each_set(compare_outliers);
}

/* Nothing but srm_kernels_choose() changes the choice: not the environment, which `make unit` sets. */
static void
test_choice(void **state)
{
	const SrmKernels *fastest = srm_kernels;

	(void) state;
	for (size_t i = 0; srm_kernels_at(i) != NULL; i++)
	{
		assert_ptr_equal(srm_kernels, fastest);
		assert_true(srm_kernels_choose(srm_kernels_at(i)->name));
		assert_ptr_equal(srm_kernels, srm_kernels_at(i));
		srm_kernels = fastest;
		if (srm_kernels_at(i + 1) == NULL)
			assert_ptr_equal(srm_kernels_at(i), fastest);
	}
	assert_false(srm_kernels_choose("abacus"));
	assert_ptr_equal(srm_kernels, fastest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_kernels),
		cmocka_unit_test(test_kernels_extremes),
		cmocka_unit_test(test_turn),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_outliers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
