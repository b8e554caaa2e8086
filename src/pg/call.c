/*-------------------------------------------------------------------------
 *
 * call.c
 *	  One call of the engine: its memory, its status, and when to stop.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"

#include "pg/call.h"
#include "pg/settings_source.h"

/*
 * The engine must not be jumped over: an error that an interrupt raises is
 * kept here, and raised again once the engine has unwound.
 */
static bool
check_interrupts(void *arg)
{
	SrmCall    *call = arg;

	if (call->error != NULL)
		return true;
	if (!INTERRUPTS_PENDING_CONDITION())
		return false;
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(call->context);
		call->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return call->error != NULL;
}

/* Whether there is anything for check_interrupts() to look at. */
static bool
has_interrupts(void *arg)
{
	const SrmCall *call = arg;

	return call->error != NULL || INTERRUPTS_PENDING_CONDITION();
}

/* Does nothing for what is NULL. */
static void
release_call(void *arg)
{
	SrmCall    *call = arg;

	srm_arena_free(call->arena);
	call->arena = NULL;
}

SrmCall *
srm_call_begin(void)
{
	SrmCall    *call;

	srm_settings_check_source();
	call = palloc0(sizeof(SrmCall));
	call->context = CurrentMemoryContext;
	call->stop.callback = check_interrupts;
	call->stop.pending = has_interrupts;
	call->stop.arg = call;
	call->callback.func = release_call;
	call->callback.arg = call;
	MemoryContextRegisterResetCallback(call->context, &call->callback);
	call->arena = srm_arena_create(&call->status);
	srm_call_check(call, call->arena != NULL);
	return call;
}

void
srm_call_end(SrmCall *call)
{
	release_call(call);
}

static int
sqlstate(const SrmStatus *status)
{
	switch (status->code)
	{
		case SRM_INVALID_MODEL:
			return ERRCODE_CONFIG_FILE_ERROR;
		case SRM_UNDEFINED_MODEL:
			return ERRCODE_UNDEFINED_OBJECT;
		case SRM_DUPLICATE_MODEL:
			return ERRCODE_DUPLICATE_OBJECT;
		case SRM_INVALID_ARGUMENT:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case SRM_LIMIT_EXCEEDED:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case SRM_NOT_SUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case SRM_OUT_OF_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case SRM_STOPPED:
			return ERRCODE_QUERY_CANCELED;
		default:
			return ERRCODE_INTERNAL_ERROR;
	}
}

/*
 * The engine writes UTF-8, and may quote a file's bytes.  What the database's
 * encoding cannot take for sure becomes a question mark.
 */
const char *
srm_call_text(const char *text)
{
	char	   *copy;

	if (GetDatabaseEncoding() == PG_UTF8 && pg_verifymbstr(text, strlen(text), true))
		return text;
	copy = pstrdup(text);
	for (char *c = copy; *c != '\0'; c++)
		if (IS_HIGHBIT_SET(*c))
			*c = '?';
	return copy;
}

void
srm_call_raise(SrmCall *call)
{
	const SrmStatus *status = &call->status;

	if (call->error != NULL)
		ReThrowError(call->error);
	errno = status->errnum;
	ereport(ERROR,
			(status->code == SRM_FILE_ACCESS ? errcode_for_file_access() : errcode(sqlstate(status)),
			 errmsg_internal("%s", srm_call_text(status->message)),
			 status->detail[0] ? errdetail_internal("%s", srm_call_text(status->detail)) : 0,
			 status->hint[0] ? errhint("%s", srm_call_text(status->hint)) : 0));
	pg_unreachable();
}

void
srm_call_warn(const SrmStatus *status, const char *model)
{
	errno = status->errnum;
	ereport(WARNING,
			(status->code == SRM_FILE_ACCESS ? errcode_for_file_access() : errcode(sqlstate(status)),
			 errmsg("model \"%s\" cannot be loaded", model),
			 errdetail_internal("%s", srm_call_text(status->message))));
}

void
srm_call_warn_private(const SrmStatus *problem, const char *model, size_t bytes)
{
	errno = problem->errnum;
	ereport(WARNING,
			(problem->code == SRM_FILE_ACCESS ? errcode_for_file_access() : errcode(sqlstate(problem)),
			 errmsg("prepared weights of model \"%s\" are not shared with other sessions", model),
			 errdetail("%s  This session holds %zu MB of its own.", srm_call_text(problem->message),
					   (bytes + 1024 * 1024 - 1) / (1024 * 1024)),
			 problem->code != SRM_FILE_ACCESS ? 0 :
			 errhint("Check the directory in \"srm.prepared_path\", and the space on its disk.  The session tries again later.")));
}

void
srm_call_check_can_commit(FunctionCallInfo fcinfo, const char *procedure)
{
	CallContext *context = (CallContext *) fcinfo->context;

	if (context != NULL && IsA(context, CallContext) && !context->atomic && !IsSubTransaction())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("%s cannot run inside a transaction block", procedure),
			 errdetail("It commits as it goes, so that others see its progress."),
			 errhint("CALL it as a statement of its own, outside of BEGIN and of functions, with autocommit on.")));
}
