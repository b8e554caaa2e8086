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
	size_t		n_before = cache == NULL ? 0 : cache->n_tokens;
	size_t		rope_length = srm_decoder_rope_length(decoder, n_before + n_tokens);
	SrmSequence sequences[2] = {
		{.n_common = n_before,.is_kept = cache != NULL,.rope_length = rope_length},
		{.tokens = tokens,.n_tokens = n_tokens,.wanted = wanted,.n_wanted = n_wanted,.hidden = hidden,.rope_length = rope_length}
	};

	if (cache != NULL && keep)
	{
		sequences[1].n_common = n_before;
		sequences[1].is_kept = true;
	}
	else if (n_before > 0)
	{
		sequences[1].past = &sequences[0];
		return srm_decoder_forward_batch(decoder, cache, sequences, 2, n_threads, stop, status);
	}
	return srm_decoder_forward_batch(decoder, cache, sequences + 1, 1, n_threads, stop, status);
}

#endif							/* SRM_FORWARD_TEXT_H */
