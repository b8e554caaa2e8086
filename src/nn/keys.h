/*-------------------------------------------------------------------------
 *
 * keys.h
 *	  Keys and values of tokens, in the order in which attention reads them.
 *
 * They are packed as weights are (pack.h), once, when they are made: scores are
 * products of queries with keys, and outputs those of softmax weights with the values
 * turned round.  In bf16 they take half the memory that they would take in f32.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_KEYS_H
#define SRM_KEYS_H

#include <stddef.h>

#include "base/sizes.h"
#include "kernel/matrix.h"
#include "kernel/pack.h"

typedef struct SrmKeys
{
	SrmCompute	compute;		/* f32 or bf16, see srm_keys_compute() */
	size_t		n_heads;		/* of keys */
	size_t		head_dim;
	size_t		capacity;		/* tokens; a multiple of SRM_PANEL */
	char	   *keys;			/* (n_heads), each a packed matrix (capacity, head_dim) */
	char	   *values;			/* (n_heads), each a packed matrix (head_dim, capacity) */
} SrmKeys;

/* In what keys are kept where weights are read so: bf16 where products of bfloats are fast. */
extern SrmCompute srm_keys_compute(SrmCompute weights);

/* n, or more, so that it is a capacity.  n is at most SIZE_MAX / 4. */
static inline size_t
srm_keys_capacity(size_t n)
{
	return srm_divide_up(n, SRM_PANEL) * SRM_PANEL;
}

/* Bytes that keys and values take, a multiple of 64; 0 where that does not fit. */
extern size_t srm_keys_bytes(const SrmKeys *shape, size_t capacity);

/* Lets keys and values lie in memory, srm_keys_bytes() bytes aligned to 64. */
extern void srm_keys_place(SrmKeys *keys, void *memory, size_t capacity);

/*
 * Writes n tokens from first on, both within one panel: keys and values are
 * (n, n_heads * head_dim).  Tokens behind them in the panel are lost.
 */
extern void srm_keys_write(SrmKeys *keys, size_t first, size_t n,
						   const float *key_rows, const float *value_rows);

/* The same of keys alone, where values have no memory. */
extern void srm_keys_write_keys(SrmKeys *keys, size_t first, size_t n, const float *key_rows);

/* Forgets the tokens from n on. */
extern void srm_keys_truncate(SrmKeys *keys, size_t n);

/*
 * Copies n tokens from from_first on to where to_first is, both the first of a panel; those behind
 * them in their last panel stay.  Both have room for them, and are of one shape.
 */
extern void srm_keys_copy(SrmKeys *to, size_t to_first, const SrmKeys *from, size_t from_first, size_t n);

/* The panel of a head's keys that a token is in. */
static inline const char *
srm_keys_panel(const SrmKeys *keys, size_t head, size_t token)
{
	return keys->keys + (head * keys->capacity + token / SRM_PANEL * SRM_PANEL) *
		srm_pack_lanes(srm_packing_of(keys->compute), keys->head_dim) * 4;
}

/* Panels of a head's values. */
static inline size_t
srm_value_panels(const SrmKeys *keys)
{
	return srm_divide_up(keys->head_dim, SRM_PANEL);
}

/* The panel of that number of a head's values, from a token on, the first of a panel of keys. */
static inline const char *
srm_value_panel_at(const SrmKeys *keys, size_t head, size_t number, size_t token)
{
	size_t		group = srm_pack_group(srm_packing_of(keys->compute));

	return keys->values + ((head * srm_value_panels(keys) + number) * keys->capacity + token) / group * SRM_PANEL * 4;
}

#endif							/* SRM_KEYS_H */
