/*-------------------------------------------------------------------------
 *
 * model_owner.h
 *	  Which role made a model or a checkpoint, and who may do as it does.
 *
 * A role may if it has the privileges of the one that is recorded, as for
 * tables; a superuser always may, and alone where nobody is recorded.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PG_MODEL_OWNER_H
#define SRM_PG_MODEL_OWNER_H

#include "postgres.h"

#include "write/ownership.h"

/* The role that calls. */
extern void srm_model_owner_of_caller(SrmOwner *owner);

/* Whether the caller may. */
extern bool srm_model_owner_may(const SrmOwner *owner);

/* The recorded role's name, palloc'd, in the database's encoding; NULL: nobody. */
extern char *srm_model_owner_name(const SrmOwner *owner);

/* Raises an error unless the caller may; what is "model" or "checkpoint of model". */
extern void srm_model_owner_check(const SrmOwner *owner, const char *what, const char *name);

#endif							/* SRM_PG_MODEL_OWNER_H */
