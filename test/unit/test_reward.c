/*-------------------------------------------------------------------------
 *
 * test_reward.c
 *	  The formulas of the method against an independent statement of them in
 *	  numpy (tools/golden/make_aggregator.py), and their identities.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include <math.h>

#include "reward/aggregator.h"
#include "reward/reward.h"

/*
 * Inputs are exact in f32 and sums are in double on both sides; the file has
 * nine digits.
 */
#define TOLERANCE	1e-6

static SrmArena *arena;
static SrmStatus status;
static const SrmJson *file;

static int
setup(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	file = read_json_file("test/data/aggregator.json", arena, &status);
	return 0;
}

static int
teardown(void **state)
{
	(void) state;
	srm_arena_free(arena);
	return 0;
}

static float *
floats(const SrmJson *object, const char *key, size_t n)
{
	float	   *values = srm_arena_array(arena, n + 1, sizeof(float), &status);

	assert_int_equal(json_floats(srm_json_member(object, key), values), n);
	return values;
}

static void
assert_all_close(const double *values, const SrmJson *expected, size_t n)
{
	const SrmJson *item = expected->child;

	assert_int_equal(expected->n, n);
	for (size_t i = 0; i < n; i++, item = item->next)
		assert_close(values[i], json_number(item), TOLERANCE);
}

static double *
numbers(size_t n)
{
	return srm_arena_array(arena, n, sizeof(double), &status);
}

/* The score by every aggregation that the case has one for. */
static void
check_scores(const SrmJson *item, const double *a, const double *c, const double *response_values, size_t n)
{
	const SrmJson *scores = srm_json_member(item, "scores");
	size_t		n_checked = 0;

	for (const SrmJson *score = scores->child; score != NULL; score = score->next)
	{
		SrmAggregation aggregation;
		double	   *weights = numbers(n + 1);
		double		found;

		assert_true(srm_aggregation_find(score->key, &aggregation));
		assert_string_equal(srm_aggregation_name(aggregation), score->key);
		if (aggregation == SRM_AGGREGATE_TOKEN_MEAN)
			found = srm_mean_forward(response_values, 3 * n);
		else if (aggregation == SRM_AGGREGATE_ATTENTION)
			found = srm_score_forward(a, c, n);
		else
		{
			srm_weights_forward(weights, c, aggregation, n);
			found = srm_score_forward(weights, c, n);
		}
		assert_close(found, json_number(score), TOLERANCE);
		n_checked++;
	}
	assert_true(n_checked >= (n > 0 ? 7 : 3));
}

static void
check_case(const SrmJson *item)
{
	size_t		n = (size_t) json_number(srm_json_member(item, "n"));
	size_t		hidden_dim = (size_t) json_number(srm_json_member(file, "hidden_dim"));
	size_t		dim = (size_t) json_number(srm_json_member(file, "dim"));
	float	   *hidden = floats(item, "h", (n + 1) * hidden_dim);
	float	   *single = floats(item, "response_values", 3 * n);
	SrmValueHead head = {
		hidden_dim, floats(file, "value_weight", hidden_dim),
		(float) json_number(srm_json_member(file, "value_bias"))
	};
	SrmAggregator aggregator = {
		hidden_dim, dim,
		floats(file, "query_weight", dim * hidden_dim), floats(file, "query_bias", dim),
		floats(file, "key_weight", dim * hidden_dim), floats(file, "key_bias", dim)
	};
	double	   *v = numbers(n + 1);
	double	   *c = numbers(n + 1);
	double	   *a = numbers(n + 1);
	double	   *response_values = numbers(3 * n + 1);

	for (size_t i = 0; i < 3 * n; i++)
		response_values[i] = single[i];
	srm_values_forward(v, hidden, &head, n + 1);
	assert_all_close(v, srm_json_member(item, "v"), n + 1);
	srm_rewards_forward(c, v, n);
	assert_all_close(c, srm_json_member(item, "c"), n + 1);
	assert_true(srm_aggregator_forward(a, hidden, &aggregator, n, arena, &status));
	assert_all_close(a, srm_json_member(item, "a"), n + 1);
	check_scores(item, a, c, response_values, n);
}

static void
test_formulas(void **state)
{
	const SrmJson *cases = srm_json_member(file, "cases");

	(void) state;
	assert_true(cases->n >= 5);
	for (const SrmJson *item = cases->child; item != NULL; item = item->next)
		check_case(item);
}

/* rewards add up to v_n - v_0, and the weights of an aggregation to its score */
static void
test_identities(void **state)
{
	double		v[51];
	double		c[51];
	double		a[51];
	double		sum = 0.0;

	(void) state;
	srand(4);
	for (int i = 0; i <= 50; i++)
		v[i] = rand() / (double) RAND_MAX - 0.5;
	srm_rewards_forward(c, v, 50);
	for (int i = 1; i <= 50; i++)
		sum += c[i];
	assert_close(sum, v[50] - v[0], 1e-14);
	srm_weights_forward(a, c, SRM_AGGREGATE_LAST, 50);
	assert_close(srm_score_forward(a, c, 50), v[50], 1e-14);
	srm_weights_forward(a, c, SRM_AGGREGATE_SUM, 50);
	assert_close(srm_score_forward(a, c, 50), v[50] - v[0], 1e-14);
	srm_weights_forward(a, c, SRM_AGGREGATE_MEAN, 50);
	assert_close(srm_score_forward(a, c, 50), (v[50] - v[0]) / 50, 1e-14);
}

/* the extreme is taken once where it stands several times */
static void
test_ties(void **state)
{
	double		c[4] = {9.0, 2.0, 1.0, 1.0};
	double		a[4];

	(void) state;
	srm_weights_forward(a, c, SRM_AGGREGATE_MIN, 3);
	assert_true(a[0] == 0.0 && a[1] == 0.0 && a[2] == 1.0 && a[3] == 0.0);
	srm_weights_forward(a, c, SRM_AGGREGATE_MAX, 3);
	assert_true(a[1] == 1.0 && srm_score_forward(a, c, 3) == 2.0);
}

/* attention weights are a distribution, however large the hidden states */
static void
test_softmax_range(void **state)
{
	float		hidden[3][2] = {{1e4f, -1e4f}, {3e4f, 1e4f}, {-2e4f, 5e4f}};
	float		weight[4] = {1.0f, 0.5f, -0.5f, 1.0f};
	float		bias[2] = {0.0f, 0.0f};
	SrmAggregator aggregator = {2, 2, weight, bias, weight, bias};
	double		a[3];

	(void) state;
	assert_true(srm_aggregator_forward(a, &hidden[0][0], &aggregator, 2, arena, &status));
	assert_close(a[0] + a[1] + a[2], 1.0, 1e-12);
	assert_true(isfinite(a[0]) && a[0] >= 0.0);
}

static void
test_preference(void **state)
{
	(void) state;
	assert_close(srm_preference_forward(0.0), 0.5, 1e-15);
	assert_close(srm_preference_forward(2.0), 1.0 / (1.0 + exp(-2.0)), 1e-15);
	assert_close(srm_preference_forward(3.0) + srm_preference_forward(-3.0), 1.0, 1e-15);
	assert_true(srm_preference_forward(1e6) == 1.0);
	assert_true(srm_preference_forward(-1e6) == 0.0);
}

static void
test_names(void **state)
{
	SrmAggregation aggregation;

	(void) state;
	assert_true(srm_aggregation_find("token_mean", &aggregation));
	assert_int_equal(aggregation, SRM_AGGREGATE_TOKEN_MEAN);
	assert_false(srm_aggregation_find("median", &aggregation));
	assert_false(srm_aggregation_find("", &aggregation));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formulas),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_ties),
		cmocka_unit_test(test_softmax_range),
		cmocka_unit_test(test_preference),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
