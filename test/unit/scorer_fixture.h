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

#endif							/* SRM_SCORER_FIXTURE_H */
