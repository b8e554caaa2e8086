/*-------------------------------------------------------------------------
 *
 * bpe_merges.h
 *	  Which pairs of tokens merge, into what, and which pair goes first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_MERGES_H
#define SRM_BPE_MERGES_H

#include "text/bpe_vocabulary.h"

typedef struct SrmMerge
{
	int32_t		left;
	int32_t		right;
	int32_t		rank;			/* lower goes first; -1: empty slot */
	int32_t		id;				/* of the merged token */
} SrmMerge;

typedef struct SrmMerges
{
	SrmMerge   *slots;			/* (mask + 1), at most two thirds of them used */
	size_t		mask;
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

/* The slot of a pair, or the empty one where it belongs. */
static inline SrmMerge *
srm_merges_slot(const SrmMerges *merges, int32_t left, int32_t right)
{
	uint64_t	hash = ((uint64_t) (uint32_t) left << 32 | (uint32_t) right) *
		UINT64_C(0x9E3779B97F4A7C15);
	size_t		i = (hash >> 32) & merges->mask;

	while (merges->slots[i].rank >= 0 &&
		   (merges->slots[i].left != left || merges->slots[i].right != right))
		i = (i + 1) & merges->mask;
	return &merges->slots[i];
}

#endif							/* SRM_BPE_MERGES_H */
