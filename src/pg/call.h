/*-------------------------------------------------------------------------
 *
 * call.h
 *	  One call of the engine: its memory, its status, and when to stop.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CALL_H
#define SRM_CALL_H

#include "postgres.h"
#include "fmgr.h"

#include "base/arena.h"
#include "pg/compat.h"

/*
 * The functions that the server calls.  pg_noinline, since the JIT compiler
 * may not move them out of a library whose other symbols are local.
 */
#define SRM_FUNCTION(name) \
	PG_FUNCTION_INFO_V1(name); \
	pg_noinline Datum name(PG_FUNCTION_ARGS)

/* One that is another function with arguments of its own. */
#define SRM_FUNCTION_AS(name, call) \
	SRM_FUNCTION(name) \
	{ return call; }

typedef struct SrmCall
{
	SrmArena   *arena;
	SrmStatus	status;
	SrmStop		stop;			/* cancels, timeouts, terminations */
	ErrorData  *error;			/* what CHECK_FOR_INTERRUPTS() raised */
	MemoryContext context;
	MemoryContextCallback callback;
} SrmCall;

/* Its resources go with the current memory context, or with srm_call_end(). */
extern SrmCall *srm_call_begin(void);
extern void srm_call_end(SrmCall *call);

/* Raises what the engine reported; to be called once it has returned false or NULL. */
pg_noreturn extern void srm_call_raise(SrmCall *call);

/* What the engine says, in the encoding of the database; may be palloc'd. */
extern const char *srm_call_text(const char *text);

/* Shows a status that does not end the call as a warning. */
extern void srm_call_warn(const SrmStatus *status, const char *model);

/* Warns that the prepared weights of a model, so many bytes, could not be shared. */
extern void srm_call_warn_private(const SrmStatus *problem, const char *model, size_t bytes);

/* For a procedure that commits as it goes: an error where it cannot. */
extern void srm_call_check_can_commit(FunctionCallInfo fcinfo, const char *procedure);

#define srm_call_check(call, done) \
	do { \
		if (!(done)) \
			srm_call_raise(call); \
	} while (0)

#endif							/* SRM_CALL_H */
