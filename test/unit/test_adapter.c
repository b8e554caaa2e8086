/*-------------------------------------------------------------------------
 *
 * test_adapter.c
 *	  Adapters over a base: what is merged, what belongs to them, and what
 *	  is refused.
 *
 * Numbers of peft are compared in test_golden.c.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <fcntl.h>
#include <math.h>

#include "write/copy.h"
#include "write/quantize.h"
#include "model/weights.h"
#include "products.h"

static char parent[32];
static SrmStatus status;

/* A directory below the parent. */
static const char *
beside(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	return path;
}

static void
shell(const char *format, const char *a, const char *b)
{
	char		command[400];

	snprintf(command, sizeof(command), format, a, b);
	assert_int_equal(system(command), 0);
}

/* An adapter, and its base beside it. */
static int
set_up(void **state)
{
	(void) state;
	srm_status_init(&status);
	strcpy(parent, "/tmp/srm_adapter_XXXXXX");
	assert_non_null(mkdtemp(parent));
	snprintf(fixture, sizeof(fixture), "%s/adapter", parent);
	shell("cp -r test/data/models/%s %s", "llama", beside("llama"));
	copy_model("adapter-llama");
	return 0;
}

static int
tear_down(void **state)
{
	(void) state;
	shell("rm -rf %s%s", parent, "");
	return 0;
}

static SrmModel *
open_with(SrmComputeChoice choice)
{
	SrmModelOptions options = {.compute_choice = choice};
	SrmModel   *model = srm_model_open(fixture, &options, NULL, &status);

	if (model == NULL)
		fail_msg("%s %s", status.message, status.detail);
	return model;
}

/* Element (i, j) of a tensor of the file, or of both factors' product. */
static double
element(const SrmTensor *tensor, size_t i, size_t j)
{
	float		value;

	srm_tensor_read(tensor, i * tensor->shape[1] + j, 1, &value);
	return value;
}

/* What peft says that a weight is: W + scale * B A. */
static double
expected_weight(const SrmModel *model, const SrmTensor *tensor, size_t i, size_t j, double scale)
{
	const SrmTensor *scales = srm_weights_find_scales(model->weights, tensor);
	double		sum = 0.0;
	float		stored;

	if (scales != NULL)
		stored = (float) (((const int8_t *) tensor->data)[i * tensor->shape[1] + j] * element(scales, i, 0));
	else
		stored = (float) element(tensor, i, j);
	for (size_t k = 0; k < tensor->change->a->shape[0]; k++)
		sum += element(tensor->change->b, i, k) * element(tensor->change->a, k, j);
	return stored + scale * sum;
}

static void
compare_matrix(const SrmModel *model, const SrmMatrix *matrix, const char *name, size_t rank, double scale)
{
	const SrmTensor *tensor = srm_weights_find(model->weights, name);

	assert_non_null(tensor->change);
	assert_int_equal(tensor->change->a->shape[0], rank);
	for (size_t i = 0; i < matrix->rows; i += 3)
		for (size_t j = 0; j < matrix->cols; j++)
		{
			float		found;

			srm_matrix_read(matrix, i * matrix->cols + j, 1, &found);
			if (!(fabs(found - expected_weight(model, tensor, i, j, scale)) < 1e-6))
				fail_msg("%s (%zu, %zu) is %g, not %g", name, i, j, found, expected_weight(model, tensor, i, j, scale));
		}
}

/* Ranks and scales by patterns; those that are not adapted are as they were. */
static void
compare_weights(void)
{
	SrmModel   *model = open_with(SRM_CHOICE_PLAIN);
	const SrmLayer *layers = model->decoder.layers;

	assert_string_equal(model->base, "llama");
	compare_matrix(model, &layers[0].query, "model.layers.0.self_attn.q_proj.weight", 4, 6.0 / 2.0);
	compare_matrix(model, &layers[1].query, "model.layers.1.self_attn.q_proj.weight", 7, 6.0 / sqrt(7.0));
	compare_matrix(model, &layers[1].output, "model.layers.1.self_attn.o_proj.weight", 4, 11.0 / 2.0);
	compare_matrix(model, &layers[0].up, "model.layers.0.mlp.up_proj.weight", 2, 6.0 / sqrt(2.0));
	compare_matrix(model, &layers[0].down, "model.layers.0.mlp.down_proj.weight", 4, 3.0 / 2.0);
	compare_matrix(model, &layers[1].down, "model.layers.1.mlp.down_proj.weight", 4, 6.0 / 2.0);
	assert_null(layers[0].value.change);
	assert_null(layers[0].gate.change);
	srm_model_close(model);
}

static void
test_weights(void **state)
{
	(void) state;
	compare_weights();
}

/* The base as bytes with scales: its bytes are those of the file, and the sum is no bytes again. */
static void
test_quantized_base(void **state)
{
	SrmWriter  *writer = srm_writer_begin(parent, "llama", true, 0700, &status);
	SrmModel   *model;
	float		weight;

	(void) state;
	assert_non_null(writer);
	assert_true(srm_model_quantize(writer, "test/data/models/llama", NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8}, NULL, &status));
	assert_true(srm_writer_commit(writer, &status));
	srm_writer_close(writer);
	compare_weights();

	model = open_with(SRM_CHOICE_AUTO);
	assert_int_equal(model->decoder.layers[0].query.compute, srm_compute_auto(SRM_BF16));
	assert_int_equal(model->decoder.layers[0].value.compute, SRM_COMPUTE_INT8);
	srm_model_close(model);
	model = open_with(SRM_CHOICE_F32);
	for (size_t i = 0; i < model->decoder.layers[0].query.rows; i++)
	{
		const SrmMatrix *query = &model->decoder.layers[0].query;

		assert_true(srm_weights_load(model->files, srm_weights_find(model->weights, "model.layers.0.self_attn.q_proj.weight"), &status));
		srm_matrix_read(query, i * query->cols + 1, 1, &weight);
		assert_true(read_packed(query->packed, SRM_PACKING_F32, query->cols, i, 1) == weight);
	}
	srm_model_close(model);
	/* Whoever asks for bytes gets them, rounded anew */
	model = open_with(SRM_CHOICE_INT8);
	assert_int_equal(model->decoder.layers[0].query.compute, SRM_COMPUTE_INT8);
	srm_model_close(model);
}

/* The head, and "srm", are the adapter's own; the rest of "srm" is the base's. */
static void
test_own_head(void **state)
{
	SrmModel   *base;
	SrmModel   *model;

	(void) state;
	base = srm_model_open(beside("llama"), NULL, NULL, &status);
	assert_non_null(base);
	model = open_fixture();
	assert_true(memcmp(base->value_weight, model->value_weight, base->decoder.dim * sizeof(float)) != 0);
	assert_string_equal(model->settings.aggregation, "last");
	assert_string_equal(model->architecture, "LlamaForSequenceClassification");
	srm_model_close(model);
	srm_model_close(base);

	shell("sed -i 's/\"use_cache\"/\"srm\": {\"locale\": \"de\", \"mean\": 1, \"std\": 2, \"template_date\": \"2001-02-03\"}, \"use_cache\"/' %s%s",
		  beside("llama"), "/config.json");
	edit_file("adapter_config.json", "\"task_type\"", "\"srm\": {\"locale\": \"fr\", \"aggregation\": \"mean\", \"base\": \"llama\"}, \"task_type\"");
	edit_file("adapter_config.json", "test/data/models/llama", "no such/thing");
	model = open_fixture();
	assert_string_equal(model->settings.aggregation, "mean");
	assert_string_equal(model->settings.locale, "fr");
	assert_string_equal(model->settings.template_date, "2001-02-03");
	assert_false(model->settings.has_scale);
	srm_model_close(model);
}

/* The tokenizer is the adapter's where it has one. */
static void
test_tokenizer(void **state)
{
	SrmModel   *model = open_fixture();

	(void) state;
	assert_int_equal(srm_tokenizer_find(model->tokenizer, "<END>"), 3);
	srm_model_close(model);
	shell("cp test/data/models/llama/tokenizer*.json %s%s", fixture, "");
	edit_file("tokenizer.json", "\"<END>\"", "\"<CUT>\"");
	edit_file("tokenizer.json", "\"<END>\"", "\"<CUT>\"");
	model = open_fixture();
	assert_int_equal(srm_tokenizer_find(model->tokenizer, "<CUT>"), 3);
	srm_model_close(model);
	/* A part of one is not mixed with the base's */
	remove(in_fixture("tokenizer.json"));
	expect_failure(SRM_FILE_ACCESS, "tokenizer.json", "");
}

static void
take_digest(char digest[SRM_DIGEST_LENGTH + 1])
{
	assert_true(srm_model_digest(fixture, NULL, digest, NULL, &status));
}

/* A digest is of both, and so is what is prepared. */
static void
test_digest(void **state)
{
	char		digests[3][SRM_DIGEST_LENGTH + 1];
	char		prepared[100];
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_F32,.prepared = prepared,.mode = 0700};
	SrmModel   *model;
	SrmModel   *after;

	(void) state;
	snprintf(prepared, sizeof(prepared), "%s/prepared", parent);
	take_digest(digests[0]);
	model = srm_model_open(fixture, &options, NULL, &status);
	assert_non_null(model);
	assert_false(model->prepared.is_private);
	assert_string_equal(model->prepared.digest, digests[0]);
	assert_false(srm_model_changed(model));

	shell("sed -i 's/\"use_cache\": true/\"use_cache\": false/' %s%s", beside("llama"), "/config.json");
	assert_true(srm_model_changed(model));
	take_digest(digests[1]);
	assert_string_not_equal(digests[0], digests[1]);
	after = srm_model_open(fixture, &options, NULL, &status);
	assert_non_null(after);
	assert_string_equal(after->prepared.digest, digests[1]);
	srm_model_close(after);
	srm_model_close(model);

	edit_file("adapter_config.json", "\"lora_alpha\": 6", "\"lora_alpha\": 5");
	take_digest(digests[2]);
	assert_string_not_equal(digests[1], digests[2]);
	/* What would make it a model of its own */
	model = open_fixture();
	shell("cp test/data/models/llama/model.safetensors %s%s", fixture, "");
	assert_true(srm_model_changed(model));
	srm_model_close(model);
}

/* Merged into bytes, or copied as what it is. */
static void
test_written(void **state)
{
	SrmWriter  *writer = srm_writer_begin(parent, "bytes", false, 0700, &status);
	SrmModel   *model = open_with(SRM_CHOICE_INT8);
	SrmModel   *written;
	size_t		bytes;
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_INT8};

	(void) state;
	assert_true(srm_model_quantize(writer, fixture, NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8}, NULL, &status));
	assert_true(srm_writer_commit(writer, &status));
	srm_writer_close(writer);
	written = srm_model_open(beside("bytes"), &options, NULL, &status);
	if (written == NULL)
		fail_msg("%s %s", status.message, status.detail);
	assert_null(written->base);
	bytes = srm_pack_bytes(SRM_PACKING_INT8, model->decoder.layers[1].down.rows, model->decoder.layers[1].down.cols);
	assert_memory_equal(written->decoder.layers[1].down.packed, model->decoder.layers[1].down.packed, bytes);
	assert_memory_equal(written->value_weight, model->value_weight, model->decoder.dim * sizeof(float));
	srm_model_close(written);
	srm_model_close(model);

	writer = srm_writer_begin(parent, "copy", false, 0700, &status);
	assert_true(srm_copy_model(writer, fixture, NULL, &(SrmCopyChanges) {.sets_scale = true,.mean = 1.5,.std = 2.5}, NULL, &status));
	assert_true(srm_writer_commit(writer, &status));
	srm_writer_close(writer);
	written = srm_model_open(beside("copy"), NULL, NULL, &status);
	assert_non_null(written);
	assert_string_equal(written->base, "llama");
	assert_true(written->settings.mean == 1.5 && written->settings.std == 2.5);
	srm_model_close(written);
}

/* Where the base is looked for. */
static void
test_base(void **state)
{
	char		other[100];
	const char *directories[] = {other, parent};
	SrmModelPath path = {.directories = directories,.n = 2};
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_PLAIN,.path = &path};
	SrmModel   *model;
	SrmStatus	missing = {0};

	(void) state;
	snprintf(other, sizeof(other), "%s/other", parent);
	model = srm_model_open(fixture, &options, NULL, &status);
	assert_non_null(model);
	/* One that comes first on the path, later */
	shell("mkdir %s && cp -r test/data/models/llama %s", other, other);
	assert_true(srm_model_changed(model));
	srm_model_close(model);

	path.n = 0;
	assert_null(srm_model_open(fixture, &options, NULL, &missing));
	assert_int_equal(missing.code, SRM_UNDEFINED_MODEL);
	assert_non_null(strstr(missing.message, "base model \"llama\""));
	assert_true(missing.hint[0] != '\0');

	/* In a cache of downloads, by the name that the configuration has */
	path.n = 2;
	shell("rm -r %s && mkdir -p %s/models--test--llama/snapshots", other, parent);
	shell("cd %s && mv llama models--test--llama/snapshots/0123456789012345678901234567890123456789%s", parent, "");
	edit_file("adapter_config.json", "test/data/models/llama", "other/llama");
	srm_status_init(&missing);
	assert_null(srm_model_open(fixture, &options, NULL, &missing));
	assert_int_equal(missing.code, SRM_UNDEFINED_MODEL);
	edit_file("adapter_config.json", "other/llama", "test/llama");
	model = srm_model_open(fixture, &options, NULL, &status);
	if (model == NULL)
		fail_msg("%s %s", status.message, status.detail);
	srm_model_close(model);
}

/* One level of adapters, and no circle. */
static void
test_base_is_adapter(void **state)
{
	(void) state;
	edit_file("adapter_config.json", "test/data/models/llama", "adapter");
	expect_failure(SRM_NOT_SUPPORTED, "is an adapter itself", "");
	shell("cp -r %s %s", fixture, beside("second"));
	edit_file("adapter_config.json", "\"adapter\"", "\"second\"");
	expect_failure(SRM_NOT_SUPPORTED, "base model \"second\" of an adapter is an adapter itself", "");
}

/* What would change the numbers and is not known is named. */
static void
test_unsupported(void **state)
{
	static const char *const edits[][3] = {
		{"\"use_dora\": false", "\"use_dora\": true", "use_dora"},
		{"\"bias\": \"none\"", "\"bias\": \"lora_only\"", "bias"},
		{"\"lora_bias\": false", "\"lora_bias\": true", "lora_bias"},
		{"\"peft_type\": \"LORA\"", "\"peft_type\": \"LOHA\"", "peft_type"},
		{"\"peft_type\": \"LORA\",", "", "peft_type"},
		{"\"trainable_token_indices\": null", "\"trainable_token_indices\": [1]", "trainable_token_indices"},
		{"\"layer_replication\": null", "\"layer_replication\": [[0, 1]]", "layer_replication"},
		{"\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"", "init_lora_weights"},
		{"\"use_qalora\": false", "\"use_qalora\": true", "use_qalora"},
		{"\"use_rslora\": true", "\"use_rslora\": true, \"use_future\": {\"a\": 1}", "use_future"},
		{"\"o_proj\": 11", "\"o_proj.*\": 11", "alpha_pattern"}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
	{
		copy_model("adapter-llama");
		edit_file("adapter_config.json", edits[i][0], edits[i][1]);
		expect_failure(SRM_NOT_SUPPORTED, edits[i][2], "");
	}
}

static void
test_damaged_config(void **state)
{
	static const char *const edits[][3] = {
		{"\"r\": 4", "\"r\": 0", "\"r\""},
		{"\"r\": 4", "\"r\": 1000000000", "\"r\""},
		{"\"r\": 4", "\"r\": 5", "wrong shape"},
		{"\"up_proj\": 2", "\"up_proj\": 3", "wrong shape"},
		{"\"up_proj\": 2", "\"up_proj\": 0", "rank_pattern"},
		{"\"up_proj\": 2", "\"up_proj\": 1e300", "wrong shape"},
		{"\"o_proj\": 11", "\"o_proj\": \"x\"", "alpha_pattern"},
		{"\"lora_alpha\": 6", "\"lora_alpha\": 1e999", "lora_alpha"},
		{"test/data/models/llama", "..", "base_model_name_or_path"},
		{"test/data/models/llama", "", "base_model_name_or_path"},
		{"\"base_model_name_or_path\": \"test/data/models/llama\"", "\"base_model_name_or_path\": null", "base_model_name_or_path"},
		{"\"task_type\"", "\"srm\": {\"base\": \"../llama\"}, \"task_type\"", "base"},
		{"\"task_type\"", "\"srm\": 1, \"task_type\"", "srm"},
		{"{", "[", "JSON"}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
	{
		SrmStatus	found = {0};

		copy_model("adapter-llama");
		edit_file("adapter_config.json", edits[i][0], edits[i][1]);
		assert_null(srm_model_open(fixture, NULL, NULL, &found));
		if (found.code != SRM_INVALID_MODEL || strstr(found.message, edits[i][2]) == NULL)
			fail_msg("\"%s\" gives code %d, \"%s\"", edits[i][1], found.code, found.message);
	}
}

static void
test_damaged_tensors(void **state)
{
	/* Names keep their lengths, so that data stay where they are */
	static const char *const edits[][3] = {
		{"layers.0.mlp.up_proj.lora_A", "layers.7.mlp.up_proj.lora_A", "has no counterpart"},
		{"layers.0.mlp.up_proj.lora_B", "layers.7.mlp.up_proj.lora_B", "has no counterpart"},
		{"layers.0.mlp.down_proj.lora_A.weight", "layers.0.mlp.down_proj.lora_C.weight", "is not supported"},
		{"base_model.model.score.weight", "base_model.model.norms.weight", "is not supported"},
		{"\"shape\":[2,32]", "\"shape\":[32,2]", "wrong shape"},
		{"\"shape\":[2,32]", "\"shape\":[64]  ", "is no matrix"},
		{"\"shape\":[1,32]", "\"shape\":[2,16]", "2 labels"}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++)
	{
		SrmStatus	found = {0};

		copy_model("adapter-llama");
		edit_header("adapter_model.safetensors", edits[i][0], edits[i][1]);
		assert_null(srm_model_open(fixture, NULL, NULL, &found));
		if (strstr(found.message, edits[i][2]) == NULL)
			fail_msg("\"%s\" gives \"%s\"", edits[i][1], found.message);
	}
	/* Both of a pair, of a module that the base has not, or that is no linear map */
	copy_model("adapter-llama");
	edit_header("adapter_model.safetensors", "layers.0.mlp.up_proj.lora_A", "layers.7.mlp.up_proj.lora_A");
	edit_header("adapter_model.safetensors", "layers.0.mlp.up_proj.lora_B", "layers.7.mlp.up_proj.lora_B");
	expect_failure(SRM_INVALID_MODEL, "adapts nothing that its base has", "llama");
	copy_model("adapter-llama");
	remove(in_fixture("adapter_model.safetensors"));
	expect_failure(SRM_FILE_ACCESS, "adapter_model.safetensors", "");
}

/* Every byte of the header and many of the rest, damaged: an error or a model, never more. */
static void
test_any_damage(void **state)
{
	Bytes		whole = read_bytes("test/data/models/adapter-llama/adapter_model.safetensors");

	(void) state;
	for (size_t i = 0; i < whole.size; i += i < 8 + header_size(&whole) ? 7 : 997)
	{
		SrmStatus	found = {0};
		char		kept = whole.data[i];

		whole.data[i] = (char) (kept ^ (1 << i % 7));
		write_bytes("adapter_model.safetensors", whole.data, whole.size);
		whole.data[i] = kept;
		srm_model_close(srm_model_open(fixture, NULL, NULL, &found));
	}
	for (size_t size = 0; size < whole.size; size += 1 + size / 3)
	{
		SrmStatus	found = {0};

		write_bytes("adapter_model.safetensors", whole.data, size);
		assert_null(srm_model_open(fixture, NULL, NULL, &found));
	}
	free(whole.data);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_weights),
		TEST(test_quantized_base),
		TEST(test_own_head),
		TEST(test_tokenizer),
		TEST(test_digest),
		TEST(test_written),
		TEST(test_base),
		TEST(test_base_is_adapter),
		TEST(test_unsupported),
		TEST(test_damaged_config),
		TEST(test_damaged_tensors),
		TEST(test_any_damage)
	};

	return cmocka_run_group_tests_name("adapter", tests, NULL, NULL);
}
