/*-------------------------------------------------------------------------
 *
 * test_refusals.c
 *	  What is refused while a model is read: the message names the key, and the file where it lies.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

typedef struct Refusal
{
	const char *model;
	const char *file;
	const char *find;			/* in the file; NULL: the whole of it */
	const char *with;			/* instead */
	const char *key;			/* NULL: there is none */
} Refusal;

#define CONFIG		"config.json"
#define TOKENIZER	"tokenizer.json"
#define TOKENS		"tokenizer_config.json"
#define INDEX		"model.safetensors.index.json"

#define ADD			"\"use_cache\": true"	/* in the config of "llama", where members can be added */
#define SRM(members) "\"srm\": {" members "}"
#define ROPE		"\"rope_type\": \"default\""

/* Sizes, of which none is taken from elsewhere where it is wrong. */
static const Refusal sizes[] = {
	{"llama", CONFIG, "\"vocab_size\": 304", "\"vocab_size\": 0", "vocab_size"},
	{"llama", CONFIG, "\"hidden_size\": 32", "\"hidden_size\": \"32\"", "hidden_size"},
	{"llama", CONFIG, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1025", "num_hidden_layers"},
	{"llama", CONFIG, "\"num_attention_heads\": 4", "\"num_attention_heads\": 4.5", "num_attention_heads"},
	{"llama", CONFIG, "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "num_key_value_heads"},
	{"llama", CONFIG, "\"head_dim\": 8", "\"head_dim\": 7", "head_dim"},
	{"llama", CONFIG, "\"intermediate_size\": 56", "\"intermediate_size\": []", "intermediate_size"},
	{"llama", CONFIG, "\"max_position_embeddings\": 256", "\"max_position_embeddings\": -256", "max_position_embeddings"},
	{"llama", CONFIG, "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": 0", "rms_norm_eps"},
	{"llama", CONFIG, "\"pad_token_id\": 0", "\"pad_token_id\": \"<pad>\"", "pad_token_id"},
};

/* What the pass does not do, or cannot be told to do. */
static const Refusal architectures[] = {
	{"llama", CONFIG, NULL, "{\"architectures\": [\"MambaForCausalLM\"], \"model_type\": \"mamba\"}", "architectures"},
	{"llama", CONFIG, NULL, "{\"model_type\": \"mamba\"}", "model_type"},
	{"llama", CONFIG, NULL, "{}", "model_type"},
	{"llama", CONFIG, NULL, "[]", NULL},
	{"llama", CONFIG, "\"LlamaForSequenceClassification\"", "{}", "architectures"},
	{"llama", CONFIG, "\"LlamaForSequenceClassification\"", "\"LlamaForTokenClassification\"", "architectures"},
	{"llama", CONFIG, "\"silu\"", "\"relu2\"", "hidden_act"},
	{"llama", CONFIG, ADD, "\"is_causal\": false", "is_causal"},
	{"llama", CONFIG, ADD, "\"use_bidirectional_attention\": true", "use_bidirectional_attention"},
	{"llama", CONFIG, ADD, "\"use_sliding_window\": true", "use_sliding_window"},
	{"llama", CONFIG, ADD, "\"layer_types\": [\"full_attention\", \"linear_attention\"]", "layer_types"},
	{"llama", CONFIG, ADD, "\"layer_types\": \"full_attention\"", "layer_types"},
	{"llama", CONFIG, ADD, "\"quantization_config\": {\"quant_method\": \"awq\"}", "quantization_config"},
	{"llama", CONFIG, ADD, "\"quantization_config\": {\"load_in_4bit\": true}", "quantization_config"},
	{"llama", CONFIG, ADD, "\"attention_bias\": 1", "attention_bias"},
};

static const Refusal ropes[] = {
	{"llama", CONFIG, "\"rope_theta\": 10000.0", "\"rope_theta\": -1", "rope_theta"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"proportional\"", "rope_type"},
	{"llama", CONFIG, ROPE, "\"type\": \"mrope\"", "type"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"linear\", \"factor\": 0", "factor"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"longrope\", \"short_factor\": [1]", "short_factor"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"longrope\", \"original_max_position_embeddings\": 32, \"short_factor\": [1, 1, 1, 1]", "long_factor"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"dynamic\"", "factor"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"dynamic\", \"factor\": -2", "factor"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 2, \"high_freq_factor\": 1", "high_freq_factor"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"yarn\", \"factor\": 2, \"beta_fast\": -1", "beta_fast"},
	{"llama", CONFIG, ROPE, "\"rope_type\": \"default\", \"partial_rotary_factor\": 0.25", "partial_rotary_factor"},
	{"llama", CONFIG, "\"rope_parameters\": {", "\"rope_scaling\": 7, \"rope_parameters\": {", "rope_scaling"},
	{"llama", CONFIG, ADD, "\"rope_scaling\": [1]", "rope_scaling"},
};

/* The object "srm". */
static const Refusal settings[] = {
	{"llama", CONFIG, ADD, "\"srm\": \"\"", "srm"},
	{"llama", CONFIG, ADD, SRM("\"aggregation\": []"), "aggregation"},
	{"llama", CONFIG, ADD, SRM("\"boundary\": \"marker\""), "marker_token"},
	{"llama", CONFIG, ADD, SRM("\"boundary\": \"marker\", \"marker_token\": \"e\""), "marker_token"},
	{"llama", CONFIG, ADD, SRM("\"marker_layout\": \"x\""), "marker_layout"},
	{"llama", CONFIG, ADD, SRM("\"segmenter\": 1"), "segmenter"},
	{"llama", CONFIG, ADD, SRM("\"locale\": {}"), "locale"},
	{"llama", CONFIG, ADD, SRM("\"truncation\": 0"), "truncation"},
	{"llama", CONFIG, ADD, SRM("\"max_tokens\": 257"), "max_tokens"},
	{"llama", CONFIG, ADD, SRM("\"min_sentence_tokens\": -1"), "min_sentence_tokens"},
	{"llama", CONFIG, ADD, SRM("\"max_sentence_tokens\": 0.5"), "max_sentence_tokens"},
	{"llama", CONFIG, ADD, SRM("\"template_date\": \"today\""), "template_date"},
	{"llama", CONFIG, ADD, SRM("\"template_variables\": {\"messages\": 1}"), "template_variables"},
	{"llama", CONFIG, ADD, SRM("\"response_roles\": \"model\""), "response_roles"},
	{"llama", CONFIG, ADD, SRM("\"quantization\": \"int4\""), "quantization"},
	{"llama", CONFIG, ADD, SRM("\"agreement\": []"), "agreement"},
	{"llama", CONFIG, ADD, SRM("\"compute\": \"fp8\""), "compute"},
	{"llama", CONFIG, ADD, SRM("\"attention_dim\": 0"), "attention_dim"},
	{"attention-offset", CONFIG, "\"attention_dim\": 8", "\"attention_dim\": 7", "attention_dim"},
	{"llama", CONFIG, ADD, SRM("\"mean\": 0"), "mean"},
	{"llama", CONFIG, ADD, SRM("\"mean\": 0, \"std\": -1"), "std"},
	{"llama", CONFIG, ADD, SRM("\"label\": 2"), "label"},
	{"llama", CONFIG, ADD, SRM("\"label\": 0, \"minus\": \"LABEL_9\""), "minus"},
	{"llama", CONFIG, ADD, SRM("\"reward_token_id\": 304"), "reward_token_id"},
	{"llama", CONFIG, ADD, SRM("\"chat_template\": \"{% if %}\""), "chat_template"},
	{"head-armorm", CONFIG, "\"gating_temperature\": 2.0", "\"gating_temperature\": []", "gating_temperature"},
	{"head-beaver", CONFIG, "\"do_normalize\": true", "\"do_normalize\": \"yes\"", "do_normalize"},
	{"head-labels", CONFIG, "\"label\": \"good\"", "\"locale\": \"\"", "label"},
};

/* Parts of tokenizer.json. */
static const Refusal tokenizers[] = {
	{"llama", TOKENIZER, NULL, "[]", NULL},
	{"llama", TOKENIZER, NULL, "{\"version\": \"1.0\", ", NULL},
	{"llama", TOKENIZER, "\"version\": \"1.0\"", "\"version\": \"2.0\"", "version"},
	{"llama", TOKENIZER, "\"model\":", "\"modell\":", "model"},
	{"llama", TOKENIZER, "\"type\": \"BPE\"", "\"type\": \"WordLevel\"", "model"},
	{"llama", TOKENIZER, "\"dropout\": null", "\"dropout\": 0.5", "dropout"},
	{"llama", TOKENIZER, "\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"@@\"", "continuing_subword_prefix"},
	{"llama", TOKENIZER, "\"end_of_word_suffix\": null", "\"end_of_word_suffix\": \"</w>\"", "end_of_word_suffix"},
	{"llama", TOKENIZER, "\"byte_fallback\": false", "\"byte_fallback\": \"no\"", "byte_fallback"},
	{"llama", TOKENIZER, "\"vocab\":", "\"vocabulary\":", "vocab"},
	{"llama", TOKENIZER, "\"<END>\": 3,", "\"<END>\": -3,", "vocab"},
	{"llama", TOKENIZER, "\"<END>\": 3,", "\"<END>\": 2,", "vocab"},
	{"llama", TOKENIZER, "\"merges\": [", "\"merges\": [\"q\", ", "merges"},
	{"llama", TOKENIZER, "\"merges\":", "\"merge\":", "merges"},
	{"llama", TOKENIZER, "\"normalizer\": null", "\"normalizer\": {\"type\": \"ByteLevel\"}", "normalizer"},
	{"llama", TOKENIZER, "\"normalizer\": null", "\"normalizer\": 7", "normalizer"},
	{"llama", TOKENIZER, "\"normalizer\": null", "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"(\"}, \"content\": \"\"}", "normalizer"},
	{"llama", TOKENIZER, "\"pre_tokenizer\": {", "\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}, \"x\": {", "pre_tokenizer"},
	{"llama", TOKENIZER, "\"pre_tokenizer\": {", "\"pre_tokenizer\": {}, \"x\": {", "pre_tokenizer"},
	{"llama", TOKENIZER, "\"pre_tokenizer\": {", "\"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"[\"}, \"behavior\": \"Removed\"}, \"x\": {", "pre_tokenizer"},
	{"llama", TOKENIZER, "\"pre_tokenizer\": {", "\"pre_tokenizer\": null, \"x\": {", "unk_token"},
	{"llama", TOKENIZER, "\"added_tokens\": [", "\"added_tokens\": {}, \"x\": [", "added_tokens"},
	{"llama", TOKENIZER, "\"added_tokens\": [", "\"added_tokens\": [{\"id\": 9}, ", "added_tokens"},
	{"llama", TOKENIZER, "\"id\": 3,", "\"id\": 4,", "added_tokens"},
	{"llama", TOKENIZER, "\"lstrip\": false", "\"lstrip\": 1", "lstrip"},
};

/* The files beside it. */
static const Refusal tokens[] = {
	{"llama", TOKENS, NULL, "{", NULL},
	{"llama", TOKENS, "\"pad_token\": \"<|endoftext|>\"", "\"pad_token\": 0", "pad_token"},
	{"llama", TOKENS, "\"bos_token\": null", "\"bos_token\": {\"content\": 1}", "bos_token"},
	{"llama", TOKENS, "\"bos_token\": null", "\"added_tokens_decoder\": []", "added_tokens_decoder"},
	{"llama", TOKENS, "\"bos_token\": null", "\"added_tokens_decoder\": {\"x\": {\"content\": \"<x>\"}}", "added_tokens_decoder"},
	{"llama", TOKENS, "\"bos_token\": null", "\"additional_special_tokens\": 5", "additional_special_tokens"},
	{"llama", TOKENS, "\"bos_token\": null", "\"extra_special_tokens\": 5", "extra_special_tokens"},
	{"llama", TOKENS, "\"bos_token\": null", "\"split_special_tokens\": true", "split_special_tokens"},
	{"llama", TOKENS, "\"bos_token\": null", "\"add_prefix_space\": true", "add_prefix_space"},
	{"llama", TOKENS, "\"chat_template\": \"", "\"chat_template\": [], \"x\": \"", "chat_template"},
	{"llama", TOKENS, "\"chat_template\": \"", "\"chat_template\": \"{% for %}", "chat_template"},
	{"llama", "special_tokens_map.json", NULL, "{\"sep_token\": 4}", "sep_token"},
	{"llama", "special_tokens_map.json", NULL, "{,}", NULL},
	{"llama", "added_tokens.json", NULL, "[]", NULL},
	{"llama", "added_tokens.json", NULL, "{\"<x>\": \"y\"}", "<x>"},
	{"llama", "chat_template.jinja", NULL, "{{ messages[ }}", NULL},
	{"llama", "chat_template.jinja", NULL, "\xFF", NULL},
	{"qwen3-sharded", INDEX, NULL, "{}", "weight_map"},
	{"qwen3-sharded", INDEX, NULL, "nothing", NULL},
	{"qwen3-sharded", INDEX, "\"model.embed_tokens.weight\": \"model-00001-of-00002.safetensors\"",
		"\"model.embed_tokens.weight\": \"../x.safetensors\"", "model.embed_tokens.weight"},
};

/* Whether a text is in what the caller is told. */
static bool
is_told(const SrmStatus *status, const char *text)
{
	return strstr(status->message, text) != NULL || strstr(status->detail, text) != NULL ||
		strstr(status->hint, text) != NULL;
}

/* A file by its whole path, or by its name and its directory. */
static bool
is_file_told(const SrmStatus *status, const char *file)
{
	char		name[80];

	snprintf(name, sizeof(name), "\"%s\"", file);
	return is_told(status, in_fixture(file)) || (is_told(status, name) && is_told(status, fixture));
}

static void
expect_refusal(const Refusal *refusal)
{
	SrmStatus	status = {0};
	SrmModel   *model;
	char		key[80];

	copy_model(refusal->model);
	if (refusal->find == NULL)
		write_text(refusal->file, refusal->with);
	else
		edit_file(refusal->file, refusal->find, refusal->with);
	model = srm_model_open(fixture, NULL, NULL, &status);
	if (model != NULL)
		fail_msg("%s with %s opens", refusal->file, refusal->with);
	snprintf(key, sizeof(key), "\"%s\"", refusal->key == NULL ? "" : refusal->key);
	if (status.code == SRM_INTERNAL || status.message[0] == '\0' || !is_file_told(&status, refusal->file) ||
		(refusal->key != NULL && !is_told(&status, key)))
		fail_msg("%s with %s: \"%s\" \"%s\" \"%s\"", refusal->file, refusal->with, status.message,
				 status.detail, status.hint);
}

#define EXPECT_REFUSALS(list) \
	do { \
		for (size_t i_ = 0; i_ < sizeof(list) / sizeof((list)[0]); i_++) \
			expect_refusal(&(list)[i_]); \
	} while (0)

static void
test_sizes(void **state)
{
	(void) state;
	EXPECT_REFUSALS(sizes);
}

static void
test_architectures(void **state)
{
	(void) state;
	EXPECT_REFUSALS(architectures);
}

static void
test_ropes(void **state)
{
	(void) state;
	EXPECT_REFUSALS(ropes);
}

static void
test_settings(void **state)
{
	(void) state;
	EXPECT_REFUSALS(settings);
}

static void
test_tokenizers(void **state)
{
	(void) state;
	EXPECT_REFUSALS(tokenizers);
}

static void
test_tokens(void **state)
{
	(void) state;
	EXPECT_REFUSALS(tokens);
}

/* a hint that is there keeps its place, and a failure of another kind is left alone */
static void
test_place(void **state)
{
	SrmStatus	status = {0};

	(void) state;
	srm_fail(&status, SRM_NOT_SUPPORTED, "normalizer \"X\" is not supported");
	srm_fail_hint(&status, "Supported are others.");
	srm_fail_key(&status, "normalizer");
	srm_fail_place(&status, "/m/tokenizer.json");
	assert_string_equal(status.detail, "It is in \"normalizer\".");
	assert_string_equal(status.hint, "Supported are others. Check file \"/m/tokenizer.json\".");
	srm_fail_key(&status, "normalizer");
	srm_fail_place(&status, "/m/tokenizer.json");
	assert_string_equal(status.detail, "It is in \"normalizer\".");
	assert_string_equal(status.hint, "Supported are others. Check file \"/m/tokenizer.json\".");

	srm_status_init(&status);
	srm_fail(&status, SRM_NOT_SUPPORTED, "\"a\" in file \"b.json\" is not supported");
	srm_fail_place(&status, "/m/tokenizer.json");
	assert_string_equal(status.hint, "The files are in \"/m\".");

	srm_status_init(&status);
	srm_fail(&status, SRM_STOPPED, "stopped");
	srm_fail_key(&status, "a");
	srm_fail_place(&status, "/m/tokenizer.json");
	assert_string_equal(status.detail, "");
	assert_string_equal(status.hint, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_architectures),
		cmocka_unit_test(test_ropes),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_tokenizers),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests_name("refusals", tests, create_fixture, drop_fixture);
}
