/*-------------------------------------------------------------------------
 *
 * test_tokenizer_files.c
 *	  Files of tokenizers that are wrong, hostile, or not supported.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer_fixture.h"

/* parts of a tokenizer.json that are not supported are named */
static void
test_unsupported(void **state)
{
	static const struct
	{
		Parts		parts;
		const char *text;
	}			cases[] = {
		{{.normalizer = "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"ByteLevel\"}]}"}, "ByteLevel"},
		{{.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},\"content\":\"a\"}"}, "Replace"},
		{{.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?<n>a)\"},\"content\":\"a\"}"}, "(?<n"},
		{{.normalizer = "{\"type\":\"StripAccents\"}",.added_tokens = "[" ADDED(258, "\xCC\x81", "") "]"}, "leaves nothing"},
		{{.pre_tokenizer = "{\"type\":\"UnicodeScripts\"}"}, "UnicodeScripts"},
		{{.pre_tokenizer = "{\"type\":\"FixedLength\",\"length\":5}"}, "FixedLength"},
		{{.pre_tokenizer = "null"}, "unknown token"},
		{{.pre_tokenizer = "null",.options = "\"unk_token\":\"?!\","}, "unknown token"},
		{{.pre_tokenizer = "null",.options = "\"byte_fallback\":true,\"unk_token\":\"he\","}, "0x00"},
		{{.pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL ",{\"type\":\"Metaspace\",\"replacement\":\"_\"}]}"}, "behind"},
		{{.pre_tokenizer = "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL "," BYTE_LEVEL "]}"}, "behind"},
		{{.options = "\"dropout\":0.1,"}, "dropout"},
		{{.options = "\"continuing_subword_prefix\":\"##\","}, "continuing_subword_prefix"},
		{{.options = "\"end_of_word_suffix\":\"</w>\","}, "end_of_word_suffix"},
		{{.options = "\"type\":\"WordPiece\","}, "WordPiece\" with pre-tokenizer \"ByteLevel"},
		{{.options = "\"type\":\"WordPiece\",",.pre_tokenizer = "null"}, "unknown token"},
		{{.options = "\"type\":\"WordPiece\",\"unk_token\":\"zz\",",.pre_tokenizer = "null"}, "\"zz\""},
		{{.options = "\"type\":\"WordLevel\","}, "WordLevel"},
		{{.pre_tokenizer = SPLIT("a\\\\b")}, "\\b"},
		{{.pre_tokenizer = SPLIT("(?<n>a)")}, "(?<n"},
		{{.pre_tokenizer = SPLIT("a{2}+")}, "{"},
		{{.pre_tokenizer = SPLIT("[a&&b]")}, "&"},
		{{.pre_tokenizer = SPLIT("[[:alpha:]]")}, "["},
		{{.pre_tokenizer = SPLIT("\\\\p{Alpha}")}, "Alpha"},
		{{.pre_tokenizer = SPLIT("(?i:ss)")}, "s"},
		{{.pre_tokenizer = SPLIT("(?i:[^a])")}, "[^"},
		{{.pre_tokenizer = SPLIT("\\\\xE3")}, "xE3"},
		{{.pre_tokenizer = SPLIT("(a")}, "(a"},
		{{.pre_tokenizer = SPLIT("a)")}, ")"},
		{{.pre_tokenizer = SPLIT("[a")}, "[a"},
		{{.pre_tokenizer = SPLIT("*a")}, "*"},
		{{.pre_tokenizer = SPLIT("a\\\\")}, "\\"},
		{{.pre_tokenizer = SPLIT("")}, "empty"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refusal(&cases[i].parts, SRM_NOT_SUPPORTED, cases[i].text);
}

/* wrong contents are named */
static void
test_invalid(void **state)
{
	static const struct
	{
		Parts		parts;
		const char *text;
	}			cases[] = {
		{{.vocab = "{}"}, "no vocabulary"},
		{{.vocab = "[]"}, "no vocabulary"},
		{{.vocab = "null"}, "no vocabulary"},
		{{.vocab = "{\"a\":-1}"}, "\"a\""},
		{{.vocab = "{\"a\":\"1\"}"}, "\"a\""},
		{{.vocab = "{\"a\":1.5}"}, "\"a\""},
		{{.vocab = "{\"a\":null}"}, "\"a\""},
		{{.vocab = "{\"a\":4194304}"}, "\"a\""},
		{{.vocab = "{\"a\":99999999999999999999}"}, "\"a\""},
		{{.vocab = "{\"a\":1,\"b\":1}"}, "\"b\""},
		{{.vocab = "{\"a\":1,\"a\":2}"}, "\"a\""},
		{{.merges = "null"}, "no merges"},
		{{.merges = "{}"}, "no merges"},
		{{.merges = "[1]"}, "Merge 0"},
		{{.merges = "[\"h e\",\"ll\"]"}, "Merge 1"},
		{{.merges = "[\"a b c\"]"}, "Merge 0"},
		{{.merges = "[[\"a\"]]"}, "Merge 0"},
		{{.merges = "[[\"a\",1]]"}, "Merge 0"},
		{{.merges = "[[\"a\",\"b\",\"c\"]]"}, "Merge 0"},
		{{.merges = "[\"zz e\"]"}, "\"zz\""},
		{{.merges = "[\"e zz\"]"}, "\"zz\""},
		{{.merges = "[\"h h\"]"}, "\"hh\""},
		{{.merges = "[\" \"]"}, "\"\""},
		{{.options = "\"ignore_merges\":1,"}, "ignore_merges"},
		{{.options = "\"unk_token\":[],"}, "unk_token"},
		{{.options = "\"type\":\"WordPiece\",\"max_input_chars_per_word\":-1,",.pre_tokenizer = "null"}, "max_input_chars_per_word"},
		{{.normalizer = "{\"type\":\"BertNormalizer\",\"clean_text\":7}"}, "clean_text"},
		{{.normalizer = "{}"}, "no type"},
		{{.normalizer = "[]"}, "no type"},
		{{.normalizer = "{\"type\":\"Sequence\",\"normalizers\":7}"}, "sequence"},
		{{.normalizer = "{\"type\":\"Prepend\"}"}, "prepend"},
		{{.normalizer = "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"}}"}, "content"},
		{{.normalizer = "{\"type\":\"Replace\",\"pattern\":\"a\",\"content\":\"b\"}"}, "pattern"},
		{{.normalizer = "{\"type\":\"Strip\",\"strip_left\":1}"}, "strip_left"},
		{{.normalizer = "{\"type\":\"Precompiled\"}"}, "precompiled_charsmap"},
		{{.pre_tokenizer = "{}"}, "no type"},
		{{.pre_tokenizer = "{\"type\":\"Metaspace\"}"}, "replacement"},
		{{.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"}, "replacement"},
		{{.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"First\"}"}, "prepend_scheme"},
		{{.pre_tokenizer = "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"add_prefix_space\":false}"}, "add_prefix_space"},
		{{.pre_tokenizer = "{\"type\":\"Punctuation\",\"behavior\":\"x\"}"}, "behavior"},
		{{.pre_tokenizer = "{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"\"}"}, "delimiter"},
		{{.pre_tokenizer = "{\"type\":\"Sequence\"}"}, "sequence"},
		{{.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"x\"}"}, "behavior"},
		{{.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":\"a\",\"behavior\":\"Removed\"}"}, "pattern"},
		{{.pre_tokenizer = "{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},\"behavior\":\"Removed\"}"}, "pattern"},
		{{.pre_tokenizer = "{\"type\":\"ByteLevel\",\"use_regex\":3}"}, "use_regex"},
		{{.pre_tokenizer = SPLIT("[b-a]")}, "[b-a]"},
		{{.pre_tokenizer = SPLIT("(?<=a*)b")}, "(?<=a*)b"},
		{{.pre_tokenizer = SPLIT("a{3,2}")}, "a{3,2}"},
		{{.added_tokens = "{}"}, "added tokens"},
		{{.added_tokens = "[1]"}, "added token"},
		{{.added_tokens = "[{\"id\":258}]"}, "added token"},
		{{.added_tokens = "[" ADDED(258, "", "") "]"}, "added token"},
		{{.added_tokens = "[" ADDED(-1, "x", "") "]"}, "added token"},
		{{.added_tokens = "[" ADDED(99, "<x>", "") "]"}, "258 is expected"},
		{{.added_tokens = "[" ADDED(257, "he", "") "]"}, "256 is expected"},
		{{.added_tokens = "[" ADDED(258, "<x>", "") "," ADDED(259, "<x>", "") "]"}, "duplicate"},
		{{.added_tokens = "[" ADDED(258, "<x>", ",\"lstrip\":\"yes\"") "]"}, "lstrip"},
		{{.more_vocab = ",\"x y\":258",.merges = "[]",.added_tokens = "[" ADDED(257, "<x>", "") "," ADDED(258, "<y>", "") "]"}, "another token"},
		{{.normalizer = "{\"type\":\"NFC\"}",.added_tokens = "[" ADDED(258, "\xE1\xB9\xA9", "") "," ADDED(259, "s\xCC\xA3\xCC\x87", "") "]"}, "duplicate"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refusal(&cases[i].parts, SRM_INVALID_MODEL, cases[i].text);
}

static void
expect_json_refusal(const char *json, SrmCode code, const char *text)
{
	SrmTokenizer *tokenizer = srm_tokenizer_load(json, strlen(json), NULL, arena, &status);

	if (tokenizer != NULL || status.code != code ||
		(strstr(status.message, text) == NULL && strstr(status.detail, text) == NULL))
		fail_msg("not refused for \"%s\": %d, %s (%s)", text, status.code, status.message,
				 status.detail);
	srm_status_init(&status);
}

#define UNIGRAM(members) "{\"model\":{\"type\":\"Unigram\"," members "}}"

/* wrong contents of a unigram model are named */
static void
test_invalid_unigram(void **state)
{
	static const struct
	{
		const char *json;
		SrmCode		code;
		const char *text;
	}			cases[] = {
		{UNIGRAM("\"unk_id\":0"), SRM_INVALID_MODEL, "no vocabulary"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":{\"a\":1}"), SRM_INVALID_MODEL, "no vocabulary"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[]"), SRM_INVALID_MODEL, "no vocabulary"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[1]"), SRM_INVALID_MODEL, "Entry 0"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\",-1],[]]"), SRM_INVALID_MODEL, "Entry 1"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\"]]"), SRM_INVALID_MODEL, "Entry 0"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[[1,1]]"), SRM_INVALID_MODEL, "Entry 0"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\",\"b\"]]"), SRM_INVALID_MODEL, "Entry 0"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\",1e999]]"), SRM_INVALID_MODEL, "score of token 0"},
		{UNIGRAM("\"unk_id\":0,\"vocab\":[[\"a\",-1],[\"a\",-2]]"), SRM_INVALID_MODEL, "duplicate"},
		{UNIGRAM("\"unk_id\":1,\"vocab\":[[\"a\",-1]]"), SRM_INVALID_MODEL, "unk_id"},
		{UNIGRAM("\"unk_id\":-1,\"vocab\":[[\"a\",-1]]"), SRM_INVALID_MODEL, "unk_id"},
		{UNIGRAM("\"unk_id\":null,\"vocab\":[[\"a\",-1]]"), SRM_NOT_SUPPORTED, "unknown token"},
		{UNIGRAM("\"unk_id\":0,\"byte_fallback\":3,\"vocab\":[[\"a\",-1]]"), SRM_INVALID_MODEL, "byte_fallback"},
		{"{\"pre_tokenizer\":" BYTE_LEVEL ",\"model\":{\"type\":\"Unigram\"}}", SRM_NOT_SUPPORTED, "ByteLevel"},
	};
	char	   *token;

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_json_refusal(cases[i].json, cases[i].code, cases[i].text);
	token = srm_arena_alloc(arena, 4096, &status);
	sprintf(token, UNIGRAM("\"unk_id\":0,\"vocab\":[[\"%01100d\",-1]]"), 0);
	expect_json_refusal(token, SRM_NOT_SUPPORTED, "too long");
}

/* Text of base64 for n bytes. */
static char *
to_base64(const unsigned char *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char	   *out = srm_arena_alloc(arena, n / 3 * 4 + 8, &status);
	char	   *at = out;

	for (size_t i = 0; i < n; i += 3)
	{
		uint32_t	group = (uint32_t) bytes[i] << 16;

		group |= i + 1 < n ? (uint32_t) bytes[i + 1] << 8 : 0;
		group |= i + 2 < n ? (uint32_t) bytes[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			*at++ = i + k > n ? '=' : digits[group >> (18 - 6 * k) & 63];
	}
	*at = '\0';
	return out;
}

#define CHARSMAP(text) "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"" text "\"}," \
	"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",-1]]}}"

static SrmTokenizer *
load_charsmap(const unsigned char *bytes, size_t n)
{
	char	   *base64 = to_base64(bytes, n);
	size_t		size = strlen(base64) + 256;
	char	   *json = srm_arena_alloc(arena, size, &status);

	snprintf(json, size, CHARSMAP("%s"), base64);
	return srm_tokenizer_load(json, strlen(json), NULL, arena, &status);
}

/* a table of rules that leads anywhere is refused, when it is loaded or when a text gets there */
static void
test_hostile_charsmap(void **state)
{
	/* The root, a unit for 'a' that has a leaf, and its leaf: 'a' becomes strings[value] */
	unsigned char table[] = {
		(unsigned char) (4 * 128), 4 * 128 >> 8, 0, 0
	};
	unsigned char blob[4 + 4 * 128 + 8] = {0};
	const size_t leaf = 4 + 4 * 96;	/* at unit 'a' ^ 1 = 96 */
	SrmTokens	tokens = {NULL, 0, 0};

	(void) state;
	memcpy(blob, table, 4);
	blob[4 + 4 * 'a'] = 'a';
	blob[4 + 4 * 'a' + 1] = 1 | 1 << 2;	/* a leaf; offset 1 */
	memcpy(blob + 4 + 4 * 128, "xy\0\xC3\xA9\0\0", 8);
	assert_non_null(load_charsmap(blob, sizeof(blob)));
	tokens = encode(load_charsmap(blob, sizeof(blob)), "ba", 2, NULL, 0);
	assert_int_equal(tokens.n, 1);
	for (int value = 0; value < 300; value++)
	{
		SrmTokenizer *tokenizer;
		bool		is_right = value <= 8 && value != 4;

		blob[leaf] = (unsigned char) value;
		blob[leaf + 1] = (unsigned char) (value >> 8);
		tokenizer = load_charsmap(blob, sizeof(blob));
		assert_non_null(tokenizer);
		assert_int_equal(srm_tokenizer_encode(tokenizer, "ba", 2, NULL, 0, arena, &tokens, NULL, &status),
						 is_right);
		assert_int_equal(status.code, is_right ? SRM_OK : SRM_INVALID_MODEL);
		srm_status_init(&status);
	}
	blob[4 + 4 * 'a' + 2] = 0xFF;	/* an offset behind the table */
	assert_false(srm_tokenizer_encode(load_charsmap(blob, sizeof(blob)), "a", 1, NULL, 0, arena, &tokens, NULL, &status));
	srm_status_init(&status);
	for (size_t n = 0; n < 4 + 4 * 128; n++)
	{
		assert_null(load_charsmap(blob, n));
		assert_int_equal(status.code, SRM_INVALID_MODEL);
		srm_status_init(&status);
	}
	blob[0] = 2;					/* no whole unit */
	assert_null(load_charsmap(blob, sizeof(blob)));
	srm_status_init(&status);
	expect_json_refusal(CHARSMAP("%%%%"), SRM_INVALID_MODEL, "precompiled_charsmap");
	expect_json_refusal(CHARSMAP("AA=A"), SRM_INVALID_MODEL, "precompiled_charsmap");
	expect_json_refusal(CHARSMAP("AAA"), SRM_INVALID_MODEL, "precompiled_charsmap");
	expect_json_refusal(CHARSMAP("BAAAAAAAAAD/"), SRM_INVALID_MODEL, "precompiled_charsmap");
}

/* a text cannot be made endless */
static void
test_growth(void **state)
{
	static const char *const patterns[] = {"\"String\":\"a\"", "\"Regex\":\"a\"", "\"Regex\":\"x*\""};

	(void) state;
	for (size_t i = 0; i < 3; i++)
	{
		char	   *json = srm_arena_alloc(arena, 8192, &status);
		char	   *text = srm_arena_alloc(arena, 1 << 16, &status);
		SrmTokenizer *tokenizer;
		SrmTokens	tokens = {NULL, 0, 0};

		sprintf(json, "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{%s},\"content\":\"%04000d\"},"
				"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",-1]]}}", patterns[i], 0);
		tokenizer = srm_tokenizer_load(json, strlen(json), NULL, arena, &status);
		assert_non_null(tokenizer);
		memset(text, 'a', 1 << 16);
		assert_false(srm_tokenizer_encode(tokenizer, text, 1 << 16, NULL, 0, arena, &tokens, NULL, &status));
		assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
		srm_status_init(&status);
		assert_int_equal(encode(tokenizer, "ab", 2, NULL, 0).n, 1);
		srm_tokenizer_free(tokenizer);
	}
}

/* Repeats a text n times between two others. */
static char *
repeated(const char *before, const char *text, size_t n, const char *after)
{
	size_t		length = strlen(text);
	char	   *out = srm_arena_alloc(arena, strlen(before) + n * length + strlen(after) + 1, &status);
	char	   *at = stpcpy(out, before);

	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, text);
	strcpy(at, after);
	return out;
}

/* files that are too large in one way or another */
static void
test_excess(void **state)
{
	Parts		steps = {.pre_tokenizer = repeated("{\"type\":\"Sequence\",\"pretokenizers\":[", "{\"type\":\"Digits\"},", 1000, BYTE_LEVEL "]}")};
	Parts		deep = {.pre_tokenizer = repeated("", "{\"type\":\"Sequence\",\"pretokenizers\":[", 100000, "")};
	Parts		content = {.added_tokens = repeated("[{\"id\":258,\"content\":\"", "x", 2000, "\"}]")};
	Parts		groups = {.pre_tokenizer = repeated("{\"type\":\"Split\",\"behavior\":\"Removed\",\"pattern\":{\"Regex\":\"", "(", 5000, "\"}}")};
	Parts		pattern = {.pre_tokenizer = repeated("{\"type\":\"Split\",\"behavior\":\"Removed\",\"pattern\":{\"Regex\":\"", "ab", 50000, "\"}}")};
	Parts		forms = {.normalizer = repeated("{\"type\":\"Sequence\",\"normalizers\":[", "{\"type\":\"NFD\"},", 1000, "{\"type\":\"NFD\"}]}")};

	(void) state;
	expect_refusal(&steps, SRM_NOT_SUPPORTED, "too many");
	expect_refusal(&deep, SRM_INVALID_MODEL, "nested");
	expect_refusal(&content, SRM_NOT_SUPPORTED, "too long");
	expect_refusal(&groups, SRM_NOT_SUPPORTED, "(");
	expect_refusal(&pattern, SRM_NOT_SUPPORTED, "too long");
	expect_refusal(&forms, SRM_NOT_SUPPORTED, "too many");
}

/* a great many added tokens are no problem */
static void
test_many_added_tokens(void **state)
{
	size_t		n = 100000;
	char	   *added = srm_arena_alloc(arena, n * 40, &status);
	char	   *at = added;
	Parts		parts = {.added_tokens = added};
	SrmTokenizer *tokenizer;
	SrmTokens	tokens;

	(void) state;
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "%c{\"id\":%zu,\"content\":\"<%zu\"}", i == 0 ? '[' : ',', 258 + i, i);
	strcpy(at, "]");
	tokenizer = load_parts(&parts);
	tokens = encode(tokenizer, "a<99999<1234567<x", 17, NULL, 0);
	assert_int_equal(tokens.n, 7);
	assert_int_equal(tokens.items[1].id, 258 + 99999);
	assert_int_equal(tokens.items[2].id, 258 + 12345);
	assert_int_equal(tokens.items[3].start, 13);
	srm_tokenizer_free(tokenizer);
}

/* a file of the other kind with bytes changed at random is refused or loads */
static void
test_damaged_unigram(void **state)
{
	static const char text[] = "a ab, x\xC3\xA9 \xEF\xBC\xA1\xE3\x80\x80 <s> e\xCC\x81\xE2\x80\xA6";

	(void) state;
	srand(4);
	for (size_t i = 0; i < 400; i++)
	{
		size_t		length;
		char	   *json = read_text_file(FOLDER "xlmr.json", &length);
		char	   *table = strstr(json, "precompiled_charsmap");
		SrmTokenizer *tokenizer;

		/* Half of the damage to the table, which is a small part of the file */
		for (int k = 0; k < 3; k++)
			if (i % 2 == 0)
				json[(size_t) rand() % length] = (char) rand();
			else
				table[24 + rand() % 1400] = "AQgw/+05"[rand() % 8];
		tokenizer = srm_tokenizer_load(json, length, NULL, arena, &status);
		assert_int_equal(tokenizer == NULL, status.code != SRM_OK);
		srm_status_init(&status);
		if (tokenizer != NULL)
		{
			SrmTokens	tokens = {NULL, 0, 0};

			srm_tokenizer_encode(tokenizer, text, sizeof(text) - 1, NULL, 0, arena, &tokens, NULL, &status);
			srm_status_init(&status);
		}
		srm_tokenizer_free(tokenizer);
		srm_arena_reset(arena);
	}
}

/* every prefix of a file, and files with a byte changed, are refused or load */
static void
test_damaged(void **state)
{
	size_t		length;
	char	   *json = read_text_file(FOLDER "unknown.json", &length);

	(void) state;
	srand(3);
	for (size_t i = 0; i < 4 * length; i++)
	{
		char	   *copy = malloc(length);
		size_t		n = i < length ? i : length;
		SrmTokenizer *tokenizer;

		memcpy(copy, json, length);
		if (i >= length)
			copy[i % length] = (char) rand();
		tokenizer = srm_tokenizer_load(copy, n, NULL, arena, &status);
		free(copy);
		assert_int_equal(tokenizer == NULL, status.code != SRM_OK);
		srm_status_init(&status);
		if (tokenizer != NULL)
		{
			SrmTokens	tokens = {NULL, 0, 0};

			srm_tokenizer_encode(tokenizer, "a ab, x\xC3\xA9 ", 10, NULL, 0, arena, &tokens, NULL, &status);
			srm_status_init(&status);
		}
		srm_tokenizer_free(tokenizer);
		srm_arena_reset(arena);
		if (i + 1 < 4 * length)
			json = read_text_file(FOLDER "unknown.json", &length);
	}
}

/*
 * bytes that a vocabulary of bytes lacks are dropped, where it has nothing in
 * their stead: ids as by tokenizers 0.23.3, which moves the tokens behind them, though
 */
static void
test_missing_bytes(void **state)
{
	static const Parts parts = {
		.vocab = "{\"a\":0,\"b\":1,\"h\":2,\"e\":3,\"he\":4,\"\xC4\xA0\":5}",.merges = "[\"h e\"]"
	};
	static const struct
	{
		const char *text;
		SrmToken	tokens[5];
		size_t		n;
	}			cases[] = {
		{"a\x04" "b", {{0, 0, 1}, {1, 2, 3}}, 2},
		{"\x04", {{0}}, 0},
		{"h\xC3\xA9" "e", {{4, 0, 4}}, 1},
		{"\xC3\xA9" "a", {{0, 0, 3}}, 1},
		{"a \x04 b", {{0, 0, 1}, {5, 1, 3}, {5, 3, 4}, {1, 4, 5}}, 4},
		{"h\xC3\xA9 he", {{2, 0, 3}, {5, 3, 4}, {4, 4, 6}}, 3},
	};
	SrmTokenizer *tokenizer = load_parts(&parts);

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		SrmTokens	tokens = encode(tokenizer, cases[i].text, strlen(cases[i].text), NULL, 0);

		assert_int_equal(tokens.n, cases[i].n);
		for (size_t t = 0; t < tokens.n; t++)
		{
			assert_int_equal(tokens.items[t].id, cases[i].tokens[t].id);
			assert_int_equal(tokens.items[t].start, cases[i].tokens[t].start);
			assert_int_equal(tokens.items[t].end, cases[i].tokens[t].end);
		}
	}
	srm_tokenizer_free(tokenizer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_missing_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsupported, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalid, setup, teardown),
		cmocka_unit_test_setup_teardown(test_invalid_unigram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_charsmap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_growth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_excess, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_added_tokens, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_unigram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
