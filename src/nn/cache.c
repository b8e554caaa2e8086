/*-------------------------------------------------------------------------
 *
 * cache.c
 *	  Keys and values of the tokens of a prompt.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/cache.h"

#include <stdint.h>
#include <stdlib.h>

#define MAX_TOKENS	(SIZE_MAX / 4)

SrmKeys
srm_decoder_keys(const SrmDecoder *decoder, const SrmLayer *layer)
{
	SrmCompute	weights = layer->query.packed == NULL ? SRM_COMPUTE_F32 : layer->query.compute;
	SrmKeys		keys = {
		.compute = srm_keys_compute(weights),.n_heads = decoder->n_kv_heads,.head_dim = decoder->head_dim
	};

	return keys;
}

SrmCache *
srm_cache_create(const SrmDecoder *decoder, SrmStatus *status)
{
	SrmCache   *cache = calloc(1, sizeof(SrmCache));

	if (cache != NULL)
	{
		cache->n_layers = decoder->n_layers;
		cache->layers = calloc(cache->n_layers, sizeof(SrmKeys));
	}
	if (cache == NULL || cache->layers == NULL)
	{
		srm_cache_free(cache);
		srm_fail_memory(status, sizeof(SrmCache) + decoder->n_layers * sizeof(SrmKeys));
		return NULL;
	}
	for (size_t i = 0; i < cache->n_layers; i++)
		cache->layers[i] = srm_decoder_keys(decoder, &decoder->layers[i]);
	return cache;
}

void
srm_cache_free(SrmCache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; cache->layers != NULL && i < cache->n_layers; i++)
		free(cache->layers[i].keys);
	free(cache->layers);
	free(cache);
}

size_t
srm_cache_bytes(const SrmCache *cache)
{
	size_t		bytes = 0;

	for (size_t i = 0; i < cache->n_layers && cache->layers[i].capacity > 0; i++)
		bytes += srm_keys_bytes(&cache->layers[i], cache->layers[i].capacity);
	return bytes;
}

void
srm_cache_truncate(SrmCache *cache, size_t n_tokens)
{
	if (n_tokens >= cache->n_tokens)
		return;
	cache->n_tokens = n_tokens;
	for (size_t i = 0; i < cache->n_layers; i++)
		srm_keys_truncate(&cache->layers[i], n_tokens);
}

/* Moves the first n_used tokens to a piece of memory with more room. */
static bool
enlarge(SrmKeys *keys, size_t n_used, size_t capacity, SrmStatus *status)
{
	size_t		bytes = srm_keys_bytes(keys, capacity);
	SrmKeys		larger = *keys;
	void	   *memory = bytes == 0 ? NULL : aligned_alloc(64, bytes);

	if (memory == NULL)
		return srm_fail_memory(status, bytes == 0 ? SIZE_MAX / 4 : bytes);
	srm_keys_place(&larger, memory, capacity);
	srm_keys_copy(&larger, 0, keys, 0, n_used);
	srm_keys_truncate(&larger, n_used);
	free(keys->keys);
	*keys = larger;
	return true;
}

bool
srm_cache_reserve(SrmCache *cache, size_t n, SrmStatus *status)
{
	if (n > MAX_TOKENS)
		return srm_fail_memory(status, MAX_TOKENS);
	for (size_t i = 0; i < cache->n_layers; i++)
		if (cache->layers[i].capacity < n &&
			!enlarge(&cache->layers[i], cache->n_tokens, srm_keys_capacity(n), status))
			return false;
	return true;
}
