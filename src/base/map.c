/*-------------------------------------------------------------------------
 *
 * map.c
 *	  A hash table from byte strings to non-negative integers.
 *
 *-------------------------------------------------------------------------
 */
#include "base/map.h"

#include <string.h>

#include "base/hash.h"

bool
srm_map_init(SrmMap *map, size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		n_slots = 16;

	while (n_slots / 2 < n)
		n_slots *= 2;
	map->arena = arena;
	map->n_slots = n_slots;
	map->n_used = 0;
	map->slots = srm_arena_array(arena, n_slots, sizeof(SrmMapSlot), status);
	return map->slots != NULL;
}

/* The slot that holds the key, or the empty one where it belongs. */
static SrmMapSlot *
find_slot(const SrmMap *map, const char *key, size_t length)
{
	size_t		mask = map->n_slots - 1;
	size_t		i = srm_hash_key(key, length) & mask;

	while (map->slots[i].key != NULL &&
		   (map->slots[i].length != length ||
			memcmp(map->slots[i].key, key, length) != 0))
		i = (i + 1) & mask;
	return &map->slots[i];
}

static bool
double_slots(SrmMap *map, SrmStatus *status)
{
	SrmMap		old = *map;

	if (!srm_map_init(map, old.n_slots, old.arena, status))
	{
		*map = old;
		return false;
	}
	for (size_t i = 0; i < old.n_slots; i++)
	{
		if (old.slots[i].key == NULL)
			continue;
		*find_slot(map, old.slots[i].key, old.slots[i].length) = old.slots[i];
		map->n_used++;
	}
	return true;
}

bool
srm_map_put(SrmMap *map, const char *key, size_t length, int32_t value,
			SrmStatus *status)
{
	SrmMapSlot *slot;

	if (map->n_used >= map->n_slots / 2 && !double_slots(map, status))
		return false;
	slot = find_slot(map, key, length);
	if (slot->key == NULL)
		map->n_used++;
	slot->key = key;
	slot->length = (uint32_t) length;
	slot->value = value;
	return true;
}

int32_t
srm_map_get(const SrmMap *map, const char *key, size_t length)
{
	const SrmMapSlot *slot = find_slot(map, key, length);

	return slot->key == NULL ? -1 : slot->value;
}
