/*-------------------------------------------------------------------------
 *
 * sats.c
 *	  Segmenters that are models, and those that this backend has open.
 *
 * As with models that score, all backends map the same prepared weights, and one that is
 * open stays so until its files change or MAX_OPEN others have been used since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/file_perm.h"
#include "common/hashfn.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "files/name.h"
#include "pg/models/models.h"
#include "pg/models/sats.h"
#include "pg/settings.h"
#include "sat/sat.h"

#define MAX_OPEN	2

typedef struct OpenSat
{
	char	   *name;
	char	   *directory;
	SrmSat	   *sat;			/* NULL: the place is free */
	SrmSatSplitter splitter;
	uint64		number;			/* of those opened in this session */
	uint64		last_use;
	TimestampTz checked_statement;	/* in which the files were last looked at */
	LocalTransactionId checked_transaction;
	char	   *checked_path;	/* srm.model_path then */
} OpenSat;

static OpenSat open_sats[MAX_OPEN];
static uint64 use_counter = 0;
static uint64 open_counter = 0;

static void
close_sat(OpenSat *open)
{
	srm_sat_close(open->sat);
	open->sat = NULL;
	pfree(open->name);
	pfree(open->directory);
	if (open->checked_path != NULL)
		pfree(open->checked_path);
	memset(open, 0, sizeof(OpenSat));
}

/* A free place, for which the one used least lately may have to go. */
static OpenSat *
make_place(void)
{
	OpenSat    *place = &open_sats[0];

	for (int i = 1; i < MAX_OPEN && place->sat != NULL; i++)
		if (open_sats[i].sat == NULL || open_sats[i].last_use < place->last_use)
			place = &open_sats[i];
	if (place->sat != NULL)
		close_sat(place);
	return place;
}

static OpenSat *
open_sat(SrmCall *call, const char *name, const char *directory)
{
	SrmModelPath path;
	SrmModelOptions options = {.compute = SRM_COMPUTE_OF_MODEL,.mode = pg_dir_create_mode,.path = &path};
	OpenSat    *place = make_place();
	char	   *name_copy = MemoryContextStrdup(TopMemoryContext, name);
	char	   *directory_copy = MemoryContextStrdup(TopMemoryContext, directory);
	const SrmPrepared *prepared;

	options.prepared = srm_settings_path(srm_prepared_path);
	srm_models_path(&path);
	place->sat = srm_sat_open(directory, &options, &call->stop, &call->status);
	if (place->sat == NULL)
	{
		pfree(name_copy);
		pfree(directory_copy);
		srm_call_raise(call);
	}
	place->name = name_copy;
	place->directory = directory_copy;
	place->number = ++open_counter;
	prepared = &srm_sat_model(place->sat)->prepared;
	if (prepared->problem.code != SRM_OK)
		srm_call_warn_private(&prepared->problem, name, prepared->bytes);
	return place;
}

/* The one that a name led to before in the same statement, or NULL: rows do not look at files each. */
static OpenSat *
find_checked(const char *name)
{
	for (int i = 0; i < MAX_OPEN; i++)
	{
		OpenSat    *open = &open_sats[i];

		if (open->sat != NULL && open->checked_path != NULL && strcmp(open->name, name) == 0 &&
			open->checked_statement == GetCurrentStatementStartTimestamp() &&
			open->checked_transaction == SRM_LOCAL_TRANSACTION() &&
			strcmp(open->checked_path, srm_model_path) == 0)
			return open;
	}
	return NULL;
}

static OpenSat *
find_open(const char *name, const char *directory)
{
	for (int i = 0; i < MAX_OPEN; i++)
		if (open_sats[i].sat != NULL && strcmp(open_sats[i].name, name) == 0 &&
			strcmp(open_sats[i].directory, directory) == 0)
			return &open_sats[i];
	return NULL;
}

static OpenSat *
look_up(SrmCall *call, const char *name)
{
	OpenSat    *open = find_checked(name);
	char	   *directory;
	char	   *path;

	if (open != NULL)
		return open;
	if (!srm_name_is_model(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid model name \"%s\"", name),
				 errdetail("A model name is the name of a directory, without a path.")));
	directory = srm_models_resolve(call, name);
	open = find_open(name, directory);
	if (open != NULL && srm_model_changed(srm_sat_model(open->sat)))
	{
		close_sat(open);
		open = NULL;
	}
	if (open == NULL)
		open = open_sat(call, name, directory);
	path = MemoryContextStrdup(TopMemoryContext, srm_model_path);
	if (open->checked_path != NULL)
		pfree(open->checked_path);
	open->checked_path = path;
	open->checked_statement = GetCurrentStatementStartTimestamp();
	open->checked_transaction = SRM_LOCAL_TRANSACTION();
	return open;
}

/* A number for what the segmenter is and how it cuts. */
static uint64
version_of(const OpenSat *open, const SrmSatOptions *options)
{
	uint64		facts[] = {open->number, options->stride, 0};

	memcpy(&facts[2], &options->threshold, sizeof(double));
	return hash_bytes_extended((const unsigned char *) facts, sizeof(facts), 0);
}

const SrmSplitter *
srm_sats_splitter(SrmCall *call, const char *segmenter, bool by_settings)
{
	const char *name = srm_segmenter_model(segmenter);
	SrmSatOptions options;
	OpenSat    *open;

	if (name == NULL)
		return NULL;
	open = look_up(call, name);
	open->last_use = ++use_counter;
	srm_sat_defaults(open->sat, &options);
	if (by_settings && srm_sat_threshold > 0)
		options.threshold = srm_sat_threshold;
	if (by_settings && srm_sat_stride > 0)
		options.stride = srm_sat_stride;
	options.n_threads = srm_settings_threads();
	srm_sat_splitter_init(&open->splitter, open->sat, &options);
	open->splitter.splitter.version = version_of(open, &options);
	return &open->splitter.splitter;
}
