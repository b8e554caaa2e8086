/*-------------------------------------------------------------------------
 *
 * filter.c
 *	  Filters of single values: text, numbers, JSON.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/text.h"

#define MAX_INDENT	1000

static bool
filter_replace(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = srm_jinja_to_flat(call->eval, &call->self);
	JinjaString *old = string == NULL ? NULL : srm_jinja_to_flat(call->eval, &call->argv[0]);
	JinjaString *new = old == NULL ? NULL : srm_jinja_to_flat(call->eval, &call->argv[1]);
	int64_t		limit = -1;

	if (new == NULL ||
		(srm_jinja_arg_given(call, 2) && !srm_jinja_arg_int(call, 2, -1, &limit)) ||
		!srm_jinja_charge_bytes(call->eval, string->length))
		return false;
	return srm_jinja_give_string(srm_jinja_replace(call->eval, string, old, new, limit), result);
}

static bool
filter_default(JinjaCall *call, JinjaValue *result)
{
	bool		replace = call->self.type == JINJA_UNDEFINED ||
		(srm_jinja_arg_bool(call, 1, false) && !srm_jinja_truth(&call->self));

	*result = replace ? call->argv[0] : call->self;
	if (result->type == JINJA_MISSING)
		return srm_jinja_text(call->eval, "", result);
	return true;
}

static bool
filter_string(JinjaCall *call, JinjaValue *result)
{
	return srm_jinja_give_string(srm_jinja_to_string(call->eval, &call->self), result);
}

static bool
filter_length(JinjaCall *call, JinjaValue *result)
{
	int64_t		length;

	if (!srm_jinja_length(call->eval, &call->self, &length))
		return false;
	*result = srm_jinja_int(length);
	return true;
}

static bool
filter_format(JinjaCall *call, JinjaValue *result)
{
	JinjaString *format = srm_jinja_to_flat(call->eval, &call->self);
	JinjaValue	arguments = srm_jinja_tuple(call->arguments->positional);

	if (call->arguments->named->n > 0)
		return srm_jinja_unsupported(call->eval, "filter \"format\" with names");
	return format != NULL &&
		srm_jinja_give_string(srm_jinja_percent(call->eval, format, &arguments), result);
}

/* The text of a number without the white space around it; NULL: too long to be one. */
static const char *
number_text(JinjaCall *call, char *out, size_t size)
{
	JinjaString *string = call->self.string;
	size_t		n = 0;

	if (!srm_jinja_flatten(call->eval, string))
		return NULL;
	string = srm_jinja_strip(call->eval, string, NULL, true, true);
	if (string == NULL)
		return NULL;
	out[0] = '\0';
	if (string->length >= size)
		return out;
	for (size_t i = 0; i < string->length; i++)
	{
		if (string->data[i] == '_')
			continue;
		out[n++] = string->data[i];
	}
	out[n] = '\0';
	return out;
}

/* The whole of text as a decimal number; hexadecimal is not Python's. */
static bool
read_double(const char *text, double *real)
{
	char	   *end;

	if (*text == '\0' || strpbrk(text, "xXpP") != NULL)
		return false;
	*real = strtod(text, &end);
	return *end == '\0';
}

static bool
read_integer(const char *text, int base, int64_t *integer)
{
	char	   *end;

	errno = 0;
	*integer = strtoll(text, &end, base);
	return *text != '\0' && *end == '\0' && errno == 0;
}

static bool
truncate_double(double real, int64_t *integer)
{
	if (!(real > -9.2e18 && real < 9.2e18))
		return false;
	*integer = (int64_t) real;
	return true;
}

static bool
filter_int(JinjaCall *call, JinjaValue *result)
{
	char		buffer[64];
	const char *text;
	int64_t		base;
	int64_t		integer = 0;
	double		real;
	bool		ok = false;

	if (call->self.type == JINJA_UNDEFINED)
		return srm_jinja_fail(call->eval, "\"%s\" is undefined, and no integer",
							  call->self.name == NULL ? "value" : call->self.name);
	if (!srm_jinja_arg_int(call, 1, 10, &base))
		return false;
	if (base < 2 || base > 36)
		return srm_jinja_fail(call->eval, "base of \"int\" is not from 2 to 36");
	if (call->self.type == JINJA_STRING)
	{
		text = number_text(call, buffer, sizeof(buffer));
		if (text == NULL)
			return false;
		ok = read_integer(text, (int) base, &integer) ||
			(read_double(text, &real) && truncate_double(real, &integer));
	}
	else if (call->self.type == JINJA_FLOAT)
		ok = truncate_double(call->self.real, &integer);
	else if ((ok = srm_jinja_is_number(&call->self)))
		integer = srm_jinja_as_int(&call->self);
	*result = ok ? srm_jinja_int(integer) : call->argv[0];
	if (result->type == JINJA_MISSING)
		*result = srm_jinja_int(0);
	return true;
}

static bool
filter_float(JinjaCall *call, JinjaValue *result)
{
	char		buffer[400];
	const char *text;
	double		real = 0;
	bool		ok = false;

	if (call->self.type == JINJA_UNDEFINED)
		return srm_jinja_fail(call->eval, "\"%s\" is undefined, and no number",
							  call->self.name == NULL ? "value" : call->self.name);
	if (call->self.type == JINJA_STRING)
	{
		text = number_text(call, buffer, sizeof(buffer));
		if (text == NULL)
			return false;
		ok = read_double(text, &real);
	}
	else if ((ok = srm_jinja_is_number(&call->self)))
		real = srm_jinja_as_double(&call->self);
	*result = ok ? srm_jinja_float(real) : call->argv[0];
	if (result->type == JINJA_MISSING)
		*result = srm_jinja_float(0);
	return true;
}

static bool
require_number(JinjaCall *call)
{
	return srm_jinja_is_number(&call->self) ||
		srm_jinja_fail(call->eval, "\"%s\" requires a number, not \"%s\"", call->builtin->name,
					   srm_jinja_type_name(&call->self));
}

static bool
filter_abs(JinjaCall *call, JinjaValue *result)
{
	if (!require_number(call))
		return false;
	if (call->self.type == JINJA_FLOAT)
		*result = srm_jinja_float(fabs(call->self.real));
	else if (srm_jinja_as_int(&call->self) < 0)
		return srm_jinja_negate(call->eval, &call->self, result);
	else
		*result = srm_jinja_int(srm_jinja_as_int(&call->self));
	return true;
}

/* Python's round(): the nearest decimal, which is what printf writes. */
static double
round_decimals(double real, int precision)
{
	char		text[400];

	if (precision < 0)
		return nearbyint(real / pow(10, -precision)) * pow(10, -precision);
	snprintf(text, sizeof(text), "%.*f", precision, real);
	return strtod(text, NULL);
}

static bool
filter_round(JinjaCall *call, JinjaValue *result)
{
	JinjaString *method = NULL;
	int64_t		precision;
	double		scale;

	if (!require_number(call) || !srm_jinja_arg_int(call, 0, 0, &precision) ||
		(call->argv[1].type != JINJA_MISSING && (method = srm_jinja_arg_string(call, 1)) == NULL))
		return false;
	if (precision < -15 || precision > 15)
		return srm_jinja_unsupported(call->eval, "\"round\" to more than 15 digits");
	scale = pow(10, (double) precision);
	if (method == NULL || (method->length == 6 && memcmp(method->data, "common", 6) == 0))
	{
		if (call->self.type != JINJA_FLOAT && precision >= 0)
			*result = srm_jinja_int(srm_jinja_as_int(&call->self));
		else
			*result = srm_jinja_float(round_decimals(srm_jinja_as_double(&call->self),
													 (int) precision));
	}
	else if (method->length == 4 && memcmp(method->data, "ceil", 4) == 0)
		*result = srm_jinja_float(ceil(srm_jinja_as_double(&call->self) * scale) / scale);
	else if (method->length == 5 && memcmp(method->data, "floor", 5) == 0)
		*result = srm_jinja_float(floor(srm_jinja_as_double(&call->self) * scale) / scale);
	else
		return srm_jinja_fail(call->eval, "method of \"round\" is not common, ceil or floor");
	return true;
}

/* The width of an indent, or its text, as a string. */
static JinjaString *
indent_text(JinjaCall *call, int i, int64_t fallback)
{
	char		spaces[MAX_INDENT];
	int64_t		width;

	if (call->argv[i].type == JINJA_STRING)
		return srm_jinja_arg_string(call, i);
	if (!srm_jinja_arg_int(call, i, fallback, &width))
		return NULL;
	width = width < 0 ? 0 : width;
	if (width > MAX_INDENT)
	{
		srm_jinja_unsupported(call->eval, "an indent of more than %d characters", MAX_INDENT);
		return NULL;
	}
	memset(spaces, ' ', (size_t) width);
	return srm_jinja_string_copy(call->eval, spaces, (size_t) width, SRM_FROM_TEMPLATE);
}

/* As Jinja's: the lines are those of splitlines(), joined by \n. */
static bool
filter_indent(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = srm_jinja_to_flat(call->eval, &call->self);
	JinjaString *indent = indent_text(call, 0, 4);
	bool		first = srm_jinja_arg_bool(call, 1, false);
	bool		blank = srm_jinja_arg_bool(call, 2, false);
	JinjaBuilder builder;
	JinjaList  *lines;

	srm_jinja_builder_init(&builder);
	if (string == NULL || indent == NULL)
		return false;
	string = srm_jinja_concat(call->eval, string,
							  srm_jinja_string_new(call->eval, "\n", 1, SRM_FROM_TEMPLATE));
	if (string == NULL || !srm_jinja_flatten(call->eval, string))
		return false;
	lines = srm_jinja_split_lines(call->eval, string, false);
	for (size_t i = 0; lines != NULL && i < lines->n; i++)
	{
		JinjaString *line = lines->items[i].string;
		bool		indented = i == 0 ? first : blank || line->length > 0;

		if ((i > 0 && !srm_jinja_builder_text(call->eval, &builder, "\n")) ||
			(indented && !srm_jinja_builder_string(call->eval, &builder, indent)) ||
			!srm_jinja_builder_string(call->eval, &builder, line))
			return false;
	}
	return lines != NULL && srm_jinja_give_string(srm_jinja_builder_finish(call->eval, &builder), result);
}

/* The two separators of json.dumps(). */
static bool
json_separators(JinjaCall *call, JinjaJsonStyle *style)
{
	const JinjaValue *given = &call->argv[2];
	const JinjaList *pair;

	style->item_separator = srm_jinja_string_new(call->eval, style->pretty ? "," : ", ",
												 style->pretty ? 1 : 2, SRM_FROM_TEMPLATE);
	style->key_separator = srm_jinja_string_new(call->eval, ": ", 2, SRM_FROM_TEMPLATE);
	if (!srm_jinja_arg_given(call, 2))
		return style->item_separator != NULL && style->key_separator != NULL;
	pair = srm_jinja_iterate(call->eval, given);
	if (pair == NULL)
		return false;
	if (pair->n != 2 || pair->items[0].type != JINJA_STRING || pair->items[1].type != JINJA_STRING)
		return srm_jinja_fail(call->eval, "\"tojson\" requires two strings as separators");
	style->item_separator = pair->items[0].string;
	style->key_separator = pair->items[1].string;
	return true;
}

static bool
filter_tojson(JinjaCall *call, JinjaValue *result)
{
	JinjaJsonStyle style = {0};
	JinjaString *json;

	style.ascii = srm_jinja_arg_bool(call, 0, false);
	style.pretty = srm_jinja_arg_given(call, 1);
	style.sort_keys = srm_jinja_arg_bool(call, 3, false);
	if ((style.pretty && (style.indent = indent_text(call, 1, 0)) == NULL) ||
		!json_separators(call, &style) ||
		!srm_jinja_to_json(call->eval, &call->self, &style, &json))
		return false;
	return srm_jinja_give_string(json, result);
}

static bool
filter_wordcount(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = srm_jinja_to_flat(call->eval, &call->self);
	JinjaList  *words = string == NULL ? NULL : srm_jinja_split(call->eval, string, NULL, -1);

	if (words == NULL)
		return false;
	*result = srm_jinja_int((int64_t) words->n);
	return true;
}

static const JinjaBuiltin filters[] = {
	{"abs", filter_abs, "", 0, 0},
	{"capitalize", srm_jinja_change_case_of, "", 0, JINJA_CAPITALIZE},
	{"count", filter_length, "", 0, 0},
	{"d", filter_default, "default_value boolean", 0, 0},
	{"default", filter_default, "default_value boolean", 0, 0},
	{"float", filter_float, "default", 0, 0},
	{"format", filter_format, NULL, 0, 0},
	{"indent", filter_indent, "width first blank", 0, 0},
	{"int", filter_int, "default base", 0, 0},
	{"length", filter_length, "", 0, 0},
	{"lower", srm_jinja_change_case_of, "", 0, JINJA_LOWER},
	{"replace", filter_replace, "old new count", 2, 0},
	{"round", filter_round, "precision method", 0, 0},
	{"safe", filter_string, "", 0, 0},
	{"string", filter_string, "", 0, 0},
	{"title", srm_jinja_change_case_of, "", 0, JINJA_TITLE_FILTER},
	{"tojson", filter_tojson, "ensure_ascii indent separators sort_keys", 0, 0},
	{"trim", srm_jinja_strip_of, "chars", 0, 3},
	{"upper", srm_jinja_change_case_of, "", 0, JINJA_UPPER},
	{"wordcount", filter_wordcount, "", 0, 0},
};

const JinjaBuiltin *
srm_jinja_filter(const char *name)
{
	return srm_jinja_builtin_find(filters, sizeof(filters) / sizeof(filters[0]), name);
}
