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

/* 16: the macros of values of variable length have a header of their own */
#if PG_VERSION_NUM >= 160000 && !defined(FRONTEND)
#include "varatt.h"
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

/* 14: a macro that knows of platforms where signals have to be dispatched */
#if PG_VERSION_NUM >= 140000
#define SRM_INTERRUPTS_PENDING()	INTERRUPTS_PENDING_CONDITION()
#else
#define SRM_INTERRUPTS_PENDING()	InterruptPending
#endif

/* 17: the number of a backend's transaction lies in a struct */
#if PG_VERSION_NUM >= 170000
#define SRM_LOCAL_TRANSACTION()	(MyProc->vxid.lxid)
#else
#define SRM_LOCAL_TRANSACTION()	(MyProc->lxid)
#endif

/* 15: MarkGUCPrefixReserved() under its name of today */
#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix)	EmitWarningsOnPlaceholders(prefix)
#endif

/* 14: SHA-256 may be OpenSSL's; before, the state was the caller's */
#if PG_VERSION_NUM >= 140000
#include "common/cryptohash.h"
typedef pg_cryptohash_ctx SrmSha256;
#else
#include "common/sha2.h"
typedef pg_sha256_ctx SrmSha256;
#endif

/* A hash that has begun, or NULL; srm_sha256_end() frees it. */
static inline SrmSha256 *
srm_sha256_begin(void)
{
#if PG_VERSION_NUM >= 140000
	SrmSha256  *hash = pg_cryptohash_create(PG_SHA256);

	if (hash != NULL && pg_cryptohash_init(hash) < 0)
	{
		pg_cryptohash_free(hash);
		return NULL;
	}
	return hash;
#else
	SrmSha256  *hash = malloc(sizeof(SrmSha256));

	if (hash != NULL)
		pg_sha256_init(hash);
	return hash;
#endif
}

static inline bool
srm_sha256_update(SrmSha256 *hash, const uint8 *data, size_t length)
{
#if PG_VERSION_NUM >= 140000
	return pg_cryptohash_update(hash, data, length) >= 0;
#else
	pg_sha256_update(hash, data, length);
	return true;
#endif
}

/* out has 32 bytes; false for a hash that could not begin (NULL), too. */
static inline bool
srm_sha256_end(SrmSha256 *hash, uint8 *out)
{
	bool		done = true;

	if (hash == NULL)
		return false;
#if PG_VERSION_NUM >= 140000
	done = pg_cryptohash_final(hash, out, 32) >= 0;
	pg_cryptohash_free(hash);
#else
	pg_sha256_final(hash, out);
	free(hash);
#endif
	return done;
}

#endif							/* SRM_COMPAT_H */
