/*-------------------------------------------------------------------------
 *
 * message_values.c
 *	  The messages of a conversation, as a template has them.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/message_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Roles that templates spell out themselves.  They may be half of a special
 * token, as in "<|" ~ role ~ "|>", and are harmless there.
 */
static bool
is_usual_role(const char *role)
{
	static const char *const roles[] = {
		"assistant", "developer", "environment", "function", "ipython", "model", "system",
		"tool", "user",
	};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
	{
		if (strcmp(roles[i], role) == 0)
			return true;
	}
	return false;
}

static bool
make_number(JinjaEval *eval, const SrmJson *json, JinjaValue *value)
{
	char	   *end;

	if (strpbrk(json->text, ".eE") != NULL)
	{
		*value = srm_jinja_float(strtod(json->text, NULL));
		return true;
	}
	errno = 0;
	*value = srm_jinja_int(strtoll(json->text, &end, 10));
	if (errno == 0 && *end == '\0')
		return true;
	srm_fail(eval->status, SRM_NOT_SUPPORTED, "number %.40s in a message is too large", json->text);
	return srm_fail_detail(eval->status, "Templates compute with integers of 64 bits.");
}

static bool
make_string(JinjaEval *eval, const char *text, size_t length, SrmOrigin origin, JinjaValue *value)
{
	*value = srm_jinja_string(srm_jinja_string_new(eval, text, length, origin));
	return value->string != NULL;
}

static bool
make_list(JinjaEval *eval, const SrmJson *json, SrmOrigin origin, JinjaValue *value)
{
	JinjaList  *list = srm_jinja_list_new(eval, json->n);

	if (list == NULL)
		return false;
	for (const SrmJson *item = json->child; item != NULL; item = item->next)
		if (!srm_jinja_of_json(eval, item, origin, &list->items[list->n++]))
			return false;
	*value = srm_jinja_list(list);
	return true;
}

static bool
set_member(JinjaEval *eval, JinjaDict *dict, const SrmJson *member, SrmOrigin origin,
		   JinjaValue value)
{
	JinjaValue	key;

	return make_string(eval, member->key, strlen(member->key), origin, &key) &&
		srm_jinja_dict_set(eval, dict, key, value);
}

static bool
make_dict(JinjaEval *eval, const SrmJson *json, SrmOrigin origin, JinjaValue *value)
{
	JinjaDict  *dict = srm_jinja_dict_new(eval, json->n);

	if (dict == NULL)
		return false;
	for (const SrmJson *member = json->child; member != NULL; member = member->next)
	{
		JinjaValue	item;

		if (!srm_jinja_of_json(eval, member, origin, &item) ||
			!set_member(eval, dict, member, origin, item))
			return false;
	}
	*value = (JinjaValue) {.type = JINJA_DICT, .dict = dict};
	return true;
}

bool
srm_jinja_of_json(JinjaEval *eval, const SrmJson *json, SrmOrigin origin, JinjaValue *value)
{
	if (!srm_jinja_charge(eval, 1))
		return false;
	switch (json->type)
	{
		case SRM_JSON_NULL:
			*value = srm_jinja_none();
			return true;
		case SRM_JSON_FALSE:
		case SRM_JSON_TRUE:
			*value = srm_jinja_bool(json->type == SRM_JSON_TRUE);
			return true;
		case SRM_JSON_NUMBER:
			return make_number(eval, json, value);
		case SRM_JSON_STRING:
			return make_string(eval, json->text, json->n, origin, value);
		case SRM_JSON_ARRAY:
			return make_list(eval, json, origin, value);
		case SRM_JSON_OBJECT:
			return make_dict(eval, json, origin, value);
	}
	return false;
}

/* Bytes [offset, offset + length) of a message's content. */
static bool
make_content(JinjaEval *eval, const SrmMessage *message, size_t index, size_t offset,
			 size_t length, JinjaValue *value)
{
	if (!make_string(eval, message->content + offset, length, SRM_FROM_CONTENT, value))
		return false;
	value->string->fragment.message = (uint32_t) index;
	value->string->fragment.offset = (uint32_t) offset;
	return true;
}

static bool
make_role(JinjaEval *eval, const SrmMessage *message, JinjaValue *value)
{
	return make_string(eval, message->role, strlen(message->role),
					   is_usual_role(message->role) ? SRM_FROM_TEMPLATE : SRM_FROM_USER, value);
}

/* A part whose text is bytes of the content from *offset on. */
static bool
make_part(JinjaEval *eval, const SrmMessage *message, size_t index, const SrmJson *part,
		  size_t *offset, JinjaValue *value)
{
	const SrmJson *text = srm_message_part_text(part);
	JinjaValue	string;

	if (text == NULL || text->n > message->content_length - *offset)
		return srm_fail(eval->status, SRM_INTERNAL, "content of message %zu is not its parts", index + 1);
	if (!make_content(eval, message, index, *offset, text->n, &string))
		return false;
	*offset += text->n;
	*value = string;
	if (text == part)
		return true;
	if (!make_dict(eval, part, SRM_FROM_USER, value))
		return false;
	return set_member(eval, value->dict, text, SRM_FROM_USER, string);
}

static bool
make_parts(JinjaEval *eval, const SrmMessage *message, size_t index, const SrmJson *json,
		   JinjaValue *value)
{
	JinjaList  *list = srm_jinja_list_new(eval, json->n);
	size_t		offset = 0;

	if (list == NULL)
		return false;
	list->is_parts = true;
	for (const SrmJson *part = json->child; part != NULL; part = part->next)
		if (!make_part(eval, message, index, part, &offset, &list->items[list->n++]))
			return false;
	*value = srm_jinja_list(list);
	return true;
}

/* What goes around of a conversation while its messages are made. */
typedef struct Maker
{
	JinjaEval  *eval;
	bool		joins;
	JinjaParts *parts;
} Maker;

static bool
make_member(Maker *maker, const SrmMessage *message, size_t index, const SrmJson *member,
			JinjaValue *value)
{
	JinjaEval  *eval = maker->eval;

	if (strcmp(member->key, "role") == 0)
		return make_role(eval, message, value);
	if (strcmp(member->key, "content") != 0 || member->type == SRM_JSON_NULL)
		return srm_jinja_of_json(eval, member, SRM_FROM_USER, value);
	if (member->type == SRM_JSON_ARRAY)
	{
		maker->parts->n_lists++;
		maker->parts->n_longer += member->n > 1;
		if (!maker->joins)
			return make_parts(eval, message, index, member, value);
	}
	return make_content(eval, message, index, 0, message->content_length, value);
}

/* All keys of a message, in their order. */
static bool
make_whole(Maker *maker, const SrmMessage *message, size_t index, JinjaDict *dict)
{
	JinjaEval  *eval = maker->eval;
	const SrmJson *json = srm_json_parse(message->json, strlen(message->json), "message",
										 eval->arena, eval->status);

	if (json == NULL)
		return false;
	for (const SrmJson *member = json->child; member != NULL; member = member->next)
	{
		JinjaValue	value;

		if (!make_member(maker, message, index, member, &value) ||
			!set_member(eval, dict, member, SRM_FROM_USER, value))
			return false;
	}
	return true;
}

/* {'role': ..., 'content': ...} */
static bool
make_plain(JinjaEval *eval, const SrmMessage *message, size_t index, JinjaDict *dict)
{
	dict->n = 2;
	return srm_jinja_text(eval, "role", &dict->keys[0]) &&
		srm_jinja_text(eval, "content", &dict->keys[1]) &&
		make_role(eval, message, &dict->values[0]) &&
		make_content(eval, message, index, 0, message->content_length, &dict->values[1]);
}

bool
srm_jinja_messages(JinjaEval *eval, const SrmMessage *messages, size_t n_messages, bool joins,
				   JinjaParts *parts, JinjaValue *value)
{
	Maker		maker = {.eval = eval, .joins = joins, .parts = parts};
	JinjaList  *list = srm_jinja_list_new(eval, n_messages);

	memset(parts, 0, sizeof(JinjaParts));
	if (list == NULL)
		return false;
	for (size_t i = 0; i < n_messages; i++)
	{
		JinjaDict  *dict = srm_jinja_dict_new(eval, 2);

		if (dict == NULL ||
			!(messages[i].json == NULL ? make_plain(eval, &messages[i], i, dict) :
			  make_whole(&maker, &messages[i], i, dict)))
			return false;
		list->items[list->n++] = (JinjaValue) {.type = JINJA_DICT, .dict = dict};
	}
	*value = srm_jinja_list(list);
	return true;
}
