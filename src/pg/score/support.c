/*-------------------------------------------------------------------------
 *
 * support.c
 *	  What the planner asks about functions that run a model.
 *
 * Their cost is that of the model: a pass of 8 billion parameters is no pass
 * of two million.  Nothing is opened for it; a model that is not open yet is
 * judged by the size of its file.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "access/detoast.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/primnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "files/name.h"
#include "pg/call.h"
#include "pg/encoding.h"
#include "pg/models/models.h"
#include "pg/settings.h"

/* Operators that a parameter costs, in a response of usual length: 100000 for the model that ships */
#define OPERATORS_PER_PARAMETER	0.06
/* Characters of a sentence, by and large */
#define SENTENCE_LENGTH			80
#define TOKEN_LENGTH			4

/* The arguments of the call that is planned; NIL where they are not known. */
static List *
arguments_of(Node *node)
{
	if (node != NULL && IsA(node, FuncExpr))
		return ((FuncExpr *) node)->args;
	return NIL;
}

static const Const *
constant_text(List *arguments, int i)
{
	Const	   *constant = i >= 0 && i < list_length(arguments) ? list_nth(arguments, i) : NULL;

	if (constant == NULL || !IsA(constant, Const) || constant->constisnull || constant->consttype != TEXTOID)
		return NULL;
	return constant;
}

/* The model's name, without digest; NULL where it is only known at run time. */
static char *
model_of_call(Oid function, List *arguments)
{
	const Const *constant;
	char	   *name;

	/* Functions that follow the settings are stable, those that name a model are not */
	if (func_volatile(function) != PROVOLATILE_IMMUTABLE)
		name = pstrdup(srm_model);
	else if ((constant = constant_text(arguments, 0)) != NULL)
		name = srm_cstring_of_datum(constant->constvalue);
	else
		return NULL;
	name[strcspn(name, "@")] = '\0';
	return name;
}

/* Published weights have two bytes a parameter. */
static double
parameters_of_file(const char *name)
{
	char	   *directory = srm_name_is_model(name) ? srm_models_find_directory(name) : NULL;
	struct stat st;

	if (directory == NULL || stat(psprintf("%s/model.safetensors", directory), &st) != 0)
		return 0.0;
	return (double) st.st_size / 2.0;
}

/* False where nothing is known of the model. */
static bool
set_cost(SupportRequestCost *request)
{
	char	   *name = model_of_call(request->funcid, arguments_of(request->node));
	double		parameters = name == NULL ? 0.0 : (double) srm_models_parameters(name);

	if (name != NULL && parameters == 0.0)
		parameters = parameters_of_file(name);
	if (parameters == 0.0)
		return false;
	request->startup = 0.0;
	request->per_tuple = Max(parameters * OPERATORS_PER_PARAMETER, 1.0) * cpu_operator_cost;
	return true;
}

/* Elements of an array of sentences or their ends that is a constant; 0: it is none. */
static int
count_given(List *arguments)
{
	const Const *constant = arguments == NIL ? NULL : llast(arguments);
	ArrayType  *array;

	if (constant == NULL || !IsA(constant, Const) || constant->constisnull ||
		(constant->consttype != INT4ARRAYOID && constant->consttype != TEXTARRAYOID))
		return 0;
	array = DatumGetArrayTypeP(constant->constvalue);
	return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

/* Rows of sentences or a response that are constants; others keep what the function says. */
static bool
set_rows(SupportRequestRows *request)
{
	List	   *arguments = arguments_of(request->node);
	int			n_given = count_given(arguments);
	const Const *constant = constant_text(arguments, list_length(arguments) - 1);
	char	   *function = get_func_name(request->funcid);
	bool		is_tokens = function != NULL && strstr(function, "token") != NULL;

	if (n_given > 0)
	{
		request->rows = n_given;
		return true;
	}
	if (constant == NULL)
		return false;
	request->rows = 1.0 + (double) (toast_raw_datum_size(constant->constvalue) - VARHDRSZ) /
		(is_tokens ? TOKEN_LENGTH : SENTENCE_LENGTH);
	return true;
}

/* srm_support(internal) returns internal */
SRM_FUNCTION(srm_sql_support)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	bool		done = false;

	if (IsA(request, SupportRequestCost))
		done = set_cost((SupportRequestCost *) request);
	else if (IsA(request, SupportRequestRows))
		done = set_rows((SupportRequestRows *) request);
	PG_RETURN_POINTER(done ? request : NULL);
}
