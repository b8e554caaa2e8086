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

#include "pg/models/sats.h"
#include "pg/score/meant.h"
#include "pg/score/request.h"
#include "pg/settings.h"

static bool
has_model(SrmForm form)
{
	return form == SRM_FORM_MODEL || form == SRM_FORM_MODEL_MESSAGES ||
		form == SRM_FORM_MODEL_MESSAGES_RESPONSE;
}

static bool
has_messages(SrmForm form)
{
	return form == SRM_FORM_MESSAGES || form == SRM_FORM_MODEL_MESSAGES ||
		form == SRM_FORM_MESSAGES_RESPONSE || form == SRM_FORM_MODEL_MESSAGES_RESPONSE;
}

/* Whether the messages end with the response. */
static bool
is_conversation(SrmForm form)
{
	return form == SRM_FORM_MESSAGES || form == SRM_FORM_MODEL_MESSAGES;
}

/* ---- what errors are about ---- */

/* A response, and the last of n_before messages that come before it, which may be what is wrong. */
static void
look_at_response(SrmRequest *request, const SrmResponseArgument *response, const SrmMessage *text,
				 const SrmMessage *before, size_t n_before)
{
	bool		is_whole = strcmp(request->prompt, request->response) == 0;

	if (request->model->scorer->at_prompt && n_before > 0)
	{
		srm_topic_set(&request->topic, is_whole ? response->argument : request->prompt, 0);
		srm_topic_set_text(&request->topic, before[n_before - 1].content, before[n_before - 1].content_length);
		return;
	}
	srm_topic_set(&request->topic, response->argument, response->element);
	srm_topic_set_text(&request->topic, text->content, text->content_length);
	if (n_before > 0)
		request->topic.before = (SrmText) {before[n_before - 1].content, before[n_before - 1].content_length};
}

/* ---- arguments ---- */

static SrmMessage
read_text(SrmRequest *request, const char *role, Datum datum, const char *argument, int element)
{
	SrmMessage	message;

	srm_topic_set(&request->topic, argument, element);
	message = srm_message_of_datum(role, datum);
	srm_topic_set_text(&request->topic, message.content, message.content_length);
	srm_meant_check_text(&message, element > 0 ? "response" : argument);
	srm_topic_set(&request->topic, NULL, 0);
	return message;
}

static SrmMessage *
read_messages(SrmRequest *request, Jsonb *jsonb, const char *argument, size_t *n_messages)
{
	SrmMessage *messages;

	srm_topic_set(&request->topic, argument, 0);
	request->topic.messages = jsonb;
	messages = srm_messages_of_jsonb(jsonb, n_messages);
	srm_topic_set(&request->topic, NULL, 0);
	return messages;
}

/* The messages, or the prompt; with room for a response. */
static void
read_conversation(SrmRequest *request, FunctionCallInfo fcinfo, SrmForm form, const char *messages)
{
	if (has_messages(form))
	{
		request->messages = read_messages(request, PG_GETARG_JSONB_P(request->next_argument++),
										  messages, &request->n_messages);
		return;
	}
	request->messages = palloc0(sizeof(SrmMessage) * 2);
	if (form != SRM_FORM_RESPONSE)
		request->messages[request->n_messages++] =
			read_text(request, "user", PG_GETARG_DATUM(request->next_argument++), "prompt", 0);
}

/* Settings, or what the model says. */
static void
read_options(SrmRequest *request, SrmForm form)
{
	srm_scorer_defaults(request->model->scorer, &request->options);
	if (!has_model(form))
		srm_options_of_settings(&request->options);
	request->options.splitter = srm_sats_splitter(request->call, request->options.segmenter, !has_model(form));
	request->options.n_threads = srm_settings_threads();
	request->options.cache_bytes = (size_t) srm_prompt_cache * 1024;
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
	if (srm_truncation != SRM_TRUNCATION_OF_MODEL)
		options->truncation = srm_truncation;
}

void
srm_request_begin(SrmRequest *request, FunctionCallInfo fcinfo, SrmForm form, bool has_response,
				  const char *messages)
{
	const char *name = srm_model;

	memset(request, 0, sizeof(SrmRequest));
	srm_topic_begin(&request->topic);
	if (form == SRM_FORM_PROMPT)
	{
		srm_topic_set(&request->topic, "prompt", 0);
		srm_meant_check_prompt(fcinfo);
		srm_topic_set(&request->topic, NULL, 0);
	}
	if (has_model(form))
		name = srm_topic_read_cstring(&request->topic, "model", PG_GETARG_DATUM(request->next_argument++));
	request->call = srm_call_begin();
	request->model = srm_models_open(request->call, name,
									 has_model(form) ? SRM_CHOICE_OF_MODEL : srm_compute);
	request->model->scorer->at_prompt = false;

	read_conversation(request, fcinfo, form, messages);
	request->prompt = has_messages(form) ? messages : "prompt";
	request->response = is_conversation(form) ? messages : "response";
	if (has_response && !is_conversation(form))
		request->messages[request->n_messages++] =
			read_text(request, "assistant", PG_GETARG_DATUM(request->next_argument++), "response", 0);
	read_options(request, form);
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
	srm_topic_set_text(&request->topic, text.data, text.length);
	srm_call_check(call, srm_given_sentence(&request->given, text.data, text.length, &call->status));
}

static void
read_elements(SrmRequest *request, ArrayType *array, const char *argument)
{
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		is_null;

	for (int number = 1; array_iterate(iterator, &element, &is_null); number++)
	{
		CHECK_FOR_INTERRUPTS();
		srm_topic_set(&request->topic, argument, number);
		if (is_null)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("array of sentences must not contain nulls"),
					 errdetail("Element %d is null.", number)));
		read_element(request, ARR_ELEMTYPE(array), element);
	}
	array_free_iterator(iterator);
}

void
srm_request_read_sentences(SrmRequest *request, FunctionCallInfo fcinfo)
{
	const SrmMessage *response = srm_request_response(request);
	ArrayType  *array;
	const char *argument;

	if (request->next_argument >= PG_NARGS())
		return;
	array = PG_GETARG_ARRAYTYPE_P(request->next_argument++);
	argument = ARR_ELEMTYPE(array) == INT4OID ? "ends" : "sentences";
	srm_topic_set(&request->topic, argument, 0);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of sentences must have one dimension")));
	srm_given_begin(&request->given, response->content, response->content_length,
					request->call->arena);
	read_elements(request, array, argument);
	srm_topic_set(&request->topic, argument, 0);
	srm_call_check(request->call, srm_given_finish(&request->given, &request->call->status));
	srm_topic_set(&request->topic, NULL, 0);
	request->options.given = &request->given.sentences;
}

const SrmMessage *
srm_request_response(const SrmRequest *request)
{
	return &request->messages[request->n_messages - 1];
}

void
srm_request_check(SrmRequest *request, bool done)
{
	SrmResponseArgument response = {.argument = request->response};

	look_at_response(request, &response, srm_request_response(request), request->messages, request->n_messages - 1);
	srm_call_check(request->call, done);
	srm_topic_set(&request->topic, NULL, 0);
}

void
srm_request_score(SrmRequest *request, SrmScored *scored)
{
	SrmCall    *call = request->call;
	SrmScorer  *scorer = request->model->scorer;
	bool		done = srm_scorer_score(scorer, request->messages, request->n_messages, &request->options,
										call->arena, scored, &call->stop, &call->status);

	/* A model that cannot do it, or a cancel, is not about this response */
	if (!done && scorer->at == SIZE_MAX)
		srm_call_raise(call);
	srm_request_check(request, done);
}

void
srm_request_score_responses(SrmRequest *request, const SrmResponseArgument *responses, int n, SrmScored *scored)
{
	SrmCall    *call = request->call;
	SrmScorer  *scorer = request->model->scorer;
	SrmMessage *messages = palloc(sizeof(SrmMessage) * n);

	for (int i = 0; i < n; i++)
		messages[i] = read_text(request, "assistant", responses[i].text, responses[i].argument, responses[i].element);
	if (!srm_scorer_score_responses(scorer, request->messages, request->n_messages, messages, n,
									&request->options, call->arena, scored, &call->stop, &call->status))
	{
		if (scorer->at < (size_t) n)
			look_at_response(request, &responses[scorer->at], &messages[scorer->at],
							 request->messages, request->n_messages);
		srm_call_raise(call);
	}
	pfree(messages);
}

/* Both in one go, where all but the last messages are the same. */
static bool
score_shared(SrmRequest *request, const SrmMessage *messages, size_t n_messages, SrmScored *scored)
{
	SrmCall    *call = request->call;
	SrmMessage	responses[2];

	responses[0] = *srm_request_response(request);
	responses[1] = messages[n_messages - 1];
	return srm_scorer_score_responses(request->model->scorer, messages, n_messages - 1, responses, 2,
									  &request->options, call->arena, scored, &call->stop, &call->status);
}

static bool
score_apart(SrmRequest *request, const SrmMessage *messages, size_t n_messages, SrmScored *scored)
{
	SrmCall    *call = request->call;

	srm_request_score(request, &scored[0]);
	return srm_scorer_score(request->model->scorer, messages, n_messages, &request->options, call->arena,
							&scored[1], &call->stop, &call->status);
}

/*
 * Where the two differ in their last messages only, as most pairs do, the
 * rest is computed once.
 */
void
srm_request_score_pair(SrmRequest *request, Jsonb *other, const char *argument, SrmScored *scored)
{
	const SrmScorer *scorer = request->model->scorer;
	SrmResponseArgument response = {.argument = argument};
	size_t		n_messages;
	SrmMessage *messages = read_messages(request, other, argument, &n_messages);
	bool		is_shared = n_messages == request->n_messages;

	for (size_t i = 0; is_shared && i + 1 < n_messages; i++)
		is_shared = srm_message_equal(&messages[i], &request->messages[i]);
	if ((is_shared ? score_shared : score_apart) (request, messages, n_messages, scored))
		return;
	if (is_shared && scorer->at == 0)
		srm_request_check(request, false);
	if (scorer->at != SIZE_MAX)
		look_at_response(request, &response, &messages[n_messages - 1], messages, n_messages - 1);
	srm_call_raise(request->call);
}

void
srm_request_end(SrmRequest *request)
{
	srm_topic_end(&request->topic);
	srm_call_end(request->call);
}
