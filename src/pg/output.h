/*-------------------------------------------------------------------------
 *
 * output.h
 *	  Where functions that make models put them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_OUTPUT_H
#define SRM_OUTPUT_H

#include "postgres.h"

#include "model/writer.h"
#include "pg/call.h"

/* The directory of srm.output_path as an absolute path, palloc'd; it need not exist. */
extern char *srm_output_directory(void);

/*
 * Makes that directory if it is missing, and gives it.  Raises an error where the
 * name cannot be taken, for the reasons below.
 */
extern char *srm_output_prepare(const char *name, bool replace);

/* Makes a directory that this server alone needs, and those above it. */
extern void srm_output_make_directory(const char *directory);

/* Warns where srm.model_path does not lead to a model that was written to "path". */
extern void srm_output_announce(const char *path);

/*
 * Begins a model in that directory, which is made if it is missing.  Raises an
 * error where the name cannot be taken: one that is not valid, one that leads
 * to a model in another directory of srm.model_path, or, without replace, one
 * of a model that is there.  To be called before the work, not after it.
 *
 * The writer is closed, and what it has not committed removed, by
 * srm_output_end() or with the call's memory context.
 */
typedef struct SrmOutput
{
	SrmWriter  *writer;
	MemoryContextCallback callback;
} SrmOutput;

extern SrmOutput *srm_output_begin(SrmCall *call, const char *name, bool replace);

/* Makes the model visible; a warning tells where srm.model_path does not lead to it. */
extern void srm_output_commit(SrmCall *call, SrmOutput *output);
extern void srm_output_end(SrmOutput *output);

#endif							/* SRM_OUTPUT_H */
