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
#include "portability/instr_time.h"
#include "storage/proc.h"
#include "utils/memutils.h"

#include "files/name.h"
#include "pg/models/models.h"
#include "pg/models/sats.h"
#include "pg/settings.h"
#include "sat/sat.h"

#define MAX_OPEN	2

static SrmOpenSat open_sats[MAX_OPEN];
static uint64 use_counter = 0;
static uint64 open_counter = 0;

static void
close_sat(SrmOpenSat *open)
{
	srm_sat_close(open->sat);
	open->sat = NULL;
	pfree(open->name);
	pfree(open->directory);
	if (open->checked_path != NULL)
		pfree(open->checked_path);
	memset(open, 0, sizeof(SrmOpenSat));
}

/* A free place, for which the one used least lately may have to go. */
static SrmOpenSat *
make_place(void)
{
	SrmOpenSat *place = &open_sats[0];

	for (int i = 1; i < MAX_OPEN && place->sat != NULL; i++)
		if (open_sats[i].sat == NULL || open_sats[i].last_use < place->last_use)
			place = &open_sats[i];
	if (place->sat != NULL)
		close_sat(place);
	return place;
}

static SrmOpenSat *
open_sat(SrmCall *call, const char *name, const char *directory)
{
	SrmModelPath path;
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_OF_MODEL,.mode = pg_dir_create_mode,.path = &path};
	SrmOpenSat *place = make_place();
	char	   *name_copy = MemoryContextStrdup(TopMemoryContext, name);
	char	   *directory_copy = MemoryContextStrdup(TopMemoryContext, directory);
	const SrmPrepared *prepared;
	instr_time	start;
	instr_time	duration;

	options.prepared = srm_settings_path(srm_prepared_path);
	srm_models_path(&path);
	INSTR_TIME_SET_CURRENT(start);
	place->sat = srm_sat_open(directory, &options, &call->stop, &call->status);
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	if (place->sat == NULL)
	{
		pfree(name_copy);
		pfree(directory_copy);
		srm_call_raise(call);
	}
	place->name = name_copy;
	place->directory = directory_copy;
	place->number = ++open_counter;
	place->load_ms = INSTR_TIME_GET_MILLISEC(duration);
	prepared = &srm_sat_model(place->sat)->prepared;
	if (prepared->problem.code != SRM_OK)
		srm_call_warn_private(&prepared->problem, name, prepared->bytes);
	return place;
}

/* The one that a name led to before in the same statement, or NULL: rows do not look at files each. */
static SrmOpenSat *
find_checked(const char *name)
{
	for (int i = 0; i < MAX_OPEN; i++)
	{
		SrmOpenSat *open = &open_sats[i];

		if (open->sat != NULL && open->checked_path != NULL && strcmp(open->name, name) == 0 &&
			open->checked_statement == GetCurrentStatementStartTimestamp() &&
			open->checked_transaction == SRM_LOCAL_TRANSACTION() &&
			strcmp(open->checked_path, srm_model_path) == 0)
			return open;
	}
	return NULL;
}

static SrmOpenSat *
find_open(const char *name, const char *directory)
{
	for (int i = 0; i < MAX_OPEN; i++)
		if (open_sats[i].sat != NULL && strcmp(open_sats[i].name, name) == 0 &&
			strcmp(open_sats[i].directory, directory) == 0)
			return &open_sats[i];
	return NULL;
}

/* What a name without digest leads to, with its files looked at in this statement. */
static SrmOpenSat *
look_up(SrmCall *call, const char *name)
{
	SrmOpenSat *open = find_checked(name);
	char	   *directory;
	char	   *path;

	if (open != NULL)
		return open;
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

SrmOpenSat *
srm_sats_open(SrmCall *call, const char *name)
{
	char		plain[SRM_MAX_MODEL_NAME + 2];
	size_t		length = strcspn(name, "@");
	SrmOpenSat *open;

	/* One that is too long stays so, for the error */
	snprintf(plain, sizeof(plain), "%.*s", (int) Min(length, sizeof(plain)), name);
	open = look_up(call, plain);
	open->last_use = ++use_counter;
	if (name[length] == '@')
		srm_models_check_digest(open->name, name + length + 1, srm_sats_digest(call, open));
	return open;
}

const char *
srm_sats_digest(SrmCall *call, SrmOpenSat *open)
{
	const SrmModel *model = srm_sat_model(open->sat);

	/* Whoever prepared the weights has computed it, of the very same files */
	if (open->digest[0] == '\0' && model->prepared.digest[0] != '\0')
		strlcpy(open->digest, model->prepared.digest, sizeof(open->digest));
	if (open->digest[0] == '\0')
	{
		char		digest[SRM_DIGEST_LENGTH + 1];

		srm_call_check(call, srm_files_digest(model->files, digest, &call->stop, &call->status));
		strlcpy(open->digest, digest, sizeof(open->digest));
	}
	return open->digest;
}

const SrmOpenSat *
srm_sats_find_open(const char *directory)
{
	for (int i = 0; i < MAX_OPEN; i++)
		if (open_sats[i].sat != NULL && strcmp(open_sats[i].directory, directory) == 0)
			return &open_sats[i];
	return NULL;
}

bool
srm_sats_is_segmenter(SrmCall *call, const char *name)
{
	char	   *plain = pnstrdup(name, strcspn(name, "@"));
	char	   *directory = srm_name_is_model(plain) ? srm_models_find_directory(plain) : NULL;
	SrmModelPath path;
	SrmModelSummary summary;
	SrmStatus	status;

	/* What is wrong with it is for who opens it to say */
	srm_status_init(&status);
	srm_models_path(&path);
	return directory != NULL && srm_model_summarize(directory, &path, call->arena, &summary, &status) &&
		summary.is_segmenter;
}

/* A number for what the segmenter is and how it cuts. */
static uint64
version_of(const SrmOpenSat *open, const SrmSatOptions *options)
{
	uint64		facts[] = {open->number, options->stride, 0};

	memcpy(&facts[2], &options->threshold, sizeof(double));
	return hash_bytes_extended((const unsigned char *) facts, sizeof(facts), 0);
}

static void
say_segmenter(void *arg)
{
	errcontext("segmenter \"%s\"", srm_call_text(arg));
}

/* Opens the model of a segmenter; errors say whose it is. */
static SrmOpenSat *
open_named(SrmCall *call, const char *segmenter, const char *name)
{
	ErrorContextCallback context = {
		.previous = error_context_stack,.callback = say_segmenter,.arg = unconstify(char *, segmenter)
	};
	SrmOpenSat *open;

	error_context_stack = &context;
	open = srm_sats_open(call, name);
	error_context_stack = context.previous;
	return open;
}

const char *
srm_sats_pin(SrmCall *call, const char *segmenter)
{
	const char *name = srm_segmenter_model(segmenter);
	SrmOpenSat *open;

	if (name == NULL)
		return segmenter;
	open = open_named(call, segmenter, name);
	return psprintf("%.*s%s@%s", (int) (name - segmenter), segmenter, open->name, srm_sats_digest(call, open));
}

const SrmSplitter *
srm_sats_splitter(SrmCall *call, const char *segmenter, bool by_settings)
{
	const char *name = srm_segmenter_model(segmenter);
	SrmSatOptions options;
	SrmOpenSat *open;

	if (name == NULL)
		return NULL;
	open = open_named(call, segmenter, name);
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
