/*-------------------------------------------------------------------------
 *
 * bpe_cache.h
 *	  The tokens of words seen before.
 *
 * Of fixed size; a word takes the place of another whose hash is the same
 * but for its high bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_CACHE_H
#define SRM_BPE_CACHE_H

#include <stdint.h>

#include "base/arena.h"

#define SRM_CACHED_BYTES	32
#define SRM_CACHED_TOKENS	6

/* A line of the processor's cache. */
typedef struct SrmCachedWord
{
	uint8_t		length;			/* bytes of the word; 0: empty slot */
	uint8_t		n;				/* tokens */
	uint8_t		lengths[SRM_CACHED_TOKENS]; /* bytes of each token */
	char		word[SRM_CACHED_BYTES];
	int32_t		ids[SRM_CACHED_TOKENS];
} SrmCachedWord;

typedef struct SrmWordCache
{
	SrmCachedWord *slots;
} SrmWordCache;

/* An empty one, in the arena. */
extern bool srm_word_cache_init(SrmWordCache *cache, SrmArena *arena, SrmStatus *status);

/*
 * The slot of a word of 1 to SRM_CACHED_BYTES bytes; it holds another one,
 * or none, if srm_word_cache_holds() says so.
 */
extern SrmCachedWord *srm_word_cache_slot(const SrmWordCache *cache, const char *word,
										  size_t length);
extern bool srm_word_cache_holds(const SrmCachedWord *slot, const char *word, size_t length);

#endif							/* SRM_BPE_CACHE_H */
