/*-------------------------------------------------------------------------
 *
 * testing.h
 *	  What unit tests share: a file as text, numbers out of JSON.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TESTING_H
#define SRM_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

/* A JSON file below the repository's root, in the arena. */
static inline const SrmJson *
read_json_file(const char *path, SrmArena *arena, SrmStatus *status)
{
	FILE	   *file = fopen(path, "rb");
	long		size;
	char	   *text;
	const SrmJson *json;

	if (file == NULL)
		fail_msg("cannot open %s", path);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = malloc((size_t) size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t) size, file), size);
	fclose(file);
	json = srm_json_parse(text, (size_t) size, path, arena, status);
	free(text);
	if (json == NULL)
		fail_msg("%s: %s", path, status->message);
	return json;
}

static inline double
json_number(const SrmJson *json)
{
	double		number = 0.0;

	assert_true(srm_json_number(json, &number));
	return number;
}

/* Appends all numbers of nested arrays to out, which is long enough; returns how many. */
static inline size_t
json_floats(const SrmJson *json, float *out)
{
	size_t		n = 0;

	if (json->type == SRM_JSON_NUMBER)
	{
		*out = (float) json_number(json);
		return 1;
	}
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
		n += json_floats(child, out + n);
	return n;
}

/* |a - b| <= tolerance * max(1, |b|) */
static inline void
assert_close(double a, double b, double tolerance)
{
	double		scale = b > 1.0 ? b : b < -1.0 ? -b : 1.0;
	double		distance = a > b ? a - b : b - a;

	if (!(distance <= tolerance * scale))
		fail_msg("%.9g is not %.9g within %g", a, b, tolerance);
}

#endif							/* SRM_TESTING_H */
