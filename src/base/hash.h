/*-------------------------------------------------------------------------
 *
 * hash.h
 *	  Hashes of bytes, for accidents and not against attackers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_HASH_H
#define SRM_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A checksum, 64 bits of size bytes at data; the result may seed the next piece. */
extern uint64_t srm_hash_bytes(uint64_t seed, const void *data, size_t size);

/*
 * For tables of words and names.  Their keys come from files that somebody trusted installed, or a
 * collision costs no more than a slot; so no seed against chosen ones is needed.
 */
static inline uint64_t
srm_hash_key(const char *key, size_t length)
{
	uint64_t	hash = length;

	while (length > 0)
	{
		uint64_t	part = 0;
		size_t		size = length < 8 ? length : 8;

		memcpy(&part, key, size);
		hash = (hash ^ part) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 29;
		key += size;
		length -= size;
	}
	return hash;
}

#endif							/* SRM_HASH_H */
