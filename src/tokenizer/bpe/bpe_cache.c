/*-------------------------------------------------------------------------
 *
 * bpe_cache.c
 *	  The tokens of words seen before.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/bpe/bpe_cache.h"

#include <string.h>

#include "base/hash.h"

#define N_SLOTS		((size_t) 1 << 13)	/* 512 kB */

_Static_assert(sizeof(SrmCachedWord) == 64, "a slot is a line of the processor's cache");

bool
srm_word_cache_init(SrmWordCache *cache, SrmArena *arena, SrmStatus *status)
{
	cache->slots = srm_arena_array(arena, N_SLOTS, sizeof(SrmCachedWord), status);
	return cache->slots != NULL;
}

SrmCachedWord *
srm_word_cache_slot(const SrmWordCache *cache, const char *word, size_t length)
{
	return &cache->slots[srm_hash_key(word, length) & (N_SLOTS - 1)];
}

bool
srm_word_cache_holds(const SrmCachedWord *slot, const char *word, size_t length)
{
	return slot->length == length && memcmp(slot->word, word, length) == 0;
}
