/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  What differs between releases of the server's libraries that the engine uses.
 *
 * To be included after postgres.h or postgres_fe.h.  What differs in the server
 * itself is in src/pg/compat.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_COMPAT_H
#define SRM_COMPAT_H

#include "common/cryptohash.h"
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

typedef pg_cryptohash_ctx SrmSha256;

/* A hash that has begun, or NULL; srm_sha256_end() frees it. */
static inline SrmSha256 *
srm_sha256_begin(void)
{
	SrmSha256  *hash = pg_cryptohash_create(PG_SHA256);

	if (hash != NULL && pg_cryptohash_init(hash) < 0)
	{
		pg_cryptohash_free(hash);
		return NULL;
	}
	return hash;
}

static inline bool
srm_sha256_update(SrmSha256 *hash, const uint8 *data, size_t length)
{
	return pg_cryptohash_update(hash, data, length) >= 0;
}

/* out has 32 bytes; false for a hash that could not begin (NULL), too. */
static inline bool
srm_sha256_end(SrmSha256 *hash, uint8 *out)
{
	bool		done = hash != NULL && pg_cryptohash_final(hash, out, 32) >= 0;

	pg_cryptohash_free(hash);
	return done;
}

#endif							/* SRM_COMPAT_H */
