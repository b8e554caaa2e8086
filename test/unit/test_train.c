/*-------------------------------------------------------------------------
 *
 * test_train.c
 *	  Whole training runs of tiny models.
 *
 *-------------------------------------------------------------------------
 */
#include "train_fixture.h"

#include <limits.h>
#include <math.h>
#include <sys/stat.h>

#include "model/model.h"
#include "write/quantize.h"
#include "score/scorer.h"

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
			SrmMessage	messages[] = {{"user", "Question 99?", 12, NULL}, {"assistant", text, strlen(text), NULL}};
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

/* what backward does not know is an error at the start, and no obstacle to training the head */
static void
test_no_backward(void **state)
{
	static const struct
	{
		const char *base;
		const char *architecture;
		const char *why;
	} models[] = {
		{"olmo2", "Olmo2ForSequenceClassification", "Its layers have no norms before their steps."},
		{"gptneox", "GPTNeoXForSequenceClassification", "Its feed-forward networks are beside attention, not behind it."},
		{"cohere", "CohereForSequenceClassification", "Its feed-forward networks are beside attention, not behind it."},
		{"gptneox-old", "GPTNeoXForSequenceClassification", "Its norms are layer norms."}
	};
	Run			run;

	(void) state;
	for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
	{
		char		base[64];
		char		message[128];

		snprintf(base, sizeof(base), "test/data/models/%s", models[i].base);
		snprintf(message, sizeof(message), "of a model of architecture \"%s\" only the head can be trained",
				 models[i].architecture);
		start_options(&run);
		run.options.base = base;
		assert_null(srm_trainer_open(&run.options, NULL, &run.status));
		assert_int_equal(run.status.code, SRM_NOT_SUPPORTED);
		assert_string_equal(run.status.message, message);
		assert_string_equal(run.status.detail, models[i].why);

		srm_status_init(&run.status);
		run.options.part = SRM_TRAIN_HEAD;
		open_run(&run);
		run_steps(&run);
		finish_run(&run);
		remove_run(&run);
	}

	start_options(&run);
	run.options.base = "test/data/models/xlm-roberta";
	run.options.part = SRM_TRAIN_HEAD;
	assert_null(srm_trainer_open(&run.options, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_NOT_SUPPORTED);
	assert_string_equal(run.status.detail, "Its tokens see those behind them.");

	srm_status_init(&run.status);
	run.options.base = "test/data/models/mixtral";
	assert_null(srm_trainer_open(&run.options, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_NOT_SUPPORTED);
	assert_string_equal(run.status.message, "a model of architecture \"MixtralForSequenceClassification\" cannot be trained");
	assert_string_equal(run.status.detail, "Its feed-forward networks are experts.");
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

/* How often a whole run asks whether to stop. */
static int
count_asks(void)
{
	Run			run;
	SrmStop		stop = {.callback = ask_stop,.arg = &run};

	start_options(&run);
	run.options.patience = 3;
	run.options.evaluate_every = 4;
	run.stop_at = INT_MAX;
	open_run(&run);
	do
	{
		if (!srm_trainer_step(run.trainer, &run.report, &stop, &run.status))
			fail_msg("%s %s", run.status.message, run.status.detail);
	} while (!run.report.done);
	remove_run(&run);
	return run.n_asked;
}

static char *
train_and_read(int n_threads, size_t memory_limit, int stop_at, int resumed, size_t *size)
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
		run.stop_at = stop_at + 7 * i;
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

static void
check_same(char *found, size_t found_size, const char *expected, size_t size)
{
	assert_int_equal(found_size, size);
	assert_memory_equal(found, expected, size);
	free(found);
}

/*
 * Threads and stops change nothing of the model.  How often threads ask whether to stop
 * is a matter of time, so the runs that are stopped have one.
 */
static void
test_same_model(void **state)
{
	size_t		size;
	char	   *expected = train_and_read(1, 0, 0, 0, &size);
	int			n_asks = count_asks();

	(void) state;
	for (int i = 1; i < 3; i++)
	{
		size_t		found_size;
		char	   *found = train_and_read(i + 1, 0, 0, 0, &found_size);

		check_same(found, found_size, expected, size);
		found = train_and_read(1, 0, n_asks * 4 / 10 + i, i, &found_size);
		check_same(found, found_size, expected, size);
	}
	free(expected);
}

/* the base alone may be too large, which is found before it is read */
static void
test_memory_of_base(void **state)
{
	static const SrmTrainPart parts[] = {SRM_TRAIN_FULL, SRM_TRAIN_LORA, SRM_TRAIN_HEAD};

	(void) state;
	for (int i = 0; i < 3; i++)
	{
		Run			run;

		start_options(&run);
		run.options.part = parts[i];
		run.options.memory_limit = 1024;
		run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
		assert_null(run.trainer);
		assert_int_equal(run.status.code, SRM_LIMIT_EXCEEDED);
		assert_non_null(strstr(run.status.message, "weights of model"));
		remove_run(&run);
	}
}

/* The base counts once, in whatever form its weights are in memory. */
static void
test_memory(void **state)
{
	static const SrmTrainPart parts[] = {SRM_TRAIN_FULL, SRM_TRAIN_HEAD};

	(void) state;
	for (int i = 0; i < 2; i++)
	{
		Run			run;
		struct stat st;
		char		weights[400];
		size_t		base;

		start_options(&run);
		run.options.part = parts[i];
		run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
		base = srm_trainer_bytes(run.trainer);
		snprintf(weights, sizeof(weights), "%s/model.safetensors", run.options.base);
		assert_int_equal(stat(weights, &st), 0);
		assert_true(base >= (size_t) st.st_size);
		srm_trainer_close(run.trainer);
		run.options.memory_limit = base + 4096;
		run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
		assert_non_null(run.trainer);
		add_pairs(&run);
		assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
		assert_int_equal(run.status.code, SRM_LIMIT_EXCEEDED);
		assert_non_null(strstr(run.status.message, "training needs more memory"));
		remove_run(&run);
	}
}

/* Memory is what was announced, within what arenas round up. */
static void
test_memory_used(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	open_run(&run);
	assert_true(srm_trainer_bytes(run.trainer) < run.plan.memory + run.plan.memory / 4 + (2 << 20));
	remove_run(&run);
}

/* A run that may not keep all states computes them twice, says so, and makes the same model. */
static void
test_less_memory(void **state)
{
	Run			run;
	size_t		size;
	size_t		found_size;
	size_t		fast_memory;
	char	   *expected = train_and_read(1, 0, 0, 0, &size);
	char	   *found;

	(void) state;
	start_options(&run);
	open_run(&run);
	assert_int_equal(run.plan.fast_memory, 0);
	fast_memory = run.plan.memory;
	remove_run(&run);

	start_options(&run);
	run.options.memory_limit = fast_memory - 1;
	open_run(&run);
	assert_int_equal(run.plan.fast_memory, fast_memory);
	assert_true(run.plan.memory < fast_memory);
	remove_run(&run);

	found = train_and_read(2, fast_memory - 1, 0, 0, &found_size);
	check_same(found, found_size, expected, size);
	free(expected);
}

/* A run that was stopped behind its last step reports that step again, as its plan says. */
static void
test_resumed_at_end(void **state)
{
	Run			run;
	char		checkpoint[128];
	uint64_t	last;

	(void) state;
	start_options(&run);
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", run.directory);
	run.options.checkpoint = checkpoint;
	run.options.epochs = 1.0;
	open_run(&run);
	assert_int_equal(run.plan.first_report, 1);
	run_steps(&run);
	last = run.report.step;
	srm_trainer_close(run.trainer);

	run.options.resume = true;
	open_run(&run);
	assert_true(srm_trainer_step(run.trainer, &run.report, NULL, &run.status));
	assert_true(run.report.done);
	assert_int_equal(run.report.step, last);
	assert_int_equal(run.plan.first_report, last);
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
	SrmMessage	prompt = {"user", "Hi", 2, NULL};
	SrmTrainPair same = {.prompt = &prompt,.n_prompt = 1,.chosen = response_of("Yes."),
		.rejected = response_of("Yes."),.weight = 1.0,.row = 7
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
	empty.chosen.content_length = 0;
	assert_false(srm_trainer_add(run.trainer, &empty, NULL, &run.status));
	assert_non_null(strstr(run.status.detail, "row 7"));
	srm_status_init(&run.status);
	heavy.weight = NAN;
	assert_false(srm_trainer_add(run.trainer, &heavy, NULL, &run.status));
	srm_status_init(&run.status);
	same.rejected = response_of("No. No. No. No. No. No. No. No.");
	assert_false(srm_trainer_add(run.trainer, &same, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_LIMIT_EXCEEDED);
	remove_run(&run);
}

/*
 * The losses and gradient norms of torch.  Norms go back through all that
 * forward rounds, and Adam makes much of small gradients: hence 1e-3.
 */
static void
check_against_torch(const SrmJson *root, const SrmJson *model)
{
	Run			run;
	char		base[128];
	const SrmJson *loss = srm_json_member(model, "losses")->child;
	const SrmJson *norm = srm_json_member(model, "norms")->child;
	uint64_t	row = 0;

	start_options(&run);
	snprintf(base, sizeof(base), "test/data/models/%s", model->key);
	run.options.base = base;
	run.options.epochs = 2.0;
	run.options.batch = 3;
	run.options.learning_rate = 2e-3;
	run.options.warmup = 0.2;
	run.options.seed = 5;
	run.options.weight_decay = 0.05;
	run.options.margin = 0.25;
	run.options.penalty = 0.01;
	run.options.held_out = 0.0;
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	if (run.trainer == NULL)
		fail_msg("%s: %s", base, run.status.message);
	for (const SrmJson *pair = srm_json_member(root, "pairs")->child; pair != NULL; pair = pair->next)
	{
		const char *prompt = srm_json_string(srm_json_member(pair, "prompt"));
		const char *chosen = srm_json_string(srm_json_member(pair, "chosen"));
		const char *rejected = srm_json_string(srm_json_member(pair, "rejected"));
		SrmMessage	message = {"user", prompt, strlen(prompt), NULL};
		SrmTrainPair item = {.prompt = &message,.n_prompt = 1,.chosen = response_of(chosen),
			.rejected = response_of(rejected),.weight = 1.0,.row = row++
		};

		assert_true(srm_trainer_add(run.trainer, &item, NULL, &run.status));
	}
	assert_true(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	for (; loss != NULL; loss = loss->next, norm = norm->next)
	{
		assert_true(srm_trainer_step(run.trainer, &run.report, NULL, &run.status));
		assert_close(run.report.loss, json_number(loss), 1e-4);
		assert_close(run.report.gradient_norm, json_number(norm), 1e-3);
	}
	assert_true(run.report.done);
	remove_run(&run);
}

static void
test_against_torch(void **state)
{
	SrmStatus	status;
	SrmArena   *arena;
	const SrmJson *root;

	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	root = read_json_file("test/data/training.json", arena, &status);
	for (const SrmJson *model = srm_json_member(root, "models")->child; model != NULL; model = model->next)
		check_against_torch(root, model);
	srm_arena_free(arena);
}

/* A run of whole epochs at one learning rate: the loss of its last step. */
static double
last_loss(Run *run, const char *base, int n_steps, bool write)
{
	double		loss;

	run->options.base = base;
	run->options.epochs = n_steps;
	run->options.batch = 100;
	run->options.warmup = 0.0;
	run->options.final_rate = 1.0;
	run->options.held_out = 0.0;
	run->options.learning_rate = 1e-3;
	open_run(run);
	run_steps(run);
	loss = run->report.loss;
	if (write)
		finish_run(run);
	srm_trainer_close(run->trainer);
	run->trainer = NULL;
	return loss;
}

/*
 * What was written is what was trained, also where the base packs several maps into one
 * tensor, stores norms less one, or shares files: the next step's loss tells.
 */
static void
test_written_back(void **state)
{
	static const char *const bases[] = {"phi3", "gemma2", "qwen3-sharded", "attention-marker", "attention-offset"};

	(void) state;
	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
	{
		Run			run;
		char		base[128];
		double		expected;

		start_options(&run);
		snprintf(base, sizeof(base), "test/data/models/%s", bases[i]);
		expected = last_loss(&run, base, 4, false);
		last_loss(&run, base, 3, true);
		snprintf(base, sizeof(base), "%s/new", run.directory);
		run.options.name = "newer";
		assert_close(last_loss(&run, base, 1, false), expected, 1e-5);
		remove_run(&run);
	}
}

/*
 * A base of 8-bit weights is trained like another one: what is trained is written in floats, and what
 * is not stays in bytes.
 */
static void
test_quantized_base(void **state)
{
	static const SrmTrainPart parts[] = {SRM_TRAIN_HEAD, SRM_TRAIN_LORA, SRM_TRAIN_FULL};

	(void) state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		Run			run;
		char		base[128];
		SrmWriter  *writer;
		SrmModel   *model;
		double		expected;

		start_options(&run);
		writer = srm_writer_begin(run.directory, "bytes", false, 0700, &run.status);
		assert_true(writer != NULL && srm_model_quantize(writer, BASE, NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8,.embedding = true}, NULL, &run.status) &&
					srm_writer_commit(writer, &run.status));
		srm_writer_close(writer);
		run.options.part = parts[i];
		snprintf(base, sizeof(base), "%s/bytes", run.directory);
		expected = last_loss(&run, base, 4, false);
		last_loss(&run, base, 3, true);
		snprintf(base, sizeof(base), "%s/new", run.directory);
		model = srm_model_open(base, NULL, NULL, &run.status);
		assert_non_null(model);
		assert_int_equal(model->settings.quantization != NULL, parts[i] == SRM_TRAIN_HEAD);
		assert_int_equal(model->decoder.embedding.dtype == SRM_INT8, parts[i] == SRM_TRAIN_HEAD);
		srm_model_close(model);
		run.options.name = "newer";
		/* A run of adapters that starts again has other ones */
		if (parts[i] != SRM_TRAIN_LORA)
			assert_close(last_loss(&run, base, 1, false), expected, 1e-5);
		remove_run(&run);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_aggregations),
		cmocka_unit_test(test_lora),
		cmocka_unit_test(test_head_alone),
		cmocka_unit_test(test_no_backward),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_against_torch),
		cmocka_unit_test(test_written_back),
		cmocka_unit_test(test_quantized_base),
		cmocka_unit_test(test_same_model),
		cmocka_unit_test(test_memory_of_base),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_memory_used),
		cmocka_unit_test(test_less_memory),
		cmocka_unit_test(test_resumed_at_end),
		cmocka_unit_test(test_foreign_checkpoint),
		cmocka_unit_test(test_not_finite),
		cmocka_unit_test(test_odd_pairs)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
