/*-------------------------------------------------------------------------
 *
 * model_owner.c
 *	  Which role made a model or a checkpoint, and who may do as it does.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "pg/call.h"
#include "pg/models/model_owner.h"

/*
 * Names of roles have the same bytes in all databases, whatever their encoding;
 * those that are not ASCII are spelled out, since the file is UTF-8.
 */
static void
spell_name(char *out, const char *name)
{
	for (const char *c = name; *c != '\0'; c++)
		out += IS_HIGHBIT_SET(*c) || *c == '%' ? sprintf(out, "%%%02X", (unsigned char) *c) : sprintf(out, "%c", *c);
	*out = '\0';
}

StaticAssertDecl(3 * NAMEDATALEN < SRM_MAX_OWNER_NAME, "name of a role does not fit");

void
srm_model_owner_of_caller(SrmOwner *owner)
{
	memset(owner, 0, sizeof(SrmOwner));
	owner->id = GetUserId();
	spell_name(owner->name, GetUserNameFromId(GetUserId(), false));
}

/* The role, if there still is one of that number and name. */
static Oid
find_role(const SrmOwner *owner)
{
	char		spelled[SRM_MAX_OWNER_NAME];
	char	   *name = owner->name[0] == '\0' ? NULL : GetUserNameFromId(owner->id, true);

	if (name == NULL)
		return InvalidOid;
	spell_name(spelled, name);
	return strcmp(spelled, owner->name) == 0 ? owner->id : InvalidOid;
}

bool
srm_model_owner_may(const SrmOwner *owner)
{
	Oid			role;

	if (superuser())
		return true;
	role = find_role(owner);
	return OidIsValid(role) && has_privs_of_role(GetUserId(), role);
}

char *
srm_model_owner_name(const SrmOwner *owner)
{
	Oid			role = find_role(owner);

	if (OidIsValid(role))
		return GetUserNameFromId(role, false);
	return owner->name[0] == '\0' ? NULL : pstrdup(srm_call_text(owner->name));
}

void
srm_model_owner_check(const SrmOwner *owner, const char *what, const char *name)
{
	char	   *role;

	if (srm_model_owner_may(owner))
		return;
	role = srm_model_owner_name(owner);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of %s \"%s\"", what, srm_call_text(name)),
			 role != NULL ? errdetail("Its owner is role \"%s\".", role) :
			 errdetail("It has no owner, so that only a superuser may do that.")));
}
