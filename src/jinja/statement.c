/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  The statements of a chat template as a tree.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/syntax.h"

#include <string.h>

static JinjaNode *parse_statement(JinjaParser *parser);

/* Whether the next tokens start a block with one of the words, "|a|b|". */
static bool
at_block(const JinjaParser *parser, const char *words)
{
	const JinjaToken *word = parser->token + 1;

	if (parser->token->type != JINJA_TOKEN_BLOCK_BEGIN || word->type != JINJA_TOKEN_NAME)
		return false;
	while (*words != '\0')
	{
		size_t		length = strcspn(words + 1, "|");

		if (length == word->length && length > 0 && memcmp(words + 1, word->text, length) == 0)
			return true;
		words += 1 + length;
	}
	return false;
}

static bool
end_block(JinjaParser *parser)
{
	if (parser->token->type != JINJA_TOKEN_BLOCK_END)
		return srm_jinja_unexpected(parser, "the end of the block");
	parser->token++;
	return true;
}

/* Takes "{% word" of a block whose word at_block() has seen. */
static void
take_word(JinjaParser *parser)
{
	parser->token += 2;
}

static JinjaNode *
parse_output(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_OUTPUT);

	if (node == NULL)
		return NULL;
	parser->token++;
	node->first = srm_jinja_parse_tuple(parser, true);
	if (node->first == NULL)
		return NULL;
	if (parser->token->type != JINJA_TOKEN_VARIABLE_END)
		return srm_jinja_refuse(parser, "\"}}\"");
	parser->token++;
	return node;
}

static JinjaNode *
parse_text(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_TEXT);
	JinjaString *string = srm_arena_array(parser->arena, 1, sizeof(JinjaString), parser->status);

	if (node == NULL || string == NULL)
		return NULL;
	srm_jinja_string_init(string, parser->token->text, parser->token->length, SRM_FROM_TEMPLATE);
	node->value = srm_jinja_string(string);
	parser->token++;
	return node;
}

static JinjaNode *parse_target(JinjaParser *parser, bool with_namespace);

/* Words that the expression parser takes for values. */
static bool
is_constant(const char *name)
{
	static const char *const names[] = {"true", "True", "false", "False", "none", "None"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static JinjaNode *
parse_single_target(JinjaParser *parser)
{
	JinjaNode  *node;

	if (srm_jinja_accept(parser, "("))
	{
		if (!srm_jinja_enter(parser))
			return NULL;
		node = parse_target(parser, false);
		parser->depth--;
		return node != NULL && srm_jinja_expect(parser, ")") ? node : NULL;
	}
	if (parser->token->type != JINJA_TOKEN_NAME)
		return srm_jinja_refuse(parser, "a name to assign to");
	if (is_constant(parser->token->text))
	{
		srm_jinja_syntax_error(parser->status, parser->token->line, "cannot assign to \"%s\"",
							   parser->token->text);
		return NULL;
	}
	node = srm_jinja_node(parser, JINJA_NAME);
	if (node != NULL)
		node->name = (parser->token++)->text;
	return node;
}

static JinjaNode *
parse_namespace_target(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_NAMESPACE_TARGET);
	JinjaString *string = srm_arena_array(parser->arena, 1, sizeof(JinjaString), parser->status);
	const JinjaToken *attribute = parser->token + 2;

	if (node == NULL || string == NULL)
		return NULL;
	node->name = parser->token->text;
	parser->token += 2;
	if (srm_jinja_expect_name(parser) == NULL)
		return NULL;
	srm_jinja_string_init(string, attribute->text, attribute->length, SRM_FROM_TEMPLATE);
	node->value = srm_jinja_string(string);
	return node;
}

static JinjaNode *
parse_target(JinjaParser *parser, bool with_namespace)
{
	JinjaNode  *first;
	JinjaNode **next;
	JinjaNode  *node;

	if (with_namespace && parser->token->type == JINJA_TOKEN_NAME &&
		parser->token[1].type == JINJA_TOKEN_OPERATOR && strcmp(parser->token[1].text, ".") == 0)
		return parse_namespace_target(parser);
	first = parse_single_target(parser);
	if (first == NULL || !srm_jinja_at(parser, ","))
		return first;
	node = srm_jinja_node(parser, JINJA_TUPLE_OF);
	if (node == NULL)
		return NULL;
	node->items = first;
	next = &first->next;
	while (srm_jinja_accept(parser, ",") && !srm_jinja_at_tuple_end(parser))
	{
		*next = parse_single_target(parser);
		if (*next == NULL)
			return NULL;
		next = &(*next)->next;
	}
	return node;
}

/*
 * Statements up to a block with one of the words, which is not taken; NULL
 * words: up to the end of the template.
 */
static bool
parse_body(JinjaParser *parser, const char *words, JinjaNode **body)
{
	int			line = parser->token->line;

	if (!srm_jinja_enter(parser))
		return false;
	while (words == NULL || !at_block(parser, words))
	{
		switch (parser->token->type)
		{
			case JINJA_TOKEN_EOF:
				if (words == NULL)
					return true;
				return srm_jinja_syntax_error(parser->status, line,
											  "block has no end (%.60s)", words);
			case JINJA_TOKEN_TEXT:
				*body = parse_text(parser);
				break;
			case JINJA_TOKEN_VARIABLE_BEGIN:
				*body = parse_output(parser);
				break;
			default:
				*body = parse_statement(parser);
				break;
		}
		if (*body == NULL)
			return false;
		body = &(*body)->next;
	}
	parser->depth--;
	return true;
}

/* The same, and takes the block with the one word that may end it. */
static bool
parse_whole_body(JinjaParser *parser, const char *word, JinjaNode **body)
{
	if (!parse_body(parser, word, body))
		return false;
	take_word(parser);
	return end_block(parser);
}

/* An else block with what is before word, if there is one, and the block of word. */
static bool
parse_else(JinjaParser *parser, const char *word, JinjaNode **otherwise)
{
	if (at_block(parser, "|else|"))
	{
		take_word(parser);
		if (!end_block(parser))
			return false;
		return parse_whole_body(parser, word, otherwise);
	}
	take_word(parser);
	return end_block(parser);
}

/* An elif is an if that is the else of the one before. */
static JinjaNode *
parse_if(JinjaParser *parser)
{
	JinjaNode  *whole = NULL;
	JinjaNode **next = &whole;

	do
	{
		JinjaNode  *node = srm_jinja_node(parser, JINJA_IF);

		if (node == NULL)
			return NULL;
		*next = node;
		next = &node->second;
		take_word(parser);
		node->first = srm_jinja_parse_tuple(parser, false);
		if (node->first == NULL || !end_block(parser) ||
			!parse_body(parser, "|elif|else|endif|", &node->items))
			return NULL;
	} while (at_block(parser, "|elif|"));
	return parse_else(parser, "|endif|", next) ? whole : NULL;
}

static JinjaNode *
parse_for(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_FOR);

	if (node == NULL)
		return NULL;
	take_word(parser);
	node->second = parse_target(parser, false);
	if (node->second == NULL)
		return NULL;
	if (!srm_jinja_accept_name(parser, "in"))
		return srm_jinja_refuse(parser, "\"in\"");
	node->first = srm_jinja_parse_tuple(parser, false);
	if (node->first == NULL)
		return NULL;
	if (srm_jinja_accept_name(parser, "if") &&
		(node->third = srm_jinja_parse_expression(parser, true)) == NULL)
		return NULL;
	if (srm_jinja_at_name(parser, "recursive"))
	{
		srm_fail(parser->status, SRM_NOT_SUPPORTED,
				 "chat template uses \"recursive\" at line %d, which is not supported", node->line);
		return NULL;
	}
	parser->loops++;
	if (!end_block(parser) || !parse_body(parser, "|else|endfor|", &node->items))
		return NULL;
	parser->loops--;
	return parse_else(parser, "|endfor|", &node->fourth) ? node : NULL;
}

static JinjaNode *
parse_set(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_SET);

	if (node == NULL)
		return NULL;
	take_word(parser);
	node->second = parse_target(parser, true);
	if (node->second == NULL)
		return NULL;
	if (srm_jinja_accept(parser, "="))
	{
		node->first = srm_jinja_parse_tuple(parser, true);
		return node->first != NULL && end_block(parser) ? node : NULL;
	}
	node->type = JINJA_SET_BLOCK;
	if (srm_jinja_accept(parser, "|") &&
		(node->third = srm_jinja_parse_filters(parser, NULL)) == NULL)
		return NULL;
	return end_block(parser) && parse_whole_body(parser, "|endset|", &node->items) ? node : NULL;
}

/* "(a, b=1)", of a macro or of a call block. */
static bool
parse_parameters(JinjaParser *parser, JinjaNode **next)
{
	bool		first = true;

	if (!srm_jinja_expect(parser, "("))
		return false;
	while (!srm_jinja_at(parser, ")"))
	{
		if (!first && !srm_jinja_expect(parser, ","))
			return false;
		first = false;
		*next = srm_jinja_node(parser, JINJA_PARAMETER);
		if (*next == NULL || ((*next)->name = srm_jinja_expect_name(parser)) == NULL)
			return false;
		if (srm_jinja_accept(parser, "=") &&
			((*next)->first = srm_jinja_parse_expression(parser, true)) == NULL)
			return false;
		next = &(*next)->next;
	}
	parser->token++;
	return true;
}

/* The body of a macro is no part of the loops around it. */
static bool
parse_macro_body(JinjaParser *parser, const char *word, JinjaNode **body)
{
	int			loops = parser->loops;
	bool		ok;

	parser->loops = 0;
	ok = end_block(parser) && parse_whole_body(parser, word, body);
	parser->loops = loops;
	return ok;
}

static JinjaNode *
parse_macro(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_MACRO_OF);

	if (node == NULL)
		return NULL;
	take_word(parser);
	node->name = srm_jinja_expect_name(parser);
	if (node->name == NULL || !parse_parameters(parser, &node->first) ||
		!parse_macro_body(parser, "|endmacro|", &node->items))
		return NULL;
	return node;
}

static JinjaNode *
parse_call_block(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_CALL_BLOCK);
	JinjaNode  *caller = srm_jinja_node(parser, JINJA_MACRO_OF);

	if (node == NULL || caller == NULL)
		return NULL;
	caller->name = "caller";
	node->second = caller;
	take_word(parser);
	if (srm_jinja_at(parser, "(") && !parse_parameters(parser, &caller->first))
		return NULL;
	node->first = srm_jinja_parse_expression(parser, true);
	if (node->first == NULL)
		return NULL;
	if (node->first->type != JINJA_CALL)
	{
		srm_jinja_syntax_error(parser->status, node->line, "expected a call after \"call\"");
		return NULL;
	}
	return parse_macro_body(parser, "|endcall|", &caller->items) ? node : NULL;
}

static JinjaNode *
parse_filter_block(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_FILTER_BLOCK);

	if (node == NULL)
		return NULL;
	take_word(parser);
	node->third = srm_jinja_parse_filters(parser, NULL);
	if (node->third == NULL || !end_block(parser) ||
		!parse_whole_body(parser, "|endfilter|", &node->items))
		return NULL;
	return node;
}

static JinjaNode *
parse_with(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_WITH);
	JinjaNode **next;

	if (node == NULL)
		return NULL;
	next = &node->first;
	take_word(parser);
	while (parser->token->type != JINJA_TOKEN_BLOCK_END)
	{
		if (next != &node->first && !srm_jinja_expect(parser, ","))
			return NULL;
		*next = srm_jinja_node(parser, JINJA_SET);
		if (*next == NULL || ((*next)->second = parse_target(parser, false)) == NULL ||
			!srm_jinja_expect(parser, "=") ||
			((*next)->first = srm_jinja_parse_expression(parser, true)) == NULL)
			return NULL;
		next = &(*next)->next;
	}
	return end_block(parser) && parse_whole_body(parser, "|endwith|", &node->items) ? node : NULL;
}

/* The part of the text that the model is trained on, which does not matter here. */
static JinjaNode *
parse_generation(JinjaParser *parser)
{
	JinjaNode  *node = srm_jinja_node(parser, JINJA_GENERATION);

	if (node == NULL)
		return NULL;
	take_word(parser);
	return parse_macro_body(parser, "|endgeneration|", &node->items) ? node : NULL;
}

static JinjaNode *
parse_jump(JinjaParser *parser, JinjaNodeType type)
{
	JinjaNode  *node = srm_jinja_node(parser, type);

	if (node == NULL)
		return NULL;
	if (parser->loops == 0)
	{
		srm_jinja_syntax_error(parser->status, node->line, "\"%s\" is not in a loop",
							   parser->token[1].text);
		return NULL;
	}
	take_word(parser);
	return end_block(parser) ? node : NULL;
}

/* An unknown block, or one of Jinja's that no chat template needs. */
static JinjaNode *
refuse_statement(JinjaParser *parser)
{
	const JinjaToken *word = parser->token + 1;

	if (word->type != JINJA_TOKEN_NAME)
	{
		parser->token++;
		srm_jinja_unexpected(parser, "the name of a block");
	}
	else if (strncmp(word->text, "end", 3) == 0 || strcmp(word->text, "else") == 0 ||
			 strcmp(word->text, "elif") == 0)
		srm_jinja_syntax_error(parser->status, word->line, "unexpected block \"%.40s\"", word->text);
	else
		srm_fail(parser->status, SRM_NOT_SUPPORTED,
				 "chat template uses block \"%.40s\" at line %d, which is not supported",
				 word->text, word->line);
	return NULL;
}

static JinjaNode *
parse_statement(JinjaParser *parser)
{
	if (at_block(parser, "|if|"))
		return parse_if(parser);
	if (at_block(parser, "|for|"))
		return parse_for(parser);
	if (at_block(parser, "|set|"))
		return parse_set(parser);
	if (at_block(parser, "|macro|"))
		return parse_macro(parser);
	if (at_block(parser, "|generation|"))
		return parse_generation(parser);
	if (at_block(parser, "|break|"))
		return parse_jump(parser, JINJA_BREAK);
	if (at_block(parser, "|continue|"))
		return parse_jump(parser, JINJA_CONTINUE);
	if (at_block(parser, "|call|"))
		return parse_call_block(parser);
	if (at_block(parser, "|filter|"))
		return parse_filter_block(parser);
	if (at_block(parser, "|with|"))
		return parse_with(parser);
	return refuse_statement(parser);
}

JinjaNode *
srm_jinja_parse(const JinjaToken *tokens, SrmArena *arena, SrmStatus *status, bool *ok)
{
	JinjaParser parser = {.token = tokens, .arena = arena, .status = status};
	JinjaNode  *body = NULL;

	*ok = parse_body(&parser, NULL, &body);
	return body;
}
