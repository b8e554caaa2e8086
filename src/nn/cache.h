/*-------------------------------------------------------------------------
 *
 * cache.h
 *	  Keys and values of the tokens of a prompt.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CACHE_H
#define SRM_CACHE_H

#include "base/status.h"
#include "nn/keys.h"
#include "nn/layer.h"

/*
 * Keys (after rope) and values, packed as attention reads them (keys.h): in
 * f32, or in bf16 where products of bfloats are fast.
 */
typedef struct SrmCache
{
	size_t		n_layers;
	size_t		n_tokens;
	SrmKeys    *layers;			/* (n_layers), with room for n_tokens at least */
} SrmCache;

/* Empty; room for tokens comes with the first use. */
extern SrmCache *srm_cache_create(const SrmDecoder *decoder, SrmStatus *status);
extern void srm_cache_free(SrmCache *cache);	/* NULL is allowed */

/* Bytes of the room that it has, whatever is in it. */
extern size_t srm_cache_bytes(const SrmCache *cache);

/* Forgets all but the first n tokens. */
extern void srm_cache_truncate(SrmCache *cache, size_t n_tokens);

/* Room for n tokens in all; what is there stays, whether that succeeds or not. */
extern bool srm_cache_reserve(SrmCache *cache, size_t n, SrmStatus *status);

/* What keys of a layer look like; without room for any. */
extern SrmKeys srm_decoder_keys(const SrmDecoder *decoder, const SrmLayer *layer);

#endif							/* SRM_CACHE_H */
