/*-------------------------------------------------------------------------
 *
 * parameters.h
 *	  The weights that are trained: f32 copies of a model's, their gradients
 *	  and moments.
 *
 * What is trained lies in one array, tensor by tensor, each at a multiple of
 * 64 bytes; gradients and moments are arrays of the same order.  With
 * adapters, the decoder's matrices are the base's plus scale * b * a, formed anew after each
 * step; what is frozen has no gradients.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PARAMETERS_H
#define SRM_PARAMETERS_H

#include "model/model.h"
#include "train/decoder_train.h"
#include "reward/gradient.h"
#include "train/train.h"

typedef struct SrmParameter
{
	size_t		start;			/* in the arrays */
	size_t		n;
	bool		decays;			/* a matrix */
} SrmParameter;

/* A low-rank adapter of one of the decoder's matrices. */
typedef struct SrmAdapter
{
	size_t		layer;
	SrmWeightNumber weight;
	SrmMatrix	base;			/* (rows, cols) as published, without a change */
	const SrmLowRank *start;	/* factors to begin with; NULL: new ones */
	float	   *sum;			/* (rows, cols) base + scale * b * a */
	size_t		a;				/* where a (rank, cols) starts in the arrays */
	size_t		b;				/* b (rows, rank) */
	size_t		rank;
	float		scale;			/* alpha / rank */
} SrmAdapter;

typedef struct SrmParameters
{
	SrmArena   *arena;
	SrmTrainPart part;
	SrmParameter *items;		/* (n) */
	size_t		n;
	size_t		n_floats;		/* of each array */
	size_t		n_trained;		/* without what fills up to 64 bytes */
	float	   *weights;		/* (n_floats) */
	float	   *gradients;
	float	   *first;			/* moments */
	float	   *second;
	float	   *best;			/* the weights at their best; NULL where nobody asks */

	SrmDecoder	decoder;		/* over the weights; without SRM_TRAIN_HEAD */
	SrmDecoder	gradient;
	SrmHead		head;
	SrmHead		head_gradient;
	float		no_bias[2];		/* value and gradient of a bias that the model does not have */

	SrmAdapter *adapters;		/* (n_adapters) */
	size_t		n_adapters;
	SrmTrainAdapter *factors;	/* (n_layers, SRM_N_WEIGHTS) the same with their gradients, by place */
	size_t		frozen_floats;	/* of the decoder, beside the arrays */
} SrmParameters;

/* Bytes of all arrays; keep_best counts one more. */
extern size_t srm_parameters_bytes(const SrmModel *model, const SrmTrainOptions *options);

/* Copies the model's weights, and initialises what it lacks; model must outlive it. */
extern SrmParameters *srm_parameters_create(const SrmModel *model, const SrmTrainOptions *options,
											SrmStatus *status);
extern void srm_parameters_free(SrmParameters *parameters); /* NULL is allowed */

/* Forms the adapted matrices from the weights. */
extern bool srm_parameters_merge(SrmParameters *parameters, SrmThreads *threads,
								 const SrmStop *stop, SrmStatus *status);

/* Makes all gradients zeros. */
extern void srm_parameters_clear(SrmParameters *parameters);

#endif							/* SRM_PARAMETERS_H */
