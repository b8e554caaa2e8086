/*-------------------------------------------------------------------------
 *
 * cache.h
 *	  Keys and values of the tokens of a prompt, as the decoder sees them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CACHE_H
#define SRM_CACHE_H

#include "nn/decoder.h"
#include "nn/keys.h"

struct SrmCache
{
	size_t		n_layers;
	size_t		n_tokens;
	SrmKeys    *layers;			/* (n_layers), with room for n_tokens at least */
};

/* Room for n tokens in all; what is there stays, whether that succeeds or not. */
extern bool srm_cache_reserve(SrmCache *cache, size_t n, SrmStatus *status);

/* What keys of a layer look like; without room for any. */
extern SrmKeys srm_decoder_keys(const SrmDecoder *decoder, const SrmLayer *layer);

#endif							/* SRM_CACHE_H */
