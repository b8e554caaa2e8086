/*-------------------------------------------------------------------------
 *
 * buffer.h
 *	  Bytes that are appended to, in an arena.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BUFFER_H
#define SRM_BUFFER_H

#include "base/arena.h"

typedef struct SrmBuffer
{
	SrmArena   *arena;
	char	   *data;			/* (length), then a NUL */
	size_t		length;
	size_t		capacity;
	size_t		limit;			/* longest length allowed */
} SrmBuffer;

/* Empty, with data "".  limit 0 stands for no limit but memory. */
extern bool srm_buffer_init(SrmBuffer *buffer, SrmArena *arena, size_t limit,
							SrmStatus *status);

/* Fails with SRM_LIMIT_EXCEEDED beyond the limit. */
extern bool srm_buffer_append(SrmBuffer *buffer, const char *data, size_t length,
							  SrmStatus *status);

#endif							/* SRM_BUFFER_H */
