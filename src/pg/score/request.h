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
 * Where the response is a single text, messages may have it as their last one, or
 * come before it as a prompt does:
 *
 *	  f(messages jsonb, response text, ...)
 *	  f(model text, messages jsonb, response text, ...)
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

#include "pg/encoding.h"
#include "pg/models/models.h"
#include "pg/score/conversation.h"
#include "pg/topic.h"
#include "segment/given.h"

typedef enum SrmForm
{
	SRM_FORM_PROMPT = 0,
	SRM_FORM_MESSAGES = 1,
	SRM_FORM_MODEL = 2,
	SRM_FORM_MODEL_MESSAGES = 3,
	SRM_FORM_RESPONSE = 4,		/* f(response text): no prompt at all */
	SRM_FORM_MESSAGES_RESPONSE = 5,
	SRM_FORM_MODEL_MESSAGES_RESPONSE = 6
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

/* The same of a function of one response, with the two more that it has. */
#define SRM_FUNCTION_FORMS_OF_RESPONSE(name) \
	SRM_FUNCTION_FORMS(name) \
	SRM_FUNCTION(srm_sql_##name##_messages_response) \
	{ return name(fcinfo, SRM_FORM_MESSAGES_RESPONSE); } \
	SRM_FUNCTION(srm_sql_##name##_model_messages_response) \
	{ return name(fcinfo, SRM_FORM_MODEL_MESSAGES_RESPONSE); }

/* A response that is an argument, or an element of one. */
typedef struct SrmResponseArgument
{
	Datum		text;
	const char *argument;
	int			element;		/* of an array, from 1 on; 0: it is none */
} SrmResponseArgument;

typedef struct SrmRequest
{
	SrmCall    *call;
	SrmOpenModel *model;
	SrmScoreOptions options;
	SrmGiven	given;			/* sentences that the caller gives */
	SrmMessage *messages;		/* (n_messages), room for one more */
	size_t		n_messages;
	int			next_argument;	/* the first behind the prompt or messages */
	const char *prompt;			/* the argument that has what comes before the response */
	const char *response;		/* the one that has the response */
	SrmTopic	topic;
} SrmRequest;

/* What the settings say about scoring takes the place of the model's own. */
extern void srm_options_of_settings(SrmScoreOptions *options);

/*
 * Begins a call: opens the model, reads the prompt or the messages.  With
 * has_response the response is part of them: the argument behind the prompt,
 * or the last of the messages; without, they are what comes before one.  Errors until
 * srm_request_end() say what they are about; messages is what that argument is called.
 */
extern void srm_request_begin(SrmRequest *request, FunctionCallInfo fcinfo,
							  SrmForm form, bool has_response, const char *messages);

/*
 * Reads the argument behind the response, if the call has one: its sentences,
 * given by their ends or their texts.
 */
extern void srm_request_read_sentences(SrmRequest *request, FunctionCallInfo fcinfo);

/* The response of a request that has one. */
extern const SrmMessage *srm_request_response(const SrmRequest *request);

/* Raises what the engine has against the response of the request, unless it is done. */
extern void srm_request_check(SrmRequest *request, bool done);

/* Scores the response of the request. */
extern void srm_request_score(SrmRequest *request, SrmScored *scored);

/* Scores n > 0 responses to the prompt of a request without one. */
extern void srm_request_score_responses(SrmRequest *request, const SrmResponseArgument *responses, int n,
										SrmScored *scored);

/* Scores the response of the request, and that of another whole conversation, an argument of that name. */
extern void srm_request_score_pair(SrmRequest *request, Jsonb *other, const char *argument,
								   SrmScored *scored);

/* Frees the engine's memory of the call, what it returned included. */
extern void srm_request_end(SrmRequest *request);

#endif							/* SRM_REQUEST_H */
