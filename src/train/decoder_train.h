/*-------------------------------------------------------------------------
 *
 * decoder_train.h
 *	  The decoder forth and back, over a batch of trees.
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

#include "base/arena.h"
#include "nn/decoder.h"
#include "train/tree_attention.h"

/*
 * Segments lie in the order of their rows; only their first and n, and
 * n_past of those that continue another, are looked at.  A tree that has many continuations
 * has one first segment.
 */
typedef struct SrmTrainBatch
{
	const int32_t *tokens;		/* (n_rows), below vocab_size */
	size_t		n_rows;
	SrmSegment *segments;		/* (n_segments); their queries are filled in */
	size_t		n_segments;
	const SrmTree *trees;		/* (n_trees) over the segments, in order */
	size_t		n_trees;
	const uint32_t *wanted;		/* (n_wanted) rows whose states are read, ascending */
	size_t		n_wanted;
} SrmTrainBatch;

/* The greatest batch that is to fit. */
typedef struct SrmTrainSize
{
	size_t		n_rows;			/* of a batch */
	size_t		n_wanted;
	size_t		n_positions;	/* of a conversation */
	size_t		n_tree_rows;	/* of a tree */
	bool		backward;		/* gradients are wanted at all */
	bool		recompute;		/* states of one layer at a time: a third more work, less memory */
} SrmTrainSize;

typedef struct SrmDecoderTrain SrmDecoderTrain;

/* Bytes that a decoder takes in training, and those of its threads. */
extern size_t srm_decoder_train_bytes(const SrmDecoder *decoder, const SrmTrainSize *size, int n_threads);

/*
 * gradient is a decoder of the same shape, whose weights are f32 that may be
 * written, or NULL where no gradient is wanted; NULL itself with no backward at all.  Both must
 * live as long as what is made here.
 */
extern SrmDecoderTrain *srm_decoder_train_create(const SrmDecoder *decoder, const SrmDecoder *gradient,
												 const SrmTrainSize *size, SrmStatus *status);
/* Bytes that it holds. */
extern size_t srm_decoder_train_used(const SrmDecoderTrain *train);

extern void srm_decoder_train_free(SrmDecoderTrain *train); /* NULL is allowed */

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
