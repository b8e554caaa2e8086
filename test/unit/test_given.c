/*-------------------------------------------------------------------------
 *
 * test_given.c
 *	  Sentences that a caller gives.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/given.h"

#include <string.h>

#include "base/utf8.h"
#include "testing.h"

typedef struct Fixture
{
	SrmArena   *arena;
	SrmStatus	status;
	SrmGiven	given;
} Fixture;

static int
setup(void **state)
{
	static Fixture fixture;

	srm_status_init(&fixture.status);
	fixture.arena = srm_arena_create(&fixture.status);
	*state = &fixture;
	return fixture.arena == NULL;
}

static int
teardown(void **state)
{
	Fixture    *fixture = *state;

	srm_arena_free(fixture->arena);
	return 0;
}

/* Gives all ends and says that there is no further one. */
static bool
give_ends(Fixture *fixture, const char *text, const int64_t *ends, size_t n)
{
	srm_status_init(&fixture->status);
	srm_given_begin(&fixture->given, text, strlen(text), fixture->arena);
	for (size_t i = 0; i < n; i++)
		if (!srm_given_end(&fixture->given, ends[i], &fixture->status))
			return false;
	return srm_given_finish(&fixture->given, &fixture->status);
}

static bool
give_sentences(Fixture *fixture, const char *text, const char *const *sentences, size_t n)
{
	srm_status_init(&fixture->status);
	srm_given_begin(&fixture->given, text, strlen(text), fixture->arena);
	for (size_t i = 0; i < n; i++)
		if (!srm_given_sentence(&fixture->given, sentences[i], strlen(sentences[i]), &fixture->status))
			return false;
	return srm_given_finish(&fixture->given, &fixture->status);
}

static void
assert_fails(Fixture *fixture, const char *message, const char *detail)
{
	assert_int_equal(fixture->status.code, SRM_INVALID_ARGUMENT);
	assert_string_equal(fixture->status.message, message);
	assert_string_equal(fixture->status.detail, detail);
	assert_true(fixture->status.hint[0] != '\0');
}

/* Characters are counted, bytes are what is kept: 1, 2, 3 and 4 of them. */
static void
test_ends_are_characters(void **state)
{
	Fixture    *fixture = *state;
	const char *text = "aé你😀.";
	int64_t		ends[] = {2, 3, 4, 5};
	uint32_t	bytes[] = {0, 3, 6, 10, 11};

	assert_true(give_ends(fixture, text, ends, 4));
	assert_int_equal(fixture->given.sentences.n, 4);
	for (int i = 0; i < 4; i++)
	{
		assert_int_equal(fixture->given.sentences.items[i].start, bytes[i]);
		assert_int_equal(fixture->given.sentences.items[i].end, bytes[i + 1]);
	}
}

static void
test_sentences_are_ends(void **state)
{
	Fixture    *fixture = *state;
	const char *text = "aé你😀.";
	const char *const sentences[] = {"aé", "你", "😀."};

	assert_true(give_sentences(fixture, text, sentences, 3));
	assert_int_equal(fixture->given.sentences.n, 3);
	assert_int_equal(fixture->given.sentences.items[1].start, 3);
	assert_int_equal(fixture->given.sentences.items[1].end, 6);
	assert_int_equal(fixture->given.characters, 5);
}

static void
test_empty_text_has_no_sentence(void **state)
{
	Fixture    *fixture = *state;
	int64_t		end = 0;
	const char *sentence = "";

	assert_true(give_ends(fixture, "", NULL, 0));
	assert_int_equal(fixture->given.sentences.n, 0);
	assert_false(give_ends(fixture, "", &end, 1));
	assert_false(give_sentences(fixture, "", &sentence, 1));
}

/* Every way to cut a text of eight characters is taken, and tiles it. */
static void
test_all_ways_to_cut(void **state)
{
	Fixture    *fixture = *state;
	const char *text = "né. 你!\n😀";

	assert_int_equal(srm_utf8_count(text, strlen(text)), 8);
	for (unsigned cuts = 0; cuts < 1 << 7; cuts++)
	{
		int64_t		ends[8];
		size_t		n = 0;
		size_t		at = 0;

		for (int i = 0; i < 7; i++)
			if (cuts >> i & 1)
				ends[n++] = i + 1;
		ends[n++] = 8;
		assert_true(give_ends(fixture, text, ends, n));
		assert_int_equal(fixture->given.sentences.n, n);
		for (size_t i = 0; i < n; i++)
		{
			const SrmSentence *sentence = &fixture->given.sentences.items[i];

			assert_int_equal(sentence->start, at);
			assert_true(sentence->end > at);
			at = sentence->end;
			assert_int_equal(srm_utf8_count(text, at), ends[i]);
		}
		assert_int_equal(at, strlen(text));
	}
}

static void
test_ends_that_do_not_fit(void **state)
{
	Fixture    *fixture = *state;

	assert_false(give_ends(fixture, "你好。", (int64_t[]) {1, 1, 3}, 3));
	assert_fails(fixture, "ends of sentences must ascend", "Element 2 is 1, but must be greater than 1.");
	assert_false(give_ends(fixture, "你好。", (int64_t[]) {0, 3}, 2));
	assert_fails(fixture, "ends of sentences must ascend", "Element 1 is 0, but must be greater than 0.");
	assert_false(give_ends(fixture, "你好。", (int64_t[]) {INT64_MIN + 1}, 1));
	assert_fails(fixture, "ends of sentences must ascend",
				 "Element 1 is -9223372036854775807, but must be greater than 0.");
	assert_false(give_ends(fixture, "你好。", (int64_t[]) {2, 4}, 2));
	assert_fails(fixture, "end of a sentence lies behind the response",
				 "Element 2 is 4, but the response has 3 characters.");
	assert_false(give_ends(fixture, "你好。", (int64_t[]) {INT64_MAX}, 1));
	assert_fails(fixture, "end of a sentence lies behind the response",
				 "Element 1 is 9223372036854775807, but the response has 3 characters.");
	assert_false(give_ends(fixture, "你好。", (int64_t[]) {1, 2}, 2));
	assert_fails(fixture, "sentences do not reach the end of the response",
				 "The last element, number 2, ends at character 2, but the response has 3.");
	assert_false(give_ends(fixture, "你好。", NULL, 0));
	assert_fails(fixture, "sentences do not reach the end of the response",
				 "There is no element, but the response has 3 characters.");
}

static void
test_sentences_that_do_not_fit(void **state)
{
	Fixture    *fixture = *state;
	const char *message = "sentences do not make up the response";

	assert_false(give_sentences(fixture, "One. Two.", (const char *[]) {"One.", "Two."}, 2));
	assert_fails(fixture, message, "Element 2 is not what the response has from character 5 on.");
	assert_false(give_sentences(fixture, "One. Two.", (const char *[]) {"One. ", "", "Two."}, 3));
	assert_fails(fixture, message, "Element 2 is empty.");
	assert_false(give_sentences(fixture, "One. Two.", (const char *[]) {"One. ", "Two.", "Three."}, 3));
	assert_fails(fixture, message, "Element 3 lies behind the response, which has 9 characters.");
	assert_false(give_sentences(fixture, "One. Two.", (const char *[]) {"One. ", "Two. "}, 2));
	assert_fails(fixture, message, "Element 2 is not what the response has from character 6 on.");
	assert_false(give_sentences(fixture, "One. Two.", (const char *[]) {"One. "}, 1));
	assert_fails(fixture, "sentences do not reach the end of the response",
				 "The last element, number 1, ends at character 5, but the response has 9.");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ends_are_characters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sentences_are_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_text_has_no_sentence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_ways_to_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_that_do_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sentences_that_do_not_fit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
