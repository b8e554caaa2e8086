/*-------------------------------------------------------------------------
 *
 * test_lengths.c
 *	  Sentences that are neither too short nor too long.
 *
 *-------------------------------------------------------------------------
 */
#include "score/lengths.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "segment/chars.h"
#include "testing.h"

static SrmModel *model;
static SrmArena *arena;
static SrmStatus status;

static int
open_model(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	model = srm_model_open("test/data/models/qwen2", NULL, NULL, &status);
	return model == NULL || arena == NULL;
}

static int
close_model(void **state)
{
	(void) state;
	srm_model_close(model);
	srm_arena_free(arena);
	return 0;
}

static size_t
count_tokens(const char *text, size_t length)
{
	SrmTokens	tokens = {0};

	assert_true(srm_tokenizer_encode(model->tokenizer, text, length, NULL, 0, arena, &tokens, NULL, &status));
	return tokens.n;
}

/* Tokens of the whole text that end in a sentence, all or those that show more than white space */
static size_t
count_within(const SrmTokens *tokens, const SrmSentence *sentence, const char *text, bool all)
{
	size_t		n = 0;

	for (size_t i = 0; i < tokens->n; i++)
	{
		const SrmToken *token = &tokens->items[i];

		if (token->end > sentence->start && token->end <= sentence->end)
			n += all || srm_skip_space(text, token->start, token->end) < token->end;
	}
	return n;
}

/* Texts with "|" between sentences, before and after; the marks are no part of them. */
static SrmSentences
read_marked(const char *marked, char *text, size_t *length)
{
	SrmSentences sentences = {srm_arena_array(arena, strlen(marked) + 1, sizeof(SrmSentence), &status), 0};
	uint32_t	start = 0;

	*length = 0;
	for (; *marked != '\0'; marked++)
	{
		if (*marked != '|')
		{
			text[(*length)++] = *marked;
			continue;
		}
		sentences.items[sentences.n++] = (SrmSentence) {start, (uint32_t) *length};
		start = (uint32_t) *length;
	}
	sentences.items[sentences.n++] = (SrmSentence) {start, (uint32_t) *length};
	return sentences;
}

static void
assert_becomes(const char *marked, size_t min, size_t max, const char *expected)
{
	char		text[512];
	char		wanted[512];
	size_t		length;
	SrmSentences sentences = read_marked(marked, text, &length);
	SrmSentences other = read_marked(expected, wanted, &length);
	SrmLengths	lengths = {min, max};

	assert_true(srm_sentences_limit(&sentences, lengths, text, length, model->tokenizer, arena, NULL, &status));
	assert_memory_equal(text, wanted, length);
	assert_int_equal(sentences.n, other.n);
	for (size_t i = 0; i < other.n; i++)
	{
		assert_int_equal(sentences.items[i].start, other.items[i].start);
		assert_int_equal(sentences.items[i].end, other.items[i].end);
	}
}

static void
test_no_limits(void **state)
{
	(void) state;
	assert_becomes("Yes. |No. |It is so, I think.", 0, 0, "Yes. |No. |It is so, I think.");
	assert_becomes("Yes. |No. |It is so, I think.", 1, 0, "Yes. |No. |It is so, I think.");
	assert_becomes("Yes. |No. |It is so, I think.", 0, 1000, "Yes. |No. |It is so, I think.");
}

static void
test_short_ones_join(void **state)
{
	size_t		yes = count_tokens("Yes. ", 5);

	(void) state;
	/* the one behind, */
	assert_becomes("Yes. |We saw what all the others saw there. ", yes + 1, 0,
				   "Yes. We saw what all the others saw there. ");
	/* or the one before where there is none, */
	assert_becomes("We saw what all the others saw there. |Yes. ", yes + 1, 0,
				   "We saw what all the others saw there. Yes. ");
	/* until there is enough, */
	assert_becomes("Yes. |Yes. |Yes. |Yes. |We saw what all the others saw there. ", 2 * yes, 0,
				   "Yes. Yes. |Yes. Yes. |We saw what all the others saw there. ");
	/* all of them, */
	assert_becomes("Yes. |Yes. |Yes. ", 1000, 0, "Yes. Yes. Yes. ");
	/* but not to more than the longest */
	assert_becomes("Yes. |Yes. |Yes. ", 1000, 2 * yes + 1, "Yes. Yes. |Yes. ");
}

/* The best of the places that are left to choose from, and the last of them. */
static void
test_long_ones_are_cut(void **state)
{
	const char *words = "they came and saw and went and ";
	char		text[256];
	char		expected[256];
	static const char *const ends[] = {"\n", ". ", "; ", ", ", " "};

	(void) state;
	for (size_t i = 0; i < 4; i++)
	{
		/* what comes later is worse */
		snprintf(text, sizeof(text), "%sleft%sthey came%shome again", words, ends[i], ends[i + 1]);
		snprintf(expected, sizeof(expected), "%sleft%s|they came%shome again", words, ends[i], ends[i + 1]);
		assert_becomes(text, 0, count_tokens(text, strlen(text)) - 1, expected);
	}
	/* no mark, but no space either */
	assert_becomes("they met at 10:30", 0, count_tokens("they met at 10:30", 17) - 1, "they met at |10:30");
}

/* Random texts: the pieces tile, are not too long, and short ones had no room. */
static void
test_random_texts(void **state)
{
	static const char *const parts[] = {
		"word", " ", " and", ", ", ". ", "\n\n", "你好", "。", "😀", "    ", "))", "\"", "é", "123", " The", "\t", "; "
	};
	char		text[4096];

	(void) state;
	srand(7);
	for (int round = 0; round < 2000; round++)
	{
		SrmTokens	tokens = {0};
		SrmSentences sentences;
		SrmLengths	lengths = {(size_t) rand() % 12, (size_t) rand() % 20};
		size_t		length = 0;
		size_t		at = 0;

		srm_arena_reset(arena);
		sentences = (SrmSentences) {srm_arena_array(arena, 300, sizeof(SrmSentence), &status), 0};
		for (int i = rand() % 120 + 1; i > 0; i--)
		{
			const char *part = parts[rand() % (int) (sizeof(parts) / sizeof(parts[0]))];

			memcpy(text + length, part, strlen(part));
			length += strlen(part);
			if (rand() % 4 == 0 || i == 1)
			{
				sentences.items[sentences.n++] = (SrmSentence) {(uint32_t) at, (uint32_t) length};
				at = length;
			}
		}
		assert_true(srm_sentences_limit(&sentences, lengths, text, length, model->tokenizer, arena, NULL, &status));
		assert_true(srm_tokenizer_encode(model->tokenizer, text, length, NULL, 0, arena, &tokens, NULL, &status));
		at = 0;
		for (size_t i = 0; i < sentences.n; i++)
		{
			size_t		n = count_within(&tokens, &sentences.items[i], text, lengths.max == 0);

			assert_int_equal(sentences.items[i].start, at);
			assert_true(sentences.items[i].end > at);
			at = sentences.items[i].end;
			assert_true(at == length || !srm_utf8_is_continuation((unsigned char) text[at]));
			/* a character has four tokens at most */
			if (lengths.max > 0)
				assert_true(n <= lengths.max + 3);
			else if (n < lengths.min)
				assert_int_equal(sentences.n, 1);
		}
		assert_int_equal(at, length);
	}
}

/* Long rows of what is skipped, or of one kind of place: it takes moments, or minutes. */
static void
test_long_rows(void **state)
{
	static const char *const parts[] = {")", " ", "\n", "a", ".", "你", "😀", "a ", ") "};

	(void) state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		size_t		size = strlen(parts[i]);
		size_t		length = 200000 / size * size;
		SrmSentence one = {0, (uint32_t) length};
		SrmSentences sentences = {&one, 1};
		char	   *text;

		srm_arena_reset(arena);
		text = srm_arena_alloc(arena, length, &status);
		for (size_t at = 0; at < length; at += size)
			memcpy(text + at, parts[i], size);
		assert_true(srm_sentences_limit(&sentences, (SrmLengths) {0, 50000}, text, length, model->tokenizer,
										arena, NULL, &status));
		assert_true(sentences.n <= 16);
		assert_int_equal(sentences.items[sentences.n - 1].end, length);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_limits),
		cmocka_unit_test(test_short_ones_join),
		cmocka_unit_test(test_long_ones_are_cut),
		cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_long_rows),
	};

	return cmocka_run_group_tests(tests, open_model, close_model);
}
