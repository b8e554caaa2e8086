/*-------------------------------------------------------------------------
 *
 * added_tokens.c
 *	  Tokens that are found in a text before it is cut into words.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/added_tokens.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#include "base/utf8.h"
#include "tokenizer/unicode_classes.h"

#define BYTES_PER_STOP	((size_t) 64 * 1024)

/* A search looks at so many bytes at each position. */
#define MAX_CONTENT_LENGTH	1000

/* ---- loading ---- */

static bool
read_token(SrmAddedToken *token, const SrmJson *json, SrmArena *arena, SrmStatus *status)
{
	const char *content = srm_json_string(srm_json_member(json, "content"));
	const SrmJson *id = srm_json_member(json, "id");

	if (content == NULL || content[0] == '\0' || !srm_vocabulary_read_id(id, &token->id))
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid added token in tokenizer");
		return srm_fail_detail(status, "An added token has a content and an id between 0 and %d.",
							   SRM_MAX_TOKEN_ID);
	}
	if (strlen(content) > MAX_CONTENT_LENGTH)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "added token in tokenizer is too long");
		return srm_fail_detail(status, "It has %zu bytes, the limit is %d.",
							   strlen(content), MAX_CONTENT_LENGTH);
	}
	token->length = (uint32_t) strlen(content);
	token->content = srm_arena_string(arena, content, token->length, status);
	return token->content != NULL &&
		srm_json_get_bool(json, "special", false, &token->is_special, status) &&
		srm_json_get_bool(json, "normalized", true, &token->is_normalized, status) &&
		srm_json_get_bool(json, "single_word", false, &token->is_single_word, status) &&
		srm_json_get_bool(json, "lstrip", false, &token->strips_left, status) &&
		srm_json_get_bool(json, "rstrip", false, &token->strips_right, status);
}

static bool
normalize_token(SrmAddedToken *token, const SrmNormalizer *normalizer, SrmArena *arena,
				SrmStatus *status)
{
	SrmNormalText text = {.text = token->content,.length = token->length};

	if (token->is_normalized && !srm_normalizer_apply(normalizer, &text, arena, NULL, status))
		return false;
	if (text.length == 0)
		return srm_fail(status, SRM_NOT_SUPPORTED,
						"added token \"%s\" in tokenizer, of which normalization leaves nothing, is not supported",
						token->content);
	token->pattern = text.text;
	token->pattern_length = (uint32_t) text.length;
	return true;
}

/*
 * Checks the id, which the tokenizers library would ignore for one of its
 * own: that of the vocabulary, or else the next one behind it.
 */
static bool
check_id(SrmAddedTokens *added, const SrmAddedToken *token,
		 const SrmVocabulary *vocabulary, SrmStatus *status)
{
	int32_t		id = srm_vocabulary_find_any(vocabulary, token->content, token->length);
	size_t		length;

	if (id < 0)
	{
		id = added->first_fresh_id + added->n_fresh;
		added->fresh[added->n_fresh++] = added->n;
		if (srm_vocabulary_token(vocabulary, id, &length) != NULL)
			return srm_fail(status, SRM_INVALID_MODEL,
							"added token \"%s\" in tokenizer has the id of another token",
							token->content);
	}
	if (id == token->id)
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "wrong id of added token \"%s\" in tokenizer",
			 token->content);
	return srm_fail_detail(status, "It has the id %d, but %d is expected.", token->id, id);
}

static int
compare_patterns(const void *a, const void *b)
{
	const SrmAddedToken *left = *(const SrmAddedToken *const *) a;
	const SrmAddedToken *right = *(const SrmAddedToken *const *) b;
	uint32_t	length = left->pattern_length < right->pattern_length ?
		left->pattern_length : right->pattern_length;
	int			order = memcmp(left->pattern, right->pattern, length);

	if (order != 0)
		return order;
	return (left->pattern_length > right->pattern_length) -
		(left->pattern_length < right->pattern_length);
}

static bool
build_set(SrmTokenSet *set, const SrmAddedTokens *added, bool normalized,
		  SrmArena *arena, SrmStatus *status)
{
	set->n = 0;
	set->tokens = srm_arena_array(arena, added->n, sizeof(SrmAddedToken *), status);
	if (set->tokens == NULL)
		return false;
	for (int32_t i = 0; i < added->n; i++)
		if (added->tokens[i].is_normalized == normalized)
			set->tokens[set->n++] = &added->tokens[i];
	if (set->n > 0)
		qsort(set->tokens, set->n, sizeof(SrmAddedToken *), compare_patterns);
	for (uint32_t i = 1; i < set->n; i++)
		if (compare_patterns(&set->tokens[i - 1], &set->tokens[i]) == 0)
			return srm_fail(status, SRM_INVALID_MODEL, "duplicate added token \"%s\" in tokenizer",
							set->tokens[i]->content);
	for (uint32_t i = 0, byte = 0; byte <= 256; byte++)
	{
		while (i < set->n && (unsigned char) set->tokens[i]->pattern[0] < byte)
			i++;
		set->first[byte] = i;
	}
	return true;
}

static bool
read_tokens(SrmAddedTokens *added, const SrmJson *json, const SrmVocabulary *vocabulary,
			const SrmNormalizer *normalizer, SrmArena *arena, SrmStatus *status)
{
	added->first_fresh_id = vocabulary->n_tokens;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		SrmAddedToken *token = &added->tokens[added->n];

		if (!read_token(token, child, arena, status) ||
			!normalize_token(token, normalizer, arena, status))
			return false;
		if (srm_map_get(&added->by_content, token->content, token->length) >= 0)
			return srm_fail(status, SRM_INVALID_MODEL, "duplicate added token \"%s\" in tokenizer",
							token->content);
		if (!check_id(added, token, vocabulary, status) ||
			!srm_map_put(&added->by_content, token->content, token->length, added->n, status))
			return false;
		if (token->id >= added->n_ids)
			added->n_ids = token->id + 1;
		added->n++;
	}
	return true;
}

bool
srm_added_tokens_load(SrmAddedTokens *added, const SrmJson *json,
					  const SrmVocabulary *vocabulary, const SrmNormalizer *normalizer,
					  SrmArena *arena, SrmStatus *status)
{
	size_t		n = json == NULL ? 0 : json->n;

	if (json != NULL && json->type != SRM_JSON_ARRAY)
		return srm_fail(status, SRM_INVALID_MODEL, "invalid added tokens in tokenizer");
	memset(added, 0, sizeof(SrmAddedTokens));
	added->tokens = srm_arena_array(arena, n, sizeof(SrmAddedToken), status);
	added->fresh = srm_arena_array(arena, n, sizeof(int32_t), status);
	return added->tokens != NULL && added->fresh != NULL &&
		srm_map_init(&added->by_content, n, arena, status) &&
		(json == NULL || read_tokens(added, json, vocabulary, normalizer, arena, status)) &&
		build_set(&added->raw, added, false, arena, status) &&
		build_set(&added->normalized, added, true, arena, status);
}

const SrmAddedToken *
srm_added_tokens_find(const SrmAddedTokens *added, int32_t id)
{
	if (id < added->first_fresh_id || id - added->first_fresh_id >= added->n_fresh)
		return NULL;
	return &added->tokens[added->fresh[id - added->first_fresh_id]];
}

/* ---- searching ---- */

/* Where bytes of the original text lie, seen from the special ranges. */
typedef enum Place
{
	WITHIN,
	OUTSIDE,
	ACROSS
} Place;

static Place
find_place(const SrmTokenSearch *search, size_t start, size_t end)
{
	SrmRange	range = srm_normal_text_range(search->text, start, end);
	size_t		low = 0;
	size_t		high = search->n_special;

	/* The first special range that ends behind the start */
	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;

		if (search->special[middle].end <= range.start)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == search->n_special || search->special[low].start >= range.end)
		return OUTSIDE;
	return search->special[low].start <= range.start && range.end <= search->special[low].end ?
		WITHIN : ACROSS;
}

/* Of tokens that agree in the bytes before i, those that have a byte there. */
static void
narrow(const SrmTokenSet *set, uint32_t *low, uint32_t *high, uint32_t i, unsigned char byte)
{
	uint32_t	start = *low;
	uint32_t	end = *high;

	while (start < end)
	{
		uint32_t	middle = start + (end - start) / 2;

		if ((unsigned char) set->tokens[middle]->pattern[i] < byte)
			start = middle + 1;
		else
			end = middle;
	}
	*low = start;
	end = *high;
	while (start < end)
	{
		uint32_t	middle = start + (end - start) / 2;

		if ((unsigned char) set->tokens[middle]->pattern[i] <= byte)
			start = middle + 1;
		else
			end = middle;
	}
	*high = start;
}

/*
 * The longest token at a position.  A special one that lies across the end of
 * a special range is none, lest a user's text swallow the mark behind it.
 */
static const SrmAddedToken *
longest_at(const SrmTokenSearch *search, size_t at)
{
	const SrmTokenSet *set = search->set;
	const SrmNormalText *text = search->text;
	const SrmAddedToken *longest = NULL;
	unsigned char byte = (unsigned char) text->text[at];
	uint32_t	low = set->first[byte];
	uint32_t	high = set->first[byte + 1];

	for (uint32_t i = 1; low < high; i++)
	{
		const SrmAddedToken *token = set->tokens[low];

		if (token->pattern_length == i)
		{
			if (!token->is_special || find_place(search, at, at + i) != ACROSS)
				longest = token;
			low++;
		}
		if (at + i >= text->length)
			break;
		narrow(set, &low, &high, i, (unsigned char) text->text[at + i]);
	}
	return longest;
}

/* The start of the character that ends at a position beyond 0. */
static size_t
previous_start(const SrmNormalText *text, size_t at)
{
	do
		at--;
	while (srm_utf8_is_continuation((unsigned char) text->text[at]));
	return at;
}

static uint32_t
code_at(const SrmNormalText *text, size_t at)
{
	return srm_utf8_next(text->text, text->length, &at);
}

static bool
is_single_word(const SrmNormalText *text, size_t start, size_t end)
{
	return (start == 0 || !srm_unicode_is_word(code_at(text, previous_start(text, start)))) &&
		(end == text->length || !srm_unicode_is_word(code_at(text, end)));
}

/* Takes in the white space that the token asks for. */
static void
strip(const SrmTokenSearch *search, const SrmAddedToken *token, size_t *start, size_t *end)
{
	const SrmNormalText *text = search->text;

	while (token->strips_left && *start > search->end)
	{
		size_t		previous = previous_start(text, *start);

		if (!u_isUWhiteSpace((UChar32) code_at(text, previous)))
			break;
		*start = previous;
	}
	while (token->strips_right && *end < text->length &&
		   u_isUWhiteSpace((UChar32) code_at(text, *end)))
		*end += srm_utf8_size((unsigned char) text->text[*end]);
	/* A token before this one may have taken the space between them */
	if (token->strips_left && *start < search->end)
		*start = search->end < *end ? search->end : *end;
}

const SrmAddedToken *
srm_token_search_next(SrmTokenSearch *search, SrmRange *range)
{
	const SrmNormalText *text = search->text;

	if (search->set->n == 0)
		return NULL;
	while (search->at < text->length)
	{
		size_t		start = search->at;
		const SrmAddedToken *token = longest_at(search, start);
		size_t		end;

		if (token == NULL)
		{
			if (++search->at % BYTES_PER_STOP == 0 && !srm_continue(search->stop, search->status))
				return NULL;
			continue;
		}
		/*
		 * What is found but does not count is still passed over as a whole,
		 * as in the tokenizers library.
		 */
		end = start + token->pattern_length;
		search->at = end;
		if (token->is_special && find_place(search, start, end) == OUTSIDE)
			continue;
		if (token->is_single_word && !is_single_word(text, start, end))
			continue;
		strip(search, token, &start, &end);
		range->start = (uint32_t) start;
		range->end = (uint32_t) end;
		search->end = end;
		return token;
	}
	return NULL;
}
