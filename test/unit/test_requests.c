/*-------------------------------------------------------------------------
 *
 * test_requests.c
 *	  Conversations that are scored together: each gets what it gets alone.
 *
 *-------------------------------------------------------------------------
 */
#include "../kernels_environment.h"
#include "scorer_fixture.h"

/* Models that differ in what a token sees, and in what is read of it. */
static const char *const models[] = {
	"tiny", "attention-offset", "qwen2-window", "smollm3-window", "gemma3", "llama-dynamic", "phi3-longrope", "qwen3-moe",
	"head-armorm", "head-qrm", "head-prm", "gptneox", "cross-bert", "cross-deberta", "cross-modernbert"
};

#define N_MODELS	(sizeof(models) / sizeof(models[0]))

static const char *const prompts[] = {
	"Tell me about birds, and about the sea; about what they eat, where they sleep, and how far they fly.",
	"Tell me about birds, and about the sea; about what they eat, where they sleep, and how far they fly.",
	"Tell me about birds, and about the sea.", "Why?", "", "",
	"Tell me about birds, and about the land; about what they eat, and where they sleep.",
	"Tell me about birds, and about the land; about what they eat, and where they sleep.", "Tell me about"
};
static const char *const texts[] = {
	"A bird. It flies. It sings.", "No.", "It is so. Why, then, is it so? Who knows!", "x",
	"One is here.\nTwo is here.\n* Three is here.\n"
};

#define N_PROMPTS	(sizeof(prompts) / sizeof(prompts[0]))
#define N_TEXTS		(sizeof(texts) / sizeof(texts[0]))
#define N_REQUESTS	(N_PROMPTS * N_TEXTS)

static SrmScoreOptions options;
static SrmMessage messages[2 * N_REQUESTS];	/* before each response, and the response */
static SrmScoreRequest requests[N_REQUESTS];

/* A scorer that knows nothing. */
static void
start_with(const char *model)
{
	char		directory[100];

	srm_scorer_close(scorer);
	snprintf(directory, sizeof(directory), "test/data/models/%s", model);
	scorer = srm_scorer_open(directory, NULL, NULL, &status);
	if (scorer == NULL)
		fail_msg("%s: %s", model, status.message);
	srm_scorer_defaults(scorer, &options);
}

static SrmMessage
message(const char *role, const char *content)
{
	return (SrmMessage) {role, content, strlen(content), NULL};
}

/* Request i asks for a text behind prompt i / n_texts. */
static void
fill_requests(size_t n_texts)
{
	for (size_t i = 0; i < N_REQUESTS; i++)
	{
		messages[2 * i] = message("user", prompts[i / n_texts % N_PROMPTS]);
		messages[2 * i + 1] = message("assistant", texts[(i / n_texts + i) % N_TEXTS]);
		requests[i] = (SrmScoreRequest) {.messages = &messages[2 * i],.n_messages = 1,.response = &messages[2 * i + 1]};
	}
}

static bool
score_all(size_t n)
{
	return srm_scorer_score_requests(scorer, requests, n, false, &options, arena, NULL, &status);
}

static void
assert_same(const SrmScored *a, const SrmScored *b)
{
	assert_memory_equal(&a->score, &b->score, sizeof(double));
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->n_tokens, b->n_tokens);
	assert_int_equal(a->truncated, b->truncated);
	assert_memory_equal(a->rewards, b->rewards, (a->n + 1) * sizeof(double));
	assert_int_equal(a->n_token_rewards, b->n_token_rewards);
	for (size_t i = 0; i < a->n_token_rewards; i++)
		assert_memory_equal(&a->tokens[i].reward, &b->tokens[i].reward, sizeof(double));
}

/* The result of a request, or its failure, by a scorer that it has for itself or that has seen those before it. */
static void
check_request(SrmScorer *other, const SrmScoreRequest *request)
{
	SrmStatus	own;
	SrmMessage	conversation[2] = {request->messages[0], *request->response};
	SrmScored	scored;

	srm_status_init(&own);
	if (srm_scorer_score(other, conversation, 2, &options, arena, &scored, NULL, &own))
	{
		if (request->status.code != SRM_OK)
			fail_msg("%s", request->status.message);
		assert_same(&request->scored, &scored);
		return;
	}
	assert_int_equal(request->status.code, own.code);
	assert_string_equal(request->status.message, own.message);
	assert_string_equal(request->status.detail, own.detail);
	assert_string_equal(request->status.hint, own.hint);
}

/* All of them after each other, by another scorer. */
static SrmScorer *
check_requests(const char *model, size_t n)
{
	SrmScorer  *together = scorer;
	SrmScoreOptions kept = options;
	SrmScorer  *alone;

	scorer = NULL;
	start_with(model);
	alone = scorer;
	scorer = together;
	options = kept;
	for (size_t i = 0; i < n; i++)
		check_request(alone, &requests[i]);
	return alone;
}

/* models of all kinds give each conversation the bits that it has alone, in fewer passes, and share no less of prompts */
static void
test_same_bits(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_MODELS; i++)
	{
		SrmScorer  *alone;

		start_with(models[i]);
		fill_requests(1 + i % N_TEXTS);
		options.n_threads = 1 + (int) i % 3;
		if (!score_all(N_REQUESTS))
			fail_msg("%s: %s", models[i], status.message);
		alone = check_requests(models[i], N_REQUESTS);
		if (4 * scorer->n_passes > 3 * alone->n_passes)
			fail_msg("%s: %d passes, alone %d", models[i], (int) scorer->n_passes, (int) alone->n_passes);
		assert_true(scorer->n_computed <= alone->n_computed);
		srm_scorer_close(alone);
	}
}

/* what is computed of prompts that begin alike is what is computed of them one after the other */
static void
test_computed_tokens(void **state)
{
	SrmScorer  *alone;

	(void) state;
	start_with("tiny");
	fill_requests(2);
	for (size_t n = 0; n < 16; n += 4)
	{
		for (size_t i = 0; i < 4; i++)
			requests[i] = requests[n + i];
		assert_true(score_all(4));
		assert_int_equal(scorer->n_passes, n / 4 + 1);
	}
	fill_requests(2);
	alone = check_requests("tiny", 0);
	for (size_t i = 0; i < 16; i++)
	{
		SrmMessage	conversation[2] = {messages[2 * i], messages[2 * i + 1]};
		SrmScored	scored;

		assert_true(srm_scorer_score(alone, conversation, 2, &options, arena, &scored, NULL, &status));
	}
	assert_int_equal(scorer->n_computed, alone->n_computed);
	srm_scorer_close(alone);
}

static const char *const whole =
"It is so. Why, then, is it so? Who knows! A bird flies. It sings, and on it flies.\nOne is here. * Two is not; he went home.";

/* Whether the states of all tokens are read. */
static bool
reads_all(void)
{
	return options.want_tokens || scorer->model->head.pools_mean;
}

static SrmLayout
lay_out(const SrmScoreRequest *request)
{
	SrmMessage	conversation[2] = {request->messages[0], *request->response};
	SrmLayout	layout;

	if (!srm_scorer_layout(scorer, conversation, 2, &options, arena, &layout, NULL, &status))
		fail_msg("%s %s", status.message, status.detail);
	return layout;
}

/* Texts with other angles have other states from the first token on. */
static bool
have_same_angles(const SrmLayout layouts[2])
{
	const SrmDecoder *decoder = &scorer->model->decoder;

	return srm_decoder_rope_length(decoder, layouts[0].tokens.n) == srm_decoder_rope_length(decoder, layouts[1].tokens.n);
}

/*
 * A pair gets the bits that each has alone where nothing is kept, and in one pass what both begin with is computed
 * once; returns how much that is.
 */
static size_t
check_pair(SrmScorer *alone, const char *prompt, const char *a, const char *b)
{
	SrmMessage	conversation[3] = {message("user", prompt), message("assistant", a), message("assistant", b)};
	uint64_t	before = scorer->n_computed;
	uint64_t	n_passes = scorer->n_passes;
	SrmLayout	layouts[2];
	size_t		n_shared;
	size_t		n_alike = 0;

	for (size_t i = 0; i < 2; i++)
	{
		requests[i] = (SrmScoreRequest) {.messages = conversation,.n_messages = 1,.response = &conversation[1 + i]};
		layouts[i] = lay_out(&requests[i]);
	}
	assert_true(score_all(2));
	for (size_t i = 0; i < 2; i++)
		check_request(alone, &requests[i]);
	if (scorer->n_passes - n_passes == 1 && !srm_decoder_looks_ahead(&scorer->model->decoder))
		n_alike = count_alike(&layouts[1], &layouts[0], reads_all());
	n_shared = have_same_angles(layouts) ? layouts[0].n_prompt + n_alike : 0;
	assert_int_equal(scorer->n_computed - before, layouts[0].tokens.n + layouts[1].tokens.n - n_shared);
	return n_alike;
}

/* Pairs of the whole text with one that has n characters of it, and other ones behind them or none. */
static size_t
check_pairs(SrmScorer *alone)
{
	size_t		most = 0;

	for (size_t n = 0; n <= strlen(whole); n += 1 + n % 7)
		for (int ends = 0; ends < 2; ends++)
		{
			char		edited[200];
			const char *prompt = prompts[n % N_PROMPTS];
			size_t		n_alike;

			snprintf(edited, sizeof(edited), "%.*s%s", (int) n, whole, ends == 0 && n > 0 ? "" : " That is all.");
			options.n_threads = 1 + (int) n % 3;
			n_alike = n % 2 == 0 ? check_pair(alone, prompt, whole, edited) : check_pair(alone, prompt, edited, whole);
			most = n_alike > most ? n_alike : most;
		}
	return most;
}

/* pairs whose responses begin alike, for any length, share that beginning in models whose tokens see nothing behind them */
static void
test_pairs_alike(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_MODELS; i++)
	{
		SrmScorer  *alone;

		start_with(models[i]);
		options.cache_bytes = 0;
		options.want_tokens = strcmp(models[i], "attention-offset") == 0;
		options.truncation = SRM_TRUNCATION_RESPONSE;
		alone = check_requests(models[i], 0);
		if ((check_pairs(alone) < 20) != srm_decoder_looks_ahead(&scorer->model->decoder))
			fail_msg("%s shares nothing, or should not", models[i]);
		srm_scorer_close(alone);
	}
}

/* A text of so many pieces, of which those from edited on are others. */
static char *
write_pieces(size_t n, size_t edited)
{
	char	   *text = srm_arena_array(arena, n * 20 + 1, 1, &status);

	for (size_t i = 0; i < n; i++)
		sprintf(text + strlen(text), i < edited ? "So it is %zu. " : "Or %zu is it? ", i);
	return text;
}

/* long pairs go through in one pass where they have half of it in common, whole tiles or less, and in two where not */
static void
test_long_pairs(void **state)
{
	static const size_t edited[] = {0, 10, 80, 100, 140, 179};

	(void) state;
	start_with("tiny");
	options.cache_bytes = 0;
	for (size_t i = 0; i < 6; i++)
	{
		SrmScorer  *alone = check_requests("tiny", 0);
		uint64_t	before = scorer->n_passes;
		size_t		n_alike;

		n_alike = check_pair(alone, prompts[0], write_pieces(180, 180), write_pieces(180, edited[i]));
		assert_int_equal(n_alike > 512, edited[i] >= 100);
		assert_int_equal(scorer->n_passes - before, edited[i] >= 100 ? 1 : 2);
		srm_scorer_close(alone);
	}
}

/* pairs of many prompts stay together, so that as much is computed of them as of each pair by itself */
static void
test_pairs_of_prompts(void **state)
{
	enum
	{
		n = 20
	};
	SrmScorer  *together;
	SrmScorer  *alone;

	(void) state;
	start_with("tiny");
	alone = check_requests("tiny", 0);
	for (size_t i = 0; i < n; i++)
	{
		messages[2 * i] = message("user", prompts[i / 2 % N_PROMPTS]);
		messages[2 * i + 1] = message("assistant", write_pieces(4 + i / 2, 4 + i / 2 - i % 2));
		requests[i] = (SrmScoreRequest) {.messages = &messages[2 * i],.n_messages = 1,.response = &messages[2 * i + 1]};
	}
	assert_true(score_all(n));
	together = scorer;
	scorer = alone;
	for (size_t i = 0; i < n; i += 2)
	{
		SrmScoreRequest pair[2] = {requests[i], requests[i + 1]};

		assert_true(srm_scorer_score_requests(alone, pair, 2, false, &options, arena, NULL, &status));
		assert_same(&pair[0].scored, &requests[i].scored);
		assert_same(&pair[1].scored, &requests[i + 1].scored);
	}
	assert_true(together->n_computed <= alone->n_computed);
	assert_true(together->n_passes < alone->n_passes);
	srm_scorer_close(together);
}

/* how many are scored at once, and what is kept between calls, changes nothing */
static void
test_sizes(void **state)
{
	static const size_t sizes[] = {1, 2, 7, N_REQUESTS};
	static const size_t kept[] = {0, 1000, 100000, SIZE_MAX};

	(void) state;
	for (size_t i = 0; i < 4; i++)
	{
		start_with("tiny");
		fill_requests(3);
		options.cache_bytes = kept[i];
		options.want_tokens = i % 2 == 1;
		for (size_t first = 0; first < N_REQUESTS; first += sizes[i])
			assert_true(srm_scorer_score_requests(scorer, requests + first,
												  N_REQUESTS - first < sizes[i] ? N_REQUESTS - first : sizes[i],
												  false, &options, arena, NULL, &status));
		srm_scorer_close(check_requests("tiny", N_REQUESTS));
	}
}

/* long ones go alone or with few others, and leave the others' bits as they are */
static void
test_long(void **state)
{
	char	   *text = srm_arena_array(arena, 12001, 1, &status);

	(void) state;
	for (size_t i = 0; i < 12000; i++)
		text[i] = i % 50 == 49 ? '.' : i % 5 == 0 ? ' ' : (char) ('a' + i % 7);
	start_with("tiny");
	fill_requests(1);
	for (size_t i = 3; i < N_REQUESTS; i += 9)
	{
		messages[2 * i + i / 9 % 2] = message(i / 9 % 2 == 0 ? "user" : "assistant", text);
		messages[2 * i + i / 9 % 2].content_length = 1500 * (1 + i / 9);
	}
	assert_true(score_all(N_REQUESTS));
	srm_scorer_close(check_requests("tiny", N_REQUESTS));
}

/* those that cannot be scored have the failure that they have alone, and no other has one */
static void
test_failures(void **state)
{
	size_t		n_failed = 0;

	(void) state;
	start_with("tiny");
	fill_requests(1);
	messages[2 * 4 + 1] = message("assistant", "");
	messages[2 * 20 + 1] = message("nobody", "x");
	messages[2 * 20 + 1].json = "{";
	options.max_tokens = 40;
	assert_true(score_all(N_REQUESTS));
	srm_scorer_close(check_requests("tiny", N_REQUESTS));
	for (size_t i = 0; i < N_REQUESTS; i++)
		n_failed += requests[i].status.code != SRM_OK;
	assert_in_range(n_failed, 5, N_REQUESTS - 10);
}

/* where all are needed, the first failure ends the call, and says whose it is */
static void
test_needs_all(void **state)
{
	uint64_t	n_passes;

	(void) state;
	start_with("tiny");
	fill_requests(1);
	messages[2 * 4 + 1] = message("assistant", "");
	n_passes = scorer->n_passes;
	assert_false(srm_scorer_score_requests(scorer, requests, N_REQUESTS, true, &options, arena, NULL, &status));
	assert_int_equal(status.code, SRM_INVALID_ARGUMENT);
	assert_int_equal(scorer->at, 4);
	assert_int_equal(scorer->n_passes, n_passes);
}

/* one that the decoder refuses does not fail those that it would have run with */
static void
test_failure_of_pass(void **state)
{
	size_t		n_failed = 0;
	size_t		n_scored = 0;
	size_t		vocab_size;

	(void) state;
	start_with("tiny");
	fill_requests(1);
	vocab_size = scorer->model->decoder.vocab_size;
	scorer->model->decoder.vocab_size = 4000;
	assert_true(score_all(N_REQUESTS));
	scorer->model->decoder.vocab_size = vocab_size;
	for (size_t i = 0; i < N_REQUESTS; i++)
	{
		if (requests[i].status.code == SRM_OK)
		{
			requests[n_scored++] = requests[i];
			continue;
		}
		assert_int_equal(requests[i].status.code, SRM_INVALID_MODEL);
		assert_non_null(strstr(requests[i].status.message, "is not in the model's embedding"));
		n_failed++;
	}
	assert_true(n_failed > 0 && n_scored > 0);
	srm_scorer_close(check_requests("tiny", n_scored));
}

static bool
stop_later(void *arg)
{
	int		   *left = arg;

	return (*left)-- <= 0;
}

/* a stop ends the call, and what is left of prompts is as good as before */
static void
test_stop(void **state)
{
	int			n = 0;
	int			left;
	SrmStop		stop = {stop_later, &left, NULL};

	(void) state;
	start_with("tiny");
	for (;;)
	{
		fill_requests(2);
		left = n;
		srm_status_init(&status);
		if (srm_scorer_score_requests(scorer, requests, 12, false, &options, arena, &stop, &status))
			break;
		assert_int_equal(status.code, SRM_STOPPED);
		n += 1 + n / 8;
		srm_status_init(&status);
		fill_requests(3);
		assert_true(score_all(3));
		srm_scorer_close(check_requests("tiny", 3));
	}
	assert_true(n > 20);
	srm_scorer_close(check_requests("tiny", 12));
}

/* the same conversation twice is computed once, and fails twice */
static void
test_twins(void **state)
{
	uint64_t	n_computed;

	(void) state;
	start_with("tiny");
	fill_requests(1);
	requests[2] = requests[0];
	messages[2 * 3 + 1] = message("assistant", "");
	requests[5] = requests[3];
	options.cache_bytes = 0;
	assert_true(score_all(6));
	n_computed = scorer->n_computed;
	assert_int_equal(requests[3].status.code, SRM_INVALID_ARGUMENT);
	srm_scorer_close(check_requests("tiny", 6));
	requests[2] = requests[1];
	assert_true(score_all(6));
	assert_int_equal(scorer->n_computed, 2 * n_computed);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_same_bits),
		TEST(test_computed_tokens),
		TEST(test_pairs_alike),
		TEST(test_long_pairs),
		TEST(test_pairs_of_prompts),
		TEST(test_sizes),
		TEST(test_long),
		TEST(test_failures),
		TEST(test_needs_all),
		TEST(test_failure_of_pass),
		TEST(test_stop),
		TEST(test_twins),
	};

	choose_kernels_of_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
