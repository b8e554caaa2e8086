/*-------------------------------------------------------------------------
 *
 * score_plan.h
 *	  What srm_score_table() scores, and the statements that do it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORE_PLAN_H
#define SRM_SCORE_PLAN_H

#include "postgres.h"

#include "pg/table/score_job.h"

#define SRM_SCORE_MAX_INPUTS	3

/*
 * All strings are SQL, in the encoding of the database: names are quoted,
 * expressions are those of the caller.
 */
typedef struct SrmScorePlan
{
	char	   *schema;			/* of the extension */
	Oid			source;
	char	   *source_name;
	char	   *target_name;
	char	   *sentences_name; /* NULL: no sentences are kept */
	int			n_keys;
	char	  **keys;
	bool		has_index;		/* of the source, that finds the first of them */
	int			n_inputs;
	const char *names[SRM_SCORE_MAX_INPUTS];	/* of the arguments */
	char	   *inputs[SRM_SCORE_MAX_INPUTS];
	const char *types[SRM_SCORE_MAX_INPUTS];	/* what they are read as: "text" or "jsonb" */
	bool		has_pairs;		/* of chosen and rejected */
	char	   *filter;			/* NULL: all rows */
	char	   *model;			/* with its digest */
	char	   *digest;
	char	   *columns;		/* of the source, that the inputs name: what is hashed */
	int			batch;
} SrmScorePlan;

/* "t.a, t.b", and "t.a = s.a AND t.b = s.b" */
extern char *srm_score_plan_keys(const SrmScorePlan *plan, const char *alias);
extern char *srm_score_plan_match(const SrmScorePlan *plan, const char *left, const char *right);

/* "WHERE ..." of the rows of the source, with more conditions to follow. */
extern char *srm_score_plan_where(const SrmScorePlan *plan);

/* The condition on rows of the target, as t, that wait for this plan. */
extern char *srm_score_plan_waiting(const SrmScorePlan *plan);

/* A hash of what the inputs are made of, over alias s. */
extern char *srm_score_plan_hash(const SrmScorePlan *plan);

/* The statements of a batch. */
extern void srm_score_plan_statements(const SrmScorePlan *plan, SrmScoreJob *job);

#endif							/* SRM_SCORE_PLAN_H */
