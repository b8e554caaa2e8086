/*-------------------------------------------------------------------------
 *
 * bpe_merges.c
 *	  Which pairs of tokens merge, into what, and which pair goes first.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/bpe/bpe_merges.h"

#include <string.h>

#define BATCH	32
#define NO_ID	(SRM_ID_MASK - 1)	/* in a slot that is not empty */

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
	size_t		its_length = 0;
	const char *its = srm_vocabulary_token(vocabulary, expected, &its_length);

	if (its != NULL && its_length == length && memcmp(its, token, length) == 0)
		return expected;
	return srm_vocabulary_find(vocabulary, token, length);
}

/* The id of one half of a merge, or -1 with the status set. */
static int32_t
find_part(const SrmVocabulary *vocabulary, const Part *part, int32_t rank, SrmStatus *status)
{
	int32_t		id = srm_vocabulary_find_prepared(vocabulary, part->hash, part->text, part->length);

	if (id < 0)
		fail_unknown(rank, part->text, part->length, status);
	return id;
}

static void
put_merge(SrmMerges *merges, int32_t left, int32_t right, const SrmMerge *merge)
{
	SrmMergeSlot *slot = &merges->slots[srm_merges_slot(merges, left, right)];
	uint32_t	rank = (uint32_t) merge->rank;

	slot->left = (uint32_t) left | rank << SRM_ID_BITS;
	slot->right = (uint32_t) right | rank >> 10 << SRM_ID_BITS;
	slot->merged = (uint32_t) merge->id | rank >> 20 << SRM_ID_BITS;
}

/*
 * Looks up the three tokens of a merge and adds it; buffer has room for two of
 * the longest.  On entry merge->id is that of the merge before.
 */
static bool
add_merge(SrmMerges *merges, SrmMerge *merge, const Part *left, const Part *right,
		  const SrmVocabulary *vocabulary, char *buffer, SrmStatus *status)
{
	size_t		length = left->length + right->length;
	int32_t		left_id = find_part(vocabulary, left, merge->rank, status);
	int32_t		right_id = left_id < 0 ? -1 : find_part(vocabulary, right, merge->rank, status);

	if (right_id < 0)
		return false;
	memcpy(buffer, left->text, left->length);
	memcpy(buffer + left->length, right->text, right->length);
	merge->id = find_token(vocabulary, buffer, length, merge->id + 1);
	if (merge->id < 0)
		return fail_unknown(merge->rank, buffer, length, status);
	put_merge(merges, left_id, right_id, merge);
	return true;
}

static bool
create_slots(SrmMerges *merges, size_t n, SrmArena *arena, SrmStatus *status)
{
	merges->n_slots = srm_table_slots(n);
	merges->slots = srm_arena_alloc(arena, merges->n_slots * sizeof(SrmMergeSlot), status);
	if (merges->slots != NULL)
		memset(merges->slots, 0xFF, merges->n_slots * sizeof(SrmMergeSlot));
	return merges->slots != NULL;
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
	merges->n_ids = vocabulary->n_ids;
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
			if (!add_merge(merges, &merge, &left[i], &right[i], vocabulary, buffer, status))
				return false;
			merge.rank++;
		}
	}
	return true;
}

/* The slots stay taken, lest those behind them be missed, but fit no pair. */
void
srm_merges_hide(SrmMerges *merges, const bool *is_hidden)
{
	for (uint32_t i = 0; i < merges->n_slots; i++)
	{
		SrmMergeSlot *slot = &merges->slots[i];

		if (slot->left != UINT32_MAX && is_hidden[slot->merged & SRM_ID_MASK])
			slot->left = slot->right = NO_ID;
	}
}
