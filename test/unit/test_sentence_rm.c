/*-------------------------------------------------------------------------
 *
 * test_sentence_rm.c
 *	  Conversations of a checkpoint of the sentence-level paper's code: what the
 *	  model reads, and the rewards, as tools/golden/make_sentence_rm.py says.
 *
 *-------------------------------------------------------------------------
 */
#include "golden.h"

#include "score/scorer.h"

static SrmMessage *
messages_of(Golden *golden, const SrmJson *list)
{
	SrmStatus	status = {0};
	SrmMessage *messages = srm_arena_array(golden->arena, list->n, sizeof(SrmMessage), &status);
	size_t		n = 0;

	for (const SrmJson *item = list->child; item != NULL; item = item->next)
	{
		const SrmJson *content = srm_json_member(item, "content");

		messages[n].role = srm_json_string(srm_json_member(item, "role"));
		messages[n].content = content->text;
		messages[n++].content_length = content->n;
	}
	return messages;
}

/* The sentences are those that the numbers are about. */
static void
check_sentences(const SrmLayout *layout, const SrmMessage *response, const SrmJson *sentences)
{
	const SrmJson *expected = sentences->child;

	assert_int_equal(layout->n, sentences->n);
	for (size_t i = 0; i < layout->n; i++, expected = expected->next)
	{
		size_t		length = layout->sentences[i].end - layout->sentences[i].start;

		assert_int_equal(length, expected->n);
		assert_memory_equal(response->content + layout->sentences[i].start, expected->text, length);
	}
}

static void
check_layout(Golden *golden, const SrmLayout *layout, const SrmJson *conversation)
{
	size_t		n;
	double	   *ids = numbers(golden, srm_json_member(conversation, "ids"), &n);
	double	   *boundaries;

	for (size_t i = 0; i < n && i < layout->tokens.n; i++)
		assert_int_equal(layout->tokens.items[i].id, (int) ids[i]);
	assert_int_equal(layout->tokens.n, n);
	boundaries = numbers(golden, srm_json_member(conversation, "boundaries"), &n);
	assert_int_equal(layout->n + 1, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(layout->boundaries[i], (int) boundaries[i]);
	assert_int_equal(layout->n_prompt, (int) boundaries[0] + 1);
}

static void
check_scored(Golden *golden, const SrmScored *scored, const SrmJson *conversation)
{
	size_t		n;
	double	   *c = numbers(golden, srm_json_member(conversation, "c"), &n);
	double	   *a = numbers(golden, srm_json_member(conversation, "a"), &n);

	assert_int_equal(scored->n + 1, n);
	for (size_t i = 0; i < n; i++)
	{
		compare(golden, "reward", i, scored->rewards[i], c[i]);
		compare(golden, "weight", i, scored->weights[i], a[i]);
	}
	compare(golden, "score", 0, scored->score, json_number(srm_json_member(conversation, "score")));
}

/* the layout of the paper's code: no marker before the terminator, a space behind its marker */
static void
test_conversations(void **state)
{
	Golden		golden = open_golden("sentence-rm", NULL);
	const SrmJson *conversations = srm_json_member(golden.expected, "conversations");
	SrmStatus	status = {0};
	SrmScorer  *scorer = srm_scorer_open(golden.model->directory, NULL, NULL, &status);

	(void) state;
	assert_ok(&status);
	assert_int_equal(conversations->n, 5);
	for (const SrmJson *item = conversations->child; item != NULL; item = item->next)
	{
		const SrmJson *list = srm_json_member(item, "messages");
		SrmMessage *messages = messages_of(&golden, list);
		SrmScoreOptions options;
		SrmLayout	layout;
		SrmScored	scored;

		srm_scorer_defaults(scorer, &options);
		srm_scorer_layout(scorer, messages, list->n, &options, golden.arena, &layout, NULL, &status);
		assert_ok(&status);
		check_sentences(&layout, &messages[list->n - 1], srm_json_member(item, "sentences"));
		check_layout(&golden, &layout, item);
		srm_scorer_score(scorer, messages, list->n, &options, golden.arena, &scored, NULL, &status);
		assert_ok(&status);
		check_scored(&golden, &scored, item);
	}
	srm_scorer_close(scorer);
	close_golden(&golden);
}

/* where a response loses its end, the terminator and its marker stay */
static void
test_truncated(void **state)
{
	Golden		golden = open_golden("sentence-rm", NULL);
	SrmStatus	status = {0};
	SrmScorer  *scorer = srm_scorer_open(golden.model->directory, NULL, NULL, &status);
	SrmMessage	messages[2] = {
		{.role = "user",.content = "Is it?",.content_length = 6},
		{.role = "assistant",.content = "One. Two. Three. Four.",.content_length = 22}
	};
	SrmScoreOptions options;
	SrmLayout	whole;
	SrmLayout	cut;

	(void) state;
	srm_scorer_defaults(scorer, &options);
	srm_scorer_layout(scorer, messages, 2, &options, golden.arena, &whole, NULL, &status);
	assert_ok(&status);
	options.truncation = SRM_TRUNCATION_RESPONSE;
	options.max_tokens = whole.tokens.n - 3;
	srm_scorer_layout(scorer, messages, 2, &options, golden.arena, &cut, NULL, &status);
	assert_ok(&status);
	assert_true(cut.truncated);
	assert_int_equal(whole.n_tail, 2);
	assert_int_equal(cut.tokens.n, whole.tokens.n - 3);
	for (size_t i = 1; i <= 2; i++)
		assert_int_equal(cut.tokens.items[cut.tokens.n - i].id, whole.tokens.items[whole.tokens.n - i].id);
	assert_int_equal(cut.boundaries[cut.n], cut.tokens.n - 1);
	srm_scorer_close(scorer);
	close_golden(&golden);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conversations),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
