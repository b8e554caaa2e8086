/*-------------------------------------------------------------------------
 *
 * buffer.c
 *	  Bytes that are appended to, in an arena.
 *
 *-------------------------------------------------------------------------
 */
#include "base/buffer.h"

#include <stdint.h>
#include <string.h>

#define FIRST_CAPACITY	128

bool
srm_buffer_init(SrmBuffer *buffer, SrmArena *arena, size_t limit, SrmStatus *status)
{
	buffer->arena = arena;
	buffer->length = 0;
	buffer->capacity = FIRST_CAPACITY;
	buffer->limit = limit == 0 ? SIZE_MAX / 4 : limit;
	buffer->data = srm_arena_alloc(arena, FIRST_CAPACITY, status);
	if (buffer->data == NULL)
		return false;
	buffer->data[0] = '\0';
	return true;
}

static bool
make_room(SrmBuffer *buffer, size_t length, SrmStatus *status)
{
	size_t		capacity = buffer->capacity;
	char	   *data;

	while (capacity <= length)
		capacity *= 2;
	if (capacity == buffer->capacity)
		return true;
	data = srm_arena_alloc(buffer->arena, capacity, status);
	if (data == NULL)
		return false;
	memcpy(data, buffer->data, buffer->length + 1);
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

bool
srm_buffer_append(SrmBuffer *buffer, const char *data, size_t length, SrmStatus *status)
{
	if (length > buffer->limit - buffer->length)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "text is too long");
		return srm_fail_detail(status, "The limit is %zu bytes.", buffer->limit);
	}
	if (!make_room(buffer, buffer->length + length, status))
		return false;
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
	return true;
}
