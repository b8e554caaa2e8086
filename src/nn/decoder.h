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
 * One pass over sequences, which stand in an order in which each comes behind those that it names: texts, and what
 * goes on from them.
 *
 * A sequence that begins a text attends to the tokens that the text has before it, which are those
 * of another text or of the cache, and to itself; one that goes on from it attends to that text, to tokens that it has
 * in common with another that does, and to itself.
 * None knows anything of the others.  cache may be NULL where no sequence names it.
 *
 * The cache gets the text of the sequence that is kept in the place of its own.  After a failure it has
 * those of its tokens that all the texts that led to that one begin with.
 *
 * A sequence gets the same bits whatever the number of threads, the sequences beside it, and
 * the number of its text's tokens that were there; that is, as far
 * as products and attention give each row the same bits whatever rows are beside it.
 *
 * Temporary memory is bounded by O(rows * dim) and the keys of one layer, and freed on return; rows are the
 * tokens of all sequences.  Stop is asked at least
 * once a layer, and within long layers once a panel of work of about 50 ms.
 * Token ids must be below vocab_size: SRM_INVALID_MODEL if not.
 */
extern bool srm_decoder_forward_batch(const SrmDecoder *decoder, SrmCache *cache,
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
