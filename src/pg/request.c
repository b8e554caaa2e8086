/*-------------------------------------------------------------------------
 *
 * request.c
 *	  What a call of a scoring function asks for.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/request.h"
#include "pg/settings.h"

#define has_model(form)		((form) == SRM_FORM_MODEL || (form) == SRM_FORM_MODEL_MESSAGES)
#define has_messages(form)	((form) == SRM_FORM_MESSAGES || (form) == SRM_FORM_MODEL_MESSAGES)

static void
read_prompt(SrmRequest *request, FunctionCallInfo fcinfo, SrmForm form)
{
	request->messages = palloc0(sizeof(SrmMessage) * 2);
	if (form != SRM_FORM_RESPONSE)
		request->messages[request->n_messages++] =
			srm_message_of_datum("user", PG_GETARG_DATUM(request->next_argument++));
}

void
srm_options_of_settings(SrmScoreOptions *options)
{
	if (srm_aggregation != SRM_AGGREGATION_OF_MODEL)
		options->aggregation = srm_aggregation;
	if (srm_segmenter[0] != '\0')
		options->segmenter = srm_cstring_of_datum(CStringGetTextDatum(srm_segmenter));
	if (srm_locale[0] != '\0')
		options->locale = srm_locale;
	if (srm_min_sentence_tokens >= 0)
		options->lengths.min = srm_min_sentence_tokens;
	if (srm_max_sentence_tokens >= 0)
		options->lengths.max = srm_max_sentence_tokens;
	if (srm_template_date[0] != '\0')
		options->date = srm_template_date;
	if (srm_template_variables[0] != '\0')
		options->variables = srm_cstring_of_datum(CStringGetTextDatum(srm_template_variables));
	if ((size_t) srm_max_tokens < options->max_tokens)
		options->max_tokens = srm_max_tokens;
	options->truncation = srm_truncation;
}

void
srm_request_begin(SrmRequest *request, FunctionCallInfo fcinfo, SrmForm form, bool has_response)
{
	int			argument = 0;
	const char *name = has_model(form) ? srm_cstring_of_datum(PG_GETARG_DATUM(argument++)) : srm_model;

	memset(request, 0, sizeof(SrmRequest));
	request->call = srm_call_begin();
	request->model = srm_models_open(request->call, name,
									 has_model(form) ? SRM_COMPUTE_OF_MODEL : srm_compute);
	request->next_argument = argument;
	if (has_messages(form))
		request->messages = srm_messages_of_jsonb(PG_GETARG_JSONB_P(request->next_argument++),
												  &request->n_messages);
	else
		read_prompt(request, fcinfo, form);
	if (has_response && !has_messages(form))
		request->messages[request->n_messages++] =
			srm_message_of_datum("assistant", PG_GETARG_DATUM(request->next_argument++));

	srm_scorer_defaults(request->model->scorer, &request->options);
	if (!has_model(form))
		srm_options_of_settings(&request->options);
	request->options.n_threads = srm_settings_threads();
	request->options.cache_bytes = (size_t) srm_prompt_cache * 1024;
}

/* One element of the array of sentences, whose type tells what it is. */
static void
read_element(SrmRequest *request, Oid type, Datum element)
{
	SrmCall    *call = request->call;
	SrmText		text;

	if (type == INT4OID)
	{
		srm_call_check(call, srm_given_end(&request->given, DatumGetInt32(element), &call->status));
		return;
	}
	text = srm_text_of_datum(element);
	srm_call_check(call, srm_given_sentence(&request->given, text.data, text.length, &call->status));
}

void
srm_request_read_sentences(SrmRequest *request, FunctionCallInfo fcinfo)
{
	const SrmMessage *response = srm_request_response(request);
	ArrayType  *array;
	ArrayIterator iterator;
	Datum		element;
	bool		is_null;

	if (request->next_argument >= PG_NARGS())
		return;
	array = PG_GETARG_ARRAYTYPE_P(request->next_argument++);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of sentences must have one dimension")));
	srm_given_begin(&request->given, response->content, response->content_length,
					request->call->arena);
	iterator = array_create_iterator(array, 0, NULL);
	for (int number = 1; array_iterate(iterator, &element, &is_null); number++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_null)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("array of sentences must not contain nulls"),
					 errdetail("Element %d is null.", number)));
		read_element(request, ARR_ELEMTYPE(array), element);
	}
	array_free_iterator(iterator);
	srm_call_check(request->call, srm_given_finish(&request->given, &request->call->status));
	request->options.given = &request->given.sentences;
}

const SrmMessage *
srm_request_response(const SrmRequest *request)
{
	return &request->messages[request->n_messages - 1];
}

void
srm_request_score(SrmRequest *request, SrmScored *scored)
{
	SrmCall    *call = request->call;

	srm_call_check(call, srm_scorer_score(request->model->scorer,
										  request->messages, request->n_messages,
										  &request->options, call->arena, scored,
										  &call->stop, &call->status));
}

void
srm_request_score_responses(SrmRequest *request, const Datum *responses, int n, SrmScored *scored)
{
	SrmCall    *call = request->call;
	SrmMessage *messages = palloc(sizeof(SrmMessage) * n);

	for (int i = 0; i < n; i++)
		messages[i] = srm_message_of_datum("assistant", responses[i]);
	srm_call_check(call, srm_scorer_score_responses(request->model->scorer,
													request->messages, request->n_messages,
													messages, n, &request->options,
													call->arena, scored,
													&call->stop, &call->status));
	pfree(messages);
}

/*
 * Where the two differ in their last messages only, as most pairs do, the
 * rest is computed once.
 */
void
srm_request_score_pair(SrmRequest *request, Jsonb *other, SrmScored *scored)
{
	SrmCall    *call = request->call;
	size_t		n_messages;
	SrmMessage *messages = srm_messages_of_jsonb(other, &n_messages);
	SrmMessage	responses[2];
	bool		is_shared = n_messages == request->n_messages;

	responses[0] = *srm_request_response(request);
	responses[1] = messages[n_messages - 1];
	for (size_t i = 0; is_shared && i + 1 < n_messages; i++)
		is_shared = srm_message_equal(&messages[i], &request->messages[i]);
	if (is_shared)
	{
		srm_call_check(call, srm_scorer_score_responses(request->model->scorer, messages,
														n_messages - 1, responses, 2,
														&request->options, call->arena, scored,
														&call->stop, &call->status));
		return;
	}
	srm_request_score(request, &scored[0]);
	srm_call_check(call, srm_scorer_score(request->model->scorer, messages, n_messages,
										  &request->options, call->arena, &scored[1],
										  &call->stop, &call->status));
}

void
srm_request_end(SrmRequest *request)
{
	srm_call_end(request->call);
}
