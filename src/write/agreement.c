/*-------------------------------------------------------------------------
 *
 * agreement.c
 *	  How far two forms of a model agree in their scores.
 *
 *-------------------------------------------------------------------------
 */
#include "write/agreement.h"

#include <math.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "write/writer.h"

typedef struct Item
{
	double		score;
	size_t		index;
} Item;

static int
compare_items(const void *a, const void *b)
{
	double		x = ((const Item *) a)->score;
	double		y = ((const Item *) b)->score;

	return (x > y) - (x < y);
}

/* Ranks less their mean, (n); those of equal scores are the same. */
static void
rank_scores(const double *scores, size_t n, Item *items, double *ranks)
{
	size_t		end;

	for (size_t i = 0; i < n; i++)
		items[i] = (Item) {scores[i], i};
	qsort(items, n, sizeof(Item), compare_items);
	for (size_t start = 0; start < n; start = end)
	{
		for (end = start + 1; end < n && items[end].score == items[start].score; end++)
			;
		for (size_t i = start; i < end; i++)
			ranks[items[i].index] = (double) (start + end) / 2.0 - (double) n / 2.0;
	}
}

/* The correlation of two lists whose means are 0. */
static double
correlate(const double *x, const double *y, size_t n)
{
	double		xx = 0.0;
	double		yy = 0.0;
	double		xy = 0.0;

	for (size_t i = 0; i < n; i++)
	{
		xx += x[i] * x[i];
		yy += y[i] * y[i];
		xy += x[i] * y[i];
	}
	if (xx == 0.0 || yy == 0.0)
		return xx == yy ? 1.0 : 0.0;
	return xy / sqrt(xx * yy);
}

static int
sign_of(const double *pair)
{
	return (pair[0] > pair[1]) - (pair[0] < pair[1]);
}

bool
srm_agreement_measure(SrmAgreement *agreement, const double *scores, const double *others,
					  size_t n_pairs, SrmStatus *status)
{
	size_t		n = 2 * n_pairs;
	SrmArena   *arena = srm_arena_create(status);
	Item	   *items = arena == NULL ? NULL : srm_arena_array(arena, n, sizeof(Item), status);
	double	   *ranks = items == NULL ? NULL : srm_arena_array(arena, 2 * n, sizeof(double), status);

	*agreement = (SrmAgreement) {.n_pairs = n_pairs};
	if (ranks != NULL)
	{
		rank_scores(scores, n, items, ranks);
		rank_scores(others, n, items, ranks + n);
		agreement->rank_correlation = correlate(ranks, ranks + n, n);
		for (size_t i = 0; i < n; i++)
			agreement->largest_difference = fmax(agreement->largest_difference, fabs(scores[i] - others[i]));
		for (size_t i = 0; i < n; i += 2)
			agreement->n_flips += sign_of(scores + i) != sign_of(others + i);
	}
	srm_arena_free(arena);
	return ranks != NULL;
}

bool
srm_agreement_set(SrmJson *config, const SrmAgreement *agreement, SrmArena *arena, SrmStatus *status)
{
	SrmJson    *object;

	if (agreement == NULL)
		return srm_writer_set_config(config, "agreement", NULL, arena, status);
	object = srm_json_make(SRM_JSON_OBJECT, arena, status);
	return object != NULL &&
		srm_json_set(object, "pairs", srm_json_make_int((int64_t) agreement->n_pairs, arena, status), arena, status) &&
		srm_json_set(object, "rank_correlation", srm_json_make_double(agreement->rank_correlation, arena, status), arena, status) &&
		srm_json_set(object, "flips", srm_json_make_int((int64_t) agreement->n_flips, arena, status), arena, status) &&
		srm_json_set(object, "largest_difference", srm_json_make_double(agreement->largest_difference, arena, status), arena, status) &&
		srm_writer_set_config(config, "agreement", object, arena, status);
}
