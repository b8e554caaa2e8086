/*-------------------------------------------------------------------------
 *
 * topic.h
 *	  What an error is about: which argument of a function, and how it begins.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TOPIC_H
#define SRM_TOPIC_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "pg/encoding.h"

typedef struct SrmTopic
{
	const char *argument;		/* NULL: no certain one */
	int			element;		/* of an array, from 1 on; 0: it is none */
	bool		has_text;
	SrmText		text;
	SrmText		before;			/* what shows the row where the text is empty; or empty, too */
	Jsonb	   *messages;		/* in place of a text, before they are read; or NULL */
	ErrorContextCallback error_context;
} SrmTopic;

/* Errors until srm_topic_end() say what they are about, which is nothing yet. */
extern void srm_topic_begin(SrmTopic *topic);

/* An argument, or an element of one, of which nothing is known but its name; NULL: none. */
extern void srm_topic_set(SrmTopic *topic, const char *argument, int element);

/* How it begins. */
extern void srm_topic_set_text(SrmTopic *topic, const char *data, size_t length);

/* A text that is an argument, read. */
extern SrmText srm_topic_read_text(SrmTopic *topic, const char *argument, Datum datum);

/* The same with a NUL behind it, of which nothing is said any more. */
extern char *srm_topic_read_cstring(SrmTopic *topic, const char *argument, Datum datum);

/* Errors say no more of it. */
extern void srm_topic_end(SrmTopic *topic);

#endif							/* SRM_TOPIC_H */
