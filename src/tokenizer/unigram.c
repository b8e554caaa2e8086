/*-------------------------------------------------------------------------
 *
 * unigram.c
 *	  The unigram language model of SentencePiece: one word to its tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/unigram.h"

#include <string.h>

#include "base/utf8.h"

#define UNKNOWN_PENALTY		10.0	/* below the lowest score, as in SentencePiece */
#define MAX_TOKEN_LENGTH	1024	/* bytes; that many lookups at each character at most */
#define LOOKUPS_PER_STOP	65536

/* ---- loading ---- */

static bool
read_scores(SrmUnigram *unigram, const SrmJson *vocab, SrmStatus *status)
{
	double		lowest = 0.0;
	int32_t		id = 0;

	for (const SrmJson *entry = vocab->child; entry != NULL; entry = entry->next, id++)
	{
		if (!srm_json_number(entry->child->next, &unigram->scores[id]))
			return srm_fail(status, SRM_INVALID_MODEL, "invalid score of token %d in \"vocab\" of tokenizer", id);
		if (id == 0 || unigram->scores[id] < lowest)
			lowest = unigram->scores[id];
	}
	unigram->unknown_score = lowest - UNKNOWN_PENALTY;
	return true;
}

static size_t
first_two_bytes(const char *text)
{
	return (size_t) (unsigned char) text[0] << 8 | (unsigned char) text[1];
}

static bool
measure_tokens(SrmUnigram *unigram, SrmArena *arena, SrmStatus *status)
{
	const SrmVocabulary *vocabulary = &unigram->vocabulary;

	if (vocabulary->longest > MAX_TOKEN_LENGTH)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "token in \"vocab\" of tokenizer is too long");
		return srm_fail_detail(status, "It has %zu bytes, the limit is %d.", vocabulary->longest,
							   MAX_TOKEN_LENGTH);
	}
	unigram->longest = srm_arena_array(arena, SRM_UNIGRAM_PAIRS, sizeof(uint16_t), status);
	if (unigram->longest == NULL)
		return false;
	for (int32_t id = 0; id < vocabulary->n_ids; id++)
	{
		size_t		length;
		const char *token = srm_vocabulary_token(vocabulary, id, &length);
		uint16_t   *longest;

		if (token == NULL || length < 2)
			continue;
		longest = &unigram->longest[first_two_bytes(token)];
		if (length > *longest)
			*longest = (uint16_t) length;
	}
	return true;
}

static bool
find_unknown(SrmUnigram *unigram, const SrmJson *model, SrmStatus *status)
{
	const SrmJson *unknown = srm_json_member(model, "unk_id");

	if (unknown == NULL)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "Unigram tokenizer without an unknown token is not supported");
		return srm_fail_key(status, "unk_id");
	}
	return (srm_vocabulary_read_id(unknown, &unigram->unknown_id) &&
			unigram->unknown_id < unigram->vocabulary.n_ids) ||
		srm_fail(status, SRM_INVALID_MODEL, "invalid \"unk_id\" in tokenizer");
}

bool
srm_unigram_load(SrmUnigram *unigram, const SrmJson *model, SrmArena *arena, SrmStatus *status)
{
	const SrmJson *vocab = srm_json_member(model, "vocab");

	if (!srm_vocabulary_load_list(&unigram->vocabulary, vocab, arena, status) ||
		!srm_unigram_load_options(unigram, model, status) ||
		!measure_tokens(unigram, arena, status))
		return false;
	unigram->scores = srm_arena_array(arena, unigram->vocabulary.n_ids, sizeof(double), status);
	return unigram->scores != NULL && read_scores(unigram, vocab, status);
}

bool
srm_unigram_load_options(SrmUnigram *unigram, const SrmJson *model, SrmStatus *status)
{
	for (int byte = 0; byte < 256; byte++)
		unigram->byte_ids[byte] = srm_vocabulary_find_byte(&unigram->vocabulary, byte);
	return srm_json_get_bool(model, "byte_fallback", false, &unigram->byte_fallback, status) &&
		find_unknown(unigram, model, status);
}

/* ---- the best way ---- */

static bool
reserve_nodes(SrmUnigramWord *word, size_t n, SrmStatus *status)
{
	size_t		capacity = word->capacity == 0 ? 256 : word->capacity;

	if (n > word->capacity)
	{
		while (capacity < n)
			capacity *= 2;
		word->nodes = srm_arena_alloc(word->arena, capacity * sizeof(SrmUnigramNode), status);
		word->capacity = word->nodes == NULL ? 0 : capacity;
		if (word->nodes == NULL)
			return false;
	}
	for (size_t i = 0; i < n; i++)
		word->nodes[i].id = -1;
	return true;
}

/* Of two ways with the same score the one that was found first stays. */
static void
improve(SrmUnigramNode *nodes, size_t start, size_t end, double score, int32_t id)
{
	double		sum = score + (start == 0 ? 0.0 : nodes[start].score);

	if (nodes[end].id >= 0 && sum <= nodes[end].score)
		return;
	nodes[end].score = sum;
	nodes[end].start = (uint32_t) start;
	nodes[end].id = id;
}

/*
 * Goes on from a character with each token that starts there; one that is no
 * token itself is also passed over as unknown.
 */
static void
go_on(const SrmUnigram *unigram, const char *text, size_t length, size_t start,
	  SrmUnigramNode *nodes, size_t *n_lookups)
{
	size_t		first = start + srm_utf8_size((unsigned char) text[start]);
	size_t		limit = start + 1 < length ? unigram->longest[first_two_bytes(text + start)] : 0;
	size_t		end = first;

	do
	{
		int32_t		id = srm_vocabulary_find(&unigram->vocabulary, text + start, end - start);

		++*n_lookups;
		if (id >= 0)
			improve(nodes, start, end, unigram->scores[id], id);
		else if (end == first)
			improve(nodes, start, end, unigram->unknown_score, unigram->unknown_id);
		if (end < length)
			end += srm_utf8_size((unsigned char) text[end]);
		else
			break;
	} while (end - start <= limit);
}

/* ---- tokens ---- */

static bool
add_token(SrmUnigramWord *word, int32_t id, size_t start, size_t end, SrmStatus *status)
{
	return srm_tokens_add(&word->tokens, (SrmToken) {id, (uint32_t) start, (uint32_t) end}, word->arena, status);
}

/* Whether there is a token for each byte. */
static bool
has_bytes(const SrmUnigram *unigram, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (unigram->byte_ids[(unsigned char) text[i]] < 0)
			return false;
	return unigram->byte_fallback;
}

/*
 * Unknown characters in a row, backwards.  Together they may well be a token
 * that lost against them.
 */
static bool
add_unknown(const SrmUnigram *unigram, const char *text, size_t start, size_t end,
			SrmUnigramWord *word, SrmStatus *status)
{
	int32_t		id = srm_vocabulary_find(&unigram->vocabulary, text + start, end - start);

	if (id >= 0 || !has_bytes(unigram, text + start, end - start))
		return add_token(word, id >= 0 ? id : unigram->unknown_id, start, end, status);
	for (size_t at = end; at > start; at--)
		if (!add_token(word, unigram->byte_ids[(unsigned char) text[at - 1]], start, end, status))
			return false;
	return true;
}

/* Goes the best way back from the end of the word, then turns the tokens around. */
static bool
collect(const SrmUnigram *unigram, const char *text, size_t length, SrmUnigramWord *word,
		SrmStatus *status)
{
	const SrmUnigramNode *nodes = word->nodes;
	SrmTokens  *tokens = &word->tokens;
	size_t		start;

	tokens->n = 0;
	for (size_t end = length; end > 0; end = start)
	{
		int32_t		id = nodes[end].id;

		start = nodes[end].start;
		if (id != unigram->unknown_id)
		{
			if (!add_token(word, id, start, end, status))
				return false;
			continue;
		}
		while (start > 0 && nodes[start].id == unigram->unknown_id)
			start = nodes[start].start;
		if (!add_unknown(unigram, text, start, end, word, status))
			return false;
	}
	for (size_t i = 0; i < tokens->n / 2; i++)
	{
		SrmToken	token = tokens->items[i];

		tokens->items[i] = tokens->items[tokens->n - 1 - i];
		tokens->items[tokens->n - 1 - i] = token;
	}
	return true;
}

bool
srm_unigram_encode(const SrmUnigram *unigram, const char *text, size_t length,
				   SrmUnigramWord *word, const SrmStop *stop, SrmStatus *status)
{
	size_t		n_lookups = 0;
	size_t		size;

	if (!reserve_nodes(word, length + 1, status))
		return false;
	for (size_t start = 0; start < length; start += size)
	{
		size = srm_utf8_size((unsigned char) text[start]);
		go_on(unigram, text, length, start, word->nodes, &n_lookups);
		if (n_lookups >= LOOKUPS_PER_STOP)
		{
			n_lookups = 0;
			if (!srm_continue(stop, status))
				return false;
		}
	}
	return collect(unigram, text, length, word, status);
}
