/*-------------------------------------------------------------------------
 *
 * scorer_fixture.h
 *	  An arena, a status and a scorer for each test.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORER_FIXTURE_H
#define SRM_SCORER_FIXTURE_H

#include "testing.h"

#include "score/scorer.h"

static SrmArena *arena;
static SrmStatus status;
static SrmScorer *scorer;

/* Without a scorer, which is for the test to open. */
static inline int
setup(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	scorer = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void) state;
	srm_scorer_close(scorer);
	srm_arena_free(arena);
	return 0;
}

/*
 * Tokens of a response that need not be computed where another to the same prompt was: those that both begin with,
 * before one that is read here alone.  Where all tokens are read there is no such one.
 */
static inline size_t
count_alike(const SrmLayout *layout, const SrmLayout *before, bool reads_all)
{
	size_t		n = layout->n_prompt;

	while (n < layout->tokens.n && n < before->tokens.n && layout->tokens.items[n].id == before->tokens.items[n].id)
		n++;
	for (size_t i = layout->n; i > 0 && !reads_all; i--)
	{
		bool		is_read = false;

		for (size_t j = 1; j <= before->n; j++)
			is_read = is_read || before->boundaries[j] == layout->boundaries[i];
		if (layout->boundaries[i] < n && !is_read)
			n = layout->boundaries[i];
	}
	return n - layout->n_prompt;
}

#endif							/* SRM_SCORER_FIXTURE_H */
