/*-------------------------------------------------------------------------
 *
 * output.c
 *	  Where functions that make models put them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "common/file_perm.h"
#include "common/file_utils.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "model/name.h"
#include "pg/models.h"
#include "pg/output.h"
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
static void
check_name(const char *name, const char *directory)
{
	char	   *path = psprintf("%s/%s", directory, name);
	char	   *found = srm_name_is_model(name) ? srm_models_find_directory(name) : NULL;

	if (found != NULL && !is_same(found, path))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" already exists", name),
				 errdetail("Directory \"%s\" comes first in \"srm.model_path\".", found),
				 errhint("Choose another name.")));
	pfree(path);
}

void
srm_output_make_directory(const char *directory)
{
	char	   *path = pstrdup(directory);

	/* pg_mkdir_p() writes into the path */
	if (pg_mkdir_p(path, pg_dir_create_mode) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\": %m", directory),
				 errhint("New models go to the directory in \"srm.output_path\".")));
	pfree(path);
}

/* The writer says so, too, but only once there is something to write. */
static void
check_free(const char *name, const char *directory)
{
	char	   *path = psprintf("%s/%s", directory, name);
	struct stat st;

	if (lstat(path, &st) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", name),
				 errdetail("It is in directory \"%s\".", directory),
				 errhint("Choose another name, or say that it is to be replaced.")));
	pfree(path);
}

char *
srm_output_prepare(const char *name, bool replace)
{
	char	   *directory = srm_output_directory();

	if (!srm_name_is_model(name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid model name \"%s\"", name),
				 errdetail("A model name is the name of a directory, without a path.")));
	check_name(name, directory);
	srm_output_make_directory(directory);
	if (!replace)
		check_free(name, directory);
	return directory;
}

SrmOutput *
srm_output_begin(SrmCall *call, const char *name, bool replace)
{
	SrmOutput  *output = MemoryContextAllocZero(call->context, sizeof(SrmOutput));
	char	   *directory = srm_output_directory();

	output->callback.func = release_output;
	output->callback.arg = output;
	MemoryContextRegisterResetCallback(call->context, &output->callback);
	check_name(name, directory);
	srm_output_make_directory(directory);
	output->writer = srm_writer_begin(directory, name, replace, pg_dir_create_mode, &call->status);
	srm_call_check(call, output->writer != NULL);
	pfree(directory);
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
	srm_call_check(call, srm_writer_commit(output->writer, &call->status));
	srm_output_announce(srm_writer_path(output->writer));
}

void
srm_output_end(SrmOutput *output)
{
	release_output(output);
}
