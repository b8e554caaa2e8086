/*-------------------------------------------------------------------------
 *
 * json.c
 *	  A JSON document as a tree.
 *
 * Recursive descent over text that is known to be UTF-8.  A level of the
 * document is a level of recursion, so that MAX_DEPTH bounds the stack.
 *
 *-------------------------------------------------------------------------
 */
#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define MAX_DEPTH		100
#define MAX_LENGTH		((size_t) 512 * 1024 * 1024)
#define STRING_BLOCK	((size_t) 64 * 1024)
#define NODE_BLOCK		1024

#define END_OF_TEXT		(-1)

typedef struct Reader
{
	const char *start;
	const char *at;				/* what is read next */
	const char *end;
	const char *what;			/* the document, in messages */
	int			depth;			/* containers not closed yet */
	SrmArena   *arena;
	SrmStatus  *status;
	char	   *strings;		/* room for strings, packed without gaps */
	size_t		room;
	SrmJson    *nodes;			/* n_nodes of them, cleared and not used yet */
	size_t		n_nodes;
} Reader;

/* Says what is wrong at a place of the text: "Expected a value", "Invalid escape". */
static bool
fail_at(Reader *reader, const char *place, const char *problem)
{
	const char *line = reader->start;
	size_t		number = 1;

	for (const char *c = reader->start; c < place; c++)
		if (*c == '\n')
		{
			line = c + 1;
			number++;
		}
	srm_fail(reader->status, SRM_INVALID_MODEL, "invalid JSON in %s", reader->what);
	return srm_fail_detail(reader->status, "%s at line %zu, column %zu.", problem, number,
						   srm_utf8_count(line, (size_t) (place - line)) + 1);
}

static int
peek(const Reader *reader)
{
	return reader->at < reader->end ? (unsigned char) *reader->at : END_OF_TEXT;
}

static void
skip_space(Reader *reader)
{
	while (reader->at < reader->end &&
		   (*reader->at == ' ' || *reader->at == '\n' || *reader->at == '\r' || *reader->at == '\t'))
		reader->at++;
}

/* Room for a string of that many bytes and its NUL; use_room() takes what it needed. */
static char *
find_room(Reader *reader, size_t length)
{
	if (length + 1 > reader->room)
	{
		size_t		size = length + 1 > STRING_BLOCK ? length + 1 : STRING_BLOCK;

		reader->strings = srm_arena_alloc(reader->arena, size, reader->status);
		reader->room = reader->strings == NULL ? 0 : size;
	}
	return reader->strings;
}

static void
use_room(Reader *reader, size_t length)
{
	reader->strings[length] = '\0';
	reader->strings += length + 1;
	reader->room -= length + 1;
}

/* A cleared node; they come in blocks, since a vocabulary has a million. */
static SrmJson *
take_node(Reader *reader)
{
	if (reader->n_nodes == 0)
	{
		reader->nodes = srm_arena_array(reader->arena, NODE_BLOCK, sizeof(SrmJson), reader->status);
		if (reader->nodes == NULL)
			return NULL;
		reader->n_nodes = NODE_BLOCK;
	}
	reader->n_nodes--;
	return reader->nodes++;
}

/* The value of four hexadecimal digits, or -1; reads no further than the first that is none. */
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
 * The character of \uXXXX, or of two of them, which *at points behind the \u of; 0 with a
 * failure.  A quote stands behind it, so that what is read lies in the text.
 */
static uint32_t
read_code(Reader *reader, const char **at)
{
	const char *place = *at - 2;
	int			code = read_hex(*at);
	int			low;

	if (code <= 0)
	{
		fail_at(reader, place, code == 0 ? "\\u0000 cannot be represented" : "Invalid escape");
		return 0;
	}
	*at += 4;
	if (code < 0xD800 || code > 0xDFFF)
		return (uint32_t) code;
	low = code < 0xDC00 && (*at)[0] == '\\' && (*at)[1] == 'u' ? read_hex(*at + 2) : -1;
	if (low < 0xDC00 || low > 0xDFFF)
	{
		fail_at(reader, place, "Unpaired surrogate");
		return 0;
	}
	*at += 6;
	return 0x10000 + (((uint32_t) code - 0xD800) << 10) + ((uint32_t) low - 0xDC00);
}

/* Writes what an escape stands for, given what is behind its backslash; NULL with a failure. */
static char *
read_escape(Reader *reader, const char **at, char *out)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	char		letter = *(*at)++;
	const char *found = memchr(letters, letter, sizeof(letters) - 1);
	uint32_t	code;

	if (found != NULL)
	{
		*out = meanings[found - letters];
		return out + 1;
	}
	if (letter != 'u')
	{
		fail_at(reader, *at - 2, "Invalid escape");
		return NULL;
	}
	code = read_code(reader, at);
	return code == 0 ? NULL : out + srm_utf8_encode(code, out);
}

/* The quote that ends the string whose text begins here, or NULL with a failure. */
static const char *
find_quote(Reader *reader, bool *has_escapes)
{
	*has_escapes = false;
	for (const char *c = reader->at; c < reader->end; c++)
	{
		if (*c == '"')
			return c;
		if ((unsigned char) *c < ' ')
		{
			fail_at(reader, c, "Control character in a string");
			return NULL;
		}
		if (*c == '\\' && c + 1 < reader->end)
		{
			*has_escapes = true;
			c++;
		}
	}
	fail_at(reader, reader->end, "The text ends within a string");
	return NULL;
}

/* Reads what stands between here, behind a quote, and the quote that ends it. */
static bool
read_string(Reader *reader, const char **text, uint32_t *length)
{
	bool		has_escapes;
	const char *quote = find_quote(reader, &has_escapes);
	const char *at = reader->at;
	char	   *out = quote == NULL ? NULL : find_room(reader, (size_t) (quote - at));
	char	   *start = out;

	if (out == NULL)
		return false;
	while (has_escapes && out != NULL && at < quote)
		if (*at == '\\')
		{
			at++;
			out = read_escape(reader, &at, out);
		}
		else
			*out++ = *at++;
	if (out == NULL)
		return false;
	memcpy(out, at, (size_t) (quote - at));
	out += quote - at;
	*text = start;
	*length = (uint32_t) (out - start);
	use_room(reader, (size_t) (out - start));
	reader->at = quote + 1;
	return true;
}

/* Skips digits; false where there is none. */
static bool
skip_digits(Reader *reader)
{
	const char *start = reader->at;

	while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
		reader->at++;
	return reader->at > start;
}

/* As RFC 8259 writes it: no sign before it but -, no zeros, and digits on both sides of a point. */
static bool
skip_number(Reader *reader)
{
	if (peek(reader) == '-')
		reader->at++;
	if (peek(reader) == '0')
		reader->at++;
	else if (!skip_digits(reader))
		return false;
	if (peek(reader) == '.')
	{
		reader->at++;
		if (!skip_digits(reader))
			return false;
	}
	if (peek(reader) == 'e' || peek(reader) == 'E')
	{
		reader->at++;
		if (peek(reader) == '+' || peek(reader) == '-')
			reader->at++;
		return skip_digits(reader);
	}
	return true;
}

/* A number is kept as it is written. */
static bool
read_number(Reader *reader, SrmJson *node)
{
	const char *start = reader->at;
	size_t		length;
	char	   *text;

	if (!skip_number(reader))
		return fail_at(reader, start, "Invalid number");
	length = (size_t) (reader->at - start);
	text = find_room(reader, length);
	if (text == NULL)
		return false;
	memcpy(text, start, length);
	use_room(reader, length);
	node->type = SRM_JSON_NUMBER;
	node->text = text;
	node->n = (uint32_t) length;
	return true;
}

static bool
read_word(Reader *reader, SrmJson *node, SrmJsonType type, const char *word)
{
	size_t		length = strlen(word);

	if ((size_t) (reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return fail_at(reader, reader->at, "Expected a value");
	reader->at += length;
	node->type = type;
	node->text = word;
	node->n = (uint32_t) length;
	return true;
}

static bool read_value(Reader *reader, SrmJson *node);

/* "key": */
static bool
read_key(Reader *reader, SrmJson *member)
{
	uint32_t	length;

	skip_space(reader);
	if (peek(reader) != '"')
		return fail_at(reader, reader->at, "Expected a name in double quotes");
	reader->at++;
	if (!read_string(reader, &member->key, &length))
		return false;
	skip_space(reader);
	if (peek(reader) != ':')
		return fail_at(reader, reader->at, "Expected \":\"");
	reader->at++;
	return true;
}

/* What is between a bracket, which has been read, and the one that closes it. */
static bool
read_children(Reader *reader, SrmJson *parent, char close)
{
	SrmJson   **link = &parent->child;
	bool		is_object = parent->type == SRM_JSON_OBJECT;

	skip_space(reader);
	while (parent->n > 0 || peek(reader) != close)
	{
		SrmJson    *child = take_node(reader);

		if (child == NULL || (is_object && !read_key(reader, child)) || !read_value(reader, child))
			return false;
		*link = child;
		link = &child->next;
		parent->n++;
		skip_space(reader);
		if (peek(reader) == close)
			break;
		if (peek(reader) != ',')
			return fail_at(reader, reader->at,
						   is_object ? "Expected \",\" or \"}\"" : "Expected \",\" or \"]\"");
		reader->at++;
	}
	reader->at++;
	return true;
}

static bool
read_container(Reader *reader, SrmJson *node, SrmJsonType type, char close)
{
	if (reader->depth == MAX_DEPTH)
	{
		srm_fail(reader->status, SRM_INVALID_MODEL, "JSON in %s is nested too deeply", reader->what);
		return srm_fail_detail(reader->status, "The limit is %d levels.", MAX_DEPTH);
	}
	reader->at++;
	reader->depth++;
	node->type = type;
	if (!read_children(reader, node, close))
		return false;
	reader->depth--;
	return true;
}

static bool
read_value(Reader *reader, SrmJson *node)
{
	int			first;

	skip_space(reader);
	first = peek(reader);
	switch (first)
	{
		case '{':
			return read_container(reader, node, SRM_JSON_OBJECT, '}');
		case '[':
			return read_container(reader, node, SRM_JSON_ARRAY, ']');
		case '"':
			reader->at++;
			node->type = SRM_JSON_STRING;
			return read_string(reader, &node->text, &node->n);
		case 't':
			return read_word(reader, node, SRM_JSON_TRUE, "true");
		case 'f':
			return read_word(reader, node, SRM_JSON_FALSE, "false");
		case 'n':
			return read_word(reader, node, SRM_JSON_NULL, "null");
		default:
			if (first == '-' || (first >= '0' && first <= '9'))
				return read_number(reader, node);
			return fail_at(reader, reader->at, "Expected a value");
	}
}

static bool
read_document(Reader *reader, SrmJson *root)
{
	if (!read_value(reader, root))
		return false;
	skip_space(reader);
	return reader->at == reader->end || fail_at(reader, reader->at, "Expected the end of the text");
}

SrmJson *
srm_json_parse(const char *json, size_t length, const char *what,
			   SrmArena *arena, SrmStatus *status)
{
	Reader		reader = {
		.start = json, .at = json, .end = json + length, .what = what, .arena = arena, .status = status
	};
	SrmJson    *root;

	if (length > MAX_LENGTH)
	{
		srm_fail(status, SRM_INVALID_MODEL, "JSON in %s is too long", what);
		srm_fail_detail(status, "It has %zu bytes, the limit is %zu.", length, MAX_LENGTH);
		return NULL;
	}
	if (!srm_utf8_valid(json, length))
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid byte sequence for UTF-8 in %s", what);
		return NULL;
	}
	root = take_node(&reader);
	return root != NULL && read_document(&reader, root) ? root : NULL;
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

bool
srm_json_has_member(const SrmJson *object, const char *key)
{
	for (const SrmJson *child = object->child; child != NULL; child = child->next)
		if (strcmp(child->key, key) == 0)
			return true;
	return false;
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

/* An integer, 1e3 and 12.0 included; false for what is none, or is beyond 64 bits. */
static bool
read_integer(const SrmJson *json, double number, int64_t *value)
{
	char	   *end;

	errno = 0;
	*value = strtoll(json->text, &end, 10);
	if (*end == '\0')
		return errno == 0;
	*value = number >= -0x1p63 && number < 0x1p63 ? (int64_t) number : 0;
	return number == (double) *value;
}

bool
srm_json_get_int(const SrmJson *object, const char *key, int64_t minimum,
				 int64_t maximum, int64_t fallback, int64_t *value, SrmStatus *status)
{
	const SrmJson *json = srm_json_member(object, key);
	double		number;
	int64_t		integer;

	*value = fallback;
	if (json == NULL)
		return true;
	if (!srm_json_number(json, &number) || number != floor(number))
		return fail_type(key, "an integer", status);
	if (!read_integer(json, number, &integer) || integer < minimum || integer > maximum)
	{
		srm_fail(status, SRM_INVALID_MODEL, "value of \"%s\" is out of range", key);
		return srm_fail_detail(status, "It is %s, and must be between %lld and %lld.",
							   json->text, (long long) minimum, (long long) maximum);
	}
	*value = integer;
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
