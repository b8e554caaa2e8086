/*-------------------------------------------------------------------------
 *
 * test_tiny_model.c
 *	  The model that ships, over real pairs: token ids, boundaries, rewards,
 *	  weights and scores against transformers and numpy
 *	  (tools/tiny_model/reference.py).
 *
 *-------------------------------------------------------------------------
 */
#include "scorer_fixture.h"

#include "base/buffer.h"

/*
 * Sums run in another order than in torch, through four layers; the largest
 * difference seen was 3e-6 of the value.
 */
#define TOLERANCE	1e-4

static int
open_tiny(void **state)
{
	(void) setup(state);
	scorer = srm_scorer_open("test/data/models/tiny", NULL, NULL, &status);
	if (scorer == NULL)
		fail_msg("%s", status.message);
	return 0;
}

/* The response: its sentences, one behind the other. */
static SrmMessage
read_response(const SrmJson *sentences)
{
	SrmBuffer	buffer;

	assert_true(srm_buffer_init(&buffer, arena, 0, &status));
	for (const SrmJson *item = sentences->child; item != NULL; item = item->next)
		assert_true(srm_buffer_append(&buffer, item->text, item->n, &status));
	return (SrmMessage) {"assistant", buffer.data, buffer.length, NULL};
}

/* The messages of a prompt, which is text or a list; returns how many. */
static size_t
read_prompt(const SrmJson *prompt, SrmMessage *messages)
{
	size_t		n = 0;

	if (prompt->type == SRM_JSON_STRING)
	{
		messages[0] = (SrmMessage) {"user", prompt->text, prompt->n, NULL};
		return 1;
	}
	for (const SrmJson *item = prompt->child; item != NULL; item = item->next)
	{
		const SrmJson *content = srm_json_member(item, "content");

		messages[n++] = (SrmMessage) {srm_json_string(srm_json_member(item, "role")), content->text, content->n, NULL};
	}
	return n;
}

static void
check_layout(const SrmLayout *layout, const SrmJson *expected)
{
	const SrmJson *id = srm_json_member(expected, "ids")->child;
	const SrmJson *boundary = srm_json_member(expected, "boundaries")->child;

	assert_int_equal(layout->tokens.n, srm_json_member(expected, "ids")->n);
	for (size_t i = 0; i < layout->tokens.n; i++, id = id->next)
		assert_int_equal(layout->tokens.items[i].id, (int) json_number(id));
	assert_int_equal(layout->n + 1, srm_json_member(expected, "boundaries")->n);
	for (size_t i = 0; i <= layout->n; i++, boundary = boundary->next)
		assert_int_equal(layout->boundaries[i], (int) json_number(boundary));
}

static void
check_scores(const SrmScored *scored, const SrmJson *expected)
{
	const SrmJson *reward = srm_json_member(expected, "rewards")->child;
	const SrmJson *weight = srm_json_member(expected, "weights")->child;

	for (size_t i = 0; i <= scored->n; i++, reward = reward->next, weight = weight->next)
	{
		assert_close(scored->rewards[i], json_number(reward), TOLERANCE);
		assert_close(scored->weights[i], json_number(weight), TOLERANCE);
	}
	assert_close(scored->score, json_number(srm_json_member(expected, "score")), TOLERANCE);
}

static void
check_response(const SrmJson *prompt, const SrmJson *expected)
{
	SrmMessage	messages[32];
	size_t		n = read_prompt(prompt, messages);
	SrmScoreOptions options;
	SrmLayout	layout;
	SrmScored	scored;

	messages[n++] = read_response(srm_json_member(expected, "sentences"));
	srm_scorer_defaults(scorer, &options);
	assert_true(srm_scorer_layout(scorer, messages, n, &options, arena, &layout, NULL, &status));
	check_layout(&layout, expected);
	assert_true(srm_scorer_score(scorer, messages, n, &options, arena, &scored, NULL, &status));
	check_scores(&scored, expected);
}

static void
test_reference(void **state)
{
	const SrmJson *file = read_json_file("test/data/tiny_model_reference.json", arena, &status);
	const SrmJson *cases = srm_json_member(file, "cases");

	(void) state;
	assert_true(cases->n >= 10);
	for (const SrmJson *item = cases->child; item != NULL; item = item->next)
	{
		const SrmJson *prompt = srm_json_member(item, "prompt");

		assert_true(prompt->type == SRM_JSON_STRING || prompt->n < 31);
		check_response(prompt, srm_json_member(item, "chosen"));
		check_response(prompt, srm_json_member(item, "rejected"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, open_tiny, teardown);
}
