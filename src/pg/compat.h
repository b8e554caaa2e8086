/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between PostgreSQL 14 and 19, in one place.
 *
 * To be included after postgres.h.  Each difference is under the release that
 * brought it; older ones get what is new there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PG_COMPAT_H
#define SRM_PG_COMPAT_H

#include "utils/jsonb.h"

#if PG_VERSION_NUM < 140000
#error "srm needs PostgreSQL 14 or newer"
#endif

/* 15: MarkGUCPrefixReserved() under its name of today */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix)	EmitWarningsOnPlaceholders(prefix)
#endif

/* 16: the macros of values of variable length have a header of their own */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16: says how many settings there are */
#if PG_VERSION_NUM >= 160000
#define srm_guc_variables(n)	get_guc_variables(n)
#else
#define srm_guc_variables(n)	(*(n) = GetNumConfigOptions(), get_guc_variables())
#endif

/* 17: the number of a backend's transaction lies in a struct */
#if PG_VERSION_NUM >= 170000
#define SRM_LOCAL_TRANSACTION()	(MyProc->vxid.lxid)
#else
#define SRM_LOCAL_TRANSACTION()	(MyProc->lxid)
#endif

/* 18: stands before a declaration; pg_attribute_noreturn() is gone */
#if PG_VERSION_NUM < 180000
#define pg_noreturn	pg_attribute_noreturn()
#endif

/* 18: extensions may lie in other directories than the server's own */
#if PG_VERSION_NUM >= 180000
#include "commands/extension.h"
#define SRM_EXTENSION_PATH	Extension_control_path
#else
#define SRM_EXTENSION_PATH	"$system"
#endif

/* 19: jsonb is built in a state that keeps the result */
#if PG_VERSION_NUM < 190000
typedef struct JsonbInState
{
	JsonbParseState *parseState;
	JsonbValue *result;
} JsonbInState;

static inline void
srm_push_jsonb(JsonbInState *state, JsonbIteratorToken token, JsonbValue *value)
{
	state->result = pushJsonbValue(&state->parseState, token, value);
}
#else
#define srm_push_jsonb(state, token, value)	pushJsonbValue(state, token, value)
#endif

#endif							/* SRM_PG_COMPAT_H */
