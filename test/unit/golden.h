/*-------------------------------------------------------------------------
 *
 * golden.h
 *	  Tiny models with numbers that were computed elsewhere, for tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GOLDEN_H
#define SRM_GOLDEN_H

#include "testing.h"

#include <math.h>

#include "forward_text.h"
#include "model/model.h"

#define MODELS		"test/data/models/"
#define TOLERANCE	1e-4

typedef struct Golden
{
	SrmModel   *model;
	SrmArena   *arena;
	const SrmJson *expected;
	double		worst;			/* largest relative difference so far */
} Golden;

static inline void
assert_ok(const SrmStatus *status)
{
	if (status->code != SRM_OK)
		fail_msg("%s %s %s", status->message, status->detail, status->hint);
}

/* options as for srm_model_open() */
static inline Golden
open_golden(const char *name, const SrmModelOptions *options)
{
	Golden		golden = {0};
	SrmStatus	status = {0};
	char		path[256];

	snprintf(path, sizeof(path), MODELS "%s", name);
	golden.model = srm_model_open(path, options, NULL, &status);
	assert_ok(&status);
	golden.arena = srm_arena_create(&status);
	snprintf(path, sizeof(path), MODELS "%s/expected.json", name);
	golden.expected = read_json_file(path, golden.arena, &status);
	return golden;
}

static inline void
close_golden(Golden *golden)
{
	srm_arena_free(golden->arena);
	srm_model_close(golden->model);
}

/* The numbers of a member that is a list; *n is how many. */
static inline double *
numbers(Golden *golden, const SrmJson *json, size_t *n)
{
	SrmStatus	status = {0};
	double	   *values;

	assert_non_null(json);
	*n = 0;
	values = srm_arena_array(golden->arena, json->n, sizeof(double), &status);
	for (const SrmJson *item = json->child; item != NULL; item = item->next)
		values[(*n)++] = json_number(item);
	return values;
}

static inline void
compare(Golden *golden, const char *what, size_t i, double got, double expected)
{
	double		scale = fabs(expected) > 1 ? fabs(expected) : 1;
	double		difference = fabs(got - expected) / scale;

	if (!(difference <= TOLERANCE))
		fail_msg("%s %zu of %s is %.9g, expected %.9g", what, i, golden->model->directory,
				 got, expected);
	if (difference > golden->worst)
		golden->worst = difference;
}

/* Hidden states (n_tokens, dim) of all tokens of the member "ids". */
static inline float *
run(Golden *golden, const SrmJson *json, size_t *n_tokens, int n_threads)
{
	SrmStatus	status = {0};
	double	   *ids = numbers(golden, srm_json_member(json, "ids"), n_tokens);
	int32_t    *tokens = srm_arena_array(golden->arena, *n_tokens, sizeof(int32_t), &status);
	uint32_t   *wanted = srm_arena_array(golden->arena, *n_tokens, sizeof(uint32_t), &status);
	float	   *hidden = srm_arena_array(golden->arena, *n_tokens * golden->model->decoder.dim,
										 sizeof(float), &status);

	for (size_t i = 0; i < *n_tokens; i++)
	{
		tokens[i] = (int32_t) ids[i];
		wanted[i] = (uint32_t) i;
	}
	forward_text(&golden->model->decoder, NULL, false, tokens, *n_tokens,
						wanted, *n_tokens, hidden, n_threads, NULL, &status);
	assert_ok(&status);
	return hidden;
}

#endif							/* SRM_GOLDEN_H */
