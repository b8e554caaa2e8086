/*-------------------------------------------------------------------------
 *
 * sha256.c
 *	  The hash of FIPS 180-4 with 256 bits.
 *
 * Names are those of the standard.  Processors of x86 that have instructions for it
 * hash several times as fast with them: a model may have gigabytes.
 *
 *-------------------------------------------------------------------------
 */
#include "base/sha256.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_INSTRUCTIONS
#include <cpuid.h>
#include <immintrin.h>
#endif

#define N_ROUNDS	64

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes */
static const uint32_t K[N_ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static inline uint32_t
rotate_right(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static inline uint32_t
read_big_endian(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 | (uint32_t) bytes[2] << 8 | bytes[3];
}

static void
write_big_endian(unsigned char *bytes, uint64_t value, int n)
{
	for (int i = n - 1; i >= 0; i--, value >>= 8)
		bytes[i] = (unsigned char) value;
}

/* The message schedule of a block */
static void
schedule(uint32_t w[N_ROUNDS], const unsigned char *data)
{
	for (int t = 0; t < 16; t++)
		w[t] = read_big_endian(data + 4 * t);
	for (int t = 16; t < N_ROUNDS; t++)
	{
		uint32_t	s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t	s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10;

		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
}

void
srm_sha256_blocks_plain(uint32_t state[8], const unsigned char *data, size_t n_blocks)
{
	for (; n_blocks > 0; n_blocks--, data += SRM_SHA256_BLOCK)
	{
		uint32_t	w[N_ROUNDS];
		uint32_t	s[8];		/* a .. h */

		schedule(w, data);
		memcpy(s, state, sizeof(s));
		for (int t = 0; t < N_ROUNDS; t++)
		{
			uint32_t	sum0 = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
			uint32_t	sum1 = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
			uint32_t	choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
			uint32_t	majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
			uint32_t	t1 = s[7] + sum1 + choice + K[t] + w[t];

			for (int i = 7; i > 0; i--)
				s[i] = s[i - 1];
			s[4] += t1;
			s[0] = t1 + sum0 + majority;
		}
		for (int i = 0; i < 8; i++)
			state[i] += s[i];
	}
}

#ifdef HAVE_INSTRUCTIONS

/* Two instructions hold the state as (f, e, b, a) and (h, g, d, c), lowest first. */
__attribute__((target("sha,sse4.1")))
static void
blocks_by_instructions(uint32_t state[8], const unsigned char *data, size_t n_blocks)
{
	const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
	__m128i		abef = _mm_set_epi32((int) state[0], (int) state[1], (int) state[4], (int) state[5]);
	__m128i		cdgh = _mm_set_epi32((int) state[2], (int) state[3], (int) state[6], (int) state[7]);
	uint32_t	out[8];

	for (; n_blocks > 0; n_blocks--, data += SRM_SHA256_BLOCK)
	{
		__m128i		abef_before = abef;
		__m128i		cdgh_before = cdgh;
		__m128i		w[4];		/* the next 16 of the schedule, four a vector */

		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *) (const void *) (data + 16 * i)), big_endian);
#pragma GCC unroll 16
		for (int i = 0; i < N_ROUNDS / 4; i++)
		{
			__m128i		now = w[i % 4];
			__m128i		sum = _mm_add_epi32(now, _mm_loadu_si128((const __m128i *) (const void *) (K + 4 * i)));

			/* Two rounds make a new a, b, e, f, and the old ones become c, d, g, h */
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
			w[i % 4] = _mm_sha256msg2_epu32(
				_mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) % 4]),
							  _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4)), w[(i + 3) % 4]);
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	_mm_storeu_si128((__m128i *) (void *) out, abef);
	_mm_storeu_si128((__m128i *) (void *) (out + 4), cdgh);
	for (int i = 0; i < 2; i++)
	{
		state[i] = out[3 - i];
		state[2 + i] = out[7 - i];
		state[4 + i] = out[1 - i];
		state[6 + i] = out[5 - i];
	}
}

static int
has_instructions(void)
{
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	__builtin_cpu_init();
	return __builtin_cpu_supports("sse4.1") &&
		__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & bit_SHA) != 0;
}

#endif							/* HAVE_INSTRUCTIONS */

void
srm_sha256_blocks(uint32_t state[8], const unsigned char *data, size_t n_blocks)
{
#ifdef HAVE_INSTRUCTIONS
	if (has_instructions())
	{
		blocks_by_instructions(state, data, n_blocks);
		return;
	}
#endif
	srm_sha256_blocks_plain(state, data, n_blocks);
}

void
srm_sha256_init(SrmSha256 *hash)
{
	/* The first 32 bits of the fractional parts of the square roots of the first 8 primes */
	static const uint32_t start[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
	};

	memcpy(hash->state, start, sizeof(start));
	hash->length = 0;
}

void
srm_sha256_update(SrmSha256 *hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;
	size_t		used = hash->length % SRM_SHA256_BLOCK;
	size_t		n_blocks;

	hash->length += length;
	if (used > 0)
	{
		size_t		n = length < SRM_SHA256_BLOCK - used ? length : SRM_SHA256_BLOCK - used;

		memcpy(hash->rest + used, bytes, n);
		if (used + n < SRM_SHA256_BLOCK)
			return;
		srm_sha256_blocks(hash->state, hash->rest, 1);
		bytes += n;
		length -= n;
	}
	n_blocks = length / SRM_SHA256_BLOCK;
	if (n_blocks > 0)
		srm_sha256_blocks(hash->state, bytes, n_blocks);
	if (length % SRM_SHA256_BLOCK > 0)
		memcpy(hash->rest, bytes + n_blocks * SRM_SHA256_BLOCK, length % SRM_SHA256_BLOCK);
}

/* Behind the message come a bit of 1, zeros, and its length in bits, which end a block. */
void
srm_sha256_final(SrmSha256 *hash, unsigned char out[SRM_SHA256_SIZE])
{
	unsigned char padding[SRM_SHA256_BLOCK + 8] = {0x80};
	size_t		used = hash->length % SRM_SHA256_BLOCK;
	size_t		n = (used < SRM_SHA256_BLOCK - 8 ? SRM_SHA256_BLOCK : 2 * SRM_SHA256_BLOCK) - 8 - used;

	write_big_endian(padding + n, hash->length * 8, 8);
	srm_sha256_update(hash, padding, n + 8);
	for (int i = 0; i < 8; i++)
		write_big_endian(out + 4 * i, hash->state[i], 4);
}
