/*-------------------------------------------------------------------------
 *
 * test_base.c
 *	  Tests of status, arena, UTF-8, buffers, maps and SHA-256.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "base/sha256.h"
#include "base/utf8.h"

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

/* an array keeps what it has when it gets longer, and is as it was where memory is short */
static void
test_arena_reserve(void **state)
{
	static const size_t too_many[] = {SIZE_MAX / 4, SIZE_MAX};
	uint32_t   *items = NULL;
	uint32_t   *before;
	size_t		capacity = 0;

	(void) state;
	for (uint32_t i = 0; i < 1000; i++)
	{
		assert_true(srm_arena_reserve(arena, &items, &capacity, i + 1, sizeof(uint32_t), &status));
		assert_true(capacity > i);
		items[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(items[i], i);
	before = items;
	for (int i = 0; i < 2; i++)
	{
		srm_status_init(&status);
		assert_false(srm_arena_reserve(arena, &items, &capacity, too_many[i], sizeof(uint32_t), &status));
		assert_int_equal(status.code, SRM_OUT_OF_MEMORY);
	}
	assert_ptr_equal(items, before);
	assert_int_equal(capacity, 1024);
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
test_utf8_clip(void **state)
{
	static const char text[] = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80";
	static const size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

	(void) state;
	for (size_t limit = 0; limit < sizeof(ends) / sizeof(ends[0]); limit++)
		assert_int_equal(srm_utf8_clip(text, 10, limit), ends[limit]);
	assert_int_equal(srm_utf8_clip("", 0, 5), 0);
}

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

/* the hash of a text, as hexadecimal digits */
static const char *
hash_of(const char *text, size_t length, size_t piece)
{
	static char hex[2 * SRM_SHA256_SIZE + 1];
	unsigned char bytes[SRM_SHA256_SIZE];
	SrmSha256	hash;

	srm_sha256_init(&hash);
	for (size_t i = 0; i < length; i += piece)
		srm_sha256_update(&hash, text + i, length - i < piece ? length - i : piece);
	srm_sha256_final(&hash, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return hex;
}

/* the examples of FIPS 180-2, and the empty text; then lengths around the ends of blocks, by sha256sum */
static void
test_sha256_vectors(void **state)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char	   *many = srm_arena_alloc(arena, 1000000, &status);

	(void) state;
	memset(many, 'a', 1000000);
	assert_string_equal(hash_of("", 0, 1), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(hash_of("abc", 3, 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(hash_of(two_blocks, 56, 56),
						"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	assert_string_equal(hash_of(many, 1000000, 1000000),
						"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	assert_string_equal(hash_of(many, 55, 55),
						"9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
	assert_string_equal(hash_of(many, 63, 63),
						"7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
	assert_string_equal(hash_of(many, 64, 64),
						"ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
	assert_string_equal(hash_of(many, 119, 119),
						"31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb");
}

/* pieces do not matter, and the processor's instructions give what plain C gives */
static void
test_sha256_pieces(void **state)
{
	unsigned char text[1000];
	char		whole[2 * SRM_SHA256_SIZE + 1];
	uint32_t	plain[8] = {1, 2, 3, 4, 5, 6, 7, 0xFFFFFFFF};
	uint32_t	fast[8] = {1, 2, 3, 4, 5, 6, 7, 0xFFFFFFFF};

	(void) state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char) (i * i + 7 * i / 3);
	for (size_t length = 0; length < 300; length += 7)
	{
		snprintf(whole, sizeof(whole), "%s", hash_of((char *) text, length, 1000));
		for (size_t piece = 1; piece < 130; piece += 9)
			assert_string_equal(hash_of((char *) text, length, piece), whole);
	}
	srm_sha256_blocks_plain(plain, text, 15);
	srm_sha256_blocks(fast, text, 15);
	assert_memory_equal(plain, fast, sizeof(plain));
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
		TEST(test_arena_reserve),
		TEST(test_arena_reset),
		TEST(test_utf8_valid),
		TEST(test_utf8_clip),
		TEST(test_utf8_round_trip),
		TEST(test_buffer),
		TEST(test_map),
		TEST(test_sha256_vectors),
		TEST(test_sha256_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
