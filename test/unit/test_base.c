/*-------------------------------------------------------------------------
 *
 * test_base.c
 *	  Tests of status, arena, UTF-8, buffers, maps and JSON.
 *
 *-------------------------------------------------------------------------
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/map.h"
#include "base/utf8.h"

static SrmArena *arena;
static SrmStatus status;

static int
setup(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void) state;
	srm_arena_free(arena);
	return 0;
}

/* the first failure is kept */
static void
test_status_keeps_first(void **state)
{
	(void) state;
	assert_false(srm_fail(&status, SRM_INVALID_MODEL, "first %d", 1));
	assert_false(srm_fail(&status, SRM_LIMIT_EXCEEDED, "second"));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	assert_string_equal(status.message, "first 1");
}

/* a message that is too long is cut between characters */
static void
test_status_cuts_characters(void **state)
{
	char		text[2048];

	(void) state;
	for (size_t i = 0; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xC3\xA4", 3);
	srm_fail(&status, SRM_INVALID_MODEL, "x%s", text);
	assert_true(strlen(status.message) > 500);
	assert_true(srm_utf8_valid(status.message, strlen(status.message)));
}

static bool
say_stop(void *arg)
{
	return *(bool *) arg;
}

static void
test_stop(void **state)
{
	bool		stop_now = false;
	SrmStop		stop = {say_stop, &stop_now, NULL};

	(void) state;
	assert_true(srm_continue(NULL, &status));
	assert_true(srm_continue(&stop, &status));
	stop_now = true;
	assert_false(srm_continue(&stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
}

/* pieces are aligned, do not overlap, and survive further pieces */
static void
test_arena_pieces(void **state)
{
	unsigned char *pieces[200];

	(void) state;
	for (size_t i = 0; i < 200; i++)
	{
		size_t		size = i * i;

		pieces[i] = srm_arena_alloc(arena, size, &status);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t) pieces[i] % (size >= 64 ? 64 : 16), 0);
		memset(pieces[i], (int) i, size);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t j = 0; j < i * i; j++)
			assert_int_equal(pieces[i][j], i);
	assert_true(srm_arena_used(arena) > 200 * 200 * 200 / 3);
}

/* sizes beyond memory are refused, not wrapped around */
static void
test_arena_overflow(void **state)
{
	(void) state;
	assert_null(srm_arena_array(arena, SIZE_MAX / 2, 16, &status));
	assert_int_equal(status.code, SRM_OUT_OF_MEMORY);
	srm_status_init(&status);
	assert_null(srm_arena_alloc(arena, SIZE_MAX - 3, &status));
	assert_int_equal(status.code, SRM_OUT_OF_MEMORY);
}

static void
test_arena_reset(void **state)
{
	size_t		used;

	(void) state;
	for (int i = 0; i < 100; i++)
		assert_non_null(srm_arena_alloc(arena, 100000, &status));
	used = srm_arena_used(arena);
	srm_arena_reset(arena);
	assert_true(srm_arena_used(arena) < used);
	assert_non_null(srm_arena_alloc(arena, 100, &status));
}

static void
test_utf8_valid(void **state)
{
	(void) state;
	assert_true(srm_utf8_valid("", 0));
	assert_true(srm_utf8_valid("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 10));
	assert_false(srm_utf8_valid("\xC3", 1));
	assert_false(srm_utf8_valid("\xC0\x80", 2));
	assert_false(srm_utf8_valid("\xED\xA0\x80", 3));
	assert_false(srm_utf8_valid("\xF4\x90\x80\x80", 4));
	assert_false(srm_utf8_valid("a\x80", 2));
}

/* every scalar value survives encoding and decoding, and counts as one */
static void
test_utf8_round_trip(void **state)
{
	(void) state;
	for (uint32_t code = 1; code < 0x110000; code += code < 0x3000 ? 1 : 37)
	{
		char		bytes[4];
		size_t		length;
		size_t		offset = 0;

		if (code >= 0xD800 && code < 0xE000)
			continue;
		length = srm_utf8_encode(code, bytes);
		assert_int_equal(srm_utf8_size((unsigned char) bytes[0]), length);
		assert_true(srm_utf8_valid(bytes, length));
		assert_int_equal(srm_utf8_count(bytes, length), 1);
		assert_int_equal(srm_utf8_next(bytes, length, &offset), code);
		assert_int_equal(offset, length);
	}
}

static void
test_buffer(void **state)
{
	SrmBuffer	buffer;

	(void) state;
	assert_true(srm_buffer_init(&buffer, arena, 1000, &status));
	for (int i = 0; i < 100; i++)
		assert_true(srm_buffer_append(&buffer, "0123456789", 10, &status));
	assert_int_equal(buffer.length, 1000);
	assert_string_equal(buffer.data + 990, "0123456789");
	assert_false(srm_buffer_append(&buffer, "x", 1, &status));
	assert_int_equal(status.code, SRM_LIMIT_EXCEEDED);
}

static void
test_map(void **state)
{
	SrmMap		map;
	char	   *key;

	(void) state;
	assert_true(srm_map_init(&map, 4, arena, &status));
	for (int i = 0; i < 5000; i++)
	{
		char		text[32];

		snprintf(text, sizeof(text), "key %d", i);
		key = srm_arena_string(arena, text, strlen(text), &status);
		assert_true(srm_map_put(&map, key, strlen(key), i, &status));
	}
	assert_int_equal(srm_map_get(&map, "key 0", 5), 0);
	assert_int_equal(srm_map_get(&map, "key 4999", 8), 4999);
	assert_int_equal(srm_map_get(&map, "key 5000", 8), -1);
	assert_int_equal(srm_map_get(&map, "", 0), -1);
	assert_true(srm_map_put(&map, "key 7", 5, 70, &status));
	assert_int_equal(srm_map_get(&map, "key 7", 5), 70);
}

static SrmJson *
parse(const char *json)
{
	srm_status_init(&status);
	return srm_json_parse(json, strlen(json), "file \"x\"", arena, &status);
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

/* what is no JSON is refused with the line */
static void
test_json_invalid(void **state)
{
	static const char *const texts[] = {
		"", "{", "[1,]", "{\"a\" 1}", "[\"\\ud83d\"]", "[\"\\udc00x\"]", "[\"\\u0000\"]",
		"nul", "[1] 2", "{\"a\":1,}", "[\"a\nb\"]", "[01]", "\xff", "[\"\\"
	};

	(void) state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		assert_null(parse(texts[i]));
		assert_int_equal(status.code, SRM_INVALID_MODEL);
	}
	assert_null(parse("{\"a\":\n\n tru}"));
	assert_string_equal(status.message, "invalid JSON in file \"x\"");
	assert_string_equal(status.detail, "The error is in line 3.");
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
	/* brackets in strings do not count */
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

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status_keeps_first),
		TEST(test_status_cuts_characters),
		TEST(test_stop),
		TEST(test_arena_pieces),
		TEST(test_arena_overflow),
		TEST(test_arena_reset),
		TEST(test_utf8_valid),
		TEST(test_utf8_round_trip),
		TEST(test_buffer),
		TEST(test_map),
		TEST(test_json_tree),
		TEST(test_json_escapes),
		TEST(test_json_invalid),
		TEST(test_json_depth),
		TEST(test_json_typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
