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
#include "write/calibration.h"

typedef struct SrmJudge
{
	SrmCall    *call;
	const char *name;			/* of the model */
	const char *aggregation;	/* NULL: as below */
	bool		follows_settings;	/* or the model alone */
	SrmComputeChoice compute_choice;	/* of one that follows the model alone */
	SrmOpenModel *model;
	SrmScoreOptions options;
	SrmCalibration *calibration;	/* of what the model reads in srm_judge_score_rows(); NULL: none */
	MemoryContext scratch;
} SrmJudge;

/*
 * The settings hold; a model and an aggregation that are not NULL take the
 * place of srm.model and srm.aggregation.
 */
extern void srm_judge_begin(SrmJudge *judge, const char *model, const char *aggregation);

/* The model's own config holds, and no setting. */
extern void srm_judge_begin_own(SrmJudge *judge, const char *model);

/* The same, but for the arithmetic of products. */
extern void srm_judge_begin_computing(SrmJudge *judge, const char *model, SrmComputeChoice choice);

/*
 * Scores n conversations, of which short ones go through the model together; each has its result, good until
 * srm_judge_forget(), or a status of its own.  The model is looked up anew, since what ran meanwhile may have closed it.
 */
extern void srm_judge_score_requests(SrmJudge *judge, SrmScoreRequest *requests, size_t n);

/* Raises the failure of a request. */
extern void srm_judge_raise(SrmJudge *judge, const SrmScoreRequest *request);

/* Scores the responses of n rows, those of a row one behind the other; a failure is raised, about its response. */
extern SrmScoreRequest *srm_judge_score_rows(SrmJudge *judge, SrmPairCursor *cursor, const SrmPairRow *rows, int n);

/* The score of a response of a row, as srm_score() gives it; errors from then on are about that. */
extern double srm_judge_score(SrmPairCursor *cursor, const SrmPairRow *row, int response,
							  const SrmScoreRequest *requests);

/* A row that was scored; requests are those of its responses. */
typedef void (*SrmJudgedRow) (void *arg, SrmPairCursor *cursor, const SrmPairRow *row,
							  const SrmScoreRequest *requests);

/* Scores all rows of a query, and hands each on; returns how many rows were left out. */
extern uint64 srm_judge_query(SrmJudge *judge, const char *query, bool wants_pairs, SrmJudgedRow take, void *arg);

/* Gives the memory of what was scored back. */
extern void srm_judge_forget(SrmJudge *judge);

/* Ends the call that srm_judge_begin() began. */
extern void srm_judge_end(SrmJudge *judge);

#endif							/* SRM_JUDGE_H */
