/*-------------------------------------------------------------------------
 *
 * eval.h
 *	  Running the tree of a chat template.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JINJA_EVAL_H
#define SRM_JINJA_EVAL_H

#include "jinja/syntax.h"

/* Expressions, statements and macros under way within each other. */
#define JINJA_MAX_DEPTH		1500

#define JINJA_MAX_PARAMETERS 6

typedef struct JinjaVariable
{
	const char *name;
	JinjaValue	value;
	struct JinjaVariable *next;
} JinjaVariable;

typedef struct JinjaScope
{
	struct JinjaScope *parent;	/* NULL: the outermost */
	JinjaVariable *variables;
	bool		captured;		/* a macro refers to it: not to be reused */
} JinjaScope;

typedef struct JinjaMacro
{
	const JinjaNode *node;		/* JINJA_MACRO_OF */
	JinjaScope *scope;			/* where it was defined */
} JinjaMacro;

typedef struct JinjaArguments
{
	JinjaList  *positional;
	JinjaDict  *named;			/* keys are strings */
} JinjaArguments;

/* A call of a filter, test, method or function. */
typedef struct JinjaCall
{
	JinjaEval  *eval;
	const struct JinjaBuiltin *builtin;
	JinjaValue	self;			/* what is filtered or tested; a method's object */
	JinjaValue	argv[JINJA_MAX_PARAMETERS]; /* as parameters names them, JINJA_MISSING where not given */
	const JinjaArguments *arguments;	/* as they were passed */
} JinjaCall;

typedef bool (*JinjaFunction) (JinjaCall *call, JinjaValue *result);

typedef struct JinjaBuiltin
{
	const char *name;
	JinjaFunction function;
	const char *parameters;		/* "old new count"; NULL: any, in call->arguments */
	int			n_required;
	int			variant;		/* which of the things that the function does */
} JinjaBuiltin;

/* The tables, each found by name; NULL: no such thing. */
extern const JinjaBuiltin *srm_jinja_filter(const char *name);
extern const JinjaBuiltin *srm_jinja_sequence_filter(const char *name);
extern const JinjaBuiltin *srm_jinja_test(const char *name);
extern const JinjaBuiltin *srm_jinja_global(const char *name);
extern const JinjaBuiltin *srm_jinja_method(JinjaType type, const char *name);

/* The entry of a table (n) with that name, or NULL. */
extern const JinjaBuiltin *srm_jinja_builtin_find(const JinjaBuiltin *table, size_t n,
												  const char *name);

/* Binds the arguments to parameters and calls. */
extern bool srm_jinja_call_builtin(JinjaEval *eval, const JinjaBuiltin *builtin,
								   const JinjaValue *self, const JinjaArguments *arguments,
								   JinjaValue *result);

/* Anything that can be called. */
extern bool srm_jinja_call(JinjaEval *eval, const JinjaValue *function,
						   const JinjaArguments *arguments, JinjaValue *result);

/* By name, as "map" and "select" do; value takes the place of self. */
extern bool srm_jinja_apply_filter(JinjaEval *eval, const char *name, const JinjaValue *value,
								   const JinjaArguments *arguments, JinjaValue *result);
extern bool srm_jinja_apply_test(JinjaEval *eval, const char *name, const JinjaValue *value,
								 const JinjaArguments *arguments, bool *result);

/* Arguments in argv; a missing one is left to fallback. */
extern bool srm_jinja_arg_int(JinjaCall *call, int i, int64_t fallback, int64_t *value);
extern bool srm_jinja_arg_bool(const JinjaCall *call, int i, bool fallback);
extern bool srm_jinja_arg_given(const JinjaCall *call, int i);	/* and not None */

/* A flat string that has to be given. */
extern JinjaString *srm_jinja_arg_string(JinjaCall *call, int i);

/* A result; NULL has set the status. */
extern bool srm_jinja_give_string(JinjaString *string, JinjaValue *result);
extern bool srm_jinja_give_list(JinjaList *list, JinjaValue *result);

/*
 * What methods and filters, or tests, have in common: another case and whether it is that (variant:
 * JinjaCase), and nothing or the characters of argv[0] around (variant: 1 left, 2 right, 3 both).
 */
extern bool srm_jinja_change_case_of(JinjaCall *call, JinjaValue *result);
extern bool srm_jinja_is_case_of(JinjaCall *call, JinjaValue *result);
extern bool srm_jinja_strip_of(JinjaCall *call, JinjaValue *result);

/* operators and access (operator.c); false, with the status set, where Python would raise */

/* a op b: arithmetic; comparison and "in"; and -a */
extern bool srm_jinja_binary(JinjaEval *eval, JinjaOperator op, const JinjaValue *a,
							 const JinjaValue *b, JinjaValue *result);
extern bool srm_jinja_relation(JinjaEval *eval, JinjaOperator op, const JinjaValue *a,
							   const JinjaValue *b, bool *result);
extern bool srm_jinja_negate(JinjaEval *eval, const JinjaValue *a, JinjaValue *result);

/* object.name and object[key]; undefined where there is none. */
extern bool srm_jinja_attribute(JinjaEval *eval, const JinjaValue *object, const char *name,
								JinjaValue *result);
extern bool srm_jinja_item(JinjaEval *eval, const JinjaValue *object, const JinjaValue *key,
						   JinjaValue *result);

/* The bounds may be JINJA_NONE; undefined where there can be no such slice. */
extern bool srm_jinja_slice(JinjaEval *eval, const JinjaValue *object, const JinjaValue bounds[3],
							JinjaValue *result);

/* "a.b.0", as filters' attribute= has it. */
extern bool srm_jinja_path(JinjaEval *eval, const JinjaValue *object, const JinjaValue *path,
						   JinjaValue *result);

/* the tree (eval.c: expressions, execute.c: statements) */

/* The value of an expression, and of the arguments of a call in their order. */
extern bool srm_jinja_evaluate(JinjaEval *eval, const JinjaNode *node, JinjaValue *result);
extern bool srm_jinja_evaluate_arguments(JinjaEval *eval, const JinjaNode *items,
										 JinjaArguments *arguments);

/* Runs statements, which print into eval->output; and a macro, whose text is the result. */
extern bool srm_jinja_execute(JinjaEval *eval, const JinjaNode *statements);
extern bool srm_jinja_call_macro(JinjaEval *eval, const JinjaMacro *macro,
								 const JinjaArguments *arguments, JinjaValue *result);

/* Goes one level deeper; fails beyond JINJA_MAX_DEPTH.  eval->depth -= 1 leaves. */
extern bool srm_jinja_descend(JinjaEval *eval, int line);

/*
 * Names of variables; NULL or false where memory is short.  get looks outwards from the innermost
 * scope, then among the global functions, and gives undefined for a name that nobody has.
 */
extern JinjaScope *srm_jinja_scope_new(JinjaEval *eval, JinjaScope *parent);
extern bool srm_jinja_scope_set(JinjaEval *eval, JinjaScope *scope, const char *name,
								JinjaValue value);
extern bool srm_jinja_scope_get(JinjaEval *eval, const char *name, JinjaValue *value);

#endif							/* SRM_JINJA_EVAL_H */
