/*-------------------------------------------------------------------------
 *
 * json_write.h
 *	  JSON trees that are changed, and written as text.
 *
 * What was parsed and not changed is written as it was: order, spelling of
 * numbers and members that occur twice included.  Characters stand for
 * themselves where the file may have had escapes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JSON_WRITE_H
#define SRM_JSON_WRITE_H

#include "base/buffer.h"
#include "base/json.h"

/* New nodes in the arena; NULL, with the status set, when memory is short. */
extern SrmJson *srm_json_make(SrmJsonType type, SrmArena *arena, SrmStatus *status);
extern SrmJson *srm_json_make_string(const char *text, SrmArena *arena, SrmStatus *status);
extern SrmJson *srm_json_make_int(int64_t number, SrmArena *arena, SrmStatus *status);

/* The shortest decimal that reads as the same double; SRM_INTERNAL for what is not finite. */
extern SrmJson *srm_json_make_double(double number, SrmArena *arena, SrmStatus *status);

/* Adds a node, which has no parent yet, behind the last child of an array. */
extern void srm_json_append(SrmJson *array, SrmJson *child);

/*
 * Makes value the only member of that name, in the place of the first one or,
 * where there was none, as the last; a value of NULL takes all of them away.
 * Fails where value is NULL because memory was short for it: status says so.
 */
extern bool srm_json_set(SrmJson *object, const char *key, SrmJson *value,
						 SrmArena *arena, SrmStatus *status);

/*
 * Appends the text, indented by two spaces a level as Python's json writes it,
 * without a line's end behind it.
 */
extern bool srm_json_write(SrmBuffer *out, const SrmJson *json, SrmStatus *status);

/* Appends a string with its quotes, and what JSON asks to be escaped escaped. */
extern bool srm_json_write_string(SrmBuffer *out, const char *text, SrmStatus *status);

#endif							/* SRM_JSON_WRITE_H */
