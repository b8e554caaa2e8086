/*-------------------------------------------------------------------------
 *
 * test_sat.c
 *	  Segmenters that are models, against numbers computed elsewhere.
 *
 * tools/golden/make_segmenters.py makes the models and states their formulas in
 * numpy; it compares them with wtpsplit.  Tolerance: 1e-5 of a probability, where
 * both compute in f32 from the same weights.
 *
 *-------------------------------------------------------------------------
 */
#include "golden.h"

#include "sat/sat.h"

#define PROBABILITY_TOLERANCE	1e-5

static const char *const names[] = {"sat", "sat-sm", "sat-split", "sat-stops"};

#define N_NAMES	(sizeof(names) / sizeof(names[0]))

typedef struct Fixture
{
	SrmSat	   *sat;
	SrmArena   *arena;
	const SrmJson *cases;
} Fixture;

static Fixture
open_sat(const char *name, const SrmModelOptions *options)
{
	Fixture		fixture;
	SrmStatus	status = {0};
	char		path[256];

	snprintf(path, sizeof(path), MODELS "%s", name);
	fixture.sat = srm_sat_open(path, options, NULL, &status);
	assert_ok(&status);
	fixture.arena = srm_arena_create(&status);
	snprintf(path, sizeof(path), MODELS "%s/expected.json", name);
	fixture.cases = srm_json_member(read_json_file(path, fixture.arena, &status), "cases");
	return fixture;
}

static void
close_sat(Fixture *fixture)
{
	srm_arena_free(fixture->arena);
	srm_sat_close(fixture->sat);
}

static double
probability(double logit)
{
	return 1 / (1 + exp(-logit));
}

static SrmSatOptions
options_of(const Fixture *fixture, const SrmJson *json)
{
	SrmSatOptions options;

	srm_sat_defaults(fixture->sat, &options);
	options.threshold = json_number(srm_json_member(json, "threshold"));
	options.stride = (size_t) json_number(srm_json_member(json, "stride"));
	return options;
}

/* Ids, ends and probabilities of the tokens of a case; the largest difference. */
static double
compare_tokens(Fixture *fixture, const SrmJson *json, double tolerance)
{
	SrmStatus	status = {0};
	SrmSatOptions options = options_of(fixture, json);
	const char *text = srm_json_string(srm_json_member(json, "text"));
	const SrmJson *id = srm_json_member(json, "ids")->child;
	const SrmJson *end = srm_json_member(json, "ends")->child;
	const SrmJson *logit = srm_json_member(json, "logits")->child;
	SrmTokens	tokens;
	double	   *logits;
	double		worst = 0;

	srm_sat_logits(fixture->sat, text, strlen(text), &options, fixture->arena, &tokens, &logits, NULL, &status);
	assert_ok(&status);
	assert_int_equal(tokens.n, srm_json_member(json, "ids")->n);
	for (size_t i = 0; i < tokens.n; i++, id = id->next, end = end->next, logit = logit->next)
	{
		double		difference = fabs(probability(logits[i]) - probability(json_number(logit)));

		assert_int_equal(tokens.items[i].id, (int) json_number(id));
		assert_int_equal(tokens.items[i].end, (int) json_number(end));
		if (!(difference <= tolerance))
			fail_msg("probability of token %zu is %.9g, expected %.9g, in \"%s\"", i, probability(logits[i]),
					 probability(json_number(logit)), text);
		worst = difference > worst ? difference : worst;
	}
	return worst;
}

/* Sentences of a case, without white space around them, as wtpsplit's. */
static void
compare_sentences(Fixture *fixture, const SrmJson *json)
{
	SrmStatus	status = {0};
	SrmSatOptions options = options_of(fixture, json);
	const char *text = srm_json_string(srm_json_member(json, "text"));
	const SrmJson *expected = srm_json_member(json, "sentences")->child;
	SrmSegmenter *segmenter = srm_segmenter_open("sat-only:it", "", &status);
	SrmSatSplitter splitter;
	SrmSentences sentences;
	size_t		at = 0;

	srm_sat_splitter_init(&splitter, fixture->sat, &options);
	srm_segmenter_set_splitter(segmenter, &splitter.splitter);
	srm_segment(segmenter, text, strlen(text), fixture->arena, &sentences, NULL, &status);
	assert_ok(&status);
	assert_int_equal(sentences.n, srm_json_member(json, "sentences")->n);
	for (size_t i = 0; i < sentences.n; i++, expected = expected->next)
	{
		const char *sentence = srm_json_string(expected);
		const char *found = strstr(text + at, sentence);

		assert_int_equal(sentences.items[i].start, at);
		/* White space alone stands before and behind it */
		assert_non_null(found);
		assert_true(found - text + (ptrdiff_t) strlen(sentence) <= (ptrdiff_t) sentences.items[i].end);
		at = sentences.items[i].end;
	}
	assert_int_equal(at, strlen(text));
	srm_segmenter_free(segmenter);
}

static void
test_probabilities(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_NAMES; i++)
	{
		Fixture		fixture = open_sat(names[i], NULL);
		double		worst = 0;

		for (const SrmJson *json = fixture.cases->child; json != NULL; json = json->next)
		{
			double		difference = compare_tokens(&fixture, json, PROBABILITY_TOLERANCE);

			worst = difference > worst ? difference : worst;
		}
		print_message("%s: %.2g at most\n", names[i], worst);
		close_sat(&fixture);
	}
}

/* With weights prepared for each arithmetic, which differs by its roundings. */
static void
test_arithmetic(void **state)
{
	static const struct
	{
		SrmComputeChoice choice;
		double		tolerance;
	}			kinds[] = {{SRM_CHOICE_F32, PROBABILITY_TOLERANCE}, {SRM_CHOICE_BF16, 0.1}};

	(void) state;
	for (size_t k = 0; k < 2; k++)
	{
		SrmModelOptions how = {.compute_choice = kinds[k].choice};
		Fixture		fixture = open_sat("sat", &how);

		for (const SrmJson *json = fixture.cases->child; json != NULL; json = json->next)
			compare_tokens(&fixture, json, kinds[k].tolerance);
		close_sat(&fixture);
	}
}

static void
test_sentences(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_NAMES; i++)
	{
		Fixture		fixture = open_sat(names[i], NULL);

		for (const SrmJson *json = fixture.cases->child; json != NULL; json = json->next)
			compare_sentences(&fixture, json);
		close_sat(&fixture);
	}
}

/* Cuts a text by "sat:" with the model that cuts at stops; | parts what is expected. */
static void
check_prose(SrmSat *sat, const char *expected)
{
	SrmStatus	status = {0};
	SrmArena   *arena = srm_arena_create(&status);
	SrmSegmenter *segmenter = srm_segmenter_open("sat:it", "", &status);
	SrmSatOptions options;
	SrmSatSplitter splitter;
	SrmSentences sentences;
	char		text[512];
	char		found[600] = "";
	size_t		n = 0;

	for (const char *c = expected; *c != '\0'; c++)
		if (*c != '~')
			text[n++] = *c;
	text[n] = '\0';
	srm_sat_defaults(sat, &options);
	srm_sat_splitter_init(&splitter, sat, &options);
	srm_segmenter_set_splitter(segmenter, &splitter.splitter);
	srm_segment(segmenter, text, n, arena, &sentences, NULL, &status);
	assert_ok(&status);
	for (size_t i = 0; i < sentences.n; i++)
	{
		strcat(found, i == 0 ? "" : "~");
		strncat(found, text + sentences.items[i].start, sentences.items[i].end - sentences.items[i].start);
	}
	assert_string_equal(found, expected);
	srm_segmenter_free(segmenter);
	srm_arena_free(arena);
}

/* Blocks, rows of tables and ends of lines are those of the rules; the model decides within lines. */
static void
test_prose(void **state)
{
	static const char *const texts[] = {
		"One. ~Two! ~Three",
		"Dr. ~Smith came. ~He left.",	/* the rules would not cut behind "Dr." */
		"A heading\n\n~Then. ~A text",
		"- one item\n~- another. ~Yes\n~- third",
		"This line goes on over a margin of the page and\nends here. ~Next.",
		"Code:\n\n~```c\nx = 1. y = 2.\nz!\n```\n~Behind. ~It.",
		"Before. ~So:\n\n~$$\nx = 1. y! z\n$$\n~After. ~It.",
		"A table.\n\n~| a. b | c! d |\n| --- | --- |\n~| e. f | g |\n\n~End. ~It.",
		"...",
		"  \n"
	};
	Fixture		fixture = open_sat("sat-stops", NULL);

	(void) state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_prose(fixture.sat, texts[i]);
	close_sat(&fixture);
}

#define DIGITS	"0123456789abcdef0123456789abcdef"

static SrmSat *
open_refused(const char *name, const char *message)
{
	SrmStatus	status = {0};
	char		path[256];
	SrmSat	   *sat;

	snprintf(path, sizeof(path), MODELS "%s", name);
	sat = srm_sat_open(path, NULL, NULL, &status);
	assert_string_equal(status.message, message);
	return sat;
}

static void
test_refused(void **state)
{
	SrmStatus	status = {0};
	SrmArena   *arena = srm_arena_create(&status);
	SrmSegmenter *segmenter = srm_segmenter_open("sat:none", "", &status);
	SrmSentences sentences;

	(void) state;
	assert_null(open_refused("llama", "a model of architecture \"LlamaForSequenceClassification\" is no segmenter"));
	assert_null(open_refused("xlm-roberta", "a model of architecture \"XLMRobertaForSequenceClassification\" is no segmenter"));

	/* A segmenter that nobody has given a model */
	assert_false(srm_segment(segmenter, "One. Two.", 9, arena, &sentences, NULL, &status));
	assert_int_equal(status.code, SRM_NOT_SUPPORTED);
	assert_false(srm_segmenter_known("sat:"));
	assert_false(srm_segmenter_known("sat"));
	assert_true(srm_segmenter_known("sat-only:x"));

	/* What a model may name says which model it is, by all digits */
	assert_true(srm_segmenter_is_pinned("icu"));
	assert_true(srm_segmenter_is_pinned("regex:@"));
	assert_true(srm_segmenter_is_pinned("sat:x@" DIGITS DIGITS));
	assert_true(srm_segmenter_is_pinned("sat-only:x@" DIGITS DIGITS));
	assert_false(srm_segmenter_is_pinned("sat:x"));
	assert_false(srm_segmenter_is_pinned("sat:x@" DIGITS));
	assert_false(srm_segmenter_is_pinned("sat:x@" DIGITS DIGITS "0"));
	assert_false(srm_segmenter_is_pinned("sat-only:x@X" DIGITS "123456789abcdef0123456789abcdef"));
	srm_segmenter_free(segmenter);
	srm_arena_free(arena);
}

static bool
stop_third(void *arg)
{
	return ++*(int *) arg == 3;
}

/* A long text is read chunk by chunk to its end, and can be stopped. */
static void
test_long(void **state)
{
	size_t		n = 100 * 1024;
	char	   *text = malloc(n);
	Fixture		fixture = open_sat("sat-stops", NULL);
	SrmSatOptions options;
	SrmStatus	status = {0};
	int			calls = 0;
	SrmStop		stop = {.callback = stop_third,.arg = &calls};
	SrmTokens	tokens;
	double	   *logits;

	(void) state;
	for (size_t i = 0; i < n; i++)
		text[i] = "One. Two! "[i % 10];
	srm_sat_defaults(fixture.sat, &options);
	assert_true(srm_sat_logits(fixture.sat, text, n, &options, fixture.arena, &tokens, &logits, NULL, &status));
	for (size_t i = 0; i < tokens.n; i++)
		assert_int_equal(logits[i] > 0, strchr(".!", text[tokens.items[i].end - 1]) != NULL);
	assert_false(srm_sat_logits(fixture.sat, text, n, &options, fixture.arena, &tokens, &logits, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
	close_sat(&fixture);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probabilities),
		cmocka_unit_test(test_arithmetic),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_prose),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
