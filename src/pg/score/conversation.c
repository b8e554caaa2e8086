/*-------------------------------------------------------------------------
 *
 * conversation.c
 *	  Messages from SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "jinja/message.h"
#include "pg/call.h"
#include "pg/encoding.h"
#include "pg/score/conversation.h"

/* Bytes of a message that has more than two strings; its JSON takes twenty times as much while it is read. */
#define MAX_WHOLE	(16 * 1024 * 1024)

static void
fail_messages(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid messages"),
			 errdetail("%s", detail),
			 errhint("Messages look like [{\"role\": \"user\", \"content\": \"Hi.\"}, {\"role\": \"assistant\", \"content\": \"Hello.\"}].")));
}

/* The string of a message's key as UTF-8 with a NUL behind it; NULL where it is none. */
static char *
read_string(JsonbContainer *object, const char *key, size_t *length)
{
	JsonbValue	name;
	JsonbValue *value;
	SrmText		converted;

	name.type = jbvString;
	name.val.string.val = unconstify(char *, key);
	name.val.string.len = (int) strlen(key);
	value = findJsonbValueFromContainer(object, JB_FOBJECT, &name);
	if (value == NULL || value->type != jbvString)
		return NULL;
	converted = srm_text_of_bytes(value->val.string.val, value->val.string.len);
	*length = converted.length;
	return pnstrdup(converted.data, converted.length);
}

/* A message that has more than two strings, by way of its JSON; jsonb has put its keys in order. */
static void
read_whole(SrmMessage *message, JsonbContainer *object, size_t number)
{
	StringInfoData json;
	SrmText		text;
	SrmMessage	read;
	SrmCall    *call;
	char	   *content;

	initStringInfo(&json);
	JsonbToCString(&json, object, 0);
	if (json.len > MAX_WHOLE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message is too long"),
				 errdetail("Message %zu has %d bytes of JSON; the limit is %d, but for a message of \"role\" and \"content\" only.",
						   number, json.len, MAX_WHOLE)));
	text = srm_text_of_bytes(json.data, json.len);
	call = srm_call_begin();
	srm_call_check(call, srm_message_read(&read, text.data, text.length, number, call->arena,
										  &call->status));
	content = palloc(read.content_length + 1);
	memcpy(content, read.content, read.content_length);
	content[read.content_length] = '\0';
	message->role = pstrdup(read.role);
	message->content = content;
	message->content_length = read.content_length;
	message->json = pstrdup(read.json);
	srm_call_end(call);
}

/* Most messages are two strings, which need no way round. */
static void
read_message(SrmMessage *message, JsonbValue *value, size_t number)
{
	JsonbContainer *object;
	size_t		role_length;

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		fail_messages(psprintf("Message %zu is no object.", number));
	object = value->val.binary.data;
	if (JsonContainerSize(object) == 2)
	{
		message->role = read_string(object, "role", &role_length);
		message->content = read_string(object, "content", &message->content_length);
	}
	if (message->role == NULL || message->content == NULL)
		read_whole(message, object, number);
}

void
srm_messages_check_count(uint32 n)
{
	if (n > SRM_MAX_MESSAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("conversation is too long"),
				 errdetail("It has %u messages; the limit is %d.", n, SRM_MAX_MESSAGES)));
}

SrmMessage *
srm_messages_of_jsonb(Jsonb *messages, size_t *n_messages)
{
	SrmMessage *result;
	uint32		n;

	if (!JB_ROOT_IS_ARRAY(messages) || JB_ROOT_IS_SCALAR(messages))
		fail_messages("Messages must be an array.");
	n = JB_ROOT_COUNT(messages);
	if (n == 0)
		fail_messages("There must be at least one message.");
	srm_messages_check_count(n);
	result = palloc0(sizeof(SrmMessage) * ((Size) n + 1));
	for (uint32 i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		read_message(&result[i], getIthJsonbValueFromContainer(&messages->root, i), (size_t) i + 1);
	}
	*n_messages = n;
	return result;
}

bool
srm_messages_is_problem(const ErrorData *error)
{
	/* Invalid, too many or too long, or in a database without an encoding not UTF-8 */
	return error->sqlerrcode == ERRCODE_INVALID_PARAMETER_VALUE ||
		error->sqlerrcode == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		error->sqlerrcode == ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
}

SrmMessage
srm_message_of_datum(const char *role, Datum content)
{
	SrmText		value = srm_text_of_datum(content);
	SrmMessage	message = {
		.role = role,.content = value.data,.content_length = value.length
	};

	return message;
}
