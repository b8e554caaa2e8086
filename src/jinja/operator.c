/*-------------------------------------------------------------------------
 *
 * operator.c
 *	  Arithmetic, comparisons, attributes, items and slices.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool
fail_types(JinjaEval *eval, const char *operator, const JinjaValue *a, const JinjaValue *b)
{
	const JinjaValue *undefined = a->type == JINJA_UNDEFINED ? a : b;

	if (undefined->type == JINJA_UNDEFINED)
		return srm_jinja_fail(eval, "\"%s\" is undefined",
							  undefined->name == NULL ? "operand" : undefined->name);
	return srm_jinja_fail(eval, "cannot apply \"%s\" to \"%s\" and \"%s\"", operator,
						  srm_jinja_type_name(a), srm_jinja_type_name(b));
}

/* Python's floor division and the remainder that goes with it; b is not 0. */
static int64_t
floor_divide(int64_t a, int64_t b, int64_t *remainder)
{
	int64_t		quotient;

	if (b == -1)
	{
		*remainder = 0;
		return -a;
	}
	quotient = a / b;
	*remainder = a % b;
	if (*remainder != 0 && (*remainder < 0) != (b < 0))
	{
		quotient--;
		*remainder += b;
	}
	return quotient;
}

/* a ** b for b >= 0; false on overflow. */
static bool
power(int64_t a, int64_t b, int64_t *result)
{
	*result = 1;
	if (a == 0 || a == 1 || a == -1)
	{
		*result = b == 0 ? 1 : a == -1 && b % 2 == 0 ? 1 : a;
		return true;
	}
	for (; b > 0; b--)
	{
		if (__builtin_mul_overflow(*result, a, result))
			return false;
	}
	return true;
}

static bool
binary_ints(JinjaEval *eval, JinjaOperator op, int64_t a, int64_t b, JinjaValue *result)
{
	int64_t		value = 0;
	int64_t		remainder;
	bool		ok = true;

	switch (op)
	{
		case JINJA_ADD:
			ok = !__builtin_add_overflow(a, b, &value);
			break;
		case JINJA_SUBTRACT:
			ok = !__builtin_sub_overflow(a, b, &value);
			break;
		case JINJA_MULTIPLY:
			ok = !__builtin_mul_overflow(a, b, &value);
			break;
		case JINJA_POWER:
			ok = power(a, b, &value);
			break;
		default:
			if (b == 0)
				return srm_jinja_fail(eval, "division by zero");
			if (a == INT64_MIN && b == -1)
				ok = false;
			else
				value = floor_divide(a, b, &remainder);
			if (ok && op == JINJA_MODULO)
				value = remainder;
			break;
	}
	if (!ok)
		return srm_jinja_fail(eval, "integer is out of range");
	*result = srm_jinja_int(value);
	return true;
}

static bool
binary_floats(JinjaEval *eval, JinjaOperator op, double a, double b, JinjaValue *result)
{
	double		value;

	if (b == 0 && (op == JINJA_DIVIDE || op == JINJA_FLOOR_DIVIDE || op == JINJA_MODULO))
		return srm_jinja_fail(eval, "division by zero");
	switch (op)
	{
		case JINJA_ADD:
			value = a + b;
			break;
		case JINJA_SUBTRACT:
			value = a - b;
			break;
		case JINJA_MULTIPLY:
			value = a * b;
			break;
		case JINJA_DIVIDE:
			value = a / b;
			break;
		case JINJA_FLOOR_DIVIDE:
			value = floor(a / b);
			break;
		case JINJA_MODULO:
			value = fmod(a, b);
			if (value != 0 && (value < 0) != (b < 0))
				value += b;
			break;
		default:
			value = pow(a, b);
			if (isnan(value) && !isnan(a) && !isnan(b))
				return srm_jinja_unsupported(eval, "a complex number");
			if (isinf(value) && !isinf(a) && !isinf(b))
				return srm_jinja_fail(eval, "result of \"**\" is out of range");
			break;
	}
	*result = srm_jinja_float(value);
	return true;
}

/* n times over, as 'a' * 3. */
static bool
repeat_string(JinjaEval *eval, JinjaString *string, int64_t n, JinjaValue *result)
{
	JinjaBuilder builder;

	srm_jinja_builder_init(&builder);
	if (!srm_jinja_flatten(eval, string))
		return false;
	if (string->length == 0)
		n = 0;
	for (int64_t i = 0; i < n; i++)
	{
		if (!srm_jinja_charge(eval, 1) ||
			!srm_jinja_builder_slice(eval, &builder, string, 0, string->length))
			return false;
	}
	*result = srm_jinja_string(srm_jinja_builder_finish(eval, &builder));
	return result->string != NULL;
}

static bool
repeat(JinjaEval *eval, const JinjaValue *value, int64_t n, JinjaValue *result)
{
	JinjaList  *list;

	if (value->type == JINJA_STRING)
		return repeat_string(eval, value->string, n, result);
	list = srm_jinja_list_new(eval, 0);
	if (list == NULL)
		return false;
	for (int64_t i = 0; i < n && value->list->n > 0; i++)
	{
		for (size_t j = 0; j < value->list->n; j++)
		{
			if (!srm_jinja_charge(eval, 1) ||
				!srm_jinja_list_append(eval, list, value->list->items[j]))
				return false;
		}
	}
	*result = *value;
	result->list = list;
	return true;
}

static bool
add_lists(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b, JinjaValue *result)
{
	JinjaList  *list = srm_jinja_list_new(eval, a->list->n + b->list->n);

	if (list == NULL || !srm_jinja_charge(eval, (a->list->n + b->list->n) / 8))
		return false;
	memcpy(list->items, a->list->items, a->list->n * sizeof(JinjaValue));
	memcpy(list->items + a->list->n, b->list->items, b->list->n * sizeof(JinjaValue));
	list->n = a->list->n + b->list->n;
	*result = *a;
	result->list = list;
	return true;
}

static bool
is_sequence(const JinjaValue *value)
{
	return value->type == JINJA_STRING || value->type == JINJA_LIST || value->type == JINJA_TUPLE;
}

/* The operators that Python has for strings and lists; *done: it was one. */
static bool
binary_sequences(JinjaEval *eval, JinjaOperator op, const JinjaValue *a, const JinjaValue *b,
				 JinjaValue *result, bool *done)
{
	*done = true;
	if (op == JINJA_ADD && a->type == b->type && is_sequence(a))
	{
		if (a->type != JINJA_STRING)
			return add_lists(eval, a, b, result);
		*result = srm_jinja_string(srm_jinja_concat(eval, a->string, b->string));
		return result->string != NULL;
	}
	if (op == JINJA_MULTIPLY && is_sequence(a) &&
		(b->type == JINJA_INT || b->type == JINJA_BOOL))
		return repeat(eval, a, srm_jinja_as_int(b), result);
	if (op == JINJA_MULTIPLY && is_sequence(b) &&
		(a->type == JINJA_INT || a->type == JINJA_BOOL))
		return repeat(eval, b, srm_jinja_as_int(a), result);
	if (op == JINJA_MODULO && a->type == JINJA_STRING)
	{
		*result = srm_jinja_string(srm_jinja_percent(eval, a->string, b));
		return result->string != NULL;
	}
	*done = false;
	return true;
}

bool
srm_jinja_binary(JinjaEval *eval, JinjaOperator op, const JinjaValue *a, const JinjaValue *b,
				 JinjaValue *result)
{
	static const char *const names[] = {"+", "-", "*", "/", "//", "%", "**"};
	bool		done;

	if (!binary_sequences(eval, op, a, b, result, &done))
		return false;
	if (done)
		return true;
	if (!srm_jinja_is_number(a) || !srm_jinja_is_number(b))
		return fail_types(eval, names[op], a, b);
	if (a->type == JINJA_FLOAT || b->type == JINJA_FLOAT || op == JINJA_DIVIDE ||
		(op == JINJA_POWER && srm_jinja_as_int(b) < 0))
		return binary_floats(eval, op, srm_jinja_as_double(a), srm_jinja_as_double(b), result);
	return binary_ints(eval, op, srm_jinja_as_int(a), srm_jinja_as_int(b), result);
}

bool
srm_jinja_negate(JinjaEval *eval, const JinjaValue *a, JinjaValue *result)
{
	JinjaValue	zero = srm_jinja_int(0);

	if (!srm_jinja_is_number(a))
		return fail_types(eval, "-", a, a);
	if (a->type != JINJA_FLOAT)
		return srm_jinja_binary(eval, JINJA_SUBTRACT, &zero, a, result);
	*result = srm_jinja_float(-a->real);
	return true;
}

bool
srm_jinja_relation(JinjaEval *eval, JinjaOperator op, const JinjaValue *a, const JinjaValue *b,
				   bool *result)
{
	int			order;

	switch (op)
	{
		case JINJA_EQ:
			return srm_jinja_equal(eval, a, b, result);
		case JINJA_IN:
			return srm_jinja_contains(eval, b, a, result);
		case JINJA_NE:
		case JINJA_NOT_IN:
			if (!(op == JINJA_NE ? srm_jinja_equal(eval, a, b, result)
				  : srm_jinja_contains(eval, b, a, result)))
				return false;
			*result = !*result;
			return true;
		default:
			break;
	}
	if (!srm_jinja_compare(eval, a, b, &order))
		return false;
	*result = op == JINJA_LT ? order < 0 : op == JINJA_LE ? order <= 0
		: op == JINJA_GT ? order > 0 : order >= 0;
	return true;
}

static bool
loop_neighbour(const JinjaLoop *loop, bool next, JinjaValue *result)
{
	*result = srm_jinja_undefined(next ? "loop.nextitem" : "loop.previtem");
	if (next && loop->index + 1 < loop->items->n)
		*result = loop->items->items[loop->index + 1];
	else if (!next && loop->index > 0)
		*result = loop->items->items[loop->index - 1];
	return true;
}

/* An attribute of the loop variable that is a number or a flag; false: it is not one. */
static bool
loop_attribute(const JinjaLoop *loop, const char *name, JinjaValue *result)
{
	int64_t		index = (int64_t) loop->index;
	int64_t		n = (int64_t) loop->items->n;

	if (strcmp(name, "index") == 0)
		*result = srm_jinja_int(index + 1);
	else if (strcmp(name, "index0") == 0)
		*result = srm_jinja_int(index);
	else if (strcmp(name, "revindex") == 0)
		*result = srm_jinja_int(n - index);
	else if (strcmp(name, "revindex0") == 0)
		*result = srm_jinja_int(n - index - 1);
	else if (strcmp(name, "first") == 0)
		*result = srm_jinja_bool(index == 0);
	else if (strcmp(name, "last") == 0)
		*result = srm_jinja_bool(index == n - 1);
	else if (strcmp(name, "length") == 0)
		*result = srm_jinja_int(n);
	else if (strcmp(name, "depth") == 0)
		*result = srm_jinja_int(1);	/* it counts recursive loops only */
	else if (strcmp(name, "depth0") == 0)
		*result = srm_jinja_int(0);
	else if (strcmp(name, "previtem") == 0)
		return loop_neighbour(loop, false, result);
	else if (strcmp(name, "nextitem") == 0)
		return loop_neighbour(loop, true, result);
	else
		return false;
	return true;
}

static bool
bind_method(JinjaEval *eval, const JinjaBuiltin *method, const JinjaValue *self,
			JinjaValue *result)
{
	JinjaBound *bound = srm_jinja_alloc(eval, 1, sizeof(JinjaBound));

	if (bound == NULL)
		return false;
	bound->builtin = method;
	bound->self = *self;
	*result = (JinjaValue) {.type = JINJA_BOUND, .bound = bound};
	return true;
}

bool
srm_jinja_attribute(JinjaEval *eval, const JinjaValue *object, const char *name,
					JinjaValue *result)
{
	const JinjaBuiltin *method = srm_jinja_method(object->type, name);
	const JinjaValue *member;

	*result = srm_jinja_undefined(name);
	if (object->type == JINJA_UNDEFINED)
		return srm_jinja_fail(eval, "\"%s\" is undefined, and has no \"%s\"",
							  object->name == NULL ? "value" : object->name, name);
	if (object->type == JINJA_LOOP && loop_attribute(object->loop, name, result))
		return true;
	if (method != NULL)
		return bind_method(eval, method, object, result);
	if (object->type == JINJA_DICT || object->type == JINJA_NAMESPACE)
	{
		member = srm_jinja_dict_name(object->dict, name);
		if (member != NULL)
			*result = *member;
		return srm_jinja_charge(eval, object->dict->n / 8);
	}
	return true;
}

static bool
list_item(const JinjaList *list, int64_t index, JinjaValue *result)
{
	if (index < 0)
		index += (int64_t) list->n;
	if (index >= 0 && index < (int64_t) list->n)
		*result = list->items[index];
	return true;
}

static bool
string_item(JinjaEval *eval, JinjaString *string, int64_t index, JinjaValue *result)
{
	int64_t		stop = index + 1;
	JinjaString *character;

	if (index == INT64_MAX)
		return true;
	character = srm_jinja_string_slice(eval, string, &index, index == -1 ? NULL : &stop, 1);
	if (character == NULL)
		return false;
	/* -5 of "abc" is no character, though "abc"[-5:-4] is empty as well */
	if (character->length > 0)
		*result = srm_jinja_string(character);
	return true;
}

bool
srm_jinja_item(JinjaEval *eval, const JinjaValue *object, const JinjaValue *key,
			   JinjaValue *result)
{
	bool		found = false;

	*result = srm_jinja_undefined(NULL);
	if (object->type == JINJA_UNDEFINED)
		return srm_jinja_fail(eval, "\"%s\" is undefined, and has no items",
							  object->name == NULL ? "value" : object->name);
	if (object->type == JINJA_DICT && key->type != JINJA_LIST && key->type != JINJA_DICT)
	{
		if (!srm_jinja_dict_get(eval, object->dict, key, result, &found))
			return false;
		if (found)
			return true;
	}
	if (key->type == JINJA_STRING)
	{
		char	   *name;

		if (!srm_jinja_flatten(eval, key->string))
			return false;
		name = srm_arena_string(eval->arena, key->string->data, key->string->length,
								eval->status);
		return name != NULL && srm_jinja_attribute(eval, object, name, result);
	}
	if (key->type != JINJA_INT && key->type != JINJA_BOOL)
		return true;
	if (object->type == JINJA_LIST || object->type == JINJA_TUPLE)
		return list_item(object->list, srm_jinja_as_int(key), result);
	if (object->type == JINJA_STRING)
		return string_item(eval, object->string, srm_jinja_as_int(key), result);
	return true;
}

static bool
slice_list(JinjaEval *eval, const JinjaValue *object, const int64_t *start, const int64_t *stop,
		   int64_t step, JinjaValue *result)
{
	JinjaList  *list = srm_jinja_list_new(eval, 0);
	int64_t		first;
	int64_t		end;

	srm_jinja_slice_bounds((int64_t) object->list->n, start, stop, step, &first, &end);
	for (int64_t i = first; list != NULL && (step > 0 ? i < end : i > end);)
	{
		if (!srm_jinja_charge(eval, 1) ||
			!srm_jinja_list_append(eval, list, object->list->items[i]))
			return false;
		if (step > 0 ? step >= end - i : step <= end - i)
			break;
		i += step;
	}
	*result = *object;
	result->list = list;
	return list != NULL;
}

bool
srm_jinja_slice(JinjaEval *eval, const JinjaValue *object, const JinjaValue bounds[3],
				JinjaValue *result)
{
	int64_t		values[3] = {0, 0, 1};
	const int64_t *given[3] = {NULL, NULL, NULL};

	*result = srm_jinja_undefined("slice");
	if (object->type == JINJA_UNDEFINED)
		return srm_jinja_fail(eval, "\"%s\" is undefined, and has no slices",
							  object->name == NULL ? "value" : object->name);
	for (int i = 0; i < 3; i++)
	{
		if (bounds[i].type == JINJA_NONE)
			continue;
		if (bounds[i].type != JINJA_INT && bounds[i].type != JINJA_BOOL)
			return true;
		values[i] = srm_jinja_as_int(&bounds[i]);
		given[i] = &values[i];
	}
	if (values[2] == 0)
		return srm_jinja_fail(eval, "the step of a slice cannot be zero");
	if (object->type == JINJA_STRING)
	{
		*result = srm_jinja_string(srm_jinja_string_slice(eval, object->string, given[0],
														  given[1], values[2]));
		return result->string != NULL;
	}
	if (object->type == JINJA_LIST || object->type == JINJA_TUPLE)
		return slice_list(eval, object, given[0], given[1], values[2], result);
	return true;
}

/* One part of a path: the number of an item, or a name. */
static bool
follow(JinjaEval *eval, JinjaString *part, JinjaValue *value)
{
	JinjaValue	object = *value;
	JinjaValue	key = srm_jinja_string(part);
	char		digits[16];

	if (part->length > 0 && part->length < sizeof(digits) &&
		strspn(part->data, "0123456789") >= part->length)
	{
		memcpy(digits, part->data, part->length);
		digits[part->length] = '\0';
		key = srm_jinja_int(strtoll(digits, NULL, 10));
	}
	return srm_jinja_item(eval, &object, &key, value);
}

bool
srm_jinja_path(JinjaEval *eval, const JinjaValue *object, const JinjaValue *path,
			   JinjaValue *result)
{
	JinjaString *string;
	size_t		at = 0;

	*result = *object;
	if (path->type != JINJA_STRING)
		return srm_jinja_item(eval, object, path, result);
	string = path->string;
	if (!srm_jinja_flatten(eval, string))
		return false;
	while (at <= string->length)
	{
		const char *dot = memchr(string->data + at, '.', string->length - at);
		size_t		end = dot == NULL ? string->length : (size_t) (dot - string->data);
		JinjaString *part = srm_jinja_string_copy(eval, string->data + at, end - at,
												  SRM_FROM_TEMPLATE);

		if (part == NULL || !follow(eval, part, result))
			return false;
		at = end + 1;
	}
	return true;
}
