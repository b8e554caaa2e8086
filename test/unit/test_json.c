/*-------------------------------------------------------------------------
 *
 * test_json.c
 *	  Tests of reading JSON: what is accepted, what is refused, and where.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/json_write.h"

/* From a copy that ends with its last byte, so that a sanitizer sees who reads further. */
static SrmJson *
parse_bytes(const char *json, size_t length)
{
	char	   *copy = malloc(length == 0 ? 1 : length);
	SrmJson    *tree;

	assert_non_null(copy);
	memcpy(copy, json, length);
	srm_status_init(&status);
	tree = srm_json_parse(copy, length, "file \"x\"", arena, &status);
	free(copy);
	return tree;
}

static SrmJson *
parse(const char *json)
{
	return parse_bytes(json, strlen(json));
}

static void
test_json_tree(void **state)
{
	const SrmJson *json = parse("{\"a\": [1, -2.5e3, {\"b\": \"x\"}], \"c\": null, \"d\": true, \"a2\": \"\"}");
	const SrmJson *array = srm_json_member(json, "a");
	double		number;

	(void) state;
	assert_non_null(json);
	assert_int_equal(json->n, 4);
	assert_int_equal(array->n, 3);
	assert_true(srm_json_number(array->child->next, &number));
	assert_true(number == -2500.0);
	assert_string_equal(srm_json_string(srm_json_member(array->child->next->next, "b")), "x");
	assert_null(srm_json_member(json, "c"));
	assert_null(srm_json_member(json, "e"));
	assert_null(srm_json_member(srm_json_member(json, "e"), "f"));
	assert_int_equal(srm_json_member(json, "d")->type, SRM_JSON_TRUE);
}

static void
test_json_escapes(void **state)
{
	const SrmJson *json = parse("[\"\\u00e4\\u20ac\\ud83d\\ude00\\n\\\\u0041\\u0041\\\"\"]");

	(void) state;
	assert_non_null(json);
	assert_string_equal(json->child->text, "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\n\\u0041A\"");
}

/* every text that RFC 8259 allows in a place where parsers differ */
static void
test_json_accepted(void **state)
{
	static const char *const texts[] = {
		"0", "-0", "-0.0e-0", "1E+2", "123456789012345678901234567890", "1e999", " \t\r\n[ ] ", "{}", "[[],{}]",
		"\"\"", "\"/\\/\\b\\f\\n\\r\\t\"", "\"\x7f\"", "true", "false", "null", "{\"\":0}",
		"{\"a\":1,\"a\":2}", "\"\\uFFFF\\ufffe\"", "\"\xF4\x8F\xBF\xBF\"", "\"\\uDBFF\\uDFFF\""
	};

	(void) state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (parse(texts[i]) == NULL)
			fail_msg("%s: %s %s", texts[i], status.message, status.detail);
}

/* what is no JSON is refused, and says where it stops to be */
static void
test_json_refused(void **state)
{
	static const struct
	{
		const char *text;
		const char *detail;
	}			cases[] = {
		{"", "Expected a value at line 1, column 1."},
		{" \n ", "Expected a value at line 2, column 2."},
		{"{", "Expected a name in double quotes at line 1, column 2."},
		{"[", "Expected a value at line 1, column 2."},
		{"[1", "Expected \",\" or \"]\" at line 1, column 3."},
		{"[1,]", "Expected a value at line 1, column 4."},
		{"[,1]", "Expected a value at line 1, column 2."},
		{"[1 2]", "Expected \",\" or \"]\" at line 1, column 4."},
		{"[1}", "Expected \",\" or \"]\" at line 1, column 3."},
		{"{\"a\" 1}", "Expected \":\" at line 1, column 6."},
		{"{\"a\":1,}", "Expected a name in double quotes at line 1, column 8."},
		{"{\"a\":1 \"b\":2}", "Expected \",\" or \"}\" at line 1, column 8."},
		{"{a:1}", "Expected a name in double quotes at line 1, column 2."},
		{"{'a':1}", "Expected a name in double quotes at line 1, column 2."},
		{"{1:1}", "Expected a name in double quotes at line 1, column 2."},
		{"[1] 2", "Expected the end of the text at line 1, column 5."},
		{"]", "Expected a value at line 1, column 1."},
		{"nul", "Expected a value at line 1, column 1."},
		{"nulll", "Expected the end of the text at line 1, column 5."},
		{"True", "Expected a value at line 1, column 1."},
		{"[NaN]", "Expected a value at line 1, column 2."},
		{"[Infinity]", "Expected a value at line 1, column 2."},
		{"[-Infinity]", "Invalid number at line 1, column 2."},
		{"[01]", "Expected \",\" or \"]\" at line 1, column 3."},
		{"[-]", "Invalid number at line 1, column 2."},
		{"[+1]", "Expected a value at line 1, column 2."},
		{"[.5]", "Expected a value at line 1, column 2."},
		{"[1.]", "Invalid number at line 1, column 2."},
		{"[1.e3]", "Invalid number at line 1, column 2."},
		{"[1e]", "Invalid number at line 1, column 2."},
		{"[1e+]", "Invalid number at line 1, column 2."},
		{"[0x10]", "Expected \",\" or \"]\" at line 1, column 3."},
		{"[1,\v2]", "Expected a value at line 1, column 4."},
		{"[1 /* one */]", "Expected \",\" or \"]\" at line 1, column 4."},
		{"\xEF\xBB\xBF[]", "Expected a value at line 1, column 1."},
		{"[\"a\nb\"]", "Control character in a string at line 1, column 4."},
		{"[\"\xC3\xA4\x1f\"]", "Control character in a string at line 1, column 4."},
		{"[\"", "The text ends within a string at line 1, column 3."},
		{"[\"\\", "The text ends within a string at line 1, column 4."},
		{"[\"\\\"]", "The text ends within a string at line 1, column 6."},
		{"[\"\\x41\"]", "Invalid escape at line 1, column 3."},
		{"[\"\\u12\"]", "Invalid escape at line 1, column 3."},
		{"[\"\\u12g4\"]", "Invalid escape at line 1, column 3."},
		{"[\"\\U0041\"]", "Invalid escape at line 1, column 3."},
		{"[\"a\\u0000\"]", "\\u0000 cannot be represented at line 1, column 4."},
		{"[\"\\ud83d\"]", "Unpaired surrogate at line 1, column 3."},
		{"[\"\\ud83d\\u0041\"]", "Unpaired surrogate at line 1, column 3."},
		{"[\"\\ud83d\\ud83d\"]", "Unpaired surrogate at line 1, column 3."},
		{"[\"\\ud83d\\n\"]", "Unpaired surrogate at line 1, column 3."},
		{"[\"\\ud83d\\ud\"]", "Unpaired surrogate at line 1, column 3."},
		{"[\"\\udc00x\"]", "Unpaired surrogate at line 1, column 3."},
		{"{\"a\":\n\n tru}", "Expected a value at line 3, column 2."},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		if (parse(cases[i].text) != NULL)
			fail_msg("accepted: %s", cases[i].text);
		assert_int_equal(status.code, SRM_INVALID_MODEL);
		assert_string_equal(status.message, "invalid JSON in file \"x\"");
		assert_string_equal(status.detail, cases[i].detail);
	}
}

/* bytes that are no text are refused before anything is read */
static void
test_json_bytes(void **state)
{
	static const char *const texts[] = {
		"[\"\xff\"]", "[\"\xC0\x80\"]", "[\"\xED\xA0\x80\"]", "[\"\xF4\x90\x80\x80\"]", "[1]\xC3"
	};

	(void) state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		assert_null(parse(texts[i]));
		assert_string_equal(status.message, "invalid byte sequence for UTF-8 in file \"x\"");
	}
	/* NUL is UTF-8, but no JSON */
	assert_null(parse_bytes("[1\0]", 4));
	assert_null(parse_bytes("[\"\0\"]", 5));
	assert_null(parse_bytes("[1]\0", 4));
}

static const char document[] =
"{\"a\": [1, -2.5e3, {\"b\": \"x\\u00e4\\ud83d\\ude00\\\\\"}, true, false, null], \"c\\n\": [[]], \"\xC3\xA4\": 0.5}";

/* a document that is cut anywhere is refused, and the whole is not */
static void
test_json_truncated(void **state)
{
	(void) state;
	for (size_t length = 0; length < sizeof(document) - 1; length++)
	{
		assert_null(parse_bytes(document, length));
		assert_int_equal(status.code, SRM_INVALID_MODEL);
		assert_true(status.message[0] != '\0');
	}
	assert_non_null(parse_bytes(document, sizeof(document) - 1));
}

/* a byte that changes gives an error or another tree, and what is a tree can be written and read again */
static void
test_json_damaged(void **state)
{
	(void) state;
	for (size_t at = 0; at < sizeof(document) - 1; at++)
		for (int byte = 0; byte < 256; byte++)
		{
			char		text[sizeof(document)];
			SrmBuffer	out;
			SrmJson    *json;

			memcpy(text, document, sizeof(document));
			text[at] = (char) byte;
			srm_arena_reset(arena);
			json = parse_bytes(text, sizeof(document) - 1);
			assert_int_equal(json == NULL, status.code == SRM_INVALID_MODEL);
			if (json == NULL)
				continue;
			assert_true(srm_buffer_init(&out, arena, 10000, &status));
			assert_true(srm_json_write(&out, json, &status));
			assert_non_null(parse_bytes(out.data, out.length));
		}
}

/* text longer than a block of strings, and more nodes than a block of them */
static void
test_json_large(void **state)
{
	enum
	{
		N = 200000
	};
	char	   *text = srm_arena_alloc(arena, 2 * N + 10, &status);
	const SrmJson *json;
	size_t		n = 0;

	(void) state;
	memset(text, 'x', N + 2);
	text[0] = text[N + 1] = '"';
	json = parse_bytes(text, N + 2);
	assert_int_equal(json->n, N);
	assert_int_equal(strlen(json->text), N);
	text[0] = '[';
	for (size_t i = 0; i < N; i++)
		memcpy(text + 1 + 2 * i, "7,", 2);
	text[2 * N] = ']';
	json = parse_bytes(text, 2 * N + 1);
	assert_int_equal(json->n, N);
	for (const SrmJson *child = json->child; child != NULL; child = child->next, n++)
		assert_string_equal(child->text, "7");
	assert_int_equal(n, N);
}

/* arrays in arrays, as many as depth */
static const char *
nest(int depth)
{
	char	   *json = srm_arena_array(arena, 2 * (size_t) depth + 1, 1, &status);

	memset(json, '[', depth);
	memset(json + depth, ']', depth);
	return json;
}

static void
test_json_depth(void **state)
{
	(void) state;
	assert_non_null(parse(nest(100)));
	assert_null(parse(nest(101)));
	assert_string_equal(status.message, "JSON in file \"x\" is nested too deeply");
	assert_null(parse(nest(1000000)));
	/* nor does what is beside it */
	assert_non_null(parse("[[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],"
						  "[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],"
						  "[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]],[[[]]]]"));
	/* brackets in strings do not count either */
	assert_non_null(parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
						  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"]"));
}

static void
test_json_typed(void **state)
{
	const SrmJson *json = parse("{\"i\": 12, \"f\": 1.5, \"s\": \"x\", \"b\": false, \"big\": 1e300, \"n\": null}");
	int64_t		integer;
	double		number;
	bool		boolean;
	const char *string;

	(void) state;
	assert_true(srm_json_get_int(json, "i", 1, 100, 7, &integer, &status));
	assert_int_equal(integer, 12);
	assert_true(srm_json_get_int(json, "n", 1, 100, 7, &integer, &status));
	assert_int_equal(integer, 7);
	assert_true(srm_json_get_double(json, "f", 0, &number, &status));
	assert_true(number == 1.5);
	assert_true(srm_json_get_bool(json, "b", true, &boolean, &status));
	assert_false(boolean);
	assert_true(srm_json_get_string(json, "s", "y", &string, &status));
	assert_string_equal(string, "x");
	assert_false(srm_json_get_int(json, "big", 1, 100, 7, &integer, &status));
	assert_string_equal(status.message, "value of \"big\" is out of range");
	srm_status_init(&status);
	assert_false(srm_json_get_int(json, "f", 1, 100, 7, &integer, &status));
	srm_status_init(&status);
	assert_false(srm_json_get_string(json, "i", "y", &string, &status));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
}

/* integers are exact to their last digit, and those of 64 bits are all there are */
static void
test_json_integers(void **state)
{
	const SrmJson *json = parse("{\"a\": 9007199254740993, \"b\": 9223372036854775807, \"c\": 9223372036854775808,"
								"\"d\": -9223372036854775808, \"e\": 12.0, \"f\": 1e3, \"g\": 9.3e18, \"h\": -0,"
								"\"i\": 1e-1, \"j\": 123456789012345678901234567890}");
	static const struct
	{
		const char *key;
		bool		valid;
		int64_t		value;
	}			cases[] = {
		{"a", true, 9007199254740993}, {"b", true, INT64_MAX}, {"c", false, 0}, {"d", true, INT64_MIN}, {"e", true, 12},
		{"f", true, 1000}, {"g", false, 0}, {"h", true, 0}, {"i", false, 0}, {"j", false, 0}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		int64_t		value;

		srm_status_init(&status);
		assert_int_equal(srm_json_get_int(json, cases[i].key, INT64_MIN, INT64_MAX, 7, &value, &status), cases[i].valid);
		assert_int_equal(value, cases[i].valid ? cases[i].value : 7);
	}
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_json_tree),
		TEST(test_json_escapes),
		TEST(test_json_accepted),
		TEST(test_json_refused),
		TEST(test_json_bytes),
		TEST(test_json_truncated),
		TEST(test_json_damaged),
		TEST(test_json_large),
		TEST(test_json_depth),
		TEST(test_json_typed),
		TEST(test_json_integers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
