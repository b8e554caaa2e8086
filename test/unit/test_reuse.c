/*-------------------------------------------------------------------------
 *
 * test_reuse.c
 *	  Work that is not done twice: what is computed is counted in tokens, and
 *	  what is not computed has the bits that it would have had.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include "score/scorer.h"

static const char *const long_prompt =
"Tell me about birds, and about the sea; about what they eat, where they sleep, and how far they fly.";

static const char *const texts[] = {
	"A bird. It flies. It sings.", "No.", "It is so. Why, then, is it so? Who knows!", "x", "A bird. It flies. It",
	"One is here.\nTwo is here.\n* Three is here.\n"
};

#define N_TEXTS		(sizeof(texts) / sizeof(texts[0]))

static SrmArena *arena;
static SrmStatus status;
static SrmScorer *scorer;
static SrmScoreOptions options;

static int
setup(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	scorer = srm_scorer_open("test/data/models/attention-marker", NULL, NULL, &status);
	if (scorer == NULL)
		return 1;
	srm_scorer_defaults(scorer, &options);
	return 0;
}

static int
teardown(void **state)
{
	(void) state;
	srm_scorer_close(scorer);
	srm_arena_free(arena);
	return 0;
}

static SrmMessage
message(const char *role, const char *content)
{
	return (SrmMessage) {role, content, strlen(content)};
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

	scorer = srm_scorer_open(used->model->directory, NULL, NULL, &status);
	assert_non_null(scorer);
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

/* responses of one call share it, too, and get the bits that each has alone */
static void
test_responses_of_one_call(void **state)
{
	SrmMessage	prompt = message("user", long_prompt);
	SrmMessage	responses[N_TEXTS];
	SrmScored	scored[N_TEXTS];
	size_t		n_prompt = prompt_tokens(long_prompt, texts[0]);
	size_t		n_expected = n_prompt;

	(void) state;
	for (size_t i = 0; i < N_TEXTS; i++)
		responses[i] = message("assistant", texts[i]);
	assert_true(srm_scorer_score_responses(scorer, &prompt, 1, responses, N_TEXTS, &options,
										   arena, scored, NULL, &status));
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		SrmMessage	messages[2] = {prompt, responses[i]};
		SrmScored	alone = score_anew(messages, 2);

		assert_same(&scored[i], &alone);
		n_expected += alone.n_tokens - n_prompt;
	}
	assert_int_equal(scorer->n_computed, n_expected);
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
	SrmMessage	a[3] = {message("user", "Hi"), message("assistant", "a."), message("user", "b.")};
	SrmMessage	b[3] = {message("user", "Hia."), message("assistant", "."), message("user", "b.")};
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

/* where nothing may be kept, all is computed again, to the same bits */
static void
test_nothing_kept(void **state)
{
	SrmScored	first = score(long_prompt, texts[0]);
	uint64_t	n_computed;
	SrmScored	again;

	(void) state;
	options.cache_bytes = 0;
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

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_prompt_of_two_calls),
		TEST(test_responses_of_one_call),
		TEST(test_twins),
		TEST(test_memo),
		TEST(test_memo_tokens),
		TEST(test_memo_keys),
		TEST(test_nothing_kept),
		TEST(test_memo_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
