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
#include <string.h>

#define MAX_BYTES	(SIZE_MAX / 4)

SrmCache *
srm_cache_create(const SrmDecoder *decoder, SrmStatus *status)
{
	SrmCache   *cache = calloc(1, sizeof(SrmCache));

	if (cache != NULL)
	{
		cache->n_layers = decoder->n_layers;
		cache->width = decoder->n_kv_heads * decoder->head_dim;
		cache->keys = calloc(cache->n_layers, sizeof(float *));
		cache->values = calloc(cache->n_layers, sizeof(float *));
	}
	if (cache == NULL || cache->keys == NULL || cache->values == NULL)
	{
		srm_cache_free(cache);
		srm_fail_memory(status, sizeof(SrmCache) + 2 * decoder->n_layers * sizeof(float *));
		return NULL;
	}
	return cache;
}

void
srm_cache_free(SrmCache *cache)
{
	if (cache == NULL)
		return;
	for (size_t i = 0; cache->values != NULL && i < cache->n_layers; i++)
	{
		free(cache->keys[i]);
		free(cache->values[i]);
	}
	free(cache->keys);
	free(cache->values);
	free(cache);
}

size_t
srm_cache_tokens(const SrmCache *cache)
{
	return cache->n_tokens;
}

size_t
srm_cache_bytes(const SrmCache *cache)
{
	return 2 * cache->n_layers * cache->capacity * cache->width * sizeof(float);
}

void
srm_cache_truncate(SrmCache *cache, size_t n_tokens)
{
	if (n_tokens < cache->n_tokens)
		cache->n_tokens = n_tokens;
}

/* Moves rows to a piece of memory of that many bytes. */
static bool
enlarge(float **rows, size_t used_bytes, size_t bytes, SrmStatus *status)
{
	float	   *larger = aligned_alloc(64, bytes);

	if (larger == NULL)
		return srm_fail_memory(status, bytes);
	if (*rows != NULL)
		memcpy(larger, *rows, used_bytes);
	free(*rows);
	*rows = larger;
	return true;
}

bool
srm_cache_reserve(SrmCache *cache, size_t n, SrmStatus *status)
{
	size_t		row_bytes = cache->width * sizeof(float);
	size_t		used_bytes = cache->n_tokens * row_bytes;
	size_t		bytes;

	if (n <= cache->capacity)
		return true;
	if (row_bytes > 0 && n > MAX_BYTES / row_bytes)
		return srm_fail_memory(status, MAX_BYTES);
	bytes = (n * row_bytes + 63) & ~(size_t) 63;
	for (size_t i = 0; i < cache->n_layers; i++)
		if (!enlarge(&cache->keys[i], used_bytes, bytes, status) ||
			!enlarge(&cache->values[i], used_bytes, bytes, status))
			return false;
	cache->capacity = n;
	return true;
}
