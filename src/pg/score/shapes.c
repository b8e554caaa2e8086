/*-------------------------------------------------------------------------
 *
 * shapes.c
 *	  Conversations from the shapes in which JSON has them, in SQL.
 *
 *	  [{"role", "content"}, ...]			as it is
 *	  [{"from", "value"}, ...]				ShareGPT
 *	  {"messages": [...]}					OpenAI
 *	  {"system", "messages": [...]}			Anthropic
 *	  {"conversations": [...]}				ShareGPT
 *	  {"prompt", "completion"}				or "response"; both are text, or lists
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "pg/call.h"
#include "pg/compat.h"
#include "pg/score/conversation.h"
#include "pg/topic.h"

#define SHOWN_KEYS	8			/* of an object, in a message */
#define SHOWN_BYTES	64			/* of a string */

static const struct
{
	const char *name;
	const char *role;
}			speakers[] = {
	{"human", "user"},
	{"user", "user"},
	{"gpt", "assistant"},
	{"chatgpt", "assistant"},
	{"assistant", "assistant"},
	{"model", "assistant"},
	{"bing", "assistant"},
	{"bard", "assistant"},
	{"system", "system"},
	{"tool", "tool"},
	{"observation", "tool"}
};

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

static bool
is_list(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

static bool
is_string(const JsonbValue *value, const char *string)
{
	return value->type == jbvString && value->val.string.len == (int) strlen(string) &&
		memcmp(value->val.string.val, string, strlen(string)) == 0;
}

/* NULL where an object has no such key, or null. */
static JsonbValue *
find_key(JsonbContainer *object, const char *key)
{
	JsonbValue *value = getKeyJsonValueFromContainer(object, key, (int) strlen(key), NULL);

	return value == NULL || value->type == jbvNull ? NULL : value;
}

static void
fail_shape(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized shape of messages"),
			 errdetail_internal("%s", detail),
			 errhint("Messages are a list of objects with \"role\" and \"content\", or \"from\" and \"value\"; "
					 "or an object with \"messages\", \"conversations\", or \"prompt\" and \"completion\" or \"response\".")));
}

/* Bytes of a string that are shown: whole characters. */
static int
shown_length(const JsonbValue *string)
{
	return pg_mbcliplen(string->val.string.val, string->val.string.len, SHOWN_BYTES);
}

/* number is that of a message from 1 on, 0: the whole. */
static void
fail_keys(JsonbContainer *object, int number)
{
	StringInfoData detail;
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbValue	value;
	JsonbIteratorToken token;
	int			n = 0;

	initStringInfo(&detail);
	if (number > 0)
		appendStringInfo(&detail, "Message %d has the keys", number);
	else
		appendStringInfoString(&detail, "The object has the keys");
	while (n <= SHOWN_KEYS && (token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		if (n++ < SHOWN_KEYS)
			appendStringInfo(&detail, "%s \"%.*s\"", n > 1 ? "," : "", shown_length(&value), value.val.string.val);
		else
			appendStringInfoString(&detail, ", ...");
	}
	fail_shape(n == 0 ? "The object is empty." : psprintf("%s.", detail.data));
}

static void
push_string(JsonbInState *state, JsonbIteratorToken token, const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, string);
	value.val.string.len = (int) strlen(string);
	srm_push_jsonb(state, token, &value);
}

static void
push_role(JsonbInState *state, const JsonbValue *from)
{
	for (size_t i = 0; i < lengthof(speakers); i++)
		if (is_string(from, speakers[i].name))
		{
			push_string(state, WJB_VALUE, speakers[i].role);
			return;
		}
	fail_shape(from->type == jbvString ?
			   psprintf("\"from\" names an unknown speaker, \"%.*s\".", shown_length(from), from->val.string.val) :
			   "\"from\" is no string.");
}

/* A block of text that is the whole content is a string; other lists are the template's to read. */
static void
push_content(JsonbInState *state, JsonbValue *content)
{
	JsonbValue *block = is_list(content) && JsonContainerSize(content->val.binary.data) == 1 ?
		getIthJsonbValueFromContainer(content->val.binary.data, 0) : NULL;
	JsonbContainer *object = block != NULL && is_object(block) ? block->val.binary.data : NULL;
	JsonbValue *type = object != NULL && JsonContainerSize(object) == 2 ? find_key(object, "type") : NULL;
	JsonbValue *text = type != NULL && is_string(type, "text") ? find_key(object, "text") : NULL;

	srm_push_jsonb(state, WJB_VALUE, text != NULL && text->type == jbvString ? text : content);
}

/* A message, with all of its keys. */
static void
push_message(JsonbInState *state, JsonbContainer *object, int number)
{
	bool		is_role = find_key(object, "role") != NULL;
	bool		is_from = !is_role && find_key(object, "from") != NULL && find_key(object, "value") != NULL &&
		find_key(object, "content") == NULL;
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	if (!is_role && !is_from)
		fail_keys(object, number);
	srm_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (is_from && is_string(&key, "from"))
		{
			push_string(state, WJB_KEY, "role");
			push_role(state, &value);
		}
		else if (is_string(&key, is_from ? "value" : "content"))
		{
			push_string(state, WJB_KEY, "content");
			push_content(state, &value);
		}
		else
		{
			srm_push_jsonb(state, WJB_KEY, &key);
			srm_push_jsonb(state, WJB_VALUE, &value);
		}
	}
	srm_push_jsonb(state, WJB_END_OBJECT, NULL);
}

static void
push_list(JsonbInState *state, JsonbContainer *list)
{
	uint32		n = JsonContainerSize(list);

	srm_messages_check_count(n);
	for (uint32 i = 0; i < n; i++)
	{
		JsonbValue *message = getIthJsonbValueFromContainer(list, i);

		CHECK_FOR_INTERRUPTS();
		if (!is_object(message))
			fail_shape(psprintf("Message %u is no object.", i + 1));
		push_message(state, message->val.binary.data, (int) i + 1);
	}
}

/* What somebody says: text, or a list of blocks of it. */
static void
push_text(JsonbInState *state, const char *role, JsonbValue *text)
{
	srm_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	push_string(state, WJB_KEY, "role");
	push_string(state, WJB_VALUE, role);
	push_string(state, WJB_KEY, "content");
	push_content(state, text);
	srm_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* A text of a role, or a list of messages. */
static void
push_part(JsonbInState *state, const char *key, const char *role, JsonbValue *part)
{
	if (part == NULL)
		return;
	if (is_list(part))
		push_list(state, part->val.binary.data);
	else if (part->type == jbvString)
		push_text(state, role, part);
	else
		fail_shape(psprintf("\"%s\" is neither text nor a list of messages.", key));
}

static void
push_system(JsonbInState *state, JsonbValue *system)
{
	if (system == NULL || is_string(system, ""))
		return;
	if (system->type != jbvString && !is_list(system))
		fail_shape("\"system\" is neither text nor a list of blocks.");
	push_text(state, "system", system);
}

/* Tools change what a template writes, but are no message. */
static void
check_tools(JsonbContainer *object)
{
	JsonbValue *tools = find_key(object, "tools");

	if (tools == NULL || (is_list(tools) && JsonContainerSize(tools->val.binary.data) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("tools cannot become messages"),
			 errhint("Take the key \"tools\" out, and give them to the chat template in \"srm.template_variables\".")));
}

static void
push_object(JsonbInState *state, JsonbContainer *object)
{
	static const char *const lists[] = {"messages", "conversations", "conversation"};
	JsonbValue *list = NULL;
	JsonbValue *prompt = find_key(object, "prompt");
	JsonbValue *completion = find_key(object, "completion");
	JsonbValue *response = find_key(object, "response");

	for (size_t i = 0; i < lengthof(lists) && list == NULL; i++)
		list = find_key(object, lists[i]);
	if (list != NULL ? !is_list(list) : prompt == NULL || (completion != NULL && response != NULL))
		fail_keys(object, 0);
	check_tools(object);
	push_system(state, find_key(object, "system"));
	if (list != NULL)
		push_list(state, list->val.binary.data);
	else
	{
		push_part(state, "prompt", "user", prompt);
		push_part(state, "completion", "assistant", completion);
		push_part(state, "response", "assistant", response);
	}
}

/* srm_messages(conversation jsonb) returns jsonb */
SRM_FUNCTION(srm_sql_messages_of_jsonb)
{
	Jsonb	   *conversation = PG_GETARG_JSONB_P(0);
	JsonbInState state = {0};
	SrmTopic	topic;

	srm_topic_begin(&topic);
	srm_topic_set(&topic, "conversation", 0);
	topic.messages = conversation;
	srm_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	if (JB_ROOT_IS_SCALAR(conversation))
		fail_shape("It is neither a list nor an object.");
	else if (JB_ROOT_IS_ARRAY(conversation))
		push_list(&state, &conversation->root);
	else
		push_object(&state, &conversation->root);
	srm_topic_end(&topic);
	srm_push_jsonb(&state, WJB_END_ARRAY, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(state.result));
}
