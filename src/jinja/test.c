/*-------------------------------------------------------------------------
 *
 * test.c
 *	  What stands behind "is".
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include "jinja/text.h"

/* variant: the type */
static bool
test_type(JinjaCall *call, JinjaValue *result)
{
	*result = srm_jinja_bool(call->self.type == (JinjaType) call->builtin->variant);
	return true;
}

static bool
test_defined(JinjaCall *call, JinjaValue *result)
{
	*result = srm_jinja_bool(call->self.type != JINJA_UNDEFINED);
	return true;
}

/* variant: 0 false, 1 true */
static bool
test_flag(JinjaCall *call, JinjaValue *result)
{
	*result = srm_jinja_bool(call->self.type == JINJA_BOOL &&
							 call->self.boolean == (call->builtin->variant == 1));
	return true;
}

static bool
test_number(JinjaCall *call, JinjaValue *result)
{
	*result = srm_jinja_bool(srm_jinja_is_number(&call->self));
	return true;
}

/* variant: 0 what can be gone through, 1 what has a length and items as well */
static bool
test_sequence(JinjaCall *call, JinjaValue *result)
{
	switch (call->self.type)
	{
		case JINJA_UNDEFINED:
		case JINJA_STRING:
		case JINJA_LIST:
		case JINJA_TUPLE:
		case JINJA_DICT:
			*result = srm_jinja_bool(true);
			return true;
		default:
			*result = srm_jinja_bool(call->self.type == JINJA_LOOP && call->builtin->variant == 0);
			return true;
	}
}

static bool
test_callable(JinjaCall *call, JinjaValue *result)
{
	*result = srm_jinja_bool(call->self.type == JINJA_BOUND || call->self.type == JINJA_MACRO ||
							 call->self.type == JINJA_UNDEFINED);
	return true;
}

/* variant: the remainder by 2, or -1: by the argument it is 0 */
static bool
test_remainder(JinjaCall *call, JinjaValue *result)
{
	JinjaValue	divisor = srm_jinja_int(2);
	JinjaValue	wanted = srm_jinja_int(call->builtin->variant);
	JinjaValue	remainder = srm_jinja_none();
	bool		equal = false;

	if (call->builtin->variant < 0)
	{
		divisor = call->argv[0];
		wanted = srm_jinja_int(0);
	}
	if (!srm_jinja_is_number(&call->self))
		return srm_jinja_fail(call->eval, "\"%s\" requires a number, not \"%s\"",
							  call->builtin->name, srm_jinja_type_name(&call->self));
	if (!srm_jinja_binary(call->eval, JINJA_MODULO, &call->self, &divisor, &remainder) ||
		!srm_jinja_equal(call->eval, &remainder, &wanted, &equal))
		return false;
	*result = srm_jinja_bool(equal);
	return true;
}

/* variant: the operator */
static bool
test_relation(JinjaCall *call, JinjaValue *result)
{
	bool		holds = false;

	if (!srm_jinja_relation(call->eval, (JinjaOperator) call->builtin->variant, &call->self,
							&call->argv[0], &holds))
		return false;
	*result = srm_jinja_bool(holds);
	return true;
}

/* The same object: what has no identity of its own is the same when it is equal. */
static bool
test_sameas(JinjaCall *call, JinjaValue *result)
{
	bool		same = call->self.type == call->argv[0].type;

	if (same && call->self.type >= JINJA_LIST)
		same = call->self.list == call->argv[0].list;
	else if (same && !srm_jinja_equal(call->eval, &call->self, &call->argv[0], &same))
		return false;
	*result = srm_jinja_bool(same);
	return true;
}

static const JinjaBuiltin tests[] = {
	{"!=", test_relation, "other", 1, JINJA_NE},
	{"<", test_relation, "other", 1, JINJA_LT},
	{"<=", test_relation, "other", 1, JINJA_LE},
	{"==", test_relation, "other", 1, JINJA_EQ},
	{">", test_relation, "other", 1, JINJA_GT},
	{">=", test_relation, "other", 1, JINJA_GE},
	{"boolean", test_type, "", 0, JINJA_BOOL},
	{"callable", test_callable, "", 0, 0},
	{"defined", test_defined, "", 0, 0},
	{"divisibleby", test_remainder, "num", 1, -1},
	{"eq", test_relation, "other", 1, JINJA_EQ},
	{"equalto", test_relation, "other", 1, JINJA_EQ},
	{"even", test_remainder, "", 0, 0},
	{"false", test_flag, "", 0, 0},
	{"float", test_type, "", 0, JINJA_FLOAT},
	{"ge", test_relation, "other", 1, JINJA_GE},
	{"greaterthan", test_relation, "other", 1, JINJA_GT},
	{"gt", test_relation, "other", 1, JINJA_GT},
	{"in", test_relation, "seq", 1, JINJA_IN},
	{"integer", test_type, "", 0, JINJA_INT},
	{"iterable", test_sequence, "", 0, 0},
	{"le", test_relation, "other", 1, JINJA_LE},
	{"lessthan", test_relation, "other", 1, JINJA_LT},
	{"lower", srm_jinja_is_case_of, "", 0, JINJA_LOWER},
	{"lt", test_relation, "other", 1, JINJA_LT},
	{"mapping", test_type, "", 0, JINJA_DICT},
	{"ne", test_relation, "other", 1, JINJA_NE},
	{"none", test_type, "", 0, JINJA_NONE},
	{"number", test_number, "", 0, 0},
	{"odd", test_remainder, "", 0, 1},
	{"sameas", test_sameas, "other", 1, 0},
	{"sequence", test_sequence, "", 0, 1},
	{"string", test_type, "", 0, JINJA_STRING},
	{"true", test_flag, "", 0, 1},
	{"undefined", test_type, "", 0, JINJA_UNDEFINED},
	{"upper", srm_jinja_is_case_of, "", 0, JINJA_UPPER},
};

const JinjaBuiltin *
srm_jinja_test(const char *name)
{
	return srm_jinja_builtin_find(tests, sizeof(tests) / sizeof(tests[0]), name);
}
