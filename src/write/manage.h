/*-------------------------------------------------------------------------
 *
 * manage.h
 *	  Models that are there: taken away, and given another name.
 *
 * Both are one renaming, which is flushed to disk; who has it open
 * keeps it.  What is no model is left alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MANAGE_H
#define SRM_MANAGE_H

#include "base/status.h"

/* SRM_UNDEFINED_MODEL where the directory has no such model. */
extern bool srm_model_drop(const char *parent, const char *name, SrmStatus *status);

/* The same, and SRM_DUPLICATE_MODEL where there is something of the new name. */
extern bool srm_model_rename(const char *parent, const char *old_name, const char *new_name,
							 SrmStatus *status);

#endif							/* SRM_MANAGE_H */
