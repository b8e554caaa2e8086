/*-------------------------------------------------------------------------
 *
 * test_bad_heads.c
 *	  Heads that are damaged, incomplete, or of a kind that is not known.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

/* Of config.json */
static const Damage bad_configs[] = {
	{"head-labels", "\"label\": \"good\"", "\"label\": \"best\"", SRM_INVALID_MODEL,
		"\"label\" names no label of the model", "The labels are \"bad\", \"good\", \"other\"."},
	{"head-labels", "\"label\": \"good\"", "\"label\": 3", SRM_INVALID_MODEL, "names no label", "\"other\""},
	{"head-labels", "\"label\": \"good\"", "\"label\": {}", SRM_INVALID_MODEL, "names no label", "\"other\""},
	{"head-labels", "\"label\": \"good\"", "\"locale\": \"\"", SRM_NOT_SUPPORTED,
		"a model with 3 labels is not supported", "the labels here are \"bad\", \"good\", \"other\"."},
	{"head-labels", "\"2\": \"other\"", "\"2\": \"other\", \"3\": \"more\"", SRM_INVALID_MODEL,
		"wrong shape of tensor \"score.weight\"", "It is (3, 16), but the configuration asks for (4, 16)."},
	{"head-prm", "ForProcessRewardModel", "ForRewardModel", SRM_NOT_SUPPORTED,
		"a model with 2 labels is not supported", "one label"},
	{"head-qwen-rm", "ForRewardModel", "ForProcessRewardModel", SRM_NOT_SUPPORTED,
		"a process reward model of 1 outputs is not supported", "two"},
	{"head-prm", "\"marker_token\": \"<END>\"", "\"marker_token\": \"<extra_0>\"", SRM_INVALID_MODEL,
		"what ends a step, \"<extra_0>\", is not one token", "\"marker_token\""},
	{"head-tokens", "\"marker_token\": \"\\n\"", "\"locale\": \"\"", SRM_NOT_SUPPORTED,
		"model class \"Qwen2ForTokenClassification\" is not supported", "end a step"},
	{"head-tokens", "\"marker_token\": \"\\n\"", "\"marker_token\": \" \\n\\n\"", SRM_INVALID_MODEL,
		"is not one token", "\"marker_token\""},
	{"head-tokens", "\"marker_token\": \"\\n\"", "\"marker_token\": \"\"", SRM_INVALID_MODEL,
		"is not one token", "\"marker_token\""},
	{"head-armorm", "\"gate_pattern\": \"<|im_end|>\\n<|im_start|>assistant\\n\"", "\"gate_pattern\": \"\"",
		SRM_INVALID_MODEL, "\"gate_pattern\" is missing", ""},
	{"head-armorm", "\"gating_temperature\": 2.0", "\"gating_temperature\": 0", SRM_INVALID_MODEL,
		"invalid value of \"gating_temperature\"", "not positive"},
	{"head-beaver", "\"do_normalize\": true", "\"do_normalize\": 1", SRM_INVALID_MODEL, "\"do_normalize\"", ""},
	{"internlm2", "\"reward_token_id\": 1", "\"reward_token_id\": 304", SRM_INVALID_MODEL,
		"\"reward_token_id\" is not in the model's embedding", "It is 304, but the embedding has 304 rows."},
	{"internlm2", "\"reward_token_id\": 1", "\"reward_token_id\": -5", SRM_INVALID_MODEL, "out of range", ""},
};

/* Of the header of the weights */
static const Damage bad_weights[] = {
	{"head-tokens", "\"shape\":[2,16]", "\"shape\":[1,32]", SRM_INVALID_MODEL, "wrong shape of tensor \"score.weight\"", "(1, 32)"},
	{"head-tokens", "\"shape\":[2,16]", "\"shape\":[32]", SRM_INVALID_MODEL, "wrong shape of tensor \"score.weight\"", "(32)"},
	{"head-tokens", "\"shape\":[2]", "\"shape\":[1,2]", SRM_INVALID_MODEL, "wrong shape of tensor \"score.bias\"", "(1, 2)"},
	{"head-value", "v_head.summary.weight", "v_head.summary.wait", SRM_INVALID_MODEL,
		"missing tensor \"score.weight\"", "v_head.summary, v_head, value_head.summary, value_head, regression_head"},
	{"head-regression", "\"shape\":[1,16]", "\"shape\":[16,1]", SRM_NOT_SUPPORTED, "16 labels", ""},
	{"head-regression", "\"shape\":[1,16]", "\"shape\":[16]", SRM_INVALID_MODEL,
		"wrong shape of tensor \"regression_head.weight\"", "It is (16)"},
	{"head-grm", "v_head.summary.2.weight", "v_head.summary.2.wait", SRM_NOT_SUPPORTED, "12 labels", ""},
	{"head-grm", "\"shape\":[1,12]", "\"shape\":[12,1]", SRM_INVALID_MODEL,
		"wrong shape of tensor \"v_head.summary.2.weight\"", "It is (12, 1)"},
	{"head-armorm", "regression_layer.weight", "regression_layer.wait", SRM_INVALID_MODEL,
		"missing tensor \"regression_layer.weight\"", ""},
	{"head-armorm", "\"shape\":[5,5]", "\"shape\":[25]", SRM_INVALID_MODEL,
		"wrong shape of tensor \"reward_transform_matrix\"", "asks for (5, 5)"},
	{"head-armorm", "gating.layers.2.weight", "gating.layers.2.wait", SRM_INVALID_MODEL,
		"wrong shape of tensor \"regression_layer.weight\"", "asks for (12, 16)"},
	{"head-qrm", "gating.layers.2.running_var", "gating.layers.2.running_v", SRM_INVALID_MODEL,
		"missing tensor \"gating.layers.2.running_var\"", ""},
	{"head-urm", "weights.fc.4.weight", "weights.fc.4.wait", SRM_INVALID_MODEL,
		"wrong shape of tensor \"score.weight\"", "It is (8, 16), but the configuration asks for (32, 16)."},
	{"head-beaver", "normalizer.mean", "normalizer.me", SRM_INVALID_MODEL,
		"missing tensor \"normalizer.mean\"", ""},
	{"internlm2", "model.layers.1.attention.wqkv.weight", "model.layers.1.attention.wqk.weight",
		SRM_INVALID_MODEL, "missing tensor \"model.layers.1.attention.wqkv.weight\"", ""},
	{"phi3", "\"shape\":[48,16]", "\"shape\":[16,48]", SRM_INVALID_MODEL, "wrong shape of tensor", "(16, 48)"},
};

/* settings that contradict a head, or name what it does not have */
static void
test_bad_configs(void **state)
{
	(void) state;
	EXPECT_FAILURES(bad_configs, "config.json", edit_file);
}

/* tensors that are not there, or of shapes that do not fit together */
static void
test_bad_weights(void **state)
{
	(void) state;
	EXPECT_FAILURES(bad_weights, WEIGHTS, edit_header);
}

/* a label is chosen by its name or by its number */
static void
test_label(void **state)
{
	SrmModel   *model;
	float		by_name;

	(void) state;
	copy_model("head-labels");
	model = open_fixture();
	by_name = model->value_weight[3];
	srm_model_close(model);
	edit_file("config.json", "\"label\": \"good\"", "\"label\": 1");
	model = open_fixture();
	assert_true(model->value_weight[3] == by_name);
	srm_model_close(model);
	edit_file("config.json", "\"label\": 1", "\"label\": \"0\"");
	model = open_fixture();
	assert_false(model->value_weight[3] == by_name);
	srm_model_close(model);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, create_fixture, drop_fixture)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_configs),
		TEST(test_bad_weights),
		TEST(test_label),
	};

	return cmocka_run_group_tests_name("bad heads", tests, NULL, NULL);
}
