/*-------------------------------------------------------------------------
 *
 * test_saved_heads.c
 *	  Heads as trainers save them: labels without names, names that wrappers
 *	  change, a head in a file of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <math.h>

#define MAX_DIM		256

static float value[MAX_DIM];
static double bias;
static size_t dim;

/* What the head of the fixture amounts to. */
static void
read_value(void)
{
	SrmModel   *model = open_fixture();

	assert_non_null(model->value_weight);
	dim = model->decoder.dim;
	assert_true(dim <= MAX_DIM);
	memcpy(value, model->value_weight, dim * sizeof(float));
	bias = model->value_bias;
	srm_model_close(model);
}

static void
assert_value(const float *expected)
{
	read_value();
	assert_memory_equal(value, expected, dim * sizeof(float));
}

#define ID2LABEL	"\"id2label\": {\n    \"0\": \"bad\",\n    \"1\": \"good\",\n    \"2\": \"other\"\n  }"

/* without names the tensor tells how many labels there are, and a number chooses */
static void
test_labels(void **state)
{
	float		labels[3][MAX_DIM];

	(void) state;
	copy_model("head-labels");
	for (int i = 0; i < 3; i++)
	{
		static const char *names[] = {"bad", "good", "other"};
		char		with[64];

		copy_model("head-labels");
		snprintf(with, sizeof(with), "\"label\": \"%s\"", names[i]);
		edit_file("config.json", "\"label\": \"good\"", with);
		read_value();
		memcpy(labels[i], value, dim * sizeof(float));
	}
	edit_file("config.json", ID2LABEL, "\"nothing\": 0");
	edit_file("config.json", "\"label\": \"other\"", "\"label\": 0");
	assert_value(labels[0]);
	edit_file("config.json", "\"label\": 0", "\"label\": \"1\"");
	assert_value(labels[1]);
	edit_file("config.json", "\"label\": \"1\"", "\"label\": 3");
	expect_failure(SRM_INVALID_MODEL, "\"label\" or \"minus\" names no label of the model, which has 3", "");
	edit_file("config.json", "\"label\": 3", "\"locale\": \"\"");
	expect_failure(SRM_NOT_SUPPORTED, "a model with 3 labels is not supported", "one label");
	edit_file("config.json", "\"nothing\": 0", "\"num_labels\": 3");
	expect_failure(SRM_NOT_SUPPORTED, "a model with 3 labels is not supported", "one label");
	edit_file("config.json", "\"locale\": \"\"", "\"label\": 2");
	assert_value(labels[2]);
}

/* a loss is no part of a head: what a model was trained for leaves its logits as they are */
static void
test_problem_types(void **state)
{
	static const char *const types[] = {"regression", "single_label_classification", "multi_label_classification"};

	(void) state;
	for (int i = 0; i < 6; i++)
	{
		const char *class = i < 3 ? "ForSequenceClassification" : "ForTokenClassification";
		float		without[MAX_DIM];
		char		with[80];

		copy_model("head-labels");
		edit_file("config.json", "ForSequenceClassification", class);
		read_value();
		memcpy(without, value, dim * sizeof(float));
		snprintf(with, sizeof(with), "\"problem_type\": \"%s\", \"model_type\"", types[i % 3]);
		edit_file("config.json", "\"model_type\"", with);
		assert_value(without);
	}
}

/* trl's heads of two labels a token are steps where the configuration says what ends one, or else one of the labels */
static void
test_token_labels(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("head-tokens");
	model = open_fixture();
	assert_true(model->head.is_of_steps);
	assert_int_equal(model->head.value.n, 1);
	assert_string_equal(model->settings.boundary, "step");
	assert_string_equal(model->settings.aggregation, "min");
	srm_model_close(model);
	edit_file("config.json", "\"marker_token\": \"\\n\"", "\"label\": 1");
	model = open_fixture();
	assert_false(model->head.is_of_steps);
	assert_string_equal(model->settings.boundary, "offset");
	assert_non_null(model->value_weight);
	srm_model_close(model);
}

/* the difference of two labels, as a classifier of pairs means it */
static void
test_difference(void **state)
{
	float		good[MAX_DIM];
	float		bad[MAX_DIM];
	double		good_bias;
	double		bad_bias;

	(void) state;
	copy_model("head-labels");
	read_value();
	memcpy(good, value, sizeof(good));
	good_bias = bias;
	edit_file("config.json", "\"label\": \"good\"", "\"label\": \"bad\"");
	read_value();
	memcpy(bad, value, sizeof(bad));
	bad_bias = bias;
	edit_file("config.json", "\"label\": \"bad\"", "\"label\": \"good\", \"minus\": 0");
	read_value();
	for (size_t i = 0; i < dim; i++)
		assert_true(value[i] == good[i] - bad[i]);
	assert_true(fabs(bias - (good_bias - bad_bias)) < 1e-6);
	edit_file("config.json", "\"minus\": 0", "\"minus\": 9");
	expect_failure(SRM_INVALID_MODEL, "\"minus\" names no label", "\"bad\"");
	edit_file("config.json", "\"label\": \"good\", \"minus\": 9", "\"minus\": 0");
	expect_failure(SRM_INVALID_MODEL, "\"minus\" is given without \"label\"", "");
}

/* names as peft, deepspeed and trl leave them */
static void
test_wrapped(void **state)
{
	float		plain[MAX_DIM];

	(void) state;
	copy_model("llama");
	read_value();
	memcpy(plain, value, sizeof(plain));
	edit_header(WEIGHTS, "\"score.weight\"", "\"base_model.model.score.modules_to_save.default.weight\"");
	assert_value(plain);
	edit_header(WEIGHTS, "\"model.norm.weight\"", "\"module.pretrained_model.model.norm.weight\"");
	assert_value(plain);
	edit_header(WEIGHTS, "\"model.layers.0.self_attn.q_proj.weight\"", "\"_orig_mod.model.layers.0.self_attn.q_proj.weight\"");
	assert_value(plain);
	edit_header(WEIGHTS, "\"_orig_mod.model.layers.0.self_attn.q_proj.weight\"", "\"model.layers.0.self_attn.q_proj.base_layer.weight\"");
	expect_failure(SRM_INVALID_MODEL, "missing tensor \"model.layers.0.self_attn.q_proj.weight\"", "");
	copy_model("llama");
	edit_header(WEIGHTS, "\"model.layers.1.input_layernorm.weight\"", "\"module.model.norm.weight\"");
	expect_failure(SRM_INVALID_MODEL, "tensors \"model.norm.weight\" and \"module.model.norm.weight\"", "");
}

/* LlamaFactory's value_head.safetensors */
static void
test_own_file(void **state)
{
	char		header[256];
	char		digests[2][SRM_DIGEST_LENGTH + 1];
	SrmStatus	status = {0};
	FILE	   *file;
	size_t		size;

	(void) state;
	copy_model("llama");
	read_value();
	edit_header(WEIGHTS, "\"score.weight\"", "\"lm_head.weight\"");
	expect_failure(SRM_INVALID_MODEL, "missing tensor \"score.weight\"", "v_head");
	assert_true(srm_model_digest(fixture, NULL, digests[0], NULL, &status));
	size = (size_t) snprintf(header, sizeof(header), "{\"v_head.summary.weight\":{\"dtype\":\"F32\",\"shape\":[1,%zu],"
							 "\"data_offsets\":[0,%zu]}}", dim, dim * sizeof(float));
	file = fopen(in_fixture("value_head.safetensors"), "wb");
	assert_non_null(file);
	for (int i = 0; i < 8; i++)
		fputc((int) (size >> (8 * i) & 255), file);
	fwrite(header, 1, size, file);
	fwrite(value, sizeof(float), dim, file);
	fclose(file);
	{
		float		expected[MAX_DIM];

		memcpy(expected, value, sizeof(expected));
		assert_value(expected);
	}
	assert_true(srm_model_digest(fixture, NULL, digests[1], NULL, &status));
	assert_string_not_equal(digests[0], digests[1]);
}

/* classes and configurations that are told by other keys */
static void
test_configurations(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	edit_file("config.json", "\"architectures\"", "\"builders\"");
	model = open_fixture();
	assert_string_equal(model->architecture, "LlamaForSequenceClassification");
	srm_model_close(model);
	edit_file("config.json", "\"builders\"", "\"normalize_reward\": true, \"mean\": 1.5, \"std\": 0.5, \"builders\"");
	model = open_fixture();
	assert_true(model->settings.has_scale && model->settings.mean == 1.5 && model->settings.std == 0.5);
	srm_model_close(model);
	edit_file("config.json", "\"normalize_reward\": true", "\"normalize_reward\": false");
	model = open_fixture();
	assert_false(model->settings.has_scale);
	srm_model_close(model);
	edit_file("config.json", "\"builders\"", "\"quantization_config\": {\"load_in_8bit\": true}, \"builders\"");
	expect_failure(SRM_NOT_SUPPORTED, "quantization \"bitsandbytes\" is not supported", "");
	copy_model("llama");
	edit_file("config.json", "LlamaForSequenceClassification", "LlamaForTokenClassification");
	expect_failure(SRM_NOT_SUPPORTED, "model class \"LlamaForTokenClassification\" is not supported", "end a step");
	copy_model("llama");
	edit_file("config.json", "\"architectures\"", "\"builders\"");
	edit_file("config.json", "\"model_type\"", "\"type\"");
	expect_failure(SRM_INVALID_MODEL, "\"architectures\" is missing", "");
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, create_fixture, drop_fixture)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_labels),
		TEST(test_problem_types),
		TEST(test_token_labels),
		TEST(test_difference),
		TEST(test_wrapped),
		TEST(test_own_file),
		TEST(test_configurations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
