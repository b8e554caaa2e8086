/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  Rows of a set-returning function, all made in one call.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ROWS_H
#define SRM_ROWS_H

#include "postgres.h"
#include "fmgr.h"

typedef struct SrmRows
{
	struct Tuplestorestate *store;
	struct TupleDescData *descriptor;
} SrmRows;

/* Rows of n_columns, as the function was declared. */
extern void srm_rows_begin(SrmRows *rows, FunctionCallInfo fcinfo, int n_columns);
extern void srm_rows_put(SrmRows *rows, Datum *values, bool *nulls);

#endif							/* SRM_ROWS_H */
