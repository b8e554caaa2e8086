/*-------------------------------------------------------------------------
 *
 * expression.c
 *	  The expressions of a chat template as a tree.
 *
 * Precedence is Jinja's: if-else, or, and, not, comparisons, + and -, ~, the
 * other products, **, signs; then attributes, items, calls, filters, tests.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/syntax.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEVEL_CONCAT	1
#define LEVEL_UNARY		4

JinjaNode *
srm_jinja_node(JinjaParser *parser, JinjaNodeType type)
{
	JinjaNode  *node = srm_arena_array(parser->arena, 1, sizeof(JinjaNode), parser->status);

	if (node != NULL)
	{
		node->type = type;
		node->line = parser->token->line;
	}
	return node;
}

bool
srm_jinja_enter(JinjaParser *parser)
{
	if (++parser->depth > JINJA_MAX_SYNTAX)
		return srm_jinja_syntax_error(parser->status, parser->token->line,
									  "expression or block is nested too deeply");
	return true;
}

bool
srm_jinja_at(const JinjaParser *parser, const char *operator)
{
	return parser->token->type == JINJA_TOKEN_OPERATOR &&
		strcmp(parser->token->text, operator) == 0;
}

bool
srm_jinja_at_name(const JinjaParser *parser, const char *name)
{
	return parser->token->type == JINJA_TOKEN_NAME && strcmp(parser->token->text, name) == 0;
}

bool
srm_jinja_accept(JinjaParser *parser, const char *operator)
{
	if (!srm_jinja_at(parser, operator))
		return false;
	parser->token++;
	return true;
}

bool
srm_jinja_accept_name(JinjaParser *parser, const char *name)
{
	if (!srm_jinja_at_name(parser, name))
		return false;
	parser->token++;
	return true;
}

bool
srm_jinja_unexpected(JinjaParser *parser, const char *expected)
{
	const JinjaToken *token = parser->token;

	if (token->type == JINJA_TOKEN_EOF)
		return srm_jinja_syntax_error(parser->status, token->line,
									  "expected %s, but the template ends", expected);
	return srm_jinja_syntax_error(parser->status, token->line, "expected %s, but got \"%.40s\"",
								  expected, token->text);
}

void *
srm_jinja_refuse(JinjaParser *parser, const char *expected)
{
	srm_jinja_unexpected(parser, expected);
	return NULL;
}

bool
srm_jinja_expect(JinjaParser *parser, const char *operator)
{
	char		expected[16] = "\"";

	if (srm_jinja_accept(parser, operator))
		return true;
	strncat(expected, operator, 8);
	strcat(expected, "\"");
	return srm_jinja_unexpected(parser, expected);
}

const char *
srm_jinja_expect_name(JinjaParser *parser)
{
	if (parser->token->type != JINJA_TOKEN_NAME)
		return srm_jinja_refuse(parser, "a name");
	return (parser->token++)->text;
}

/* A node of this type over one or two others. */
static JinjaNode *
make_node(JinjaParser *parser, JinjaNodeType type, JinjaNode *first, JinjaNode *second)
{
	JinjaNode  *node;

	if (first == NULL)
		return NULL;
	node = srm_jinja_node(parser, type);
	if (node == NULL)
		return NULL;
	node->line = first->line;
	node->first = first;
	node->second = second;
	return node;
}

static JinjaNode *
make_constant(JinjaParser *parser, JinjaValue value)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_CONSTANT);

	if (node != NULL)
	{
		node->value = value;
		parser->token++;
	}
	return node;
}

/* Strings that follow each other are one. */
static JinjaNode *
parse_string(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_CONSTANT);
	JinjaString *string = srm_arena_array(parser->arena, 1, sizeof(JinjaString), parser->status);
	size_t		length = 0;
	size_t		at = 0;
	char	   *data;

	for (const JinjaToken *token = parser->token; token->type == JINJA_TOKEN_STRING; token++)
		length += token->length;
	data = srm_arena_alloc(parser->arena, length + 1, parser->status);
	if (node == NULL || string == NULL || data == NULL)
		return NULL;
	for (; parser->token->type == JINJA_TOKEN_STRING; parser->token++)
	{
		memcpy(data + at, parser->token->text, parser->token->length);
		at += parser->token->length;
	}
	data[length] = '\0';
	srm_jinja_string_init(string, data, length, SRM_FROM_TEMPLATE);
	node->value = srm_jinja_string(string);
	return node;
}

static JinjaNode *
parse_integer(JinjaParser *parser)
{
	const char *text = parser->token->text;
	long long	integer;

	errno = 0;
	integer = strtoll(text, NULL, 10);
	if (errno != 0 || (text[0] == '0' && strspn(text, "0") != strlen(text)))
	{
		srm_jinja_syntax_error(parser->status, parser->token->line, "invalid integer \"%s\"", text);
		return NULL;
	}
	return make_constant(parser, srm_jinja_int(integer));
}

static JinjaNode *
parse_name(JinjaParser *parser)
{
	const char *name = parser->token->text;
	JinjaNode  *node;

	if (strcmp(name, "true") == 0 || strcmp(name, "True") == 0)
		return make_constant(parser, srm_jinja_bool(true));
	if (strcmp(name, "false") == 0 || strcmp(name, "False") == 0)
		return make_constant(parser, srm_jinja_bool(false));
	if (strcmp(name, "none") == 0 || strcmp(name, "None") == 0)
		return make_constant(parser, srm_jinja_none());
	node = srm_jinja_node(parser, JINJA_NAME);
	if (node != NULL)
	{
		node->name = name;
		parser->token++;
	}
	return node;
}

/*
 * What stands between brackets, the first of which is the next token: items with commas between them,
 * and perhaps behind the last.  An item may be several nodes.
 */
static bool
parse_items(JinjaParser *parser, const char *end, JinjaNode *(*parse_item) (JinjaParser *),
			JinjaNode **items)
{
	JinjaNode **next = items;

	parser->token++;
	while (!srm_jinja_at(parser, end))
	{
		if (next != items && !srm_jinja_expect(parser, ","))
			return false;
		if (srm_jinja_at(parser, end))
			break;
		*next = parse_item(parser);
		if (*next == NULL)
			return false;
		while (*next != NULL)
			next = &(*next)->next;
	}
	parser->token++;
	return true;
}

static JinjaNode *
parse_element(JinjaParser *parser)
{
	return srm_jinja_parse_expression(parser, true);
}

/* A key and its value. */
static JinjaNode *
parse_entry(JinjaParser *parser)
{
	JinjaNode  *key = parse_element(parser);

	if (key == NULL || !srm_jinja_expect(parser, ":"))
		return NULL;
	key->next = parse_element(parser);
	return key->next == NULL ? NULL : key;
}

static JinjaNode *
parse_container(JinjaParser *parser, JinjaNodeType type, const char *end,
				JinjaNode *(*parse_item) (JinjaParser *))
{
	JinjaNode  *node = srm_jinja_node(parser, type);

	return node != NULL && parse_items(parser, end, parse_item, &node->items) ? node : NULL;
}

static JinjaNode *
parse_parentheses(JinjaParser *parser)
{
	JinjaNode  *node;

	parser->token++;
	if (srm_jinja_at(parser, ")"))
		node = srm_jinja_node(parser, JINJA_TUPLE_OF);
	else
		node = srm_jinja_parse_tuple(parser, true);
	if (node == NULL || !srm_jinja_expect(parser, ")"))
		return NULL;
	return node;
}

static JinjaNode *
parse_primary(JinjaParser *parser)
{
	switch (parser->token->type)
	{
		case JINJA_TOKEN_NAME:
			return parse_name(parser);
		case JINJA_TOKEN_STRING:
			return parse_string(parser);
		case JINJA_TOKEN_INTEGER:
			return parse_integer(parser);
		case JINJA_TOKEN_FLOAT:
			return make_constant(parser, srm_jinja_float(strtod(parser->token->text, NULL)));
		default:
			break;
	}
	if (srm_jinja_at(parser, "("))
		return parse_parentheses(parser);
	if (srm_jinja_at(parser, "["))
		return parse_container(parser, JINJA_LIST_OF, "]", parse_element);
	if (srm_jinja_at(parser, "{"))
		return parse_container(parser, JINJA_DICT_OF, "}", parse_entry);
	return srm_jinja_refuse(parser, "an expression");
}

static JinjaNode *
parse_argument(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_ARGUMENT);

	if (node == NULL)
		return NULL;
	if (srm_jinja_accept(parser, "*"))
		node->op = 1;
	else if (srm_jinja_accept(parser, "**"))
		node->op = 2;
	else if (parser->token->type == JINJA_TOKEN_NAME &&
			 parser->token[1].type == JINJA_TOKEN_OPERATOR &&
			 strcmp(parser->token[1].text, "=") == 0)
	{
		node->name = parser->token->text;
		parser->token += 2;
	}
	node->first = srm_jinja_parse_expression(parser, true);
	return node->first == NULL ? NULL : node;
}

/* The part of a slice up to ":" or "]"; NULL without a failure where left out. */
static bool
parse_bound(JinjaParser *parser, JinjaNode **bound)
{
	if (srm_jinja_at(parser, ":") || srm_jinja_at(parser, "]"))
		return true;
	*bound = srm_jinja_parse_expression(parser, true);
	return *bound != NULL;
}

static JinjaNode *
parse_subscript(JinjaParser *parser, JinjaNode *object)
{
	JinjaNode  *node = make_node(parser, JINJA_ITEM, object, NULL);

	parser->token++;
	if (node == NULL || !parse_bound(parser, &node->second))
		return NULL;
	if (srm_jinja_accept(parser, ":"))
	{
		node->type = JINJA_SLICE;
		if (!parse_bound(parser, &node->third))
			return NULL;
		if (srm_jinja_accept(parser, ":") && !parse_bound(parser, &node->fourth))
			return NULL;
	}
	if (node->type == JINJA_ITEM && node->second == NULL)
		return srm_jinja_refuse(parser, "an index");
	return srm_jinja_expect(parser, "]") ? node : NULL;
}

/* After the dot: a name, or the number of an item. */
static JinjaNode *
parse_attribute(JinjaParser *parser, JinjaNode *object)
{
	JinjaNode  *node;

	parser->token++;
	if (parser->token->type == JINJA_TOKEN_INTEGER)
	{
		node = make_node(parser, JINJA_ITEM, object, NULL);
		if (node == NULL)
			return NULL;
		node->second = parse_integer(parser);
		return node->second == NULL ? NULL : node;
	}
	node = make_node(parser, JINJA_ATTRIBUTE, object, NULL);
	if (node == NULL)
		return NULL;
	node->name = srm_jinja_expect_name(parser);
	return node->name == NULL ? NULL : node;
}

static JinjaNode *
parse_call(JinjaParser *parser, JinjaNode *function)
{
	JinjaNode  *node = make_node(parser, JINJA_CALL, function, NULL);

	return node != NULL && parse_items(parser, ")", parse_argument, &node->items) ? node : NULL;
}

static JinjaNode *
parse_postfix(JinjaParser *parser, JinjaNode *node)
{
	while (node != NULL)
	{
		if (srm_jinja_at(parser, "."))
			node = parse_attribute(parser, node);
		else if (srm_jinja_at(parser, "["))
			node = parse_subscript(parser, node);
		else if (srm_jinja_at(parser, "("))
			node = parse_call(parser, node);
		else
			break;
	}
	return node;
}

/* Whether an argument without parentheses follows a test's name. */
static bool
at_test_argument(const JinjaParser *parser)
{
	switch (parser->token->type)
	{
		case JINJA_TOKEN_STRING:
		case JINJA_TOKEN_INTEGER:
		case JINJA_TOKEN_FLOAT:
			return true;
		case JINJA_TOKEN_NAME:
			return !srm_jinja_at_name(parser, "else") && !srm_jinja_at_name(parser, "or") &&
				!srm_jinja_at_name(parser, "and");
		default:
			return srm_jinja_at(parser, "[") || srm_jinja_at(parser, "{");
	}
}

static JinjaNode *
parse_test(JinjaParser *parser, JinjaNode *first)
{
	bool		negated;
	JinjaNode  *node;

	parser->token++;
	negated = srm_jinja_accept_name(parser, "not");
	node = make_node(parser, JINJA_TEST, first, NULL);
	if (node == NULL || (node->name = srm_jinja_expect_name(parser)) == NULL)
		return NULL;
	if (srm_jinja_at(parser, "("))
	{
		if (!parse_items(parser, ")", parse_argument, &node->items))
			return NULL;
	}
	else if (srm_jinja_at_name(parser, "is"))
		return srm_jinja_refuse(parser, "the end of the test");
	else if (at_test_argument(parser))
	{
		node->items = srm_jinja_node(parser, JINJA_ARGUMENT);
		if (node->items == NULL)
			return NULL;
		node->items->first = parse_postfix(parser, parse_primary(parser));
		if (node->items->first == NULL)
			return NULL;
	}
	return negated ? make_node(parser, JINJA_NOT, node, NULL) : node;
}

JinjaNode *
srm_jinja_parse_filters(JinjaParser *parser, JinjaNode *first)
{
	for (;;)
	{
		JinjaNode  *node = srm_jinja_node(parser, JINJA_FILTER);

		if (node == NULL || (node->name = srm_jinja_expect_name(parser)) == NULL)
			return NULL;
		node->first = first;
		if (srm_jinja_at(parser, "(") && !parse_items(parser, ")", parse_argument, &node->items))
			return NULL;
		first = node;
		if (!srm_jinja_accept(parser, "|"))
			return first;
	}
}

static JinjaNode *
parse_filters_and_tests(JinjaParser *parser, JinjaNode *node)
{
	while (node != NULL)
	{
		if (srm_jinja_accept(parser, "|"))
			node = srm_jinja_parse_filters(parser, node);
		else if (srm_jinja_at_name(parser, "is"))
			node = parse_test(parser, node);
		else if (srm_jinja_at(parser, "("))
			node = parse_call(parser, node);
		else
			break;
	}
	return node;
}

static JinjaNode *
parse_unary(JinjaParser *parser, bool with_filters)
{
	JinjaNode  *node;
	bool		negative = srm_jinja_at(parser, "-");

	if (!srm_jinja_enter(parser))
		return NULL;
	if (negative || srm_jinja_at(parser, "+"))
	{
		parser->token++;
		node = make_node(parser, negative ? JINJA_NEGATIVE : JINJA_POSITIVE,
						 parse_unary(parser, false), NULL);
	}
	else
		node = parse_primary(parser);
	node = parse_postfix(parser, node);
	if (with_filters)
		node = parse_filters_and_tests(parser, node);
	parser->depth--;
	return node;
}

/* Whether an operator of this level comes next, from + and - (0) to ** (3). */
static bool
at_operator(const JinjaParser *parser, int level, int *op)
{
	static const struct
	{
		const char *text;
		int			level;
		JinjaOperator op;
	}			operators[] = {
		{"+", 0, JINJA_ADD}, {"-", 0, JINJA_SUBTRACT},
		{"*", 2, JINJA_MULTIPLY}, {"/", 2, JINJA_DIVIDE}, {"//", 2, JINJA_FLOOR_DIVIDE},
		{"%", 2, JINJA_MODULO}, {"**", 3, JINJA_POWER},
	};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
	{
		if (operators[i].level != level || !srm_jinja_at(parser, operators[i].text))
			continue;
		*op = operators[i].op;
		return true;
	}
	return false;
}

static JinjaNode *parse_math(JinjaParser *parser, int level);

/* "a ~ b ~ c" is one node of three items; left is the first. */
static JinjaNode *
parse_concat(JinjaParser *parser, JinjaNode *left)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_CONCAT);
	JinjaNode **next = &left->next;

	if (node == NULL)
		return NULL;
	node->line = left->line;
	node->items = left;
	while (srm_jinja_accept(parser, "~"))
	{
		*next = parse_math(parser, LEVEL_CONCAT + 1);
		if (*next == NULL)
			return NULL;
		next = &(*next)->next;
	}
	return node;
}

static JinjaNode *
parse_math(JinjaParser *parser, int level)
{
	JinjaNode  *left;
	int			op;

	if (level == LEVEL_UNARY)
		return parse_unary(parser, true);
	left = parse_math(parser, level + 1);
	if (left != NULL && level == LEVEL_CONCAT && srm_jinja_at(parser, "~"))
		return parse_concat(parser, left);
	while (left != NULL && at_operator(parser, level, &op))
	{
		JinjaNode  *right;

		parser->token++;
		right = parse_math(parser, level + 1);
		left = right == NULL ? NULL : make_node(parser, JINJA_BINARY, left, right);
		if (left != NULL)
			left->op = op;
	}
	return left;
}

/* Whether a comparison comes next; takes it. */
static bool
accept_comparison(JinjaParser *parser, int *op)
{
	static const struct
	{
		const char *text;
		JinjaOperator op;
	}			operators[] = {
		{"==", JINJA_EQ}, {"!=", JINJA_NE}, {"<", JINJA_LT}, {"<=", JINJA_LE},
		{">", JINJA_GT}, {">=", JINJA_GE},
	};

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
	{
		*op = operators[i].op;
		if (srm_jinja_accept(parser, operators[i].text))
			return true;
	}
	*op = JINJA_IN;
	if (srm_jinja_accept_name(parser, "in"))
		return true;
	*op = JINJA_NOT_IN;
	if (srm_jinja_at_name(parser, "not") && parser->token[1].type == JINJA_TOKEN_NAME &&
		strcmp(parser->token[1].text, "in") == 0)
	{
		parser->token += 2;
		return true;
	}
	return false;
}

static JinjaNode *
parse_comparison(JinjaParser *parser)
{
	JinjaNode  *left = parse_math(parser, 0);
	JinjaNode **next = NULL;
	int			op;

	while (left != NULL && accept_comparison(parser, &op))
	{
		JinjaNode  *operand;

		if (next == NULL)
		{
			left = make_node(parser, JINJA_COMPARE, left, NULL);
			if (left == NULL)
				return NULL;
			next = &left->items;
		}
		operand = make_node(parser, JINJA_OPERAND, parse_math(parser, 0), NULL);
		if (operand == NULL)
			return NULL;
		operand->op = op;
		*next = operand;
		next = &operand->next;
	}
	return left;
}

static JinjaNode *
parse_not(JinjaParser *parser)
{
	JinjaNode  *node;

	if (!srm_jinja_at_name(parser, "not"))
		return parse_comparison(parser);
	if (!srm_jinja_enter(parser))
		return NULL;
	parser->token++;
	node = make_node(parser, JINJA_NOT, parse_not(parser), NULL);
	parser->depth--;
	return node;
}

static JinjaNode *
parse_and(JinjaParser *parser)
{
	JinjaNode  *left = parse_not(parser);

	while (left != NULL && srm_jinja_accept_name(parser, "and"))
	{
		JinjaNode  *right = parse_not(parser);

		left = right == NULL ? NULL : make_node(parser, JINJA_AND, left, right);
	}
	return left;
}

static JinjaNode *
parse_or(JinjaParser *parser)
{
	JinjaNode  *left = parse_and(parser);

	while (left != NULL && srm_jinja_accept_name(parser, "or"))
	{
		JinjaNode  *right = parse_and(parser);

		left = right == NULL ? NULL : make_node(parser, JINJA_OR, left, right);
	}
	return left;
}

static JinjaNode *
parse_conditional(JinjaParser *parser)
{
	JinjaNode  *node = parse_or(parser);

	while (node != NULL && srm_jinja_accept_name(parser, "if"))
	{
		JinjaNode  *condition = parse_or(parser);

		node = make_node(parser, JINJA_CONDITIONAL, condition, node);
		if (node == NULL || !srm_jinja_accept_name(parser, "else"))
			continue;
		node->third = srm_jinja_parse_expression(parser, true);
		if (node->third == NULL)
			return NULL;
	}
	return node;
}

JinjaNode *
srm_jinja_parse_expression(JinjaParser *parser, bool with_condition)
{
	JinjaNode  *node;

	if (!srm_jinja_enter(parser))
		return NULL;
	node = with_condition ? parse_conditional(parser) : parse_or(parser);
	parser->depth--;
	return node;
}

bool
srm_jinja_at_tuple_end(const JinjaParser *parser)
{
	return parser->token->type == JINJA_TOKEN_VARIABLE_END ||
		parser->token->type == JINJA_TOKEN_BLOCK_END || srm_jinja_at(parser, ")") ||
		srm_jinja_at(parser, "=") || srm_jinja_at_name(parser, "in");
}

JinjaNode *
srm_jinja_parse_tuple(JinjaParser *parser, bool with_condition)
{
	JinjaNode  *first = srm_jinja_parse_expression(parser, with_condition);
	JinjaNode **next;
	JinjaNode  *node;

	if (first == NULL || !srm_jinja_at(parser, ","))
		return first;
	node = srm_jinja_node(parser, JINJA_TUPLE_OF);
	if (node == NULL)
		return NULL;
	node->items = first;
	next = &first->next;
	while (srm_jinja_accept(parser, ",") && !srm_jinja_at_tuple_end(parser))
	{
		*next = srm_jinja_parse_expression(parser, with_condition);
		if (*next == NULL)
			return NULL;
		next = &(*next)->next;
	}
	return node;
}
