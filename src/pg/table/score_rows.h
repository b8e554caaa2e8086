/*-------------------------------------------------------------------------
 *
 * score_rows.h
 *	  The rows of a batch of srm_score_table(): read, scored together, written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORE_ROWS_H
#define SRM_SCORE_ROWS_H

#include "postgres.h"
#include "executor/spi.h"
#include "utils/array.h"

#include "pg/table/score_job.h"

#define SRM_SCORE_N_COLUMNS	8

/* Arguments of SRM_SCORE_WRITE and SRM_SCORE_KEEP: arrays with an element for each row, or sentence. */
extern const Oid srm_score_row_types[SRM_SCORE_N_COLUMNS];
extern const Oid srm_score_sentence_types[SRM_SCORE_N_COLUMNS];

/*
 * Scores the rows at places, and writes what came out, a problem where a row has one.  An error
 * is raised, which may be the fault of one row.  Memory is bounded by that of some hundred rows, and of the
 * longest.
 */
extern void srm_score_rows(const SrmScoreJob *job, const SPIPlanPtr *plans, ArrayType *places, SrmScoreCounts *counts);

#endif							/* SRM_SCORE_ROWS_H */
