/*-------------------------------------------------------------------------
 *
 * value.h
 *	  The values that a chat template computes with, as Python has them.
 *
 * A string knows the origin of each of its bytes.  Concatenation makes a node
 * of two strings and copies nothing; whoever wants the bytes flattens it
 * once.  All values are immutable but namespaces, and lie in one arena that
 * is released after rendering.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JINJA_VALUE_H
#define SRM_JINJA_VALUE_H

#include <stdint.h>

#include "base/arena.h"
#include "jinja/origin.h"

/* Nesting that comparing, printing and the like follow down. */
#define JINJA_MAX_NESTING	100

typedef struct JinjaString
{
	const char *data;			/* (length), flat; NULL: left, then right */
	size_t		length;
	const SrmFragment *fragments;	/* (n_fragments), tile a flat string */
	size_t		n_fragments;	/* of a node: at most so many */
	struct JinjaString *left;
	struct JinjaString *right;
	SrmFragment	fragment;		/* where fragments points if there is but one */
} JinjaString;

typedef enum JinjaType
{
	JINJA_MISSING,				/* an argument that was not given */
	JINJA_UNDEFINED,
	JINJA_NONE,
	JINJA_BOOL,
	JINJA_INT,
	JINJA_FLOAT,
	JINJA_STRING,
	JINJA_LIST,
	JINJA_TUPLE,
	JINJA_DICT,
	JINJA_NAMESPACE,
	JINJA_LOOP,
	JINJA_MACRO,
	JINJA_BOUND
} JinjaType;

typedef struct JinjaValue
{
	JinjaType	type;
	union
	{
		const char *name;		/* undefined: what, or NULL */
		bool		boolean;
		int64_t		integer;
		double		real;
		JinjaString *string;
		struct JinjaList *list; /* list, tuple */
		struct JinjaDict *dict; /* dict, namespace */
		struct JinjaLoop *loop;
		struct JinjaMacro *macro;
		struct JinjaBound *bound;
	};
} JinjaValue;

typedef struct JinjaList
{
	JinjaValue *items;			/* (n) */
	size_t		n;
	size_t		capacity;
	bool		is_parts;		/* of a message's content, which nobody wants printed as a list */
} JinjaList;

/* In the order of insertion; searched in line, since templates' are short. */
typedef struct JinjaDict
{
	JinjaValue *keys;			/* (n) */
	JinjaValue *values;			/* (n) */
	size_t		n;
	size_t		capacity;
} JinjaDict;

/* The loop variable of a for statement. */
typedef struct JinjaLoop
{
	const JinjaList *items;
	size_t		index;			/* from 0 */
	JinjaValue	changed;		/* what loop.changed() last saw, or missing */
} JinjaLoop;

/* A method with its object, or a global function. */
typedef struct JinjaBound
{
	const struct JinjaBuiltin *builtin;
	JinjaValue	self;
} JinjaBound;

/* One rendering: its memory, limits, and place in the template. */
typedef struct JinjaEval
{
	SrmArena   *arena;			/* released after rendering */
	SrmStatus  *status;
	const SrmStop *stop;
	size_t		memory_limit;
	size_t		text_limit;		/* bytes of one string */
	int64_t		steps;
	int64_t		step_limit;
	int64_t		next_poll;		/* the step at which stop is asked */
	int			depth;			/* of expressions, statements and macros under way */
	int			line;
	int			flow;			/* see eval.c */
	struct JinjaScope *scope;
	struct JinjaVariable *free_variables;
	struct JinjaBuilder *output;
	const char *date;			/* "2024-07-26" or NULL */
} JinjaEval;

/* A string under construction; adjacent fragments that continue each other become one. */
typedef struct JinjaBuilder
{
	char	   *data;
	size_t		length;
	size_t		capacity;
	SrmFragment *fragments;
	size_t		n_fragments;
	size_t		fragments_capacity;
} JinjaBuilder;

/* limits (value.c) */

/* Counts n steps of work; false when there were too many, or on a stop. */
extern bool srm_jinja_charge(JinjaEval *eval, size_t n);

/* The work of going over so many bytes. */
extern bool srm_jinja_charge_bytes(JinjaEval *eval, size_t n_bytes);

/* n elements, cleared. */
extern void *srm_jinja_alloc(JinjaEval *eval, size_t n, size_t size);

/* SRM_INVALID_MODEL and SRM_NOT_SUPPORTED, at the line being evaluated; return false. */
extern bool srm_jinja_fail(JinjaEval *eval, const char *format,...) SRM_PRINTF(2, 3);
extern bool srm_jinja_unsupported(JinjaEval *eval, const char *format,...) SRM_PRINTF(2, 3);

/* Fails where nesting is beyond JINJA_MAX_NESTING. */
extern bool srm_jinja_check_nesting(JinjaEval *eval, int nesting);

/* values (value.c) */

/* Values of each type; of a name or a string that lives on. */
extern JinjaValue srm_jinja_undefined(const char *name);
extern JinjaValue srm_jinja_none(void);
extern JinjaValue srm_jinja_bool(bool boolean);
extern JinjaValue srm_jinja_int(int64_t integer);
extern JinjaValue srm_jinja_float(double real);
extern JinjaValue srm_jinja_string(JinjaString *string);

/* What Python calls its type, and whether it counts as true. */
extern const char *srm_jinja_type_name(const JinjaValue *value);
extern bool srm_jinja_truth(const JinjaValue *value);
extern bool srm_jinja_is_number(const JinjaValue *value);	/* bool, int or float */
extern double srm_jinja_as_double(const JinjaValue *number);
extern int64_t srm_jinja_as_int(const JinjaValue *value);	/* bool or int */

/* a == b, as Python has it: 1 == 1.0 == True. */
extern bool srm_jinja_equal(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b,
							bool *equal);

/* -1, 0 or 1; fails where Python cannot order the two. */
extern bool srm_jinja_compare(JinjaEval *eval, const JinjaValue *a, const JinjaValue *b,
							  int *order);
extern bool srm_jinja_contains(JinjaEval *eval, const JinjaValue *container,
							   const JinjaValue *item, bool *found);

/* len(); fails for what has none. */
extern bool srm_jinja_length(JinjaEval *eval, const JinjaValue *value, int64_t *length);

/* The items of anything that can be gone through; a list may be value's own. */
extern const JinjaList *srm_jinja_iterate(JinjaEval *eval, const JinjaValue *value);

/* An empty list with room for capacity items, which grows; and values of it. */
extern JinjaList *srm_jinja_list_new(JinjaEval *eval, size_t capacity);
extern bool srm_jinja_list_append(JinjaEval *eval, JinjaList *list, JinjaValue value);
extern JinjaValue srm_jinja_list(JinjaList *list);
extern JinjaValue srm_jinja_tuple(JinjaList *list);

/* A list of two values as a tuple in *pair. */
extern bool srm_jinja_pair(JinjaEval *eval, JinjaValue a, JinjaValue b, JinjaValue *pair);

/* An empty dict with room for capacity keys, which grows. */
extern JinjaDict *srm_jinja_dict_new(JinjaEval *eval, size_t capacity);

/* *value stays as it is where there is no such key. */
extern bool srm_jinja_dict_get(JinjaEval *eval, const JinjaDict *dict, const JinjaValue *key,
							   JinjaValue *value, bool *found);
extern bool srm_jinja_dict_set(JinjaEval *eval, JinjaDict *dict, JinjaValue key,
							   JinjaValue value);

/* The value of a key that is plain text; NULL: none. */
extern const JinjaValue *srm_jinja_dict_name(const JinjaDict *dict, const char *name);

/* Sorts in place, stably, by srm_jinja_compare() of keys (n) that move along. */
extern bool srm_jinja_sort(JinjaEval *eval, JinjaValue *items, JinjaValue *keys, size_t n,
						   bool reverse);

/* strings (string.c) */

/* A flat string of one origin over data, which must live on. */
extern void srm_jinja_string_init(JinjaString *string, const char *data, size_t length,
								  SrmOrigin origin);
extern JinjaString *srm_jinja_string_new(JinjaEval *eval, const char *data, size_t length,
										 SrmOrigin origin);

/* The template's own text, which must live on; and a copy of it. */
extern bool srm_jinja_text(JinjaEval *eval, const char *text, JinjaValue *result);
extern JinjaString *srm_jinja_string_copy(JinjaEval *eval, const char *data, size_t length,
										  SrmOrigin origin);

/* a, then b, without copying; and the bytes of such a string in one piece. */
extern JinjaString *srm_jinja_concat(JinjaEval *eval, JinjaString *a, JinjaString *b);
extern bool srm_jinja_flatten(JinjaEval *eval, JinjaString *string);

/* SRM_FROM_USER if any of a flat string is a user's, else SRM_FROM_TEMPLATE. */
extern SrmOrigin srm_jinja_origin(const JinjaString *string);

/* Bytes [start, start + length) of a flat string. */
extern JinjaString *srm_jinja_substring(JinjaEval *eval, const JinjaString *string,
										size_t start, size_t length);

/* string[start:stop:step] in characters; NULL pointers: left out. */
extern JinjaString *srm_jinja_string_slice(JinjaEval *eval, JinjaString *string,
										   const int64_t *start, const int64_t *stop,
										   int64_t step);

/* The offset in bytes of character index of a flat string, or its length. */
extern size_t srm_jinja_byte_offset(const JinjaString *string, size_t index);

/* First place of needle at or after from, or SIZE_MAX; both flat, needle not empty. */
extern size_t srm_jinja_find(const JinjaString *string, const JinjaString *needle, size_t from);

/* Makes a slice's bounds those of a sequence of n items, as Python does. */
extern void srm_jinja_slice_bounds(int64_t n, const int64_t *start, const int64_t *stop,
								   int64_t step, int64_t *first, int64_t *end);

/* White space as Python's str.isspace() has it. */
extern bool srm_jinja_is_space(uint32_t code);

/* builders (string.c); false where the text would become too long, or memory is short */

/* An empty one; then bytes of one origin, the template's own text, and a string with its origins. */
extern void srm_jinja_builder_init(JinjaBuilder *builder);
extern bool srm_jinja_builder_add(JinjaEval *eval, JinjaBuilder *builder, const char *data,
								  size_t length, SrmOrigin origin);
extern bool srm_jinja_builder_text(JinjaEval *eval, JinjaBuilder *builder, const char *text);
extern bool srm_jinja_builder_string(JinjaEval *eval, JinjaBuilder *builder,
									 JinjaString *string);

/* Bytes [start, start + length) of a flat string. */
extern bool srm_jinja_builder_slice(JinjaEval *eval, JinjaBuilder *builder,
									const JinjaString *string, size_t start, size_t length);
extern JinjaString *srm_jinja_builder_finish(JinjaEval *eval, JinjaBuilder *builder);

/* text forms (format.c) */

/* str(): what {{ }} prints. */
extern JinjaString *srm_jinja_to_string(JinjaEval *eval, const JinjaValue *value);

/* str(), flat. */
extern JinjaString *srm_jinja_to_flat(JinjaEval *eval, const JinjaValue *value);
extern JinjaString *srm_jinja_to_repr(JinjaEval *eval, const JinjaValue *value);

/* Python's repr() of a float; out has room for 40 bytes. */
extern void srm_jinja_format_float(double real, char *out);

typedef struct JinjaJsonStyle
{
	bool		ascii;			/* escape all that is beyond ASCII */
	bool		sort_keys;
	bool		pretty;			/* one item a line */
	JinjaString *indent;		/* of a level, flat */
	JinjaString *item_separator;
	JinjaString *key_separator;
} JinjaJsonStyle;

/* JSON as json.dumps() writes it; fails for what it cannot. */
extern bool srm_jinja_to_json(JinjaEval *eval, const JinjaValue *value,
							  const JinjaJsonStyle *style, JinjaString **json);

/* "..." % arguments, a tuple or a single one. */
extern JinjaString *srm_jinja_percent(JinjaEval *eval, JinjaString *format,
									  const JinjaValue *arguments);

#endif							/* SRM_JINJA_VALUE_H */
