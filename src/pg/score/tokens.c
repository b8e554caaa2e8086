/*-------------------------------------------------------------------------
 *
 * tokens.c
 *	  What a model really sees, in SQL: the rendered text and its tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "pg/rows.h"
#include "pg/score/request.h"
#include "pg/settings.h"

/*
 * One token of a text.  Positions are NULL for a token that shows none of it,
 * such as a marker.
 */
static void
put_token(SrmRows *rows, const SrmTokenizer *tokenizer, const SrmToken *token,
		  SrmPositions *positions, size_t i)
{
	size_t		length;
	const char *text = srm_tokenizer_token(tokenizer, token->id, &length);
	bool		is_empty = token->start >= token->end;
	Datum		values[5] = {0};
	bool		nulls[5] = {false};

	if (!is_empty)
		srm_positions_range(positions, (SrmRange) {token->start, token->end}, &values[3]);
	values[0] = Int32GetDatum((int32) i + 1);
	values[1] = Int32GetDatum(token->id);
	nulls[2] = text == NULL;
	values[2] = nulls[2] ? (Datum) 0 : srm_datum_of_utf8_shown(text, length);
	nulls[3] = nulls[4] = is_empty;
	srm_rows_put(rows, values, nulls);
}

static void
put_tokens(SrmRows *rows, const SrmTokenizer *tokenizer, const SrmTokens *tokens,
		   const char *text, size_t length)
{
	SrmPositions positions;

	srm_positions_init(&positions, text, length);
	for (size_t i = 0; i < tokens->n; i++)
		put_token(rows, tokenizer, &tokens->items[i], &positions, i);
}

/* Tokens of a user's text, in which no special token is recognized. */
static Datum
tokenize_text(FunctionCallInfo fcinfo, bool has_model)
{
	SrmTopic	topic;
	SrmText		text;
	SrmTokens	tokens = {NULL, 0, 0};
	SrmCall    *call;
	SrmTokenizer *tokenizer;
	SrmRows		rows;
	const char *name = srm_model;

	srm_topic_begin(&topic);
	srm_rows_begin(&rows, fcinfo, 5);
	call = srm_call_begin();
	if (has_model)
		name = srm_topic_read_cstring(&topic, "model", PG_GETARG_DATUM(0));
	tokenizer = srm_models_open(call, name, srm_compute)->scorer->model->tokenizer;
	text = srm_topic_read_text(&topic, "text", PG_GETARG_DATUM(has_model ? 1 : 0));
	srm_call_check(call, srm_tokenizer_encode(tokenizer, text.data, text.length, NULL, 0,
											  call->arena, &tokens, &call->stop, &call->status));
	put_tokens(&rows, tokenizer, &tokens, text.data, text.length);
	srm_call_end(call);
	srm_topic_end(&topic);
	return (Datum) 0;
}

/* srm_tokenize(text) */
SRM_FUNCTION_AS(srm_sql_tokenize, tokenize_text(fcinfo, false))

/* srm_tokenize(model text, text) */
SRM_FUNCTION_AS(srm_sql_tokenize_model, tokenize_text(fcinfo, true))

/* Tokens of a rendered conversation, markers included: positions are those of srm_render(). */
static Datum
tokenize_messages(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmLayout	layout;
	SrmRows		rows;
	SrmCall    *call;

	srm_rows_begin(&rows, fcinfo, 5);
	srm_request_begin(&request, fcinfo, form, true, "messages");
	call = request.call;
	srm_request_check(&request, srm_scorer_layout(request.model->scorer, request.messages,
												  request.n_messages, &request.options, call->arena,
												  &layout, &call->stop, &call->status));
	put_tokens(&rows, request.model->scorer->model->tokenizer, &layout.tokens,
			   layout.rendered.text, layout.rendered.length);
	srm_request_end(&request);
	return (Datum) 0;
}

/* srm_tokenize(messages jsonb) */
SRM_FUNCTION_AS(srm_sql_tokenize_messages, tokenize_messages(fcinfo, SRM_FORM_MESSAGES))

/* srm_tokenize(model text, messages jsonb) */
SRM_FUNCTION_AS(srm_sql_tokenize_model_messages, tokenize_messages(fcinfo, SRM_FORM_MODEL_MESSAGES))

static Datum
render(FunctionCallInfo fcinfo, SrmForm form)
{
	SrmRequest	request;
	SrmRendered rendered;
	SrmLayoutOptions options = {0};
	SrmCall    *call;
	Datum		result;

	srm_request_begin(&request, fcinfo, form, true, "messages");
	call = request.call;
	options.date = request.options.date;
	options.variables = request.options.variables;
	srm_request_check(&request, srm_layout_render(request.model->scorer->model, request.messages,
												  request.n_messages, &options, call->arena, &rendered,
												  &call->stop, &call->status));
	result = srm_datum_of_utf8(rendered.text, rendered.length);
	srm_request_end(&request);
	return result;
}

/* srm_render(messages jsonb) returns text */
SRM_FUNCTION_AS(srm_sql_render_messages, render(fcinfo, SRM_FORM_MESSAGES))

/* srm_render(model text, messages jsonb) returns text */
SRM_FUNCTION_AS(srm_sql_render_model_messages, render(fcinfo, SRM_FORM_MODEL_MESSAGES))
