/*-------------------------------------------------------------------------
 *
 * test_tokenizer_image.c
 *	  Tokenizers whose tables lie in one piece of memory, and what becomes of
 *	  them when it is damaged.
 *
 * That they give the right tokens is tested with all others.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer_fixture.h"

/* Both kinds, with byte-level words and without. */
static const char *const names[] = {"gpt2", "llama3", "gemma", "internlm2", "unknown", "xlmr", "unigram_bytes"};

#define N_NAMES	(sizeof(names) / sizeof(names[0]))

static const char text[] = "Hello  world, a ab, x\xC3\xA9 \xEF\xBC\xA1\xE3\x80\x80 <s> e\xCC\x81\xE2\x80\xA6 "
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa the end.";

static void
expect_damage(const char *image, size_t size)
{
	assert_null(srm_tokenizer_open(image, size, arena, &status));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	srm_status_init(&status);
}

/* tokens, their texts and ids are the same in an image */
static void
test_same_vocabulary(void **state)
{
	(void) state;
	for (size_t k = 0; k < N_NAMES; k++)
	{
		size_t		size;
		const char *image = pack_named(names[k], &size);
		SrmTokenizer *loaded = load_named(names[k]);
		SrmTokenizer *opened = open_image(image, size);
		int32_t		n_ids = srm_tokenizer_n_ids(loaded);

		assert_int_equal(srm_tokenizer_n_ids(opened), n_ids);
		for (int32_t id = 0; id < n_ids; id++)
		{
			size_t		length = 0;
			size_t		other_length = 0;
			const char *token = srm_tokenizer_token(loaded, id, &length);
			const char *other = srm_tokenizer_token(opened, id, &other_length);
			char		name[256];

			assert_int_equal(token == NULL, other == NULL);
			if (token == NULL)
				continue;
			assert_int_equal(length, other_length);
			assert_memory_equal(token, other, length);
			snprintf(name, sizeof(name), "%.*s", (int) length, token);
			assert_int_equal(srm_tokenizer_find(opened, name), srm_tokenizer_find(loaded, name));
		}
		srm_tokenizer_free(loaded);
		srm_tokenizer_free(opened);
	}
}

/* text that writes a special token is plain text in an image, too */
static void
test_special_words(void **state)
{
	SrmTokenizer *loaded = load_named("xlmr");
	size_t		size;
	const char *image = pack_named("xlmr", &size);
	SrmTokenizer *opened = open_image(image, size);
	SrmTokens	tokens = encode(loaded, "<s>", 3, NULL, 0);
	SrmTokens	others = encode(opened, "<s>", 3, NULL, 0);

	(void) state;
	assert_true(tokens.n > 1);
	assert_int_equal(tokens.n, others.n);
	for (size_t i = 0; i < tokens.n; i++)
	{
		assert_int_equal(tokens.items[i].id, others.items[i].id);
		assert_int_not_equal(others.items[i].id, srm_tokenizer_find(opened, "<s>"));
	}
	srm_tokenizer_free(loaded);
	srm_tokenizer_free(opened);
}

/* an image that is cut, too long, or of which a bit has changed is refused */
static void
test_damaged(void **state)
{
	size_t		size;
	char	   *image = pack_named("unknown", &size);
	char	   *longer = srm_arena_array(arena, size + 64, 1, &status);

	(void) state;
	for (size_t n = 0; n < size; n += n < 256 ? 1 : 61)
		expect_damage(image, n);
	memcpy(longer, image, size);
	expect_damage(longer, size + 64);
	for (size_t i = 0; i < size; i += i < 256 ? 1 : 7)
	{
		image[i] ^= 1 << i % 8;
		expect_damage(image, size);
		image[i] ^= 1 << i % 8;
	}
	srm_tokenizer_free(open_image(image, size));
}

/* a tokenizer.json that is no tokenizer has no image */
static void
test_refused(void **state)
{
	size_t		size;
	static const char json[] = "{\"model\": {\"type\": \"WordLevel\"}}";

	(void) state;
	assert_null(srm_tokenizer_pack(json, sizeof(json) - 1, NULL, arena, &size, &status));
	assert_int_equal(status.code, SRM_NOT_SUPPORTED);
}

/* Fills a part of an image, all of it sometimes, with bytes that are like those of tables. */
static void
damage(char *image, size_t size)
{
	static const char bytes[] = {0, 1, (char) 0xFF, 0x7F, 0x3F, (char) 0xC0};
	size_t		start = (size_t) rand() % size;
	size_t		n = rand() % 8 == 0 ? size - start : 1 + (size_t) rand() % 4096 % (size - start);
	char		byte = bytes[rand() % 6];
	bool		is_random = rand() % 2 == 0;

	for (size_t i = 0; i < n; i++)
		image[start + i] = is_random ? (char) rand() : byte;
}

/* whatever becomes of the tables once they are open, encoding ends, with ids that exist */
static void
test_damaged_later(void **state)
{
	(void) state;
	srand(5);
	for (size_t run = 0; run < 700; run++)
	{
		size_t		size;
		char	   *image = pack_named(names[run % N_NAMES], &size);
		SrmTokenizer *tokenizer = open_image(image, size);
		SrmTokens	tokens = {NULL, 0, 0};
		SrmRange	all = {0, sizeof(text) - 1};
		int32_t		n_ids = srm_tokenizer_n_ids(tokenizer);

		for (int i = rand() % 4; i >= 0; i--)
			damage(image, size);
		srm_tokenizer_encode(tokenizer, text, sizeof(text) - 1, &all, run % 2, arena, &tokens,
							 NULL, &status);
		for (size_t i = 0; i < tokens.n; i++)
			assert_true(tokens.items[i].id >= 0 && tokens.items[i].id < n_ids);
		for (int32_t id = -1; id <= n_ids; id++)
		{
			size_t		length;
			const char *token = srm_tokenizer_token(tokenizer, id, &length);

			if (token != NULL && length < 200)
				assert_true(srm_tokenizer_find(tokenizer, srm_arena_string(arena, token, length, &status)) < n_ids);
		}
		srm_status_init(&status);
		srm_tokenizer_free(tokenizer);
		srm_arena_reset(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_same_vocabulary, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_later, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
