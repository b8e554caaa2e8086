/*-------------------------------------------------------------------------
 *
 * hash.h
 *	  A checksum of bytes, for accidents and not against attackers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_HASH_H
#define SRM_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits of size bytes at data; the result may seed the next piece. */
extern uint64_t srm_hash_bytes(uint64_t seed, const void *data, size_t size);

#endif							/* SRM_HASH_H */
