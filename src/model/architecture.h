/*-------------------------------------------------------------------------
 *
 * architecture.h
 *	  What the model architectures differ in, as a table.
 *
 * An architecture is a row; the decoder knows none of their names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ARCHITECTURE_H
#define SRM_ARCHITECTURE_H

#include "nn/decoder.h"

/* Steps of a layer that not every model has. */
typedef enum SrmStep
{
	SRM_STEP_ALWAYS,
	SRM_STEP_QKV_BIAS,
	SRM_STEP_OUTPUT_BIAS,
	SRM_STEP_MLP_BIAS,
	SRM_STEP_HEAD_NORM,
	SRM_N_STEPS
} SrmStep;

/* Sizes that the shapes of tensors are made of. */
typedef enum SrmSize
{
	SRM_SIZE_NONE,				/* no such dimension: the tensor is a vector */
	SRM_SIZE_DIM,
	SRM_SIZE_QUERY,				/* n_heads * head_dim */
	SRM_SIZE_KEY,				/* n_kv_heads * head_dim */
	SRM_SIZE_HEAD,				/* head_dim */
	SRM_SIZE_FFN
} SrmSize;

/* Where a tensor of a layer goes. */
typedef struct SrmLayerTensor
{
	const char *name;			/* behind the layer's number; NULL ends a list */
	SrmStep		step;
	SrmSize		rows;
	SrmSize		cols;
	size_t		offset;			/* in SrmLayer: of an SrmMatrix, or a const float * */
} SrmLayerTensor;

typedef struct SrmArchitecture
{
	const char *name;			/* as config.json writes it; NULL ends the table */
	const char *embedding;		/* (vocab_size, dim) */
	const char *layer_prefix;	/* before the number of a layer, a dot, and its tensor */
	const SrmLayerTensor *layer_tensors;
	const char *final_norm;		/* (dim) */

	/* Which steps there are: "" always, NULL never, or the setting that tells */
	const char *steps[SRM_N_STEPS];

	/* What transformers takes where config.json is silent */
	size_t		head_dim;		/* 0: dim / n_heads */
	size_t		max_positions;
} SrmArchitecture;

/* The row of an architecture, or NULL. */
extern const SrmArchitecture *srm_architecture_find(const char *name);

/* The names of all architectures, as a list for a message. */
extern void srm_architecture_list(char *list, size_t size);

#endif							/* SRM_ARCHITECTURE_H */
