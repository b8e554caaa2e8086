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
#include "testing.h"

#include <time.h>

#include "base/utf8.h"
#include "text/bpe.h"
#include "text/pretokenizer_regex.h"
#include "text/tokenizer.h"

#define FOLDER	"test/data/tokenizer/"

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

/* ---- the reference ---- */

static char *
read_text_file(const char *path, size_t *length)
{
	FILE	   *file = fopen(path, "rb");
	char	   *text = srm_arena_alloc(arena, 1 << 20, &status);

	if (file == NULL)
		fail_msg("cannot open %s", path);
	*length = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	text[*length] = '\0';
	return text;
}

static SrmTokenizer *
load_named(const char *name)
{
	char		path[256];
	size_t		length;
	char	   *json;
	SrmTokenizer *tokenizer;

	snprintf(path, sizeof(path), FOLDER "%s.json", name);
	json = read_text_file(path, &length);
	tokenizer = srm_tokenizer_load(json, length, arena, &status);
	if (tokenizer == NULL)
		fail_msg("%s: %s (%s)", path, status.message, status.detail);
	return tokenizer;
}

static SrmTokens
encode(SrmTokenizer *tokenizer, const char *text, size_t length, const SrmRange *special,
	   size_t n_special)
{
	SrmTokens	tokens = {NULL, 0, 0};

	if (!srm_tokenizer_encode(tokenizer, text, length, special, n_special, arena, &tokens,
							  NULL, &status))
		fail_msg("%s (%s)", status.message, status.detail);
	return tokens;
}

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
check_named(const char *name, const SrmJson *texts)
{
	char		path[256];
	SrmTokenizer *tokenizer = load_named(name);
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

/* ids and offsets are those of the tokenizers library */
static void
test_reference(void **state)
{
	static const char *const names[] = {
		"gpt2", "llama3", "qwen2", "o200k", "deepseek", "digits", "flags", "compatible",
		"split_removed", "split_previous", "split_next", "split_contiguous", "split_invert",
		"split_invert_next", "split_empty", "split_empty_isolated", "split_lines",
		"split_spaces", "split_escapes", "split_possessive", "unknown", "unknown_fused"
	};
	const SrmJson *texts = read_json_file(FOLDER "texts.json", arena, &status);

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_named(names[i], texts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reference, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
