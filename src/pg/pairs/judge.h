/*-------------------------------------------------------------------------
 *
 * judge.h
 *	  A model that scores the rows of a query.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JUDGE_H
#define SRM_JUDGE_H

#include "postgres.h"

#include "pg/pairs/pairs.h"
#include "pg/score/request.h"

typedef struct SrmJudge
{
	SrmCall    *call;
	const char *name;			/* of the model */
	const char *aggregation;	/* NULL: as below */
	bool		follows_settings;	/* or the model alone */
	int			compute;		/* of one that follows the model alone: an SrmComputeChoice or SrmCompute */
	SrmOpenModel *model;
	SrmScoreOptions options;
	MemoryContext scratch;
	uint64		n_batches;		/* the batch for which the model was looked up */
} SrmJudge;

/*
 * The settings hold; a model and an aggregation that are not NULL take the
 * place of srm.model and srm.aggregation.
 */
extern void srm_judge_begin(SrmJudge *judge, const char *model, const char *aggregation);

/* The model's own config holds, and no setting. */
extern void srm_judge_begin_own(SrmJudge *judge, const char *model);

/* The same, but for the arithmetic of products. */
extern void srm_judge_begin_computing(SrmJudge *judge, const char *model, int compute);

/*
 * The score of a conversation, as srm_score() gives it.  With every batch that a query gives the model
 * is looked up anew, since what the query calls may have closed it.
 */
extern double srm_judge_score(SrmJudge *judge, const SrmConversation *conversation,
							  uint64 n_batches);

/*
 * The same with the sentences, which are good until srm_judge_forget() or the next srm_judge_score().
 */
extern double srm_judge_score_sentences(SrmJudge *judge, const SrmConversation *conversation,
										uint64 n_batches, SrmScored *scored);

/*
 * Scores n conversations, of which short ones go through the model together; each has its result, good until
 * srm_judge_forget(), or a status of its own.
 */
extern void srm_judge_score_requests(SrmJudge *judge, SrmScoreRequest *requests, size_t n, uint64 n_batches);

/* Raises the failure of a request. */
extern void srm_judge_raise(SrmJudge *judge, const SrmScoreRequest *request);

/* Gives the memory of the last sentences back. */
extern void srm_judge_forget(SrmJudge *judge);

/* Ends the call that srm_judge_begin() began. */
extern void srm_judge_end(SrmJudge *judge);

#endif							/* SRM_JUDGE_H */
