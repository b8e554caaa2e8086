/*-------------------------------------------------------------------------
 *
 * checkpoint.h
 *	  The state of a run, in a file.
 *
 * It is written under another name and renamed, so that there is always a
 * whole one, or none.  The file is for the machine that wrote it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CHECKPOINT_H
#define SRM_CHECKPOINT_H

#include "train/parameters.h"

/* What a run knows beside its arrays. */
typedef struct SrmRunState
{
	uint64_t	step;			/* whose update is complete */
	uint64_t	evaluated_step; /* the last one that was evaluated */
	uint64_t	n_waited;		/* evaluations since the best one */
	uint64_t	stopped_early;
	double		best_accuracy;	/* NaN before the first evaluation, as the next two */
	double		held_out_accuracy;
	double		held_out_loss;
	double		loss;			/* of the step, as the next three */
	double		accuracy;
	double		learning_rate;
	double		gradient_norm;
} SrmRunState;

/* hash stands for options, pairs and base. */
extern bool srm_checkpoint_write(const char *directory, uint64_t hash, const SrmRunState *state,
								 const SrmParameters *parameters, SrmStatus *status);

/*
 * SRM_FILE_ACCESS where there is none, SRM_INVALID_ARGUMENT where it belongs to another
 * run or is damaged; parameters are then of no use.
 */
extern bool srm_checkpoint_read(const char *directory, uint64_t hash, SrmRunState *state,
								SrmParameters *parameters, SrmStatus *status);

/* Removes the file, and the directory if nothing else is in it; what is not there is no error. */
extern void srm_checkpoint_remove(const char *directory);

/* The greatest size of the file. */
extern size_t srm_checkpoint_bytes(const SrmParameters *parameters);

#endif							/* SRM_CHECKPOINT_H */
