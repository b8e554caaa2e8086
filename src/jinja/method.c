/*-------------------------------------------------------------------------
 *
 * method.c
 *	  Methods of strings, dicts and lists.
 *
 * What changes its object is not here: the sandbox of transformers refuses
 * it as well.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "jinja/text.h"

#define N_ELEMENTS(array)	(sizeof(array) / sizeof((array)[0]))

bool
srm_jinja_arg_given(const JinjaCall *call, int i)
{
	return call->argv[i].type != JINJA_MISSING && call->argv[i].type != JINJA_NONE;
}

bool
srm_jinja_arg_int(JinjaCall *call, int i, int64_t fallback, int64_t *value)
{
	const JinjaValue *arg = &call->argv[i];

	*value = fallback;
	if (arg->type == JINJA_MISSING)
		return true;
	if (arg->type != JINJA_INT && arg->type != JINJA_BOOL)
		return srm_jinja_fail(call->eval, "\"%s\" requires an integer, not \"%s\"",
							  call->builtin->name, srm_jinja_type_name(arg));
	*value = srm_jinja_as_int(arg);
	return true;
}

bool
srm_jinja_arg_bool(const JinjaCall *call, int i, bool fallback)
{
	return call->argv[i].type == JINJA_MISSING ? fallback : srm_jinja_truth(&call->argv[i]);
}

JinjaString *
srm_jinja_arg_string(JinjaCall *call, int i)
{
	const JinjaValue *arg = &call->argv[i];

	if (arg->type != JINJA_STRING)
	{
		srm_jinja_fail(call->eval, "\"%s\" requires a string, not \"%s\"", call->builtin->name,
					   srm_jinja_type_name(arg));
		return NULL;
	}
	return srm_jinja_flatten(call->eval, arg->string) ? arg->string : NULL;
}

const JinjaBuiltin *
srm_jinja_builtin_find(const JinjaBuiltin *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
	{
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

bool
srm_jinja_give_string(JinjaString *string, JinjaValue *result)
{
	*result = srm_jinja_string(string);
	return string != NULL;
}

bool
srm_jinja_give_list(JinjaList *list, JinjaValue *result)
{
	*result = srm_jinja_list(list);
	return list != NULL;
}

bool
srm_jinja_change_case_of(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = srm_jinja_to_flat(call->eval, &call->self);

	if (string == NULL)
		return false;
	return srm_jinja_give_string(srm_jinja_change_case(call->eval, string,
													   (JinjaCase) call->builtin->variant), result);
}

bool
srm_jinja_is_case_of(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = srm_jinja_to_flat(call->eval, &call->self);

	if (string == NULL || !srm_jinja_charge_bytes(call->eval, string->length * 8))
		return false;
	*result = srm_jinja_bool(srm_jinja_is_case(string, (JinjaCase) call->builtin->variant));
	return true;
}

bool
srm_jinja_strip_of(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = srm_jinja_to_flat(call->eval, &call->self);
	JinjaString *chars = NULL;

	if (string == NULL ||
		(srm_jinja_arg_given(call, 0) && (chars = srm_jinja_arg_string(call, 0)) == NULL))
		return false;
	return srm_jinja_give_string(srm_jinja_strip(call->eval, string, chars,
												 (call->builtin->variant & 1) != 0,
												 (call->builtin->variant & 2) != 0), result);
}

/* variant: 0 from the left, 1 from the right */
static bool
method_split(JinjaCall *call, JinjaValue *result)
{
	JinjaString *separator = NULL;
	int64_t		limit;

	if ((srm_jinja_arg_given(call, 0) && (separator = srm_jinja_arg_string(call, 0)) == NULL) ||
		!srm_jinja_arg_int(call, 1, -1, &limit) ||
		!srm_jinja_flatten(call->eval, call->self.string))
		return false;
	return srm_jinja_give_list(call->builtin->variant == 0
							   ? srm_jinja_split(call->eval, call->self.string, separator, limit)
							   : srm_jinja_split_right(call->eval, call->self.string, separator, limit),
							   result);
}

static bool
method_splitlines(JinjaCall *call, JinjaValue *result)
{
	if (!srm_jinja_flatten(call->eval, call->self.string))
		return false;
	return srm_jinja_give_list(srm_jinja_split_lines(call->eval, call->self.string,
													 srm_jinja_arg_bool(call, 0, false)), result);
}

static bool
method_join(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = srm_jinja_iterate(call->eval, &call->argv[0]);

	if (items == NULL)
		return false;
	for (size_t i = 0; i < items->n; i++)
	{
		if (items->items[i].type != JINJA_STRING)
			return srm_jinja_fail(call->eval, "\"join\" requires strings, not \"%s\"",
								  srm_jinja_type_name(&items->items[i]));
	}
	return srm_jinja_give_string(srm_jinja_join(call->eval, items, call->self.string), result);
}

static bool
method_replace(JinjaCall *call, JinjaValue *result)
{
	JinjaString *old = srm_jinja_arg_string(call, 0);
	JinjaString *new = old == NULL ? NULL : srm_jinja_arg_string(call, 1);
	int64_t		limit;

	if (new == NULL || !srm_jinja_arg_int(call, 2, -1, &limit) ||
		!srm_jinja_flatten(call->eval, call->self.string) ||
		!srm_jinja_charge_bytes(call->eval, call->self.string->length))
		return false;
	return srm_jinja_give_string(srm_jinja_replace(call->eval, call->self.string, old, new, limit), result);
}

/* Whether string has affix at its start, or at its end. */
static bool
has_affix(const JinjaString *string, const JinjaString *affix, bool end)
{
	return string->length >= affix->length &&
		memcmp(string->data + (end ? string->length - affix->length : 0), affix->data,
			   affix->length) == 0;
}

/* variant: 0 startswith, 1 endswith; the argument may be a tuple */
static bool
method_has_affix(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = call->self.string;
	JinjaValue	affixes = call->argv[0];
	bool		found = false;

	if (!srm_jinja_flatten(call->eval, string))
		return false;
	if (affixes.type != JINJA_TUPLE)
	{
		JinjaString *affix = srm_jinja_arg_string(call, 0);

		*result = srm_jinja_bool(affix != NULL && has_affix(string, affix, call->builtin->variant));
		return affix != NULL;
	}
	for (size_t i = 0; i < affixes.list->n && !found; i++)
	{
		call->argv[0] = affixes.list->items[i];
		if (srm_jinja_arg_string(call, 0) == NULL || !srm_jinja_charge(call->eval, 1))
			return false;
		found = has_affix(string, call->argv[0].string, call->builtin->variant);
	}
	*result = srm_jinja_bool(found);
	return true;
}

/* variant: 0 removeprefix, 1 removesuffix */
static bool
method_remove_affix(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = call->self.string;
	JinjaString *affix = srm_jinja_arg_string(call, 0);
	bool		end = call->builtin->variant == 1;

	if (affix == NULL || !srm_jinja_flatten(call->eval, string))
		return false;
	if (!has_affix(string, affix, end))
		return srm_jinja_give_string(string, result);
	return srm_jinja_give_string(srm_jinja_substring(call->eval, string, end ? 0 : affix->length,
													 string->length - affix->length), result);
}

/* variant: 0 find, 1 rfind, 2 index, which fails */
static bool
method_find(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = call->self.string;
	JinjaString *needle = srm_jinja_arg_string(call, 0);
	size_t		found;

	if (needle == NULL || !srm_jinja_flatten(call->eval, string) ||
		!srm_jinja_charge_bytes(call->eval, string->length * (needle->length + 1)))
		return false;
	if (needle->length == 0)
		found = call->builtin->variant == 1 ? string->length : 0;
	else
		found = call->builtin->variant == 1 ? srm_jinja_find_last(string, needle, string->length)
			: srm_jinja_find(string, needle, 0);
	if (found == SIZE_MAX && call->builtin->variant == 2)
		return srm_jinja_fail(call->eval, "substring not found");
	*result = srm_jinja_int(found == SIZE_MAX ? -1 : (int64_t) srm_utf8_count(string->data, found));
	return true;
}

static bool
method_count(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = call->self.string;
	JinjaString *needle = srm_jinja_arg_string(call, 0);
	int64_t		n = 0;
	size_t		at = 0;

	if (needle == NULL || !srm_jinja_flatten(call->eval, string) ||
		!srm_jinja_charge_bytes(call->eval, string->length))
		return false;
	if (needle->length == 0)
		n = (int64_t) srm_utf8_count(string->data, string->length) + 1;
	while (needle->length > 0 && (at = srm_jinja_find(string, needle, at)) != SIZE_MAX)
	{
		n++;
		at += needle->length;
		if (!srm_jinja_charge(call->eval, 1))
			return false;
	}
	*result = srm_jinja_int(n);
	return true;
}

/* variant: the property of all characters, none of which is in an empty string */
static bool
method_is_class(JinjaCall *call, JinjaValue *result)
{
	JinjaString *string = call->self.string;
	bool		all;
	size_t		at = 0;

	if (!srm_jinja_flatten(call->eval, string) ||
		!srm_jinja_charge_bytes(call->eval, string->length * 8))
		return false;
	all = string->length > 0;
	while (all && at < string->length)
	{
		uint32_t	code = srm_utf8_next(string->data, string->length, &at);

		if (call->builtin->variant == 's')
			all = srm_jinja_is_space(code);
		else if (code >= 0x80)
			return srm_jinja_unsupported(call->eval, "\"%s\" of text beyond ASCII",
										 call->builtin->name);
		else if (code >= '0' && code <= '9')
			all = call->builtin->variant != 'a';
		else
			all = call->builtin->variant != 'd' &&
				((code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z'));
	}
	*result = srm_jinja_bool(all);
	return true;
}

/* The value of the field "{...}" of format() whose name lies in [start, end). */
static bool
format_field(JinjaCall *call, const JinjaString *format, size_t start, size_t end,
			 size_t *n_used, JinjaValue *value)
{
	const JinjaList *positional = call->arguments->positional;
	JinjaString *name = srm_jinja_string_copy(call->eval, format->data + start, end - start,
											  SRM_FROM_TEMPLATE);
	JinjaValue	key = srm_jinja_string(name);
	size_t		place;
	bool		found = false;

	if (name == NULL)
		return false;
	if (strcspn(name->data, ".[:!{") < name->length)
		return srm_jinja_unsupported(call->eval, "field \"{%.40s}\" of \"format\"", name->data);
	if (name->length > 0 && strspn(name->data, "0123456789") < name->length)
	{
		if (!srm_jinja_dict_get(call->eval, call->arguments->named, &key, value, &found))
			return false;
	}
	else
	{
		place = name->length == 0 ? (*n_used)++ : (size_t) strtoul(name->data, NULL, 10);
		found = place < positional->n;
		if (found)
			*value = positional->items[place];
	}
	return found || srm_jinja_fail(call->eval, "\"format\" has no argument for \"{%.40s}\"",
								   name->data);
}

/* Takes the "{", "}" or field at *at. */
static bool
format_next(JinjaCall *call, JinjaBuilder *builder, const JinjaString *format, size_t *at,
			size_t *n_used)
{
	JinjaValue	value = srm_jinja_none();
	JinjaString *text;
	const char *close;
	size_t		end;

	if (*at + 1 < format->length && format->data[*at + 1] == format->data[*at])
	{
		*at += 2;
		return srm_jinja_builder_slice(call->eval, builder, format, *at - 1, 1);
	}
	close = memchr(format->data + *at, '}', format->length - *at);
	if (format->data[*at] == '}' || close == NULL)
		return srm_jinja_fail(call->eval, "\"format\" has a single bracket");
	end = (size_t) (close - format->data);
	if (!format_field(call, format, *at + 1, end, n_used, &value))
		return false;
	*at = end + 1;
	text = srm_jinja_to_string(call->eval, &value);
	return text != NULL && srm_jinja_builder_string(call->eval, builder, text);
}

static bool
method_format(JinjaCall *call, JinjaValue *result)
{
	JinjaString *format = call->self.string;
	JinjaBuilder builder;
	size_t		n_used = 0;
	size_t		at = 0;

	srm_jinja_builder_init(&builder);
	if (!srm_jinja_flatten(call->eval, format))
		return false;
	while (at < format->length)
	{
		size_t		end = at;

		while (end < format->length && format->data[end] != '{' && format->data[end] != '}')
			end++;
		if (!srm_jinja_builder_slice(call->eval, &builder, format, at, end - at))
			return false;
		at = end;
		if (at < format->length && !format_next(call, &builder, format, &at, &n_used))
			return false;
	}
	return srm_jinja_give_string(srm_jinja_builder_finish(call->eval, &builder), result);
}

static bool
method_get(JinjaCall *call, JinjaValue *result)
{
	bool		found;

	*result = call->argv[1].type == JINJA_MISSING ? srm_jinja_none() : call->argv[1];
	return srm_jinja_dict_get(call->eval, call->self.dict, &call->argv[0], result, &found);
}

/* variant: 0 keys, 1 values, 2 items */
static bool
method_dict_parts(JinjaCall *call, JinjaValue *result)
{
	const JinjaDict *dict = call->self.dict;
	JinjaList  *list = srm_jinja_list_new(call->eval, dict->n);

	if (list == NULL || !srm_jinja_charge(call->eval, dict->n))
		return false;
	for (size_t i = 0; i < dict->n; i++)
	{
		JinjaValue	item = call->builtin->variant == 0 ? dict->keys[i] : dict->values[i];

		if (call->builtin->variant == 2 &&
			!srm_jinja_pair(call->eval, dict->keys[i], dict->values[i], &item))
			return false;
		list->items[list->n++] = item;
	}
	return srm_jinja_give_list(list, result);
}

static bool
method_copy(JinjaCall *call, JinjaValue *result)
{
	*result = call->self;		/* nothing can change it */
	return true;
}

/* variant: 0 index, 1 count */
static bool
method_list_find(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *list = call->self.list;
	int64_t		n = 0;

	for (size_t i = 0; i < list->n; i++)
	{
		bool		equal = false;

		if (!srm_jinja_equal(call->eval, &list->items[i], &call->argv[0], &equal))
			return false;
		if (equal && call->builtin->variant == 0)
		{
			*result = srm_jinja_int((int64_t) i);
			return true;
		}
		n += equal;
	}
	*result = srm_jinja_int(n);
	return call->builtin->variant == 1 || srm_jinja_fail(call->eval, "value is not in the list");
}

/* loop.cycle('a', 'b') */
static bool
method_cycle(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = call->arguments->positional;

	if (items->n == 0)
		return srm_jinja_fail(call->eval, "\"cycle\" has too few arguments");
	*result = items->items[call->self.loop->index % items->n];
	return true;
}

/* Whether a value differs from that of the turn before. */
static bool
method_changed(JinjaCall *call, JinjaValue *result)
{
	JinjaValue	now = srm_jinja_tuple(call->arguments->positional);
	bool		equal = false;

	if (!srm_jinja_equal(call->eval, &call->self.loop->changed, &now, &equal))
		return false;
	call->self.loop->changed = now;
	*result = srm_jinja_bool(!equal);
	return true;
}

static const JinjaBuiltin string_methods[] = {
	{"capitalize", srm_jinja_change_case_of, "", 0, JINJA_CAPITALIZE},
	{"count", method_count, "sub", 1, 0},
	{"endswith", method_has_affix, "suffix", 1, 1},
	{"find", method_find, "sub", 1, 0},
	{"format", method_format, NULL, 0, 0},
	{"index", method_find, "sub", 1, 2},
	{"isalnum", method_is_class, "", 0, 'n'},
	{"isalpha", method_is_class, "", 0, 'a'},
	{"isdigit", method_is_class, "", 0, 'd'},
	{"islower", srm_jinja_is_case_of, "", 0, JINJA_LOWER},
	{"isspace", method_is_class, "", 0, 's'},
	{"isupper", srm_jinja_is_case_of, "", 0, JINJA_UPPER},
	{"join", method_join, "iterable", 1, 0},
	{"lower", srm_jinja_change_case_of, "", 0, JINJA_LOWER},
	{"lstrip", srm_jinja_strip_of, "chars", 0, 1},
	{"removeprefix", method_remove_affix, "prefix", 1, 0},
	{"removesuffix", method_remove_affix, "suffix", 1, 1},
	{"replace", method_replace, "old new count", 2, 0},
	{"rfind", method_find, "sub", 1, 1},
	{"rsplit", method_split, "sep maxsplit", 0, 1},
	{"rstrip", srm_jinja_strip_of, "chars", 0, 2},
	{"split", method_split, "sep maxsplit", 0, 0},
	{"splitlines", method_splitlines, "keepends", 0, 0},
	{"startswith", method_has_affix, "prefix", 1, 0},
	{"strip", srm_jinja_strip_of, "chars", 0, 3},
	{"title", srm_jinja_change_case_of, "", 0, JINJA_TITLE},
	{"upper", srm_jinja_change_case_of, "", 0, JINJA_UPPER},
};

static const JinjaBuiltin dict_methods[] = {
	{"copy", method_copy, "", 0, 0},
	{"get", method_get, "key default", 1, 0},
	{"items", method_dict_parts, "", 0, 2},
	{"keys", method_dict_parts, "", 0, 0},
	{"values", method_dict_parts, "", 0, 1},
};

static const JinjaBuiltin list_methods[] = {
	{"copy", method_copy, "", 0, 0},
	{"count", method_list_find, "value", 1, 1},
	{"index", method_list_find, "value", 1, 0},
};

static const JinjaBuiltin loop_methods[] = {
	{"changed", method_changed, NULL, 0, 0},
	{"cycle", method_cycle, NULL, 0, 0},
};

const JinjaBuiltin *
srm_jinja_method(JinjaType type, const char *name)
{
	switch (type)
	{
		case JINJA_STRING:
			return srm_jinja_builtin_find(string_methods, N_ELEMENTS(string_methods), name);
		case JINJA_DICT:
			return srm_jinja_builtin_find(dict_methods, N_ELEMENTS(dict_methods), name);
		case JINJA_LIST:
		case JINJA_TUPLE:
			return srm_jinja_builtin_find(list_methods, N_ELEMENTS(list_methods), name);
		case JINJA_LOOP:
			return srm_jinja_builtin_find(loop_methods, N_ELEMENTS(loop_methods), name);
		default:
			return NULL;
	}
}
