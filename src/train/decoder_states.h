/*-------------------------------------------------------------------------
 *
 * decoder_states.h
 *	  Batches of trees, and the memory of a decoder in training.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_STATES_H
#define SRM_DECODER_STATES_H

#include "base/arena.h"
#include "kernel/kernels.h"
#include "nn/tape.h"
#include "train/tree_attention.h"

/*
 * Rows that one task takes through all that is done row by row: what it
 * works on stays in its processor's second-level cache.
 */
#define SRM_CHUNK	96

/*
 * Segments lie in the order of their rows; only their first and n, and
 * n_past of those that continue another, are looked at.  A tree that has many continuations
 * has one first segment.
 */
typedef struct SrmTrainBatch
{
	const int32_t *tokens;		/* (n_rows), below vocab_size */
	size_t		n_rows;
	SrmBranch *segments;		/* (n_segments); their queries are filled in */
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
	size_t		rank;			/* greatest of an adapter; 0: there are none */
} SrmTrainSize;

/* An adapter of a matrix (rows, cols), which is base + scale * b * a already. */
typedef struct SrmTrainAdapter
{
	const float *a;				/* (rank, cols); NULL: the matrix has no adapter */
	const float *b;				/* (rows, rank) */
	float	   *da;				/* gradients, which are added to */
	float	   *db;
	size_t		rank;
	float		scale;
} SrmTrainAdapter;

/* How far back the gradients of a layer are wanted. */
typedef struct SrmTrainWants
{
	bool		middle;			/* of what is behind attention, */
	bool		heads;			/* of queries, keys and values, */
	bool		normed;			/* of their inputs, */
	bool		input;			/* and of the layer's */
} SrmTrainWants;

typedef struct SrmDecoderTrain
{
	const SrmDecoder *decoder;
	const SrmDecoder *gradient; /* NULL without backward */
	const SrmTrainAdapter *adapters;	/* (n_layers, SRM_N_WEIGHTS); NULL: there are none */
	SrmTrainSize size;
	SrmArena   *arena;

	float	   *cosines[SRM_N_ROPES];	/* (n_positions, head_dim / 2); empty where no layer has it */
	float	   *sines[SRM_N_ROPES];
	uint32_t   *positions;		/* (rows) */
	SrmTape		tape;			/* states of all layers are the same with recompute; backward makes
								 * gradients of gate and up, and packs what it needs */

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
	float	   *packed_a[SRM_N_WEIGHTS];	/* (cols, rank) in panels: factors of the layer's adapters */
	float	   *packed_b[SRM_N_WEIGHTS];	/* (rows, rank) in panels */
	float	   *reduced_x[SRM_N_WEIGHTS];	/* (rows, rank), see decoder_adapters.h */
	float	   *reduced_dout[SRM_N_WEIGHTS];	/* (rows, rank) */

	/* Of the call at work */
	const SrmTrainBatch *batch;
	SrmThreads *threads;
	const SrmStop *stop;
	SrmStatus  *status;
	size_t		layer;
	size_t		n_active;
	const uint32_t *active;		/* (n_active) rows; NULL: all */
	SrmTrainWants wants;
} SrmDecoderTrain;

/* Bytes that a decoder takes in training, and those of its threads. */
extern size_t srm_decoder_train_bytes(const SrmDecoder *decoder, const SrmTrainSize *size, int n_threads);

/*
 * gradient is a decoder of the same shape, whose weights are f32 that may be
 * written, or NULL where no gradient is wanted; NULL itself with no backward at all.  Both must
 * live as long as what is made here.
 */
extern SrmDecoderTrain *srm_decoder_train_create(const SrmDecoder *decoder, const SrmDecoder *gradient,
												 const SrmTrainAdapter *adapters,
												 const SrmTrainSize *size, SrmStatus *status);

/* Bytes that it holds. */
extern size_t srm_decoder_train_used(const SrmDecoderTrain *train);

extern void srm_decoder_train_free(SrmDecoderTrain *train); /* NULL is allowed */

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

/* Packs the layer's matrices for dx = dout w, as far as the train's wants ask for it. */
extern bool srm_pack_layer_backward(SrmDecoderTrain *train);

/* Runs a task for each chunk of rows; false, with the status set, on a stop. */
extern bool srm_run_chunks(SrmDecoderTrain *train, size_t n_rows, SrmTask task);

#endif							/* SRM_DECODER_STATES_H */
