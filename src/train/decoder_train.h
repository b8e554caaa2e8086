/*-------------------------------------------------------------------------
 *
 * decoder_train.h
 *	  The decoder forth and back, over a batch of trees.
 *
 * Forth it goes as in scoring (nn/decoder.h), with a tape of what the way back needs:
 * a score in training has the bits that it has there.
 *
 * Weights are f32 and lie together (no packed or strided matrices); so do
 * gradients.  Rows of a batch lie one behind the other without padding, and
 * a beginning that several conversations share is computed once.
 *
 * Results do not depend on the number of threads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_TRAIN_H
#define SRM_DECODER_TRAIN_H

#include "train/decoder_states.h"

/* What a decoder has that the backward pass does not know, as a sentence; NULL: nothing. */
extern const char *srm_decoder_train_obstacle(const SrmDecoder *decoder);

/*
 * hidden (n_wanted, dim) = final-norm states of the wanted rows.  keep: a
 * backward of the same batch follows.
 */
extern bool srm_decoder_train_forward(SrmDecoderTrain *train, float *hidden, const SrmTrainBatch *batch,
									  bool keep, SrmThreads *threads, const SrmStop *stop,
									  SrmStatus *status);

/* Adds to the gradients, given those of the states, dhidden (n_wanted, dim). */
extern bool srm_decoder_train_backward(SrmDecoderTrain *train, const float *dhidden,
									   const SrmTrainBatch *batch, SrmThreads *threads,
									   const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_DECODER_TRAIN_H */
