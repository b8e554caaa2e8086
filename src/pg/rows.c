/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  Rows of a set-returning function, all made in one call.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/tuplestore.h"

#include "pg/rows.h"

void
srm_rows_begin(SrmRows *rows, FunctionCallInfo fcinfo, int n_columns)
{
	ReturnSetInfo *info = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	descriptor;

	if (info == NULL || !IsA(info, ReturnSetInfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (!(info->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("materialize mode required, but it is not allowed in this context")));

	/* The rows live as long as the query */
	old = MemoryContextSwitchTo(info->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (descriptor->natts != n_columns)
		elog(ERROR, "unexpected number of columns: %d", descriptor->natts);
	rows->descriptor = CreateTupleDescCopy(descriptor);
	rows->store = tuplestore_begin_heap((info->allowedModes & SFRM_Materialize_Random) != 0,
										false, work_mem);
	info->returnMode = SFRM_Materialize;
	info->setResult = rows->store;
	info->setDesc = rows->descriptor;
	MemoryContextSwitchTo(old);
}

void
srm_rows_put(SrmRows *rows, Datum *values, bool *nulls)
{
	/* A text may have millions of tokens */
	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(rows->store, rows->descriptor, values, nulls);
}
