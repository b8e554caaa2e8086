/*-------------------------------------------------------------------------
 *
 * meant.c
 *	  Texts in a place where something else was meant.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "nodes/primnodes.h"

#include "base/json.h"
#include "files/name.h"
#include "pg/encoding.h"
#include "pg/models/models.h"
#include "pg/score/meant.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Of a text that may be a list of messages; longer ones no model reads, and they take as much time as memory. */
#define MAX_PARSED	((size_t) 4 * 1024 * 1024)

/* Whether a text begins as a list of objects and ends as a list: few do, and only they are parsed. */
static bool
looks_like_messages(const char *text, size_t length)
{
	size_t		start = 0;

	if (length > MAX_PARSED)
		return false;
	while (length > 0 && is_space(text[length - 1]))
		length--;
	while (start < length && is_space(text[start]))
		start++;
	if (start >= length || text[start] != '[' || text[length - 1] != ']')
		return false;
	for (start++; start < length && is_space(text[start]); start++)
		;
	return text[start] == '{';
}

/* Objects that all say who speaks, be it in the words of ShareGPT. */
static bool
is_list_of_messages(const SrmJson *json)
{
	if (json == NULL || json->type != SRM_JSON_ARRAY || json->child == NULL)
		return false;
	for (const SrmJson *item = json->child; item != NULL; item = item->next)
		if (srm_json_string(srm_json_member(item, "role")) == NULL &&
			srm_json_string(srm_json_member(item, "from")) == NULL)
			return false;
	return true;
}

void
srm_meant_check_text(const SrmMessage *text, const char *argument)
{
	SrmCall    *call;
	bool		found;

	if (!looks_like_messages(text->content, text->content_length))
		return;
	call = srm_call_begin();
	found = is_list_of_messages(srm_json_parse(text->content, text->content_length, argument,
											   call->arena, &call->status));
	srm_call_end(call);
	if (found)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is a list of messages, but of type text", argument),
				 errhint("Cast it to jsonb to have the messages read.  To have the text read as it is, make it the content of a message.")));
}

static bool
is_model(char *name)
{
	name[strcspn(name, "@")] = '\0';
	return srm_name_is_model(name) && srm_models_find_directory(name) != NULL;
}

/* Whether the first argument of a call is written there. */
static bool
is_constant(const FmgrInfo *function)
{
	List	   *arguments = function == NULL || function->fn_expr == NULL || !IsA(function->fn_expr, FuncExpr) ? NIL :
		((FuncExpr *) function->fn_expr)->args;

	return arguments != NIL && IsA(linitial(arguments), Const);
}

void
srm_meant_check_prompt(FunctionCallInfo fcinfo)
{
	FmgrInfo   *function = fcinfo->flinfo;
	Datum		prompt = PG_GETARG_DATUM(0);
	bool		is_certain = is_constant(function);
	char	   *name;

	if (toast_raw_datum_size(prompt) - VARHDRSZ > SRM_MAX_MODEL_NAME + 1 + SRM_DIGEST_LENGTH ||
		(function != NULL && function->fn_extra == function))
		return;
	name = srm_cstring_of_datum(prompt);
	if (!is_model(name))
		return;
	ereport(is_certain ? ERROR : WARNING,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("prompt \"%s\" is the name of a model", srm_call_text(name)),
			 errdetail("A function whose first argument is a model takes a prompt behind it, or messages of type jsonb."),
			 errhint("Add the argument or the cast that is missing.  If this is a prompt, pass it in messages, or name the model before it.")));
	/* Nothing else here uses it: the query has been warned */
	if (function != NULL)
		function->fn_extra = function;
}
