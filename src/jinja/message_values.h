/*-------------------------------------------------------------------------
 *
 * message_values.h
 *	  The messages of a conversation, as a template has them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MESSAGE_VALUES_H
#define SRM_MESSAGE_VALUES_H

#include "jinja/message.h"
#include "jinja/value.h"

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

#endif							/* SRM_MESSAGE_VALUES_H */
