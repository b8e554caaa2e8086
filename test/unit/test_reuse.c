/*-------------------------------------------------------------------------
 *
 * test_reuse.c
 *	  Work that is not done twice: what is computed is counted in tokens, and
 *	  what is not computed has the bits that it would have had.
 *
 *-------------------------------------------------------------------------
 */
#include "../kernels_environment.h"
#include "scorer_fixture.h"

static const char *const long_prompt =
"Tell me about birds, and about the sea; about what they eat, where they sleep, and how far they fly.";

static const char *const texts[] = {
	"A bird. It flies. It sings.", "No.", "It is so. Why, then, is it so? Who knows!", "x", "A bird. It flies. It",
	"One is here.\nTwo is here.\n* Three is here.\n"
};

#define N_TEXTS		(sizeof(texts) / sizeof(texts[0]))

/* Kinds of arithmetic; the first is that of weights as they are. */
static const SrmModelOptions arithmetics[] = {
	{.compute_choice = SRM_CHOICE_AUTO},
	{.compute_choice = SRM_CHOICE_F32},
	{.compute_choice = SRM_CHOICE_BF16},
	{.compute_choice = SRM_CHOICE_INT8},
	{.compute_choice = SRM_CHOICE_W8}
};

#define N_ARITHMETICS	(sizeof(arithmetics) / sizeof(arithmetics[0]))

static const SrmModelOptions *arithmetic;
static SrmScoreOptions options;

static SrmScorer *
open_scorer(void)
{
	SrmScorer  *opened = srm_scorer_open("test/data/models/attention-marker", arithmetic, NULL,
										 &status);

	if (opened == NULL)
		fail_msg("%s", status.message);
	return opened;
}

static int
start(void **state)
{
	(void) setup(state);
	arithmetic = NULL;
	scorer = open_scorer();
	srm_scorer_defaults(scorer, &options);
	return 0;
}

/* A scorer that knows nothing, with arithmetic number i. */
static void
start_with(size_t i)
{
	srm_scorer_close(scorer);
	arithmetic = &arithmetics[i];
	scorer = open_scorer();
	srm_scorer_defaults(scorer, &options);	/* they lead to the model's memory */
}

static SrmMessage
message(const char *role, const char *content)
{
	return (SrmMessage) {role, content, strlen(content), NULL};
}

static SrmScored
score_messages(const SrmMessage *messages, size_t n)
{
	SrmScored	scored;

	if (!srm_scorer_score(scorer, messages, n, &options, arena, &scored, NULL, &status))
		fail_msg("%s", status.message);
	return scored;
}

static SrmScored
score(const char *prompt, const char *response)
{
	SrmMessage	messages[2] = {message("user", prompt), message("assistant", response)};

	return score_messages(messages, 2);
}

/* The same by a scorer that has nothing to use again. */
static SrmScored
score_anew(const SrmMessage *messages, size_t n)
{
	SrmScorer  *used = scorer;
	SrmScored	scored;

	scorer = open_scorer();
	scored = score_messages(messages, n);
	srm_scorer_close(scorer);
	scorer = used;
	return scored;
}

static void
assert_same(const SrmScored *a, const SrmScored *b)
{
	assert_memory_equal(&a->score, &b->score, sizeof(double));
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->n_sentences, b->n_sentences);
	assert_int_equal(a->n_tokens, b->n_tokens);
	assert_int_equal(a->truncated, b->truncated);
	assert_memory_equal(a->sentences, b->sentences, a->n_sentences * sizeof(SrmSentence));
	assert_memory_equal(a->rewards, b->rewards, (a->n + 1) * sizeof(double));
	assert_memory_equal(a->weights, b->weights, (a->n + 1) * sizeof(double));
}

/* Tokens before the response. */
static size_t
prompt_tokens(const char *prompt, const char *response)
{
	SrmMessage	messages[2] = {message("user", prompt), message("assistant", response)};
	SrmLayout	layout;

	assert_true(srm_scorer_layout(scorer, messages, 2, &options, arena, &layout, NULL, &status));
	return layout.n_prompt;
}

/* chosen and rejected of two calls share the prompt */
static void
test_prompt_of_two_calls(void **state)
{
	SrmScored	chosen = score(long_prompt, texts[0]);
	uint64_t	before = scorer->n_computed;
	SrmScored	rejected = score(long_prompt, texts[2]);
	size_t		n_prompt = prompt_tokens(long_prompt, texts[2]);

	(void) state;
	assert_int_equal(before, chosen.n_tokens);
	assert_true(n_prompt > 20);
	assert_int_equal(scorer->n_computed - before, rejected.n_tokens - n_prompt);
}

static SrmLayout
lay_out(const SrmMessage *messages, size_t n)
{
	SrmLayout	layout;

	assert_true(srm_scorer_layout(scorer, messages, n, &options, arena, &layout, NULL, &status));
	return layout;
}

/* Scores a conversation and returns how many tokens of its prompt were there. */
static size_t
count_reused(const SrmMessage *messages, size_t n)
{
	uint64_t	before = scorer->n_computed;
	SrmScored	expected = score_anew(messages, n);
	SrmScored	scored = score_messages(messages, n);

	assert_same(&scored, &expected);
	return scored.n_tokens - (size_t) (scorer->n_computed - before);
}

static size_t
count_common(const SrmLayout *a, const SrmLayout *b)
{
	size_t		n = 0;

	while (n < a->n_prompt && n < b->n_prompt && a->tokens.items[n].id == b->tokens.items[n].id)
		n++;
	return n;
}

static void
check_common_beginning(void)
{
	SrmMessage	messages[6] = {
		message("user", long_prompt), message("assistant", texts[0]),
		message("user", "And why is that so?"), message("assistant", texts[2]),
		message("user", "Is it?"), message("assistant", texts[5])
	};
	SrmLayout	layouts[3];

	for (int i = 0; i < 3; i++)
		layouts[i] = lay_out(messages, 2 * (size_t) i + 2);
	assert_int_equal(count_reused(messages, 2), 0);
	assert_int_equal(count_reused(messages, 4), count_common(&layouts[0], &layouts[1]));
	assert_int_equal(count_reused(messages, 6), count_common(&layouts[1], &layouts[2]));
	assert_true(count_common(&layouts[1], &layouts[2]) > layouts[0].n_prompt);

	/* And back: the last token of what is shared is computed for its hidden state */
	messages[1] = message("assistant", texts[4]);
	assert_int_equal(count_reused(messages, 2), count_common(&layouts[0], &layouts[2]));
}

/* a conversation that goes on is computed from where it was, to the same bits */
static void
test_common_beginning(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ARITHMETICS; i++)
	{
		start_with(i);
		check_common_beginning();
	}
}

/* a prompt that is the beginning of the last one, but for how the template ends it */
static void
test_shorter_prompt(void **state)
{
	SrmMessage	messages[2] = {message("user", long_prompt), message("assistant", texts[0])};

	(void) state;
	for (size_t length = strlen(long_prompt); length > 0; length -= 10 < length ? 10 : length)
	{
		messages[0].content_length = length;
		options.n_threads = 1 + (int) length % 3;
		count_reused(messages, 2);
	}
}

static void
check_responses_of_one_call(void)
{
	SrmMessage	prompt = message("user", long_prompt);
	SrmMessage	responses[N_TEXTS];
	SrmScored	scored[N_TEXTS];
	SrmLayout	layouts[N_TEXTS];
	size_t		n_prompt = prompt_tokens(long_prompt, texts[0]);
	size_t		n_expected = n_prompt;

	for (size_t i = 0; i < N_TEXTS; i++)
		responses[i] = message("assistant", texts[i]);
	assert_true(srm_scorer_score_responses(scorer, &prompt, 1, responses, N_TEXTS, &options,
										   arena, scored, NULL, &status));
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		SrmMessage	messages[2] = {prompt, responses[i]};
		SrmScored	alone = score_anew(messages, 2);
		size_t		n_alike = 0;

		assert_same(&scored[i], &alone);
		layouts[i] = lay_out(messages, 2);
		for (size_t j = 0; j < i; j++)
		{
			size_t		n = count_alike(&layouts[i], &layouts[j], false);

			n_alike = n > n_alike ? n : n_alike;
		}
		n_expected += alone.n_tokens - n_prompt - n_alike;
	}
	assert_int_equal(scorer->n_computed, n_expected);
	assert_int_equal(scorer->n_passes, 1);
}

/* responses of one call go through the decoder in one pass, what they begin with once, and get the bits that each has alone */
static void
test_responses_of_one_call(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_ARITHMETICS; i++)
		for (int n_threads = 1; n_threads <= 2; n_threads++)
		{
			start_with(i);
			options.n_threads = n_threads;
			check_responses_of_one_call();
		}
}

/* more than go into one pass go into several */
static void
test_many_responses(void **state)
{
	enum
	{
		n = 300
	};
	SrmMessage	prompt = message("user", long_prompt);
	SrmMessage *responses = srm_arena_array(arena, n, sizeof(SrmMessage), &status);
	SrmScored  *scored = srm_arena_array(arena, n, sizeof(SrmScored), &status);

	(void) state;
	for (size_t i = 0; i < n; i++)
	{
		char	   *text = srm_arena_array(arena, 400, 1, &status);

		snprintf(text, 400, "It is number %zu.%s", i, i % 50 == 7 ? " And so on, and so on, and so on. And so on. On. On." : "");
		responses[i] = message("assistant", text);
	}
	assert_true(srm_scorer_score_responses(scorer, &prompt, 1, responses, n, &options,
										   arena, scored, NULL, &status));
	assert_in_range(scorer->n_passes, 2, 20);
	for (size_t i = 0; i < n; i += 13)
	{
		SrmMessage	messages[2] = {prompt, responses[i]};
		SrmScored	alone = score_anew(messages, 2);

		assert_same(&scored[i], &alone);
	}
}

/* the same response twice in one call is computed once */
static void
test_twins(void **state)
{
	SrmMessage	prompt = message("user", long_prompt);
	SrmMessage	responses[4] = {
		message("assistant", texts[0]), message("assistant", texts[1]),
		message("assistant", texts[0]), message("assistant", texts[0])
	};
	SrmScored	scored[4];
	size_t		n_prompt = prompt_tokens(long_prompt, texts[0]);

	(void) state;
	assert_true(srm_scorer_score_responses(scorer, &prompt, 1, responses, 4, &options,
										   arena, scored, NULL, &status));
	assert_same(&scored[2], &scored[0]);
	assert_same(&scored[3], &scored[0]);
	assert_int_equal(scorer->n_computed, scored[0].n_tokens + scored[1].n_tokens - n_prompt);
}

/* a conversation that was just scored is not computed again, until options differ */
static void
test_memo(void **state)
{
	SrmScored	first = score("Hi.", texts[2]);
	uint64_t	n_passes = scorer->n_passes;
	SrmScored	again = score("Hi.", texts[2]);

	(void) state;
	assert_same(&again, &first);
	assert_true(again.rewards != first.rewards);
	assert_int_equal(scorer->n_passes, n_passes);

	options.aggregation = SRM_AGGREGATE_SUM;
	score("Hi.", texts[2]);
	assert_true(scorer->n_passes > n_passes);
	n_passes = scorer->n_passes;
	options.max_tokens--;
	score("Hi.", texts[2]);
	assert_true(scorer->n_passes > n_passes);
	n_passes = scorer->n_passes;
	options.locale = "ja";
	score("Hi.", texts[2]);
	assert_true(scorer->n_passes > n_passes);
	n_passes = scorer->n_passes;
	options.truncation = SRM_TRUNCATION_PROMPT;
	score("Hi.", texts[2]);
	assert_true(scorer->n_passes > n_passes);
}

/* results with the rewards of tokens serve those who want none, not the other way round */
static void
test_memo_tokens(void **state)
{
	SrmScored	plain = score("Hi.", texts[2]);
	uint64_t	n_passes = scorer->n_passes;
	SrmScored	with_tokens;
	SrmScored	again;

	(void) state;
	options.want_tokens = true;
	with_tokens = score("Hi.", texts[2]);
	assert_true(scorer->n_passes > n_passes);
	assert_true(with_tokens.n_token_rewards > 0);
	n_passes = scorer->n_passes;
	again = score("Hi.", texts[2]);
	assert_int_equal(again.n_token_rewards, with_tokens.n_token_rewards);
	assert_memory_equal(again.tokens, with_tokens.tokens,
						again.n_token_rewards * sizeof(SrmTokenReward));
	options.want_tokens = false;
	again = score("Hi.", texts[2]);
	assert_same(&again, &plain);
	assert_int_equal(scorer->n_passes, n_passes);
}

/* texts are told apart wherever their messages begin */
static void
test_memo_keys(void **state)
{
	SrmMessage	a[3] = {message("user", "Hi"), message("assistant", "a."), message("assistant", "b.")};
	SrmMessage	b[3] = {message("user", "Hia."), message("assistant", "."), message("assistant", "b.")};
	SrmMessage	c[3] = {message("user", "Hi"), message("user", "a."), message("assistant", "b.")};
	uint64_t	n_passes;

	(void) state;
	score_messages(a, 3);
	n_passes = scorer->n_passes;
	score_messages(b, 3);
	assert_true(scorer->n_passes > n_passes);
	n_passes = scorer->n_passes;
	score_messages(c, 3);
	assert_true(scorer->n_passes > n_passes);
	n_passes = scorer->n_passes;
	score_messages(a, 3);
	score_messages(b, 3);
	score_messages(c, 3);
	assert_int_equal(scorer->n_passes, n_passes);
}

static void
check(const char *prompt, const char *response)
{
	SrmMessage	messages[2] = {message("user", prompt), message("assistant", response)};

	if (!srm_scorer_check(scorer, messages, 2, &options, arena, NULL, &status))
		fail_msg("%s", status.message);
}

/* who asks whether a conversation can be scored, and then scores it, lays it out once */
static void
test_check_then_score(void **state)
{
	SrmScored	expected[N_TEXTS];
	SrmScored	scored;

	(void) state;
	for (size_t i = 0; i < N_TEXTS; i++)
		expected[i] = score(long_prompt, texts[i]);
	start_with(0);
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		uint64_t	n_layouts = scorer->n_layouts;

		check(long_prompt, texts[i]);
		check(long_prompt, texts[i]);
		assert_int_equal(scorer->n_layouts, n_layouts + 1);
		scored = score(long_prompt, texts[i]);
		assert_int_equal(scorer->n_layouts, n_layouts + 1);
		assert_same(&scored, &expected[i]);
		check(long_prompt, texts[i]);
		assert_int_equal(scorer->n_layouts, n_layouts + 1);
	}
}

/* a pair is looked at twice before it is scored at once */
static void
test_check_pair(void **state)
{
	SrmMessage	prompt = message("user", "Hi.");
	SrmMessage	responses[2] = {message("assistant", texts[0]), message("assistant", texts[2])};
	SrmScored	expected[2];
	SrmScored	scored[2];
	uint64_t	n_layouts;

	(void) state;
	expected[0] = score("Hi.", texts[0]);
	expected[1] = score("Hi.", texts[2]);
	start_with(0);
	check("Hi.", texts[0]);
	check("Hi.", texts[2]);
	n_layouts = scorer->n_layouts;
	assert_true(srm_scorer_score_responses(scorer, &prompt, 1, responses, 2, &options, arena,
										   scored, NULL, &status));
	assert_int_equal(scorer->n_layouts, n_layouts);
	assert_same(&scored[0], &expected[0]);
	assert_same(&scored[1], &expected[1]);
}

/* what was laid out serves the same texts with the same options alone */
static void
test_check_of_others(void **state)
{
	SrmScored	expected;
	SrmScored	scored;
	uint64_t	n_layouts;

	(void) state;
	options.max_tokens = 64;
	options.truncation = SRM_TRUNCATION_PROMPT;
	expected = score(long_prompt, texts[2]);
	assert_true(expected.truncated);
	start_with(0);
	check(long_prompt, texts[2]);
	n_layouts = scorer->n_layouts;
	options.max_tokens = 64;
	options.truncation = SRM_TRUNCATION_PROMPT;
	scored = score(long_prompt, texts[2]);
	assert_int_equal(scorer->n_layouts, ++n_layouts);
	assert_same(&scored, &expected);
	check(long_prompt, texts[0]);
	score(long_prompt, texts[1]);
	assert_int_equal(scorer->n_layouts, n_layouts += 2);
	score("Hi.", texts[0]);
	assert_int_equal(scorer->n_layouts, ++n_layouts);
	options.want_tokens = true;
	scored = score(long_prompt, texts[0]);
	assert_int_equal(scorer->n_layouts, n_layouts);
	assert_true(scored.n_token_rewards > 0);
	options.cache_bytes = 0;
	check("Hi.", texts[3]);
	options.cache_bytes = SIZE_MAX;
	score("Hi.", texts[3]);
	assert_int_equal(scorer->n_layouts, n_layouts + 2);
}

/* the response that a call fails at is known by its number */
static void
test_failed_response(void **state)
{
	SrmMessage	prompt = message("user", "Hi.");
	SrmMessage	responses[3] = {message("assistant", texts[0]), message("assistant", ""), message("assistant", "x")};
	SrmScored	scored[3];

	(void) state;
	assert_false(srm_scorer_score_responses(scorer, &prompt, 1, responses, 3, &options, arena,
											scored, NULL, &status));
	assert_int_equal(scorer->at, 1);
	srm_status_init(&status);
	options.aggregation = SRM_AGGREGATE_ATTENTION;
	scorer->model->attention.dim = 0;
	assert_false(srm_scorer_score_responses(scorer, &prompt, 1, responses, 1, &options, arena,
											scored, NULL, &status));
	assert_true(scorer->at == SIZE_MAX);
}

/* where nothing may be kept, all is computed again, to the same bits */
static void
test_nothing_kept(void **state)
{
	SrmScored	first = score(long_prompt, texts[0]);
	uint64_t	n_computed;
	SrmScored	again;

	(void) state;
	options.cache_bytes = 0;
	n_computed = scorer->n_computed;
	again = score(long_prompt, texts[0]);
	assert_int_equal(scorer->n_computed - n_computed, again.n_tokens);
	score("Hi.", texts[0]);
	n_computed = scorer->n_computed;
	again = score(long_prompt, texts[0]);
	assert_int_equal(scorer->n_computed - n_computed, again.n_tokens);
	assert_same(&again, &first);
	options.cache_bytes = SIZE_MAX;
	n_computed = scorer->n_computed;
	score(long_prompt, texts[0]);
	assert_int_equal(scorer->n_computed - n_computed, again.n_tokens);
}

/* results are kept in bounded memory */
static void
test_memo_is_bounded(void **state)
{
	size_t		length = 20000;
	char	   *prompt = srm_arena_array(arena, length + 1, 1, &status);
	size_t		most = 0;

	(void) state;
	options.truncation = SRM_TRUNCATION_PROMPT;
	options.max_tokens = 64;
	for (int i = 0; i < 200; i++)
	{
		memset(prompt, 'a' + i % 26, length - (size_t) i);
		prompt[length - (size_t) i] = '\0';
		score(prompt, "It is.");
		if (i == 40)
			most = srm_scorer_private_bytes(scorer);
	}
	assert_in_range(srm_scorer_private_bytes(scorer), 0, most + 1024 * 1024);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, start, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prompt_of_two_calls),
		TEST(test_common_beginning),
		TEST(test_shorter_prompt),
		TEST(test_responses_of_one_call),
		TEST(test_many_responses),
		TEST(test_twins),
		TEST(test_memo),
		TEST(test_memo_tokens),
		TEST(test_memo_keys),
		TEST(test_check_then_score),
		TEST(test_check_pair),
		TEST(test_check_of_others),
		TEST(test_failed_response),
		TEST(test_nothing_kept),
		TEST(test_memo_is_bounded),
	};

	choose_kernels_of_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
