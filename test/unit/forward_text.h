/*-------------------------------------------------------------------------
 *
 * forward_text.h
 *	  A pass of the decoder over one text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_FORWARD_TEXT_H
#define SRM_FORWARD_TEXT_H

#include "nn/decoder.h"

/*
 * srm_decoder_forward_batch() for one text of n_tokens tokens: the prompt with keep, a sequence
 * behind it without.
 */
static inline bool
forward_text(const SrmDecoder *decoder, SrmCache *cache, bool keep,
			 const int32_t *tokens, size_t n_tokens, const uint32_t *wanted, size_t n_wanted,
			 float *hidden, int n_threads, const SrmStop *stop, SrmStatus *status)
{
	SrmSequence sequence = {.tokens = tokens,.n_tokens = n_tokens,.wanted = wanted,.n_wanted = n_wanted,
		.hidden = hidden,
		.rope_length = srm_decoder_rope_length(decoder, (cache == NULL ? 0 : cache->n_tokens) + n_tokens)
	};

	keep = keep && cache != NULL;
	return srm_decoder_forward_batch(decoder, cache, keep ? &sequence : NULL, &sequence,
									 keep ? 0 : 1, n_threads, stop, status);
}

#endif							/* SRM_FORWARD_TEXT_H */
