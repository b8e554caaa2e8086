/*-------------------------------------------------------------------------
 *
 * message.h
 *	  The messages of a conversation, as a template has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MESSAGE_H
#define SRM_MESSAGE_H

#include "base/json.h"
#include "jinja/value.h"

/*
 * Reads a message with whatever keys it has, which stay in json; number, from
 * 1, is for errors (SRM_INVALID_ARGUMENT, SRM_NOT_SUPPORTED).  Its content is
 * a string, a list of parts that are text, or nothing where another key says
 * something.  All lies in the arena.
 */
extern bool srm_message_read(SrmMessage *message, const char *json, size_t length, size_t number,
							 SrmArena *arena, SrmStatus *status);

/* Any JSON; strings are of that origin. */
extern bool srm_jinja_of_json(JinjaEval *eval, const SrmJson *json, SrmOrigin origin,
							  JinjaValue *value);

/* What conversations have that not every template takes. */
typedef struct JinjaParts
{
	size_t		n_lists;		/* messages whose content is a list of parts */
	size_t		n_longer;		/* and of these, lists of several */
} JinjaParts;

/*
 * The list of messages.  With joins, content that is a list is the text of its
 * parts instead; parts are counted.
 */
extern bool srm_jinja_messages(JinjaEval *eval, const SrmMessage *messages, size_t n_messages,
							   bool joins, JinjaParts *parts, JinjaValue *value);

#endif							/* SRM_MESSAGE_H */
