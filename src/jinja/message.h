/*-------------------------------------------------------------------------
 *
 * message.h
 *	  The messages of a conversation, as they were passed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MESSAGE_H
#define SRM_MESSAGE_H

#include "base/json.h"

typedef struct SrmMessage
{
	const char *role;			/* UTF-8, no NUL inside, ends in NUL */
	const char *content;		/* (content_length) bytes of UTF-8 */
	size_t		content_length;
	const char *json;			/* the whole message, see srm_message_read(); NULL: role and content are all */
} SrmMessage;

/* Whether a template sees the same message in both. */
extern bool srm_message_equal(const SrmMessage *a, const SrmMessage *b);

/*
 * Reads a message with whatever keys it has, which stay in json; number, from
 * 1, is for errors (SRM_INVALID_ARGUMENT, SRM_NOT_SUPPORTED).  Its content is
 * a string, a list of parts that are text, or nothing where another key says
 * something.  All lies in the arena.
 */
extern bool srm_message_read(SrmMessage *message, const char *json, size_t length, size_t number,
							 SrmArena *arena, SrmStatus *status);

/* The text of a part of a content, {"type": "text", "text": ...} or a string by itself; NULL: it is none. */
extern const SrmJson *srm_message_part_text(const SrmJson *part);

#endif							/* SRM_MESSAGE_H */
