/*-------------------------------------------------------------------------
 *
 * topic.c
 *	  What an error is about: which argument of a function, and how it begins.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "pg/topic.h"

#define MAX_SHOWN	(64 * 1024)	/* bytes of messages, which become a text as a whole */

static const char *
show_beginning(const SrmTopic *topic)
{
	char	   *json;

	if (topic->has_text)
		return srm_text_beginning(topic->text.data, topic->text.length);
	json = JsonbToCString(NULL, &topic->messages->root, VARSIZE(topic->messages));
	return srm_text_beginning(json, strlen(json));
}

static bool
can_show_messages(const SrmTopic *topic)
{
	return topic->messages != NULL && VARSIZE(topic->messages) <= MAX_SHOWN;
}

static void
say_topic(void *arg)
{
	const SrmTopic *topic = arg;
	const char *name;
	bool		is_empty = topic->has_text && topic->text.length == 0;

	if (topic->argument == NULL)
		return;
	name = topic->element == 0 ? psprintf("argument \"%s\"", topic->argument) :
		psprintf("element %d of argument \"%s\"", topic->element, topic->argument);
	if (is_empty && topic->before.length > 0)
		errcontext("%s, behind \"%s\"", name, srm_text_beginning(topic->before.data, topic->before.length));
	else if (is_empty || (!topic->has_text && !can_show_messages(topic)))
		errcontext("%s", name);
	else
		errcontext("%s, \"%s\"", name, show_beginning(topic));
}

void
srm_topic_begin(SrmTopic *topic)
{
	memset(topic, 0, sizeof(SrmTopic));
	topic->error_context.callback = say_topic;
	topic->error_context.arg = topic;
	topic->error_context.previous = error_context_stack;
	error_context_stack = &topic->error_context;
}

void
srm_topic_set(SrmTopic *topic, const char *argument, int element)
{
	topic->argument = argument;
	topic->element = element;
	topic->has_text = false;
	topic->text = topic->before = (SrmText) {NULL, 0};
	topic->messages = NULL;
}

void
srm_topic_set_text(SrmTopic *topic, const char *data, size_t length)
{
	topic->has_text = true;
	topic->text = (SrmText) {data, length};
}

SrmText
srm_topic_read_text(SrmTopic *topic, const char *argument, Datum datum)
{
	SrmText		text;

	srm_topic_set(topic, argument, 0);
	text = srm_text_of_datum(datum);
	srm_topic_set_text(topic, text.data, text.length);
	return text;
}

char *
srm_topic_read_cstring(SrmTopic *topic, const char *argument, Datum datum)
{
	char	   *string;

	srm_topic_set(topic, argument, 0);
	string = srm_cstring_of_datum(datum);
	srm_topic_set(topic, NULL, 0);
	return string;
}

void
srm_topic_end(SrmTopic *topic)
{
	error_context_stack = topic->error_context.previous;
}
