/*-------------------------------------------------------------------------
 *
 * training_log.h
 *	  The table srm.training_log, in which training runs report.
 *
 * Who trains need not have rights on the table: rows are written with those
 * of its owner, the role that created the extension.  All functions are to be
 * called inside an SPI connection.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAINING_LOG_H
#define SRM_TRAINING_LOG_H

#include "postgres.h"

#include "train/train.h"

/*
 * The number of a run.  One that goes on with first_step keeps the number that its checkpoint has (resumed; 0: it is
 * new), and its rows from first_step on are taken away.
 */
extern int64 srm_training_log_begin(const char *model, int64 resumed, uint64 first_step);

/* A row; NaN becomes NULL. */
extern void srm_training_log_put(int64 run, const char *model, const SrmTrainReport *report);

#endif							/* SRM_TRAINING_LOG_H */
