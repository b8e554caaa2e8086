/*-------------------------------------------------------------------------
 *
 * manage.c
 *	  Models that are dropped and renamed, in SQL.
 *
 * Files know nothing of transactions: what is done here stays done when the
 * transaction is rolled back.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "files/name.h"
#include "model/prepared/prepared_clean.h"
#include "pg/encoding.h"
#include "pg/models/models.h"
#include "pg/models/output.h"
#include "pg/settings.h"
#include "write/manage.h"

/* Takes the name of a model that the caller may do this to. */
static void
take_model(SrmCall *call, LOCKTAG *lock, const char *directory, const char *name)
{
	char	   *path = psprintf("%s/%s", directory, name);
	char	   *found = srm_name_is_model(name) ? srm_models_find_directory(name) : NULL;
	SrmOwner	owner;

	srm_call_check(call, srm_name_check(name, &call->status));
	srm_output_lock(lock, directory, name, false);
	if (access(path, F_OK) != 0 && found != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" is not in the directory in \"srm.output_path\"", srm_call_text(name)),
				 errdetail("It is in directory \"%s\".", found)));
	/* What is not there is for the engine to say */
	if (access(path, F_OK) == 0)
	{
		srm_ownership_read(&owner, path);
		srm_model_owner_check(&owner, "model", name);
	}
	pfree(path);
}

/* srm_drop_model(name text) */
SRM_FUNCTION(srm_sql_drop_model)
{
	SrmCall    *call = srm_call_begin();
	char	   *name = srm_cstring_of_datum(PG_GETARG_DATUM(0));
	char	   *directory = srm_output_directory();
	LOCKTAG		lock;

	take_model(call, &lock, directory, name);
	srm_call_check(call, srm_model_drop(directory, name, &call->status));
	srm_prepared_clean_path(srm_settings_path(srm_prepared_path));
	LockRelease(&lock, ExclusiveLock, false);
	srm_call_end(call);
	PG_RETURN_VOID();
}

/* srm_rename_model(old_name text, new_name text) */
SRM_FUNCTION(srm_sql_rename_model)
{
	SrmCall    *call = srm_call_begin();
	char	   *old_name = srm_cstring_of_datum(PG_GETARG_DATUM(0));
	char	   *new_name = srm_cstring_of_datum(PG_GETARG_DATUM(1));
	char	   *directory = srm_output_directory();
	LOCKTAG		old_lock;
	LOCKTAG		new_lock;

	take_model(call, &old_lock, directory, old_name);
	srm_call_check(call, srm_name_check(new_name, &call->status));
	srm_output_check_path(new_name, directory);
	srm_output_lock(&new_lock, directory, new_name, false);
	srm_call_check(call, srm_model_rename(directory, old_name, new_name, &call->status));
	srm_prepared_clean_path(srm_settings_path(srm_prepared_path));
	LockRelease(&new_lock, ExclusiveLock, false);
	LockRelease(&old_lock, ExclusiveLock, false);
	srm_call_end(call);
	PG_RETURN_VOID();
}
