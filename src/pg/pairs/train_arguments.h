/*-------------------------------------------------------------------------
 *
 * train_arguments.h
 *	  The arguments of srm_train() as options of a training run.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_ARGUMENTS_H
#define SRM_TRAIN_ARGUMENTS_H

#include "postgres.h"
#include "fmgr.h"

#include "train/train.h"

/* What the procedure itself keeps to. */
typedef struct SrmTrainArguments
{
	const char *name;			/* of the new model */
	const char *query;
	const char *base;			/* name of the base model */
	uint64		log_every;		/* steps */
} SrmTrainArguments;

/*
 * Reads the arguments; what is NULL keeps the engine's default.  Strings are
 * palloc'd.  Directories, threads and memory are left to the caller.
 */
extern void srm_train_read_arguments(FunctionCallInfo fcinfo, SrmTrainArguments *arguments,
									 SrmTrainOptions *options);

#endif							/* SRM_TRAIN_ARGUMENTS_H */
