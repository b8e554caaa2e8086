/*-------------------------------------------------------------------------
 *
 * wordpiece.c
 *	  WordPiece, as BERT has it: one word to its tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/wordpiece.h"

#include <string.h>

#include "base/utf8.h"

#define MAX_TOKEN_LENGTH	1024	/* bytes; that many lookups at each character at most */
#define LOOKUPS_PER_STOP	65536

/* ---- loading ---- */

bool
srm_wordpiece_load_options(SrmWordPiece *wordpiece, const SrmJson *model, SrmArena *arena,
						   SrmStatus *status)
{
	const char *unknown;
	const char *prefix;
	double		longest;

	if (!srm_json_get_string(model, "unk_token", "[UNK]", &unknown, status) ||
		!srm_json_get_string(model, "continuing_subword_prefix", "##", &prefix, status) ||
		!srm_json_get_double(model, "max_input_chars_per_word", 100.0, &longest, status))
		return false;
	if (!(longest >= 0.0 && longest <= (double) UINT32_MAX))
		return srm_fail(status, SRM_INVALID_MODEL, "invalid \"max_input_chars_per_word\" in file \"tokenizer.json\"");
	wordpiece->longest_word = (size_t) longest;
	wordpiece->n_prefix = strlen(prefix);
	wordpiece->prefix = srm_arena_string(arena, prefix, wordpiece->n_prefix, status);
	if (wordpiece->prefix == NULL)
		return false;
	wordpiece->unknown_id = srm_vocabulary_find_any(&wordpiece->vocabulary, unknown, strlen(unknown));
	if (wordpiece->unknown_id >= 0)
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED, "WordPiece tokenizer without an unknown token is not supported");
	return srm_fail_detail(status, "The \"unk_token\" in file \"tokenizer.json\", \"%s\", is not in the vocabulary.", unknown);
}

bool
srm_wordpiece_load(SrmWordPiece *wordpiece, const SrmJson *model, SrmArena *arena,
				   SrmStatus *status)
{
	if (!srm_vocabulary_load(&wordpiece->vocabulary, srm_json_member(model, "vocab"), arena, status))
		return false;
	if (wordpiece->vocabulary.longest > MAX_TOKEN_LENGTH)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "token in \"vocab\" of tokenizer is too long");
		return srm_fail_detail(status, "It has %zu bytes, the limit is %d.",
							   wordpiece->vocabulary.longest, MAX_TOKEN_LENGTH);
	}
	return srm_wordpiece_load_options(wordpiece, model, arena, status);
}

/* ---- words ---- */

static bool
add_token(SrmWordPieceWord *word, int32_t id, size_t start, size_t end, SrmStatus *status)
{
	return srm_tokens_add(&word->tokens, (SrmToken) {id, (uint32_t) start, (uint32_t) end}, word->arena, status);
}

/* The bytes that a token can have here, down to a whole character. */
static size_t
longest_here(const SrmWordPiece *wordpiece, const char *text, size_t rest, size_t n_prefix)
{
	size_t		longest = wordpiece->vocabulary.longest;
	size_t		length = longest < n_prefix ? 0 : longest - n_prefix;

	if (length >= rest)
		return rest;
	while (length > 0 && srm_utf8_is_continuation((unsigned char) text[length]))
		length--;
	return length;
}

/* The longest token at the start of a text, -1 where there is none; token has its prefix before it. */
static int32_t
find_longest(const SrmWordPiece *wordpiece, const char *token, size_t n_prefix, size_t *length,
			 size_t *n_lookups)
{
	const char *text = token + n_prefix;

	while (*length > 0)
	{
		int32_t		id = srm_vocabulary_find(&wordpiece->vocabulary, token, n_prefix + *length);

		++*n_lookups;
		if (id >= 0)
			return id;
		--*length;
		while (*length > 0 && srm_utf8_is_continuation((unsigned char) text[*length]))
			--*length;
	}
	return -1;
}

/* The token at a place of a word, and how long it is. */
static int32_t
find_token(const SrmWordPiece *wordpiece, const char *text, size_t start, size_t end,
		   SrmWordPieceWord *word, size_t *length)
{
	size_t		n_prefix = start == 0 ? 0 : wordpiece->n_prefix;

	*length = longest_here(wordpiece, text + start, end - start, n_prefix);
	if (n_prefix == 0)
		return find_longest(wordpiece, text + start, 0, length, &word->n_lookups);
	if (*length == 0)
		return -1;
	memcpy(word->continued, wordpiece->prefix, n_prefix);
	memcpy(word->continued + n_prefix, text + start, *length);
	return find_longest(wordpiece, word->continued, n_prefix, length, &word->n_lookups);
}

static bool
check_stop(SrmWordPieceWord *word, const SrmStop *stop, SrmStatus *status)
{
	if (word->n_lookups < LOOKUPS_PER_STOP)
		return true;
	word->n_lookups = 0;
	return srm_continue(stop, status);
}

bool
srm_wordpiece_encode(const SrmWordPiece *wordpiece, const char *text, size_t length,
					 SrmWordPieceWord *word, const SrmStop *stop, SrmStatus *status)
{
	size_t		n = 0;
	bool		is_known = srm_utf8_count(text, length) <= wordpiece->longest_word;

	word->tokens.n = 0;
	if (word->continued == NULL)
		word->continued = srm_arena_alloc(word->arena, wordpiece->vocabulary.longest + 1, status);
	if (word->continued == NULL)
		return false;
	for (size_t start = 0; is_known && start < length; start += n)
	{
		int32_t		id = find_token(wordpiece, text, start, length, word, &n);

		is_known = id >= 0;
		if (!check_stop(word, stop, status) ||
			(is_known && !add_token(word, id, start, start + n, status)))
			return false;
	}
	if (is_known)
		return true;
	word->tokens.n = 0;
	return add_token(word, wordpiece->unknown_id, 0, length, status);
}
