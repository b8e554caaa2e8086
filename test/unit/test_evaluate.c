/*-------------------------------------------------------------------------
 *
 * test_evaluate.c
 *	  Accuracy, interval, loss and calibration against numbers worked out by
 *	  hand or published.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include <math.h>

#include "reward/evaluate.h"

/* Both sides are in double; what is left is the order of operations. */
#define TOLERANCE	1e-12

static void
test_win(void **state)
{
	(void) state;
	assert_true(srm_win(2.0, 1.0) == 1.0);
	assert_true(srm_win(1.0, 2.0) == 0.0);
	assert_true(srm_win(1.0, 1.0) == 0.5);
	assert_true(srm_win(-0.0, 0.0) == 0.5);
	assert_true(isnan(srm_win(NAN, 1.0)));
	assert_true(isnan(srm_win(1.0, NAN)));
}

static void
test_log_loss(void **state)
{
	(void) state;
	assert_close(srm_log_loss(0.0), log(2.0), TOLERANCE);
	assert_close(srm_log_loss(1.0), 0.31326168751822286, TOLERANCE);
	assert_close(srm_log_loss(-1.0), 1.3132616875182228, TOLERANCE);
	/* Where exp() alone would overflow, or round to nothing */
	assert_close(srm_log_loss(-1000.0), 1000.0, TOLERANCE);
	assert_true(srm_log_loss(1000.0) == 0.0);
	assert_close(srm_log_loss(40.0) / exp(-40.0), 1.0, TOLERANCE);
}

/*
 * Newcombe, "Two-sided confidence intervals for the single proportion"
 * (1998), table I, method 3, gives four digits.
 */
static void
test_wilson_interval(void **state)
{
	static const double cases[][4] = {
		{81.0, 263.0, 0.2553, 0.3662},
		{15.0, 148.0, 0.0624, 0.1605},
		{0.0, 20.0, 0.0000, 0.1611},
		{1.0, 29.0, 0.0061, 0.1718}
	};
	double		low;
	double		high;

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		srm_wilson_interval(cases[i][0] / cases[i][1], cases[i][1], &low, &high);
		assert_true(fabs(low - cases[i][2]) <= 0.5e-4 && fabs(high - cases[i][3]) <= 0.5e-4);
		/* The same from the other side */
		srm_wilson_interval(1.0 - cases[i][0] / cases[i][1], cases[i][1], &low, &high);
		assert_true(fabs(1.0 - high - cases[i][2]) <= 0.5e-4 && fabs(1.0 - low - cases[i][3]) <= 0.5e-4);
	}
	srm_wilson_interval(0.0, 1.0, &low, &high);
	assert_true(low == 0.0 && high < 1.0);
	srm_wilson_interval(1.0, 1.0, &low, &high);
	assert_true(high == 1.0 && low > 0.0);
}

/* Confidence 0.6 thrice and right twice, 0.8 once and wrong, and a tie. */
static void
test_result(void **state)
{
	double		m6 = log(0.6 / 0.4);
	double		m8 = log(0.8 / 0.2);
	SrmEvaluation evaluation = {0};
	SrmEvaluationResult result;

	(void) state;
	/* Not at a bin's edge, where the last bit of exp() decides */
	m6 += 1e-9;
	m8 += 1e-9;
	srm_evaluation_add(&evaluation, m6, 2.0, 1.0);
	srm_evaluation_add(&evaluation, m6, 2.0, 1.0);
	srm_evaluation_add(&evaluation, -m6, 1.0, 2.0);
	srm_evaluation_add(&evaluation, -m8, 1.0, 1.0);
	srm_evaluation_add(&evaluation, 0.0, 1.0, 1.0);
	srm_evaluation_result(&evaluation, &result);
	assert_int_equal(evaluation.n, 5);
	assert_close(result.accuracy, 2.5 / 5.0, TOLERANCE);
	assert_close(result.longer_accuracy, 3.0 / 5.0, TOLERANCE);
	assert_close(result.mean_margin, (m6 - m8) / 5.0, TOLERANCE);
	assert_close(result.log_loss, -(2.0 * log(0.6) + log(0.4) + log(0.2) + log(0.5)) / 5.0, 1e-8);
	/* |2 - 3 * 0.6| + |0 - 0.8| + |0.5 - 0.5| over 5 pairs */
	assert_close(result.calibration_error, (0.2 + 0.8) / 5.0, 1e-8);
}

/* The surest of pairs, whose probability rounds to 1, has a bin. */
static void
test_certain(void **state)
{
	SrmEvaluation evaluation = {0};
	SrmEvaluationResult result;

	(void) state;
	srm_evaluation_add(&evaluation, 1e300, 0.0, 0.0);
	srm_evaluation_add(&evaluation, -1e300, 0.0, 0.0);
	srm_evaluation_result(&evaluation, &result);
	assert_int_equal(evaluation.bins[SRM_CALIBRATION_BINS - 1].n, 2);
	assert_close(result.calibration_error, 0.5, TOLERANCE);
	assert_close(result.mean_margin, 0.0, TOLERANCE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_win),
		cmocka_unit_test(test_log_loss),
		cmocka_unit_test(test_wilson_interval),
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_certain)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
