/*-------------------------------------------------------------------------
 *
 * test_model.c
 *	  Model directories: what is read from good ones, and which message
 *	  damaged, hostile and unsupported ones give.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <math.h>

#include "model/safetensors.h"

/* The token that templates know under a name, or NULL. */
static const char *
named_token(const SrmModel *model, const char *name)
{
	for (size_t i = 0; i < model->variables.n_tokens; i++)
		if (strcmp(model->variables.tokens[i].name, name) == 0)
			return model->variables.tokens[i].text;
	return NULL;
}


/* what a plain model's files say */
static void
test_good_model(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	model = open_fixture();
	assert_string_equal(model->architecture, "LlamaForSequenceClassification");
	assert_string_equal(model->directory, fixture);
	assert_string_equal(model->dtype, "float32");
	assert_string_equal(model->settings.aggregation, "last");
	assert_string_equal(model->settings.boundary, "offset");
	assert_string_equal(model->settings.segmenter, "icu");
	assert_string_equal(model->settings.locale, "");
	assert_null(model->settings.marker_token);
	assert_false(model->settings.has_scale);
	assert_int_equal(model->marker_id, -1);
	assert_int_equal(model->max_tokens, 256);
	assert_int_equal(model->decoder.n_layers, 2);
	assert_int_equal(model->decoder.n_kv_heads, 2);
	assert_int_equal(model->decoder.head_dim, 8);
	assert_int_equal(model->n_parameters, 26816);
	assert_int_equal(model->attention.dim, 0);
	assert_true(model->value_bias == 0);
	assert_null(model->decoder.layers[1].query_bias);
	assert_non_null(model->chat_template);
	assert_null(named_token(model, "bos_token"));
	assert_string_equal(named_token(model, "eos_token"), "<|im_end|>");
	assert_string_equal(named_token(model, "pad_token"), "<|endoftext|>");
	assert_int_equal(model->mapped_bytes, 0);
	assert_true(srm_model_private_bytes(model) > 100000);
	assert_false(srm_model_changed(model));
	srm_model_close(model);
}

/* the object "srm", the aggregator, and the bias of the value head */
static void
test_settings(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("attention-marker");
	model = open_fixture();
	assert_string_equal(model->settings.aggregation, "attention");
	assert_string_equal(model->settings.boundary, "marker");
	assert_string_equal(model->settings.marker_token, "<END>");
	assert_int_equal(model->marker_id, 3);
	assert_true(model->settings.has_scale);
	assert_true(model->settings.mean == -0.5 && model->settings.std == 1.75);
	assert_int_equal(model->attention.dim, 12);
	srm_model_close(model);

	copy_model("attention-offset");
	model = open_fixture();
	assert_string_equal(model->dtype, "bfloat16");
	assert_string_equal(model->settings.locale, "en");
	assert_true(model->value_bias == 0.375f);
	assert_int_equal(model->attention.dim, 8);
	assert_non_null(model->decoder.layers[0].query_norm);
	srm_model_close(model);
}

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

typedef struct Damage
{
	const char *find;
	const char *with;
	SrmCode		code;
	const char *message;
	const char *detail;
} Damage;

static const Damage bad_configs[] = {
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1000000000", SRM_INVALID_MODEL,
		"value of \"num_hidden_layers\" is out of range", "It is 1000000000, and must be between 1 and 1024."},
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", SRM_INVALID_MODEL,
		"missing tensor \"model.layers.2.input_layernorm.weight\"", ""},
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": -1", SRM_INVALID_MODEL, "out of range", "It is -1"},
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1e300", SRM_INVALID_MODEL, "out of range", "1e300"},
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1e999", SRM_INVALID_MODEL, "num_hidden_layers", ""},
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2.5", SRM_INVALID_MODEL,
		"invalid value of \"num_hidden_layers\"", "Expected an integer."},
	{"\"num_hidden_layers\": 2", "\"num_hidden_layers\": \"2\"", SRM_INVALID_MODEL,
		"invalid value of \"num_hidden_layers\"", ""},
	{"\"num_hidden_layers\"", "\"layers\"", SRM_INVALID_MODEL, "\"num_hidden_layers\" is missing", ""},
	{"\"hidden_size\": 32", "\"hidden_size\": 33", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.embed_tokens.weight\"",
		"It is (304, 32), but the configuration asks for (304, 33)."},
	{"\"hidden_size\": 32", "\"hidden_size\": 0", SRM_INVALID_MODEL, "out of range", ""},
	{"\"vocab_size\": 304", "\"vocab_size\": 303", SRM_INVALID_MODEL, "wrong shape of tensor", "(304, 32)"},
	{"\"num_attention_heads\": 4", "\"num_attention_heads\": 3", SRM_INVALID_MODEL,
		"invalid value of \"num_key_value_heads\"", "It is 2, which does not divide the 3 heads."},
	{"\"head_dim\": 8", "\"head_dim\": 7", SRM_INVALID_MODEL, "\"head_dim\"", "must be even"},
	{"\"head_dim\": 8", "\"head_dim\": 16", SRM_INVALID_MODEL,
		"wrong shape of tensor \"model.layers.0.self_attn.q_proj.weight\"", "asks for (64, 32)"},
	{"1e-05", "-1e-05", SRM_INVALID_MODEL, "invalid value of \"rms_norm_eps\"", "not positive"},
	{"\"rope_theta\": 10000.0", "\"rope_theta\": 1", SRM_INVALID_MODEL, "\"rope_theta\" must be", ""},
	{"\"default\"", "\"mrope\"", SRM_NOT_SUPPORTED, "rotary position of type \"mrope\"", ""},
	{"\"default\"", "\"longrope\"", SRM_INVALID_MODEL, "invalid value of \"short_factor\"",
		"Expected 4 positive numbers"},
	{"\"default\"", "\"su\", \"original_max_position_embeddings\": 1, \"short_factor\": [1, 1, 1, 1]",
		SRM_INVALID_MODEL, "\"original_max_position_embeddings\" must be greater than 1", ""},
	{"\"default\"", "\"su\", \"short_factor\": [1, 1, 0, 1]", SRM_INVALID_MODEL, "\"short_factor\"", ""},
	{"\"default\"", "\"su\", \"short_factor\": [1, 1, 1, 1, 1]", SRM_INVALID_MODEL, "\"short_factor\"", ""},
	{"\"default\"", "\"linear\"", SRM_INVALID_MODEL, "invalid value of \"factor\"", "missing or not positive"},
	{"\"default\"", "\"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4",
		SRM_INVALID_MODEL, "\"high_freq_factor\" must be greater", ""},
	{"\"default\"", "\"yarn\", \"factor\": 0", SRM_INVALID_MODEL, "invalid value of \"factor\"", ""},
	{"\"default\"", "\"default\", \"partial_rotary_factor\": 0.5", SRM_NOT_SUPPORTED,
		"\"partial_rotary_factor\" other than 1", ""},
	{"\"default\"", "\"default\", \"full_attention\": {}, \"sliding_attention\": {\"rope_theta\": 1}",
		SRM_NOT_SUPPORTED, "by type of layer, such as \"sliding_attention\"", ""},
	{"\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu2\"", SRM_NOT_SUPPORTED,
		"activation \"gelu2\" is not supported", ""},
	{"\"LlamaForSequenceClassification\"", "7", SRM_INVALID_MODEL, "invalid value of \"architectures\"", ""},
	{"\"0\": \"LABEL_0\"", "\"0\": \"bad\", \"1\": \"good\"", SRM_NOT_SUPPORTED,
		"a model with 2 labels is not supported", "\"bad\", \"good\"."},
	{"\"id2label\"", "\"num_labels\": 5, \"labels\"", SRM_NOT_SUPPORTED, "5 labels", "one label"},
	{"\"use_cache\": true", "\"quantization_config\": {\"quant_method\": \"gptq\"}", SRM_NOT_SUPPORTED,
		"quantization \"gptq\" is not supported", ""},
	{"\"use_cache\": true", "\"use_sliding_window\": true", SRM_NOT_SUPPORTED, "use_sliding_window", ""},
	{"\"use_cache\": true", "\"layer_types\": [\"full_attention\", \"sliding_attention\"]", SRM_NOT_SUPPORTED,
		"layer type \"sliding_attention\"", ""},
	{"\"use_cache\": true", "\"layer_types\": [\"full_attention\"]", SRM_INVALID_MODEL,
		"\"layer_types\" is not a list of all layers", ""},
	{"\"use_cache\": true", "\"srm\": {\"label\": \"fine\"}", SRM_INVALID_MODEL,
		"\"label\" names no label of the model", "The labels are \"LABEL_0\"."},
	{"\"use_cache\": true", "\"use_bidirectional_attention\": true", SRM_NOT_SUPPORTED, "not causal", ""},
	{"\"use_cache\": true", "\"is_causal\": false", SRM_NOT_SUPPORTED, "not causal", ""},
	{"\"use_cache\": true", "\"srm\": []", SRM_INVALID_MODEL, "\"srm\" is not an object", ""},
	{"\"use_cache\": true", "\"srm\": {\"aggregation\": 7}", SRM_INVALID_MODEL, "\"aggregation\"", "a string"},
	{"\"use_cache\": true", "\"srm\": {\"aggregation\": \"attention\"}", SRM_INVALID_MODEL,
		"missing tensor \"srm.query.weight\"", ""},
	{"\"use_cache\": true", "\"srm\": {\"boundary\": \"marker\"}", SRM_INVALID_MODEL,
		"\"marker_token\" is missing", ""},
	{"\"use_cache\": true", "\"srm\": {\"boundary\": \"marker\", \"marker_token\": \"a\"}", SRM_INVALID_MODEL,
		"marker token \"a\" is not a special token", ""},
	{"\"use_cache\": true", "\"srm\": {\"boundary\": \"marker\", \"marker_token\": \"<NONE>\"}",
		SRM_INVALID_MODEL, "marker token \"<NONE>\" is not a special token", ""},
	{"\"use_cache\": true", "\"srm\": {\"mean\": 1, \"std\": 0}", SRM_INVALID_MODEL, "\"std\"", "not positive"},
	{"\"use_cache\": true", "\"srm\": {\"mean\": 1e400, \"std\": 1}", SRM_INVALID_MODEL, "\"mean\"", "finite"},
	{"\"use_cache\": true", "\"srm\": {\"mean\": 1}", SRM_INVALID_MODEL, "given together", ""},
	{"\"use_cache\": true", "\"srm\": {\"agreement\": 7}", SRM_INVALID_MODEL, "\"agreement\" is not an object", ""},
	{"\"use_cache\": true", "\"srm\": {\"agreement\": {\"pairs\": 3, \"flips\": 4}}", SRM_INVALID_MODEL,
		"value of \"flips\" is out of range", "between 0 and 3"},
	{"\"use_cache\": true", "\"srm\": {\"agreement\": {\"pairs\": 0}}", SRM_INVALID_MODEL, "\"pairs\" is out of range", ""},
	{"\"use_cache\": true", "\"mlp_bias\": true", SRM_INVALID_MODEL,
		"missing tensor \"model.layers.0.mlp.gate_proj.bias\"", ""},
	{"\"use_cache\": true", "\"use_cache\": true,", SRM_INVALID_MODEL, "invalid JSON in file", "line"},
	{"{", "[", SRM_INVALID_MODEL, "invalid JSON in file", ""},
};

/* settings that are out of range, contradict the weights, or are not supported */
static void
test_bad_configs(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(bad_configs) / sizeof(bad_configs[0]); i++)
	{
		const Damage *damage = &bad_configs[i];

		copy_model("llama");
		edit_file("config.json", damage->find, damage->with);
		expect_failure(damage->code, damage->message, damage->detail);
	}
}

typedef struct NamedDamage
{
	const char *model;
	Damage		damage;
} NamedDamage;

static const NamedDamage other_bad_configs[] = {
	{"smollm3", {"    0,\n    1,\n    1\n", "    0\n", SRM_INVALID_MODEL,
		"\"no_rope_layers\" is not a list of numbers for all layers", ""}},
	{"smollm3", {"\"no_rope_layers\": [\n    1", "\"no_rope_layers\": [\n    null", SRM_INVALID_MODEL, "\"no_rope_layers\"", ""}},
	{"smollm3-window", {"\"no_rope_layer_interval\": 2", "\"no_rope_layer_interval\": 0", SRM_INVALID_MODEL,
		"\"no_rope_layer_interval\" is out of range", ""}},
	{"granite", {"\"residual_multiplier\": 0.22", "\"residual_multiplier\": -1", SRM_INVALID_MODEL,
		"invalid value of \"residual_multiplier\"", ""}},
	{"granite", {"\"embedding_multiplier\": 0.75", "\"embedding_multiplier\": \"x\"", SRM_INVALID_MODEL,
		"\"embedding_multiplier\"", ""}},
	{"gemma3", {"\"sliding_attention\",", "\"chunked_attention\",", SRM_NOT_SUPPORTED,
		"layer type \"chunked_attention\" is not supported", ""}},
	{"gemma3", {"\"rope_type\": \"linear\"", "\"rope_type\": \"mrope\"", SRM_NOT_SUPPORTED, "rotary position of type \"mrope\"", ""}},
	{"gptneox", {"\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 2", SRM_INVALID_MODEL, "must be greater than 0", ""}},
	{"gptneox", {"\"partial_rotary_factor\": 0.5", "\"partial_rotary_factor\": 0.2", SRM_NOT_SUPPORTED,
		"\"rotary_pct\" that turns 1 elements", ""}},
	{"gptneox", {"\"use_parallel_residual\": true", "\"use_parallel_residual\": 1", SRM_INVALID_MODEL, "\"use_parallel_residual\"", ""}},
	{"cohere-norms", {"\"use_qk_norm\": true", "\"use_qk_norm\": \"yes\"", SRM_INVALID_MODEL, "\"use_qk_norm\"", ""}},
	{"xlm-roberta", {"\"use_cache\": true", "\"position_embedding_type\": \"relative_key\"", SRM_NOT_SUPPORTED,
		"\"position_embedding_type\" \"relative_key\" is not supported", ""}},
	{"xlm-roberta", {"\"is_decoder\": false", "\"is_decoder\": true", SRM_NOT_SUPPORTED, "\"is_decoder\"", ""}},
	{"xlm-roberta", {"\"max_position_embeddings\": 256", "\"max_position_embeddings\": 1", SRM_INVALID_MODEL,
		"\"max_position_embeddings\" leaves no position", ""}},
	{"gemma3-old", {"\"sliding_window_pattern\": 3", "\"sliding_window_pattern\": [3]", SRM_INVALID_MODEL,
		"\"sliding_window_pattern\"", ""}},
	{"gemma3-old", {"\"rope_local_base_freq\": 100.0", "\"rope_local_base_freq\": 0", SRM_INVALID_MODEL,
		"\"rope_local_base_freq\"", ""}},
};

/* the same of settings that single architectures have */
static void
test_other_bad_configs(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(other_bad_configs) / sizeof(other_bad_configs[0]); i++)
	{
		const Damage *damage = &other_bad_configs[i].damage;

		copy_model(other_bad_configs[i].model);
		edit_file("config.json", damage->find, damage->with);
		expect_failure(damage->code, damage->message, damage->detail);
	}
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
	edit_file("config.json", "\"model_type\": \"llama\"", "\"model_type\": \"bert\"");
	expect_failure(SRM_NOT_SUPPORTED, "model architecture \"OurRewardModel\" is not supported",
				   "the families Llama, Mistral, Qwen2, Qwen3, Gemma, Gemma2, Gemma3Text, Olmo2, Olmo3, Granite, SmolLM3, Phi3, InternLM2, Cohere, GPTNeoX, XLMRoberta");
	edit_file("config.json", "OurRewardModel", "Llama4ForCausalLM");
	expect_failure(SRM_NOT_SUPPORTED, "model architecture \"Llama4ForCausalLM\" is not supported", "");
	edit_file("config.json", "Llama4ForCausalLM", "LlamaRewardModel");
	srm_model_close(open_fixture());
}

#define HEADER		"invalid header in model file"
#define EMBEDDING	"\"shape\":[304,32],\"data_offsets\":[0,38912]"
#define NORM		"\"shape\":[32],\"data_offsets\":[38912,39040]"

static const Damage bad_headers[] = {
	{"[0,38912]", "[0,999999999]", SRM_INVALID_MODEL, HEADER,
		"Tensor \"model.embed_tokens.weight\" ends at byte 999999999, but the file has 107264 bytes of data."},
	{"[0,38912]", "[0,38908]", SRM_INVALID_MODEL, HEADER, "has 38908 bytes, but its shape asks for 38912"},
	{"[0,38912]", "[38912,0]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"[0,38912]", "[-38912,0]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"[0,38912]", "[0.0,38912]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"[0,38912]", "[0,18446744073709551616]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"[0,38912]", "[0,38912,0]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"[0,38912]", "{}", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{NORM, "\"shape\":[32],\"data_offsets\":[38908,39036]", SRM_INVALID_MODEL, HEADER, "overlap"},
	{NORM, "\"shape\":[32],\"data_offsets\":[0,128]", SRM_INVALID_MODEL, HEADER,
		"Tensors \"model.layers.0.input_layernorm.weight\" and \"model.embed_tokens.weight\" overlap."},
	{NORM, "\"shape\":[31],\"data_offsets\":[38916,39040]", SRM_INVALID_MODEL, HEADER,
		"The data at byte 38912 belong to no tensor."},
	{EMBEDDING, "\"shape\":[4294967296,4294967296],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER,
		"shape of tensor \"model.embed_tokens.weight\" is not valid or too large"},
	{EMBEDDING, "\"shape\":[4611686018427387904,4],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER,
		"too large"},
	{EMBEDDING, "\"shape\":[-1,32],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER, "not valid"},
	{EMBEDDING, "\"shape\":[1,1,1,1,1,1,1,304,32],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER,
		"at most 8 dimensions"},
	{EMBEDDING, "\"shape\":[32,304],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, "wrong shape of tensor",
		"It is (32, 304), but the configuration asks for (304, 32)."},
	{EMBEDDING, "\"shape\":[304,32,1],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, "wrong shape of tensor",
		"(304, 32, 1)"},
	{EMBEDDING, "\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER, "no shape"},
	{"\"dtype\":\"F32\",\"shape\":[304", "\"dtype\":\"I32\",\"shape\":[304", SRM_NOT_SUPPORTED,
		"data type \"I32\" of tensor \"model.embed_tokens.weight\"", "F32, F16, and BF16"},
	{"\"dtype\":\"F32\",\"shape\":[304", "\"dtype\":\"X\",\"shape\":[304", SRM_INVALID_MODEL, HEADER,
		"unknown data type \"X\""},
	{"\"dtype\":\"F32\",\"shape\":[304", "\"shape\":[304", SRM_INVALID_MODEL, HEADER, "unknown data type"},
	{"model.norm.weight", "model.norm.wait", SRM_INVALID_MODEL, "missing tensor \"model.norm.weight\"", ""},
	{"score.weight", "score.wait", SRM_INVALID_MODEL, "missing tensor \"score.weight\"", ""},
	{"model.norm.weight", "score.weight", SRM_INVALID_MODEL, HEADER, "Tensor \"score.weight\" occurs twice."},
	{"\"model.embed_tokens.weight\":{", "\"model.embed_tokens.weight\":7,\"x\":{", SRM_INVALID_MODEL, HEADER, ""},
	{"{\"__metadata__\"", "[\"__metadata__\"", SRM_INVALID_MODEL, "invalid JSON in the header", ""},
};

/* headers whose places, shapes or names cannot be right */
static void
test_bad_headers(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++)
	{
		const Damage *damage = &bad_headers[i];

		copy_model("llama");
		edit_header(WEIGHTS, damage->find, damage->with);
		expect_failure(damage->code, damage->message, damage->detail);
	}
}

/* a file that is cut anywhere, or has bytes too many */
static void
test_truncated_file(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 100, 2000, 50000};
	Bytes		file;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		write_bytes(WEIGHTS, file.data, sizes[i]);
		expect_failure(SRM_INVALID_MODEL, HEADER, "he file has");
	}
	write_bytes(WEIGHTS, file.data, 0);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The file has 0 bytes, but a header takes more than 8.");
	write_bytes(WEIGHTS, file.data, file.size - 1);
	expect_failure(SRM_INVALID_MODEL, HEADER, "bytes of data");
	write_bytes(WEIGHTS, file.data, file.size + 1);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The data at byte 107264 belong to no tensor.");
	free(file.data);
}

/* a header whose length is beyond the file, or beyond any file */
static void
test_header_length(void **state)
{
	Bytes		file;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	memcpy(file.data, "\0\0\0\0\0\0\0\x80", 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The header has 9223372036854775808 bytes, the limit is");
	memset(file.data, 255, 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The header has 18446744073709551615 bytes");
	memcpy(file.data, "\0\0\x80\0\0\0\0\0", 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The header has 8388608 bytes, but the file has");
	memcpy(file.data, "\0\0\0\0\0\0\0\0", 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, "invalid JSON in the header", "");
	free(file.data);
}

/* brackets without end, where any JSON is read */
static void
test_deep_json(void **state)
{
	static const char *names[] = {"config.json", "tokenizer_config.json", "model.safetensors.index.json"};
	size_t		depth = 10000;
	char	   *deep = malloc(depth + 1);
	Bytes		old;

	(void) state;
	memset(deep, '[', depth);
	deep[depth] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("qwen3-sharded");
		write_bytes(names[i], deep, depth);
		expect_failure(SRM_INVALID_MODEL, "nested too deeply", "");
	}
	copy_model("llama");
	old = read_bytes(in_fixture(WEIGHTS));
	write_header(WEIGHTS, &old, deep, depth);
	expect_failure(SRM_INVALID_MODEL, "nested too deeply", "");
	free(old.data);
	free(deep);
}

/* files that are none, of every name */
static void
test_not_a_file(void **state)
{
	static const char *names[] = {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json",
	"chat_template.jinja"};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("llama");
		remove(in_fixture(names[i]));
		assert_int_equal(mkdir(in_fixture(names[i]), 0700), 0);
		expect_failure(SRM_INVALID_MODEL, "is not a regular file", "");
		assert_int_equal(rmdir(in_fixture(names[i])), 0);

		/* opening a FIFO that nobody writes to would wait for ever */
		alarm(20);
		assert_int_equal(mkfifo(in_fixture(names[i]), 0600), 0);
		expect_failure(SRM_INVALID_MODEL, "is not a regular file", "");
		alarm(0);
	}
	copy_model("llama");
	remove(in_fixture(WEIGHTS));
	assert_int_equal(symlink("/dev/zero", in_fixture(WEIGHTS)), 0);
	expect_failure(SRM_INVALID_MODEL, "is not a regular file", "");
}

/* files that are not there, and a link that leads nowhere but to itself */
static void
test_missing_file(void **state)
{
	static const char *names[] = {"config.json", WEIGHTS, "tokenizer.json"};
	SrmStatus	status = {0};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("llama");
		remove(in_fixture(names[i]));
		expect_failure(SRM_FILE_ACCESS, names[i], "");
	}
	assert_null(srm_model_open(fixture, NULL, NULL, &status));
	assert_int_equal(status.errnum, ENOENT);

	copy_model("llama");
	remove(in_fixture(WEIGHTS));
	assert_int_equal(symlink(WEIGHTS, in_fixture(WEIGHTS)), 0);
	expect_failure(SRM_FILE_ACCESS, "could not open file", "");

	remove_fixture();
	expect_failure(SRM_FILE_ACCESS, "could not open model directory", "");
}

#define SHARD		"model-00002-of-00002.safetensors"
#define INDEX		"model.safetensors.index.json"
#define IN_INDEX	"\"score.weight\": \"" SHARD "\""

static const Damage bad_indexes[] = {
	{IN_INDEX, "\"score.weight\": \"../" SHARD "\"", SRM_INVALID_MODEL, "invalid index of model files",
		"Tensor \"score.weight\" lies in \"../" SHARD "\", which is not a plain file name."},
	{IN_INDEX, "\"score.weight\": \"/etc/passwd\"", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{IN_INDEX, "\"score.weight\": \"..\"", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{IN_INDEX, "\"score.weight\": \"\"", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{IN_INDEX, "\"score.weight\": 7", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{IN_INDEX, "\"score.weight\": \"none.safetensors\"", SRM_FILE_ACCESS, "none.safetensors", ""},
	{IN_INDEX, "\"score.weight\": \"config.json\"", SRM_INVALID_MODEL, HEADER, ""},
	{IN_INDEX, "\"score.weight\": \"model-00001-of-00002.safetensors\"", SRM_INVALID_MODEL, "invalid index",
		"Tensor \"score.weight\" is not in file \"model-00001-of-00002.safetensors\"."},
	{IN_INDEX, IN_INDEX ", " IN_INDEX, SRM_INVALID_MODEL, "invalid index", "Tensor \"score.weight\" occurs twice."},
	{IN_INDEX, "\"score.wait\": \"" SHARD "\"", SRM_INVALID_MODEL, "invalid index",
		"Tensor \"score.wait\" is not in file"},
	{"\"weight_map\"", "\"map\"", SRM_INVALID_MODEL, "invalid index", "no object \"weight_map\""},
};

/* indexes that lead out of the directory, or to what is not there */
static void
test_bad_indexes(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof(bad_indexes) / sizeof(bad_indexes[0]); i++)
	{
		const Damage *damage = &bad_indexes[i];

		copy_model("qwen3-sharded");
		edit_file(INDEX, damage->find, damage->with);
		expect_failure(damage->code, damage->message, damage->detail);
	}
	copy_model("qwen3-sharded");
	remove(in_fixture(SHARD));
	expect_failure(SRM_FILE_ACCESS, SHARD, "");
}

/* NaN weights are weights: the model opens, and what it computes is NaN */
static void
test_nan_weights(void **state)
{
	SrmModel   *model;
	Bytes		file;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	memset(file.data + 8 + header_size(&file), 255, file.size - 8 - header_size(&file));
	write_bytes(WEIGHTS, file.data, file.size);
	free(file.data);
	model = open_fixture();
	assert_true(isnan(model->value_weight[0]));
	srm_model_close(model);
}

/* Writes the weights with all data moved by one byte, which is a tensor of its own. */
static void
move_data(const Bytes *old)
{
	static const char find[] = "\"data_offsets\":[";
	char	   *text = calloc(1, 8 * header_size(old));
	char	   *out = text + sprintf(text, "{\"pad\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},");
	const char *in = old->data + 9;
	const char *end = old->data + 8 + header_size(old);
	Bytes		moved = {.data = calloc(1, old->size + 1),.size = old->size + 1};

	while (in < end)
		if (strncmp(in, find, strlen(find)) == 0)
		{
			unsigned long long a;
			unsigned long long b;

			assert_int_equal(sscanf(in + strlen(find), "%llu,%llu", &a, &b), 2);
			out += sprintf(out, "%s%llu,%llu", find, a + 1, b + 1);
			in = strchr(in, ']');
		}
		else
			*out++ = *in++;
	memcpy(moved.data, old->data, 8 + header_size(old));
	memcpy(moved.data + 8 + header_size(old) + 1, end, (size_t) (old->data + old->size - end));
	write_header(WEIGHTS, &moved, text, strlen(text));
	free(text);
	free(moved.data);
}

/* a header of any length is as good as one that aligns the data, as early writers did not */
static void
test_unaligned_file(void **state)
{
	Bytes		old;
	SrmModel   *model;
	SrmModel   *same;

	(void) state;
	copy_model("llama");
	same = open_fixture();
	old = read_bytes(in_fixture(WEIGHTS));
	old.data[8 + header_size(&old)] = ' ';
	write_header(WEIGHTS, &old, old.data + 8, header_size(&old) + 1);
	model = open_fixture();
	assert_memory_equal((const char *) model->decoder.layers[1].down.data + 64,
						(const char *) same->decoder.layers[1].down.data + 64,
						model->decoder.dim * sizeof(float));
	srm_model_close(model);
	srm_model_close(same);
	free(old.data);

	/* data that are not aligned among each other are not read */
	copy_model("llama");
	old = read_bytes(in_fixture(WEIGHTS));
	move_data(&old);
	free(old.data);
	expect_failure(SRM_NOT_SUPPORTED, "unaligned tensor \"model.embed_tokens.weight\"", "");
}

/* the aggregator's tensors must agree with each other and with its size */
static void
test_bad_attention(void **state)
{
	(void) state;
	copy_model("attention-marker");
	edit_file("config.json", "\"attention_dim\": 12", "\"attention_dim\": 8");
	expect_failure(SRM_INVALID_MODEL, "wrong shape of tensor \"srm.query.weight\"",
				   "It is (12, 32), but the configuration asks for (8, 32).");
	edit_file("config.json", "\"attention_dim\": 8", "\"attention_dim\": 7");
	expect_failure(SRM_INVALID_MODEL, "not a positive even number", "It is 7.");
	edit_file("config.json", "\"attention_dim\": 7,", "");
	srm_model_close(open_fixture());
	edit_header(WEIGHTS, "srm.key.bias", "srm.key.base");
	expect_failure(SRM_INVALID_MODEL, "missing tensor \"srm.key.bias\"", "");
}

/* a tokenizer with more tokens than the embedding has rows */
static void
test_tokenizer_size(void **state)
{
	(void) state;
	copy_model("llama");
	edit_file("tokenizer.json", "\"!\": 4", "\"!\": 304");
	expect_failure(SRM_INVALID_MODEL, "tokenizer and weights of model",
				   "The tokenizer has 305 tokens, but the embedding has 304.");
	write_text("tokenizer.json", "{}");
	expect_failure(SRM_INVALID_MODEL, "", "");
}

/* the template: of several the default one, and the file before the JSON */
static void
test_chat_template(void **state)
{
	SrmStatus	status = {0};
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	write_text("tokenizer_config.json",
			   "{\"chat_template\": [{\"name\": \"tool\", \"template\": \"{% bad\"},"
			   " {\"name\": \"default\", \"template\": \"x\"}], \"bos_token\": {\"content\": \"<s>\"}}");
	model = open_fixture();
	assert_non_null(model->chat_template);
	assert_string_equal(named_token(model, "bos_token"), "<s>");
	assert_null(named_token(model, "eos_token"));
	srm_model_close(model);

	write_text("tokenizer_config.json", "{\"chat_template\": {\"tool\": \"{% bad\", \"default\": \"x\"}}");
	model = open_fixture();
	assert_non_null(model->chat_template);
	srm_model_close(model);
	write_text("tokenizer_config.json", "{\"chat_template\": {\"tool\": \"x\"}}");
	expect_failure(SRM_INVALID_MODEL, "invalid value of \"chat_template\"", "named \"default\"");
	write_text("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"tool\", \"template\": \"x\"}]}");
	expect_failure(SRM_INVALID_MODEL, "invalid value of \"chat_template\"", "named \"default\"");
	write_text("tokenizer_config.json", "{\"chat_template\": 7}");
	expect_failure(SRM_INVALID_MODEL, "invalid value of \"chat_template\"", "");
	write_text("tokenizer_config.json", "{\"bos_token\": 7}");
	expect_failure(SRM_INVALID_MODEL, "invalid value of \"bos_token\"", "");

	write_text("tokenizer_config.json", "{\"chat_template\": \"{% bad\"}");
	write_text("chat_template.jinja", "x");
	srm_model_close(open_fixture());
	write_text("chat_template.jinja", "\n{% bad %}");
	assert_null(srm_model_open(fixture, NULL, NULL, &status));
	assert_non_null(strstr(status.hint, "chat_template.jinja"));
	write_text("chat_template.jinja", "\xff");
	expect_failure(SRM_INVALID_MODEL, "invalid byte sequence for UTF-8", "");

	remove(in_fixture("chat_template.jinja"));
	remove(in_fixture("tokenizer_config.json"));
	model = open_fixture();
	assert_null(model->chat_template);
	srm_model_close(model);
}

/* what no row of the embedding is for must not be in the template */
static void
test_template_tokens(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	edit_file("tokenizer_config.json", "\"bos_token\": null", "\"additional_special_tokens\": [\"<1>\", \"<2>\", \"<3>\", \"<4>\", \"<no row>\"]");
	model = open_fixture();
	assert_int_equal(srm_tokenizer_find(model->tokenizer, "<4>"), 303);
	assert_int_equal(srm_tokenizer_find(model->tokenizer, "<no row>"), -1);
	srm_model_close(model);
	edit_file("tokenizer_config.json", "{{ '<|im_start|>'", "{{ '<no row><|im_start|>'");
	expect_failure(SRM_INVALID_MODEL, "token \"<no row>\" of the chat template is not in the model's vocabulary", "embedding");
	remove(in_fixture("tokenizer_config.json"));
}

/* a template in "srm" comes before all others, and the calendar of templates stands there, too */
static void
test_own_template(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	write_text("chat_template.jinja", "{% bad %}");
	edit_file("config.json", "{\n", "{\"srm\": {\"chat_template\": \"{{ messages[0].content }}\"},\n");
	model = open_fixture();
	assert_non_null(model->chat_template);
	assert_string_equal(model->variables.date, SRM_TEMPLATE_DATE);
	srm_model_close(model);

	edit_file("config.json", "{{ messages[0].content }}\"", "{% bad %}\", \"template_date\": \"2031-02-03\"");
	assert_null(srm_model_open(fixture, NULL, NULL, &(SrmStatus) {0}));
	edit_file("config.json", "{% bad %}", "x");
	model = open_fixture();
	assert_string_equal(model->variables.date, "2031-02-03");
	srm_model_close(model);

	edit_file("config.json", "2031-02-03", "2031-02-30");
	expect_failure(SRM_INVALID_MODEL, "invalid value of \"template_date\": \"2031-02-30\"", "2024-07-26");
	edit_file("config.json", "\"2031-02-30\"", "7");
	expect_failure(SRM_INVALID_MODEL, "template_date", "");
}

/* how long sentences are */
static void
test_sentence_tokens(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("llama");
	model = open_fixture();
	assert_int_equal(model->settings.min_sentence_tokens, 0);
	assert_int_equal(model->settings.max_sentence_tokens, 0);
	srm_model_close(model);
	edit_file("config.json", "{\n", "{\"srm\": {\"min_sentence_tokens\": 4, \"max_sentence_tokens\": 90},\n");
	model = open_fixture();
	assert_int_equal(model->settings.min_sentence_tokens, 4);
	assert_int_equal(model->settings.max_sentence_tokens, 90);
	srm_model_close(model);
	edit_file("config.json", ": 90", ": -1");
	expect_failure(SRM_INVALID_MODEL, "max_sentence_tokens", "");
	edit_file("config.json", ": -1", ": \"many\"");
	expect_failure(SRM_INVALID_MODEL, "max_sentence_tokens", "");
	edit_file("config.json", ": 4,", ": 1e300,");
	expect_failure(SRM_INVALID_MODEL, "min_sentence_tokens", "");
}

/* what is a date, and what is none */
static void
test_template_dates(void **state)
{
	static const char *right[] = {"2024-02-29", "1970-01-01", "9999-12-31"};
	static const char *wrong[] = {
		"", "2024", "2024-7-26", "2024-07-26 ", " 2024-07-26", "2023-02-29", "2024-13-01", "2024-00-10",
		"2024-01-00", "1969-12-31", "2024-07-26x", "24-07-2026", "2024--7-26", "2024-07-+6"
	};

	(void) state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(srm_template_date_valid(right[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(srm_template_date_valid(wrong[i]));
}

/* a model notices that its files are replaced, added or removed */
static void
test_changed(void **state)
{
	static const char *names[] = {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"};
	SrmModel   *model;

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		char		path[128];
		Bytes		bytes;

		copy_model("llama");
		model = open_fixture();
		bytes = read_bytes(in_fixture(names[i]));
		write_bytes("new", bytes.data, bytes.size);
		free(bytes.data);
		assert_false(srm_model_changed(model));
		snprintf(path, sizeof(path), "%s/new", fixture);
		assert_int_equal(rename(path, in_fixture(names[i])), 0);
		assert_true(srm_model_changed(model));
		srm_model_close(model);
	}
	copy_model("llama");
	model = open_fixture();
	write_text("chat_template.jinja", "x");
	assert_true(srm_model_changed(model));
	remove(in_fixture("chat_template.jinja"));
	assert_false(srm_model_changed(model));
	remove(in_fixture("tokenizer_config.json"));
	assert_true(srm_model_changed(model));
	srm_model_close(model);
}

/* Replaces the fixture by another model the nth time it is asked. */
typedef struct Swap
{
	int			left;
	char		other[80];
	bool		removes;		/* the old one, as a writer does */
} Swap;

static void
swap_models(Swap *swap)
{
	char		old[128];
	char		kept[64];

	snprintf(old, sizeof(old), "%s.old", fixture);
	assert_int_equal(rename(fixture, old), 0);
	assert_int_equal(rename(swap->other, fixture), 0);
	if (swap->removes)
	{
		strcpy(kept, fixture);
		snprintf(fixture, sizeof(fixture), "%s.old", kept);
		remove_fixture();
		strcpy(fixture, kept);
	}
}

static bool
swap_after(void *arg)
{
	Swap	   *swap = arg;

	if (--swap->left == 0)
		swap_models(swap);
	return false;
}

/* Two models of different shapes beside each other; the fixture is the first. */
static void
make_pair(Swap *swap, const char *kept)
{
	snprintf(fixture, sizeof(fixture), "%s.old", kept);
	remove_fixture();
	snprintf(fixture, sizeof(fixture), "%s.new", kept);
	copy_model("qwen3-sharded");
	strcpy(swap->other, fixture);
	strcpy(fixture, kept);
	copy_model("llama");
}

/* a model that is replaced while it is opened is the old one or the new one, and no error */
static void
test_replaced_while_opening(void **state)
{
	char		kept[64];
	int			n_old = 0;
	int			n_new = 0;

	(void) state;
	strcpy(kept, fixture);
	for (int removes = 0; removes < 2; removes++)
	{
		bool		done = false;

		for (int n = 1; !done; n++)
		{
			Swap		swap = {.left = n,.removes = removes == 1};
			SrmStop		stop = {.callback = swap_after,.arg = &swap};
			SrmStatus	status = {0};
			SrmModel   *model;

			make_pair(&swap, kept);
			model = srm_model_open(fixture, NULL, &stop, &status);
			if (model == NULL)
				fail_msg("%d: %s %s", n, status.message, status.detail);
			if (strcmp(model->architecture, "LlamaForSequenceClassification") == 0)
				n_old++;
			else
				n_new++;
			done = swap.left > 0;
			assert_int_equal(srm_model_changed(model), !done && strcmp(model->architecture, "LlamaForSequenceClassification") == 0);
			srm_model_close(model);
		}
	}
	assert_true(n_old > 2 && n_new > 2);
	snprintf(fixture, sizeof(fixture), "%s.new", kept);
	remove_fixture();
	strcpy(fixture, kept);
}

static bool
stop_after(void *arg)
{
	int		   *rest = arg;

	return --*rest < 0;
}

/* the digest is that of sha256sum, and depends on every file */
static void
test_digest(void **state)
{
	char		command[300];
	char		expected[SRM_DIGEST_LENGTH + 1];
	char		digest[SRM_DIGEST_LENGTH + 1];
	SrmStatus	status = {0};
	int			rest = 0;
	SrmStop		stop = {stop_after, &rest, NULL};
	FILE	   *pipe;

	(void) state;
	copy_model("qwen3-sharded");
	write_text("unrelated", "x");
	snprintf(command, sizeof(command),
			 "cd %s && LC_ALL=C && export LC_ALL && sha256sum *.json *.safetensors | sort -k 2 | sha256sum",
			 fixture);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(expected, sizeof(expected), pipe));
	pclose(pipe);
	assert_true(srm_model_digest(fixture, NULL, digest, NULL, &status));
	assert_string_equal(digest, expected);

	write_text("chat_template.jinja", "x");
	assert_true(srm_model_digest(fixture, NULL, digest, NULL, &status));
	assert_string_not_equal(digest, expected);

	assert_false(srm_model_digest(fixture, NULL, digest, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);

	srm_status_init(&status);
	remove(in_fixture(SHARD));
	assert_false(srm_model_digest(fixture, NULL, digest, NULL, &status));
	assert_int_equal(status.code, SRM_FILE_ACCESS);
}

/* what a list of models shows, without the tokenizer */
static void
test_summary(void **state)
{
	SrmModelSummary summary;
	SrmStatus	status = {0};
	SrmArena   *arena = srm_arena_create(&status);

	(void) state;
	copy_model("attention-marker");
	remove(in_fixture("tokenizer.json"));
	assert_true(srm_model_summarize(fixture, NULL, arena, &summary, &status));
	assert_string_equal(summary.architecture, "LlamaForSequenceClassification");
	assert_string_equal(summary.dtype, "float32");
	assert_string_equal(summary.settings.aggregation, "attention");
	assert_int_equal(summary.n_parameters, 27608);
	assert_int_equal(summary.max_tokens, 256);
	remove(in_fixture(WEIGHTS));
	assert_false(srm_model_summarize(fixture, NULL, arena, &summary, &status));
	assert_int_equal(status.code, SRM_FILE_ACCESS);
	srm_arena_free(arena);
}

/* opening stops when asked to */
static void
test_stop(void **state)
{
	(void) state;
	copy_model("qwen3-sharded");
	for (int after = 0; after < 4; after++)
	{
		int			rest = after;
		SrmStop		stop = {stop_after, &rest, NULL};
		SrmStatus	status = {0};

		assert_null(srm_model_open(fixture, NULL, &stop, &status));
		assert_int_equal(status.code, SRM_STOPPED);
	}
}

/* headers with any byte changed or cut off: an error or a tensor list, nothing else */
static void
test_mutated_headers(void **state)
{
	SrmSafetensors tensors;
	Bytes		file;
	size_t		end;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	end = 8 + header_size(&file);
	for (size_t i = 0; i < end; i++)
	{
		static const char changes[] = "\"{[0,9-";
		SrmStatus	status = {0};
		SrmArena   *arena = srm_arena_create(&status);
		char		old = file.data[i];

		file.data[i] = changes[i % (sizeof(changes) - 1)];
		if (srm_safetensors_read(&tensors, "mutated", file.data, file.size, arena, &status))
			for (size_t k = 0; k < tensors.n; k++)
				assert_true(tensors.tensors[k].data + tensors.tensors[k].size <= file.data + file.size);
		else
			assert_int_equal(status.code, SRM_INVALID_MODEL);
		file.data[i] = old;
		srm_arena_free(arena);
	}
	free(file.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_model),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_rope),
		cmocka_unit_test(test_bad_configs),
		cmocka_unit_test(test_other_bad_configs),
		cmocka_unit_test(test_architecture),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_truncated_file),
		cmocka_unit_test(test_header_length),
		cmocka_unit_test(test_deep_json),
		cmocka_unit_test(test_not_a_file),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_bad_indexes),
		cmocka_unit_test(test_nan_weights),
		cmocka_unit_test(test_unaligned_file),
		cmocka_unit_test(test_bad_attention),
		cmocka_unit_test(test_tokenizer_size),
		cmocka_unit_test(test_chat_template),
		cmocka_unit_test(test_own_template),
		cmocka_unit_test(test_sentence_tokens),
		cmocka_unit_test(test_template_dates),
		cmocka_unit_test(test_template_tokens),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_replaced_while_opening),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_mutated_headers),
	};

	return cmocka_run_group_tests_name("model", tests, create_fixture, drop_fixture);
}
