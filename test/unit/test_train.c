/*-------------------------------------------------------------------------
 *
 * test_train.c
 *	  The gradients of the head, and whole training runs of tiny models.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model.h"
#include "reward/gradient.h"
#include "score/scorer.h"
#include "train/train.h"

#define DIM		12
#define D		8
#define N_ROWS	9
#define BASE	"test/data/models/attention-marker"

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
	assert_close(pass.scores[0], srm_score_forward(a, c, 4), 1e-6);
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

/* Pairs that can be told apart: good answers begin with another word than bad ones. */
static const char *const good[] = {
	"Yes. The answer is here. It helps.", "Yes, of course. Take two steps.", "Yes. This is right.",
	"Yes! We can do that. Here is how. Go on."
};
static const char *const bad[] = {
	"No. The answer is not here. It does not help.", "No, never. Take none.", "No. This is wrong.",
	"No! We cannot do that. Leave. Go away."
};

typedef struct Run
{
	SrmStatus	status;
	SrmTrainOptions options;
	SrmTrainer *trainer;
	SrmTrainPlan plan;
	SrmTrainReport report;
	char		directory[64];
	int			n_asked;		/* by the stop callback */
	int			stop_at;		/* 0: never */
} Run;

static bool
ask_stop(void *arg)
{
	Run		   *run = arg;

	return run->stop_at > 0 && ++run->n_asked >= run->stop_at;
}

static void
start_options(Run *run)
{
	memset(run, 0, sizeof(Run));
	srm_status_init(&run->status);
	strcpy(run->directory, "/tmp/srm-train-XXXXXX");
	assert_non_null(mkdtemp(run->directory));
	srm_train_defaults(&run->options);
	run->options.base = BASE;
	run->options.output = run->directory;
	run->options.name = "new";
	run->options.replace = true;
	run->options.epochs = 6.0;
	run->options.batch = 5;
	run->options.learning_rate = 3e-3;
	run->options.held_out = 0.2;
	run->options.write_f32 = true;
}

static void
add_pairs(Run *run)
{
	for (int i = 0; i < 40; i++)
	{
		char		question[32];
		SrmMessage	prompt = {"user", question, 0};
		SrmTrainPair pair = {.prompt = &prompt,.n_prompt = 1,.weight = 1.0,.row = (uint64_t) i + 1};

		snprintf(question, sizeof(question), "Question %d?", i / 2);
		prompt.content_length = strlen(question);
		pair.chosen = good[i % 4];
		pair.rejected = bad[(i / 4 + i) % 4];
		pair.chosen_length = strlen(pair.chosen);
		pair.rejected_length = strlen(pair.rejected);
		if (!srm_trainer_add(run->trainer, &pair, NULL, &run->status))
			fail_msg("%s %s", run->status.message, run->status.detail);
	}
}

static void
open_run(Run *run)
{
	run->trainer = srm_trainer_open(&run->options, NULL, &run->status);
	if (run->trainer == NULL)
		fail_msg("%s %s", run->status.message, run->status.detail);
	add_pairs(run);
	if (!srm_trainer_begin(run->trainer, &run->plan, NULL, &run->status))
		fail_msg("%s %s", run->status.message, run->status.detail);
}

static void
run_steps(Run *run)
{
	do
	{
		if (!srm_trainer_step(run->trainer, &run->report, NULL, &run->status))
			fail_msg("%s %s", run->status.message, run->status.detail);
	} while (!run->report.done);
}

static void
finish_run(Run *run)
{
	if (!srm_trainer_finish(run->trainer, NULL, &run->status))
		fail_msg("%s %s", run->status.message, run->status.detail);
	srm_trainer_close(run->trainer);
	run->trainer = NULL;
}

static void
remove_run(Run *run)
{
	char		command[128];

	srm_trainer_close(run->trainer);
	snprintf(command, sizeof(command), "rm -rf %s", run->directory);
	assert_int_equal(system(command), 0);
}

static char *
read_model(const Run *run, size_t *size)
{
	char		path[128];
	FILE	   *file;
	char	   *data;

	snprintf(path, sizeof(path), "%s/new/model.safetensors", run->directory);
	file = fopen(path, "rb");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	*size = (size_t) ftell(file);
	rewind(file);
	data = malloc(*size);
	assert_int_equal(fread(data, 1, *size, file), *size);
	fclose(file);
	return data;
}

/* Scores of the new model, by the scoring path: how many good answers win. */
static double
score_new_model(const Run *run)
{
	char		path[128];
	SrmStatus	status;
	SrmScorer  *scorer;
	SrmScoreOptions options;
	double		right = 0.0;

	srm_status_init(&status);
	snprintf(path, sizeof(path), "%s/new", run->directory);
	scorer = srm_scorer_open(path, NULL, NULL, &status);
	if (scorer == NULL)
		fail_msg("%s %s", status.message, status.detail);
	srm_scorer_defaults(scorer, &options);
	for (int i = 0; i < 4; i++)
	{
		double		scores[2];

		for (int j = 0; j < 2; j++)
		{
			const char *text = j == 0 ? good[i] : bad[i];
			SrmMessage	messages[] = {{"user", "Question 99?", 12}, {"assistant", text, strlen(text)}};
			SrmArena   *arena = srm_arena_create(&status);
			SrmScored	scored;

			if (!srm_scorer_score(scorer, messages, 2, &options, arena, &scored, NULL, &status))
				fail_msg("%s %s", status.message, status.detail);
			scores[j] = scored.score;
			srm_arena_free(arena);
		}
		right += scores[0] > scores[1];
	}
	srm_scorer_close(scorer);
	return right / 4.0;
}

static void
check_learning(Run *run)
{
	open_run(run);
	assert_int_equal(run->plan.n_pairs, 40);
	assert_int_equal(run->plan.n_train + run->plan.n_held_out, 40);
	assert_true(run->plan.n_held_out > 0 && run->plan.n_held_out % 2 == 0);
	run_steps(run);
	assert_true(run->report.held_out_accuracy > 0.9);
	assert_true(run->report.loss < 0.5);
	finish_run(run);
	assert_true(score_new_model(run) > 0.9);
	remove_run(run);
}

static void
test_full(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	check_learning(&run);
}

static void
test_aggregations(void **state)
{
	(void) state;
	for (int i = 0; i < 4; i++)
	{
		static const SrmAggregation all[] = {
			SRM_AGGREGATE_LAST, SRM_AGGREGATE_TOKEN_MEAN, SRM_AGGREGATE_MEAN, SRM_AGGREGATE_SUM
		};
		Run			run;

		start_options(&run);
		run.options.has_aggregation = run.options.has_boundary = true;
		run.options.aggregation = all[i];
		run.options.boundary = i % 2 == 0 ? SRM_BOUNDARY_OFFSET : SRM_BOUNDARY_MARKER;
		check_learning(&run);
	}
}

static void
test_lora(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	run.options.part = SRM_TRAIN_LORA;
	run.options.lora_targets = "q_proj, v_proj,down_proj";
	run.options.lora_rank = 3;
	run.options.learning_rate = 2e-2;
	check_learning(&run);
}

static void
test_head_alone(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	run.options.part = SRM_TRAIN_HEAD;
	run.options.learning_rate = 5e-2;
	run.options.epochs = 20.0;
	check_learning(&run);
}

static void
test_fresh(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	run.options.fresh = true;
	run.options.attention_dim = 16;
	run.options.epochs = 12.0;
	check_learning(&run);
}

static char *
train_and_read(int n_threads, size_t memory_limit, int stop_step, int resumed, size_t *size)
{
	Run			run;
	char		checkpoint[128];
	char	   *data;

	start_options(&run);
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", run.directory);
	run.options.checkpoint = checkpoint;
	run.options.n_threads = n_threads;
	run.options.memory_limit = memory_limit;
	run.options.patience = 3;
	run.options.evaluate_every = 4;
	open_run(&run);
	for (int i = 0; i < resumed; i++)
	{
		SrmStop		stop = {.callback = ask_stop,.arg = &run};

		/* Stopped within a step, at a later place each time */
		run.n_asked = 0;
		run.stop_at = stop_step + 50 * i;
		while (srm_trainer_step(run.trainer, &run.report, &stop, &run.status))
			assert_false(run.report.done);
		assert_int_equal(run.status.code, SRM_STOPPED);
		srm_trainer_close(run.trainer);
		srm_status_init(&run.status);
		run.options.resume = true;
		open_run(&run);
		assert_true(run.plan.first_step > 1);
	}
	run_steps(&run);
	finish_run(&run);
	assert_int_equal(access(checkpoint, F_OK), -1);
	data = read_model(&run, size);
	remove_run(&run);
	return data;
}

/* Threads, memory and stops change nothing of the model. */
static void
test_same_model(void **state)
{
	size_t		size;
	char	   *expected = train_and_read(1, 0, 0, 0, &size);

	(void) state;
	for (int i = 0; i < 3; i++)
	{
		size_t		found_size;
		char	   *found = train_and_read(i + 1, 0, i == 0 ? 0 : 203 + 40 * i, i, &found_size);

		assert_int_equal(found_size, size);
		assert_memory_equal(found, expected, size);
		free(found);
	}
	free(expected);
}

static void
test_memory(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	run.options.memory_limit = 1024;
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	assert_non_null(run.trainer);
	add_pairs(&run);
	assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_LIMIT_EXCEEDED);
	remove_run(&run);
}

/* Memory is what was announced, within what arenas round up. */
static void
test_memory_used(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	open_run(&run);
	assert_true(srm_trainer_bytes(run.trainer) < run.plan.memory + run.plan.memory / 4 + (1 << 20));
	remove_run(&run);
}

/* A checkpoint of other pairs or options is refused, and so is a damaged one. */
static void
test_foreign_checkpoint(void **state)
{
	Run			run;
	char		checkpoint[128];
	char		path[160];

	(void) state;
	start_options(&run);
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", run.directory);
	snprintf(path, sizeof(path), "%s/training.state", checkpoint);
	run.options.checkpoint = checkpoint;
	run.options.checkpoint_seconds = 0;
	open_run(&run);
	assert_true(srm_trainer_step(run.trainer, &run.report, NULL, &run.status));
	srm_trainer_close(run.trainer);

	run.options.resume = true;
	run.options.learning_rate = 4e-3;
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	add_pairs(&run);
	assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_INVALID_ARGUMENT);
	srm_trainer_close(run.trainer);

	assert_int_equal(truncate(path, 5000), 0);
	run.options.learning_rate = 3e-3;
	srm_status_init(&run.status);
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	add_pairs(&run);
	assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_INVALID_ARGUMENT);
	srm_trainer_close(run.trainer);

	assert_int_equal(unlink(path), 0);
	srm_status_init(&run.status);
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	add_pairs(&run);
	assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_FILE_ACCESS);
	remove_run(&run);
}

/* A loss that is not finite names the step and the pair. */
static void
test_not_finite(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	run.options.learning_rate = 100.0;
	run.options.value_scale = 1e6;
	run.options.penalty = 1e6;
	run.options.clip = 0.0;
	run.options.epochs = 1000.0;
	run.options.warmup = 0.0;
	open_run(&run);
	while (srm_trainer_step(run.trainer, &run.report, NULL, &run.status))
		if (run.report.done)
			fail_msg("a run with absurd settings came to its end");
	assert_int_equal(run.status.code, SRM_INVALID_ARGUMENT);
	assert_non_null(strstr(run.status.message, "not finite in step"));
	assert_non_null(strstr(run.status.message, "row"));
	remove_run(&run);
}

/* Pairs that cannot be used are skipped or errors, as asked for. */
static void
test_odd_pairs(void **state)
{
	Run			run;
	SrmMessage	prompt = {"user", "Hi", 2};
	SrmTrainPair same = {.prompt = &prompt,.n_prompt = 1,.chosen = "Yes.",.chosen_length = 4,
		.rejected = "Yes.",.rejected_length = 4,.weight = 1.0,.row = 7
	};
	SrmTrainPair empty = same;
	SrmTrainPair heavy = same;

	(void) state;
	start_options(&run);
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	assert_non_null(run.trainer);
	assert_true(srm_trainer_add(run.trainer, &same, NULL, &run.status));
	assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_INVALID_ARGUMENT);
	srm_trainer_close(run.trainer);

	srm_status_init(&run.status);
	run.options.max_tokens = 8;
	run.options.too_long = SRM_TRAIN_LONG_ERROR;
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	empty.chosen_length = 0;
	assert_false(srm_trainer_add(run.trainer, &empty, NULL, &run.status));
	assert_non_null(strstr(run.status.detail, "row 7"));
	srm_status_init(&run.status);
	heavy.weight = NAN;
	assert_false(srm_trainer_add(run.trainer, &heavy, NULL, &run.status));
	srm_status_init(&run.status);
	same.rejected = "No. No. No. No. No. No. No. No.";
	same.rejected_length = strlen(same.rejected);
	assert_false(srm_trainer_add(run.trainer, &same, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_LIMIT_EXCEEDED);
	remove_run(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_loss),
		cmocka_unit_test(test_head_scores),
		cmocka_unit_test(test_head_slopes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_aggregations),
		cmocka_unit_test(test_lora),
		cmocka_unit_test(test_head_alone),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_same_model),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_used),
		cmocka_unit_test(test_foreign_checkpoint),
		cmocka_unit_test(test_not_finite),
		cmocka_unit_test(test_odd_pairs)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
