/*-------------------------------------------------------------------------
 *
 * readings.h
 *	  Responses on their way through the decoder, side by side (score.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_READINGS_H
#define SRM_READINGS_H

#include "score/memo.h"
#include "score/prompt.h"
#include "score/scorer.h"

#define SRM_MAX_READINGS	256		/* of a pass */

/* What the requests of one call have in common. */
typedef struct SrmScoreCall
{
	SrmScorer  *scorer;
	SrmScoreRequest *requests;
	size_t	   *twins;			/* for each, the first that asks for the same */
	const SrmScoreOptions *options;
	bool		needs_all;		/* the first failure ends the call */
	SrmMessage *messages;		/* room for those of any request */
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;			/* of the request at hand */
} SrmScoreCall;

/* A prompt of a pass. */
typedef struct SrmReadPrompt
{
	SrmPromptText text;
	SrmPromptRest rest;			/* behind what the one before it, or the cache, has in common with it */
} SrmReadPrompt;

/* What is to be computed of a response, where one before it behind the same prompt begins alike. */
typedef struct SrmReadRest
{
	size_t		n_common;		/* tokens that both begin with; 0: there is no such response */
	size_t		before;			/* its number in the batch */
	size_t		n_read_before;	/* of the tokens wanted, the first ones, whose states that one has */
} SrmReadRest;

/* One response on its way. */
typedef struct SrmReading
{
	SrmMemoKey	key;
	SrmLayout	layout;
	int32_t    *ids;			/* (layout.tokens.n) */
	SrmPromptText prompt;		/* without hidden states; */
	size_t		prompt_number;	/* of the batch's, which has them */
	SrmReadRest rest;
	uint32_t   *wanted;			/* (n_wanted) tokens of the response's block to read */
	size_t		n_wanted;
	float	   *states;			/* (n_wanted, dim) theirs */
	float	   *hidden;			/* (n + 1, dim) at the boundaries */
	double	   *values;			/* v (n + 1) at the boundaries */
	double	   *token_values;	/* (n_token_rewards) at the response's tokens */
	SrmScored  *scored;
	size_t		number;			/* of the request */
} SrmReading;

/* Responses that go through the decoder together: they have the same angles. */
typedef struct SrmReadings
{
	SrmReading *readings;		/* (n) */
	size_t		n;
	size_t		n_rows;			/* tokens behind prompts that are to be computed, */
	size_t		n_tokens;		/* and all of them */
	SrmReadPrompt *prompts;		/* (n_prompts) of which no two are the same */
	size_t		n_prompts;
	size_t		n_prompt_rows;	/* tokens of prompts that are to be computed, */
	size_t		n_prompt_tokens;	/* and all of them */
} SrmReadings;

/* Whether a response may go into the pass of those that wait. */
extern bool srm_readings_fit(const SrmScoreCall *call, const SrmReadings *batch, const SrmReading *reading);

/* Puts a response, for which there is room, with those that wait. */
extern void srm_readings_add(const SrmScoreCall *call, SrmReadings *batch, const SrmReading *reading);

/*
 * One pass: what is not there of the prompts' states, and the responses behind them.  The prompts of the batch
 * get their hidden states.
 */
extern bool srm_readings_run(const SrmScoreCall *call, SrmReadings *batch);

/* Forgets what waited, so that the next batch begins. */
extern void srm_readings_clear(SrmReadings *batch);

#endif							/* SRM_READINGS_H */
