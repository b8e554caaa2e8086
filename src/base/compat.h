/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between PostgreSQL 13 and 18, in one place.
 *
 * To be included after postgres.h or postgres_fe.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_COMPAT_H
#define SRM_COMPAT_H

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

/* 16: actions of the JSON parser return a result */
#if PG_VERSION_NUM >= 160000
#define SRM_JSON_ACTION			JsonParseErrorType
#define SRM_JSON_ACTION_DONE	return JSON_SUCCESS
#else
#define SRM_JSON_ACTION			void
#define SRM_JSON_ACTION_DONE	return
#endif

/* 17: the lexer may be the caller's, and has to be freed */
#if PG_VERSION_NUM >= 170000
#define srm_make_json_lexer(json, length) \
	makeJsonLexContextCstringLen(NULL, (json), (length), PG_UTF8, true)
#define srm_free_json_lexer(lexer)	freeJsonLexContext(lexer)
#else
#define srm_make_json_lexer(json, length) \
	makeJsonLexContextCstringLen((json), (int) (length), PG_UTF8, true)
static inline void
srm_free_json_lexer(JsonLexContext *lexer)
{
	pfree(lexer->strval->data);
	pfree(lexer->strval);
	pfree(lexer);
}
#endif

/* 15: MarkGUCPrefixReserved() under its name of today */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix)	EmitWarningsOnPlaceholders(prefix)
#endif

#endif							/* SRM_COMPAT_H */
