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

/* Fresh memory; large pieces in large pages where the system has them. */
static Header *
create_piece(size_t size)
{
	size_t		align = size >= LARGE_PAGE ? LARGE_PAGE : HEADER_BYTES;
	size_t		total = (HEADER_BYTES + size + align - 1) / align * align;
	Header	   *piece = aligned_alloc(align, total);

	if (piece == NULL)
		return NULL;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
	if (align == LARGE_PAGE)
		(void) madvise(piece, total, MADV_HUGEPAGE);
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
		piece = create_piece(size);
	if (piece == NULL)
	{
		srm_fail_memory(status, size);
		return NULL;
	}
	return (char *) piece + HEADER_BYTES;
}

void
srm_workspace_free(void *piece)
{
	Header	   *header;

	if (piece == NULL)
		return;
	header = (Header *) (void *) ((char *) piece - HEADER_BYTES);
	pthread_mutex_lock(&lock);
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
