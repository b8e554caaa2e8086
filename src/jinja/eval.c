/*-------------------------------------------------------------------------
 *
 * eval.c
 *	  The expressions of a chat template, evaluated.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <string.h>

bool
srm_jinja_descend(JinjaEval *eval, int line)
{
	eval->line = line;
	if (++eval->depth > JINJA_MAX_DEPTH)
		return srm_fail(eval->status, SRM_LIMIT_EXCEEDED,
						"chat template is nested too deeply at line %d", line);
	return srm_jinja_charge(eval, 1);
}

JinjaScope *
srm_jinja_scope_new(JinjaEval *eval, JinjaScope *parent)
{
	JinjaScope *scope = srm_jinja_alloc(eval, 1, sizeof(JinjaScope));

	if (scope != NULL)
		scope->parent = parent;
	return scope;
}

/* The variable in this scope itself, or NULL; false: too many steps. */
static bool
find_variable(JinjaEval *eval, JinjaScope *scope, const char *name, JinjaVariable **found)
{
	size_t		n = 0;

	for (*found = scope->variables; *found != NULL; *found = (*found)->next)
	{
		if (strcmp((*found)->name, name) == 0)
			break;
		n++;
	}
	return srm_jinja_charge(eval, n / 8);
}

bool
srm_jinja_scope_set(JinjaEval *eval, JinjaScope *scope, const char *name, JinjaValue value)
{
	JinjaVariable *variable;

	if (!find_variable(eval, scope, name, &variable))
		return false;
	if (variable == NULL)
	{
		variable = eval->free_variables;
		if (variable != NULL)
			eval->free_variables = variable->next;
		else if ((variable = srm_jinja_alloc(eval, 1, sizeof(JinjaVariable))) == NULL)
			return false;
		variable->name = name;
		variable->next = scope->variables;
		scope->variables = variable;
	}
	variable->value = value;
	return true;
}

bool
srm_jinja_scope_get(JinjaEval *eval, const char *name, JinjaValue *value)
{
	const JinjaBuiltin *global;
	JinjaBound *bound;

	for (JinjaScope *scope = eval->scope; scope != NULL; scope = scope->parent)
	{
		JinjaVariable *variable;

		if (!find_variable(eval, scope, name, &variable))
			return false;
		if (variable == NULL)
			continue;
		*value = variable->value;
		return true;
	}
	*value = srm_jinja_undefined(name);
	global = srm_jinja_global(name);
	if (global == NULL || (strcmp(name, "strftime_now") == 0 && eval->date == NULL))
		return true;
	bound = srm_jinja_alloc(eval, 1, sizeof(JinjaBound));
	if (bound == NULL)
		return false;
	bound->builtin = global;
	bound->self = srm_jinja_none();
	*value = (JinjaValue) {.type = JINJA_BOUND, .bound = bound};
	return true;
}

/* Places of the parameters that text names; the one called name, or -1. */
static int
find_parameter(const char *parameters, const JinjaString *name)
{
	for (int i = 0; *parameters != '\0'; i++)
	{
		size_t		length = strcspn(parameters, " ");

		if (length == name->length && memcmp(parameters, name->data, length) == 0)
			return i;
		parameters += length + (parameters[length] == ' ');
	}
	return -1;
}

static size_t
count_parameters(const char *parameters)
{
	size_t		n = *parameters != '\0';

	for (; *parameters != '\0'; parameters++)
		n += *parameters == ' ';
	return n;
}

static bool
bind_arguments(JinjaCall *call)
{
	const JinjaBuiltin *builtin = call->builtin;
	const JinjaList *positional = call->arguments->positional;
	const JinjaDict *named = call->arguments->named;

	if (positional->n > count_parameters(builtin->parameters))
		return srm_jinja_fail(call->eval, "\"%s\" has too many arguments", builtin->name);
	for (size_t i = 0; i < positional->n; i++)
		call->argv[i] = positional->items[i];
	for (size_t i = 0; i < named->n; i++)
	{
		const JinjaString *name = named->keys[i].string;
		int			place = find_parameter(builtin->parameters, name);

		if (place < 0 || call->argv[place].type != JINJA_MISSING)
			return srm_jinja_fail(call->eval, "\"%s\" has an unexpected argument \"%.*s\"",
								  builtin->name, (int) (name->length < 40 ? name->length : 40),
								  name->data);
		call->argv[place] = named->values[i];
	}
	for (int i = 0; i < builtin->n_required; i++)
	{
		if (call->argv[i].type == JINJA_MISSING)
			return srm_jinja_fail(call->eval, "\"%s\" has too few arguments", builtin->name);
	}
	return true;
}

bool
srm_jinja_call_builtin(JinjaEval *eval, const JinjaBuiltin *builtin, const JinjaValue *self,
					   const JinjaArguments *arguments, JinjaValue *result)
{
	JinjaCall	call = {.eval = eval, .builtin = builtin, .self = *self, .arguments = arguments};

	if (builtin->parameters != NULL && !bind_arguments(&call))
		return false;
	return builtin->function(&call, result);
}

bool
srm_jinja_call(JinjaEval *eval, const JinjaValue *function, const JinjaArguments *arguments,
			   JinjaValue *result)
{
	switch (function->type)
	{
		case JINJA_BOUND:
			return srm_jinja_call_builtin(eval, function->bound->builtin, &function->bound->self,
										  arguments, result);
		case JINJA_MACRO:
			return srm_jinja_call_macro(eval, function->macro, arguments, result);
		case JINJA_UNDEFINED:
			return srm_jinja_unsupported(eval, "function or method \"%s\"",
										 function->name == NULL ? "" : function->name);
		default:
			return srm_jinja_fail(eval, "\"%s\" cannot be called", srm_jinja_type_name(function));
	}
}

bool
srm_jinja_apply_filter(JinjaEval *eval, const char *name, const JinjaValue *value,
					   const JinjaArguments *arguments, JinjaValue *result)
{
	const JinjaBuiltin *filter = srm_jinja_filter(name);

	if (filter == NULL)
		filter = srm_jinja_sequence_filter(name);
	if (filter == NULL)
		return srm_jinja_unsupported(eval, "filter \"%.60s\"", name);
	return srm_jinja_call_builtin(eval, filter, value, arguments, result);
}

bool
srm_jinja_apply_test(JinjaEval *eval, const char *name, const JinjaValue *value,
					 const JinjaArguments *arguments, bool *result)
{
	const JinjaBuiltin *test = srm_jinja_test(name);
	JinjaValue	answer = srm_jinja_bool(false);

	if (test == NULL)
		return srm_jinja_unsupported(eval, "test \"%.60s\"", name);
	if (!srm_jinja_call_builtin(eval, test, value, arguments, &answer))
		return false;
	*result = srm_jinja_truth(&answer);
	return true;
}

/* The items of *sequence, behind the positional arguments. */
static bool
spread_list(JinjaEval *eval, JinjaArguments *arguments, const JinjaValue *sequence)
{
	const JinjaList *items = srm_jinja_iterate(eval, sequence);

	for (size_t i = 0; items != NULL && i < items->n; i++)
	{
		if (!srm_jinja_list_append(eval, arguments->positional, items->items[i]))
			return false;
	}
	return items != NULL;
}

static bool
spread_dict(JinjaEval *eval, JinjaArguments *arguments, const JinjaValue *value)
{
	if (value->type != JINJA_DICT)
		return srm_jinja_fail(eval, "argument after \"**\" is a \"%s\", not a dict",
							  srm_jinja_type_name(value));
	for (size_t i = 0; i < value->dict->n; i++)
	{
		if (value->dict->keys[i].type != JINJA_STRING)
			return srm_jinja_fail(eval, "argument after \"**\" has a key that is no string");
		if (!srm_jinja_dict_set(eval, arguments->named, value->dict->keys[i],
								value->dict->values[i]))
			return false;
	}
	return true;
}

static bool
add_named(JinjaEval *eval, JinjaArguments *arguments, const char *name, JinjaValue value)
{
	JinjaValue	key;

	if (!srm_jinja_text(eval, name, &key))
		return false;
	return srm_jinja_dict_set(eval, arguments->named, key, value);
}

bool
srm_jinja_evaluate_arguments(JinjaEval *eval, const JinjaNode *items, JinjaArguments *arguments)
{
	arguments->positional = srm_jinja_list_new(eval, 0);
	arguments->named = srm_jinja_dict_new(eval, 0);
	if (arguments->positional == NULL || arguments->named == NULL)
		return false;
	for (; items != NULL; items = items->next)
	{
		JinjaValue	value = srm_jinja_none();
		bool		ok;

		if (!srm_jinja_evaluate(eval, items->first, &value))
			return false;
		if (items->op == 1)
			ok = spread_list(eval, arguments, &value);
		else if (items->op == 2)
			ok = spread_dict(eval, arguments, &value);
		else if (items->name != NULL)
			ok = add_named(eval, arguments, items->name, value);
		else
			ok = srm_jinja_list_append(eval, arguments->positional, value);
		if (!ok)
			return false;
	}
	return true;
}

static bool
evaluate_list(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaList  *list = srm_jinja_list_new(eval, 0);

	if (list == NULL)
		return false;
	for (const JinjaNode *item = node->items; item != NULL; item = item->next)
	{
		JinjaValue	value = srm_jinja_none();

		if (!srm_jinja_evaluate(eval, item, &value) ||
			!srm_jinja_list_append(eval, list, value))
			return false;
	}
	*result = node->type == JINJA_LIST_OF ? srm_jinja_list(list) : srm_jinja_tuple(list);
	return true;
}

static bool
evaluate_dict(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaDict  *dict = srm_jinja_dict_new(eval, 0);

	if (dict == NULL)
		return false;
	for (const JinjaNode *item = node->items; item != NULL; item = item->next->next)
	{
		JinjaValue	key = srm_jinja_none();
		JinjaValue	value = srm_jinja_none();

		if (!srm_jinja_evaluate(eval, item, &key) ||
			!srm_jinja_evaluate(eval, item->next, &value) ||
			!srm_jinja_dict_set(eval, dict, key, value))
			return false;
	}
	*result = (JinjaValue) {.type = JINJA_DICT, .dict = dict};
	return true;
}

static bool
evaluate_concat(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaString *whole = srm_jinja_string_new(eval, "", 0, SRM_FROM_TEMPLATE);

	for (const JinjaNode *item = node->items; item != NULL; item = item->next)
	{
		JinjaValue	value = srm_jinja_none();
		JinjaString *part;

		if (whole == NULL || !srm_jinja_evaluate(eval, item, &value))
			return false;
		part = srm_jinja_to_string(eval, &value);
		if (part == NULL)
			return false;
		whole = srm_jinja_concat(eval, whole, part);
	}
	*result = srm_jinja_string(whole);
	return whole != NULL;
}

static bool
evaluate_compare(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	left = srm_jinja_none();
	bool		holds = true;

	if (!srm_jinja_evaluate(eval, node->first, &left))
		return false;
	for (const JinjaNode *item = node->items; item != NULL && holds; item = item->next)
	{
		JinjaValue	right = srm_jinja_none();

		if (!srm_jinja_evaluate(eval, item->first, &right) ||
			!srm_jinja_relation(eval, item->op, &left, &right, &holds))
			return false;
		left = right;
	}
	*result = srm_jinja_bool(holds);
	return true;
}

static bool
evaluate_conditional(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	condition = srm_jinja_none();

	if (!srm_jinja_evaluate(eval, node->first, &condition))
		return false;
	if (srm_jinja_truth(&condition))
		return srm_jinja_evaluate(eval, node->second, result);
	if (node->third != NULL)
		return srm_jinja_evaluate(eval, node->third, result);
	*result = srm_jinja_undefined("conditional without \"else\"");
	return true;
}

static bool
evaluate_item(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	object = srm_jinja_none();
	JinjaValue	key = srm_jinja_none();

	return srm_jinja_evaluate(eval, node->first, &object) &&
		srm_jinja_evaluate(eval, node->second, &key) &&
		srm_jinja_item(eval, &object, &key, result);
}

static bool
evaluate_slice(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	const JinjaNode *nodes[3] = {node->second, node->third, node->fourth};
	JinjaValue	bounds[3];
	JinjaValue	object = srm_jinja_none();

	if (!srm_jinja_evaluate(eval, node->first, &object))
		return false;
	for (int i = 0; i < 3; i++)
	{
		bounds[i] = srm_jinja_none();
		if (nodes[i] != NULL && !srm_jinja_evaluate(eval, nodes[i], &bounds[i]))
			return false;
	}
	return srm_jinja_slice(eval, &object, bounds, result);
}

static bool
evaluate_call(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	function = srm_jinja_none();
	JinjaArguments arguments;

	if (!srm_jinja_evaluate(eval, node->first, &function) ||
		!srm_jinja_evaluate_arguments(eval, node->items, &arguments))
		return false;
	eval->line = node->line;
	return srm_jinja_call(eval, &function, &arguments, result);
}

static bool
evaluate_filter(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	value = *result;	/* the text of a filter block, which has no first */
	JinjaArguments arguments;

	if ((node->first != NULL && !srm_jinja_evaluate(eval, node->first, &value)) ||
		!srm_jinja_evaluate_arguments(eval, node->items, &arguments))
		return false;
	eval->line = node->line;
	return srm_jinja_apply_filter(eval, node->name, &value, &arguments, result);
}

static bool
evaluate_test(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	value = srm_jinja_none();
	JinjaArguments arguments;
	bool		answer = false;

	if (!srm_jinja_evaluate(eval, node->first, &value) ||
		!srm_jinja_evaluate_arguments(eval, node->items, &arguments))
		return false;
	eval->line = node->line;
	if (!srm_jinja_apply_test(eval, node->name, &value, &arguments, &answer))
		return false;
	*result = srm_jinja_bool(answer);
	return true;
}

static bool
evaluate_binary(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	left = srm_jinja_none();
	JinjaValue	right = srm_jinja_none();

	if (!srm_jinja_evaluate(eval, node->first, &left) ||
		!srm_jinja_evaluate(eval, node->second, &right))
		return false;
	eval->line = node->line;
	return srm_jinja_binary(eval, node->op, &left, &right, result);
}

/* and, or: the value that decides. */
static bool
evaluate_logic(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	if (!srm_jinja_evaluate(eval, node->first, result))
		return false;
	if (srm_jinja_truth(result) == (node->type == JINJA_OR))
		return true;
	return srm_jinja_evaluate(eval, node->second, result);
}

/* not, -, +, and attributes: what has one operand. */
static bool
evaluate_unary(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	JinjaValue	value = srm_jinja_none();

	if (!srm_jinja_evaluate(eval, node->first, &value))
		return false;
	eval->line = node->line;
	switch (node->type)
	{
		case JINJA_NOT:
			*result = srm_jinja_bool(!srm_jinja_truth(&value));
			return true;
		case JINJA_ATTRIBUTE:
			return srm_jinja_attribute(eval, &value, node->name, result);
		case JINJA_NEGATIVE:
			return srm_jinja_negate(eval, &value, result);
		default:
			if (!srm_jinja_is_number(&value))
				return srm_jinja_fail(eval, "cannot apply \"+\" to \"%s\"",
									  srm_jinja_type_name(&value));
			*result = value.type == JINJA_BOOL ? srm_jinja_int(value.boolean) : value;
			return true;
	}
}

static bool
evaluate_node(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	switch (node->type)
	{
		case JINJA_CONSTANT:
			*result = node->value;
			return true;
		case JINJA_NAME:
			return srm_jinja_scope_get(eval, node->name, result);
		case JINJA_LIST_OF:
		case JINJA_TUPLE_OF:
			return evaluate_list(eval, node, result);
		case JINJA_DICT_OF:
			return evaluate_dict(eval, node, result);
		case JINJA_AND:
		case JINJA_OR:
			return evaluate_logic(eval, node, result);
		case JINJA_BINARY:
			return evaluate_binary(eval, node, result);
		case JINJA_CONCAT:
			return evaluate_concat(eval, node, result);
		case JINJA_COMPARE:
			return evaluate_compare(eval, node, result);
		case JINJA_CONDITIONAL:
			return evaluate_conditional(eval, node, result);
		case JINJA_ITEM:
			return evaluate_item(eval, node, result);
		case JINJA_SLICE:
			return evaluate_slice(eval, node, result);
		case JINJA_CALL:
			return evaluate_call(eval, node, result);
		case JINJA_FILTER:
			return evaluate_filter(eval, node, result);
		case JINJA_TEST:
			return evaluate_test(eval, node, result);
		default:
			return evaluate_unary(eval, node, result);
	}
}

bool
srm_jinja_evaluate(JinjaEval *eval, const JinjaNode *node, JinjaValue *result)
{
	bool		ok;

	if (!srm_jinja_descend(eval, node->line))
		return false;
	ok = evaluate_node(eval, node, result);
	eval->depth--;
	return ok;
}
