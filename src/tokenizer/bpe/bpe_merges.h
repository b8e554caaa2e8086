/*-------------------------------------------------------------------------
 *
 * bpe_merges.h
 *	  Which pairs of tokens merge, into what, and which pair goes first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_MERGES_H
#define SRM_BPE_MERGES_H

#include "tokenizer/bpe/bpe_vocabulary.h"

typedef struct SrmMerge
{
	int32_t		rank;			/* lower goes first; -1: the pair does not merge */
	int32_t		id;				/* of the merged token */
} SrmMerge;

/* Three ids, each below 10 bits of the rank, the lowest with left. */
typedef struct SrmMergeSlot
{
	uint32_t	left;			/* UINT32_MAX: empty slot */
	uint32_t	right;
	uint32_t	merged;
} SrmMergeSlot;

/* As with vocabularies, no search leaves the table or fails to end. */
typedef struct SrmMerges
{
	SrmMergeSlot *slots;		/* (n_slots) */
	uint32_t	n_slots;
	int32_t		n_ids;			/* of the vocabulary */
} SrmMerges;

/*
 * Reads the array of merges, each "a b" or ["a", "b"].  Of merges of the same
 * pair the last one counts, as in the tokenizers library.
 */
extern bool srm_merges_load(SrmMerges *merges, const SrmJson *json,
							const SrmVocabulary *vocabulary,
							SrmArena *arena, SrmStatus *status);

/* Forgets the merges that give one of these tokens; is_hidden (n_ids). */
extern void srm_merges_hide(SrmMerges *merges, const bool *is_hidden);

/*
 * The slot of a pair, or the empty one where it belongs; n_slots for a pair
 * that a table without an empty slot, which we never make, does not have.
 */
static inline uint32_t
srm_merges_slot(const SrmMerges *merges, int32_t left, int32_t right)
{
	uint64_t	hash = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) *
		UINT64_C(0x9E3779B97F4A7C15);
	uint32_t	i = srm_table_first(merges->n_slots, (hash ^ (hash >> 32)) * UINT64_C(0xBF58476D1CE4E5B9));

	for (uint32_t n = 0; n < merges->n_slots; n++)
	{
		const SrmMergeSlot *slot = &merges->slots[i];

		if (slot->left == UINT32_MAX ||
			(((slot->left ^ (uint32_t) left) | (slot->right ^ (uint32_t) right)) & SRM_ID_MASK) == 0)
			return i;
		i = i + 1 == merges->n_slots ? 0 : i + 1;
	}
	return merges->n_slots;
}

/* What becomes of a pair. */
static inline SrmMerge
srm_merges_find(const SrmMerges *merges, int32_t left, int32_t right)
{
	uint32_t	i = srm_merges_slot(merges, left, right);
	SrmMerge	merge = {-1, -1};
	SrmMergeSlot slot;

	if (i == merges->n_slots || merges->slots[i].left == UINT32_MAX)
		return merge;
	slot = merges->slots[i];
	merge.id = (int32_t) (slot.merged & SRM_ID_MASK);
	if (merge.id < merges->n_ids)
		merge.rank = (int32_t) (slot.left >> SRM_ID_BITS | slot.right >> SRM_ID_BITS << 10 |
								slot.merged >> SRM_ID_BITS << 20);
	return merge;
}

#endif							/* SRM_BPE_MERGES_H */
