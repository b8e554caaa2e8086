/*-------------------------------------------------------------------------
 *
 * sequence.c
 *	  Filters of lists and dicts.
 *
 * Where Python gives a generator, these give a list.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <string.h>

#include "jinja/text.h"

static const JinjaList *
items_of_self(JinjaCall *call)
{
	return srm_jinja_iterate(call->eval, &call->self);
}

/* What remains of a call's arguments behind the first n. */
static bool
later_arguments(JinjaCall *call, size_t n, JinjaArguments *later)
{
	const JinjaList *all = call->arguments->positional;

	later->positional = srm_jinja_list_new(call->eval, all->n);
	later->named = call->arguments->named;
	if (later->positional == NULL)
		return false;
	for (size_t i = n; i < all->n; i++)
		later->positional->items[later->positional->n++] = all->items[i];
	return true;
}

/* The text of the i-th argument with a NUL; NULL: there is none, or it is no string. */
static const char *
name_argument(JinjaCall *call, size_t i)
{
	const JinjaList *all = call->arguments->positional;
	JinjaString *string;

	if (i >= all->n || all->items[i].type != JINJA_STRING)
	{
		srm_jinja_fail(call->eval, "\"%s\" requires a name", call->builtin->name);
		return NULL;
	}
	string = all->items[i].string;
	if (!srm_jinja_flatten(call->eval, string))
		return NULL;
	return srm_arena_string(call->eval->arena, string->data, string->length, call->eval->status);
}

static bool
filter_list(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	JinjaList  *list = items == NULL ? NULL : srm_jinja_list_new(call->eval, items->n);

	if (list == NULL || !srm_jinja_charge(call->eval, items->n / 8))
		return false;
	if (items->n > 0)
		memcpy(list->items, items->items, items->n * sizeof(JinjaValue));
	list->n = items->n;
	return srm_jinja_give_list(list, result);
}

static bool
filter_first(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	bool		last = call->builtin->variant == 1;

	if (items == NULL)
		return false;
	*result = srm_jinja_undefined("item of an empty list");
	if (items->n > 0)
		*result = items->items[last ? items->n - 1 : 0];
	return true;
}

/* The values of attribute (argv[i]) of the items, or the items. */
static const JinjaList *
attributes(JinjaCall *call, const JinjaList *items, int i)
{
	JinjaList  *list;

	if (!srm_jinja_arg_given(call, i))
		return items;
	list = srm_jinja_list_new(call->eval, items->n);
	for (size_t j = 0; list != NULL && j < items->n; j++)
	{
		if (!srm_jinja_path(call->eval, &items->items[j], &call->argv[i], &list->items[list->n++]))
			return NULL;
	}
	return list;
}

static bool
filter_join(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	JinjaString *separator;

	if (items == NULL || (items = attributes(call, items, 1)) == NULL)
		return false;
	separator = call->argv[0].type == JINJA_MISSING
		? srm_jinja_string_new(call->eval, "", 0, SRM_FROM_TEMPLATE)
		: srm_jinja_to_string(call->eval, &call->argv[0]);
	if (separator == NULL)
		return false;
	return srm_jinja_give_string(srm_jinja_join(call->eval, items, separator), result);
}

static bool
filter_reverse(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	JinjaList  *list = items == NULL ? NULL : srm_jinja_list_new(call->eval, items->n);

	if (list == NULL || !srm_jinja_charge(call->eval, items->n / 8))
		return false;
	for (size_t i = items->n; i > 0; i--)
		list->items[list->n++] = items->items[i - 1];
	if (call->self.type != JINJA_STRING)
		return srm_jinja_give_list(list, result);
	return srm_jinja_give_string(srm_jinja_join(call->eval, list,
												srm_jinja_string_new(call->eval, "", 0, SRM_FROM_TEMPLATE)), result);
}

static bool
filter_items(JinjaCall *call, JinjaValue *result)
{
	JinjaArguments none = *call->arguments;

	if (call->self.type == JINJA_UNDEFINED)
		return srm_jinja_give_list(srm_jinja_list_new(call->eval, 0), result);
	if (call->self.type != JINJA_DICT)
		return srm_jinja_fail(call->eval, "\"items\" requires a dict, not \"%s\"",
							  srm_jinja_type_name(&call->self));
	return srm_jinja_call_builtin(call->eval, srm_jinja_method(JINJA_DICT, "items"), &call->self,
								  &none, result);
}

/* map(attribute='a', default=b), or map('filter', arguments). */
static bool
map_attribute(JinjaCall *call, const JinjaList *items, const JinjaValue *path, JinjaList *list)
{
	const JinjaValue *fallback = srm_jinja_dict_name(call->arguments->named, "default");

	for (size_t i = 0; i < items->n; i++)
	{
		JinjaValue	value;

		if (!srm_jinja_path(call->eval, &items->items[i], path, &value))
			return false;
		if (value.type == JINJA_UNDEFINED && fallback != NULL)
			value = *fallback;
		if (!srm_jinja_list_append(call->eval, list, value))
			return false;
	}
	return true;
}

static bool
filter_map(JinjaCall *call, JinjaValue *result)
{
	const JinjaValue *path = srm_jinja_dict_name(call->arguments->named, "attribute");
	const JinjaList *items = items_of_self(call);
	JinjaList  *list = srm_jinja_list_new(call->eval, 0);
	JinjaArguments later;
	const char *name;

	if (items == NULL || list == NULL)
		return false;
	if (path != NULL)
		return map_attribute(call, items, path, list) && srm_jinja_give_list(list, result);
	name = name_argument(call, 0);
	if (name == NULL || !later_arguments(call, 1, &later))
		return false;
	for (size_t i = 0; i < items->n; i++)
	{
		JinjaValue	value = srm_jinja_none();

		if (!srm_jinja_charge(call->eval, 1) ||
			!srm_jinja_apply_filter(call->eval, name, &items->items[i], &later, &value) ||
			!srm_jinja_list_append(call->eval, list, value))
			return false;
	}
	return srm_jinja_give_list(list, result);
}

/* variant: 1 keeps what does not pass the test, 2 tests an attribute, 3 both */
static bool
filter_select(JinjaCall *call, JinjaValue *result)
{
	bool		reject = (call->builtin->variant & 1) != 0;
	bool		attribute = (call->builtin->variant & 2) != 0;
	size_t		n_args = call->arguments->positional->n;
	size_t		test_place = attribute ? 1 : 0;
	const JinjaList *items = items_of_self(call);
	JinjaList  *list = srm_jinja_list_new(call->eval, 0);
	const char *name = NULL;
	JinjaArguments later;

	if (items == NULL || list == NULL)
		return false;
	if (attribute && n_args == 0)
		return srm_jinja_fail(call->eval, "\"%s\" requires an attribute", call->builtin->name);
	if ((n_args > test_place && (name = name_argument(call, test_place)) == NULL) ||
		!later_arguments(call, test_place + 1, &later))
		return false;
	for (size_t i = 0; i < items->n; i++)
	{
		JinjaValue	value = items->items[i];
		bool		passes;

		if (!srm_jinja_charge(call->eval, 1) ||
			(attribute && !srm_jinja_path(call->eval, &items->items[i],
										  &call->arguments->positional->items[0], &value)))
			return false;
		passes = srm_jinja_truth(&value);
		if (name != NULL && !srm_jinja_apply_test(call->eval, name, &value, &later, &passes))
			return false;
		if (passes != reject && !srm_jinja_list_append(call->eval, list, items->items[i]))
			return false;
	}
	return srm_jinja_give_list(list, result);
}

/* Strings in lower case, where case does not count; anything else as it is. */
static const JinjaList *
fold_case(JinjaCall *call, const JinjaList *items, int i)
{
	JinjaList  *list;

	if (srm_jinja_arg_bool(call, i, false))
		return items;
	list = srm_jinja_list_new(call->eval, items->n);
	for (size_t j = 0; list != NULL && j < items->n; j++)
	{
		JinjaValue	value = items->items[j];

		if (value.type == JINJA_STRING)
		{
			if (!srm_jinja_flatten(call->eval, value.string))
				return NULL;
			value = srm_jinja_string(srm_jinja_change_case(call->eval, value.string, JINJA_LOWER));
			if (value.string == NULL)
				return NULL;
		}
		list->items[list->n++] = value;
	}
	return list;
}

/* What the items are compared by: an attribute (argv[a]), and case or not (argv[c]). */
static const JinjaList *
sort_keys(JinjaCall *call, const JinjaList *items, int a, int c)
{
	const JinjaList *keys = attributes(call, items, a);

	return keys == NULL ? NULL : fold_case(call, keys, c);
}

static bool
filter_sort(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items;
	const JinjaList *keys;

	if (!filter_list(call, result))
		return false;
	items = result->list;
	keys = sort_keys(call, items, 2, 1);
	return keys != NULL && srm_jinja_sort(call->eval, items->items, keys->items, items->n,
										  srm_jinja_arg_bool(call, 0, false));
}

/* variant: 0 min, 1 max; the first of several */
static bool
filter_extreme(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	const JinjaList *keys = items == NULL ? NULL : sort_keys(call, items, 1, 0);
	size_t		best = 0;

	if (keys == NULL)
		return false;
	*result = srm_jinja_undefined("item of an empty list");
	for (size_t i = 1; i < items->n; i++)
	{
		int			order = 0;

		if (!srm_jinja_compare(call->eval, &keys->items[i], &keys->items[best], &order))
			return false;
		if (call->builtin->variant == 1 ? order > 0 : order < 0)
			best = i;
	}
	if (items->n > 0)
		*result = items->items[best];
	return true;
}

static bool
filter_unique(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	const JinjaList *keys = items == NULL ? NULL : sort_keys(call, items, 1, 0);
	JinjaDict  *seen = srm_jinja_dict_new(call->eval, 0);
	JinjaList  *list = srm_jinja_list_new(call->eval, 0);

	if (keys == NULL || seen == NULL || list == NULL)
		return false;
	for (size_t i = 0; i < items->n; i++)
	{
		JinjaValue	value;
		bool		found;

		if (!srm_jinja_dict_get(call->eval, seen, &keys->items[i], &value, &found))
			return false;
		if (!found && (!srm_jinja_dict_set(call->eval, seen, keys->items[i], srm_jinja_none()) ||
					   !srm_jinja_list_append(call->eval, list, items->items[i])))
			return false;
	}
	return srm_jinja_give_list(list, result);
}

static bool
filter_dictsort(JinjaCall *call, JinjaValue *result)
{
	JinjaString *by = NULL;
	const JinjaList *keys;
	JinjaList	parts;

	if (call->argv[1].type != JINJA_MISSING && (by = srm_jinja_arg_string(call, 1)) == NULL)
		return false;
	if (call->self.type != JINJA_DICT)
		return srm_jinja_fail(call->eval, "\"dictsort\" requires a dict, not \"%s\"",
							  srm_jinja_type_name(&call->self));
	parts.n = call->self.dict->n;
	parts.capacity = parts.n;
	parts.items = by != NULL && by->length == 5 ? call->self.dict->values : call->self.dict->keys;
	keys = fold_case(call, &parts, 0);
	*result = srm_jinja_list(srm_jinja_list_new(call->eval, parts.n));
	if (keys == NULL || result->list == NULL)
		return false;
	for (size_t i = 0; i < parts.n; i++)
	{
		if (!srm_jinja_pair(call->eval, call->self.dict->keys[i], call->self.dict->values[i],
							&result->list->items[result->list->n++]))
			return false;
	}
	return srm_jinja_sort(call->eval, result->list->items, keys->items, parts.n,
						  srm_jinja_arg_bool(call, 2, false));
}

static bool
filter_sum(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);

	if (items == NULL || (items = attributes(call, items, 0)) == NULL)
		return false;
	*result = call->argv[1].type == JINJA_MISSING ? srm_jinja_int(0) : call->argv[1];
	for (size_t i = 0; i < items->n; i++)
	{
		JinjaValue	sum = *result;

		if (!srm_jinja_charge(call->eval, 1) ||
			!srm_jinja_binary(call->eval, JINJA_ADD, &sum, &items->items[i], result))
			return false;
	}
	return true;
}

static bool
filter_batch(JinjaCall *call, JinjaValue *result)
{
	const JinjaList *items = items_of_self(call);
	JinjaList  *batches = srm_jinja_list_new(call->eval, 0);
	JinjaList  *batch = NULL;
	int64_t		size;

	if (items == NULL || batches == NULL || !srm_jinja_arg_int(call, 0, 0, &size))
		return false;
	if (size < 1)
		return srm_jinja_fail(call->eval, "size of a batch is less than 1");
	for (size_t i = 0; i < items->n; i++)
	{
		if (batch == NULL || (int64_t) batch->n == size)
		{
			batch = srm_jinja_list_new(call->eval, 0);
			if (batch == NULL || !srm_jinja_list_append(call->eval, batches, srm_jinja_list(batch)))
				return false;
		}
		if (!srm_jinja_charge(call->eval, 1) ||
			!srm_jinja_list_append(call->eval, batch, items->items[i]))
			return false;
	}
	while (batch != NULL && srm_jinja_arg_given(call, 1) && (int64_t) batch->n < size)
	{
		if (!srm_jinja_charge(call->eval, 1) ||
			!srm_jinja_list_append(call->eval, batch, call->argv[1]))
			return false;
	}
	return srm_jinja_give_list(batches, result);
}

static const JinjaBuiltin filters[] = {
	{"batch", filter_batch, "linecount fill_with", 1, 0},
	{"dictsort", filter_dictsort, "case_sensitive by reverse", 0, 0},
	{"first", filter_first, "", 0, 0},
	{"items", filter_items, "", 0, 0},
	{"join", filter_join, "d attribute", 0, 0},
	{"last", filter_first, "", 0, 1},
	{"list", filter_list, "", 0, 0},
	{"map", filter_map, NULL, 0, 0},
	{"max", filter_extreme, "case_sensitive attribute", 0, 1},
	{"min", filter_extreme, "case_sensitive attribute", 0, 0},
	{"reject", filter_select, NULL, 0, 1},
	{"rejectattr", filter_select, NULL, 0, 3},
	{"reverse", filter_reverse, "", 0, 0},
	{"select", filter_select, NULL, 0, 0},
	{"selectattr", filter_select, NULL, 0, 2},
	{"sort", filter_sort, "reverse case_sensitive attribute", 0, 0},
	{"sum", filter_sum, "attribute start", 0, 0},
	{"unique", filter_unique, "case_sensitive attribute", 0, 0},
};

const JinjaBuiltin *
srm_jinja_sequence_filter(const char *name)
{
	return srm_jinja_builtin_find(filters, sizeof(filters) / sizeof(filters[0]), name);
}
