/*-------------------------------------------------------------------------
 *
 * value.c
 *	  The values that a chat template computes with, as Python has them.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define POLL_STEPS		4096
#define BYTES_A_STEP	64

bool
srm_jinja_charge(JinjaEval *eval, size_t n)
{
	if (n > (size_t) (eval->step_limit - eval->steps))
	{
		srm_fail(eval->status, SRM_LIMIT_EXCEEDED, "chat template takes too many steps at line %d",
				 eval->line);
		return srm_fail_detail(eval->status, "The limit is %lld steps.",
							   (long long) eval->step_limit);
	}
	eval->steps += (int64_t) n;
	if (eval->steps < eval->next_poll)
		return true;
	eval->next_poll = eval->steps + POLL_STEPS;
	return srm_continue(eval->stop, eval->status);
}

bool
srm_jinja_charge_bytes(JinjaEval *eval, size_t n_bytes)
{
	return srm_jinja_charge(eval, n_bytes / BYTES_A_STEP);
}

void *
srm_jinja_alloc(JinjaEval *eval, size_t n, size_t size)
{
	size_t		used = srm_arena_used(eval->arena);

	if (used > eval->memory_limit || n > (eval->memory_limit - used) / size)
	{
		srm_fail(eval->status, SRM_LIMIT_EXCEEDED, "chat template takes too much memory at line %d",
				 eval->line);
		srm_fail_detail(eval->status, "The limit is %zu bytes.", eval->memory_limit);
		return NULL;
	}
	return srm_arena_array(eval->arena, n, size, eval->status);
}

bool
srm_jinja_fail(JinjaEval *eval, const char *format,...)
{
	char		what[256];
	va_list		args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return srm_fail(eval->status, SRM_INVALID_MODEL, "error in chat template at line %d: %s",
					eval->line, what);
}

bool
srm_jinja_unsupported(JinjaEval *eval, const char *format,...)
{
	char		what[256];
	va_list		args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return srm_fail(eval->status, SRM_NOT_SUPPORTED,
					"chat template uses %s at line %d, which is not supported", what, eval->line);
}

bool
srm_jinja_check_nesting(JinjaEval *eval, int nesting)
{
	if (nesting <= JINJA_MAX_NESTING)
		return true;
	return srm_fail(eval->status, SRM_LIMIT_EXCEEDED,
					"values are nested too deeply in chat template at line %d", eval->line);
}

JinjaValue
srm_jinja_undefined(const char *name)
{
	return (JinjaValue) {.type = JINJA_UNDEFINED, .name = name};
}

JinjaValue
srm_jinja_none(void)
{
	return (JinjaValue) {.type = JINJA_NONE};
}

JinjaValue
srm_jinja_bool(bool boolean)
{
	return (JinjaValue) {.type = JINJA_BOOL, .boolean = boolean};
}

JinjaValue
srm_jinja_int(int64_t integer)
{
	return (JinjaValue) {.type = JINJA_INT, .integer = integer};
}

JinjaValue
srm_jinja_float(double real)
{
	return (JinjaValue) {.type = JINJA_FLOAT, .real = real};
}

JinjaValue
srm_jinja_string(JinjaString *string)
{
	return (JinjaValue) {.type = JINJA_STRING, .string = string};
}

JinjaValue
srm_jinja_list(JinjaList *list)
{
	return (JinjaValue) {.type = JINJA_LIST, .list = list};
}

JinjaValue
srm_jinja_tuple(JinjaList *list)
{
	return (JinjaValue) {.type = JINJA_TUPLE, .list = list};
}

const char *
srm_jinja_type_name(const JinjaValue *value)
{
	static const char *const names[] = {
		"nothing", "Undefined", "NoneType", "bool", "int", "float", "str", "list", "tuple",
		"dict", "Namespace", "LoopContext", "Macro", "function",
	};

	return names[value->type];
}

bool
srm_jinja_truth(const JinjaValue *value)
{
	switch (value->type)
	{
		case JINJA_MISSING:
		case JINJA_UNDEFINED:
		case JINJA_NONE:
			return false;
		case JINJA_BOOL:
			return value->boolean;
		case JINJA_INT:
			return value->integer != 0;
		case JINJA_FLOAT:
			return value->real != 0;
		case JINJA_STRING:
			return value->string->length > 0;
		case JINJA_LIST:
		case JINJA_TUPLE:
			return value->list->n > 0;
		case JINJA_DICT:
			return value->dict->n > 0;
		default:
			return true;
	}
}

bool
srm_jinja_is_number(const JinjaValue *value)
{
	return value->type == JINJA_BOOL || value->type == JINJA_INT || value->type == JINJA_FLOAT;
}

double
srm_jinja_as_double(const JinjaValue *number)
{
	if (number->type == JINJA_FLOAT)
		return number->real;
	return (double) srm_jinja_as_int(number);
}

int64_t
srm_jinja_as_int(const JinjaValue *value)
{
	return value->type == JINJA_BOOL ? value->boolean : value->integer;
}

/* A method is made anew each time that it is asked for. */
static bool
same_object(const JinjaValue *a, const JinjaValue *b)
{
	if (a->type == JINJA_BOUND)
		return a->bound->builtin == b->bound->builtin;
	return a->list == b->list;
}

static int
order_numbers(const JinjaValue *a, const JinjaValue *b)
{
	if (a->type == JINJA_FLOAT || b->type == JINJA_FLOAT)
	{
		double		x = srm_jinja_as_double(a);
		double		y = srm_jinja_as_double(b);

		return x < y ? -1 : x > y;
	}
	return srm_jinja_as_int(a) < srm_jinja_as_int(b) ? -1
		: srm_jinja_as_int(a) > srm_jinja_as_int(b);
}

/* The bytes of UTF-8 sort as its code points do. */
static bool
order_strings(JinjaEval *eval, JinjaString *a, JinjaString *b, int *order)
{
	size_t		n = a->length < b->length ? a->length : b->length;

	if (!srm_jinja_charge_bytes(eval, n) || !srm_jinja_flatten(eval, a) ||
		!srm_jinja_flatten(eval, b))
		return false;
	*order = memcmp(a->data, b->data, n);
	if (*order == 0)
		*order = a->length < b->length ? -1 : a->length > b->length;
	return true;
}

static bool equal_at(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b, bool *equal,
					 int nesting);

static bool
equal_lists(JinjaEval *eval, const JinjaList *a, const JinjaList *b, bool *equal, int nesting)
{
	*equal = a->n == b->n;
	for (size_t i = 0; i < a->n && *equal; i++)
	{
		if (!equal_at(eval, &a->items[i], &b->items[i], equal, nesting))
			return false;
	}
	return true;
}

static bool
equal_dicts(JinjaEval *eval, const JinjaDict *a, const JinjaDict *b, bool *equal, int nesting)
{
	*equal = a->n == b->n;
	for (size_t i = 0; i < a->n && *equal; i++)
	{
		JinjaValue	other = srm_jinja_none();

		if (!srm_jinja_dict_get(eval, b, &a->keys[i], &other, equal))
			return false;
		if (*equal && !equal_at(eval, &a->values[i], &other, equal, nesting))
			return false;
	}
	return true;
}

static bool
equal_at(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b, bool *equal, int nesting)
{
	int			order = 1;

	if (!srm_jinja_charge(eval, 1) || !srm_jinja_check_nesting(eval, nesting))
		return false;
	if (srm_jinja_is_number(a) && srm_jinja_is_number(b))
	{
		*equal = order_numbers(a, b) == 0 &&
			!isnan(srm_jinja_as_double(a)) && !isnan(srm_jinja_as_double(b));
		return true;
	}
	*equal = false;
	if (a->type != b->type)
		return true;
	switch (a->type)
	{
		case JINJA_STRING:
			if (a->string->length != b->string->length)
				return true;
			if (!order_strings(eval, a->string, b->string, &order))
				return false;
			*equal = order == 0;
			return true;
		case JINJA_LIST:
		case JINJA_TUPLE:
			return equal_lists(eval, a->list, b->list, equal, nesting + 1);
		case JINJA_DICT:
			return equal_dicts(eval, a->dict, b->dict, equal, nesting + 1);
		case JINJA_UNDEFINED:
		case JINJA_NONE:
			*equal = true;
			return true;
		default:
			*equal = same_object(a, b);
			return true;
	}
}

bool
srm_jinja_equal(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b, bool *equal)
{
	return equal_at(eval, a, b, equal, 0);
}

static bool
compare_at(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b, int *order, int nesting)
{
	if (!srm_jinja_charge(eval, 1) || !srm_jinja_check_nesting(eval, nesting))
		return false;
	if (srm_jinja_is_number(a) && srm_jinja_is_number(b))
	{
		*order = order_numbers(a, b);
		return true;
	}
	if (a->type == JINJA_UNDEFINED || b->type == JINJA_UNDEFINED)
		return srm_jinja_fail(eval, "cannot compare an undefined value");
	if (a->type == JINJA_STRING && b->type == JINJA_STRING)
		return order_strings(eval, a->string, b->string, order);
	if (a->type != b->type || (a->type != JINJA_LIST && a->type != JINJA_TUPLE))
		return srm_jinja_fail(eval, "cannot order \"%s\" and \"%s\"",
							  srm_jinja_type_name(a), srm_jinja_type_name(b));
	for (size_t i = 0; i < a->list->n && i < b->list->n; i++)
	{
		bool		equal;

		if (!equal_at(eval, &a->list->items[i], &b->list->items[i], &equal, nesting + 1))
			return false;
		if (!equal)
			return compare_at(eval, &a->list->items[i], &b->list->items[i], order, nesting + 1);
	}
	*order = a->list->n < b->list->n ? -1 : a->list->n > b->list->n;
	return true;
}

bool
srm_jinja_compare(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b, int *order)
{
	return compare_at(eval, a, b, order, 0);
}

static bool
contains_text(JinjaEval *eval, JinjaString *container, const JinjaValue *item, bool *found)
{
	if (item->type != JINJA_STRING)
		return srm_jinja_fail(eval, "\"in\" a string requires a string, not \"%s\"",
							  srm_jinja_type_name(item));
	if (!srm_jinja_flatten(eval, container) || !srm_jinja_flatten(eval, item->string) ||
		!srm_jinja_charge_bytes(eval, container->length))
		return false;
	*found = item->string->length == 0 ||
		srm_jinja_find(container, item->string, 0) != SIZE_MAX;
	return true;
}

bool
srm_jinja_contains(JinjaEval *eval, const JinjaValue *container, const JinjaValue *item,
				   bool *found)
{
	JinjaValue	value;

	*found = false;
	switch (container->type)
	{
		case JINJA_STRING:
			return contains_text(eval, container->string, item, found);
		case JINJA_DICT:
			return srm_jinja_dict_get(eval, container->dict, item, &value, found);
		case JINJA_LIST:
		case JINJA_TUPLE:
			for (size_t i = 0; i < container->list->n && !*found; i++)
			{
				if (!srm_jinja_equal(eval, &container->list->items[i], item, found))
					return false;
			}
			return true;
		case JINJA_UNDEFINED:
			return true;
		default:
			return srm_jinja_fail(eval, "cannot look for something in \"%s\"",
								  srm_jinja_type_name(container));
	}
}

bool
srm_jinja_length(JinjaEval *eval, const JinjaValue *value, int64_t *length)
{
	switch (value->type)
	{
		case JINJA_UNDEFINED:
			*length = 0;
			return true;
		case JINJA_STRING:
			if (!srm_jinja_flatten(eval, value->string) ||
				!srm_jinja_charge_bytes(eval, value->string->length))
				return false;
			*length = (int64_t) srm_utf8_count(value->string->data, value->string->length);
			return true;
		case JINJA_LIST:
		case JINJA_TUPLE:
			*length = (int64_t) value->list->n;
			return true;
		case JINJA_DICT:
			*length = (int64_t) value->dict->n;
			return true;
		case JINJA_LOOP:
			*length = (int64_t) value->loop->items->n;
			return true;
		default:
			return srm_jinja_fail(eval, "\"%s\" has no length", srm_jinja_type_name(value));
	}
}

static JinjaList *
list_characters(JinjaEval *eval, JinjaString *string)
{
	JinjaList  *list;
	size_t		at = 0;

	if (!srm_jinja_flatten(eval, string) || !srm_jinja_charge(eval, string->length))
		return NULL;
	list = srm_jinja_list_new(eval, srm_utf8_count(string->data, string->length));
	while (list != NULL && at < string->length)
	{
		size_t		size = srm_utf8_size((unsigned char) string->data[at]);
		JinjaString *character = srm_jinja_substring(eval, string, at, size);

		if (character == NULL ||
			!srm_jinja_list_append(eval, list, srm_jinja_string(character)))
			return NULL;
		at += size;
	}
	return list;
}

const JinjaList *
srm_jinja_iterate(JinjaEval *eval, const JinjaValue *value)
{
	JinjaList  *list;

	switch (value->type)
	{
		case JINJA_LIST:
		case JINJA_TUPLE:
			return value->list;
		case JINJA_STRING:
			return list_characters(eval, value->string);
		case JINJA_UNDEFINED:
			return srm_jinja_list_new(eval, 0);
		case JINJA_DICT:
			list = srm_jinja_list_new(eval, 0);
			if (list != NULL)
			{
				list->items = value->dict->keys;
				list->n = value->dict->n;
				list->capacity = list->n;
			}
			return list;
		default:
			srm_jinja_fail(eval, "\"%s\" cannot be gone through", srm_jinja_type_name(value));
			return NULL;
	}
}

JinjaList *
srm_jinja_list_new(JinjaEval *eval, size_t capacity)
{
	JinjaList  *list = srm_jinja_alloc(eval, 1, sizeof(JinjaList));

	if (list == NULL)
		return NULL;
	list->items = srm_jinja_alloc(eval, capacity, sizeof(JinjaValue));
	list->capacity = capacity;
	return list->items == NULL ? NULL : list;
}

bool
srm_jinja_list_append(JinjaEval *eval, JinjaList *list, JinjaValue value)
{
	if (list->n == list->capacity)
	{
		size_t		capacity = list->capacity < 4 ? 4 : list->capacity * 2;
		JinjaValue *items = srm_jinja_alloc(eval, capacity, sizeof(JinjaValue));

		if (items == NULL)
			return false;
		memcpy(items, list->items, list->n * sizeof(JinjaValue));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->n++] = value;
	return true;
}

bool
srm_jinja_pair(JinjaEval *eval, JinjaValue a, JinjaValue b, JinjaValue *pair)
{
	JinjaList  *list = srm_jinja_list_new(eval, 2);

	if (list == NULL)
		return false;
	list->items[0] = a;
	list->items[1] = b;
	list->n = 2;
	*pair = srm_jinja_tuple(list);
	return true;
}

JinjaDict *
srm_jinja_dict_new(JinjaEval *eval, size_t capacity)
{
	JinjaDict  *dict = srm_jinja_alloc(eval, 1, sizeof(JinjaDict));

	if (dict == NULL)
		return NULL;
	dict->keys = srm_jinja_alloc(eval, capacity, sizeof(JinjaValue));
	dict->values = srm_jinja_alloc(eval, capacity, sizeof(JinjaValue));
	dict->capacity = capacity;
	return dict->keys == NULL || dict->values == NULL ? NULL : dict;
}

/* The place of a key; dict->n: it has none. */
static bool
find_key(JinjaEval *eval, const JinjaDict *dict, const JinjaValue *key, size_t *place)
{
	bool		equal = false;

	if (key->type == JINJA_LIST || key->type == JINJA_DICT)
		return srm_jinja_fail(eval, "\"%s\" cannot be a key", srm_jinja_type_name(key));
	for (*place = 0; *place < dict->n; *place += 1)
	{
		if (!srm_jinja_equal(eval, &dict->keys[*place], key, &equal))
			return false;
		if (equal)
			break;
	}
	return true;
}

bool
srm_jinja_dict_get(JinjaEval *eval, const JinjaDict *dict, const JinjaValue *key,
				   JinjaValue *value, bool *found)
{
	size_t		place;

	if (!find_key(eval, dict, key, &place))
		return false;
	*found = place < dict->n;
	if (*found)
		*value = dict->values[place];
	return true;
}

bool
srm_jinja_dict_set(JinjaEval *eval, JinjaDict *dict, JinjaValue key, JinjaValue value)
{
	size_t		place;

	if (!find_key(eval, dict, &key, &place))
		return false;
	if (key.type == JINJA_STRING && !srm_jinja_flatten(eval, key.string))
		return false;
	if (place == dict->capacity)
	{
		size_t		capacity = dict->capacity < 4 ? 4 : dict->capacity * 2;
		JinjaValue *keys = srm_jinja_alloc(eval, capacity, sizeof(JinjaValue));
		JinjaValue *values = srm_jinja_alloc(eval, capacity, sizeof(JinjaValue));

		if (keys == NULL || values == NULL)
			return false;
		memcpy(keys, dict->keys, dict->n * sizeof(JinjaValue));
		memcpy(values, dict->values, dict->n * sizeof(JinjaValue));
		dict->keys = keys;
		dict->values = values;
		dict->capacity = capacity;
	}
	if (place == dict->n)
	{
		dict->keys[place] = key;
		dict->n++;
	}
	dict->values[place] = value;
	return true;
}

const JinjaValue *
srm_jinja_dict_name(const JinjaDict *dict, const char *name)
{
	size_t		length = strlen(name);

	for (size_t i = 0; i < dict->n; i++)
	{
		const JinjaValue *key = &dict->keys[i];

		if (key->type == JINJA_STRING && key->string->data != NULL &&
			key->string->length == length && memcmp(key->string->data, name, length) == 0)
			return &dict->values[i];
	}
	return NULL;
}

/* Merges two sorted halves of order (n) through spare (n). */
static bool
merge(JinjaEval *eval, const JinjaValue *keys, size_t *order, size_t *spare, size_t middle,
	  size_t n, bool reverse)
{
	size_t		left = 0;
	size_t		right = middle;

	for (size_t i = 0; i < n; i++)
	{
		int			relation = left < middle ? -1 : 1;

		if (left < middle && right < n)
		{
			if (!srm_jinja_compare(eval, &keys[order[left]], &keys[order[right]], &relation))
				return false;
			relation = reverse ? -relation : relation;
		}
		spare[i] = relation <= 0 ? order[left++] : order[right++];
	}
	memcpy(order, spare, n * sizeof(size_t));
	return true;
}

bool
srm_jinja_sort(JinjaEval *eval, JinjaValue *items, JinjaValue *keys, size_t n, bool reverse)
{
	size_t	   *order = srm_jinja_alloc(eval, n, 2 * sizeof(size_t));
	JinjaValue *sorted = srm_jinja_alloc(eval, n, sizeof(JinjaValue));

	if (order == NULL || sorted == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t width = 1; width < n; width *= 2)
	{
		for (size_t i = 0; i + width < n; i += 2 * width)
		{
			size_t		both = n - i < 2 * width ? n - i : 2 * width;

			if (!merge(eval, keys, order + i, order + n, width, both, reverse))
				return false;
		}
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = items[order[i]];
	memcpy(items, sorted, n * sizeof(JinjaValue));
	return true;
}
