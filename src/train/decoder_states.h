/*-------------------------------------------------------------------------
 *
 * decoder_states.h
 *	  What the decoder's forward and backward in training share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_STATES_H
#define SRM_DECODER_STATES_H

#include "train/decoder_train.h"
#include "kernel/kernels.h"

/*
 * Rows that one task takes through all that is done row by row: what it
 * works on stays in its processor's second-level cache.
 */
#define SRM_CHUNK	96

/*
 * States of a layer that backward reads.  Active rows are those that matter
 * behind the layer's attention: all of them, but in the last layer the wanted ones.
 */
typedef struct SrmLayerStates
{
	float	   *raw_queries;	/* (active, q_dim) before the heads' norm; NULL without */
	float	   *raw_keys;		/* (rows, kv_dim) */
	float	   *queries;		/* (active, q_dim) */
	float	   *keys;			/* (rows, kv_dim) */
	float	   *values;			/* (rows, kv_dim) */
	float	   *attended;		/* (active, q_dim) */
	float	   *logs;			/* (active, n_heads) */
	float	   *attention_out;	/* (active, dim) before its norm; NULL without */
	float	   *middle;			/* (active, dim) behind attention */
	float	   *gate;			/* (active, ffn_dim); backward makes gradients of them */
	float	   *up;				/* (active, ffn_dim) */
	float	   *ffn_out;		/* (active, dim) before its norm; NULL without */
} SrmLayerStates;

struct SrmDecoderTrain
{
	const SrmDecoder *decoder;
	const SrmDecoder *gradient; /* NULL without backward */
	SrmTrainSize size;
	SrmArena   *arena;

	float	   *cosines;		/* (n_positions, head_dim / 2) */
	float	   *sines;
	uint32_t   *positions;		/* (rows) */
	float	  **inputs;			/* (n_layers + 1) of (rows, dim): the residual stream */
	SrmLayerStates *states;		/* (n_layers), all the same with recompute */
	float	   *panels[SRM_N_WEIGHTS]; /* of the matrices of the layer at work, one way or the other */

	/* Backward */
	float	   *dout;			/* (active, dim) */
	float	   *din;			/* (rows, dim) */
	float	   *dmiddle;		/* (active, dim) */
	float	   *dffn_out;		/* (active, dim) behind the norm's backward; NULL without */
	float	   *dattention_out; /* (active, dim); NULL without */
	float	   *normed;			/* (rows, dim) attention's input */
	float	   *normed_active;	/* (active, dim) the same rows where not all are active */
	float	   *ffn_normed;		/* (active, dim) */
	float	   *act;			/* (active, ffn_dim) */
	float	   *dattended;		/* (active, q_dim) */
	float	   *dqueries;		/* (active, q_dim) */
	float	   *dkeys;			/* (rows, kv_dim) */
	float	   *dvalues;		/* (rows, kv_dim) */
	float	   *partials;		/* (chunks, 4 * dim + 2 * head_dim) of the norms' gradients */

	/* Of the call at work */
	const SrmTrainBatch *batch;
	SrmThreads *threads;
	const SrmStop *stop;
	SrmStatus  *status;
	size_t		layer;
	size_t		n_active;
	const uint32_t *active;		/* (n_active) rows; NULL: all */
};

static inline size_t
srm_q_dim(const SrmDecoder *decoder)
{
	return decoder->n_heads * decoder->head_dim;
}

static inline size_t
srm_kv_dim(const SrmDecoder *decoder)
{
	return decoder->n_kv_heads * decoder->head_dim;
}

/* Rows of chunk number of n rows in all. */
static inline size_t
srm_chunk_rows(size_t n, size_t number)
{
	size_t		left = n - number * SRM_CHUNK;

	return left < SRM_CHUNK ? left : SRM_CHUNK;
}

static inline size_t
srm_n_chunks(size_t n)
{
	return (n + SRM_CHUNK - 1) / SRM_CHUNK;
}

/* Floats of scratch that a thread needs for what is done row by row. */
extern size_t srm_chunk_scratch(const SrmDecoder *decoder);

/* The row of active number i. */
static inline size_t
srm_active_row(const SrmDecoderTrain *train, size_t i)
{
	return train->active == NULL ? i : train->active[i];
}

/* How many active rows come before a row. */
extern size_t srm_active_before(const SrmDecoderTrain *train, size_t row);

/* Makes a layer the one at work, and says which rows are active in it. */
extern void srm_enter_layer(SrmDecoderTrain *train, size_t layer);

/* The attention of the layer at work. */
extern SrmTreeAttention srm_layer_attention(const SrmDecoderTrain *train);

/* Packs the layer's matrices for products x w^T, or dx = dout w. */
extern bool srm_pack_layer(SrmDecoderTrain *train, bool backward);

/* One layer forward, from its input to the next one's. */
extern bool srm_layer_forward(SrmDecoderTrain *train, size_t layer);

extern bool srm_run_chunks(SrmDecoderTrain *train, size_t n_rows, SrmTask task);

#endif							/* SRM_DECODER_STATES_H */
