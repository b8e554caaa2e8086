/*-------------------------------------------------------------------------
 *
 * test_train_adapters.c
 *	  Adapters that training writes, and goes on with.
 *
 *-------------------------------------------------------------------------
 */
#include "train_fixture.h"

#include <math.h>

#include "model/model.h"
#include "write/quantize.h"

#define MODELS	"test/data/models"

static const char *const models = MODELS;
static const SrmModelPath path_to_models = {.directories = &models,.n = 1};

/* Trains one epoch of adapters, and writes them in one form or the other under a name. */
static void
train_adapters(Run *run, const char *name, bool as_adapter)
{
	run->options.part = SRM_TRAIN_LORA;
	run->options.lora_adapter = as_adapter;
	run->options.lora_targets = "q_proj,v_proj,o_proj,up_proj,down_proj";
	run->options.epochs = 1.0;
	run->options.name = name;
	open_run(run);
	run_steps(run);
	finish_run(run);
}

static SrmModel *
open_written(const Run *run, const char *name, const char *path_to_base)
{
	char		directory[128];
	SrmModelPath path = {.directories = &path_to_base,.n = 1};
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_PLAIN,.path = &path};
	SrmStatus	status = {0};
	SrmModel   *model;

	snprintf(directory, sizeof(directory), "%s/%s", run->directory, name);
	model = srm_model_open(directory, &options, NULL, &status);
	if (model == NULL)
		fail_msg("%s %s", status.message, status.detail);
	return model;
}

/* The same weights, as far as adding to the base in another order lets them be; and the same head. */
static void
compare_models(const SrmModel *a, const SrmModel *b)
{
	for (size_t i = 0; i < a->decoder.n_layers * SRM_N_WEIGHTS; i++)
	{
		const SrmMatrix *x = srm_weight_matrix(&a->decoder.layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS);
		const SrmMatrix *y = srm_weight_matrix(&b->decoder.layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS);

		for (size_t j = 0; srm_weight_is_matrix(i % SRM_N_WEIGHTS) && j < x->rows * x->cols; j++)
		{
			float		values[2];

			srm_matrix_read(x, j, 1, &values[0]);
			srm_matrix_read(y, j, 1, &values[1]);
			assert_close(values[0], values[1], 1e-6);
		}
	}
	assert_memory_equal(a->value_weight, b->value_weight, a->decoder.dim * sizeof(float));
	assert_memory_equal(a->attention.query_weight, b->attention.query_weight,
						a->attention.dim * a->decoder.dim * sizeof(float));
	assert_memory_equal(a->attention.key_bias, b->attention.key_bias, a->attention.dim * sizeof(float));
	assert_string_equal(a->settings.aggregation, b->settings.aggregation);
	assert_string_equal(a->settings.marker_layout, b->settings.marker_layout);
	assert_int_equal(a->marker_id, b->marker_id);
}

/* The text of a file of a model's directory; to be freed. */
static char *
read_text(const char *directory, const char *name)
{
	char		path[256];
	char	   *text = calloc(1, 65536);
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	return text;
}

/* peft has loaded one with this configuration: see test_golden.c. */
static void
compare_config(const Run *run, const char *name, const char *expected)
{
	char		directory[128];
	char	   *written;
	char	   *loaded = read_text(expected, "adapter_config.json");

	snprintf(directory, sizeof(directory), "%s/%s", run->directory, name);
	written = read_text(directory, "adapter_config.json");
	assert_string_equal(written, loaded);
	free(written);
	free(loaded);
}

/* What is written as an adapter opens as the model that is written merged. */
static void
test_adapter(void **state)
{
	Run			run;
	SrmModel   *adapter;
	SrmModel   *merged;

	(void) state;
	start_options(&run);
	run.options.replace = false;
	train_adapters(&run, "adapter", true);
	compare_config(&run, "adapter", "test/data/models/adapter-trained");
	train_adapters(&run, "merged", false);
	adapter = open_written(&run, "adapter", "test/data/models");
	merged = open_written(&run, "merged", "test/data/models");
	assert_string_equal(adapter->base, "attention-marker");
	assert_null(merged->base);
	assert_non_null(adapter->decoder.layers[1].query.change);
	assert_null(adapter->decoder.layers[1].key.change);
	compare_models(adapter, merged);
	srm_model_close(adapter);
	srm_model_close(merged);
	remove_run(&run);
}

/* Modules have the base's names for them, which may be others than options have. */
static void
test_names_of_modules(void **state)
{
	Run			run;
	char		directory[128];
	char	   *config;
	SrmModel   *model;

	(void) state;
	start_options(&run);
	run.options.base = MODELS "/internlm2";
	run.options.part = SRM_TRAIN_LORA;
	run.options.lora_adapter = true;
	run.options.lora_targets = "o_proj,down_proj";
	run.options.epochs = 0.1;
	open_run(&run);
	run_steps(&run);
	finish_run(&run);
	snprintf(directory, sizeof(directory), "%s/new", run.directory);
	config = read_text(directory, "adapter_config.json");
	assert_non_null(strstr(config, "\"wo\""));
	assert_non_null(strstr(config, "\"w2\""));
	assert_null(strstr(config, "o_proj"));
	free(config);
	model = open_written(&run, "new", MODELS);
	assert_non_null(model->decoder.layers[0].down.change);
	srm_model_close(model);
	remove_run(&run);
}

/* An adapter is trained as any model is; what comes of it is merged, unless it is to be an adapter, too. */
static void
test_over_adapter(void **state)
{
	Run			run;
	char		base[128];
	const char *directories = "test/data/models";
	SrmModelPath path = {.directories = &directories,.n = 1};
	SrmModel   *models[2];

	(void) state;
	start_options(&run);
	train_adapters(&run, "adapter", true);
	snprintf(base, sizeof(base), "%s/adapter", run.directory);
	run.options.base = base;
	run.options.path = &path;

	/* No rate, no change: the adapter in other files */
	run.options.learning_rate = 1e-30;
	run.options.part = SRM_TRAIN_HEAD;
	run.options.lora_adapter = false;
	run.options.name = "head";
	open_run(&run);
	run_steps(&run);
	finish_run(&run);
	train_adapters(&run, "merged", false);
	models[0] = open_written(&run, "adapter", directories);
	for (int i = 0; i < 2; i++)
	{
		models[1] = open_written(&run, i == 0 ? "head" : "merged", directories);
		compare_models(models[0], models[1]);
		srm_model_close(models[1]);
	}
	srm_model_close(models[0]);
	remove_run(&run);
}

/* A base of bytes stays as it is, and is adapted. */
static void
test_over_bytes(void **state)
{
	Run			run;
	char		base[128];
	SrmWriter  *writer;
	SrmModel   *model;
	SrmModel   *head;

	(void) state;
	start_options(&run);
	writer = srm_writer_begin(run.directory, "bytes", false, 0700, &run.status);
	assert_non_null(writer);
	assert_true(srm_model_quantize(writer, BASE, NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8}, NULL, &run.status));
	assert_true(srm_writer_commit(writer, &run.status));
	srm_writer_close(writer);
	snprintf(base, sizeof(base), "%s/bytes", run.directory);
	run.options.base = base;
	train_adapters(&run, "adapter", true);
	model = open_written(&run, "adapter", run.directory);
	assert_string_equal(model->base, "bytes");
	assert_int_equal(model->decoder.layers[0].up.dtype, SRM_INT8);
	assert_non_null(model->decoder.layers[0].up.change);

	/* The head alone over that: what is adapted is bytes no more, and the rest is */
	snprintf(base, sizeof(base), "%s/adapter", run.directory);
	run.options.lora_adapter = false;
	run.options.part = SRM_TRAIN_HEAD;
	run.options.learning_rate = 1e-30;
	run.options.write_f32 = true;
	run.options.name = "head";
	open_run(&run);
	run_steps(&run);
	finish_run(&run);
	head = open_written(&run, "head", run.directory);
	assert_int_equal(head->decoder.layers[0].up.dtype, SRM_F32);
	assert_int_equal(head->decoder.layers[0].gate.dtype, SRM_INT8);
	compare_models(model, head);
	srm_model_close(head);
	srm_model_close(model);
	remove_run(&run);
}

/* Bytes of a file of a model's directory; to be freed. */
static char *
read_weights(const char *directory, size_t *size)
{
	char		path[256];
	char	   *data = malloc(1 << 20);
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/adapter_model.safetensors", directory);
	file = fopen(path, "rb");
	assert_non_null(file);
	*size = fread(data, 1, 1 << 20, file);
	assert_true(*size > 0 && *size < 1 << 20);
	fclose(file);
	return data;
}

static bool
same_weights(const char *a, const char *b)
{
	size_t		sizes[2];
	char	   *data[2] = {read_weights(a, &sizes[0]), read_weights(b, &sizes[1])};
	bool		same = sizes[0] == sizes[1] && memcmp(data[0], data[1], sizes[0]) == 0;

	free(data[0]);
	free(data[1]);
	return same;
}

/* Options that go on with the adapter of a name in the run's directory, whose path gets directory. */
static void
go_on(Run *run, const char *name, char *directory, size_t size)
{
	snprintf(directory, size, "%s/%s", run->directory, name);
	run->options.base = directory;
	run->options.path = &path_to_models;
	run->options.part = SRM_TRAIN_LORA;
	run->options.lora_adapter = true;
}

static void
write_next(Run *run, const char *name)
{
	run->options.name = name;
	open_run(run);
	run_steps(run);
	finish_run(run);
}

/* A run that goes on begins with the factors and the head of the first one, and writes an adapter over its base. */
static void
test_continued(void **state)
{
	Run			run;
	char		first[128];
	char		next[128];
	double		losses[2];
	SrmModel   *model;

	(void) state;
	start_options(&run);
	train_adapters(&run, "first", true);
	go_on(&run, "first", first, sizeof(first));

	/* Without a rate it is the first one, byte by byte */
	run.options.learning_rate = 1e-30;
	write_next(&run, "same");
	snprintf(next, sizeof(next), "%s/same", run.directory);
	assert_true(same_weights(first, next));
	compare_config(&run, "same", first);

	/* The first step has the loss of the first one's rewards, and what follows is another */
	run.options.learning_rate = 3e-3;
	for (int i = 0; i < 2; i++)
	{
		run.options.lora_adapter = i == 0;
		run.options.name = "next";
		open_run(&run);
		assert_true(srm_trainer_step(run.trainer, &run.report, NULL, &run.status));
		losses[i] = run.report.loss;
		srm_trainer_close(run.trainer);
	}
	assert_close(losses[0], losses[1], 1e-6);
	run.options.lora_adapter = true;
	write_next(&run, "next");
	snprintf(next, sizeof(next), "%s/next", run.directory);
	assert_false(same_weights(first, next));
	assert_true(run.report.loss < losses[0]);
	model = open_written(&run, "next", MODELS);
	assert_string_equal(model->base, "attention-marker");
	srm_model_close(model);
	remove_run(&run);
}

/* Ranks and scales are each map's own; the types are those of the first one. */
static void
test_continued_patterns(void **state)
{
	Run			run;
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_PLAIN,.path = &path_to_models};
	SrmModel   *first;
	SrmModel   *next;

	(void) state;
	start_options(&run);
	go_on(&run, "none", (char[128]) {0}, 128);
	run.options.base = MODELS "/adapter-llama";
	run.options.write_f32 = false;
	run.options.learning_rate = 1e-30;
	run.options.epochs = 0.1;
	write_next(&run, "next");
	first = srm_model_open(run.options.base, &options, NULL, &run.status);
	next = open_written(&run, "next", MODELS);
	assert_non_null(first);
	assert_int_equal(next->decoder.layers[1].query.change->a.rows, 7);
	assert_int_equal(next->decoder.layers[0].up.change->a.rows, 2);
	assert_int_equal(next->decoder.layers[0].up.change->a.dtype, SRM_F32);
	for (size_t i = 0; i < first->decoder.n_layers; i++)
	{
		assert_true(first->decoder.layers[i].down.change->scale == next->decoder.layers[i].down.change->scale);
		assert_true(first->decoder.layers[i].output.change->scale == next->decoder.layers[i].output.change->scale);
	}
	compare_models(first, next);
	srm_model_close(first);
	srm_model_close(next);
	compare_config(&run, "next", MODELS "/adapter-continued");
	remove_run(&run);
}

/* What the user says of the adapter and is not so is named. */
static void
test_contradictions(void **state)
{
	static const struct
	{
		size_t		rank;
		double		alpha;
		const char *targets;
		const char *option;		/* that the error names; NULL: it is as the adapter has it */
	}			cases[] = {
		{8, 16.0, "up_proj,down_proj,q_proj,v_proj,o_proj", NULL},
		{4, 0.0, NULL, "\"lora_rank\""},
		{0, 8.0, NULL, "\"lora_alpha\""},
		{8, 16.0, "all", "\"lora_targets\""},
		{0, 0.0, "q_proj", "\"lora_targets\""}
	};
	Run			run;
	char		first[128];

	(void) state;
	start_options(&run);
	train_adapters(&run, "first", true);
	go_on(&run, "first", first, sizeof(first));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		SrmTrainOptions options = run.options;

		options.has_lora_rank = cases[i].rank > 0;
		options.lora_rank = cases[i].rank > 0 ? cases[i].rank : 3;
		options.has_lora_alpha = cases[i].alpha > 0.0;
		options.lora_alpha = cases[i].alpha > 0.0 ? cases[i].alpha : 3.0;
		options.has_lora_targets = cases[i].targets != NULL;
		options.lora_targets = cases[i].targets != NULL ? cases[i].targets : "k_proj";
		run.trainer = srm_trainer_open(&options, NULL, &run.status);
		assert_int_equal(run.trainer != NULL, cases[i].option == NULL);
		assert_int_equal(run.status.code, cases[i].option == NULL ? SRM_OK : SRM_INVALID_ARGUMENT);
		if (cases[i].option != NULL)
			assert_non_null(strstr(run.status.message, cases[i].option));
		srm_trainer_close(run.trainer);
		run.trainer = NULL;
		srm_status_init(&run.status);
	}
	remove_run(&run);
}

/* A stop changes nothing. */
static void
test_continued_resumed(void **state)
{
	Run			run;
	char		first[128];
	char		paths[2][128];
	char		checkpoint[128];

	(void) state;
	start_options(&run);
	train_adapters(&run, "first", true);
	go_on(&run, "first", first, sizeof(first));
	write_next(&run, "whole");
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", run.directory);
	run.options.checkpoint = checkpoint;
	run.options.name = "resumed";
	open_run(&run);
	for (int i = 0; i < 3; i++)
		assert_true(srm_trainer_step(run.trainer, &run.report, NULL, &run.status));
	assert_true(srm_trainer_save(run.trainer, &run.status));
	srm_trainer_close(run.trainer);
	run.options.resume = true;
	open_run(&run);
	assert_int_equal(run.plan.first_step, 4);
	run_steps(&run);
	finish_run(&run);
	snprintf(paths[0], sizeof(paths[0]), "%s/whole", run.directory);
	snprintf(paths[1], sizeof(paths[1]), "%s/resumed", run.directory);
	assert_true(same_weights(paths[0], paths[1]));
	remove_run(&run);
}

/* A tokenizer of its own, and what else its object "srm" says, stay. */
static void
test_continued_files(void **state)
{
	Run			run;
	char		first[128];
	char		command[1024];
	char	   *config;
	char	   *tokenizer;

	(void) state;
	start_options(&run);
	train_adapters(&run, "first", true);
	snprintf(command, sizeof(command), "cp " BASE "/tokenizer*.json %s/first && sed -i 's/\"srm\": {/"
			 "\"srm\": { \"base\": \"attention-marker\", \"compute\": \"f32\", \"mean\": 1, \"std\": 2,/; "
			 "s/: \"attention-marker\",$/: \"some\\/where\",/' %s/first/adapter_config.json",
			 run.directory, run.directory);
	assert_int_equal(system(command), 0);
	go_on(&run, "first", first, sizeof(first));
	write_next(&run, "next");
	snprintf(command, sizeof(command), "%s/next", run.directory);
	config = read_text(command, "adapter_config.json");
	assert_non_null(strstr(config, "\"base_model_name_or_path\": \"some/where\""));
	assert_non_null(strstr(config, "\"base\": \"attention-marker\""));
	assert_non_null(strstr(config, "\"compute\": \"f32\""));
	assert_null(strstr(config, "\"mean\""));
	assert_null(strstr(config, "\"std\""));
	tokenizer = read_text(command, "tokenizer.json");
	free(tokenizer);
	free(config);
	remove_run(&run);
}

/* What cannot be gone on with, or be written, is said before the first step. */
static void
test_not_continued(void **state)
{
	Run			run;

	(void) state;
	start_options(&run);
	go_on(&run, "none", (char[128]) {0}, 128);
	run.options.base = MODELS "/adapter-phi3";
	run.trainer = srm_trainer_open(&run.options, NULL, &run.status);
	assert_non_null(run.trainer);
	add_pairs(&run);
	assert_false(srm_trainer_begin(run.trainer, &run.plan, NULL, &run.status));
	assert_int_equal(run.status.code, SRM_NOT_SUPPORTED);
	assert_non_null(strstr(run.status.message, "fuses with others"));
	remove_run(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adapter),
		cmocka_unit_test(test_names_of_modules),
		cmocka_unit_test(test_over_adapter),
		cmocka_unit_test(test_over_bytes),
		cmocka_unit_test(test_continued),
		cmocka_unit_test(test_continued_patterns),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_continued_resumed),
		cmocka_unit_test(test_continued_files),
		cmocka_unit_test(test_not_continued)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
