/*-------------------------------------------------------------------------
 *
 * models.c
 *	  Models by name, and those that this backend has open.
 *
 * An open model is prepared files that all backends map, and a little that this one
 * has to itself; it stays open until its files change or until MAX_OPEN others have
 * been used since.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/parallel.h"
#include "common/file_perm.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "files/folder.h"
#include "files/name.h"
#include "files/place.h"
#include "kernel/pack.h"
#include "pg/encoding.h"
#include "pg/models/digests.h"
#include "pg/models/models.h"
#include "pg/settings.h"

#define MAX_OPEN			8
#define MIN_DIGEST_LENGTH	8

/* Weights stay private for so long, before the next try to share them */
#define MIN_PRIVATE_MS		10000
#define MIN_PRIVATE_LOADS	50		/* times that it takes to load them */

/* Every backend's own; those that the postmaster opened come with the fork. */
static SrmOpenModel *open_models = NULL;
static uint64 use_counter = 0;

static void
fail_name(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid model name \"%s\"", name),
			 errdetail("A model name is the name of a directory, without a path.")));
}

/* A directory of the path, unless it is empty. */
static List *
add_directory(List *directories, char *directory)
{
	return directory[0] == '\0' ? directories : lappend(directories, directory);
}

/* Where extensions lie that the server finds: with each, the models that came with it. */
static List *
add_system(List *directories)
{
	char	   *next = pstrdup(SRM_EXTENSION_PATH);
	char	   *directory;
	char		share[MAXPGPATH];

	get_share_path(my_exec_path, share);
	while ((directory = strsep(&next, ":")) != NULL)
		directories = lappend(directories, psprintf("%s/srm/models",
													strcmp(directory, "$system") == 0 ? share : directory));
	return directories;
}

/* The directories of srm.model_path, in order, as palloc'd cstrings. */
static List *
search_path(void)
{
	List	   *directories = NIL;
	char	   *next = pstrdup(srm_model_path);
	char	   *directory;

	while ((directory = strsep(&next, ":")) != NULL)
		if (strcmp(directory, SRM_SYSTEM_MODELS) == 0)
			directories = add_system(directories);
		else if (strcmp(directory, SRM_OUTPUT_MODELS) == 0)
			directories = add_directory(directories, srm_settings_path(srm_output_path));
		else
			directories = add_directory(directories, directory);
	return directories;
}

void
srm_models_path(SrmModelPath *path)
{
	List	   *directories = search_path();
	const char **array = palloc(Max(list_length(directories), 1) * sizeof(char *));
	ListCell   *cell;

	path->directories = array;
	path->n = 0;
	foreach(cell, directories)
		array[path->n++] = lfirst(cell);
}

/* A model has the one, an adapter the other. */
static bool
has_config(const char *directory)
{
	static const char *const names[] = {"config.json", "adapter_config.json"};
	bool		found = false;

	for (int i = 0; i < (int) lengthof(names) && !found; i++)
	{
		char	   *path = psprintf("%s/%s", directory, names[i]);
		struct stat st;

		found = stat(path, &st) == 0 && S_ISREG(st.st_mode);
		pfree(path);
	}
	return found;
}

/* The directory of a name in one of the path, palloc'd; NULL where there is no model. */
static char *
find_in(const char *parent, const char *name)
{
	char	   *directory = psprintf("%s/%s", parent, name);
	char		snapshot[SRM_MAX_SNAPSHOT + 1];

	if (has_config(directory))
		return directory;
	if (srm_folder_is_cache(name) && srm_folder_snapshot(directory, snapshot))
	{
		directory = psprintf("%s/snapshots/%s", directory, snapshot);
		if (has_config(directory))
			return directory;
	}
	return NULL;
}

/* Whether the directories are those that were kept. */
static bool
are_kept(List *directories, char *const *kept, int n_kept)
{
	bool		same = list_length(directories) == n_kept;

	for (int i = 0; same && i < n_kept; i++)
		same = strcmp(list_nth(directories, i), kept[i]) == 0;
	return same;
}

/* Tells the engine where links of models may lead, which is where the path leads. */
static void
set_roots(List *directories)
{
	static char **kept = NULL;
	static int	n_kept = 0;
	char	  **roots;
	int			n = list_length(directories);

	if (are_kept(directories, kept, n_kept))
		return;
	roots = MemoryContextAlloc(TopMemoryContext, sizeof(char *) * n);
	for (int i = 0; i < n; i++)
		roots[i] = MemoryContextStrdup(TopMemoryContext, list_nth(directories, i));
	srm_place_set_roots((const char *const *) roots, n);
	for (int i = 0; i < n_kept; i++)
		pfree(kept[i]);
	if (kept != NULL)
		pfree(kept);
	kept = roots;
	n_kept = n;
}

char *
srm_models_find_directory(const char *name)
{
	List	   *directories = search_path();
	ListCell   *cell;

	set_roots(directories);
	foreach(cell, directories)
	{
		char	   *directory = find_in(lfirst(cell), name);

		if (directory != NULL)
			return directory;
	}
	return NULL;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* A name that no text of this database can be is passed over, with a warning. */
static bool
is_nameable(const char *name)
{
	if (srm_utf8_can_be_datum(name))
		return true;
	ereport(WARNING,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 errmsg("model directory \"%s\" is passed over", srm_call_text(name)),
			 errdetail("Its name is not UTF-8, or has characters that the encoding of the database lacks.")));
	return false;
}

static void
list_directory(const char *path, List **names)
{
	DIR		   *dir = AllocateDir(path);
	struct dirent *entry;

	/* A directory that is missing holds no models */
	if (dir == NULL)
		return;
	while ((entry = ReadDir(dir, path)) != NULL)
	{
		ListCell   *cell;
		bool		known = false;

		CHECK_FOR_INTERRUPTS();
		foreach(cell, *names)
			known = known || strcmp(lfirst(cell), entry->d_name) == 0;
		if (!known && srm_name_is_model(entry->d_name) && find_in(path, entry->d_name) != NULL &&
			is_nameable(entry->d_name))
			*names = lappend(*names, pstrdup(entry->d_name));
	}
	FreeDir(dir);
}

List *
srm_models_list(void)
{
	List	   *names = NIL;
	ListCell   *cell;

	foreach(cell, search_path())
		list_directory(lfirst(cell), &names);
	list_sort(names, compare_names);
	return names;
}

SrmOpenModel *
srm_models_find_open(const char *directory)
{
	SrmOpenModel *found = NULL;

	for (SrmOpenModel *model = open_models; model != NULL; model = model->next)
		if (strcmp(model->directory, directory) == 0 &&
			(found == NULL || model->last_use > found->last_use))
			found = model;
	return found;
}

/* Whether an open model has the arithmetic that is asked for. */
static bool
computes(const SrmOpenModel *model, SrmComputeChoice choice)
{
	const char *name = model->scorer->model->prepared.compute_name;

	return model->compute_choice == choice ||
		(choice >= 0 && name != NULL && strcmp(name, srm_compute_name((SrmCompute) choice)) == 0);
}

/* The open model of a directory with the arithmetic that is asked for, or NULL. */
static SrmOpenModel *
find_open(const char *directory, SrmComputeChoice choice)
{
	SrmOpenModel *model = open_models;

	while (model != NULL &&
		   (strcmp(model->directory, directory) != 0 || !computes(model, choice)))
		model = model->next;
	return model;
}

/*
 * Says once in a session and for a model that its prepared weights are not
 * shared; a parallel worker leaves that to its leader.
 */
static void
warn_private(const SrmOpenModel *model)
{
	static List *warned = NIL;
	const SrmPrepared *prepared = &model->scorer->model->prepared;
	MemoryContext old;
	ListCell   *cell;

	if (prepared->problem.code == SRM_OK || IsParallelWorker())
		return;
	foreach(cell, warned)
		if (strcmp(lfirst(cell), model->directory) == 0)
			return;
	old = MemoryContextSwitchTo(TopMemoryContext);
	warned = lappend(warned, pstrdup(model->directory));
	MemoryContextSwitchTo(old);
	srm_call_warn_private(&prepared->problem, model->name, prepared->bytes);
}

static void
close_model(SrmOpenModel *model)
{
	SrmOpenModel **link = &open_models;

	while (*link != model)
		link = &(*link)->next;
	*link = model->next;
	srm_scorer_close(model->scorer);
	if (model->checked_path != NULL)
		pfree(model->checked_path);
	pfree(model->name);
	pfree(model->directory);
	pfree(model);
}

/* Makes room for one more. */
static void
close_oldest(void)
{
	SrmOpenModel *oldest = open_models;
	int			n = 0;

	for (SrmOpenModel *model = open_models; model != NULL; model = model->next)
	{
		n++;
		if (model->last_use < oldest->last_use)
			oldest = model;
	}
	if (n >= MAX_OPEN)
		close_model(oldest);
}

/* NULL, with the status set, where it cannot be opened. */
static SrmOpenModel *
open_model(const char *name, const char *directory, SrmComputeChoice choice, const SrmStop *stop,
		   SrmStatus *status)
{
	SrmModelPath path;
	SrmModelOptions options = {.compute_choice = choice,.mode = pg_dir_create_mode,.path = &path};
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	SrmOpenModel *model = palloc0(sizeof(SrmOpenModel));
	instr_time	start;
	instr_time	duration;

	/* All that may raise an error comes before the engine's own memory */
	close_oldest();
	model->name = pstrdup(name);
	model->directory = pstrdup(directory);
	model->compute_choice = choice;
	MemoryContextSwitchTo(old);
	options.prepared = srm_settings_path(srm_prepared_path);
	srm_models_path(&path);

	INSTR_TIME_SET_CURRENT(start);
	model->scorer = srm_scorer_open(directory, &options, stop, status);
	INSTR_TIME_SET_CURRENT(duration);
	INSTR_TIME_SUBTRACT(duration, start);
	if (model->scorer == NULL)
	{
		pfree(model->name);
		pfree(model->directory);
		pfree(model);
		return NULL;
	}
	model->load_ms = INSTR_TIME_GET_MILLISEC(duration);
	model->opened_at = GetCurrentTimestamp();
	model->next = open_models;
	open_models = model;
	return model;
}

/* Says that there is no such model, and why a directory of that name is none. */
static void
fail_undefined(const char *name)
{
	SrmStatus	status;
	ListCell   *cell;

	srm_status_init(&status);
	srm_fail(&status, SRM_UNDEFINED_MODEL, "model does not exist");
	srm_fail_hint(&status, "Models are directories with a config.json in the directories of \"srm.model_path\"; srm_models() lists them.");
	foreach(cell, search_path())
	{
		char	   *directory = psprintf("%s/%s", (char *) lfirst(cell), name);
		struct stat st;

		if (lstat(directory, &st) != 0)
			continue;
		srm_folder_explain(directory, &status);
		break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", name),
			 status.detail[0] == '\0' ? 0 : errdetail_internal("%s", srm_call_text(status.detail)),
			 errhint("%s", srm_call_text(status.hint))));
}

/* The directory of a name without digest. */
static char *
find_existing(const char *name)
{
	char	   *directory = srm_name_is_model(name) ? srm_models_find_directory(name) : NULL;

	if (!srm_name_is_model(name))
		fail_name(name);
	if (directory == NULL)
		fail_undefined(name);
	return directory;
}

/*
 * The model that a name led to before in the same statement, or NULL.  Rows
 * of a statement do not look at files each, and all get the same model.
 */
static SrmOpenModel *
find_checked(const char *name, SrmComputeChoice choice)
{
	SrmOpenModel *model = open_models;

	while (model != NULL &&
		   !(model->checked_path != NULL &&
			 model->checked_statement == GetCurrentStatementStartTimestamp() &&
			 model->checked_transaction == SRM_LOCAL_TRANSACTION() &&
			 computes(model, choice) && strcmp(model->name, name) == 0 &&
			 strcmp(model->checked_path, srm_model_path) == 0))
		model = model->next;
	return model;
}

/* Remembers that a model is what its name leads to in this statement. */
static void
set_checked(SrmOpenModel *model)
{
	if (model->checked_path == NULL || strcmp(model->checked_path, srm_model_path) != 0)
	{
		char	   *path = MemoryContextStrdup(TopMemoryContext, srm_model_path);

		if (model->checked_path != NULL)
			pfree(model->checked_path);
		model->checked_path = path;
	}
	model->checked_statement = GetCurrentStatementStartTimestamp();
	model->checked_transaction = SRM_LOCAL_TRANSACTION();
}

void
srm_models_forget_checked(const char *name)
{
	for (SrmOpenModel *model = open_models; model != NULL; model = model->next)
		if (strcmp(model->name, name) == 0)
			model->checked_transaction = InvalidLocalTransactionId;
}

/* Whether the base of an adapter was looked for along another path. */
static bool
may_lead_elsewhere(const SrmOpenModel *model)
{
	return model->scorer->model->base != NULL && model->checked_path != NULL &&
		strcmp(model->checked_path, srm_model_path) != 0;
}

/* Whether to look if weights that this session has to itself can be shared by now. */
static bool
is_to_be_shared(const SrmOpenModel *model)
{
	return model->scorer->model->prepared.problem.code != SRM_OK &&
		TimestampDifferenceExceeds(model->opened_at, GetCurrentStatementStartTimestamp(),
								   (int) Min(Max(MIN_PRIVATE_MS, MIN_PRIVATE_LOADS * model->load_ms), INT_MAX));
}

/* The model of a directory, opened anew where its files have changed. */
static SrmOpenModel *
open_directory(SrmCall *call, const char *name, const char *directory, SrmComputeChoice choice)
{
	SrmOpenModel *model = find_open(directory, choice);

	if (model != NULL &&
		(srm_model_changed(model->scorer->model) || may_lead_elsewhere(model) || is_to_be_shared(model)))
	{
		close_model(model);
		model = NULL;
	}
	if (model == NULL)
	{
		model = open_model(name, directory, choice, &call->stop, &call->status);
		/* It may have been renamed or dropped since it was found */
		if (model == NULL && call->status.code == SRM_FILE_ACCESS && call->status.errnum == ENOENT &&
			!has_config(directory))
			fail_undefined(name);
		srm_call_check(call, model != NULL);
		warn_private(model);
	}
	return model;
}

/* The open model of a name without digest. */
static SrmOpenModel *
open_by_name(SrmCall *call, const char *name, SrmComputeChoice choice)
{
	SrmOpenModel *model = find_checked(name, choice);

	if (model == NULL)
	{
		model = open_directory(call, name, find_existing(name), choice);
		set_checked(model);
	}
	model->last_use = ++use_counter;
	return model;
}

const char *
srm_models_digest(SrmCall *call, SrmOpenModel *model)
{
	const char *recorded = model->scorer->model->prepared.digest;
	char		digest[SRM_DIGEST_LENGTH + 1];
	SrmModelPath path;

	/* Whoever prepared the weights has computed it, of the very same files */
	if (model->digest[0] == '\0' && recorded[0] != '\0')
		strlcpy(model->digest, recorded, sizeof(model->digest));
	if (model->digest[0] == '\0')
	{
		srm_call_check(call, srm_files_digest(model->scorer->model->files, digest, &call->stop,
											  &call->status));
		strlcpy(model->digest, digest, sizeof(model->digest));
		srm_models_path(&path);
		srm_digests_keep(model->directory, &path, digest);
	}
	return model->digest;
}

/* What an open model, whose files are still the same, says of itself. */
static bool
find_open_digest(const char *directory, char *digest)
{
	const SrmOpenModel *model = srm_models_find_open(directory);
	const char *recorded;

	if (model == NULL || srm_model_changed(model->scorer->model))
		return false;
	recorded = model->digest[0] != '\0' ? model->digest : model->scorer->model->prepared.digest;
	strlcpy(digest, recorded, SRM_DIGEST_LENGTH + 1);
	return digest[0] != '\0';
}

bool
srm_models_known_digest(SrmCall *call, const char *directory, char *digest)
{
	SrmModelPath path;

	srm_models_path(&path);
	return find_open_digest(directory, digest) || srm_digests_find(call, directory, &path, digest);
}

/* Digits of a digest that may be the beginning of one. */
static void
check_digits(const char *digits)
{
	size_t		length = strlen(digits);

	if (length < MIN_DIGEST_LENGTH || length > SRM_DIGEST_LENGTH ||
		strspn(digits, "0123456789abcdef") != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid model digest \"%s\"", digits),
				 errdetail("A digest is given by its first %d to %d hexadecimal digits, in lower case.",
						   MIN_DIGEST_LENGTH, SRM_DIGEST_LENGTH)));
}

void
srm_models_check_digest(const char *name, const char *digits, const char *digest)
{
	check_digits(digits);
	if (strncmp(digest, digits, strlen(digits)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" does not have digest \"%s\"", name, digits),
				 errdetail("Its digest is \"%s\".", digest),
				 errhint("The model was replaced since the digest was taken.")));
}

SrmOpenModel *
srm_models_open(SrmCall *call, const char *name, SrmComputeChoice choice)
{
	const char *at = strchr(name, '@');
	SrmOpenModel *model;

	if (at == NULL)
		return open_by_name(call, name, choice);
	model = open_by_name(call, pnstrdup(name, at - name), choice);
	srm_models_check_digest(model->name, at + 1, srm_models_digest(call, model));
	return model;
}

char *
srm_models_resolve(SrmCall *call, const char *name)
{
	const char *at = strchr(name, '@');
	char	   *plain = at == NULL ? pstrdup(name) : pnstrdup(name, at - name);
	char	   *directory = find_existing(plain);
	SrmModelPath path;
	char		digest[SRM_DIGEST_LENGTH + 1];

	if (at == NULL)
		return directory;
	srm_models_path(&path);
	srm_call_check(call, srm_model_digest(directory, &path, digest, &call->stop, &call->status));
	srm_models_check_digest(plain, at + 1, digest);
	return directory;
}

/* Opens one model of srm.preload_models. */
static void
preload_model(const char *name)
{
	char	   *directory = srm_name_is_model(name) ? srm_models_find_directory(name) : NULL;
	SrmOpenModel *model = NULL;
	SrmStatus	status;

	srm_status_init(&status);
	if (directory == NULL)
		srm_fail(&status, SRM_UNDEFINED_MODEL, "The model does not exist.");
	else
		model = open_model(name, directory, SRM_CHOICE_OF_MODEL, NULL, &status);
	if (model == NULL)
		srm_call_warn(&status, name);
	else
		warn_private(model);
}

void
srm_models_preload(const char *names)
{
	ResourceOwner kept = CurrentResourceOwner;
	char	   *copy = pstrdup(names);
	List	   *list;
	ListCell   *cell;

	/* Names of models are no identifiers: they keep their case and their length */
	if (!SplitGUCList(copy, ',', &list))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list syntax in parameter \"%s\"", "srm.preload_models")));
	/* The server's hashes want an owner, which the postmaster lacks */
	CurrentResourceOwner = ResourceOwnerCreate(NULL, "srm.preload_models");
	foreach(cell, list)
		preload_model(lfirst(cell));
	ResourceOwnerDelete(CurrentResourceOwner);
	CurrentResourceOwner = kept;
}

uint64
srm_models_parameters(const char *name)
{
	for (SrmOpenModel *model = open_models; model != NULL; model = model->next)
		if (strcmp(model->name, name) == 0)
			return model->scorer->model->n_parameters;
	return 0;
}
