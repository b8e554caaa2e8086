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

#include "storage/lock.h"

#include "pg/call.h"
#include "pg/models/model_owner.h"

/* The directory of srm.output_path as an absolute path, palloc'd; it need not exist. */
extern char *srm_output_directory(void);

/* Makes a directory that this server alone needs, and those above it. */
extern void srm_output_make_directory(const char *directory);

/*
 * One session at a time may make, replace, rename or drop a model of a name.
 * Raises an error where another one does.  The lock ends with the transaction,
 * or, for a whole session, with an error, unless it is released before.
 */
extern void srm_output_lock(LOCKTAG *lock, const char *directory, const char *name, bool for_session);

/* Raises an error where a name leads to a model in another directory of srm.model_path. */
extern void srm_output_check_path(const char *name, const char *directory);

/* A name in that directory, which is this session's to write to. */
typedef struct SrmOutputPlace
{
	char	   *directory;
	const char *name;
	LOCKTAG		lock;
	bool		for_session;
	SrmOwner	owner;			/* that of the model that is replaced, or else the caller */
} SrmOutputPlace;

/*
 * Makes the directory if it is missing, and takes the name.  Raises an
 * error where it cannot be taken: one that is not valid, one that leads
 * to a model in another directory of srm.model_path, one that another session
 * writes to; or, without replace, one of a model that is there, and with it one of
 * somebody else's.  To be called before the work, not after it.
 */
extern void srm_output_take(SrmOutputPlace *place, SrmCall *call, const char *name, bool replace, bool for_session);
extern void srm_output_release(SrmOutputPlace *place);

/* Warns where srm.model_path does not lead to a model that was written to "path". */
extern void srm_output_announce(const char *path);

/*
 * Takes a name and begins a model there.  The writer is closed, and what it has not committed
 * removed, by srm_output_end() or with the call's memory context.
 */
typedef struct SrmOutput
{
	SrmOutputPlace place;
	SrmWriter  *writer;
	MemoryContextCallback callback;
} SrmOutput;

/* name and replace as of srm_output_take(), whose errors it raises. */
extern SrmOutput *srm_output_begin(SrmCall *call, const char *name, bool replace);

/* Raises an error where srm.model_path would not lead to the model, for callers who are to read it. */
extern void srm_output_check_reachable(const SrmOutput *output);

/* Makes the model visible; a warning tells where srm.model_path does not lead to it. */
extern void srm_output_commit(SrmCall *call, SrmOutput *output);
extern void srm_output_end(SrmOutput *output);

#endif							/* SRM_OUTPUT_H */
