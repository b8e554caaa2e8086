/*-------------------------------------------------------------------------
 *
 * workspace.c
 *	  Memory of a forward pass, kept for the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/workspace.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#define MAX_KEPT		8			/* pieces */
#define MAX_PIECE_SIZE	(SIZE_MAX / 4)
#define LARGE_PAGE		((size_t) 2 * 1024 * 1024)
#define HEADER_BYTES	64

/* In front of each piece, so that this stays aligned */
typedef struct Header
{
	size_t		size;			/* of the piece */
} Header;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Header *kept[MAX_KEPT];	/* the first n_kept, in no order */
static size_t n_kept = 0;
static size_t kept_bytes = 0;
static size_t limit = (size_t) 64 * 1024 * 1024;

/* Takes a kept piece out; called with the lock. */
static Header *
take_kept(size_t number)
{
	Header	   *piece = kept[number];

	kept[number] = kept[--n_kept];
	kept_bytes -= piece->size;
	return piece;
}

/* The smallest of the kept pieces that is large enough, unless it is much too large. */
static Header *
find_kept(size_t size)
{
	Header	   *found = NULL;
	size_t		best = n_kept;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n_kept; i++)
		if (kept[i]->size >= size && kept[i]->size / 8 <= size &&
			(best == n_kept || kept[i]->size < kept[best]->size))
			best = i;
	if (best < n_kept)
		found = take_kept(best);
	pthread_mutex_unlock(&lock);
	return found;
}

/*
 * Gives back the kept pieces that one of so many bytes serves instead.  A session whose
 * texts grow would otherwise keep a piece for each of their lengths.
 */
static void
drop_served(size_t size)
{
	pthread_mutex_lock(&lock);
	for (size_t i = n_kept; i-- > 0;)
		if (kept[i]->size < size && size / 8 <= kept[i]->size)
			free(take_kept(i));
	pthread_mutex_unlock(&lock);
}

/*
 * Fresh memory.  Large pieces lie in large pages where the system has them, but for
 * what is left at their end, which would take a whole one.
 */
static Header *
create_piece(size_t size)
{
	size_t		align = size >= LARGE_PAGE ? LARGE_PAGE : HEADER_BYTES;
	size_t		total = (HEADER_BYTES + size + HEADER_BYTES - 1) / HEADER_BYTES * HEADER_BYTES;
	void	   *memory;
	Header	   *piece;

	if (posix_memalign(&memory, align, total) != 0)
		return NULL;
	piece = memory;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
	if (align == LARGE_PAGE)
		(void) madvise(piece, total / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#endif
	piece->size = total - HEADER_BYTES;
	return piece;
}

void *
srm_workspace_alloc(size_t size, SrmStatus *status)
{
	Header	   *piece = NULL;

	if (size <= MAX_PIECE_SIZE)
		piece = find_kept(size);
	if (piece == NULL && size <= MAX_PIECE_SIZE)
	{
		drop_served(size);
		piece = create_piece(size);
	}
	if (piece == NULL)
	{
		srm_fail_memory(status, size);
		return NULL;
	}
	return (char *) piece + HEADER_BYTES;
}

/* The number of the smallest of the kept pieces; called with the lock. */
static size_t
find_smallest(void)
{
	size_t		smallest = 0;

	for (size_t i = 1; i < n_kept; i++)
		if (kept[i]->size < kept[smallest]->size)
			smallest = i;
	return smallest;
}

/* Where all places are taken, the smallest piece is the cheapest to make again. */
void
srm_workspace_free(void *piece)
{
	Header	   *header;

	if (piece == NULL)
		return;
	header = (Header *) (void *) ((char *) piece - HEADER_BYTES);
	pthread_mutex_lock(&lock);
	if (n_kept == MAX_KEPT && header->size <= limit && kept[find_smallest()]->size < header->size)
		free(take_kept(find_smallest()));
	if (n_kept < MAX_KEPT && header->size <= limit && kept_bytes <= limit - header->size)
	{
		kept[n_kept++] = header;
		kept_bytes += header->size;
		header = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(header);
}

void
srm_workspace_limit(size_t bytes)
{
	pthread_mutex_lock(&lock);
	limit = bytes;
	while (kept_bytes > limit)
		free(take_kept(0));
	pthread_mutex_unlock(&lock);
}
