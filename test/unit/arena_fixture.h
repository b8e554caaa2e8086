/*-------------------------------------------------------------------------
 *
 * arena_fixture.h
 *	  An arena and a status, new for each test of a program.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ARENA_FIXTURE_H
#define SRM_ARENA_FIXTURE_H

#include "testing.h"

#include "base/arena.h"

static SrmArena *arena;
static SrmStatus status;

static inline int
setup(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	return arena == NULL;
}

static inline int
teardown(void **state)
{
	(void) state;
	srm_arena_free(arena);
	return 0;
}

static inline void *
allocate(size_t size)
{
	void	   *memory = srm_arena_alloc(arena, size, &status);

	assert_non_null(memory);
	return memory;
}

#endif							/* SRM_ARENA_FIXTURE_H */
