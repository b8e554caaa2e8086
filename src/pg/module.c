/*-------------------------------------------------------------------------
 *
 * module.c
 *	  What happens when the server loads the library.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"

#include "pg/models.h"
#include "pg/settings.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * No thread may exist in the postmaster, and none does: opening a model maps
 * files and builds tables, and the threads of a call end with it.
 */
void
_PG_init(void)
{
	srm_settings_define();
	if (process_shared_preload_libraries_in_progress && srm_preload_models != NULL)
		srm_models_preload(srm_preload_models);
}
