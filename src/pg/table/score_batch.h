/*-------------------------------------------------------------------------
 *
 * score_batch.h
 *	  Batches of srm_score_table(), as each participant runs them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORE_BATCH_H
#define SRM_SCORE_BATCH_H

#include "postgres.h"
#include "executor/spi.h"

#include "pg/table/score_job.h"

typedef struct SrmScoreRunner
{
	const SrmScoreJob *job;
	SPIPlanPtr	plans[SRM_SCORE_N_STATEMENTS];	/* kept; NULL for "" */
	MemoryContext scratch;		/* of a batch */
	MemoryContextCallback callback;
} SrmScoreRunner;

/* Prepares the statements; needs SPI.  What is prepared goes with the context. */
extern SrmScoreRunner *srm_score_batch_begin(const SrmScoreJob *job, MemoryContext context);

/*
 * Scores one batch within the current transaction, which the caller commits;
 * false if no row was left that nobody else is at.  A row that raises an error
 * has that recorded as its problem; what is not the row's fault is raised.  Leaves
 * the context of the batch current.
 */
extern bool srm_score_batch_run(SrmScoreRunner *runner, SrmScoreCounts *counts);

#endif							/* SRM_SCORE_BATCH_H */
