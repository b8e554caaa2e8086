/*-------------------------------------------------------------------------
 *
 * hash.c
 *	  Hashes of bytes, for accidents and not against attackers.
 *
 * Multiplications of words, four at a time so that memory, not the
 * processor, sets the pace.
 *
 *-------------------------------------------------------------------------
 */
#include "base/hash.h"

#include <string.h>

#define LANES	4
#define PRIME	UINT64_C(0x9E3779B97F4A7C15)

static uint64_t
mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * PRIME;
	return hash ^ (hash >> 32);
}

uint64_t
srm_hash_bytes(uint64_t seed, const void *data, size_t size)
{
	const char *bytes = data;
	uint64_t	lanes[LANES] = {seed, seed + 1, seed + 2, seed + 3};
	uint64_t	hash = mix(seed, size);

	for (; size >= sizeof(lanes); size -= sizeof(lanes), bytes += sizeof(lanes))
	{
		uint64_t	words[LANES];

		memcpy(words, bytes, sizeof(words));
		for (int i = 0; i < LANES; i++)
			lanes[i] = mix(lanes[i], words[i]);
	}
	for (int i = 0; i < LANES; i++)
		hash = mix(hash, lanes[i]);
	while (size > 0)
	{
		uint64_t	word = 0;
		size_t		n = size < sizeof(word) ? size : sizeof(word);

		memcpy(&word, bytes, n);
		hash = mix(hash, word);
		bytes += n;
		size -= n;
	}
	return hash;
}
