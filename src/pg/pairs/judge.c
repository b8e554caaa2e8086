/*-------------------------------------------------------------------------
 *
 * judge.c
 *	  A model that scores the rows of a query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"

#include "pg/models/sats.h"
#include "pg/pairs/judge.h"
#include "pg/settings.h"

static void
set_aggregation(SrmJudge *judge)
{
	if (judge->aggregation != NULL &&
		!srm_aggregation_find(judge->aggregation, &judge->options.aggregation))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized aggregation \"%s\"", judge->aggregation),
				 errhint("Aggregations are \"attention\", \"last\", \"sum\", \"mean\", \"min\", \"max\" and \"token_mean\".")));
}

static void
look_up(SrmJudge *judge)
{
	MemoryContext old;

	MemoryContextReset(judge->scratch);
	old = MemoryContextSwitchTo(judge->scratch);
	judge->model = srm_models_open(judge->call, judge->name,
								   judge->follows_settings ? srm_compute : judge->compute_choice);
	MemoryContextSwitchTo(old);
	srm_scorer_defaults(judge->model->scorer, &judge->options);
	if (judge->follows_settings)
		srm_options_of_settings(&judge->options);
	judge->options.splitter = srm_sats_splitter(judge->call, judge->options.segmenter, judge->follows_settings);
	set_aggregation(judge);
	judge->options.n_threads = srm_settings_threads();
	judge->options.cache_bytes = (size_t) srm_prompt_cache * 1024;
}

static void
begin_judge(SrmJudge *judge, const char *model, const char *aggregation, bool follows_settings,
			SrmComputeChoice choice)
{
	memset(judge, 0, sizeof(SrmJudge));
	judge->call = srm_call_begin();
	judge->name = pstrdup(model);
	judge->aggregation = aggregation;
	judge->follows_settings = follows_settings;
	judge->compute_choice = choice;
	judge->scratch = AllocSetContextCreate(CurrentMemoryContext, "srm judge", ALLOCSET_DEFAULT_SIZES);
	look_up(judge);
}

void
srm_judge_begin(SrmJudge *judge, const char *model, const char *aggregation)
{
	begin_judge(judge, model != NULL ? model : srm_model, aggregation, true, srm_compute);
}

void
srm_judge_begin_own(SrmJudge *judge, const char *model)
{
	begin_judge(judge, model, NULL, false, SRM_CHOICE_OF_MODEL);
}

void
srm_judge_begin_computing(SrmJudge *judge, const char *model, SrmComputeChoice choice)
{
	begin_judge(judge, model, NULL, false, choice);
}

void
srm_judge_score_requests(SrmJudge *judge, SrmScoreRequest *requests, size_t n)
{
	SrmCall    *call = judge->call;

	look_up(judge);
	srm_call_check(call, srm_scorer_score_requests(judge->model->scorer, requests, n, false, &judge->options, call->arena,
												   &call->stop, &call->status));
}

void
srm_judge_raise(SrmJudge *judge, const SrmScoreRequest *request)
{
	judge->call->status = request->status;
	srm_call_raise(judge->call);
}

/*
 * Each by itself and from its first token on, since moments are to weigh tokens as often as they are read: those that all
 * conversations begin with have the largest states of all.
 */
static bool
read_each(SrmJudge *judge, SrmScoreRequest *requests, size_t n)
{
	SrmCall    *call = judge->call;
	SrmScorer  *scorer = judge->model->scorer;
	bool		done = srm_calibration_attach(judge->calibration, scorer->model, &call->status);

	judge->options.cache_bytes = 0;
	scorer->at = SIZE_MAX;
	for (size_t i = 0; done && i < n; i++)
	{
		done = srm_scorer_score_requests(scorer, &requests[i], 1, true, &judge->options, call->arena, &call->stop, &call->status);
		scorer->at = done || scorer->at > 0 ? scorer->at : i;
	}
	/* The next look may find the model opened anew */
	srm_calibration_detach(scorer->model);
	return done;
}

SrmScoreRequest *
srm_judge_score_rows(SrmJudge *judge, SrmPairCursor *cursor, const SrmPairRow *rows, int n)
{
	int			n_responses = srm_pairs_count_responses(cursor);
	size_t		n_requests = (size_t) n * n_responses;
	SrmCall    *call = judge->call;
	SrmScoreRequest *requests = srm_arena_array(call->arena, n_requests, sizeof(SrmScoreRequest), &call->status);
	SrmScorer  *scorer;

	srm_call_check(call, requests != NULL);
	/* Errors that are about no row show the first */
	for (size_t i = n_requests; i-- > 0;)
	{
		const SrmConversation *conversation = srm_pairs_look_at(cursor, &rows[i / n_responses], i % n_responses);

		requests[i].messages = conversation->messages;
		requests[i].n_messages = conversation->n_messages - 1;
		requests[i].response = &conversation->messages[conversation->n_messages - 1];
	}
	look_up(judge);
	scorer = judge->model->scorer;
	if (judge->calibration != NULL ? read_each(judge, requests, n_requests) :
		srm_scorer_score_requests(scorer, requests, n_requests, true, &judge->options, call->arena, &call->stop, &call->status))
		return requests;
	if (scorer->at < n_requests)
		(void) srm_pairs_look_at(cursor, &rows[scorer->at / n_responses], scorer->at % n_responses);
	srm_call_raise(call);
}

double
srm_judge_score(SrmPairCursor *cursor, const SrmPairRow *row, int response,
				const SrmScoreRequest *requests)
{
	srm_pairs_look_at(cursor, row, response);
	return (float4) requests[response].scored.score;	/* the score that srm_score() gives */
}

uint64
srm_judge_query(SrmJudge *judge, const char *query, bool wants_pairs, SrmJudgedRow take, void *arg)
{
	SrmPairCursor cursor;
	SrmPairRow	rows[SRM_PAIRS_AT_ONCE];
	int			n;

	SPI_connect();
	srm_pairs_open(&cursor, query, wants_pairs);
	while ((n = srm_pairs_read(&cursor, rows)) > 0)
	{
		SrmScoreRequest *requests = srm_judge_score_rows(judge, &cursor, rows, n);

		for (int i = 0; i < n; i++)
			take(arg, &cursor, &rows[i], &requests[i * srm_pairs_count_responses(&cursor)]);
		srm_judge_forget(judge);
	}
	srm_pairs_close(&cursor);
	SPI_finish();
	return cursor.n_null + cursor.n_empty;
}

void
srm_judge_forget(SrmJudge *judge)
{
	srm_arena_reset(judge->call->arena);
}

void
srm_judge_end(SrmJudge *judge)
{
	srm_call_end(judge->call);
	MemoryContextDelete(judge->scratch);
}
