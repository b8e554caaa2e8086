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
#include "pg/models/sats.h"
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

/* Reads all of an open model; its files come in rows, behind a folder's name unless that is NULL. */
static void
put_files(SrmRows *rows, SrmCall *call, const SrmModel *model, const char *known, const char *folder)
{
	SrmVerified verified;

	srm_call_check(call, srm_model_verify(model, srm_settings_path(srm_prepared_path), known, call->arena,
										  &verified, &call->stop, &call->status));
	for (size_t i = 0; i < verified.n; i++)
	{
		if (folder != NULL)
			verified.files[i].name = psprintf("%s/%s", folder, verified.files[i].name);
		put_file(rows, &verified.files[i]);
	}
}

static void
put_segmenter(SrmRows *rows, SrmCall *call, const char *name, bool is_part)
{
	const SrmOpenSat *open = srm_sats_open(call, name);

	put_files(rows, call, srm_sat_model(open->sat), open->digest, is_part ? open->name : NULL);
}

/* A model that scores, and the segmenter that it names. */
static void
put_model(SrmRows *rows, SrmCall *call, const char *name)
{
	const SrmOpenModel *open = srm_models_open(call, name, SRM_CHOICE_OF_MODEL);
	const char *segmenter = srm_segmenter_model(open->scorer->model->settings.segmenter);

	put_files(rows, call, open->scorer->model, open->digest, NULL);
	if (segmenter != NULL)
		put_segmenter(rows, call, segmenter, true);
}

/* srm_verify(model text): opens the model, and reads all of its files; a row for each */
SRM_FUNCTION(srm_sql_verify)
{
	SrmRows		rows;
	SrmCall    *call;
	const char *name;

	srm_rows_begin(&rows, fcinfo, N_COLUMNS);
	call = srm_call_begin();
	name = srm_cstring_of_datum(PG_GETARG_DATUM(0));
	if (srm_sats_is_segmenter(call, name))
		put_segmenter(&rows, call, name, false);
	else
		put_model(&rows, call, name);
	srm_call_end(call);
	return (Datum) 0;
}
