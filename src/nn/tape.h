/*-------------------------------------------------------------------------
 *
 * tape.h
 *	  What a pass writes down for a backward pass that follows.
 *
 * Rows are those of the pass: the tokens of its sequences, one behind the
 * other.  Active rows are those that matter behind a layer's attention: all of them,
 * but in the last layer those wanted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TAPE_H
#define SRM_TAPE_H

#include "nn/layer.h"

/* States of a layer. */
typedef struct SrmLayerStates
{
	float	   *raw_queries;	/* (active, q_dim) before the heads' norm; NULL without */
	float	   *raw_keys;		/* (rows, kv_dim) */
	float	   *queries;		/* (active, q_dim) */
	float	   *keys;			/* (rows, kv_dim) */
	float	   *values;			/* (rows, kv_dim) */
	float	   *attended;		/* (active, q_dim) */
	float	   *logs;			/* (active, n_heads), as of SrmAttention */
	float	   *attention_out;	/* (active, dim) before its norm; NULL without */
	float	   *middle;			/* (active, dim) behind attention */
	float	   *gate;			/* (active, ffn_dim) */
	float	   *up;				/* (active, ffn_dim) */
	float	   *ffn_out;		/* (active, dim) before its norm; NULL without */
} SrmLayerStates;

typedef struct SrmTape
{
	float	  **inputs;			/* (n_layers + 1) of (rows, dim): the residual stream; that of the last
								 * layer's output has active rows only */
	SrmLayerStates *states;		/* (n_layers) */
	float	   *packed[SRM_N_WEIGHTS]; /* room for the matrices of one layer, packed as f32 */
} SrmTape;

#endif							/* SRM_TAPE_H */
