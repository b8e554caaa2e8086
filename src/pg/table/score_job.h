/*-------------------------------------------------------------------------
 *
 * score_job.h
 *	  A table that is scored in batches: its statements, and where it stands.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORE_JOB_H
#define SRM_SCORE_JOB_H

#include "postgres.h"

/* What a participant runs for each batch; all in SQL, with the rights of the caller. */
typedef enum SrmScoreStatement
{
	SRM_SCORE_PICK,				/* () -> places (tid[]) of rows to do, locked; NULL if there are none */
	SRM_SCORE_CLEAR,			/* (places): removes their old sentences; "" if none are kept */
	SRM_SCORE_READ,				/* (places) -> place, whether the source has the row, its hash, and its inputs by their names */
	SRM_SCORE_KEEP,				/* (places, ...): writes sentences, see score_rows.c; "" if none are kept */
	SRM_SCORE_WRITE,			/* (places, ...): writes scores or problems */
	SRM_SCORE_FAIL,				/* (places, problem): records what the rows cannot be scored for */
	SRM_SCORE_N_STATEMENTS
} SrmScoreStatement;

typedef struct SrmScoreJob
{
	int64		number;
	char	   *statements[SRM_SCORE_N_STATEMENTS];
	char	   *model;
	char	   *search_path;	/* of the session that called */
} SrmScoreJob;

/* What one participant has done. */
typedef struct SrmScoreCounts
{
	int64		n_rows;
	int64		n_bad;
	int64		n_tokens;
} SrmScoreCounts;

/*
 * Puts a job on record, or joins the one that a live session runs with the same statements;
 * n_rows are to be done.  Needs SPI, as the functions below do.
 */
extern void srm_score_job_begin(SrmScoreJob *job, const char *source, const char *target, int64 n_rows);

/* The statements of a job on record, allocated in the current context. */
extern void srm_score_job_read(SrmScoreJob *job, int64 number);

/* This process takes part; what it has done since the last call; the job is done. */
extern void srm_score_job_join(const SrmScoreJob *job);
extern void srm_score_job_add(const SrmScoreJob *job, const SrmScoreCounts *counts);
extern void srm_score_job_finish(const SrmScoreJob *job);

/* What all participants have done so far. */
extern void srm_score_job_counts(const SrmScoreJob *job, SrmScoreCounts *counts);

#endif							/* SRM_SCORE_JOB_H */
