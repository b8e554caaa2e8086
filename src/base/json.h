/*-------------------------------------------------------------------------
 *
 * json.h
 *	  A JSON document as a tree.
 *
 * What RFC 8259 allows is read, and nothing else: no comments, no commas at
 * the end, no NaN, no byte order mark.  Of what it allows, depth beyond 100 and NUL in strings
 * are refused, and surrogates that make no pair, since they are no UTF-8.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JSON_H
#define SRM_JSON_H

#include <stdint.h>

#include "base/arena.h"

typedef enum SrmJsonType
{
	SRM_JSON_NULL,
	SRM_JSON_FALSE,
	SRM_JSON_TRUE,
	SRM_JSON_NUMBER,
	SRM_JSON_STRING,
	SRM_JSON_ARRAY,
	SRM_JSON_OBJECT
} SrmJsonType;

typedef struct SrmJson
{
	SrmJsonType type;
	uint32_t	n;				/* bytes of text, or number of children */
	const char *text;			/* string (UTF-8, no NUL inside) or number; ends in NUL */
	const char *key;			/* of an object's member; ends in NUL */
	struct SrmJson *child;		/* first child of an array or object */
	struct SrmJson *next;		/* next child of the same parent */
} SrmJson;

/*
 * Parses UTF-8.  Errors are SRM_INVALID_MODEL and name what, such as
 * "file \"config.json\"", with the line and the column, in characters, as detail.
 * The tree and its strings lie in the arena; json need not end in NUL.
 */
extern SrmJson *srm_json_parse(const char *json, size_t length, const char *what,
							   SrmArena *arena, SrmStatus *status);

/*
 * The member of an object, or NULL where there is none, where it is null, or
 * where json is NULL or no object; lookups can thus be chained.  Of members
 * with the same name the last one counts.
 */
extern const SrmJson *srm_json_member(const SrmJson *json, const char *key);

/* Whether an object has a member, be it null, which is NULL above. */
extern bool srm_json_has_member(const SrmJson *object, const char *key);

/* The text of a string, or NULL for anything else, NULL included. */
extern const char *srm_json_string(const SrmJson *json);

/*
 * Values of an object's member, or fallback where it is absent or null; fail
 * (SRM_INVALID_MODEL) where it is of another type or out of the range.
 */
extern bool srm_json_get_int(const SrmJson *object, const char *key,
							 int64_t minimum, int64_t maximum, int64_t fallback,
							 int64_t *value, SrmStatus *status);
extern bool srm_json_get_double(const SrmJson *object, const char *key,
								double fallback, double *value, SrmStatus *status);
extern bool srm_json_get_bool(const SrmJson *object, const char *key,
							  bool fallback, bool *value, SrmStatus *status);
extern bool srm_json_get_string(const SrmJson *object, const char *key,
								const char *fallback, const char **value,
								SrmStatus *status);

/* A number as double, with anything but a finite number refused. */
extern bool srm_json_number(const SrmJson *json, double *value);

#endif							/* SRM_JSON_H */
