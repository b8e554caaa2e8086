/*-------------------------------------------------------------------------
 *
 * format.c
 *	  Values as text, as Python's str(), repr(), json.dumps() and % write them.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unicode/uchar.h>

#include "base/utf8.h"

/* The shortest digits that read back as the same number. */
void
srm_jinja_format_float(double real, char *out)
{
	char		text[40];
	int			precision = 1;
	int			exponent;

	if (!isfinite(real))
	{
		strcpy(out, isnan(real) ? "nan" : real > 0 ? "inf" : "-inf");
		return;
	}
	do
		snprintf(text, sizeof(text), "%.*e", precision - 1, real);
	while (strtod(text, NULL) != real && ++precision <= 17);
	exponent = atoi(strchr(text, 'e') + 1);
	if (exponent >= -4 && exponent < 16)
	{
		int			decimals = precision - 1 - exponent;

		snprintf(out, 40, "%.*f", decimals < 1 ? 1 : decimals, real);
		return;
	}
	*strchr(text, 'e') = '\0';
	snprintf(out, 40, "%.24se%c%02d", text, exponent < 0 ? '-' : '+', abs(exponent));
}

/* Whether repr() writes a code point as it is. */
static bool
is_printable(uint32_t code)
{
	switch (u_charType((UChar32) code))
	{
		case U_CONTROL_CHAR:
		case U_FORMAT_CHAR:
		case U_SURROGATE:
		case U_PRIVATE_USE_CHAR:
		case U_UNASSIGNED:
		case U_LINE_SEPARATOR:
		case U_PARAGRAPH_SEPARATOR:
			return false;
		case U_SPACE_SEPARATOR:
			return code == ' ';
		default:
			return true;
	}
}

/* The escape of a code point in out (16 bytes), or false: it needs none. */
static bool
escape_repr(uint32_t code, char quote, char *out)
{
	if (code == '\n' || code == '\r' || code == '\t')
		snprintf(out, 16, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
	else if (code == '\\' || code == (uint32_t) quote)
		snprintf(out, 16, "\\%c", (char) code);
	else if (is_printable(code))
		return false;
	else
		snprintf(out, 16, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x",
				 (unsigned) code);
	return true;
}

static bool
escape_json(uint32_t code, bool ascii, char *out)
{
	static const char letters[] = "\"\"\\\\\nn\rr\tt\bb\ff";

	for (size_t i = 0; letters[i] != '\0'; i += 2)
	{
		if ((uint32_t) letters[i] != code)
			continue;
		snprintf(out, 16, "\\%c", letters[i + 1]);
		return true;
	}
	if (code >= 0x20 && (code < 0x7F || !ascii))
		return false;
	if (code == 0x7F)
		return false;
	if (code < 0x10000)
		snprintf(out, 16, "\\u%04x", (unsigned) code);
	else
		snprintf(out, 16, "\\u%04x\\u%04x", (unsigned) (0xD7C0 + (code >> 10)),
				 (unsigned) (0xDC00 + (code & 0x3FF)));
	return true;
}

/* The quote that repr() puts around a flat string. */
static char
choose_quote(const JinjaString *string)
{
	if (string->length > 0 && memchr(string->data, '\'', string->length) != NULL &&
		memchr(string->data, '"', string->length) == NULL)
		return '"';
	return '\'';
}

/*
 * A string in quotes, with what has to be escaped escaped: for JSON where
 * json is not NULL, else for Python.  All of it is a user's if any of it is.
 */
static bool
add_quoted(JinjaEval *eval, JinjaBuilder *builder, JinjaString *string,
		   const JinjaJsonStyle *json)
{
	SrmOrigin	origin;
	char		quote[2] = "\"";
	size_t		at = 0;
	size_t		start = 0;

	if (!srm_jinja_flatten(eval, string) || !srm_jinja_charge_bytes(eval, string->length * 8))
		return false;
	origin = srm_jinja_origin(string);
	if (json == NULL)
		quote[0] = choose_quote(string);
	if (!srm_jinja_builder_add(eval, builder, quote, 1, origin))
		return false;
	while (at < string->length)
	{
		size_t		next = at;
		uint32_t	code = srm_utf8_next(string->data, string->length, &next);
		char		escape[16];

		if (json != NULL ? escape_json(code, json->ascii, escape)
			: escape_repr(code, quote[0], escape))
		{
			if (!srm_jinja_builder_add(eval, builder, string->data + start, at - start, origin) ||
				!srm_jinja_builder_add(eval, builder, escape, strlen(escape), origin))
				return false;
			start = next;
		}
		at = next;
	}
	return srm_jinja_builder_add(eval, builder, string->data + start, at - start, origin) &&
		srm_jinja_builder_add(eval, builder, quote, 1, origin);
}

/* What is no string and no container; false: it is one. */
static bool
format_scalar(const JinjaValue *value, char *out)
{
	switch (value->type)
	{
		case JINJA_MISSING:
		case JINJA_UNDEFINED:
			strcpy(out, "Undefined");
			return true;
		case JINJA_NONE:
			strcpy(out, "None");
			return true;
		case JINJA_BOOL:
			strcpy(out, value->boolean ? "True" : "False");
			return true;
		case JINJA_INT:
			snprintf(out, 40, "%" PRId64, value->integer);
			return true;
		case JINJA_FLOAT:
			srm_jinja_format_float(value->real, out);
			return true;
		default:
			return false;
	}
}

static bool add_repr(JinjaEval *eval, JinjaBuilder *builder, const JinjaValue *value, int nesting);

static bool
add_list_repr(JinjaEval *eval, JinjaBuilder *builder, const JinjaValue *value, int nesting)
{
	bool		tuple = value->type == JINJA_TUPLE;

	if (!srm_jinja_builder_text(eval, builder, tuple ? "(" : "["))
		return false;
	for (size_t i = 0; i < value->list->n; i++)
	{
		if (i > 0 && !srm_jinja_builder_text(eval, builder, ", "))
			return false;
		if (!add_repr(eval, builder, &value->list->items[i], nesting + 1))
			return false;
	}
	if (tuple && value->list->n == 1 && !srm_jinja_builder_text(eval, builder, ","))
		return false;
	return srm_jinja_builder_text(eval, builder, tuple ? ")" : "]");
}

static bool
add_dict_repr(JinjaEval *eval, JinjaBuilder *builder, const JinjaDict *dict, int nesting)
{
	if (!srm_jinja_builder_text(eval, builder, "{"))
		return false;
	for (size_t i = 0; i < dict->n; i++)
	{
		if (i > 0 && !srm_jinja_builder_text(eval, builder, ", "))
			return false;
		if (!add_repr(eval, builder, &dict->keys[i], nesting + 1) ||
			!srm_jinja_builder_text(eval, builder, ": ") ||
			!add_repr(eval, builder, &dict->values[i], nesting + 1))
			return false;
	}
	return srm_jinja_builder_text(eval, builder, "}");
}

static bool
add_repr(JinjaEval *eval, JinjaBuilder *builder, const JinjaValue *value, int nesting)
{
	char		text[40];

	if (!srm_jinja_charge(eval, 1) || !srm_jinja_check_nesting(eval, nesting))
		return false;
	if (format_scalar(value, text))
		return srm_jinja_builder_text(eval, builder, text);
	switch (value->type)
	{
		case JINJA_STRING:
			return add_quoted(eval, builder, value->string, NULL);
		case JINJA_LIST:
		case JINJA_TUPLE:
			return add_list_repr(eval, builder, value, nesting);
		case JINJA_DICT:
			return add_dict_repr(eval, builder, value->dict, nesting);
		default:
			return srm_jinja_unsupported(eval, "the text of a \"%s\"",
										 srm_jinja_type_name(value));
	}
}

JinjaString *
srm_jinja_to_repr(JinjaEval *eval, const JinjaValue *value)
{
	JinjaBuilder builder;

	srm_jinja_builder_init(&builder);
	if (!add_repr(eval, &builder, value, 0))
		return NULL;
	return srm_jinja_builder_finish(eval, &builder);
}

JinjaString *
srm_jinja_to_string(JinjaEval *eval, const JinjaValue *value)
{
	if (value->type == JINJA_STRING)
		return value->string;
	if (value->type == JINJA_UNDEFINED)
		return srm_jinja_string_new(eval, "", 0, SRM_FROM_TEMPLATE);
	if (value->type == JINJA_LIST && value->list->is_parts)
	{
		srm_jinja_unsupported(eval, "the text of a list of content parts");
		return NULL;
	}
	return srm_jinja_to_repr(eval, value);
}

JinjaString *
srm_jinja_to_flat(JinjaEval *eval, const JinjaValue *value)
{
	JinjaString *string = srm_jinja_to_string(eval, value);

	return string != NULL && srm_jinja_flatten(eval, string) ? string : NULL;
}

static bool add_json(JinjaEval *eval, JinjaBuilder *builder, const JinjaValue *value,
					 const JinjaJsonStyle *style, int nesting);

/* The break before an item, or before the closing bracket. */
static bool
add_break(JinjaEval *eval, JinjaBuilder *builder, const JinjaJsonStyle *style, int nesting)
{
	if (!style->pretty)
		return true;
	if (!srm_jinja_builder_text(eval, builder, "\n"))
		return false;
	for (int i = 0; i < nesting; i++)
	{
		if (!srm_jinja_builder_string(eval, builder, style->indent))
			return false;
	}
	return true;
}

static bool
add_json_list(JinjaEval *eval, JinjaBuilder *builder, const JinjaList *list,
			  const JinjaJsonStyle *style, int nesting)
{
	if (list->n == 0)
		return srm_jinja_builder_text(eval, builder, "[]");
	if (!srm_jinja_builder_text(eval, builder, "["))
		return false;
	for (size_t i = 0; i < list->n; i++)
	{
		if (i > 0 && !srm_jinja_builder_string(eval, builder, style->item_separator))
			return false;
		if (!add_break(eval, builder, style, nesting + 1) ||
			!add_json(eval, builder, &list->items[i], style, nesting + 1))
			return false;
	}
	return add_break(eval, builder, style, nesting) && srm_jinja_builder_text(eval, builder, "]");
}

/* What JSON calls the values that it has names for; NULL: it has none. */
static const char *
json_word(const JinjaValue *value)
{
	switch (value->type)
	{
		case JINJA_NONE:
			return "null";
		case JINJA_BOOL:
			return value->boolean ? "true" : "false";
		case JINJA_FLOAT:
			if (isfinite(value->real))
				return NULL;
			return isnan(value->real) ? "NaN" : value->real > 0 ? "Infinity" : "-Infinity";
		default:
			return NULL;
	}
}

static bool
add_json_key(JinjaEval *eval, JinjaBuilder *builder, const JinjaValue *key,
			 const JinjaJsonStyle *style)
{
	char		text[40];
	const char *word = json_word(key);

	if (key->type == JINJA_STRING)
		return add_quoted(eval, builder, key->string, style);
	if (word == NULL && (!srm_jinja_is_number(key) || !format_scalar(key, text)))
		return srm_jinja_fail(eval, "\"%s\" cannot be a key in JSON", srm_jinja_type_name(key));
	return srm_jinja_builder_text(eval, builder, "\"") &&
		srm_jinja_builder_text(eval, builder, word != NULL ? word : text) &&
		srm_jinja_builder_text(eval, builder, "\"");
}

/* Copies keys and values, and sorts them by key. */
static bool
sort_dict(JinjaEval *eval, const JinjaDict **dict)
{
	JinjaDict  *sorted = srm_jinja_dict_new(eval, (*dict)->n);

	if (sorted == NULL)
		return false;
	sorted->n = (*dict)->n;
	memcpy(sorted->keys, (*dict)->keys, sorted->n * sizeof(JinjaValue));
	memcpy(sorted->values, (*dict)->values, sorted->n * sizeof(JinjaValue));
	if (!srm_jinja_sort(eval, sorted->values, sorted->keys, sorted->n, false) ||
		!srm_jinja_sort(eval, sorted->keys, (*dict)->keys, sorted->n, false))
		return false;
	*dict = sorted;
	return true;
}

static bool
add_json_dict(JinjaEval *eval, JinjaBuilder *builder, const JinjaDict *dict,
			  const JinjaJsonStyle *style, int nesting)
{
	if (dict->n == 0)
		return srm_jinja_builder_text(eval, builder, "{}");
	if (style->sort_keys && !sort_dict(eval, &dict))
		return false;
	if (!srm_jinja_builder_text(eval, builder, "{"))
		return false;
	for (size_t i = 0; i < dict->n; i++)
	{
		if (i > 0 && !srm_jinja_builder_string(eval, builder, style->item_separator))
			return false;
		if (!add_break(eval, builder, style, nesting + 1) ||
			!add_json_key(eval, builder, &dict->keys[i], style) ||
			!srm_jinja_builder_string(eval, builder, style->key_separator) ||
			!add_json(eval, builder, &dict->values[i], style, nesting + 1))
			return false;
	}
	return add_break(eval, builder, style, nesting) && srm_jinja_builder_text(eval, builder, "}");
}

static bool
add_json(JinjaEval *eval, JinjaBuilder *builder, const JinjaValue *value,
		 const JinjaJsonStyle *style, int nesting)
{
	char		text[40];
	const char *word = json_word(value);

	if (!srm_jinja_charge(eval, 1) || !srm_jinja_check_nesting(eval, nesting))
		return false;
	if (word != NULL)
		return srm_jinja_builder_text(eval, builder, word);
	switch (value->type)
	{
		case JINJA_STRING:
			return add_quoted(eval, builder, value->string, style);
		case JINJA_LIST:
		case JINJA_TUPLE:
			return add_json_list(eval, builder, value->list, style, nesting);
		case JINJA_DICT:
			return add_json_dict(eval, builder, value->dict, style, nesting);
		case JINJA_INT:
		case JINJA_FLOAT:
			return format_scalar(value, text) && srm_jinja_builder_text(eval, builder, text);
		default:
			return srm_jinja_fail(eval, "\"%s\" cannot be written as JSON",
								  srm_jinja_type_name(value));
	}
}

bool
srm_jinja_to_json(JinjaEval *eval, const JinjaValue *value, const JinjaJsonStyle *style,
				  JinjaString **json)
{
	JinjaBuilder builder;

	srm_jinja_builder_init(&builder);
	if (!add_json(eval, &builder, value, style, 0))
		return false;
	*json = srm_jinja_builder_finish(eval, &builder);
	return *json != NULL;
}

/* One conversion of a % format: its letter, and digits after a point or -1. */
static bool
add_conversion(JinjaEval *eval, JinjaBuilder *builder, char letter, int precision,
			   const JinjaValue *value)
{
	char		text[400];
	JinjaString *string;

	switch (letter)
	{
		case 's':
			string = srm_jinja_to_string(eval, value);
			return string != NULL && srm_jinja_builder_string(eval, builder, string);
		case 'r':
			string = srm_jinja_to_repr(eval, value);
			return string != NULL && srm_jinja_builder_string(eval, builder, string);
		case 'd':
		case 'i':
			if (!srm_jinja_is_number(value))
				return srm_jinja_fail(eval, "\"%%d\" requires a number, not \"%s\"",
									  srm_jinja_type_name(value));
			if (value->type == JINJA_FLOAT)
				snprintf(text, sizeof(text), "%.0f", trunc(value->real));
			else
				snprintf(text, sizeof(text), "%" PRId64, srm_jinja_as_int(value));
			return srm_jinja_builder_add(eval, builder, text, strlen(text), SRM_FROM_TEMPLATE);
		case 'f':
			if (!srm_jinja_is_number(value))
				return srm_jinja_fail(eval, "\"%%f\" requires a number, not \"%s\"",
									  srm_jinja_type_name(value));
			snprintf(text, sizeof(text), "%.*f", precision < 0 ? 6 : precision,
					 srm_jinja_as_double(value));
			return srm_jinja_builder_add(eval, builder, text, strlen(text), SRM_FROM_TEMPLATE);
		default:
			return srm_jinja_unsupported(eval, "conversion \"%%%c\"", letter);
	}
}

/* Takes "%.2f" at *at; the precision is one digit, so that the text is bounded. */
static bool
convert_next(JinjaEval *eval, JinjaBuilder *builder, const JinjaString *format, size_t *at,
			 const JinjaValue *arguments, size_t *n_used)
{
	const JinjaValue *value = arguments;
	int			precision = -1;
	size_t		i = *at + 1;

	if (i + 2 < format->length && format->data[i] == '.' &&
		format->data[i + 1] >= '0' && format->data[i + 1] <= '9')
	{
		precision = format->data[i + 1] - '0';
		i += 2;
	}
	if (i >= format->length)
		return srm_jinja_fail(eval, "format ends within a conversion");
	*at = i + 1;
	if (format->data[i] == '%')
		return srm_jinja_builder_text(eval, builder, "%");
	if (arguments->type == JINJA_TUPLE)
	{
		if (*n_used >= arguments->list->n)
			return srm_jinja_fail(eval, "format has too few arguments");
		value = &arguments->list->items[*n_used];
	}
	else if (*n_used > 0)
		return srm_jinja_fail(eval, "format has too few arguments");
	*n_used += 1;
	return add_conversion(eval, builder, format->data[i], precision, value);
}

JinjaString *
srm_jinja_percent(JinjaEval *eval, JinjaString *format, const JinjaValue *arguments)
{
	JinjaBuilder builder;
	size_t		n_used = 0;
	size_t		at = 0;

	srm_jinja_builder_init(&builder);
	if (!srm_jinja_flatten(eval, format))
		return NULL;
	while (at < format->length)
	{
		const char *percent = memchr(format->data + at, '%', format->length - at);
		size_t		end = percent == NULL ? format->length : (size_t) (percent - format->data);

		if (!srm_jinja_builder_slice(eval, &builder, format, at, end - at))
			return NULL;
		at = end;
		if (percent != NULL && !convert_next(eval, &builder, format, &at, arguments, &n_used))
			return NULL;
	}
	if (n_used < (arguments->type == JINJA_TUPLE ? arguments->list->n : 1) &&
		arguments->type != JINJA_DICT)
	{
		srm_jinja_fail(eval, "format has too many arguments");
		return NULL;
	}
	return srm_jinja_builder_finish(eval, &builder);
}
