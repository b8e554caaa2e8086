/*-------------------------------------------------------------------------
 *
 * test_tokenizer.c
 *	  Tokens of nasty texts, against those of the tokenizers library.
 *
 * tools/golden/make_tokenizers.py makes both the tokenizers and the numbers.
 * Ids and offsets must be the same; there is no tolerance.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer_fixture.h"

#include <time.h>

#include "tokenizer/pretokenizer_regex.h"

/* Compares with ids and with offsets, the latter as gap and length of each token. */
static void
compare(const char *name, int index, const SrmTokens *tokens, const SrmJson *ids,
		const SrmJson *steps)
{
	const SrmJson *id = ids->child;
	const SrmJson *step = steps->child;
	long		last = 0;

	for (size_t i = 0; i < tokens->n && id != NULL; i++, id = id->next)
	{
		long		start = last + (long) json_number(step);

		last = start + (long) json_number(step->next);
		step = step->next->next;
		if (tokens->items[i].id != (int32_t) json_number(id) ||
			tokens->items[i].start != start || tokens->items[i].end != last)
			fail_msg("%s, text %d: token %zu is %d at [%u, %u), not %s at [%ld, %ld)",
					 name, index, i, tokens->items[i].id, tokens->items[i].start,
					 tokens->items[i].end, id->text, start, last);
	}
	if (tokens->n != ids->n)
		fail_msg("%s, text %d: %zu tokens, not %u", name, index, tokens->n, ids->n);
}

static void
check_named(const char *name, SrmTokenizer *tokenizer, const SrmJson *texts)
{
	char		path[256];
	const SrmJson *cases;

	snprintf(path, sizeof(path), FOLDER "%s.expected.json", name);
	cases = read_json_file(path, arena, &status);
	assert_true(cases->n > 100);
	for (const SrmJson *c = cases->child; c != NULL; c = c->next)
	{
		int			index = (int) json_number(c->child);
		bool		is_special = json_number(c->child->next) != 0.0;
		const SrmJson *text = texts->child;
		SrmRange	all;
		SrmTokens	tokens;

		for (int i = 0; i < index; i++)
			text = text->next;
		all.start = 0;
		all.end = text->n;
		tokens = encode(tokenizer, text->text, text->n, &all, is_special ? 1 : 0);
		compare(name, index, &tokens, c->child->next->next, c->child->next->next->next);
	}
	srm_tokenizer_free(tokenizer);
}

/* ids and offsets are those of the tokenizers library, also where the tables lie in an image */
static void
test_reference(void **state)
{
	static const char *const names[] = {
		"gpt2", "llama3", "qwen2", "o200k", "deepseek", "digits", "flags", "compatible",
		"split_removed", "split_previous", "split_next", "split_contiguous", "split_invert",
		"split_invert_next", "split_empty", "split_empty_isolated", "split_lines",
		"split_spaces", "split_escapes", "split_possessive", "unknown", "unknown_fused",
		"llama2", "mistral", "gemma", "internlm2", "llama2_old", "metaspace_always",
		"metaspace_first", "metaspace_never", "metaspace_cleaned", "replaced", "words",
		"words_fused", "xlmr", "t5", "unigram_bytes", "unigram_plain", "bert", "bert_cased",
		"bert_accents", "bert_short", "wordpiece", "falcon", "split_behind"
	};
	const SrmJson *texts = read_json_file(FOLDER "texts.json", arena, &status);

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		size_t		size;
		const char *image = pack_named(names[i], &size);

		check_named(names[i], load_named(names[i]), texts);
		check_named(names[i], open_image(image, size), texts);
	}
}

/* a rendered conversation has the ids that apply_chat_template() gives, with one token of beginning */
static void
test_chats(void **state)
{
	const SrmJson *cases = read_json_file(FOLDER "chats.json", arena, &status);

	(void) state;
	assert_true(cases->n >= 7);
	for (const SrmJson *c = cases->child; c != NULL; c = c->next)
	{
		const SrmJson *text = c->child->next;
		const SrmJson *id = text->next->child;
		SrmTokenizer *tokenizer = load_named(c->child->text);
		SrmRange	all = {0, text->n};
		SrmTokens	tokens = encode(tokenizer, text->text, text->n, &all, 1);
		int			n_begin = 0;

		if (tokens.n != text->next->n)
			fail_msg("%s: %zu tokens, not %u", c->child->text, tokens.n, text->next->n);
		for (size_t i = 0; i < tokens.n; i++, id = id->next)
		{
			if (tokens.items[i].id != (int32_t) json_number(id))
				fail_msg("%s: token %zu is %d, not %s", c->child->text, i, tokens.items[i].id, id->text);
			n_begin += tokens.items[i].id == srm_tokenizer_find(tokenizer, "<s>");
		}
		assert_int_equal(n_begin, strncmp(text->text, "<s>", 3) == 0);
		srm_tokenizer_free(tokenizer);
	}
}

/* ---- classes of characters ---- */

/* Calls for each code point of [gap, count, ...]. */
static void
mark_ranges(const SrmJson *ranges, uint8_t *marks)
{
	size_t		code = 0;

	for (const SrmJson *item = ranges->child; item != NULL; item = item->next->next)
	{
		size_t		count = (size_t) json_number(item->next);

		code += (size_t) json_number(item);
		assert_true(code + count <= 0x110000);
		memset(marks + code, 1, count);
		code += count;
	}
}

/* Marks the code points that a pattern matches, of those that are tested. */
static void
mark_matches(const char *pattern, const uint8_t *tested, uint8_t *marks)
{
	SrmRegex   *regex = srm_regex_open(pattern, false, arena, &status);
	static char text[4 * 4096];

	if (regex == NULL)
		fail_msg("%s: %s (%s)", pattern, status.message, status.detail);
	for (uint32_t first = 0; first < 0x110000; first += 4096)
	{
		size_t		length = 0;
		bool		found;
		SrmRange	match;

		for (uint32_t code = first; code < first + 4096; code++)
			if (tested[code])
				length += srm_utf8_encode(code, text + length);
		assert_true(srm_regex_start(regex, text, length, NULL, &status));
		while (srm_regex_next(regex, &match, &found, &status) && found)
		{
			size_t		at = match.start;

			marks[srm_utf8_next(text, length, &at)] = 1;
			assert_int_equal(at, match.end);
		}
		assert_int_equal(status.code, SRM_OK);
	}
	srm_regex_close(regex);
}

/* what a pattern matches in ICU is what it matches in Oniguruma */
static void
test_classes(void **state)
{
	const SrmJson *classes = read_json_file(FOLDER "classes.json", arena, &status);
	uint8_t    *tested = srm_arena_array(arena, 0x110000, 1, &status);
	uint8_t    *expected = srm_arena_array(arena, 0x110000, 1, &status);
	uint8_t    *found = srm_arena_array(arena, 0x110000, 1, &status);

	(void) state;
	mark_ranges(classes->child->child->next, tested);
	for (const SrmJson *c = classes->child->next; c != NULL; c = c->next)
	{
		memset(expected, 0, 0x110000);
		memset(found, 0, 0x110000);
		mark_ranges(c->child->next, expected);
		mark_matches(c->child->text, tested, found);
		for (uint32_t code = 0; code < 0x110000; code++)
			if (expected[code] != found[code])
				fail_msg("%s: U+%04X is %s", c->child->text, code,
						 found[code] ? "a match" : "no match");
	}
}

/* a right file loads, and its tokens can be looked up */
static void
test_vocabulary(void **state)
{
	Parts		parts = {.added_tokens = "[" ADDED(256, "he", "") "," ADDED(258, "<s>", SPECIAL) "]"};
	SrmTokenizer *tokenizer = load_parts(&parts);
	size_t		length = 0;

	(void) state;
	assert_int_equal(srm_tokenizer_n_ids(tokenizer), 259);
	assert_int_equal(srm_tokenizer_find(tokenizer, "<s>"), 258);
	assert_int_equal(srm_tokenizer_find(tokenizer, "he"), 256);
	assert_int_equal(srm_tokenizer_find(tokenizer, "\xC4\xA0"), ' ');
	assert_int_equal(srm_tokenizer_find(tokenizer, "nothing"), -1);
	assert_int_equal(srm_tokenizer_find(tokenizer, ""), -1);
	assert_memory_equal(srm_tokenizer_token(tokenizer, 258, &length), "<s>", 3);
	assert_int_equal(length, 3);
	assert_memory_equal(srm_tokenizer_token(tokenizer, ' ', &length), "\xC4\xA0", 2);
	assert_int_equal(length, 2);
	assert_null(srm_tokenizer_token(tokenizer, -1, &length));
	assert_null(srm_tokenizer_token(tokenizer, 259, &length));
	srm_tokenizer_free(tokenizer);
	srm_tokenizer_free(NULL);
}

/* ---- special tokens and ranges ---- */

static int
count_id(const SrmTokens *tokens, int32_t id)
{
	int			n = 0;

	for (size_t i = 0; i < tokens->n; i++)
		n += tokens->items[i].id == id;
	return n;
}

/* a special token is one only where it lies within a range */
static void
test_special_ranges(void **state)
{
	Parts		parts = {.added_tokens = "[" ADDED(258, "<s>", SPECIAL) "]"};
	SrmTokenizer *tokenizer = load_parts(&parts);
	const char *text = "<s><s>a<s>";
	const SrmRange ranges[] = {{0, 3}, {3, 5}, {7, 10}};
	SrmTokens	tokens;

	(void) state;
	tokens = encode(tokenizer, text, 10, NULL, 0);
	assert_int_equal(count_id(&tokens, 258), 0);
	tokens = encode(tokenizer, text, 10, ranges, 1);
	assert_int_equal(count_id(&tokens, 258), 1);
	tokens = encode(tokenizer, text, 10, ranges, 3);
	assert_int_equal(count_id(&tokens, 258), 2);
	assert_int_equal(tokens.items[0].id, 258);
	assert_int_equal(tokens.items[tokens.n - 1].id, 258);
	assert_int_equal(tokens.items[tokens.n - 1].start, 7);
	srm_tokenizer_free(tokenizer);
}

/* nor can text reach it as a word of the vocabulary, whole or merged */
static void
test_special_words(void **state)
{
	static const char unigram[] = "{\"added_tokens\":[" ADDED(1, "ab", SPECIAL) "],"
		"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"?\",-1],[\"ab\",-1],[\"a\",-9],[\"b\",-9]]}}";
	Parts		parts = {
		.added_tokens = "[" ADDED(256, "he", SPECIAL) "," ADDED(257, "ll", "") "]",
		.options = "\"ignore_merges\":true,"
	};
	SrmTokenizer *tokenizers[] = {
		load_parts(&parts), srm_tokenizer_load(unigram, sizeof(unigram) - 1, NULL, arena, &status)
	};
	SrmRange	all = {0, 2};
	SrmTokens	tokens;

	(void) state;
	for (int i = 0; i < 2; i++)
	{
		const char *text = i == 0 ? "he" : "ab";

		tokens = encode(tokenizers[i], text, 2, NULL, 0);
		assert_int_equal(tokens.n, 2);
		tokens = encode(tokenizers[i], text, 2, &all, 1);
		assert_int_equal(tokens.n, 1);
		assert_int_equal(tokens.items[0].id, srm_tokenizer_find(tokenizers[i], text));
		srm_tokenizer_free(tokenizers[i]);
	}
}

/* text before a special token cannot swallow its beginning */
static void
test_special_not_swallowed(void **state)
{
	Parts		parts = {.added_tokens = "[" ADDED(258, "<s>", SPECIAL) "," ADDED(259, "x<", SPECIAL)
	"," ADDED(120, "x", "") "]"};
	SrmTokenizer *tokenizer = load_parts(&parts);
	const SrmRange range = {1, 4};
	SrmTokens	tokens = encode(tokenizer, "x<s>", 4, &range, 1);

	(void) state;
	assert_int_equal(tokens.n, 2);
	assert_int_equal(tokens.items[0].id, 'x');
	assert_int_equal(tokens.items[1].id, 258);
	srm_tokenizer_free(tokenizer);
}

/* a special token that is searched for after normalization keeps to the ranges too */
static void
test_special_normalized(void **state)
{
	Parts		parts = {
		.normalizer = "{\"type\":\"NFC\"}",
		.added_tokens = "[" ADDED(258, "<\xC3\xA9>", ",\"special\":true,\"normalized\":true") "]"
	};
	SrmTokenizer *tokenizer = load_parts(&parts);
	const char *text = "e\xCC\x81<e\xCC\x81><e\xCC\x81>";	/* tokens at 3 and 8 */
	const SrmRange range = {8, 13};
	SrmTokens	tokens = encode(tokenizer, text, 13, &range, 1);

	(void) state;
	assert_int_equal(count_id(&tokens, 258), 1);
	assert_int_equal(tokens.items[tokens.n - 1].id, 258);
	assert_int_equal(tokens.items[tokens.n - 1].start, 8);
	assert_int_equal(tokens.items[tokens.n - 1].end, 13);
	srm_tokenizer_free(tokenizer);
}

/* tokens of random pieces of special and other text: the ranges change nothing else */
static void
test_ranges_add_up(void **state)
{
	SrmTokenizer *tokenizer = load_named("qwen2");
	static const char *const pieces[] = {"<|im_start|>", "user\n", "Hi, it's 12.", "<|im_end|>", "\n", "<think>"};
	int32_t		start_id = srm_tokenizer_find(tokenizer, "<|im_start|>");

	(void) state;
	srand(1);
	for (int run = 0; run < 200; run++)
	{
		char		text[512] = "";
		SrmRange	ranges[16];
		size_t		n_ranges = 0;
		int			n_expected = 0;
		SrmTokens	tokens;

		for (int i = 0; i < 16; i++)
		{
			const char *piece = pieces[rand() % 6];
			bool		is_special = rand() % 2 == 0;

			if (is_special)
			{
				ranges[n_ranges].start = (uint32_t) strlen(text);
				ranges[n_ranges++].end = (uint32_t) (strlen(text) + strlen(piece));
			}
			n_expected += is_special && piece == pieces[0];
			strcat(text, piece);
		}
		tokens = encode(tokenizer, text, strlen(text), ranges, n_ranges);
		assert_int_equal(count_id(&tokens, start_id), n_expected);
		for (size_t i = 0, last = 0; i < tokens.n; last = tokens.items[i++].end)
			assert_int_equal(tokens.items[i].start, last);
	}
	srm_tokenizer_free(tokenizer);
}

/* tokens are appended to those that are there */
static void
test_append(void **state)
{
	Parts		parts = {.options = ""};
	SrmTokenizer *tokenizer = load_parts(&parts);
	SrmTokens	tokens = {NULL, 0, 0};

	(void) state;
	for (int i = 0; i < 600; i++)
		assert_true(srm_tokenizer_encode(tokenizer, "hell", 4, NULL, 0, arena, &tokens, NULL, &status));
	assert_int_equal(tokens.n, 1200);
	assert_int_equal(tokens.items[1198].id, 256);
	assert_int_equal(tokens.items[1199].id, 257);
	srm_tokenizer_free(tokenizer);
}

/* ---- merging ---- */

/* the quick way to merge a long word and the plain one give the same */
static void
test_merge_twins(void **state)
{
	static const char *const names[] = {"gpt2", "split_empty"};

	(void) state;
	srand(2);
	for (size_t k = 0; k < 2; k++)
	{
		char		path[256];
		const SrmJson *json;
		SrmBpe		bpe = {.ignore_merges = false};
		SrmWord		plain = {.arena = arena};
		SrmWord		quick = {.arena = arena};

		snprintf(path, sizeof(path), FOLDER "%s.json", names[k]);
		json = read_json_file(path, arena, &status);
		assert_true(srm_bpe_load(&bpe, srm_json_member(json, "model"), true, arena, &status));
		for (int run = 0; run < 2000; run++)
		{
			static const char letters[] = "aeinorst  hld.";
			size_t		n = 1 + (size_t) (rand() % 120);

			assert_true(srm_word_reserve(&plain, n, &status));
			assert_true(srm_word_reserve(&quick, n, &status));
			for (size_t i = 0; i < n; i++)
			{
				char		letter = letters[rand() % (run % 13 + 1)];

				plain.symbols[i].id = bpe.byte_ids[(unsigned char) letter];
				plain.symbols[i].length = 1;
			}
			memcpy(quick.symbols, plain.symbols, n * sizeof(SrmSymbol));
			plain.n = quick.n = n;
			srm_bpe_merge_short(&bpe.merges, &plain);
			assert_true(srm_bpe_merge_long(&bpe.merges, &quick, NULL, &status));
			assert_int_equal(plain.n, quick.n);
			assert_memory_equal(plain.symbols, quick.symbols, plain.n * sizeof(SrmSymbol));
		}
	}
}

static double
seconds(void)
{
	return (double) clock() / CLOCKS_PER_SEC;
}

static double
time_letters(SrmTokenizer *tokenizer, const char *letters, size_t n)
{
	char	   *text = srm_arena_alloc(arena, n, &status);
	size_t		period = strlen(letters);
	double		start;

	for (size_t i = 0; i < n; i++)
		text[i] = letters[i % period];
	start = seconds();
	encode(tokenizer, text, n, NULL, 0);
	return seconds() - start;
}

/* a megabyte without a space takes no more than a few times what words take */
static void
test_long_words(void **state)
{
	static const char *const worst[] = {"a", " ", "\n", "1", "!", "ab", "\xCC\x81", "\xCC\x81\xCC\xA3", "<", "\xF0\x9F\x98\x80", " \n", "'"};

	(void) state;
	for (size_t i = 0; i < sizeof(worst) / sizeof(worst[0]); i++)
	{
		static const char *const names[] = {"gpt2", "qwen2", "flags", "llama2", "gemma", "metaspace_cleaned", "unigram_bytes"};

		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
		{
			SrmTokenizer *tokenizer = load_named(names[k]);
			double		time = time_letters(tokenizer, worst[i], 1 << 20);

			/* Quadratic time would be hours; the sanitizers take a few seconds */
			if (time > 20.0)
				fail_msg("%s takes %.1f s for a megabyte of \"%s\"", names[k], time, worst[i]);
			srm_tokenizer_free(tokenizer);
		}
	}
}

/* ---- giving up ---- */

static bool
stop_at_once(void *arg)
{
	++*(int *) arg;
	return true;
}

static bool
stop_later(void *arg)
{
	return ++*(int *) arg > 20;
}

/* the stop callback is asked, also in the middle of one long word */
static void
test_stop(void **state)
{
	SrmTokenizer *tokenizer = load_named("gpt2");
	size_t		n = 3 << 20;
	char	   *text = srm_arena_alloc(arena, n, &status);
	int			calls = 0;
	SrmStop		stop = {stop_at_once, &calls, NULL};
	SrmTokens	tokens = {NULL, 0, 0};

	(void) state;
	assert_false(srm_tokenizer_encode(tokenizer, "a b", 3, NULL, 0, arena, &tokens, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
	assert_int_equal(calls, 1);
	srm_status_init(&status);
	for (size_t i = 0; i < n; i++)
		text[i] = "the"[i % 3];
	stop.callback = stop_later;
	calls = 0;
	assert_false(srm_tokenizer_encode(tokenizer, text, n, NULL, 0, arena, &tokens, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
	srm_status_init(&status);
	/* and the tokenizer goes on */
	assert_int_equal(encode(tokenizer, "a", 1, NULL, 0).n, 1);
	srm_tokenizer_free(tokenizer);
}

/* a pattern that takes exponential time is an error, not a wait */
static void
test_catastrophic_regex(void **state)
{
	Parts		parts = {.pre_tokenizer = SPLIT("(a|aa)+$")};
	SrmTokenizer *tokenizer = load_parts(&parts);
	char		text[201];
	SrmTokens	tokens = {NULL, 0, 0};
	double		start = seconds();

	(void) state;
	memset(text, 'a', 200);
	text[200] = 'b';
	assert_false(srm_tokenizer_encode(tokenizer, text, 201, NULL, 0, arena, &tokens, NULL, &status));
	assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
	assert_non_null(strstr(status.detail, "(a|aa)+$"));
	assert_true(seconds() - start < 20.0);
	srm_status_init(&status);
	assert_int_equal(encode(tokenizer, "aab", 3, NULL, 0).n, 3);
	srm_tokenizer_free(tokenizer);
}

/* a part of a text is at the start only if it is; positions count from there */
static void
test_parts(void **state)
{
	SrmTokenizer *tokenizer = load_named("mistral");
	const char *text = "<s>the the";
	const SrmRange special = {0, 3};
	SrmTokens	parts = {NULL, 0, 0};
	SrmTokens	whole = encode(tokenizer, text, 10, &special, 1);
	const SrmRange ranges[] = {{0, 3}, {3, 6}, {6, 6}, {6, 10}};

	(void) state;
	for (size_t i = 0; i < 4; i++)
		assert_true(srm_tokenizer_encode_part(tokenizer, text, ranges[i], &special, 1, arena,
											  &parts, NULL, &status));
	assert_int_equal(parts.n, whole.n);
	for (size_t i = 0; i < whole.n; i++)
	{
		assert_int_equal(parts.items[i].id, whole.items[i].id);
		assert_int_equal(parts.items[i].start, whole.items[i].start);
		assert_int_equal(parts.items[i].end, whole.items[i].end);
	}
	/* and at the start there is a space more */
	parts.n = 0;
	assert_true(srm_tokenizer_encode_part(tokenizer, "xa", (SrmRange) {1, 2}, NULL, 0, arena,
										  &parts, NULL, &status));
	assert_int_equal(parts.n, 1);
	assert_int_equal(parts.items[0].start, 1);
	whole = encode(tokenizer, "a", 1, NULL, 0);
	assert_int_not_equal(whole.items[0].id, parts.items[0].id);
	srm_tokenizer_free(tokenizer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reference, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vocabulary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_not_swallowed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_normalized, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges_add_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_append, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merge_twins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_catastrophic_regex, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
