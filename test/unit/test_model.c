/*-------------------------------------------------------------------------
 *
 * test_model.c
 *	  Model directories: what is read from them, templates, digests, and
 *	  directories that change.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_model),
		cmocka_unit_test(test_settings),
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
	};

	return cmocka_run_group_tests_name("model", tests, create_fixture, drop_fixture);
}
