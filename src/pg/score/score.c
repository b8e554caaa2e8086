/*-------------------------------------------------------------------------
 *
 * score.c
 *	  Scores, sentence rewards and preferences in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/rows.h"
#include "pg/score/request.h"

/* srm_score(...) returns real */
static Datum
score(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmScored	scored;

	srm_request_begin(&request, fcinfo, form, true, "messages");
	srm_request_read_sentences(&request, fcinfo);
	srm_request_score(&request, &scored);
	srm_request_end(&request);
	PG_RETURN_FLOAT4((float4) scored.score);
}

SRM_FUNCTION_FORMS_OF_RESPONSE(score)

/* The columns of a function's row, found at the first call of a statement. */
static TupleDesc
get_columns(FunctionCallInfo fcinfo)
{
	MemoryContext old;
	TupleDesc	columns;

	if (fcinfo->flinfo->fn_extra != NULL)
		return fcinfo->flinfo->fn_extra;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	fcinfo->flinfo->fn_extra = BlessTupleDesc(columns);
	MemoryContextSwitchTo(old);
	return columns;
}

/* srm_score_details(...): one row */
static Datum
score_details(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmScored	scored;
	Datum		values[6];
	bool		nulls[6] = {false};

	srm_request_begin(&request, fcinfo, form, true, "messages");
	srm_request_read_sentences(&request, fcinfo);
	srm_request_score(&request, &scored);
	values[0] = Float4GetDatum((float4) scored.score);
	values[1] = Float4GetDatum((float4) scored.rewards[0]);
	nulls[2] = scored.weights == NULL;
	values[2] = nulls[2] ? (Datum) 0 : Float4GetDatum((float4) scored.weights[0]);
	values[3] = Int32GetDatum((int32) scored.n_sentences);
	values[4] = Int32GetDatum((int32) scored.n_tokens);
	values[5] = BoolGetDatum(scored.truncated);
	srm_request_end(&request);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(get_columns(fcinfo), values, nulls)));
}

SRM_FUNCTION_FORMS_OF_RESPONSE(score_details)

/*
 * One sentence; those behind a truncated response's end were not read, and
 * have no reward.
 */
static void
put_sentence(SrmRows *rows, const SrmScored *scored, SrmPositions *positions, size_t i)
{
	bool		is_read = i < scored->n;
	bool		has_weight = is_read && scored->weights != NULL;
	Datum		values[6];
	bool		nulls[6] = {false};

	srm_positions_sentence(positions, &scored->sentences[i], i, values);
	nulls[4] = !is_read;
	values[4] = is_read ? Float4GetDatum((float4) scored->rewards[i + 1]) : (Datum) 0;
	nulls[5] = !has_weight;
	values[5] = has_weight ? Float4GetDatum((float4) scored->weights[i + 1]) : (Datum) 0;
	srm_rows_put(rows, values, nulls);
	pfree(DatumGetPointer(values[3]));
}

/* srm_sentence_rewards(...): a row a sentence */
static Datum
sentence_rewards(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmScored	scored;
	SrmRows		rows;
	SrmPositions positions;
	const SrmMessage *response;

	srm_rows_begin(&rows, fcinfo, 6);
	srm_request_begin(&request, fcinfo, form, true, "messages");
	srm_request_read_sentences(&request, fcinfo);
	srm_request_score(&request, &scored);
	response = srm_request_response(&request);
	srm_positions_init(&positions, response->content, response->content_length);
	for (size_t i = 0; i < scored.n_sentences; i++)
		put_sentence(&rows, &scored, &positions, i);
	srm_request_end(&request);
	return (Datum) 0;
}

SRM_FUNCTION_FORMS_OF_RESPONSE(sentence_rewards)

SRM_FUNCTION_AS(srm_sql_sentence_rewards_response, sentence_rewards(fcinfo, SRM_FORM_RESPONSE))

/* Responses that are scored side by side; texts and results of no more lie in memory. */
#define MAX_SIDE_BY_SIDE	64

/* Known before the first is computed, so that nobody waits for an error. */
static void
check_elements(SrmRequest *request, const Datum *elements, const bool *nulls, int n)
{
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (nulls[i] || VARSIZE_ANY_EXHDR(DatumGetPointer(elements[i])) > 0)
			continue;
		srm_topic_set(&request->topic, "responses", i + 1);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("response must not be empty")));
	}
}

/* Turns texts from element start on into their scores, as many as go side by side; returns the next one. */
static int
score_elements(SrmRequest *request, Datum *elements, const bool *nulls, int start, int n)
{
	SrmResponseArgument responses[MAX_SIDE_BY_SIDE];
	SrmScored	scored[MAX_SIDE_BY_SIDE];
	int			n_responses = 0;
	int			i;

	for (i = start; i < n && n_responses < MAX_SIDE_BY_SIDE; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			responses[n_responses++] = (SrmResponseArgument) {.text = elements[i],.argument = "responses",.element = i + 1};
	}
	if (n_responses > 0)
		srm_request_score_responses(request, responses, n_responses, scored);
	for (int j = 0; j < n_responses; j++)
		elements[responses[j].element - 1] = Float4GetDatum((float4) scored[j].score);
	srm_topic_set(&request->topic, NULL, 0);
	srm_arena_reset(request->call->arena);
	return i;
}

/* srm_scores(..., responses text[]) returns real[]: NULL elements stay NULL */
static Datum
scores(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	ArrayType  *responses;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	int			dims[1];
	int			lower_bounds[1] = {1};

	srm_request_begin(&request, fcinfo, form, false, "messages");
	responses = PG_GETARG_ARRAYTYPE_P(request.next_argument);
	srm_topic_set(&request.topic, "responses", 0);
	if (ARR_NDIM(responses) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("array of responses must have one dimension")));
	deconstruct_array(responses, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	srm_topic_set(&request.topic, NULL, 0);
	check_elements(&request, elements, nulls, n);
	for (int i = 0; i < n;)
		i = score_elements(&request, elements, nulls, i, n);
	srm_request_end(&request);
	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(FLOAT4OID));
	dims[0] = n;
	PG_RETURN_ARRAYTYPE_P(construct_md_array(elements, nulls, 1, dims, lower_bounds,
											 FLOAT4OID, sizeof(float4), true, TYPALIGN_INT));
}

SRM_FUNCTION_FORMS(scores)

/* The arguments of a comparison, as they are called. */
static const char *const of_margin[] = {"chosen", "rejected"};
static const char *const of_preference[] = {"a", "b"};

/* R_a - R_b of the two responses behind the prompt. */
static double
compare_responses(FunctionCallInfo fcinfo, SrmForm form, const char *const *names)
{
	SrmRequest	request;
	SrmScored	scored[2];
	SrmResponseArgument responses[2];

	srm_request_begin(&request, fcinfo, form, false, "messages");
	for (int i = 0; i < 2; i++)
		responses[i] = (SrmResponseArgument) {.text = PG_GETARG_DATUM(request.next_argument + i),.argument = names[i]};
	srm_request_score_responses(&request, responses, 2, scored);
	srm_request_end(&request);
	return scored[0].score - scored[1].score;
}

/* Scores of opposite signs at the ends of single precision have a margin beyond it. */
static Datum
datum_of_margin(double margin)
{
	if (!isfinite((float4) margin))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("margin is out of range for type real")));
	return Float4GetDatum((float4) margin);
}

static Datum
datum_of_preference(double margin)
{
	return Float4GetDatum((float4) srm_preference_forward(margin));
}

/* srm_margin(..., chosen, rejected) returns real */
static Datum
margin(FunctionCallInfo fcinfo, SrmForm form)
{
	return datum_of_margin(compare_responses(fcinfo, form, of_margin));
}

SRM_FUNCTION_FORMS(margin)

/* srm_preference(..., a, b) returns real */
static Datum
preference(FunctionCallInfo fcinfo, SrmForm form)
{
	return datum_of_preference(compare_responses(fcinfo, form, of_preference));
}

SRM_FUNCTION_FORMS(preference)

/* R_a - R_b of two whole conversations. */
static double
compare_conversations(FunctionCallInfo fcinfo, SrmForm form, const char *const *names)
{
	SrmRequest	request;
	SrmScored	scored[2];

	srm_request_begin(&request, fcinfo, form, true, names[0]);
	srm_request_score_pair(&request, PG_GETARG_JSONB_P(request.next_argument), names[1], scored);
	srm_request_end(&request);
	return scored[0].score - scored[1].score;
}

/* srm_margin(chosen jsonb, rejected jsonb) returns real */
SRM_FUNCTION_AS(srm_sql_margin_conversations,
				datum_of_margin(compare_conversations(fcinfo, SRM_FORM_MESSAGES, of_margin)))

/* srm_margin(model text, chosen jsonb, rejected jsonb) returns real */
SRM_FUNCTION_AS(srm_sql_margin_model_conversations,
				datum_of_margin(compare_conversations(fcinfo, SRM_FORM_MODEL_MESSAGES, of_margin)))

/* srm_preference(a jsonb, b jsonb) returns real */
SRM_FUNCTION_AS(srm_sql_preference_conversations,
				datum_of_preference(compare_conversations(fcinfo, SRM_FORM_MESSAGES, of_preference)))

/* srm_preference(model text, a jsonb, b jsonb) returns real */
SRM_FUNCTION_AS(srm_sql_preference_model_conversations,
				datum_of_preference(compare_conversations(fcinfo, SRM_FORM_MODEL_MESSAGES, of_preference)))

static void
put_token(SrmRows *rows, const SrmTokenizer *tokenizer, const SrmTokenReward *token,
		  SrmPositions *positions, size_t i)
{
	size_t		length;
	const char *text = srm_tokenizer_token(tokenizer, token->id, &length);
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = Int32GetDatum((int32) i + 1);
	nulls[1] = text == NULL;
	values[1] = nulls[1] ? (Datum) 0 : srm_datum_of_utf8_shown(text, length);
	srm_positions_range(positions, token->bytes, &values[2]);
	values[4] = Float4GetDatum((float4) token->reward);
	srm_rows_put(rows, values, nulls);
}

/* srm_token_rewards(...): a row a token of the response */
static Datum
token_rewards(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmScored	scored;
	SrmRows		rows;
	SrmPositions positions;
	const SrmMessage *response;

	srm_rows_begin(&rows, fcinfo, 5);
	srm_request_begin(&request, fcinfo, form, true, "messages");
	request.options.want_tokens = true;
	srm_request_score(&request, &scored);
	response = srm_request_response(&request);
	srm_positions_init(&positions, response->content, response->content_length);
	for (size_t i = 0; i < scored.n_token_rewards; i++)
		put_token(&rows, request.model->scorer->model->tokenizer, &scored.tokens[i],
				  &positions, i);
	srm_request_end(&request);
	return (Datum) 0;
}

SRM_FUNCTION_FORMS_OF_RESPONSE(token_rewards)
