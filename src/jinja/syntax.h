/*-------------------------------------------------------------------------
 *
 * syntax.h
 *	  The source of a chat template as tokens, and as a tree.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JINJA_SYNTAX_H
#define SRM_JINJA_SYNTAX_H

#include "jinja/value.h"

/* Longest source, and deepest nesting of its blocks and brackets. */
#define JINJA_MAX_SOURCE	((size_t) 1024 * 1024)
#define JINJA_MAX_SYNTAX	200

typedef enum JinjaTokenType
{
	JINJA_TOKEN_TEXT,			/* outside of any tag, white space trimmed */
	JINJA_TOKEN_BLOCK_BEGIN,
	JINJA_TOKEN_BLOCK_END,
	JINJA_TOKEN_VARIABLE_BEGIN,
	JINJA_TOKEN_VARIABLE_END,
	JINJA_TOKEN_NAME,
	JINJA_TOKEN_STRING,			/* escapes resolved */
	JINJA_TOKEN_INTEGER,
	JINJA_TOKEN_FLOAT,
	JINJA_TOKEN_OPERATOR,
	JINJA_TOKEN_EOF
} JinjaTokenType;

typedef struct JinjaToken
{
	JinjaTokenType type;
	int			line;			/* from 1 */
	const char *text;			/* (length), then a NUL */
	size_t		length;
} JinjaToken;

/* The tokens, with JINJA_TOKEN_EOF last; NULL on failure. */
extern JinjaToken *srm_jinja_lex(const char *source, size_t length, SrmArena *arena,
								 SrmStatus *status);

/* SRM_INVALID_MODEL for a template that is wrong at a line. */
extern bool srm_jinja_syntax_error(SrmStatus *status, int line, const char *format,...) SRM_PRINTF(3, 4);

typedef enum JinjaNodeType
{
	/* expressions */
	JINJA_CONSTANT,				/* value */
	JINJA_NAME,					/* name */
	JINJA_LIST_OF,				/* items */
	JINJA_TUPLE_OF,				/* items */
	JINJA_DICT_OF,				/* items: key, value, key, value, ... */
	JINJA_NOT,					/* first */
	JINJA_NEGATIVE,				/* first */
	JINJA_POSITIVE,				/* first */
	JINJA_AND,					/* first, second */
	JINJA_OR,					/* first, second */
	JINJA_BINARY,				/* first op second */
	JINJA_CONCAT,				/* items */
	JINJA_COMPARE,				/* first, then items: JINJA_OPERAND */
	JINJA_OPERAND,				/* op, first */
	JINJA_CONDITIONAL,			/* second if first else third, which may be NULL */
	JINJA_ATTRIBUTE,			/* first.name */
	JINJA_ITEM,					/* first[second] */
	JINJA_SLICE,				/* first[second:third:fourth], each may be NULL */
	JINJA_CALL,					/* first(items: JINJA_ARGUMENT) */
	JINJA_FILTER,				/* first | name(items); first is NULL in a filter block */
	JINJA_TEST,					/* first is name(items) */
	JINJA_ARGUMENT,				/* first; name or NULL; op: 1 is *, 2 is ** */
	/* statements */
	JINJA_TEXT,					/* value */
	JINJA_OUTPUT,				/* first */
	JINJA_IF,					/* if first: items; else second (list) */
	JINJA_FOR,					/* for second in first if third: items; else fourth (list) */
	JINJA_SET,					/* second = first */
	JINJA_SET_BLOCK,			/* second = items, through the filters third */
	JINJA_MACRO_OF,				/* name, first: list of JINJA_PARAMETER, items */
	JINJA_PARAMETER,			/* name, first: default or NULL */
	JINJA_CALL_BLOCK,			/* first: call; second: JINJA_MACRO_OF that is its caller */
	JINJA_FILTER_BLOCK,			/* items, through the filters third */
	JINJA_WITH,					/* first: list of JINJA_SET; items */
	JINJA_GENERATION,			/* items */
	JINJA_BREAK,
	JINJA_CONTINUE,
	/* targets of assignments: also JINJA_NAME, JINJA_TUPLE_OF */
	JINJA_NAMESPACE_TARGET		/* name, value: string of the attribute */
} JinjaNodeType;

typedef enum JinjaOperator
{
	JINJA_ADD,
	JINJA_SUBTRACT,
	JINJA_MULTIPLY,
	JINJA_DIVIDE,
	JINJA_FLOOR_DIVIDE,
	JINJA_MODULO,
	JINJA_POWER,
	JINJA_EQ,
	JINJA_NE,
	JINJA_LT,
	JINJA_LE,
	JINJA_GT,
	JINJA_GE,
	JINJA_IN,
	JINJA_NOT_IN
} JinjaOperator;

typedef struct JinjaNode
{
	JinjaNodeType type;
	int			line;
	int			op;
	const char *name;			/* ends in NUL */
	JinjaValue	value;
	struct JinjaNode *first;
	struct JinjaNode *second;
	struct JinjaNode *third;
	struct JinjaNode *fourth;
	struct JinjaNode *items;	/* linked by next */
	struct JinjaNode *next;
} JinjaNode;

/* What the two halves of the parser share. */
typedef struct JinjaParser
{
	const JinjaToken *token;	/* the next one */
	SrmArena   *arena;
	SrmStatus  *status;
	int			depth;
	int			loops;			/* for statements around this place */
} JinjaParser;

/* The whole template as a list of statements; *ok is false on failure. */
extern JinjaNode *srm_jinja_parse(const JinjaToken *tokens, SrmArena *arena,
								  SrmStatus *status, bool *ok);

/* expression.c; all NULL or false on failure */

/* A node of the line at hand, and an expression, "a if b else c" among them with_condition. */
extern JinjaNode *srm_jinja_node(JinjaParser *parser, JinjaNodeType type);
extern JinjaNode *srm_jinja_parse_expression(JinjaParser *parser, bool with_condition);

/* One expression, or several with commas between them. */
extern JinjaNode *srm_jinja_parse_tuple(JinjaParser *parser, bool with_condition);

/* Whether no further item of a tuple may come. */
extern bool srm_jinja_at_tuple_end(const JinjaParser *parser);

/* Filters after the first one's bar, applied to first, which may be NULL. */
extern JinjaNode *srm_jinja_parse_filters(JinjaParser *parser, JinjaNode *first);
extern bool srm_jinja_enter(JinjaParser *parser);	/* parser->depth -= 1 leaves */

/* Whether an operator, or a word, comes next; accept goes behind it if so, and expect fails if not. */
extern bool srm_jinja_at(const JinjaParser *parser, const char *operator);
extern bool srm_jinja_at_name(const JinjaParser *parser, const char *name);
extern bool srm_jinja_accept(JinjaParser *parser, const char *operator);
extern bool srm_jinja_accept_name(JinjaParser *parser, const char *name);
extern bool srm_jinja_expect(JinjaParser *parser, const char *operator);

/* The text of a name that has to come next. */
extern const char *srm_jinja_expect_name(JinjaParser *parser);

/* Fails: what was expected at the next token. */
extern bool srm_jinja_unexpected(JinjaParser *parser, const char *expected);

/* The same where a node or a name is returned; NULL. */
extern void *srm_jinja_refuse(JinjaParser *parser, const char *expected);

#endif							/* SRM_JINJA_SYNTAX_H */
