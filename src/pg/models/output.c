/*-------------------------------------------------------------------------
 *
 * output.c
 *	  Where functions that make models put them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "catalog/pg_extension.h"
#include "common/file_perm.h"
#include "common/hashfn.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "files/name.h"
#include "pg/models/models.h"
#include "pg/models/output.h"
#include "pg/settings.h"

char *
srm_output_directory(void)
{
	return srm_settings_path(srm_output_path);
}

/* Does nothing for what is NULL. */
static void
release_output(void *arg)
{
	SrmOutput  *output = arg;

	srm_writer_close(output->writer);
	output->writer = NULL;
}

/* Whether two paths lead to one directory, however they are spelled. */
static bool
is_same(const char *a, const char *b)
{
	struct stat st_a;
	struct stat st_b;

	return stat(a, &st_a) == 0 && stat(b, &st_b) == 0 &&
		st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
}

/* A model that is found before it would hide the new one from those who name it. */
void
srm_output_check_path(const char *name, const char *directory)
{
	char	   *path = psprintf("%s/%s", directory, name);
	char	   *found = srm_name_is_model(name) ? srm_models_find_directory(name) : NULL;

	if (found != NULL && !is_same(found, path))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", name),
				 errdetail("Directory \"%s\" comes first in \"srm.model_path\".", found),
				 errhint("Choose another name.")));
	pfree(path);
}

/* One directory, unless it is there; what is there and none gives the error of mkdir(). */
static bool
make_one_directory(const char *path)
{
	struct stat st;

	return (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) || MakePGDirectory(path) == 0 ||
		(errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* Writes into the path.  Servers before 15 do not have pg_mkdir_p(), which does the same. */
static bool
make_directories(char *path)
{
	for (char *end = path; (end = strchr(end + 1, '/')) != NULL; *end = '/')
	{
		*end = '\0';
		if (!make_one_directory(path))
			return false;
	}
	return make_one_directory(path);
}

void
srm_output_make_directory(const char *directory)
{
	char	   *path = pstrdup(directory);

	if (!make_directories(path))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", directory),
				 errhint("New models go to the directory in \"srm.output_path\".")));
	pfree(path);
}

/*
 * No kind of lock of the server's own is meant: it is not an object of the catalogs, and
 * models can be made on a standby, too, where those cannot be locked.
 */
void
srm_output_lock(LOCKTAG *lock, const char *directory, const char *name, bool for_session)
{
	char	   *path = psprintf("%s/%s", directory, name);

	memset(lock, 0, sizeof(LOCKTAG));
	lock->locktag_field2 = ExtensionRelationId;
	lock->locktag_field3 = hash_bytes((const unsigned char *) path, (int) strlen(path));
	lock->locktag_type = LOCKTAG_USERLOCK;
	lock->locktag_lockmethodid = DEFAULT_LOCKMETHOD;
	if (LockAcquire(lock, ExclusiveLock, for_session, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("model \"%s\" is being written by another session", srm_call_text(name))));
	pfree(path);
}

void
srm_output_take(SrmOutputPlace *place, SrmCall *call, const char *name, bool replace, bool for_session)
{
	char	   *path;
	struct stat st;

	srm_call_check(call, srm_name_check(name, &call->status));
	place->name = name;
	place->for_session = for_session;
	place->directory = srm_output_directory();
	srm_output_check_path(name, place->directory);
	srm_output_make_directory(place->directory);
	srm_output_lock(&place->lock, place->directory, name, for_session);
	srm_call_check(call, srm_writer_check(place->directory, name, replace, &call->status));
	path = psprintf("%s/%s", place->directory, name);
	memset(&place->owner, 0, sizeof(SrmOwner));
	if (stat(path, &st) == 0)
	{
		srm_ownership_read(&place->owner, path);
		srm_model_owner_check(&place->owner, "model", name);
	}
	if (place->owner.name[0] == '\0')
		srm_model_owner_of_caller(&place->owner);
	pfree(path);
}

void
srm_output_release(SrmOutputPlace *place)
{
	LockRelease(&place->lock, ExclusiveLock, place->for_session);
}

void
srm_output_check_reachable(const SrmOutput *output)
{
	SrmModelPath path;

	srm_models_path(&path);
	for (size_t i = 0; i < path.n; i++)
		if (is_same(path.directories[i], output->place.directory))
			return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" would be written to \"%s\", where \"srm.model_path\" does not lead",
					srm_call_text(output->place.name), output->place.directory),
			 errhint("Add \"%s\" to \"srm.model_path\".", SRM_OUTPUT_MODELS)));
}

SrmOutput *
srm_output_begin(SrmCall *call, const char *name, bool replace)
{
	SrmOutput  *output = MemoryContextAllocZero(call->context, sizeof(SrmOutput));

	output->callback.func = release_output;
	output->callback.arg = output;
	MemoryContextRegisterResetCallback(call->context, &output->callback);
	srm_output_take(&output->place, call, name, replace, false);
	output->writer = srm_writer_begin(output->place.directory, name, replace, pg_dir_create_mode, &call->status);
	srm_call_check(call, output->writer != NULL);
	return output;
}

void
srm_output_announce(const char *path)
{
	char	   *found = srm_models_find_directory(strrchr(path, '/') + 1);

	if (found == NULL || !is_same(found, path))
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg("model was written to \"%s\", where \"srm.model_path\" does not lead", path),
				 errhint("Add \"%s\" to \"srm.model_path\".", SRM_OUTPUT_MODELS)));
}

void
srm_output_commit(SrmCall *call, SrmOutput *output)
{
	srm_call_check(call, srm_ownership_write(output->writer, &output->place.owner, &call->status));
	srm_call_check(call, srm_writer_commit(output->writer, &call->status));
	srm_models_forget_checked(output->place.name);
	srm_output_announce(srm_writer_path(output->writer));
}

void
srm_output_end(SrmOutput *output)
{
	release_output(output);
	srm_output_release(&output->place);
}
