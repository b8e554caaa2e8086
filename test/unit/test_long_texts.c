/*-------------------------------------------------------------------------
 *
 * test_long_texts.c
 *	  Texts beyond the length that a model was first made for, where rotary position
 *	  depends on how long the whole text is.
 *
 * That the states are those of transformers is for test_golden.c.
 *
 *-------------------------------------------------------------------------
 */
#include "../kernels_environment.h"
#include "golden.h"

#include "score/scorer.h"
#include "score/values.h"

static const char *const names[] = {"phi3-long", "llama-dynamic"};

#define N_NAMES		(sizeof(names) / sizeof(names[0]))

/* One short, some long, one of them as long as another. */
static const char *const responses[] = {
	"No.", "It is so. Why, then, is it so? Who knows! It ends here.", "Yes. It is so.",
	"It is so. Why, then, is it so? Who knows! It ends there, and not here, as one might think.",
	"It is so. Why, then, is it so? Who knows! It ends here!", "No."
};

#define N_RESPONSES	(sizeof(responses) / sizeof(responses[0]))

static SrmArena *arena;
static SrmStatus status;
static SrmScorer *scorer;
static SrmScoreOptions options;
static SrmMessage messages[2] = {{"user", "Is it so?", 9, NULL}};

static int
set_up(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	return arena == NULL;
}

static int
tear_down(void **state)
{
	(void) state;
	srm_arena_free(arena);
	return 0;
}

static void
open_scorer(const char *name)
{
	char		path[256];

	snprintf(path, sizeof(path), MODELS "%s", name);
	scorer = srm_scorer_open(path, NULL, NULL, &status);
	assert_ok(&status);
	srm_scorer_defaults(scorer, &options);
	options.want_tokens = true;
}

static SrmScored
score(const char *response)
{
	SrmScored	scored;

	messages[1] = (SrmMessage) {"assistant", response, strlen(response), NULL};
	(void) srm_scorer_score(scorer, messages, 2, &options, arena, &scored, NULL, &status);
	assert_ok(&status);
	return scored;
}

/* The score by one pass over the whole text. */
static double
score_at_once(const char *response)
{
	const SrmModel *model = scorer->model;
	SrmLayout	layout;
	int32_t    *ids;
	uint32_t	last;
	float	   *hidden = srm_arena_array(arena, model->decoder.dim, sizeof(float), &status);
	double		value;

	messages[1] = (SrmMessage) {"assistant", response, strlen(response), NULL};
	assert_true(srm_scorer_layout(scorer, messages, 2, &options, arena, &layout, NULL, &status));
	ids = srm_arena_array(arena, layout.tokens.n, sizeof(int32_t), &status);
	for (size_t i = 0; i < layout.tokens.n; i++)
		ids[i] = layout.tokens.items[i].id;
	last = (uint32_t) layout.tokens.n - 1;
	forward_text(&model->decoder, NULL, false, ids, layout.tokens.n, &last, 1, hidden, 1, NULL, &status);
	assert_true(srm_model_values(&value, hidden, NULL, model, 1, arena, &status));
	assert_ok(&status);
	return value;
}

static void
assert_same(const SrmScored *a, const SrmScored *b)
{
	assert_int_equal(a->n_tokens, b->n_tokens);
	assert_memory_equal(&a->score, &b->score, sizeof(double));
	assert_memory_equal(a->rewards, b->rewards, (a->n + 1) * sizeof(double));
}

/* a prompt is computed for the text that it begins: scores are those of one pass over all of it */
static void
test_scores(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_NAMES; i++)
	{
		size_t		n_long = 0;

		open_scorer(names[i]);
		for (size_t j = 0; j < N_RESPONSES; j++)
		{
			SrmScored	scored = score(responses[j]);

			n_long += srm_decoder_rope_length(&scorer->model->decoder, scored.n_tokens) > 0;
			assert_close(scored.score, score_at_once(responses[j]), 1e-5);
		}
		assert_true(n_long >= 3 && n_long < N_RESPONSES);
		srm_scorer_close(scorer);
	}
}

/* the same bits one after the other, together, and alone */
static void
test_same_bits(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_NAMES; i++)
	{
		SrmMessage	list[N_RESPONSES];
		SrmScored	one_by_one[N_RESPONSES];
		SrmScored	together[N_RESPONSES];

		open_scorer(names[i]);
		for (size_t j = 0; j < N_RESPONSES; j++)
		{
			list[j] = (SrmMessage) {"assistant", responses[j], strlen(responses[j]), NULL};
			one_by_one[j] = score(responses[j]);
		}
		srm_scorer_close(scorer);
		open_scorer(names[i]);
		(void) srm_scorer_score_responses(scorer, messages, 1, list, N_RESPONSES, &options, arena, together, NULL, &status);
		assert_ok(&status);
		srm_scorer_close(scorer);
		for (size_t j = 0; j < N_RESPONSES; j++)
		{
			SrmScored	alone;

			open_scorer(names[i]);
			alone = score(responses[j]);
			assert_same(&one_by_one[j], &alone);
			assert_same(&together[j], &alone);
			srm_scorer_close(scorer);
		}
	}
}

/* how long texts may be, and up to where nothing depends on it */
static void
test_lengths(void **state)
{
	const SrmDecoder *decoder;

	(void) state;
	open_scorer("phi3-long");
	decoder = &scorer->model->decoder;
	assert_int_equal(scorer->model->max_tokens, 256);
	assert_int_equal(srm_decoder_plain_tokens(decoder), 40);
	assert_int_equal(srm_decoder_rope_length(decoder, 40), 0);
	assert_int_equal(srm_decoder_rope_length(decoder, 41), 41);
	assert_int_equal(srm_decoder_rope_length(decoder, 256), 41);
	srm_scorer_close(scorer);

	open_scorer("llama-dynamic");
	decoder = &scorer->model->decoder;
	assert_int_equal(scorer->model->max_tokens, 150);
	assert_int_equal(srm_decoder_plain_tokens(decoder), 60);
	assert_int_equal(srm_decoder_rope_length(decoder, 60), 0);
	assert_int_equal(srm_decoder_rope_length(decoder, 61), 61);
	assert_int_equal(srm_decoder_rope_length(decoder, 150), 150);
	srm_scorer_close(scorer);

	open_scorer("llama-yarn");
	assert_true(srm_decoder_plain_tokens(&scorer->model->decoder) == SIZE_MAX);
	assert_int_equal(srm_decoder_rope_length(&scorer->model->decoder, 1000), 0);
	srm_scorer_close(scorer);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scores),
		TEST(test_same_bits),
		TEST(test_lengths),
	};

	choose_kernels_of_environment();
	return cmocka_run_group_tests_name("long texts", tests, NULL, NULL);
}
