/*-------------------------------------------------------------------------
 *
 * owner.c
 *	  Statements on the extension's own tables, with the rights of its owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/owner.h"

static Oid
owner_of_tables(void)
{
	Oid			relation = get_relname_relid("training_log", get_namespace_oid("srm", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s\" does not exist", "srm.training_log"),
				 errhint("Run ALTER EXTENSION srm UPDATE.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

void
srm_owner_execute(const char *statement, int n, Oid *types, Datum *values,
				  const char *nulls, int expected)
{
	Oid			caller;
	int			context;
	int			result;

	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(owner_of_tables(), context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	result = SPI_execute_with_args(statement, n, types, values, nulls, false, 0);
	if (result != expected)
		elog(ERROR, "unexpected result %d of statement \"%s\"", result, statement);
	SetUserIdAndSecContext(caller, context);
}
