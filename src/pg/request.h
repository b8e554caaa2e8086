/*-------------------------------------------------------------------------
 *
 * request.h
 *	  What a call of a scoring function asks for.
 *
 * Every scoring function exists in four forms, which differ in their first
 * arguments only:
 *
 *	  f(prompt text, ...)					the model of srm.model, the settings
 *	  f(messages jsonb, ...)
 *	  f(model text, prompt text, ...)		that model, its own config only
 *	  f(model text, messages jsonb, ...)
 *
 * Some take the sentences of the response behind it: ends int[], or
 * sentences text[].
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_REQUEST_H
#define SRM_REQUEST_H

#include "postgres.h"
#include "utils/jsonb.h"

#include "pg/conversation.h"
#include "pg/encoding.h"
#include "pg/models.h"
#include "segment/given.h"

typedef enum SrmForm
{
	SRM_FORM_PROMPT = 0,
	SRM_FORM_MESSAGES = 1,
	SRM_FORM_MODEL = 2,
	SRM_FORM_MODEL_MESSAGES = 3,
	SRM_FORM_RESPONSE = 4		/* f(response text): no prompt at all */
} SrmForm;

/* Defines the four functions that the server calls for one static function. */
#define SRM_FUNCTION_FORMS(name) \
	SRM_FUNCTION(srm_sql_##name) \
	{ return name(fcinfo, SRM_FORM_PROMPT); } \
	SRM_FUNCTION(srm_sql_##name##_messages) \
	{ return name(fcinfo, SRM_FORM_MESSAGES); } \
	SRM_FUNCTION(srm_sql_##name##_model) \
	{ return name(fcinfo, SRM_FORM_MODEL); } \
	SRM_FUNCTION(srm_sql_##name##_model_messages) \
	{ return name(fcinfo, SRM_FORM_MODEL_MESSAGES); }

typedef struct SrmRequest
{
	SrmCall    *call;
	SrmOpenModel *model;
	SrmScoreOptions options;
	SrmGiven	given;			/* sentences that the caller gives */
	SrmMessage *messages;		/* (n_messages), room for one more */
	size_t		n_messages;
	int			next_argument;	/* the first behind the prompt or messages */
} SrmRequest;

/* What the settings say about scoring takes the place of the model's own. */
extern void srm_options_of_settings(SrmScoreOptions *options);

/*
 * Begins a call: opens the model, reads the prompt or the messages.  With
 * has_response the response is part of them: the argument behind the prompt,
 * or the last of the messages; without, they are what comes before one.
 */
extern void srm_request_begin(SrmRequest *request, FunctionCallInfo fcinfo,
							  SrmForm form, bool has_response);

/*
 * Reads the argument behind the response, if the call has one: its sentences,
 * given by their ends or their texts.
 */
extern void srm_request_read_sentences(SrmRequest *request, FunctionCallInfo fcinfo);

/* The response of a request that has one. */
extern const SrmMessage *srm_request_response(const SrmRequest *request);

/* Scores the response of the request. */
extern void srm_request_score(SrmRequest *request, SrmScored *scored);

/* Scores n > 0 responses, text datums, to the prompt of a request without one. */
extern void srm_request_score_responses(SrmRequest *request, const Datum *responses, int n,
										SrmScored *scored);

/* Scores the response of the request, and that of another whole conversation. */
extern void srm_request_score_pair(SrmRequest *request, Jsonb *other, SrmScored *scored);

/* Frees the engine's memory of the call, what it returned included. */
extern void srm_request_end(SrmRequest *request);

#endif							/* SRM_REQUEST_H */
