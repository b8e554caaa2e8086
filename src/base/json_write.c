/*-------------------------------------------------------------------------
 *
 * json_write.c
 *	  JSON trees that are changed, and written as text.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json_write.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDENT	2				/* spaces a level */

SrmJson *
srm_json_make(SrmJsonType type, SrmArena *arena, SrmStatus *status)
{
	SrmJson    *json = srm_arena_array(arena, 1, sizeof(SrmJson), status);

	if (json != NULL)
		json->type = type;
	return json;
}

/* A scalar that is written as text says. */
static SrmJson *
make_scalar(SrmJsonType type, const char *text, SrmArena *arena, SrmStatus *status)
{
	SrmJson    *json = srm_json_make(type, arena, status);
	size_t		length = strlen(text);

	if (json == NULL)
		return NULL;
	if (length > UINT32_MAX)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "text is too long");
		return NULL;
	}
	json->n = (uint32_t) length;
	json->text = srm_arena_string(arena, text, length, status);
	return json->text == NULL ? NULL : json;
}

SrmJson *
srm_json_make_string(const char *text, SrmArena *arena, SrmStatus *status)
{
	return make_scalar(SRM_JSON_STRING, text, arena, status);
}

SrmJson *
srm_json_make_int(int64_t number, SrmArena *arena, SrmStatus *status)
{
	char		text[32];

	snprintf(text, sizeof(text), "%" PRId64, number);
	return make_scalar(SRM_JSON_NUMBER, text, arena, status);
}

SrmJson *
srm_json_make_double(double number, SrmArena *arena, SrmStatus *status)
{
	char		text[64];

	if (!isfinite(number))
	{
		srm_fail(status, SRM_INTERNAL, "JSON has no number %g", number);
		return NULL;
	}
	for (int digits = 15; digits <= 17; digits++)
	{
		snprintf(text, sizeof(text), "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	return make_scalar(SRM_JSON_NUMBER, text, arena, status);
}

void
srm_json_append(SrmJson *array, SrmJson *child)
{
	SrmJson   **link = &array->child;

	while (*link != NULL)
		link = &(*link)->next;
	*link = child;
	child->next = NULL;
	array->n++;
}

bool
srm_json_set(SrmJson *object, const char *key, SrmJson *value, SrmArena *arena,
			 SrmStatus *status)
{
	SrmJson   **link = &object->child;
	bool		placed = value == NULL;

	if (status->code != SRM_OK)
		return false;
	if (value != NULL)
	{
		value->key = srm_arena_string(arena, key, strlen(key), status);
		if (value->key == NULL)
			return false;
	}
	while (*link != NULL)
	{
		SrmJson    *member = *link;

		if (strcmp(member->key, key) != 0)
			link = &member->next;
		else if (placed)
		{
			*link = member->next;
			object->n--;
		}
		else
		{
			value->next = member->next;
			*link = value;
			link = &value->next;
			placed = true;
		}
	}
	if (!placed)
		srm_json_append(object, value);
	return true;
}

static bool
write_text(SrmBuffer *out, const char *text, SrmStatus *status)
{
	return srm_buffer_append(out, text, strlen(text), status);
}

/* The escape of a byte, or NULL where the byte stands for itself. */
static const char *
find_escape(unsigned char byte, char room[8])
{
	switch (byte)
	{
		case '"':
			return "\\\"";
		case '\\':
			return "\\\\";
		case '\b':
			return "\\b";
		case '\f':
			return "\\f";
		case '\n':
			return "\\n";
		case '\r':
			return "\\r";
		case '\t':
			return "\\t";
		default:
			break;
	}
	if (byte >= ' ')
		return NULL;
	snprintf(room, 8, "\\u%04x", byte);
	return room;
}

bool
srm_json_write_string(SrmBuffer *out, const char *text, SrmStatus *status)
{
	const char *plain = text;

	if (!write_text(out, "\"", status))
		return false;
	for (const char *c = text; *c != '\0'; c++)
	{
		char		room[8];
		const char *escape = find_escape((unsigned char) *c, room);

		if (escape == NULL)
			continue;
		if (!srm_buffer_append(out, plain, (size_t) (c - plain), status) ||
			!write_text(out, escape, status))
			return false;
		plain = c + 1;
	}
	return write_text(out, plain, status) && write_text(out, "\"", status);
}

static bool
write_line_start(SrmBuffer *out, int depth, SrmStatus *status)
{
	if (!write_text(out, "\n", status))
		return false;
	for (int i = 0; i < depth * INDENT; i++)
		if (!write_text(out, " ", status))
			return false;
	return true;
}

static bool write_node(SrmBuffer *out, const SrmJson *json, int depth, SrmStatus *status);

static bool
write_children(SrmBuffer *out, const SrmJson *json, int depth, SrmStatus *status)
{
	bool		is_object = json->type == SRM_JSON_OBJECT;

	if (!write_text(out, is_object ? "{" : "[", status))
		return false;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		if (!write_line_start(out, depth + 1, status) ||
			(is_object && (!srm_json_write_string(out, child->key, status) ||
						   !write_text(out, ": ", status))) ||
			!write_node(out, child, depth + 1, status) ||
			(child->next != NULL && !write_text(out, ",", status)))
			return false;
	}
	return (json->child == NULL || write_line_start(out, depth, status)) &&
		write_text(out, is_object ? "}" : "]", status);
}

/* The parser bounds the depth, and so the recursion. */
static bool
write_node(SrmBuffer *out, const SrmJson *json, int depth, SrmStatus *status)
{
	switch (json->type)
	{
		case SRM_JSON_NULL:
			return write_text(out, "null", status);
		case SRM_JSON_FALSE:
			return write_text(out, "false", status);
		case SRM_JSON_TRUE:
			return write_text(out, "true", status);
		case SRM_JSON_NUMBER:
			return write_text(out, json->text, status);
		case SRM_JSON_STRING:
			return srm_json_write_string(out, json->text, status);
		case SRM_JSON_ARRAY:
		case SRM_JSON_OBJECT:
			return write_children(out, json, depth, status);
	}
	return srm_fail(status, SRM_INTERNAL, "unrecognized type of JSON: %d", (int) json->type);
}

bool
srm_json_write(SrmBuffer *out, const SrmJson *json, SrmStatus *status)
{
	return write_node(out, json, 0, status);
}
