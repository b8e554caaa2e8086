/*-------------------------------------------------------------------------
 *
 * test_cross_encoder.c
 *	  Scores of a prompt and a response side by side, as transformers computes
 *	  them with tiny random models, and ours.
 *
 * tools/golden/make_cross_encoders.py makes both, and make_adapters.py an adapter over one.  Tolerance: 1e-4, as in test_golden.c.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <math.h>

#include "score/scorer.h"

#define TOLERANCE	1e-4

static SrmArena *arena;
static double worst;

typedef struct Pair
{
	SrmMessage	messages[2];
	double		score;
	const SrmJson *ids;
	size_t		n_second;		/* tokens of the second type */
} Pair;

static SrmScorer *
open_scorer(const char *directory, const SrmModelOptions *options)
{
	SrmStatus	status = {0};
	SrmScorer  *scorer = srm_scorer_open(directory, options, NULL, &status);

	if (scorer == NULL)
		fail_msg("%s %s %s", status.message, status.detail, status.hint);
	return scorer;
}

static SrmMessage
message_of(const char *role, const char *content)
{
	return (SrmMessage) {role, content, strlen(content), NULL};
}

static Pair
read_pair(const SrmJson *json)
{
	Pair		pair = {.score = json_number(srm_json_member(json, "score")),.ids = srm_json_member(json, "ids")};

	pair.messages[0] = message_of("user", srm_json_string(srm_json_member(json, "prompt")));
	pair.messages[1] = message_of("assistant", srm_json_string(srm_json_member(json, "response")));
	pair.n_second = (size_t) json_number(srm_json_member(json, "n_second"));
	return pair;
}

static void
check_layout(SrmScorer *scorer, const Pair *pair, const SrmScoreOptions *options)
{
	SrmStatus	status = {0};
	SrmLayout	layout;
	size_t		i = 0;

	assert_true(srm_scorer_layout(scorer, pair->messages, 2, options, arena, &layout, NULL, &status));
	assert_int_equal(layout.tokens.n, pair->ids->n);
	for (const SrmJson *id = pair->ids->child; id != NULL; id = id->next)
		assert_int_equal(layout.tokens.items[i++].id, (int) json_number(id));
	assert_int_equal(layout.n_first == 0 ? 0 : layout.tokens.n - layout.n_first, pair->n_second);
}

static void
check_score(SrmScorer *scorer, const Pair *pair, const SrmScoreOptions *options)
{
	SrmStatus	status = {0};
	SrmScored	scored;

	if (!srm_scorer_score(scorer, pair->messages, 2, options, arena, &scored, NULL, &status))
		fail_msg("%s %s", status.message, status.detail);
	worst = fmax(worst, fabs(scored.score - pair->score));
	if (!(fabs(scored.score - pair->score) <= TOLERANCE))
		fail_msg("score is %.9g, expected %.9g", scored.score, pair->score);
	assert_int_equal(scored.n_sentences, 1);
	assert_int_equal(scored.sentences[0].start, 0);
	assert_int_equal(scored.sentences[0].end, pair->messages[1].content_length);
	assert_true(scored.rewards[0] == 0 && scored.rewards[1] == scored.score);
}

/* The weights as they lie in the files, and packed. */
static void
test_cross_encoder(void **state)
{
	static const SrmModelOptions packed = {.compute_choice = SRM_CHOICE_F32};
	char		path[256];
	SrmStatus	status = {0};
	const SrmJson *expected;

	snprintf(path, sizeof(path), "test/data/models/%s/expected.json", (const char *) *state);
	expected = read_json_file(path, arena, &status);
	snprintf(path, sizeof(path), "test/data/models/%s", (const char *) *state);
	worst = 0;
	for (int i = 0; i < 2; i++)
	{
		SrmScorer  *scorer = open_scorer(path, i == 0 ? NULL : &packed);
		SrmScoreOptions options;

		srm_scorer_defaults(scorer, &options);
		for (const SrmJson *json = srm_json_member(expected, "pairs")->child; json != NULL; json = json->next)
		{
			Pair		pair = read_pair(json);

			check_layout(scorer, &pair, &options);
			check_score(scorer, &pair, &options);
		}
		srm_scorer_close(scorer);
	}
	print_message("%s: largest difference %.2g\n", path, worst);
}

/* several responses, of other lengths, in one pass get the bits that each gets alone, with any number of threads */
static void
test_together(void **state)
{
	static const char *const texts[] = {"Yes.", "No, and it never was.", "A bird that flies. A bird that flies.", "x"};
	SrmMessage	prompt = message_of("user", "What is a swallow?");
	SrmMessage	responses[4];
	SrmScored	together[4];
	SrmScored	alone;
	SrmScorer  *scorer = open_scorer(*state, NULL);
	SrmStatus	status = {0};
	SrmScoreOptions options;

	srm_scorer_defaults(scorer, &options);
	options.cache_bytes = 0;
	for (int i = 0; i < 4; i++)
		responses[i] = message_of("assistant", texts[i]);
	assert_true(srm_scorer_score_responses(scorer, &prompt, 1, responses, 4, &options, arena, together, NULL, &status));
	assert_int_equal(scorer->n_passes, 1);
	for (int i = 0; i < 4; i++)
	{
		SrmMessage	messages[] = {prompt, responses[i]};

		options.n_threads = i % 2 + 1;
		assert_true(srm_scorer_score(scorer, messages, 2, &options, arena, &alone, NULL, &status));
		assert_true(alone.score == together[i].score);
	}
	assert_true(together[0].score != together[1].score);
	srm_scorer_close(scorer);
}

static void
expect_no_score(SrmScorer *scorer, const SrmMessage *messages, size_t n, const SrmScoreOptions *options,
				SrmCode code, const char *message)
{
	SrmStatus	status = {0};
	SrmScored	scored;

	assert_false(srm_scorer_score(scorer, messages, n, options, arena, &scored, NULL, &status));
	assert_int_equal(status.code, code);
	if (strstr(status.message, message) == NULL)
		fail_msg("\"%s\", but expected \"%s\"", status.message, message);
}

/* what a pair has no place for, and what is not there to be rewarded */
static void
test_refused(void **state)
{
	SrmScorer  *scorer = open_scorer("test/data/models/cross-bert", NULL);
	SrmMessage	messages[] = {message_of("system", "Be good."), message_of("user", "Is it?"), message_of("assistant", "Yes. It is.")};
	SrmSentence sentences[] = {{0, 5}, {5, 11}};
	SrmSentences given = {.items = sentences,.n = 2};
	SrmScoreOptions options;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	expect_no_score(scorer, messages, 3, &options, SRM_INVALID_ARGUMENT, "one prompt and one response");
	expect_no_score(scorer, messages + 2, 1, &options, SRM_INVALID_ARGUMENT, "one prompt and one response");
	options.want_tokens = true;
	expect_no_score(scorer, messages + 1, 2, &options, SRM_INVALID_ARGUMENT, "as a whole, not its tokens");
	options.want_tokens = false;
	options.aggregation = SRM_AGGREGATE_TOKEN_MEAN;
	expect_no_score(scorer, messages + 1, 2, &options, SRM_INVALID_ARGUMENT, "as a whole, not its tokens");
	options.aggregation = SRM_AGGREGATE_ATTENTION;
	expect_no_score(scorer, messages + 1, 2, &options, SRM_INVALID_ARGUMENT, "no weights for aggregation by attention");
	options.aggregation = SRM_AGGREGATE_LAST;
	options.given = &given;
	expect_no_score(scorer, messages + 1, 2, &options, SRM_INVALID_ARGUMENT, "as a whole, not its sentences");
	srm_scorer_close(scorer);
}

/* a text that is too long: an error, or the response loses its end, and not what stands behind it */
static void
test_too_long(void **state)
{
	SrmScorer  *scorer = open_scorer("test/data/models/cross-bert", NULL);
	SrmMessage	messages[] = {message_of("user", "Is it?"), message_of("assistant", "Yes, it is all of it, and more.")};
	SrmStatus	status = {0};
	SrmScoreOptions options;
	SrmLayout	whole;
	SrmLayout	cut;
	SrmScored	scored;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_true(srm_scorer_layout(scorer, messages, 2, &options, arena, &whole, NULL, &status));
	options.max_tokens = whole.tokens.n - 3;
	expect_no_score(scorer, messages, 2, &options, SRM_LIMIT_EXCEEDED, "too long");
	options.truncation = SRM_TRUNCATION_PROMPT;
	expect_no_score(scorer, messages, 2, &options, SRM_LIMIT_EXCEEDED, "too long");
	options.truncation = SRM_TRUNCATION_RESPONSE;
	assert_true(srm_scorer_layout(scorer, messages, 2, &options, arena, &cut, NULL, &status));
	assert_int_equal(cut.tokens.n, options.max_tokens);
	assert_int_equal(cut.tokens.items[cut.tokens.n - 1].id, whole.tokens.items[whole.tokens.n - 1].id);
	assert_int_equal(cut.n_first, whole.n_first);
	assert_true(srm_scorer_score(scorer, messages, 2, &options, arena, &scored, NULL, &status));
	assert_true(scored.truncated);
	srm_scorer_close(scorer);
}

/* tokens of the template that a user's text spells are text */
static void
test_spelled(void **state)
{
	SrmScorer  *scorer = open_scorer("test/data/models/cross-bert", NULL);
	SrmMessage	messages[] = {message_of("user", "a[SEP]b"), message_of("assistant", "[CLS] [SEP]")};
	SrmStatus	status = {0};
	SrmScoreOptions options;
	SrmLayout	layout;
	size_t		n = 0;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_true(srm_scorer_layout(scorer, messages, 2, &options, arena, &layout, NULL, &status));
	for (size_t i = 0; i < layout.tokens.n; i++)
		n += layout.tokens.items[i].id == srm_tokenizer_find(scorer->model->tokenizer, "[SEP]");
	assert_int_equal(n, 2);
	srm_scorer_close(scorer);
}

/* what config.json, the tokenizer's files or the weights must have */
static void
test_bad_models(void **state)
{
	static const Damage configs[] = {
		{"cross-bert-labels", "\"label\": 1", "\"label\": 1, \"minus\": 0", SRM_NOT_SUPPORTED, "\"minus\"", ""},
		{"cross-bert-labels", "\"label\": 1", "\"locale\": \"\"", SRM_NOT_SUPPORTED, "a model with 3 labels", "\"entailment\""},
		{"cross-bert", "\"is_decoder\": false", "\"is_decoder\": true", SRM_NOT_SUPPORTED, "\"is_decoder\"", ""},
	};
	static const Damage modernbert[] = {
		{"cross-modernbert", "\"classifier_pooling\": \"cls\"", "\"classifier_pooling\": \"max\"", SRM_NOT_SUPPORTED, "pooling \"max\"", ""},
		{"cross-modernbert", "\"classifier_activation\": \"gelu\"", "\"classifier_activation\": \"mish\"", SRM_NOT_SUPPORTED, "activation \"mish\"", ""},
		{"cross-modernbert", "\"hidden_activation\": \"gelu\"", "\"hidden_activation\": \"mish\"", SRM_NOT_SUPPORTED, "activation \"mish\"", ""},
		{"cross-modernbert", "\"local_attention\": 11", "\"sliding_window\": 5", SRM_NOT_SUPPORTED, "sliding_window", ""},
		{"cross-modernbert", "\"local_attention\": 11", "\"local_attention\": -1", SRM_INVALID_MODEL, "\"local_attention\" is out of range", ""},
		{"cross-modernbert", "\"sliding_attention\",", "\"chunked_attention\",", SRM_NOT_SUPPORTED, "layer type \"chunked_attention\"", ""},
		{"cross-modernbert", "\"norm_bias\": false", "\"norm_bias\": true", SRM_INVALID_MODEL, "missing tensor", ""},
		{"cross-modernbert", "ForSequenceClassification", "ForTokenClassification", SRM_NOT_SUPPORTED, "model class \"ModernBertForTokenClassification\"", ""},
		{"cross-modernbert-old", "\"global_attn_every_n_layers\": 2", "\"global_attn_every_n_layers\": 0", SRM_INVALID_MODEL,
			"\"global_attn_every_n_layers\" is out of range", ""},
		{"cross-modernbert-old", "\"type\": \"linear\",\n    \"rope_type\": \"linear\"", "\"rope_type\": \"mrope\"", SRM_NOT_SUPPORTED,
			"rotary position of type \"mrope\"", ""},
	};
	static const Damage deberta[] = {
		{"cross-deberta", "\"share_att_key\": true", "\"share_att_key\": false", SRM_NOT_SUPPORTED,
			"attention to positions by maps of their own", ""},
		{"cross-deberta", "\"share_att_key\": true", "\"x\": true", SRM_NOT_SUPPORTED, "by maps of their own", ""},
		{"cross-deberta", "\"share_att_key\": true", "\"share_att_key\": true, \"conv_kernel_size\": 3", SRM_NOT_SUPPORTED,
			"a convolution behind the first layer", ""},
		{"cross-deberta", "\"share_att_key\": true", "\"share_att_key\": true, \"embedding_size\": 16", SRM_NOT_SUPPORTED,
			"an embedding of another size", ""},
		{"cross-deberta", "\"share_att_key\": true", "\"share_att_key\": true, \"attention_head_size\": 16", SRM_NOT_SUPPORTED,
			"heads of another size", ""},
		{"cross-deberta", "\"share_att_key\": true", "\"share_att_key\": true, \"num_key_value_heads\": 2", SRM_NOT_SUPPORTED,
			"fewer heads of keys", ""},
		{"cross-deberta", "\"p2c\"", "\"p2p\"", SRM_NOT_SUPPORTED, "positions of kind \"p2p\"", ""},
		{"cross-deberta", "\"p2c\"", "3", SRM_INVALID_MODEL, "\"pos_att_type\" is not a list of strings", ""},
		{"cross-deberta", "\"norm_rel_ebd\": \"layer_norm\"", "\"norm_rel_ebd\": \"batch_norm\"", SRM_NOT_SUPPORTED,
			"norm of relative positions \"batch_norm\"", ""},
		{"cross-deberta", "\"position_buckets\": 8", "\"position_buckets\": 1", SRM_INVALID_MODEL, "\"position_buckets\"", "1 and 160"},
		{"cross-deberta", "\"max_relative_positions\": -1", "\"max_relative_positions\": 5", SRM_INVALID_MODEL,
			"\"max_relative_positions\"", "8 and 5"},
		{"cross-deberta-types", "\"max_relative_positions\": 20", "\"max_relative_positions\": 257", SRM_NOT_SUPPORTED,
			"514 relative positions", "512"},
		{"cross-deberta", "\"position_buckets\": 8", "\"position_buckets\": 10", SRM_INVALID_MODEL,
			"wrong shape of tensor \"deberta.encoder.rel_embeddings.weight\"", "(16, 32)"},
		{"cross-deberta", "\"pooler_hidden_act\": \"gelu\"", "\"pooler_hidden_act\": \"mish\"", SRM_NOT_SUPPORTED, "activation \"mish\"", ""},
		{"cross-deberta", "\"position_biased_input\": false", "\"position_biased_input\": true", SRM_INVALID_MODEL,
			"missing tensor \"deberta.embeddings.position_embeddings.weight\"", ""},
		{"cross-deberta", "\"type_vocab_size\": 0", "\"type_vocab_size\": 2", SRM_INVALID_MODEL,
			"missing tensor \"deberta.embeddings.token_type_embeddings.weight\"", ""},
		{"cross-deberta", "ForSequenceClassification", "ForTokenClassification", SRM_NOT_SUPPORTED, "model class", ""},
	};
	static const Damage tokenizers[] = {
		{"cross-bert", "\"cls_token\"", "\"other\"", SRM_INVALID_MODEL, "has no \"cls_token\"", ""},
		{"cross-bert", "\"sep_token\": \"[SEP]\"", "\"sep_token\": \"swallow bird\"", SRM_INVALID_MODEL, "has no \"sep_token\"", ""},
		{"cross-bert", "\"model_input_names\"", "\"names\"", SRM_NOT_SUPPORTED, "\"TokenizersBackend\" does not tell", ""},
	};
	static const Damage weights[] = {
		{"cross-bert", "\"classifier.weight\"", "\"classifier.wait__\"", SRM_INVALID_MODEL, "missing tensor \"classifier.weight\"", ""},
		{"cross-roberta", "\"classifier.out_proj.weight\"", "\"classifier.out_proj.wait__\"", SRM_INVALID_MODEL,
			"missing tensor \"classifier.out_proj.weight\"", ""},
		{"cross-modernbert", "\"head.norm.weight\"", "\"head.norm.wait__\"", SRM_INVALID_MODEL,
			"missing tensor \"head.norm.weight\"", ""},
		{"cross-bert", "\"shape\":[2,32]", "\"shape\":[64]", SRM_INVALID_MODEL, "token_type_embeddings", ""},
	};

	(void) state;
	copy_model("cross-bert");
	remove(in_fixture("tokenizer_config.json"));
	expect_failure(SRM_INVALID_MODEL, "has no \"cls_token\"", "");
	EXPECT_FAILURES(configs, "config.json", edit_file);
	EXPECT_FAILURES(modernbert, "config.json", edit_file);
	EXPECT_FAILURES(deberta, "config.json", edit_file);
	EXPECT_FAILURES(tokenizers, "tokenizer_config.json", edit_file);
	EXPECT_FAILURES(weights, WEIGHTS, edit_header);
}

/* without token types, as some tokenizers are published, the numbers are others */
static void
test_without_types(void **state)
{
	SrmScorer  *scorer;
	Pair		pair;
	SrmStatus	status = {0};
	SrmScored	scored;
	SrmScoreOptions options;

	(void) state;
	pair = read_pair(srm_json_member(read_json_file("test/data/models/cross-bert/expected.json", arena, &status), "pairs")->child);
	copy_model("cross-bert");
	edit_file("tokenizer_config.json", "\"token_type_ids\",", "");
	scorer = open_scorer(fixture, NULL);
	srm_scorer_defaults(scorer, &options);
	assert_true(srm_scorer_score(scorer, pair.messages, 2, &options, arena, &scored, NULL, &status));
	assert_false(fabs(scored.score - pair.score) <= 100 * TOLERANCE);
	srm_scorer_close(scorer);
}

/* the class tells types of tokens, too; a model without them does not ask */
static void
test_types_by_class(void **state)
{
	SrmScorer  *scorer;
	Pair		pair;
	SrmStatus	status = {0};
	SrmScoreOptions options;

	(void) state;
	pair = read_pair(srm_json_member(read_json_file("test/data/models/cross-deberta-types/expected.json", arena, &status), "pairs")->child);
	copy_model("cross-deberta-types");
	edit_file("tokenizer_config.json", "\"model_input_names\"", "\"names\"");
	expect_failure(SRM_NOT_SUPPORTED, "\"TokenizersBackend\" does not tell", "");
	edit_file("tokenizer_config.json", "TokenizersBackend", "DebertaV2Tokenizer");
	scorer = open_scorer(fixture, NULL);
	srm_scorer_defaults(scorer, &options);
	check_score(scorer, &pair, &options);
	srm_scorer_close(scorer);

	copy_model("cross-deberta");
	edit_file("tokenizer_config.json", "\"model_input_names\"", "\"names\"");
	srm_model_close(open_fixture());
}

/* layers with a window turn as the others do where their theta is null, and have their own where it is absent */
static void
test_thetas(void **state)
{
	SrmModel   *model;

	(void) state;
	copy_model("cross-modernbert-old");
	edit_file("config.json", "\"local_rope_theta\": 100.0", "\"local_rope_theta\": null");
	model = open_fixture();
	assert_true(model->decoder.ropes[SRM_ROPE_MAIN].theta == 5000 && model->decoder.ropes[SRM_ROPE_LOCAL].theta == 5000);
	assert_true(model->decoder.ropes[SRM_ROPE_LOCAL].factor == 1.5);
	srm_model_close(model);
	edit_file("config.json", "\"local_rope_theta\": null", "\"x\": 0");
	edit_file("config.json", "\"global_rope_theta\": 5000.0", "\"y\": 0");
	model = open_fixture();
	assert_true(model->decoder.ropes[SRM_ROPE_MAIN].theta == 160000 && model->decoder.ropes[SRM_ROPE_LOCAL].theta == 10000);
	assert_int_equal(model->decoder.layers[1].window, 9);
	assert_int_equal(model->decoder.layers[1].ahead, 8);
	assert_true(model->decoder.layers[2].window == 0 && model->decoder.layers[2].ahead == SRM_AHEAD_ALL);
	srm_model_close(model);
}

static int
create(void **state)
{
	SrmStatus	status = {0};

	arena = srm_arena_create(&status);
	return create_fixture(state);
}

static int
drop(void **state)
{
	srm_arena_free(arena);
	return drop_fixture(state);
}

int
main(void)
{
#define MODEL(name)	{name, test_cross_encoder, NULL, NULL, (void *) name}
#define TOGETHER(name)	{"test_together " name, test_together, NULL, NULL, (void *) ("test/data/models/" name)}
	const struct CMUnitTest tests[] = {
		MODEL("cross-bert"),
		MODEL("cross-bert-labels"),
		MODEL("cross-roberta"),
		MODEL("cross-xlm-roberta"),
		MODEL("cross-modernbert"),
		MODEL("cross-modernbert-old"),
		MODEL("cross-deberta"),
		MODEL("cross-deberta-types"),
		MODEL("adapter-cross"),
		TOGETHER("cross-bert"),
		TOGETHER("cross-modernbert"),
		TOGETHER("cross-modernbert-old"),
		TOGETHER("cross-deberta"),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_spelled),
		cmocka_unit_test(test_bad_models),
		cmocka_unit_test(test_without_types),
		cmocka_unit_test(test_types_by_class),
		cmocka_unit_test(test_thetas),
	};

	return cmocka_run_group_tests_name("cross encoder", tests, create, drop);
}
