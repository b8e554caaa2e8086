/*-------------------------------------------------------------------------
 *
 * problem.c
 *	  Why a conversation cannot be scored, and how long it is, without the
 *	  cost of scoring it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/score/request.h"

/*
 * Begins a request; what is wrong with its messages, or NULL.
 *
 * That is the one error which is caught, without a subtransaction, as parallel workers
 * may not have one: reading messages holds nothing that an abort would release.  The model is
 * open before.
 */
static char *
begin_request(SrmRequest *request, FunctionCallInfo fcinfo, SrmForm form)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		srm_request_begin(request, fcinfo, form, true, "messages");
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!srm_messages_is_problem(error) || request->model == NULL)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error == NULL)
		return NULL;
	return error->detail == NULL ? error->message : psprintf("%s: %s", error->message, error->detail);
}

/* What the engine has against a text; any other failure is raised. */
static char *
problem_of_status(SrmCall *call)
{
	const SrmStatus *status = &call->status;
	const char *message;

	if (status->code != SRM_INVALID_ARGUMENT && status->code != SRM_LIMIT_EXCEEDED &&
		status->code != SRM_NOT_SUPPORTED)
		srm_call_raise(call);
	message = srm_call_text(status->message);
	return status->detail[0] == '\0' ? pstrdup(message) :
		psprintf("%s: %s", message, srm_call_text(status->detail));
}

/* Why the conversation of a call cannot be scored, or NULL. */
static char *
find_problem(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request = {0};
	char	   *text = begin_request(&request, fcinfo, form);
	SrmCall    *call = request.call;

	if (text == NULL &&
		!srm_scorer_check(request.model->scorer, request.messages, request.n_messages, &request.options,
						  call->arena, &call->stop, &call->status))
		text = problem_of_status(call);
	srm_request_end(&request);
	return text;
}

static Datum
problem(FunctionCallInfo fcinfo, SrmForm form)
{
	char	   *text = find_problem(fcinfo, form);

	if (text == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

/* srm_problem(...) returns text */
SRM_FUNCTION_FORMS_OF_RESPONSE(problem)

/* The call with the last argument or the one before it left out is that of one response. */
static char *
find_problem_of_pair(FunctionCallInfo fcinfo, SrmForm form, int argument)
{
	LOCAL_FCINFO(one, 3);
	int			n = PG_NARGS() - 1;

	InitFunctionCallInfoData(*one, fcinfo->flinfo, n, fcinfo->fncollation, NULL, NULL);
	memcpy(one->args, fcinfo->args, sizeof(NullableDatum) * n);
	one->args[n - 1] = fcinfo->args[argument];
	return find_problem(one, form);
}

/* Of both responses the layouts are kept, for the margin that may follow. */
static Datum
problem_of_pair(FunctionCallInfo fcinfo, SrmForm form)
{
	static const char *const names[] = {"chosen", "rejected"};

	for (int i = 0; i < 2; i++)
	{
		char	   *text = find_problem_of_pair(fcinfo, form, PG_NARGS() - 2 + i);

		if (text != NULL)
			PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s: %s", names[i], text)));
	}
	PG_RETURN_NULL();
}

/* srm_problem(model text, prompt text, chosen text, rejected text) returns text */
SRM_FUNCTION_AS(srm_sql_problem_of_pair_model, problem_of_pair(fcinfo, SRM_FORM_MODEL))

/* srm_problem(messages jsonb, chosen text, rejected text) returns text */
SRM_FUNCTION_AS(srm_sql_problem_of_pair_messages, problem_of_pair(fcinfo, SRM_FORM_MESSAGES_RESPONSE))

/* srm_problem(model text, messages jsonb, chosen text, rejected text) returns text */
SRM_FUNCTION_AS(srm_sql_problem_of_pair_model_messages,
				problem_of_pair(fcinfo, SRM_FORM_MODEL_MESSAGES_RESPONSE))

/* srm_problem(chosen jsonb, rejected jsonb) returns text */
SRM_FUNCTION_AS(srm_sql_problem_of_pair_conversations, problem_of_pair(fcinfo, SRM_FORM_MESSAGES))

/* srm_problem(model text, chosen jsonb, rejected jsonb) returns text */
SRM_FUNCTION_AS(srm_sql_problem_of_pair_model_conversations,
				problem_of_pair(fcinfo, SRM_FORM_MODEL_MESSAGES))

/* Whole, whatever the limit. */
static Datum
token_count(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmLayout	layout;
	SrmCall    *call;
	size_t		n;

	srm_request_begin(&request, fcinfo, form, true, "messages");
	request.options.max_tokens = SIZE_MAX;
	call = request.call;
	srm_request_check(&request, srm_scorer_layout(request.model->scorer, request.messages,
												  request.n_messages, &request.options, call->arena,
												  &layout, &call->stop, &call->status));
	n = layout.tokens.n;
	srm_request_end(&request);
	PG_RETURN_INT32((int32) n);
}

/* srm_token_count(...) returns integer */
SRM_FUNCTION_FORMS_OF_RESPONSE(token_count)
