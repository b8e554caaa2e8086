/*-------------------------------------------------------------------------
 *
 * pass.h
 *	  Pairs through the model, forth and back: a few at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_PASS_H
#define SRM_TRAIN_PASS_H

#include "train/dataset.h"
#include "train/parameters.h"

/* What computes with the weights of a run. */
typedef struct SrmPasses
{
	const SrmModel *model;
	const SrmTrainOptions *options;
	SrmParameters *parameters;
	SrmDecoderTrain *train;		/* NULL with SRM_TRAIN_HEAD */
	float	   *hidden;			/* (n_wanted, dim) */
	float	   *dhidden;		/* (n_wanted, dim) */
	SrmArena   *arena;			/* of the buffers above */
	SrmArena   *scratch;		/* of a batch */
} SrmPasses;

/* Sums over pairs. */
typedef struct SrmPairSums
{
	double		loss;			/* weighted */
	double		weight;
	double		right;			/* pairs ranked right; ties count half */
	size_t		n_pairs;
	size_t		n_tokens;
} SrmPairSums;

/* The greatest batch of the pairs, and bytes for it. */
extern SrmTrainSize srm_passes_size(const SrmDataset *dataset, const SrmTrainOptions *options, bool recompute);
extern size_t srm_passes_bytes(const SrmModel *model, const SrmTrainSize *size, int n_threads);

/* With size NULL, states of pairs are there already: SRM_TRAIN_HEAD. */
extern SrmPasses *srm_passes_create(const SrmModel *model, const SrmTrainOptions *options,
									SrmParameters *parameters, const SrmTrainSize *size, SrmStatus *status);
extern void srm_passes_free(SrmPasses *passes); /* NULL is allowed */

/* Computes and keeps the states of all pairs, for SRM_TRAIN_HEAD. */
extern bool srm_dataset_compute_states(SrmDataset *dataset, const SrmModel *model, int n_threads,
									   const SrmStop *stop, SrmStatus *status);

/*
 * Runs pairs (n) forth and, with backward, adds to the gradients of their
 * mean loss.  A score or gradient that is not finite fails and names the pair;
 * step is for the message.
 */
extern bool srm_passes_run(SrmPasses *passes, const SrmPair *const *pairs, size_t n, bool backward,
						   uint64_t step, SrmPairSums *sums, SrmThreads *threads,
						   const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_TRAIN_PASS_H */
