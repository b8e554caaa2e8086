/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Whether a model's files are what they were, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "model/verify.h"
#include "pg/encoding.h"
#include "pg/models/models.h"
#include "pg/rows.h"
#include "pg/settings.h"

#define N_COLUMNS	3

static void
put_file(SrmRows *rows, const SrmVerifiedFile *file)
{
	Datum		values[N_COLUMNS] = {0};
	bool		nulls[N_COLUMNS] = {false, false, file->digest == NULL};

	values[0] = srm_datum_of_utf8_shown(file->name, strlen(file->name));
	values[1] = Int64GetDatum((int64) file->bytes);
	if (file->digest != NULL)
		values[2] = CStringGetTextDatum(file->digest);
	srm_rows_put(rows, values, nulls);
}

/* srm_verify(model text): opens the model, and reads all of its files; a row for each */
SRM_FUNCTION(srm_sql_verify)
{
	SrmRows		rows;
	SrmCall    *call;
	SrmOpenModel *open;
	SrmVerified verified;

	srm_rows_begin(&rows, fcinfo, N_COLUMNS);
	call = srm_call_begin();
	open = srm_models_open(call, srm_cstring_of_datum(PG_GETARG_DATUM(0)), SRM_COMPUTE_OF_MODEL);
	srm_call_check(call, srm_model_verify(open->scorer->model, srm_settings_path(srm_prepared_path),
										  open->digest, call->arena, &verified, &call->stop, &call->status));
	for (size_t i = 0; i < verified.n; i++)
		put_file(&rows, &verified.files[i]);
	srm_call_end(call);
	return (Datum) 0;
}
