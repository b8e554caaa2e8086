/*-------------------------------------------------------------------------
 *
 * quantize.c
 *	  Models with weights of 8 bits, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "write/quantize.h"
#include "pg/encoding.h"
#include "pg/models.h"
#include "pg/output.h"

/*
 * srm_quantize(model text, name text, replace boolean, embedding boolean); srm 0.1 declared it
 * without the last
 */
SRM_FUNCTION(srm_sql_quantize)
{
	SrmCall    *call = srm_call_begin();
	char	   *directory = srm_models_resolve(call, srm_cstring_of_datum(PG_GETARG_DATUM(0)));
	SrmModelPath path;
	SrmOutput  *output = srm_output_begin(call, srm_cstring_of_datum(PG_GETARG_DATUM(1)),
										  PG_GETARG_BOOL(2));
	bool		embedding = PG_NARGS() > 3 && PG_GETARG_BOOL(3);

	srm_models_path(&path);
	srm_call_check(call, srm_model_quantize(output->writer, directory, &path, embedding, &call->stop, &call->status));
	srm_output_commit(call, output);
	srm_output_end(output);
	srm_call_end(call);
	PG_RETURN_VOID();
}
