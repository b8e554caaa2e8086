/*-------------------------------------------------------------------------
 *
 * json.c
 *	  A JSON document as a tree, read by PostgreSQL's own parser.
 *
 *-------------------------------------------------------------------------
 */
#ifdef FRONTEND
#include "postgres_fe.h"
#else
#include "postgres.h"
#endif

#include "base/compat.h"

#include "base/json.h"

#include <math.h>

#include "base/utf8.h"

#define MAX_DEPTH		100
#define MAX_LENGTH		((size_t) 512 * 1024 * 1024)
#define STRING_BLOCK	((size_t) 64 * 1024)
#define NODE_BLOCK		1024

typedef struct Builder
{
	SrmArena   *arena;
	SrmStatus  *status;
	SrmJson    *root;
	SrmJson    *open[MAX_DEPTH + 1];	/* containers not closed yet */
	SrmJson    *last[MAX_DEPTH + 1];	/* the newest child of each */
	int			depth;
	const char *key;			/* of the member that comes next */
	char	   *strings;		/* room for strings, packed without gaps */
	size_t		room;
	SrmJson    *nodes;			/* n_nodes of them, cleared and not used yet */
	size_t		n_nodes;
} Builder;

/*
 * The actions cannot stop the parser in releases before 16; after a failure
 * they do nothing more.
 */
static bool
has_failed(Builder *builder)
{
	return builder->status->code != SRM_OK;
}

/* Keeps a string of the parser, and frees the parser's copy. */
static const char *
take_string(Builder *builder, char *text, size_t length)
{
	char	   *copy;

	if (length + 1 > builder->room)
	{
		size_t		size = length + 1 > STRING_BLOCK ? length + 1 : STRING_BLOCK;

		builder->strings = srm_arena_alloc(builder->arena, size, builder->status);
		builder->room = builder->strings == NULL ? 0 : size;
	}
	copy = builder->strings;
	if (copy != NULL)
	{
		memcpy(copy, text, length + 1);
		builder->strings += length + 1;
		builder->room -= length + 1;
	}
	pfree(text);
	return copy;
}

/* A cleared node; they come in blocks, since a vocabulary has a million. */
static SrmJson *
take_node(Builder *builder)
{
	if (builder->n_nodes == 0)
	{
		builder->nodes = srm_arena_array(builder->arena, NODE_BLOCK, sizeof(SrmJson), builder->status);
		if (builder->nodes == NULL)
			return NULL;
		builder->n_nodes = NODE_BLOCK;
	}
	builder->n_nodes--;
	return builder->nodes++;
}

/* Hangs a new node below the container that is open. */
static SrmJson *
add_node(Builder *builder, SrmJsonType type)
{
	SrmJson    *node = take_node(builder);
	int			depth = builder->depth;

	if (node == NULL)
		return NULL;
	node->type = type;
	node->key = builder->key;
	builder->key = NULL;
	if (depth == 0)
		builder->root = node;
	else
	{
		if (builder->last[depth] == NULL)
			builder->open[depth]->child = node;
		else
			builder->last[depth]->next = node;
		builder->last[depth] = node;
		builder->open[depth]->n++;
	}
	return node;
}

static void
open_container(Builder *builder, SrmJsonType type)
{
	SrmJson    *node;

	if (has_failed(builder))
		return;
	node = add_node(builder, type);
	if (node == NULL)
		return;
	builder->depth++;			/* check_depth() has bounded it */
	builder->open[builder->depth] = node;
	builder->last[builder->depth] = NULL;
}

static SRM_JSON_ACTION
object_start(void *state)
{
	open_container(state, SRM_JSON_OBJECT);
	SRM_JSON_ACTION_DONE;
}

static SRM_JSON_ACTION
array_start(void *state)
{
	open_container(state, SRM_JSON_ARRAY);
	SRM_JSON_ACTION_DONE;
}

static SRM_JSON_ACTION
container_end(void *state)
{
	Builder    *builder = state;

	if (!has_failed(builder))
		builder->depth--;
	SRM_JSON_ACTION_DONE;
}

static SRM_JSON_ACTION
field_start(void *state, char *name, bool isnull)
{
	Builder    *builder = state;

	(void) isnull;
	if (has_failed(builder))
		pfree(name);
	else
		builder->key = take_string(builder, name, strlen(name));
	SRM_JSON_ACTION_DONE;
}

static SrmJsonType
scalar_type(JsonTokenType type)
{
	switch (type)
	{
		case JSON_TOKEN_STRING:
			return SRM_JSON_STRING;
		case JSON_TOKEN_NUMBER:
			return SRM_JSON_NUMBER;
		case JSON_TOKEN_TRUE:
			return SRM_JSON_TRUE;
		case JSON_TOKEN_FALSE:
			return SRM_JSON_FALSE;
		default:
			return SRM_JSON_NULL;
	}
}

static SRM_JSON_ACTION
scalar(void *state, char *token, JsonTokenType type)
{
	Builder    *builder = state;
	SrmJson    *node;

	node = has_failed(builder) ? NULL : add_node(builder, scalar_type(type));
	if (node == NULL)
	{
		pfree(token);
		SRM_JSON_ACTION_DONE;
	}
	node->n = (uint32_t) strlen(token);
	node->text = take_string(builder, token, node->n);
	SRM_JSON_ACTION_DONE;
}

/* The value of four hexadecimal digits, or -1. */
static int
read_hex(const char *text)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		char		c = text[i];
		int			digit = c >= '0' && c <= '9' ? c - '0' :
			c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/*
 * Resolves an escape of a character beyond ASCII, surrogate pairs included.
 * Returns the bytes read, 0 for an escape that the parser may deal with.
 */
static size_t
resolve_escape(const char *in, size_t rest, char *out, size_t *written)
{
	int			code = rest >= 6 && in[1] == 'u' ? read_hex(in + 2) : -1;
	int			low;

	*written = 0;
	if (code < 0x80 || (code >= 0xDC00 && code <= 0xDFFF))
		return 0;
	if (code < 0xD800 || code > 0xDBFF)
	{
		*written = srm_utf8_encode((uint32_t) code, out);
		return 6;
	}
	low = rest >= 12 && in[6] == '\\' && in[7] == 'u' ? read_hex(in + 8) : -1;
	if (low < 0xDC00 || low > 0xDFFF)
		return 0;
	*written = srm_utf8_encode(0x10000 + (((uint32_t) code - 0xD800) << 10) +
							   ((uint32_t) low - 0xDC00), out);
	return 12;
}

/* Bytes before the next quote or backslash, or all of them. */
static size_t
plain_length(const char *text, size_t length)
{
	size_t		n = 0;

	while (n < length && text[n] != '"' && text[n] != '\\')
		n++;
	return n;
}

/* The end of the string whose first byte, behind the quote, is at start; copies it to out. */
static size_t
copy_string(const char *json, size_t length, size_t start, char *out, size_t *n)
{
	size_t		i = start;

	while (i < length)
	{
		size_t		plain = plain_length(json + i, length - i);
		size_t		written = 0;
		size_t		taken;

		memcpy(out + *n, json + i, plain);
		*n += plain;
		i += plain;
		if (i >= length || json[i] == '"')
			break;
		taken = resolve_escape(json + i, length - i, out + *n, &written);
		if (taken == 0)
		{
			/* The parser deals with it: copied with the byte it escapes */
			taken = written = i + 1 < length ? 2 : 1;
			memcpy(out + *n, json + i, taken);
		}
		*n += written;
		i += taken;
	}
	return i;
}

/*
 * Copies the document to out with escapes beyond ASCII resolved, which never
 * makes it longer, and finds its depth outside strings.
 */
static size_t
prepare(const char *json, size_t length, char *out, int *max_depth)
{
	int			depth = 0;
	size_t		n = 0;
	size_t		i = 0;

	*max_depth = 0;
	while (i < length)
	{
		char		c = json[i++];

		out[n++] = c;
		if (c == '{' || c == '[')
			*max_depth = ++depth > *max_depth ? depth : *max_depth;
		else if (c == '}' || c == ']')
			depth--;
		else if (c == '"')
		{
			i = copy_string(json, length, i, out, &n);
			if (i < length)
				out[n++] = json[i++];
		}
	}
	out[n] = '\0';
	return n;
}

static bool
run_parser(Builder *builder, char *json, size_t length, const char *what)
{
	JsonLexContext *lexer = srm_make_json_lexer(json, length);
	JsonSemAction actions = {
		.semstate = builder,
		.object_start = object_start,
		.object_end = container_end,
		.array_start = array_start,
		.array_end = container_end,
		.object_field_start = field_start,
		.scalar = scalar
	};
	JsonParseErrorType result = pg_parse_json(lexer, &actions);

	if (result != JSON_SUCCESS)
	{
		srm_fail(builder->status, SRM_INVALID_MODEL, "invalid JSON in %s", what);
		srm_fail_detail(builder->status, "The error is in line %d.", lexer->line_number);
	}
	srm_free_json_lexer(lexer);
	return builder->status->code == SRM_OK;
}

SrmJson *
srm_json_parse(const char *json, size_t length, const char *what,
			   SrmArena *arena, SrmStatus *status)
{
	Builder		builder = {.arena = arena,.status = status};
	int			depth;
	char	   *copy;

	if (length > MAX_LENGTH)
	{
		srm_fail(status, SRM_INVALID_MODEL, "JSON in %s is too long", what);
		srm_fail_detail(status, "It has %zu bytes, the limit is %zu.", length, MAX_LENGTH);
		return NULL;
	}
	if (!srm_utf8_valid(json, length) || memchr(json, '\0', length) != NULL)
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid byte sequence for UTF-8 in %s", what);
		return NULL;
	}
	copy = srm_arena_alloc(arena, length + 1, status);
	if (copy == NULL)
		return NULL;
	length = prepare(json, length, copy, &depth);
	if (depth > MAX_DEPTH)
	{
		srm_fail(status, SRM_INVALID_MODEL, "JSON in %s is nested too deeply", what);
		srm_fail_detail(status, "The limit is %d levels.", MAX_DEPTH);
		return NULL;
	}
	return run_parser(&builder, copy, length, what) ? builder.root : NULL;
}

const SrmJson *
srm_json_member(const SrmJson *json, const char *key)
{
	const SrmJson *found = NULL;

	if (json == NULL || json->type != SRM_JSON_OBJECT)
		return NULL;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
		if (strcmp(child->key, key) == 0)
			found = child;
	return found == NULL || found->type == SRM_JSON_NULL ? NULL : found;
}

const char *
srm_json_string(const SrmJson *json)
{
	return json != NULL && json->type == SRM_JSON_STRING ? json->text : NULL;
}

static bool
fail_type(const char *key, const char *expected, SrmStatus *status)
{
	srm_fail(status, SRM_INVALID_MODEL, "invalid value of \"%s\"", key);
	return srm_fail_detail(status, "Expected %s.", expected);
}

bool
srm_json_number(const SrmJson *json, double *value)
{
	if (json == NULL || json->type != SRM_JSON_NUMBER)
		return false;
	/* The form is JSON's, so that only the range is left to check */
	*value = strtod(json->text, NULL);
	return isfinite(*value);
}

bool
srm_json_get_int(const SrmJson *object, const char *key, int64_t minimum,
				 int64_t maximum, int64_t fallback, int64_t *value, SrmStatus *status)
{
	const SrmJson *json = srm_json_member(object, key);
	double		number;

	*value = fallback;
	if (json == NULL)
		return true;
	if (!srm_json_number(json, &number) || number != floor(number))
		return fail_type(key, "an integer", status);
	if (number < (double) minimum || number > (double) maximum)
	{
		srm_fail(status, SRM_INVALID_MODEL, "value of \"%s\" is out of range", key);
		return srm_fail_detail(status, "It is %s, and must be between %lld and %lld.",
							   json->text, (long long) minimum, (long long) maximum);
	}
	*value = (int64_t) number;
	return true;
}

bool
srm_json_get_double(const SrmJson *object, const char *key, double fallback,
					double *value, SrmStatus *status)
{
	const SrmJson *json = srm_json_member(object, key);

	*value = fallback;
	return json == NULL || srm_json_number(json, value) ||
		fail_type(key, "a finite number", status);
}

bool
srm_json_get_bool(const SrmJson *object, const char *key, bool fallback,
				  bool *value, SrmStatus *status)
{
	const SrmJson *json = srm_json_member(object, key);

	*value = fallback;
	if (json == NULL)
		return true;
	*value = json->type == SRM_JSON_TRUE;
	return *value || json->type == SRM_JSON_FALSE || fail_type(key, "true or false", status);
}

bool
srm_json_get_string(const SrmJson *object, const char *key, const char *fallback,
					const char **value, SrmStatus *status)
{
	const SrmJson *json = srm_json_member(object, key);

	*value = fallback;
	if (json == NULL)
		return true;
	*value = srm_json_string(json);
	return *value != NULL || fail_type(key, "a string", status);
}
