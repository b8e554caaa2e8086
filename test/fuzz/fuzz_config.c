/*-------------------------------------------------------------------------
 *
 * fuzz_config.c
 *	  Any bytes as a config.json: an error that says something, or a
 *	  description that no later step has to doubt.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_positive(double number)
{
	return isfinite(number) && number > 0;
}

static void
check_config(const SrmConfig *config)
{
	const SrmDecoder *decoder = &config->decoder;
	const SrmRope *rope = &decoder->ropes[SRM_ROPE_MAIN];

	if (decoder->n_layers == 0 || decoder->n_layers > 1024 || decoder->dim == 0 ||
		decoder->n_heads == 0 || decoder->n_kv_heads == 0 || decoder->ffn_dim == 0 ||
		decoder->vocab_size == 0 || decoder->n_heads % decoder->n_kv_heads != 0 ||
		decoder->head_dim == 0 || decoder->head_dim % 2 != 0 || config->max_tokens == 0)
		abort();
	if (!config->architecture->has_no_rope &&
		(!is_positive(rope->factor) || !is_positive(rope->attention_factor) ||
		 !is_positive(rope->original_max_positions) || !(rope->theta > 1)))
		abort();
	if (decoder->relative.span > 0 ?
		(!is_positive(decoder->attention_scale) || decoder->relative.n_buckets == 1 ||
		 decoder->relative.span > 32 * decoder->head_dim || decoder->n_heads != decoder->n_kv_heads) :
		(decoder->relative.by_query || decoder->relative.by_key))
		abort();
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (config->layers[i].n_experts > 0 &&
			(decoder->n_experts_used == 0 || decoder->n_experts_used > config->layers[i].n_experts || decoder->expert_dim == 0))
			abort();
	if (config->settings.aggregation == NULL || config->settings.boundary == NULL ||
		config->settings.segmenter == NULL || config->settings.locale == NULL ||
		!is_positive(config->settings.std) || !isfinite(config->settings.mean))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SrmStatus	status = {0};
	SrmArena   *arena = srm_arena_create(&status);
	SrmConfig	config;

	if (srm_config_read(&config, "fuzz", (const char *) data, size, arena, &status))
		check_config(&config);
	else if ((status.code != SRM_INVALID_MODEL && status.code != SRM_NOT_SUPPORTED) ||
			 status.message[0] == '\0')
		abort();
	srm_arena_free(arena);
	return 0;
}
