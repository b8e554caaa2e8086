/*-------------------------------------------------------------------------
 *
 * test_score.c
 *	  The corridor from a conversation to a scored response: where values are
 *	  read, what adds up, what gets the same bits, what truncation leaves.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include <math.h>

#include "base/utf8.h"
#include "score/scorer.h"

#define MODELS			"test/data/models/"
#define N_RANDOM		150

static const char *const model_names[] = {
	"attention-marker", "attention-offset", "llama", "qwen2", "qwen3"
};

/* Pieces of responses; random texts are made of them. */
static const char *const pieces[] = {
	"It is so. ", "No! ", "Why, then? ", "\n\n", "* an item\n", "1. first\n", "  ", "\t",
	"\xE6\x95\xB0\xE3\x81\x8C\xE5\xA4\x9A\xE3\x81\x84\xE3\x80\x82", "He said \"yes.\" ",
	"\xF0\x9F\x99\x82", "e\xCC\x81", "```\ncode; more.\n```\n", "<END>", "<|im_end|>",
	"x", "...", "\xC2\xA0", "Dr. No. ", "\r\n", "| a. | b. |\n", "a.b", " "
};

static SrmScorer *
open_scorer(const char *name)
{
	char		directory[256];
	SrmScorer  *scorer;

	snprintf(directory, sizeof(directory), MODELS "%s", name);
	scorer = srm_scorer_open(directory, NULL, NULL, &status);
	if (scorer == NULL)
		fail_msg("%s: %s (%s)", name, status.message, status.detail);
	return scorer;
}

static const char *
random_text(int max_pieces)
{
	char	   *text = srm_arena_array(arena, (size_t) max_pieces + 1, 32, &status);
	int			n = 1 + rand() % max_pieces;

	for (int i = 0; i < n; i++)
		strcat(text, pieces[(size_t) rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
	return text;
}

/* A conversation of a user's message and a response. */
static void
converse(SrmMessage messages[2], const char *prompt, const char *response)
{
	messages[0] = (SrmMessage) {"user", prompt, strlen(prompt), NULL};
	messages[1] = (SrmMessage) {"assistant", response, strlen(response), NULL};
}

static bool
score(SrmScorer *scorer, const char *prompt, const char *response,
	  const SrmScoreOptions *options, SrmScored *scored)
{
	SrmMessage	messages[2];

	converse(messages, prompt, response);
	srm_status_init(&status);
	return srm_scorer_score(scorer, messages, 2, options, arena, scored, NULL, &status);
}

/* sentences tile the response, at characters */
static void
check_tiles(const SrmScored *scored, const char *response)
{
	size_t		end = 0;

	assert_true(scored->n_sentences > 0 && scored->n <= scored->n_sentences);
	for (size_t i = 0; i < scored->n_sentences; i++)
	{
		assert_int_equal(scored->sentences[i].start, end);
		end = scored->sentences[i].end;
		assert_true(end > scored->sentences[i].start);
		assert_false(srm_utf8_is_continuation((unsigned char) response[end]));
	}
	assert_int_equal(end, strlen(response));
}

/* rewards and weights make the score; rewards of tokens make those of sentences */
static void
check_sums(const SrmScored *scored)
{
	double		total = 0.0;
	double		weight = 0.0;
	double		sentences = 0.0;
	double		tokens = 0.0;

	for (size_t i = 0; i <= scored->n; i++)
	{
		total += scored->weights[i] * scored->rewards[i];
		weight += scored->weights[i];
		sentences += i > 0 ? scored->rewards[i] : 0.0;
	}
	for (size_t i = 0; i < scored->n_token_rewards; i++)
		tokens += scored->tokens[i].reward;
	assert_close(total, scored->score, 1e-12);
	if (scored->n_token_rewards > 0)
		assert_close(tokens, sentences, 1e-9);
	assert_true(weight > 0.0);
}

static bool
has_words(const char *text)
{
	size_t		offset = 0;

	while (offset < strlen(text))
		if (!srm_utf8_is_white_space(srm_utf8_next(text, strlen(text), &offset)))
			return true;
	return false;
}

static void
check_random(SrmScorer *scorer, SrmAggregation aggregation)
{
	SrmScoreOptions options;
	SrmScored	scored;
	const char *response = random_text(12);

	srm_scorer_defaults(scorer, &options);
	options.aggregation = aggregation;
	options.want_tokens = true;
	if (!score(scorer, random_text(4), response, &options, &scored))
		fail_msg("\"%s\": %s", response, status.message);
	check_tiles(&scored, response);
	if (has_words(response))
		assert_true(scored.n_token_rewards > 0);
	check_sums(&scored);
}

static void
test_random_texts(void **state)
{
	(void) state;
	for (size_t m = 0; m < sizeof(model_names) / sizeof(model_names[0]); m++)
	{
		SrmScorer  *scorer = open_scorer(model_names[m]);
		bool		attends = scorer->model->attention.dim > 0;

		srand(7);
		for (int i = 0; i < N_RANDOM; i++)
		{
			check_random(scorer, attends && i % 2 ? SRM_AGGREGATE_ATTENTION : (SrmAggregation) (i % 5));
			srm_arena_reset(arena);
		}
		srm_scorer_close(scorer);
	}
}

/* the same bits with and without the kept prompt, in any order, with threads */
static void
test_same_bits(void **state)
{
	static const char *const prompts[] = {"What is it?", "", "What is it? Or, what was it? Say."};
	static const char *const responses[] = {"A bird. It flies.", "No!", "One. Two. Three. Four. Five."};
	SrmScorer  *fresh;
	SrmScorer  *used = open_scorer("attention-marker");
	SrmScoreOptions options;
	SrmScored	a;
	SrmScored	b;

	(void) state;
	for (int i = 0; i < 40; i++)
	{
		const char *prompt = prompts[rand() % 3];
		const char *response = responses[rand() % 3];

		fresh = open_scorer("attention-marker");
		srm_scorer_defaults(fresh, &options);
		assert_true(score(fresh, prompt, response, &options, &a));
		options.n_threads = 1 + i % 3;
		options.cache_bytes = i % 4 == 0 ? 0 : SIZE_MAX;
		assert_true(score(used, prompt, response, &options, &b));
		assert_memory_equal(&a.score, &b.score, sizeof(double));
		assert_int_equal(a.n, b.n);
		assert_memory_equal(a.rewards, b.rewards, (a.n + 1) * sizeof(double));
		srm_scorer_close(fresh);
	}
	srm_scorer_close(used);
}

static void
lay_out(SrmScorer *scorer, const char *response, SrmLayout *layout)
{
	SrmMessage	messages[2];
	SrmScoreOptions options;

	converse(messages, "Hi.", response);
	srm_scorer_defaults(scorer, &options);
	assert_true(srm_scorer_layout(scorer, messages, 2, &options, arena, layout, NULL, &status));
}

/* The text between two positions of the rendered text, as a string. */
static const char *
between(const SrmLayout *layout, size_t start, size_t end)
{
	return srm_arena_string(arena, layout->rendered.text + start, end - start, &status);
}

/* prompt M s_1 M ... s_n M terminator M; a single space moves behind its marker */
static void
test_markers(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-marker");
	SrmLayout	layout;
	size_t		marks[8];
	size_t		n = 0;

	(void) state;
	lay_out(scorer, "One. Two.  Three.", &layout);
	for (size_t i = 0; i < layout.tokens.n; i++)
		if (layout.tokens.items[i].id == scorer->model->marker_id)
			marks[n++] = i;
	assert_int_equal(n, 5);
	assert_int_equal(layout.n, 3);
	assert_int_equal(layout.boundaries[0], marks[0]);
	assert_int_equal(layout.n_prompt, marks[0] + 1);
	assert_int_equal(layout.boundaries[1], marks[1]);
	assert_int_equal(layout.boundaries[2], marks[2]);
	assert_int_equal(layout.boundaries[3], marks[4]);
	assert_int_equal(marks[4], layout.tokens.n - 1);
	assert_string_equal(between(&layout, layout.tokens.items[marks[0]].start,
								layout.tokens.items[marks[1]].start), "One.");
	assert_string_equal(between(&layout, layout.tokens.items[marks[1]].start,
								layout.tokens.items[marks[2]].start), " Two.  ");
	assert_string_equal(between(&layout, layout.tokens.items[marks[2]].start,
								layout.tokens.items[marks[3]].start), "Three.");
	srm_scorer_close(scorer);
}

/* a space behind a line's end is a single one, too */
static void
test_marker_after_line(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-marker");
	SrmLayout	layout;

	(void) state;
	lay_out(scorer, "One is it.\n Two are they.", &layout);
	assert_int_equal(layout.n, 2);
	assert_string_equal(between(&layout, layout.tokens.items[layout.boundaries[0]].start,
								layout.tokens.items[layout.boundaries[1]].start), "One is it.\n");
	srm_scorer_close(scorer);
}

/* a marker in a user's text is plain text */
static void
test_marker_in_text(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-marker");
	SrmLayout	layout;
	size_t		n = 0;

	(void) state;
	lay_out(scorer, "One <END><|im_end|> two.", &layout);
	for (size_t i = 0; i < layout.tokens.n; i++)
		n += layout.tokens.items[i].id == scorer->model->marker_id;
	assert_int_equal(n, 3);
	srm_scorer_close(scorer);
}

/* values are read at the last token with a character that is not white space */
static void
test_offsets(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-offset");
	SrmLayout	layout;

	(void) state;
	lay_out(scorer, "One is it. Two are they.\n\n", &layout);
	assert_int_equal(layout.n, 2);
	assert_int_equal(layout.boundaries[0] + 1, layout.n_prompt);
	assert_int_equal(layout.boundaries[2], layout.tokens.n - 1);
	assert_int_equal(layout.rendered.text[layout.tokens.items[layout.boundaries[1]].end - 1], '.');
	assert_true(layout.tokens.items[layout.n_prompt].start >= layout.tokens.items[layout.n_prompt - 1].end);
	srm_scorer_close(scorer);
}

/* what is read last is the last token, so that "last" is the model's usual score */
static void
test_last_is_read_out(void **state)
{
	SrmScorer  *scorer = open_scorer("llama");
	SrmScoreOptions options;
	SrmScored	a;
	SrmScored	b;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_int_equal(options.aggregation, SRM_AGGREGATE_LAST);
	assert_true(score(scorer, "Hi.", "One. Two. Three.", &options, &a));
	options.locale = "root";
	options.want_tokens = true;
	assert_true(score(scorer, "Hi.", "One. Two. Three.", &options, &b));
	assert_close(a.score, b.score, 1e-5);
	srm_scorer_close(scorer);
}

static void
test_truncated_response(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-marker");
	SrmScoreOptions options;
	SrmScored	scored;
	const char *response = "One is here. Two is here. Three is here. Four is here. Five is here. Six is here.";
	size_t		n_all;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_true(score(scorer, "Hi.", response, &options, &scored));
	assert_false(scored.truncated);
	n_all = scored.n_tokens;
	options.truncation = SRM_TRUNCATION_RESPONSE;
	for (size_t limit = n_all - 1; limit > n_all - 30; limit--)
	{
		options.max_tokens = limit;
		assert_true(score(scorer, "Hi.", response, &options, &scored));
		assert_true(scored.truncated);
		assert_int_equal(scored.n_tokens, limit);
		assert_int_equal(scored.n_sentences, 6);
		assert_true(scored.n >= 1 && scored.n <= 6);
		check_tiles(&scored, response);
		check_sums(&scored);
	}
	assert_true(scored.n < 6);
	options.max_tokens = 10;
	assert_false(score(scorer, "Hi.", response, &options, &scored));
	assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
	srm_scorer_close(scorer);
}

static void
test_truncated_prompt(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-marker");
	SrmScoreOptions options;
	SrmScored	scored;
	size_t		n_all;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_true(score(scorer, "Tell me, what is it that flies there?", "One. Two.", &options, &scored));
	n_all = scored.n_tokens;
	options.max_tokens = n_all - 5;
	assert_false(score(scorer, "Tell me, what is it that flies there?", "One. Two.", &options, &scored));
	assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
	options.truncation = SRM_TRUNCATION_PROMPT;
	assert_true(score(scorer, "Tell me, what is it that flies there?", "One. Two.", &options, &scored));
	assert_true(scored.truncated);
	assert_int_equal(scored.n_tokens, n_all - 5);
	assert_int_equal(scored.n, 2);
	options.max_tokens = 8;
	assert_false(score(scorer, "Hi.", "One two three four five six seven eight.", &options, &scored));
	assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
	srm_scorer_close(scorer);
}

static void
test_refused(void **state)
{
	SrmScorer  *scorer = open_scorer("llama");
	SrmScoreOptions options;
	SrmScored	scored;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_false(score(scorer, "Hi.", "", &options, &scored));
	assert_int_equal(status.code, SRM_INVALID_ARGUMENT);
	options.aggregation = SRM_AGGREGATE_ATTENTION;
	assert_false(score(scorer, "Hi.", "One.", &options, &scored));
	assert_int_equal(status.code, SRM_INVALID_ARGUMENT);
	srm_scorer_defaults(scorer, &options);
	assert_true(score(scorer, "Hi.", " \n ", &options, &scored));
	assert_int_equal(scored.n, 1);
	srm_scorer_close(scorer);
}

static bool
stop_at(void *arg)
{
	return --*(int *) arg < 0;
}

/* stopped anywhere, the next call is as if nothing had happened */
static void
test_stopped(void **state)
{
	SrmScorer  *scorer = open_scorer("attention-marker");
	SrmMessage	messages[2];
	SrmScoreOptions options;
	SrmScored	scored;
	double		expected;
	int			n_stopped = 0;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	assert_true(score(scorer, "What is it?", "A bird. It flies.", &options, &scored));
	expected = scored.score;
	for (int i = 0; i < 200; i++)
	{
		int			countdown = i;
		SrmStop		stop = {stop_at, &countdown, NULL};

		converse(messages, i % 2 ? "What is it?" : "And that?", "A bird. It flies. It sings.");
		srm_status_init(&status);
		if (!srm_scorer_score(scorer, messages, 2, &options, arena, &scored, &stop, &status))
		{
			assert_int_equal(status.code, SRM_STOPPED);
			n_stopped++;
		}
		assert_true(score(scorer, "What is it?", "A bird. It flies.", &options, &scored));
		assert_memory_equal(&scored.score, &expected, sizeof(double));
	}
	assert_true(n_stopped > 10);
	srm_scorer_close(scorer);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_random_texts),
		TEST(test_same_bits),
		TEST(test_markers),
		TEST(test_marker_after_line),
		TEST(test_marker_in_text),
		TEST(test_offsets),
		TEST(test_last_is_read_out),
		TEST(test_truncated_response),
		TEST(test_truncated_prompt),
		TEST(test_refused),
		TEST(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
