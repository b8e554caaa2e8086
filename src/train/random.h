/*-------------------------------------------------------------------------
 *
 * random.h
 *	  Random numbers that are the same everywhere: splitmix64.
 *
 * A generator is its state, and any number is a good one to start from; so
 * each purpose has a generator of its own, made from the seed and a number
 * that says what for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_RANDOM_H
#define SRM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct SrmRandom
{
	uint64_t	state;
} SrmRandom;

/* What generators are for. */
typedef enum SrmRandomUse
{
	SRM_RANDOM_ORDER = 1,		/* of the pairs in an epoch */
	SRM_RANDOM_SPLIT,			/* which prompts are held out */
	SRM_RANDOM_WEIGHTS			/* initial weights */
} SrmRandomUse;

/* A well-mixed function of a number; also the last step of the generator. */
extern uint64_t srm_random_mix(uint64_t x);

/* A generator that depends on these three alone, and its next 64 bits. */
extern SrmRandom srm_random_start(uint64_t seed, SrmRandomUse use, uint64_t number);
extern uint64_t srm_random_next(SrmRandom *random);

/* Uniform in [0, 1), with 53 bits. */
extern double srm_random_uniform(SrmRandom *random);

/* x (n) = normal numbers of a standard deviation. */
extern void srm_random_normal(SrmRandom *random, float *x, size_t n, double deviation);

/* order (n) = 0 .. n - 1 shuffled. */
extern void srm_random_shuffle(SrmRandom *random, uint32_t *order, size_t n);

/* A hash that goes on from another: bytes in words of eight. */
extern uint64_t srm_hash_words(uint64_t hash, const void *data, size_t size);

#endif							/* SRM_RANDOM_H */
