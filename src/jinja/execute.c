/*-------------------------------------------------------------------------
 *
 * execute.c
 *	  The statements of a chat template, executed.
 *
 * A loop, a macro and some blocks have scopes of their own, an if has none;
 * what a macro reads is looked up where it was defined.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <string.h>

/* What eval->flow says about the statements that follow. */
enum
{
	FLOW_ON,
	FLOW_BREAK,
	FLOW_CONTINUE
};

static bool
assign_tuple(JinjaEval *eval, const JinjaNode *target, const JinjaValue *value)
{
	const JinjaList *items = srm_jinja_iterate(eval, value);
	size_t		n = 0;

	if (items == NULL)
		return false;
	for (const JinjaNode *item = target->items; item != NULL; item = item->next)
		n++;
	if (items->n != n)
		return srm_jinja_fail(eval, "cannot unpack %zu values into %zu names", items->n, n);
	n = 0;
	for (const JinjaNode *item = target->items; item != NULL; item = item->next)
	{
		JinjaValue	part = items->items[n++];

		/* The parser bounds how deep targets are */
		if (item->type == JINJA_TUPLE_OF ? !assign_tuple(eval, item, &part)
			: !srm_jinja_scope_set(eval, eval->scope, item->name, part))
			return false;
	}
	return true;
}

static bool
assign_to_namespace(JinjaEval *eval, const JinjaNode *target, JinjaValue value)
{
	JinjaValue	object = srm_jinja_none();

	if (!srm_jinja_scope_get(eval, target->name, &object))
		return false;
	if (object.type != JINJA_NAMESPACE)
		return srm_jinja_fail(eval, "cannot assign an attribute of \"%.60s\", which is no namespace",
							  target->name);
	if (target->value.string->data[0] == '_')
		return srm_jinja_fail(eval, "cannot assign an attribute that starts with \"_\"");
	return srm_jinja_dict_set(eval, object.dict, target->value, value);
}

static bool
assign(JinjaEval *eval, const JinjaNode *target, JinjaValue value)
{
	switch (target->type)
	{
		case JINJA_NAME:
			return srm_jinja_scope_set(eval, eval->scope, target->name, value);
		case JINJA_TUPLE_OF:
			return assign_tuple(eval, target, &value);
		default:
			return assign_to_namespace(eval, target, value);
	}
}

static bool
execute_output(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	value = srm_jinja_none();
	JinjaString *string;

	if (!srm_jinja_evaluate(eval, node->first, &value))
		return false;
	eval->line = node->line;
	string = srm_jinja_to_string(eval, &value);
	return string != NULL && srm_jinja_builder_string(eval, eval->output, string);
}

static bool
execute_if(JinjaEval *eval, const JinjaNode *node)
{
	/* An elif is the only statement in an else, down to the last */
	for (;;)
	{
		JinjaValue	condition = srm_jinja_none();

		if (!srm_jinja_evaluate(eval, node->first, &condition))
			return false;
		if (srm_jinja_truth(&condition))
			return srm_jinja_execute(eval, node->items);
		if (node->second == NULL || node->second->type != JINJA_IF || node->second->next != NULL)
			return srm_jinja_execute(eval, node->second);
		node = node->second;
	}
}

/* Statements in a scope of their own. */
static bool
execute_scoped(JinjaEval *eval, const JinjaNode *statements)
{
	JinjaScope *outer = eval->scope;
	bool		ok;

	eval->scope = srm_jinja_scope_new(eval, outer);
	ok = eval->scope != NULL && srm_jinja_execute(eval, statements);
	eval->scope = outer;
	return ok;
}

/* The same, with what they print in *text. */
static bool
execute_captured(JinjaEval *eval, const JinjaNode *statements, JinjaValue *text)
{
	JinjaBuilder *outer = eval->output;
	JinjaBuilder builder;
	bool		ok;

	srm_jinja_builder_init(&builder);
	eval->output = &builder;
	ok = execute_scoped(eval, statements);
	eval->output = outer;
	if (!ok)
		return false;
	*text = srm_jinja_string(srm_jinja_builder_finish(eval, &builder));
	return text->string != NULL;
}

/* Makes a scope as new, unless a macro holds on to it. */
static JinjaScope *
renew_scope(JinjaEval *eval, JinjaScope *scope)
{
	if (scope->captured)
		return srm_jinja_scope_new(eval, scope->parent);
	while (scope->variables != NULL)
	{
		JinjaVariable *variable = scope->variables;

		scope->variables = variable->next;
		variable->next = eval->free_variables;
		eval->free_variables = variable;
	}
	return scope;
}

/* Those items of a loop that its condition takes. */
static const JinjaList *
select_items(JinjaEval *eval, const JinjaNode *node, const JinjaList *items)
{
	JinjaList  *selected = srm_jinja_list_new(eval, 0);
	JinjaScope *outer = eval->scope;
	JinjaScope *scope = srm_jinja_scope_new(eval, outer);

	if (selected == NULL || scope == NULL)
		return NULL;
	for (size_t i = 0; i < items->n; i++)
	{
		JinjaValue	condition = srm_jinja_none();

		scope = renew_scope(eval, scope);
		if (scope == NULL)
			return NULL;
		eval->scope = scope;
		if (!assign(eval, node->second, items->items[i]) ||
			!srm_jinja_evaluate(eval, node->third, &condition))
			return NULL;
		if (srm_jinja_truth(&condition) &&
			!srm_jinja_list_append(eval, selected, items->items[i]))
			return NULL;
	}
	eval->scope = outer;
	return selected;
}

static bool
execute_loop(JinjaEval *eval, const JinjaNode *node, JinjaLoop *loop)
{
	JinjaScope *outer = eval->scope;
	JinjaScope *scope = srm_jinja_scope_new(eval, outer);
	JinjaValue	variable = {.type = JINJA_LOOP, .loop = loop};

	if (scope == NULL)
		return false;
	for (; loop->index < loop->items->n; loop->index++)
	{
		scope = renew_scope(eval, scope);
		if (scope == NULL)
			return false;
		eval->scope = scope;
		if (!srm_jinja_charge(eval, 1) ||
			!srm_jinja_scope_set(eval, scope, "loop", variable) ||
			!assign(eval, node->second, loop->items->items[loop->index]) ||
			!srm_jinja_execute(eval, node->items))
			return false;
		if (eval->flow == FLOW_BREAK)
			break;
		eval->flow = FLOW_ON;
	}
	eval->flow = FLOW_ON;
	eval->scope = outer;
	return true;
}

static bool
execute_for(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	iterable = srm_jinja_none();
	const JinjaList *items;
	JinjaLoop  *loop;

	if (!srm_jinja_evaluate(eval, node->first, &iterable))
		return false;
	eval->line = node->line;
	items = srm_jinja_iterate(eval, &iterable);
	if (items != NULL && node->third != NULL)
		items = select_items(eval, node, items);
	if (items == NULL)
		return false;
	if (items->n == 0)
		return execute_scoped(eval, node->fourth);
	loop = srm_jinja_alloc(eval, 1, sizeof(JinjaLoop));
	if (loop == NULL)
		return false;
	loop->items = items;
	return execute_loop(eval, node, loop);
}

static bool
execute_set(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	value = srm_jinja_none();

	return srm_jinja_evaluate(eval, node->first, &value) && assign(eval, node->second, value);
}

/* The filters of a block, whose text is in *value. */
static bool
filter_text(JinjaEval *eval, const JinjaNode *filters, JinjaValue *value)
{
	return filters == NULL || srm_jinja_evaluate(eval, filters, value);
}

static bool
execute_set_block(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	value = srm_jinja_none();

	return execute_captured(eval, node->items, &value) && filter_text(eval, node->third, &value) &&
		assign(eval, node->second, value);
}

static bool
execute_filter_block(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	value = srm_jinja_none();
	JinjaString *string;

	if (!execute_captured(eval, node->items, &value) || !filter_text(eval, node->third, &value))
		return false;
	string = srm_jinja_to_string(eval, &value);
	return string != NULL && srm_jinja_builder_string(eval, eval->output, string);
}

static bool
make_macro(JinjaEval *eval, const JinjaNode *node, JinjaValue *value)
{
	JinjaMacro *macro = srm_jinja_alloc(eval, 1, sizeof(JinjaMacro));

	if (macro == NULL)
		return false;
	macro->node = node;
	macro->scope = eval->scope;
	for (JinjaScope *scope = eval->scope; scope != NULL && !scope->captured; scope = scope->parent)
		scope->captured = true;
	*value = (JinjaValue) {.type = JINJA_MACRO, .macro = macro};
	return true;
}

static bool
execute_macro(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	value = srm_jinja_none();

	return make_macro(eval, node, &value) &&
		srm_jinja_scope_set(eval, eval->scope, node->name, value);
}

static bool
execute_call_block(JinjaEval *eval, const JinjaNode *node)
{
	JinjaValue	function = srm_jinja_none();
	JinjaValue	caller = srm_jinja_none();
	JinjaValue	name = srm_jinja_none();
	JinjaValue	result = srm_jinja_none();
	JinjaArguments arguments;
	JinjaString *string;

	if (!make_macro(eval, node->second, &caller) ||
		!srm_jinja_evaluate(eval, node->first->first, &function) ||
		!srm_jinja_evaluate_arguments(eval, node->first->items, &arguments) ||
		!srm_jinja_text(eval, "caller", &name) ||
		!srm_jinja_dict_set(eval, arguments.named, name, caller) ||
		!srm_jinja_call(eval, &function, &arguments, &result))
		return false;
	string = srm_jinja_to_string(eval, &result);
	return string != NULL && srm_jinja_builder_string(eval, eval->output, string);
}

/* The values are those outside, so that "with a = 1, b = a" sees the outer a. */
static bool
execute_with(JinjaEval *eval, const JinjaNode *node)
{
	JinjaScope *outer = eval->scope;
	JinjaScope *inner = srm_jinja_scope_new(eval, outer);
	bool		ok = inner != NULL;

	for (const JinjaNode *set = node->first; ok && set != NULL; set = set->next)
	{
		JinjaValue	value = srm_jinja_none();

		eval->scope = outer;
		ok = srm_jinja_evaluate(eval, set->first, &value);
		eval->scope = inner;
		ok = ok && assign(eval, set->second, value);
	}
	eval->scope = inner;
	ok = ok && srm_jinja_execute(eval, node->items);
	eval->scope = outer;
	return ok;
}

static bool
execute_statement(JinjaEval *eval, const JinjaNode *node)
{
	switch (node->type)
	{
		case JINJA_TEXT:
			return srm_jinja_builder_string(eval, eval->output, node->value.string);
		case JINJA_OUTPUT:
			return execute_output(eval, node);
		case JINJA_IF:
			return execute_if(eval, node);
		case JINJA_FOR:
			return execute_for(eval, node);
		case JINJA_SET:
			return execute_set(eval, node);
		case JINJA_SET_BLOCK:
			return execute_set_block(eval, node);
		case JINJA_FILTER_BLOCK:
			return execute_filter_block(eval, node);
		case JINJA_MACRO_OF:
			return execute_macro(eval, node);
		case JINJA_CALL_BLOCK:
			return execute_call_block(eval, node);
		case JINJA_WITH:
			return execute_with(eval, node);
		case JINJA_GENERATION:
			return execute_scoped(eval, node->items);
		default:
			eval->flow = node->type == JINJA_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
			return true;
	}
}

bool
srm_jinja_execute(JinjaEval *eval, const JinjaNode *statements)
{
	for (const JinjaNode *node = statements; node != NULL && eval->flow == FLOW_ON; node = node->next)
	{
		if (!srm_jinja_descend(eval, node->line) || !execute_statement(eval, node))
			return false;
		eval->depth--;
	}
	return true;
}

/* The argument for a parameter: by place, by name, its default, or undefined. */
static bool
bind_parameter(JinjaEval *eval, const JinjaNode *parameter, size_t place,
			   const JinjaArguments *arguments)
{
	const JinjaValue *named = srm_jinja_dict_name(arguments->named, parameter->name);
	JinjaValue	value = srm_jinja_undefined(parameter->name);

	if (place < arguments->positional->n && named != NULL)
		return srm_jinja_fail(eval, "macro has two values for argument \"%.60s\"",
							  parameter->name);
	if (place < arguments->positional->n)
		value = arguments->positional->items[place];
	else if (named != NULL)
		value = *named;
	else if (parameter->first != NULL && !srm_jinja_evaluate(eval, parameter->first, &value))
		return false;
	return srm_jinja_scope_set(eval, eval->scope, parameter->name, value);
}

/* Binds what a macro was called with in eval->scope. */
static bool
bind_parameters(JinjaEval *eval, const JinjaNode *macro, const JinjaArguments *arguments)
{
	const JinjaValue *caller = srm_jinja_dict_name(arguments->named, "caller");
	size_t		n = 0;
	size_t		n_named = caller != NULL;

	if (caller != NULL && !srm_jinja_scope_set(eval, eval->scope, "caller", *caller))
		return false;
	for (const JinjaNode *parameter = macro->first; parameter != NULL; parameter = parameter->next)
	{
		n_named += srm_jinja_dict_name(arguments->named, parameter->name) != NULL;
		if (!bind_parameter(eval, parameter, n++, arguments))
			return false;
	}
	if (arguments->positional->n > n)
		return srm_jinja_fail(eval, "macro \"%.60s\" has too many arguments", macro->name);
	if (arguments->named->n > n_named)
		return srm_jinja_fail(eval, "macro \"%.60s\" has an unexpected argument", macro->name);
	return true;
}

bool
srm_jinja_call_macro(JinjaEval *eval, const JinjaMacro *macro, const JinjaArguments *arguments,
					 JinjaValue *result)
{
	JinjaScope *caller = eval->scope;
	bool		ok;

	if (!srm_jinja_descend(eval, macro->node->line))
		return false;
	eval->scope = srm_jinja_scope_new(eval, macro->scope);
	ok = eval->scope != NULL && bind_parameters(eval, macro->node, arguments) &&
		execute_captured(eval, macro->node->items, result);
	eval->scope = caller;
	eval->depth--;
	return ok;
}
