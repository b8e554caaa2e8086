/*-------------------------------------------------------------------------
 *
 * decoder_adapters.h
 *	  The way back through low-rank adapters, without the gradients of what
 *	  they adapt.
 *
 *	  w = base + scale * b * a,  y = x w^T
 *	  da = scale * (dy b)^T x,  db = dy^T (scale * x a^T)
 *
 * The factors in brackets have as many columns as the adapter has ranks, so that the
 * gradient of w itself, a product as large as that of the forward pass, is formed
 * nowhere.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_ADAPTERS_H
#define SRM_DECODER_ADAPTERS_H

#include "train/decoder_states.h"

/* What went into a map of the layer at work, and the gradient of what came out. */
typedef struct SrmMapRows
{
	const float *x;				/* (n, cols) */
	const float *dout;			/* (n, rows) */
	size_t		n;
} SrmMapRows;

/* The adapter of a map of the layer at work, or NULL. */
extern const SrmTrainAdapter *srm_adapter_of(const SrmDecoderTrain *train, SrmWeightNumber map);

/*
 * reduced_x[map] (n, rank) = scale * x a^T and reduced_dout[map] (n, rank) = scale * dout b of
 * the train, for all maps of the layer at work that have an adapter; rows by SrmWeightNumber.
 */
extern bool srm_adapters_reduce(SrmDecoderTrain *train, const SrmMapRows *rows);

/*
 * Which gradients of the layer at work anything asks for, be it in the layers below: sets the
 * train's wants.  False where there are none.
 */
extern bool srm_find_wants(SrmDecoderTrain *train);

#endif							/* SRM_DECODER_ADAPTERS_H */
