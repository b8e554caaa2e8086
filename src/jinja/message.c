/*-------------------------------------------------------------------------
 *
 * message.c
 *	  The messages of a conversation, as they were passed.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/message.h"

#include <string.h>

#include "base/buffer.h"

bool
srm_message_equal(const SrmMessage *a, const SrmMessage *b)
{
	return strcmp(a->role, b->role) == 0 && a->content_length == b->content_length &&
		memcmp(a->content, b->content, a->content_length) == 0 &&
		(a->json == NULL) == (b->json == NULL) &&
		(a->json == NULL || strcmp(a->json, b->json) == 0);
}

static bool
fail_message(SrmStatus *status, const char *problem, size_t number)
{
	srm_fail(status, SRM_INVALID_ARGUMENT, "invalid messages");
	srm_fail_detail(status, "Message %zu %s.", number, problem);
	return srm_fail_hint(status, "Messages look like [{\"role\": \"user\", \"content\": \"Hi.\"}, {\"role\": \"assistant\", \"content\": \"Hello.\"}].");
}

const SrmJson *
srm_message_part_text(const SrmJson *part)
{
	const char *type = srm_json_string(srm_json_member(part, "type"));
	const SrmJson *text = srm_json_member(part, "text");

	if (part->type == SRM_JSON_STRING)
		return part;
	if (srm_json_string(text) == NULL || (type != NULL && strcmp(type, "text") != 0))
		return NULL;
	return text;
}

static bool
fail_part(const SrmJson *part, size_t number, SrmStatus *status)
{
	const char *type = srm_json_string(srm_json_member(part, "type"));

	if (type == NULL || strcmp(type, "text") == 0)
		return fail_message(status, "has a content part without \"text\"", number);
	srm_fail(status, SRM_NOT_SUPPORTED, "content part of type \"%.40s\" is not supported", type);
	srm_fail_detail(status, "It is in message %zu.", number);
	return srm_fail_hint(status, "The model reads text: parts look like {\"type\": \"text\", \"text\": \"Hi.\"}.");
}

/* The parts of the content, one behind the other. */
static bool
join_parts(SrmMessage *message, const SrmJson *list, size_t number, SrmArena *arena,
		   SrmStatus *status)
{
	SrmBuffer	text;

	if (!srm_buffer_init(&text, arena, 0, status))
		return false;
	for (const SrmJson *part = list->child; part != NULL; part = part->next)
	{
		const SrmJson *found = srm_message_part_text(part);

		if (found == NULL)
			return fail_part(part, number, status);
		if (!srm_buffer_append(&text, found->text, found->n, status))
			return false;
	}
	message->content = text.data;
	message->content_length = text.length;
	return true;
}

/* A message without content is one where it says something else, such as a call. */
static bool
says_something(const SrmJson *object)
{
	for (const SrmJson *member = object->child; member != NULL; member = member->next)
		if (member->type != SRM_JSON_NULL && strcmp(member->key, "role") != 0 &&
			strcmp(member->key, "name") != 0)
			return true;
	return false;
}

static bool
read_content(SrmMessage *message, const SrmJson *object, size_t number, SrmArena *arena,
			 SrmStatus *status)
{
	const SrmJson *content = srm_json_member(object, "content");

	message->content = "";
	message->content_length = 0;
	if (content == NULL)
		return says_something(object) ||
			fail_message(status, "has no \"content\", nor anything else to read", number);
	if (content->type == SRM_JSON_ARRAY)
		return join_parts(message, content, number, arena, status);
	if (content->type != SRM_JSON_STRING)
		return fail_message(status, "has a \"content\" that is neither a string nor a list of parts", number);
	message->content = content->text;
	message->content_length = content->n;
	return true;
}

bool
srm_message_read(SrmMessage *message, const char *json, size_t length, size_t number,
				 SrmArena *arena, SrmStatus *status)
{
	const SrmJson *object = srm_json_parse(json, length, "message", arena, status);

	memset(message, 0, sizeof(SrmMessage));
	if (object == NULL)
	{
		if (status->code == SRM_INVALID_MODEL)
			status->code = SRM_INVALID_ARGUMENT;
		return false;
	}
	if (object->type != SRM_JSON_OBJECT)
		return fail_message(status, "is no object", number);
	message->role = srm_json_string(srm_json_member(object, "role"));
	if (message->role == NULL)
		return fail_message(status, "has no string \"role\"", number);
	message->json = srm_arena_string(arena, json, length, status);
	return message->json != NULL && read_content(message, object, number, arena, status);
}
