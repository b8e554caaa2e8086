/*-------------------------------------------------------------------------
 *
 * map.h
 *	  A hash table from byte strings to non-negative integers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MAP_H
#define SRM_MAP_H

#include <stdint.h>

#include "base/arena.h"

typedef struct SrmMapSlot
{
	const char *key;			/* NULL: empty slot; not copied */
	uint32_t	length;
	int32_t		value;
} SrmMapSlot;

typedef struct SrmMap
{
	SrmArena   *arena;
	SrmMapSlot *slots;			/* (n_slots), a power of two */
	size_t		n_slots;
	size_t		n_used;
} SrmMap;

/* Makes room for n keys at once; more may be added. */
extern bool srm_map_init(SrmMap *map, size_t n, SrmArena *arena, SrmStatus *status);

/* Sets the value of a key, whose bytes must outlive the map; false when memory is short. */
extern bool srm_map_put(SrmMap *map, const char *key, size_t length, int32_t value,
						SrmStatus *status);

/* The value of a key, or -1. */
extern int32_t srm_map_get(const SrmMap *map, const char *key, size_t length);

#endif							/* SRM_MAP_H */
