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

#include "pg/models/models.h"
#include "pg/settings.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * No thread may exist in the postmaster, and none does: opening a model maps
 * files and builds tables, and the threads of a call end with it.
 *
 * A warning about a setting would let a cancel out, and the next call would define
 * the settings a second time, which is an error from then on.
 */
void
_PG_init(void)
{
	HOLD_INTERRUPTS();
	srm_settings_define();
	RESUME_INTERRUPTS();
	if (process_shared_preload_libraries_in_progress && srm_preload_models != NULL)
		srm_models_preload(srm_preload_models);
}
