/*-------------------------------------------------------------------------
 *
 * conversation.h
 *	  Messages from SQL.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CONVERSATION_H
#define SRM_CONVERSATION_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "jinja/template.h"

#define SRM_MAX_MESSAGES	100000	/* each takes some 600 bytes while a list is built */

/* Raises an error for more. */
extern void srm_messages_check_count(uint32 n);

/* A message of a text datum; may point into it. */
extern SrmMessage srm_message_of_datum(const char *role, Datum content);

/*
 * The messages of a list of {"role": ..., "content": ...}, with whatever other
 * keys they have, palloc'd with room for one more; anything else is an error.
 */
extern SrmMessage *srm_messages_of_jsonb(Jsonb *messages, size_t *n_messages);

/*
 * Whether an error of reading texts or messages is about these alone, so that others can be read. Until then
 * nothing is held that an abort would release: it may be caught without a subtransaction.
 */
extern bool srm_messages_is_problem(const ErrorData *error);

#endif							/* SRM_CONVERSATION_H */
