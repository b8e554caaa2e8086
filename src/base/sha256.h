/*-------------------------------------------------------------------------
 *
 * sha256.h
 *	  The hash of FIPS 180-4 with 256 bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SHA256_H
#define SRM_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SRM_SHA256_SIZE		32	/* bytes of a hash */
#define SRM_SHA256_BLOCK	64	/* bytes that are hashed at a time */

typedef struct SrmSha256
{
	uint32_t	state[8];
	uint64_t	length;			/* bytes so far */
	unsigned char rest[SRM_SHA256_BLOCK];	/* those that do not fill a block yet */
} SrmSha256;

/* Begins a hash, and adds bytes to it, any number of times. */
extern void srm_sha256_init(SrmSha256 *hash);
extern void srm_sha256_update(SrmSha256 *hash, const void *data, size_t length);

/* The hash of all that was given; to go on, init() comes first. */
extern void srm_sha256_final(SrmSha256 *hash, unsigned char out[SRM_SHA256_SIZE]);

/* Brings n_blocks blocks into the state: in plain C, and as this processor does it best. */
extern void srm_sha256_blocks_plain(uint32_t state[8], const unsigned char *data, size_t n_blocks);
extern void srm_sha256_blocks(uint32_t state[8], const unsigned char *data, size_t n_blocks);

#endif							/* SRM_SHA256_H */
