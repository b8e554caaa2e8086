/*-------------------------------------------------------------------------
 *
 * bpe_merges.c
 *	  Which pairs of tokens merge, into what, and which pair goes first.
 *
 *-------------------------------------------------------------------------
 */
#include "text/bpe_merges.h"

#include <string.h>

#define BATCH	32

/* Half of a merge as the file writes it. */
typedef struct Part
{
	const char *text;
	size_t		length;
	uint64_t	hash;			/* from srm_vocabulary_prepare() */
} Part;

/* "a b"; tokens of a byte-level vocabulary hold no space. */
static bool
read_string(const SrmJson *json, Part *left, Part *right)
{
	const char *space = strchr(json->text, ' ');

	if (space == NULL || strchr(space + 1, ' ') != NULL)
		return false;
	left->text = json->text;
	left->length = (size_t) (space - json->text);
	right->text = space + 1;
	right->length = strlen(space + 1);
	return true;
}

/* ["a", "b"] */
static bool
read_pair(const SrmJson *json, Part *left, Part *right)
{
	if (json->n != 2 || json->child->type != SRM_JSON_STRING ||
		json->child->next->type != SRM_JSON_STRING)
		return false;
	left->text = json->child->text;
	left->length = json->child->n;
	right->text = json->child->next->text;
	right->length = json->child->next->n;
	return true;
}

static bool
fail_unknown(int32_t rank, const char *token, size_t length, SrmStatus *status)
{
	srm_fail(status, SRM_INVALID_MODEL, "invalid merge in tokenizer");
	return srm_fail_detail(status, "Merge %d needs the token \"%.*s\", which the vocabulary lacks.",
						   rank, length > 200 ? 200 : (int) length, token);
}

/*
 * The id of a token, which may well be the one expected: most vocabularies
 * have their tokens in the order of the merges, and a look there saves the
 * memory access of a look into the map.
 */
static int32_t
find_token(const SrmVocabulary *vocabulary, const char *token, size_t length,
		   int32_t expected)
{
	if (expected < vocabulary->n_ids && vocabulary->tokens[expected] != NULL &&
		vocabulary->lengths[expected] == length &&
		memcmp(vocabulary->tokens[expected], token, length) == 0)
		return expected;
	return srm_vocabulary_find(vocabulary, token, length);
}

/*
 * Looks up the three tokens of a merge; buffer has room for two of the
 * longest.  On entry merge->id is that of the merge before.
 */
static bool
resolve(SrmMerge *merge, const Part *left, const Part *right,
		const SrmVocabulary *vocabulary, char *buffer, SrmStatus *status)
{
	size_t		length = left->length + right->length;
	int32_t		expected = merge->id + 1;

	merge->left = srm_vocabulary_find_prepared(vocabulary, left->hash, left->text,
											   left->length);
	if (merge->left < 0)
		return fail_unknown(merge->rank, left->text, left->length, status);
	merge->right = srm_vocabulary_find_prepared(vocabulary, right->hash, right->text,
												right->length);
	if (merge->right < 0)
		return fail_unknown(merge->rank, right->text, right->length, status);
	memcpy(buffer, left->text, left->length);
	memcpy(buffer + left->length, right->text, right->length);
	merge->id = find_token(vocabulary, buffer, length, expected);
	if (merge->id < 0)
		return fail_unknown(merge->rank, buffer, length, status);
	return true;
}

static bool
create_slots(SrmMerges *merges, size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		n_slots = 16;

	while (n_slots / 3 * 2 < n)
		n_slots *= 2;
	merges->mask = n_slots - 1;
	merges->slots = srm_arena_alloc(arena, n_slots * sizeof(SrmMerge), status);
	if (merges->slots == NULL)
		return false;
	for (size_t i = 0; i < n_slots; i++)
		merges->slots[i].rank = -1;
	return true;
}

static bool
read_merge(const SrmJson *json, const SrmVocabulary *vocabulary, Part *left, Part *right,
		   int32_t rank, SrmStatus *status)
{
	if (!(json->type == SRM_JSON_STRING ? read_string(json, left, right) :
		  json->type == SRM_JSON_ARRAY && read_pair(json, left, right)))
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid merge in tokenizer");
		return srm_fail_detail(status, "Merge %d is not a pair of tokens.", rank);
	}
	left->hash = srm_vocabulary_prepare(vocabulary, left->text, left->length);
	right->hash = srm_vocabulary_prepare(vocabulary, right->text, right->length);
	return true;
}

/* The first line of a merges.txt, which old files carry along. */
static bool
is_version(const SrmJson *json)
{
	return json->type == SRM_JSON_STRING && strncmp(json->text, "#version", 8) == 0;
}

bool
srm_merges_load(SrmMerges *merges, const SrmJson *json, const SrmVocabulary *vocabulary,
				SrmArena *arena, SrmStatus *status)
{
	SrmMerge	merge = {.rank = 0};
	const SrmJson *child;
	char	   *buffer;

	if (json == NULL || json->type != SRM_JSON_ARRAY)
		return srm_fail(status, SRM_INVALID_MODEL, "tokenizer has no merges");
	buffer = srm_arena_alloc(arena, 2 * vocabulary->longest, status);
	if (buffer == NULL || !create_slots(merges, json->n, arena, status))
		return false;
	child = json->child;
	while (child != NULL)
	{
		Part		left[BATCH];
		Part		right[BATCH];
		int			n = 0;

		for (; child != NULL && n < BATCH; child = child->next)
		{
			if (is_version(child))
				continue;
			if (!read_merge(child, vocabulary, &left[n], &right[n], merge.rank + n, status))
				return false;
			n++;
		}
		for (int i = 0; i < n; i++)
		{
			if (!resolve(&merge, &left[i], &right[i], vocabulary, buffer, status))
				return false;
			*srm_merges_slot(merges, merge.left, merge.right) = merge;
			merge.rank++;
		}
	}
	return true;
}

/* The slots stay taken, lest those behind them be missed, but fit no pair. */
void
srm_merges_hide(SrmMerges *merges, const bool *is_hidden)
{
	for (size_t i = 0; i <= merges->mask; i++)
	{
		SrmMerge   *merge = &merges->slots[i];

		if (merge->rank >= 0 && is_hidden[merge->id])
			merge->left = merge->right = -1;
	}
}
