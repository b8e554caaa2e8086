/*-------------------------------------------------------------------------
 *
 * bpe_merges.c
 *	  Which pairs of tokens merge, into what, and which pair goes first.
 *
 *-------------------------------------------------------------------------
 */
#include "text/bpe_merges.h"

#include <string.h>

/* Half of a merge as the file writes it. */
typedef struct Part
{
	const char *text;
	size_t		length;
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

/* Looks up the three tokens; buffer has room for two of the longest. */
static bool
resolve(SrmMerge *merge, const Part *left, const Part *right,
		const SrmVocabulary *vocabulary, char *buffer, SrmStatus *status)
{
	size_t		length = left->length + right->length;

	merge->left = srm_map_get(&vocabulary->ids, left->text, left->length);
	if (merge->left < 0)
		return fail_unknown(merge->rank, left->text, left->length, status);
	merge->right = srm_map_get(&vocabulary->ids, right->text, right->length);
	if (merge->right < 0)
		return fail_unknown(merge->rank, right->text, right->length, status);
	memcpy(buffer, left->text, left->length);
	memcpy(buffer + left->length, right->text, right->length);
	merge->id = srm_map_get(&vocabulary->ids, buffer, length);
	if (merge->id < 0)
		return fail_unknown(merge->rank, buffer, length, status);
	return true;
}

static bool
create_slots(SrmMerges *merges, size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		n_slots = 16;

	while (n_slots / 2 < n)
		n_slots *= 2;
	merges->mask = n_slots - 1;
	merges->slots = srm_arena_array(arena, n_slots, sizeof(SrmMerge), status);
	if (merges->slots == NULL)
		return false;
	for (size_t i = 0; i < n_slots; i++)
		merges->slots[i].rank = -1;
	return true;
}

bool
srm_merges_load(SrmMerges *merges, const SrmJson *json, const SrmVocabulary *vocabulary,
				SrmArena *arena, SrmStatus *status)
{
	SrmMerge	merge = {.rank = 0};
	char	   *buffer;

	if (json == NULL || json->type != SRM_JSON_ARRAY)
		return srm_fail(status, SRM_INVALID_MODEL, "tokenizer has no merges");
	buffer = srm_arena_alloc(arena, 2 * vocabulary->longest, status);
	if (buffer == NULL || !create_slots(merges, json->n, arena, status))
		return false;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		Part		left;
		Part		right;
		bool		valid = child->type == SRM_JSON_STRING ? read_string(child, &left, &right) :
			child->type == SRM_JSON_ARRAY && read_pair(child, &left, &right);

		/* The first line of a merges.txt, which old files carry along */
		if (child->type == SRM_JSON_STRING && strncmp(child->text, "#version", 8) == 0)
			continue;
		if (!valid)
		{
			srm_fail(status, SRM_INVALID_MODEL, "invalid merge in tokenizer");
			return srm_fail_detail(status, "Merge %d is not a pair of tokens.", merge.rank);
		}
		if (!resolve(&merge, &left, &right, vocabulary, buffer, status))
			return false;
		*srm_merges_slot(merges, merge.left, merge.right) = merge;
		merge.rank++;
	}
	return true;
}
