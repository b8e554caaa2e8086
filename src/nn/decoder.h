/*-------------------------------------------------------------------------
 *
 * decoder.h
 *	  One transformer decoder, driven by a description.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_H
#define SRM_DECODER_H

#include "kernel/threads.h"
#include "nn/cache.h"
#include "nn/sequence.h"
#include "nn/tape.h"

/*
 * One pass over the rest of a prompt and n_sequences texts that follow it.
 *
 * The prompt goes on where the cache's tokens end, and its keys and values are added to the
 * cache; NULL where the cache has all of it.  Each of the sequences goes on where the
 * prompt ends: it attends to the cache's tokens, the prompt, and itself, and knows
 * nothing of the others.  After a failure the cache is as it was before.  cache may be
 * NULL where there is no prompt: no tokens before.
 *
 * A sequence gets the same bits whatever the number of threads, the sequences beside it, and
 * the number of the prompt's tokens that were in the cache; that is, as far
 * as products and attention give each row the same bits whatever rows are beside it.
 *
 * Temporary memory is bounded by O(rows * dim), and freed on return; rows are the
 * tokens of the prompt and all sequences.  Stop is asked at least
 * once a layer, and within long layers once a panel of work of about 50 ms.
 * Token ids must be below vocab_size: SRM_INVALID_MODEL if not.
 */
extern bool srm_decoder_forward_batch(const SrmDecoder *decoder, SrmCache *cache,
									  const SrmSequence *prompt,
									  const SrmSequence *sequences, size_t n_sequences,
									  int n_threads, const SrmStop *stop, SrmStatus *status);

/*
 * Sequences through n_layers layers from first_layer on, keeping on the tape what a
 * backward pass needs.  The weights are f32, and packed here.  The first layers begin from the tokens, others from
 * the tape's inputs.  States wanted are given out where they are asked for and the
 * last layer is among those.
 */
extern bool srm_decoder_forward_tape(const SrmDecoder *decoder, const SrmTape *tape,
									 size_t first_layer, size_t n_layers,
									 const SrmSequence *sequences, size_t n_sequences,
									 SrmThreads *threads, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_DECODER_H */
