/*-------------------------------------------------------------------------
 *
 * arena.c
 *	  Memory with one lifetime, released as a whole.
 *
 *-------------------------------------------------------------------------
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIN_BLOCK_SIZE	((size_t) 16 * 1024)
#define MAX_BLOCK_SIZE	((size_t) 4 * 1024 * 1024)
#define MAX_PIECE_SIZE	(SIZE_MAX / 4)
#define LARGE_PAGE		((size_t) 2 * 1024 * 1024)
#define MIN_MAPPED		((size_t) 1024 * 1024)
#define FIRST_CAPACITY	64		/* of an array that doubles */

typedef struct Block
{
	_Alignas(64) struct Block *next;	/* so that data starts on a cache line */
	size_t		size;			/* of the data that follows this header */
	size_t		used;
} Block;

_Static_assert(sizeof(Block) % 64 == 0, "data starts on a cache line");

struct SrmArena
{
	Block	   *blocks;			/* the newest first */
	size_t		used;
	size_t		next_size;
};

void *
srm_calloc(size_t n, size_t size, SrmStatus *status)
{
	void	   *memory = calloc(n, size);

	if (memory == NULL)
		srm_fail_memory(status, n * size);
	return memory;
}

SrmArena *
srm_arena_create(SrmStatus *status)
{
	SrmArena   *arena = srm_calloc(1, sizeof(SrmArena), status);

	if (arena != NULL)
		arena->next_size = MIN_BLOCK_SIZE;
	return arena;
}

static void
free_blocks(Block *block)
{
	while (block != NULL)
	{
		Block	   *next = block->next;
		size_t		total = sizeof(Block) + block->size;

		if (total >= MIN_MAPPED)
			munmap(block, total);
		else
			free(block);
		block = next;
	}
}

void
srm_arena_free(SrmArena *arena)
{
	if (arena == NULL)
		return;
	free_blocks(arena->blocks);
	free(arena);
}

void
srm_arena_reset(SrmArena *arena)
{
	Block	   *kept = arena->blocks;

	if (kept == NULL)
		return;
	free_blocks(kept->next);
	kept->next = NULL;
	kept->used = 0;
	arena->used = kept->size;
}

/* Pages of the system that begin at a large page; munmap() takes them back. */
static void *
map_block(size_t size)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		pages = (size + page - 1) / page * page;
	char	   *start = mmap(NULL, pages + LARGE_PAGE, PROT_READ | PROT_WRITE,
							 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t		before;

	if (start == MAP_FAILED)
		return NULL;
	before = (LARGE_PAGE - (uintptr_t) start % LARGE_PAGE) % LARGE_PAGE;
	if (before > 0)
		munmap(start, before);
	if (before < LARGE_PAGE)
		munmap(start + before + pages, LARGE_PAGE - before);
	return start + before;
}

/*
 * Large blocks come from the system and go back there at once.  malloc() would
 * keep as much of the heap for ever as the largest of them took.
 *
 * The largest lie in large pages where the system has them: reading a
 * vocabulary of ten megabytes takes seventy, and in small pages a third more time.
 */
static void *
allocate_block(size_t size)
{
	void	   *block = NULL;

	if (size < MIN_MAPPED)
		return posix_memalign(&block, 64, size) == 0 ? block : NULL;
	block = map_block(size);
#ifdef MADV_HUGEPAGE
	if (block != NULL && size >= MAX_BLOCK_SIZE)
		(void) madvise(block, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#endif
	return block;
}

static Block *
add_block(SrmArena *arena, size_t size, SrmStatus *status)
{
	size_t		total;
	Block	   *block;

	if (size < arena->next_size)
		size = arena->next_size;
	if (arena->next_size < MAX_BLOCK_SIZE)
		arena->next_size *= 2;
	total = (sizeof(Block) + size + 63) & ~(size_t) 63;
	block = allocate_block(total);
	if (block == NULL)
	{
		srm_fail_memory(status, size);
		return NULL;
	}
	block->size = total - sizeof(Block);
	block->used = 0;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->used += block->size;
	return block;
}

void *
srm_arena_alloc(SrmArena *arena, size_t size, SrmStatus *status)
{
	size_t		align = size >= 64 ? 64 : 16;
	Block	   *block = arena->blocks;
	size_t		start;

	if (size > MAX_PIECE_SIZE)
	{
		srm_fail_memory(status, size);
		return NULL;
	}
	start = block == NULL ? 0 : (block->used + align - 1) & ~(align - 1);
	if (block == NULL || start > block->size || size > block->size - start)
	{
		block = add_block(arena, size, status);
		if (block == NULL)
			return NULL;
		start = 0;
	}
	block->used = start + size;
	return (char *) (block + 1) + start;
}

/* False, with the status set, where n * size is beyond any memory. */
static bool
multiply(size_t n, size_t size, size_t *product, SrmStatus *status)
{
	if (size != 0 && n > MAX_PIECE_SIZE / size)
		return srm_fail_memory(status, MAX_PIECE_SIZE);
	*product = n * size;
	return true;
}

void *
srm_arena_array(SrmArena *arena, size_t n, size_t size, SrmStatus *status)
{
	size_t		total = 0;
	void	   *array;

	if (!multiply(n, size, &total, status))
		return NULL;
	array = srm_arena_alloc(arena, total, status);
	if (array != NULL)
		memset(array, 0, total);
	return array;
}

void *
srm_arena_grow(SrmArena *arena, const void *old, size_t old_n, size_t new_n,
			   size_t size, SrmStatus *status)
{
	char	   *array = srm_arena_array(arena, new_n, size, status);

	if (array != NULL && old_n > 0)
		memcpy(array, old, old_n * size);
	return array;
}

bool
srm_arena_reserve(SrmArena *arena, void *items, size_t *capacity, size_t n, size_t size,
				  SrmStatus *status)
{
	size_t		longer = *capacity == 0 ? FIRST_CAPACITY : *capacity;
	void	   *array;

	if (n <= *capacity)
		return true;
	while (longer < n)
		longer = longer > SIZE_MAX / 2 ? n : longer * 2;
	memcpy(&array, items, sizeof(array));
	array = srm_arena_grow(arena, array, *capacity, longer, size, status);
	if (array == NULL)
		return false;
	memcpy(items, &array, sizeof(array));
	*capacity = longer;
	return true;
}

char *
srm_arena_string(SrmArena *arena, const char *text, size_t length, SrmStatus *status)
{
	char	   *copy = srm_arena_alloc(arena, length + 1, status);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

size_t
srm_arena_used(const SrmArena *arena)
{
	return arena == NULL ? 0 : arena->used;
}
