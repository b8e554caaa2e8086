/*-------------------------------------------------------------------------
 *
 * test_config.c
 *	  What config.json says, and which message what is damaged or not supported in it gives.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <math.h>

/* the rotary parameters of an older file, with the scale that is computed from two others */
static void
test_rope(void **state)
{
	SrmModel   *model;
	const SrmRope *rope;

	(void) state;
	copy_model("llama-yarn-old");
	model = open_fixture();
	rope = &model->decoder.ropes[SRM_ROPE_MAIN];
	assert_int_equal(rope->type, SRM_ROPE_YARN);
	assert_true(rope->theta == 500 && rope->factor == 4 && rope->original_max_positions == 32);
	assert_true(rope->beta_fast == 8 && rope->beta_slow == 0.5 && !rope->truncate);
	assert_close(rope->attention_factor, (0.08 * log(4) + 1) / (0.05 * log(4) + 1), 1e-12);
	srm_model_close(model);
}

static const Damage bad_configs[] = {
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000000000", SRM_INVALID_MODEL,
		"value of \"num_hidden_layers\" is out of range", "It is 1000000000, and must be between 1 and 1024."},
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", SRM_INVALID_MODEL,
		"missing tensor \"model.layers.2.input_layernorm.weight\"", ""},
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": -1", SRM_INVALID_MODEL, "out of range", "It is -1"},
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1e300", SRM_INVALID_MODEL, "out of range", "1e300"},
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1e999", SRM_INVALID_MODEL, "num_hidden_layers", ""},
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2.5", SRM_INVALID_MODEL,
		"invalid value of \"num_hidden_layers\"", "Expected an integer."},
	{"llama", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": \"2\"", SRM_INVALID_MODEL,
		"invalid value of \"num_hidden_layers\"", ""},
	{"llama", "\"num_hidden_layers\"", "\"layers\"", SRM_INVALID_MODEL, "\"num_hidden_layers\" is missing", ""},
	{"llama", "\"hidden_size\": 32", "\"hidden_size\": 33", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.embed_tokens.weight\"",
		"It is (304, 32), but the configuration asks for (304, 33)."},
	{"llama", "\"hidden_size\": 32", "\"hidden_size\": 0", SRM_INVALID_MODEL, "out of range", ""},
	{"llama", "\"vocab_size\": 304", "\"vocab_size\": 303", SRM_INVALID_MODEL, "wrong shape of tensor", "(304, 32)"},
	{"llama", "\"num_attention_heads\": 4", "\"num_attention_heads\": 3", SRM_INVALID_MODEL,
		"invalid value of \"num_key_value_heads\"", "It is 2, which does not divide the 3 heads."},
	{"llama", "\"head_dim\": 8", "\"head_dim\": 7", SRM_INVALID_MODEL, "\"head_dim\"", "must be even"},
	{"llama", "\"head_dim\": 8", "\"head_dim\": 16", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.layers.0.self_attn.q_proj.weight\"", "asks for (64, 32)"},
	{"llama", "1e-05", "-1e-05", SRM_INVALID_MODEL, "invalid value of \"rms_norm_eps\"", "not positive"},
	{"llama", "\"rope_theta\": 10000.0", "\"rope_theta\": 1", SRM_INVALID_MODEL, "\"rope_theta\" must be", ""},
	{"llama", "\"default\"", "\"mrope\"", SRM_NOT_SUPPORTED, "rotary position of type \"mrope\"", ""},
	{"llama", "\"default\"", "\"longrope\"", SRM_INVALID_MODEL, "invalid value of \"short_factor\"",
		"Expected 4 positive numbers"},
	{"llama", "\"default\"", "\"su\", \"original_max_position_embeddings\": 1, \"short_factor\": [1, 1, 1, 1]",
		SRM_INVALID_MODEL, "\"original_max_position_embeddings\" must be greater than 1", ""},
	{"llama", "\"default\"", "\"su\", \"short_factor\": [1, 1, 0, 1]", SRM_INVALID_MODEL, "\"short_factor\"", ""},
	{"llama", "\"default\"", "\"su\", \"short_factor\": [1, 1, 1, 1, 1]", SRM_INVALID_MODEL, "\"short_factor\"", ""},
	{"llama", "\"default\"", "\"linear\"", SRM_INVALID_MODEL, "invalid value of \"factor\"", "missing or not positive"},
	{"llama", "\"default\"", "\"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4",
		SRM_INVALID_MODEL, "\"high_freq_factor\" must be greater", ""},
	{"llama", "\"default\"", "\"yarn\", \"factor\": 0", SRM_INVALID_MODEL, "invalid value of \"factor\"", ""},
	{"llama", "\"default\"", "\"default\", \"partial_rotary_factor\": 0.5", SRM_NOT_SUPPORTED,
		"\"partial_rotary_factor\" other than 1", ""},
	{"llama", "\"default\"", "\"default\", \"full_attention\": {}, \"sliding_attention\": {\"rope_theta\": 1}",
		SRM_NOT_SUPPORTED, "by type of layer, such as \"sliding_attention\"", ""},
	{"llama", "\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu2\"", SRM_NOT_SUPPORTED,
		"activation \"gelu2\" is not supported", ""},
	{"llama", "\"LlamaForSequenceClassification\"", "7", SRM_INVALID_MODEL, "invalid value of \"architectures\"", ""},
	{"llama", "\"0\": \"LABEL_0\"", "\"0\": \"bad\", \"1\": \"good\"", SRM_NOT_SUPPORTED,
		"a model with 2 labels is not supported", "\"bad\", \"good\"."},
	{"llama", "\"id2label\"", "\"num_labels\": 5, \"labels\"", SRM_NOT_SUPPORTED, "5 labels", "one label"},
	{"llama", "\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"gptq\"}", SRM_NOT_SUPPORTED,
		"quantization \"gptq\" is not supported", ""},
	{"llama", "\"use_cache\": true", "\"use_sliding_window\": true", SRM_NOT_SUPPORTED, "use_sliding_window", ""},
	{"llama", "\"use_cache\": true", "\"layer_types\": [\"full_attention\", \"sliding_attention\"]", SRM_NOT_SUPPORTED,
		"layer type \"sliding_attention\"", ""},
	{"llama", "\"use_cache\": true", "\"layer_types\": [\"full_attention\"]", SRM_INVALID_MODEL,
		"\"layer_types\" is not a list of all layers", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"label\": \"fine\"}", SRM_INVALID_MODEL,
		"\"label\" names no label of the model", "The labels are \"LABEL_0\"."},
	{"llama", "\"use_cache\": true", "\"use_bidirectional_attention\": true", SRM_NOT_SUPPORTED, "not causal", ""},
	{"llama", "\"use_cache\": true", "\"is_causal\": false", SRM_NOT_SUPPORTED, "not causal", ""},
	{"llama", "\"use_cache\": true", "\"srm\": []", SRM_INVALID_MODEL, "\"srm\" is not an object", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"aggregation\": 7}", SRM_INVALID_MODEL, "\"aggregation\"", "a string"},
	{"llama", "\"use_cache\": true", "\"srm\": {\"aggregation\": \"attention\"}", SRM_INVALID_MODEL,
		"missing tensor \"srm.query.weight\"", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"boundary\": \"marker\"}", SRM_INVALID_MODEL,
		"\"marker_token\" is missing", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"boundary\": \"marker\", \"marker_token\": \"a\"}", SRM_INVALID_MODEL,
		"marker token \"a\" is not a special token", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"boundary\": \"marker\", \"marker_token\": \"<NONE>\"}",
		SRM_INVALID_MODEL, "marker token \"<NONE>\" is not a special token", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"mean\": 1, \"std\": 0}", SRM_INVALID_MODEL, "\"std\"", "not positive"},
	{"llama", "\"use_cache\": true", "\"srm\": {\"mean\": 1e400, \"std\": 1}", SRM_INVALID_MODEL, "\"mean\"", "finite"},
	{"llama", "\"use_cache\": true", "\"srm\": {\"mean\": 1}", SRM_INVALID_MODEL, "given together", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"agreement\": 7}", SRM_INVALID_MODEL, "\"agreement\" is not an object", ""},
	{"llama", "\"use_cache\": true", "\"srm\": {\"agreement\": {\"pairs\": 3, \"flips\": 4}}", SRM_INVALID_MODEL,
		"value of \"flips\" is out of range", "between 0 and 3"},
	{"llama", "\"use_cache\": true", "\"srm\": {\"agreement\": {\"pairs\": 0}}", SRM_INVALID_MODEL, "\"pairs\" is out of range", ""},
	{"llama", "\"use_cache\": true", "\"mlp_bias\": true", SRM_INVALID_MODEL,
		"missing tensor \"model.layers.0.mlp.gate_proj.bias\"", ""},
	{"llama", "\"use_cache\": true", "\"use_cache\": true,", SRM_INVALID_MODEL, "invalid JSON in file", "line"},
	{"llama", "{", "[", SRM_INVALID_MODEL, "invalid JSON in file", ""},
};

/* settings that are out of range, contradict the weights, or are not supported */
static void
test_bad_configs(void **state)
{
	(void) state;
	EXPECT_FAILURES(bad_configs, "config.json", edit_file);
}

static const Damage other_bad_configs[] = {
	{"smollm3", "    0,\n    1,\n    1\n", "    0\n", SRM_INVALID_MODEL,
		"\"no_rope_layers\" is not a list of numbers for all layers", ""},
	{"smollm3", "\"no_rope_layers\": [\n    1", "\"no_rope_layers\": [\n    null", SRM_INVALID_MODEL, "\"no_rope_layers\"", ""},
	{"smollm3-window", "\"no_rope_layer_interval\": 2", "\"no_rope_layer_interval\": 0", SRM_INVALID_MODEL,
		"\"no_rope_layer_interval\" is out of range", ""},
	{"granite", "\"residual_multiplier\": 0.22", "\"residual_multiplier\": -1", SRM_INVALID_MODEL,
		"invalid value of \"residual_multiplier\"", ""},
	{"granite", "\"embedding_multiplier\": 0.75", "\"embedding_multiplier\": \"x\"", SRM_INVALID_MODEL,
		"\"embedding_multiplier\"", ""},
	{"gemma3", "\"sliding_attention\",", "\"chunked_attention\",", SRM_NOT_SUPPORTED,
		"layer type \"chunked_attention\" is not supported", ""},
	{"gemma3", "\"rope_type\": \"linear\"", "\"rope_type\": \"mrope\"", SRM_NOT_SUPPORTED, "rotary position of type \"mrope\"", ""},
	{"gptneox", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 2", SRM_INVALID_MODEL, "must be greater than 0", ""},
	{"gptneox", "\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 0.2", SRM_NOT_SUPPORTED,
		"\"rotary_pct\" that turns 1 elements", ""},
	{"gptneox", "\"use_parallel_residual\": true", "\"use_parallel_residual\": 1", SRM_INVALID_MODEL, "\"use_parallel_residual\"", ""},
	{"cohere-norms", "\"use_qk_norm\": true", "\"use_qk_norm\": \"yes\"", SRM_INVALID_MODEL, "\"use_qk_norm\"", ""},
	{"xlm-roberta", "\"use_cache\": true", "\"position_embedding_type\": \"relative_key\"", SRM_NOT_SUPPORTED,
		"\"position_embedding_type\" \"relative_key\" is not supported", ""},
	{"xlm-roberta", "\"is_decoder\": false", "\"is_decoder\": true", SRM_NOT_SUPPORTED, "\"is_decoder\"", ""},
	{"xlm-roberta", "\"max_position_embeddings\": 256", "\"max_position_embeddings\": 1", SRM_INVALID_MODEL,
		"\"max_position_embeddings\" leaves no position", ""},
	{"gemma3-old", "\"sliding_window_pattern\": 3", "\"sliding_window_pattern\": [3]", SRM_INVALID_MODEL,
		"\"sliding_window_pattern\"", ""},
	{"gemma3-old", "\"rope_local_base_freq\": 100.0", "\"rope_local_base_freq\": 0", SRM_INVALID_MODEL,
		"\"rope_local_base_freq\"", ""},
	{"mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 6", SRM_INVALID_MODEL,
		"invalid value of \"num_experts_per_tok\"", "It is 6, and there are 5 experts."},
	{"mixtral", "\"num_local_experts\": 5", "\"num_local_experts\": 5, \"num_experts\": 4", SRM_INVALID_MODEL,
		"\"num_experts\" and \"num_local_experts\" are not the same", ""},
	{"mixtral", "\"num_local_experts\": 5", "\"num_local_experts\": 6", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.layers.0.block_sparse_moe.gate.weight\"", "(5, 16)"},
	{"mixtral", "\"num_local_experts\": 5", "\"num_local_experts\": 1025", SRM_INVALID_MODEL, "\"num_local_experts\" is out of range", ""},
	{"qwen2-moe", "\"mlp_only_layers\": [\n    1\n  ]", "\"mlp_only_layers\": 1", SRM_INVALID_MODEL, "\"mlp_only_layers\" is not a list", ""},
	{"qwen2-moe", "\"mlp_only_layers\": [\n    1\n  ]", "\"mlp_only_layers\": [\"1\"]", SRM_INVALID_MODEL, "\"mlp_only_layers\" is not a list", ""},
	{"qwen2-moe", "\"mlp_only_layers\": [\n    1\n  ]", "\"mlp_only_layers\": []", SRM_INVALID_MODEL, "missing tensor \"model.layers.1.mlp.", ""},
	{"qwen2-moe", "\"shared_expert_intermediate_size\": 28", "\"shared_expert_intermediate_size\": 24", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.layers.0.mlp.shared_expert.gate_proj.weight\"", "(28, 16)"},
	{"qwen2-moe", "\"moe_intermediate_size\": 12", "\"moe_intermediate_size\": 16", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.layers.0.mlp.experts.0.gate_proj.weight\"", "(12, 16)"},
	{"qwen2-moe", "\"norm_topk_prob\": false", "\"norm_topk_prob\": 0", SRM_INVALID_MODEL, "\"norm_topk_prob\"", ""},
	{"qwen2-moe", "\"use_sliding_window\": false", "\"use_sliding_window\": true", SRM_NOT_SUPPORTED, "use_sliding_window", ""},
	{"qwen3-moe", "\"decoder_sparse_step\": 2", "\"decoder_sparse_step\": 0", SRM_INVALID_MODEL, "\"decoder_sparse_step\" is out of range", ""},
	{"qwen3-moe", "\"decoder_sparse_step\": 2", "\"decoder_sparse_step\": 1", SRM_INVALID_MODEL, "missing tensor \"model.layers.0.mlp.", ""},
};

/* the same of settings that single architectures have */
static void
test_other_bad_configs(void **state)
{
	(void) state;
	EXPECT_FAILURES(other_bad_configs, "config.json", edit_file);
}

/* transformers has two names for the number of experts; without any there is the family's */
static void
test_experts(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("qwen3-moe");
	for (int i = 0; i < 2; i++)
	{
		model = open_fixture();
		assert_int_equal(model->decoder.layers[0].n_experts, 0);
		assert_int_equal(model->decoder.layers[1].n_experts, 7);
		assert_true(model->decoder.n_experts_used == 2 && model->decoder.normalizes_experts);
		srm_model_close(model);
		if (i == 0)
			edit_file("config.json", "\"num_experts\": 7", "\"num_local_experts\": 7");
	}
	edit_file("config.json", "\"num_local_experts\": 7", "\"x\": 7");
	expect_failure(SRM_INVALID_MODEL, "wrong shape of tensor \"model.layers.1.mlp.gate.weight\"", "(128, 16)");
}

/* an architecture is told by the class, and where that is its authors' own by the type of model */
static void
test_architecture(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	edit_file("config.json", "LlamaForSequenceClassification", "OurRewardModel");
	model = open_fixture();
	assert_string_equal(model->architecture, "OurRewardModel");
	srm_model_close(model);
	edit_file("config.json", "\"model_type\": \"llama\"", "\"model_type\": \"t5\"");
	expect_failure(SRM_NOT_SUPPORTED, "model architecture \"OurRewardModel\" is not supported",
				   "the families Llama, Mistral, Qwen2, Qwen3, Mixtral, Qwen2Moe, Qwen3Moe, Gemma, Gemma2, Gemma3Text, Olmo2, Olmo3, Granite, SmolLM3, Phi3, InternLM2, Cohere, GPTNeoX, Bert, Roberta, XLMRoberta, DebertaV2, ModernBert");
	edit_file("config.json", "OurRewardModel", "Llama4ForCausalLM");
	expect_failure(SRM_NOT_SUPPORTED, "model architecture \"Llama4ForCausalLM\" is not supported", "");
	edit_file("config.json", "Llama4ForCausalLM", "LlamaRewardModel");
	srm_model_close(open_fixture());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rope),
		cmocka_unit_test(test_bad_configs),
		cmocka_unit_test(test_other_bad_configs),
		cmocka_unit_test(test_experts),
		cmocka_unit_test(test_architecture),
	};

	return cmocka_run_group_tests_name("config", tests, create_fixture, drop_fixture);
}
