/*-------------------------------------------------------------------------
 *
 * judge.c
 *	  A model that scores the rows of a query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/judge.h"
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
								   judge->follows_settings ? srm_settings_compute() : SRM_COMPUTE_OF_MODEL);
	MemoryContextSwitchTo(old);
	srm_scorer_defaults(judge->model->scorer, &judge->options);
	if (judge->follows_settings)
		srm_options_of_settings(&judge->options);
	set_aggregation(judge);
	judge->options.n_threads = srm_settings_threads();
	judge->options.cache_bytes = (size_t) srm_prompt_cache * 1024;
}

static void
begin_judge(SrmJudge *judge, const char *model, const char *aggregation, bool follows_settings)
{
	memset(judge, 0, sizeof(SrmJudge));
	judge->call = srm_call_begin();
	judge->name = pstrdup(model);
	judge->aggregation = aggregation;
	judge->follows_settings = follows_settings;
	judge->scratch = AllocSetContextCreate(CurrentMemoryContext, "srm judge", ALLOCSET_DEFAULT_SIZES);
	look_up(judge);
}

void
srm_judge_begin(SrmJudge *judge, const char *model, const char *aggregation)
{
	begin_judge(judge, model != NULL ? model : srm_model, aggregation, true);
}

void
srm_judge_begin_own(SrmJudge *judge, const char *model)
{
	begin_judge(judge, model, NULL, false);
}

double
srm_judge_score(SrmJudge *judge, const SrmConversation *conversation, uint64 n_batches)
{
	SrmCall    *call = judge->call;
	SrmScored	scored;

	if (judge->n_batches != n_batches)
		look_up(judge);
	judge->n_batches = n_batches;
	srm_call_check(call, srm_scorer_score(judge->model->scorer, conversation->messages,
										  conversation->n_messages, &judge->options,
										  call->arena, &scored, &call->stop, &call->status));
	srm_arena_reset(call->arena);
	return (float4) scored.score;	/* the score that srm_score() gives */
}

void
srm_judge_end(SrmJudge *judge)
{
	srm_call_end(judge->call);
	MemoryContextDelete(judge->scratch);
}
