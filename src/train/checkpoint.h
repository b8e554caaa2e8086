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

#include "write/ownership.h"
#include "train/parameters.h"

/* Where checkpoints of a run are, and what tells them from those of others. */
typedef struct SrmCheckpoint
{
	const char *directory;		/* made on demand */
	unsigned	mode;			/* of the directory; files have it without the bits for execution */
	uint64_t	hash;			/* of options, pairs and base */
	SrmOwner	owner;
} SrmCheckpoint;

/* What a run knows beside its arrays. */
typedef struct SrmRunState
{
	uint64_t	run;			/* the caller's number of the run; 0: none */
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

/* What can be seen without reading all of a checkpoint. */
typedef struct SrmCheckpointInfo
{
	bool		exists;
	bool		is_readable;	/* it begins as this build writes them; else the next two say nothing */
	uint64_t	step;
	SrmOwner	owner;
	size_t		bytes;
} SrmCheckpointInfo;

/* Writes the file beside the one that is there, flushes it, and renames it; a failure leaves that one. */
extern bool srm_checkpoint_write(const SrmCheckpoint *checkpoint, const SrmRunState *state,
								 const SrmParameters *parameters, SrmStatus *status);

/*
 * SRM_FILE_ACCESS where there is none, SRM_INVALID_ARGUMENT where it belongs to another
 * run or is damaged; parameters are then of no use.
 */
extern bool srm_checkpoint_read(const SrmCheckpoint *checkpoint, SrmRunState *state,
								SrmParameters *parameters, SrmStatus *status);

/* False, with the status set, only where it cannot be told whether there is one. */
extern bool srm_checkpoint_find(const char *directory, SrmCheckpointInfo *info, SrmStatus *status);

/* Removes the file, and the directory if nothing else is in it; what is not there is no error. */
extern void srm_checkpoint_remove(const char *directory);

/* The size of the file. */
extern size_t srm_checkpoint_bytes(const SrmParameters *parameters);

#endif							/* SRM_CHECKPOINT_H */
