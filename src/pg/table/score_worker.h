/*-------------------------------------------------------------------------
 *
 * score_worker.h
 *	  Background workers that take part in srm_score_table().
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORE_WORKER_H
#define SRM_SCORE_WORKER_H

#include "postgres.h"
#include "postmaster/bgworker.h"

#include "pg/table/score_job.h"

typedef struct SrmScoreWorkers
{
	int			n;				/* that were started */
	BackgroundWorkerHandle **handles;
} SrmScoreWorkers;

/* Starts up to n workers for a job that is committed; says how many in n. */
extern void srm_score_workers_start(SrmScoreWorkers *workers, const SrmScoreJob *job, int n);

/* Waits until all have ended, be it with an error, which the server's log has. */
extern void srm_score_workers_wait(SrmScoreWorkers *workers);

/* Ends them; before_shmem_exit() may call it. */
extern void srm_score_workers_stop(int code, Datum workers);

/* Where a background worker begins. */
extern PGDLLEXPORT void srm_worker_main(Datum argument);

#endif							/* SRM_SCORE_WORKER_H */
