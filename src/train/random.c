/*-------------------------------------------------------------------------
 *
 * random.c
 *	  Random numbers that are the same everywhere: splitmix64.
 *
 * Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
 * 2014; normal numbers by the method of Box and Muller.
 *
 *-------------------------------------------------------------------------
 */
#include "train/random.h"

#include <math.h>
#include <string.h>

#define GOLDEN_GAMMA	UINT64_C(0x9E3779B97F4A7C15)
#define TWO_PI			6.28318530717958647693

uint64_t
srm_random_mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

SrmRandom
srm_random_start(uint64_t seed, SrmRandomUse use, uint64_t number)
{
	uint64_t	state = srm_random_mix(seed + GOLDEN_GAMMA);

	state = srm_random_mix(state + (uint64_t) use * GOLDEN_GAMMA);
	return (SrmRandom) {srm_random_mix(state + number * GOLDEN_GAMMA)};
}

uint64_t
srm_random_next(SrmRandom *random)
{
	random->state += GOLDEN_GAMMA;
	return srm_random_mix(random->state);
}

double
srm_random_uniform(SrmRandom *random)
{
	return (double) (srm_random_next(random) >> 11) * 0x1p-53;
}

void
srm_random_normal(SrmRandom *random, float *x, size_t n, double deviation)
{
	for (size_t i = 0; i < n; i += 2)
	{
		double		radius = sqrt(-2.0 * log(1.0 - srm_random_uniform(random)));
		double		angle = TWO_PI * srm_random_uniform(random);

		x[i] = (float) (deviation * radius * cos(angle));
		if (i + 1 < n)
			x[i + 1] = (float) (deviation * radius * sin(angle));
	}
}

void
srm_random_shuffle(SrmRandom *random, uint32_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t) i;
	for (size_t i = n; i > 1; i--)
	{
		size_t		j = (size_t) (srm_random_uniform(random) * (double) i);
		uint32_t	kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}

uint64_t
srm_hash_words(uint64_t hash, const void *data, size_t size)
{
	const char *bytes = data;

	for (size_t i = 0; i < size; i += 8)
	{
		uint64_t	word = 0;

		memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
		hash = srm_random_mix((hash ^ word) + GOLDEN_GAMMA);
	}
	return srm_random_mix(hash + size);
}
