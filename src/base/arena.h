/*-------------------------------------------------------------------------
 *
 * arena.h
 *	  Memory with one lifetime, released as a whole.
 *
 * An arena takes blocks from malloc, large ones from the system, and hands
 * out pieces of them; nothing is freed piece by piece.  A caller that lives in
 * a server ties the arena to one of its own lifetimes right after creating it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ARENA_H
#define SRM_ARENA_H

#include "base/status.h"

typedef struct SrmArena SrmArena;

/* Cleared memory for what owns itself, to be given to free(); NULL, with the status set, when memory is short. */
extern void *srm_calloc(size_t n, size_t size, SrmStatus *status);

/* NULL, with the status set, when memory is short. */
extern SrmArena *srm_arena_create(SrmStatus *status);
extern void srm_arena_free(SrmArena *arena);	/* NULL is allowed */

/* Forgets all pieces but keeps one block for the next use. */
extern void srm_arena_reset(SrmArena *arena);

/*
 * A piece of memory aligned to 64 bytes if size is 64 or more, to 16 if not;
 * never NULL unless memory is short, not even for a size of 0.  Not cleared.
 */
extern void *srm_arena_alloc(SrmArena *arena, size_t size, SrmStatus *status);

/* The same for n elements of a size, with the product checked; cleared. */
extern void *srm_arena_array(SrmArena *arena, size_t n, size_t size, SrmStatus *status);

/*
 * A longer copy of an array of old_n elements, for arrays that double.  The
 * old piece stays allocated until the arena goes.
 */
extern void *srm_arena_grow(SrmArena *arena, const void *old, size_t old_n,
							size_t new_n, size_t size, SrmStatus *status);

/*
 * Room for n elements of a size in an array that doubles.  items is the address of the pointer to it,
 * which leads to the longer copy then; both that and capacity stay as they are where memory is short.
 */
extern bool srm_arena_reserve(SrmArena *arena, void *items, size_t *capacity, size_t n,
							  size_t size, SrmStatus *status);

/* A copy with a terminating NUL. */
extern char *srm_arena_string(SrmArena *arena, const char *text, size_t length,
							  SrmStatus *status);

/* Bytes of its blocks. */
extern size_t srm_arena_used(const SrmArena *arena);

#endif							/* SRM_ARENA_H */
