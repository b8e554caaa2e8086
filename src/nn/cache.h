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

struct SrmCache
{
	size_t		n_layers;
	size_t		width;			/* n_kv_heads * head_dim */
	size_t		capacity;		/* tokens that there is room for */
	size_t		n_tokens;
	float	  **keys;			/* (n_layers), each (capacity, width); NULL without room */
	float	  **values;			/* the same */
};

/* Room for n tokens in all; what is there stays, whether that succeeds or not. */
extern bool srm_cache_reserve(SrmCache *cache, size_t n, SrmStatus *status);

#endif							/* SRM_CACHE_H */
