/*-------------------------------------------------------------------------
 *
 * test_heads.c
 *	  Heads of published reward models, against their formulas in torch.
 *
 * tools/golden/make_heads.py makes the models and the numbers.  Values come
 * from hidden states of given tokens, and scores from whole conversations, so
 * that templates, read-out tokens, gates and steps take part.
 *
 *-------------------------------------------------------------------------
 */
#include "golden.h"

#include "score/scorer.h"
#include "score/values.h"

static void
compare_sequence(Golden *golden, const SrmJson *sequence)
{
	SrmStatus	status = {0};
	size_t		n_tokens;
	size_t		n;
	float	   *hidden = run(golden, sequence, &n_tokens, 1);
	double	   *values = srm_arena_array(golden->arena, n_tokens, sizeof(double), &status);
	double	   *expected = numbers(golden, srm_json_member(sequence, "values"), &n);
	size_t		gate = (size_t) json_number(srm_json_member(sequence, "gate"));
	bool		has_gate = golden->model->head.n_gate_tokens > 0;

	assert_int_equal(n, n_tokens);
	assert_true(srm_model_values(values, hidden,
								 has_gate ? hidden + gate * golden->model->decoder.dim : NULL,
								 golden->model, n, golden->arena, &status));
	for (size_t i = 0; i < n; i++)
		compare(golden, "value", i, values[i], expected[i]);
	compare(golden, "score", 0, values[n - 1], json_number(srm_json_member(sequence, "score")));
}

/* The messages of a conversation, in the arena. */
static SrmMessage *
messages_of(Golden *golden, const SrmJson *list)
{
	SrmStatus	status = {0};
	SrmMessage *messages = srm_arena_array(golden->arena, list->n, sizeof(SrmMessage), &status);
	size_t		n = 0;

	for (const SrmJson *item = list->child; item != NULL; item = item->next)
	{
		messages[n].role = srm_json_string(srm_json_member(item, "role"));
		messages[n].content = srm_json_string(srm_json_member(item, "content"));
		messages[n].content_length = strlen(messages[n].content);
		n++;
	}
	return messages;
}

/* The rewards of steps are their probabilities; other rewards add up to the score. */
static void
compare_rewards(Golden *golden, const SrmJson *conversation, const SrmScored *scored)
{
	const SrmJson *steps = srm_json_member(conversation, "steps");
	double	   *expected;
	double		sum = 0;
	size_t		n;

	for (size_t i = 0; i <= scored->n; i++)
		sum += scored->rewards[i];
	if (steps == NULL)
	{
		compare(golden, "sum", 0, sum, scored->score);
		return;
	}
	assert_true(scored->rewards[0] == 0);
	expected = numbers(golden, steps, &n);
	assert_int_equal(n, scored->n);
	for (size_t i = 0; i < n; i++)
		compare(golden, "step", i, scored->rewards[i + 1], expected[i]);
}

static void
compare_conversation(Golden *golden, SrmScorer *scorer, const SrmJson *conversation)
{
	SrmStatus	status = {0};
	const SrmJson *list = srm_json_member(conversation, "messages");
	SrmScoreOptions options;
	SrmScored	scored;

	srm_scorer_defaults(scorer, &options);
	srm_scorer_score(scorer, messages_of(golden, list), list->n, &options, golden->arena, &scored,
					 NULL, &status);
	assert_ok(&status);
	assert_int_equal(scored.n_tokens, (int) json_number(srm_json_member(conversation, "n_tokens")));
	compare(golden, "score of conversation", 0, scored.score,
			json_number(srm_json_member(conversation, "score")));
	compare_rewards(golden, conversation, &scored);
}

static void
test_head(void **state)
{
	const SrmModelOptions packed = {.compute_choice = SRM_CHOICE_F32};
	Golden		golden = open_golden(*state, &packed);
	const SrmJson *sequences = srm_json_member(golden.expected, "sequences");
	const SrmJson *conversations = srm_json_member(golden.expected, "conversations");
	SrmStatus	status = {0};
	SrmScorer  *scorer = srm_scorer_open(golden.model->directory, NULL, NULL, &status);

	assert_ok(&status);
	assert_int_equal(sequences->n, 4);
	assert_int_equal(conversations->n, 3);
	for (const SrmJson *item = sequences->child; item != NULL; item = item->next)
		compare_sequence(&golden, item);
	for (const SrmJson *item = conversations->child; item != NULL; item = item->next)
		compare_conversation(&golden, scorer, item);
	print_message("%s: largest difference %.2g\n", golden.model->directory, golden.worst);
	srm_scorer_close(scorer);
	close_golden(&golden);
}

#define MODEL(name)	{name, test_head, NULL, NULL, (void *) name}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL("head-regression"),
		MODEL("head-value"),
		MODEL("head-beaver"),
		MODEL("head-grm"),
		MODEL("head-qwen-rm"),
		MODEL("head-labels"),
		MODEL("head-armorm"),
		MODEL("head-qrm"),
		MODEL("head-urm"),
		MODEL("head-prm"),
		MODEL("head-tokens"),
		MODEL("internlm2"),
		MODEL("internlm2-bias"),
	};

	return cmocka_run_group_tests_name("heads", tests, NULL, NULL);
}
