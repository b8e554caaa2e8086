/*-------------------------------------------------------------------------
 *
 * test_gradient.c
 *	  The gradients of the head against finite differences, and the loss of
 *	  pairs.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include <math.h>

#include "reward/gradient.h"

#define DIM		12
#define D		8
#define N_ROWS	9

/* A head and its gradient, over one array each. */
typedef struct HeadFixture
{
	SrmArena   *arena;
	SrmStatus	status;
	float		weights[DIM + 1 + 2 * (D * DIM + D)];
	float		gradients[DIM + 1 + 2 * (D * DIM + D)];
	SrmHead		head;
	SrmHead		gradient;
	float		states[N_ROWS * DIM];
	float		dstates[N_ROWS * DIM];
	SrmResponse responses[2];
	SrmAggregation aggregation;
	double		dscores[2];
} HeadFixture;

#define N_WEIGHTS	(sizeof(((HeadFixture *) 0)->weights) / sizeof(float))

static const uint32_t token_rows[2][3] = {{1, 2, 3}, {5, 7, 8}};
static const uint32_t second_rows[] = {5, 6, 8};

static SrmHead
head_over(float *array)
{
	return (SrmHead) {
		.dim = DIM,.attention_dim = D,
		.value_weight = array,.value_bias = array + DIM,
		.query_weight = array + DIM + 1,.query_bias = array + DIM + 1 + D * DIM,
		.key_weight = array + DIM + 1 + D * DIM + D,.key_bias = array + DIM + 1 + 2 * D * DIM + D
	};
}

static float
noise(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (float) ((int32_t) (*seed >> 32)) * 0x1p-31f;
}

static void
start_head(HeadFixture *fixture, SrmAggregation aggregation)
{
	uint64_t	seed = 4;

	memset(fixture, 0, sizeof(HeadFixture));
	srm_status_init(&fixture->status);
	fixture->arena = srm_arena_create(&fixture->status);
	for (size_t i = 0; i < N_WEIGHTS; i++)
		fixture->weights[i] = noise(&seed);
	for (size_t i = 0; i < N_ROWS * DIM; i++)
		fixture->states[i] = noise(&seed);
	fixture->head = head_over(fixture->weights);
	fixture->gradient = head_over(fixture->gradients);
	/* Both begin at row 0 */
	fixture->responses[0] = (SrmResponse) {.prompt_row = 0,.first_row = 1,.n = 4,.token_rows = token_rows[0],.n_tokens = 3};
	fixture->responses[1] = (SrmResponse) {.prompt_row = 0,.boundary_rows = second_rows,.n = 3,.token_rows = token_rows[1],.n_tokens = 3};
	fixture->aggregation = aggregation;
}

static double
pair_loss(HeadFixture *fixture, SrmScoresPass *pass)
{
	*pass = (SrmScoresPass) {.head = &fixture->head,.aggregation = fixture->aggregation,.states = fixture->states,
		.n_rows = N_ROWS,.responses = fixture->responses,.n_responses = 2
	};
	assert_true(srm_scores_forward(pass, fixture->arena, &fixture->status));
	return srm_pair_loss(pass->scores[0], pass->scores[1], 0.3, 0.05);
}

/* The slope of the loss along one number, and what backward says it is. */
static void
check_slope(HeadFixture *fixture, float *place, float gradient, const char *what, size_t number)
{
	const float step = 0x1p-7f;
	float		kept = *place;
	SrmScoresPass pass;
	double		up;
	double		down;

	*place = kept + step;
	up = pair_loss(fixture, &pass);
	*place = kept - step;
	down = pair_loss(fixture, &pass);
	*place = kept;
	if (!(fabs((up - down) / (2.0 * step) - gradient) < 2e-4))
		fail_msg("%s, %s %zu: %g, not %g", srm_aggregation_name(fixture->aggregation), what, number,
				 (double) gradient, (up - down) / (2.0 * step));
}

static void
check_head(SrmAggregation aggregation)
{
	HeadFixture fixture;
	SrmScoresPass pass;

	start_head(&fixture, aggregation);
	pair_loss(&fixture, &pass);
	srm_pair_loss_backward(&fixture.dscores[0], &fixture.dscores[1], pass.scores[0], pass.scores[1], 0.3, 0.05);
	assert_true(srm_scores_backward(&fixture.gradient, fixture.dstates, fixture.dscores, &pass, &fixture.status));
	for (size_t i = 0; i < N_WEIGHTS; i++)
		check_slope(&fixture, &fixture.weights[i], fixture.gradients[i], "weight", i);
	for (size_t i = 0; i < N_ROWS * DIM; i++)
		check_slope(&fixture, &fixture.states[i], fixture.dstates[i], "state", i);
	srm_arena_free(fixture.arena);
}

static void
test_head_slopes(void **state)
{
	(void) state;
	check_head(SRM_AGGREGATE_ATTENTION);
	check_head(SRM_AGGREGATE_LAST);
	check_head(SRM_AGGREGATE_SUM);
	check_head(SRM_AGGREGATE_MEAN);
	check_head(SRM_AGGREGATE_MIN);
	check_head(SRM_AGGREGATE_MAX);
	check_head(SRM_AGGREGATE_TOKEN_MEAN);
}

/* The scores of a batch are those of reward.h. */
static void
test_head_scores(void **state)
{
	HeadFixture fixture;
	SrmScoresPass pass;
	double		v[5];
	double		c[5];
	double		a[5];

	(void) state;
	start_head(&fixture, SRM_AGGREGATE_ATTENTION);
	pair_loss(&fixture, &pass);
	const SrmValueHead value = {DIM, fixture.head.value_weight, fixture.head.value_bias[0]};
	const SrmAggregator aggregator = {DIM, D, fixture.head.query_weight, fixture.head.query_bias,
		fixture.head.key_weight, fixture.head.key_bias
	};

	srm_values_forward(v, fixture.states, &value, 5);
	srm_rewards_forward(c, v, 4);
	assert_true(srm_aggregator_forward(a, fixture.states, &aggregator, 4, fixture.arena, &fixture.status));
	/* To the bit */
	assert_true(pass.scores[0] == srm_score_forward(a, c, 4));
	srm_arena_free(fixture.arena);
}

static void
test_pair_loss(void **state)
{
	double		dchosen;
	double		drejected;

	(void) state;
	assert_close(srm_pair_loss(1.0, 1.0, 0.0, 0.0), log(2.0), 1e-12);
	assert_close(srm_pair_loss(2.0, -1.0, 0.5, 0.1), log1p(exp(-2.5)) + 0.5, 1e-12);
	assert_close(srm_pair_loss(-1000.0, 1000.0, 0.0, 0.0), 2000.0, 1e-12);
	assert_close(srm_pair_loss(1000.0, -1000.0, 0.0, 0.0), 0.0, 1e-12);
	srm_pair_loss_backward(&dchosen, &drejected, -1000.0, 1000.0, 0.0, 0.0);
	assert_close(dchosen, -1.0, 1e-12);
	assert_close(drejected, 1.0, 1e-12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_loss),
		cmocka_unit_test(test_head_scores),
		cmocka_unit_test(test_head_slopes)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
