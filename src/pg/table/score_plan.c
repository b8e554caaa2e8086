/*-------------------------------------------------------------------------
 *
 * score_plan.c
 *	  The statements of srm_score_table(), as SQL.
 *
 * A row of the target that has no time in scored_at waits to be scored.  A
 * participant locks a batch of such rows, which others then skip, and knows
 * them by their places (ctid): keys may be of any type.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "pg/table/score_plan.h"

char *
srm_score_plan_keys(const SrmScorePlan *plan, const char *alias)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(&list, "%s%s%s%s", i > 0 ? ", " : "", alias, *alias ? "." : "", plan->keys[i]);
	return list.data;
}

char *
srm_score_plan_match(const SrmScorePlan *plan, const char *left, const char *right)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(&list, "%s%s.%s = %s.%s", i > 0 ? " AND " : "",
						 left, plan->keys[i], right, plan->keys[i]);
	return list.data;
}

/* The filter ends with its line, so that it may end with a comment. */
char *
srm_score_plan_where(const SrmScorePlan *plan)
{
	return plan->filter == NULL ? "WHERE true" : psprintf("WHERE (%s\n)", plan->filter);
}

char *
srm_score_plan_hash(const SrmScorePlan *plan)
{
	return psprintf("pg_catalog.hashtextextended(ROW(%s)::pg_catalog.text, 0)", plan->columns);
}

/*
 * Rows that wait for a call with another filter are not this one's.  OFFSET 0 has the source looked at for as
 * many rows as are picked, and not from its beginning on for each batch.
 */
char *
srm_score_plan_waiting(const SrmScorePlan *plan)
{
	if (plan->filter == NULL)
		return "t.scored_at IS NULL";
	return psprintf("t.scored_at IS NULL AND EXISTS (SELECT FROM %s AS s %s AND %s%s)",
					plan->source_name, srm_score_plan_where(plan), srm_score_plan_match(plan, "s", "t"),
					plan->has_index ? " OFFSET 0" : "");
}

static char *
pick_statement(const SrmScorePlan *plan)
{
	return psprintf("SELECT pg_catalog.array_agg(p.at) FROM (SELECT t.ctid AS at FROM %s AS t"
					" WHERE %s ORDER BY %s LIMIT %d FOR UPDATE SKIP LOCKED) AS p",
					plan->target_name, srm_score_plan_waiting(plan), srm_score_plan_keys(plan, "t"), plan->batch);
}

static char *
clear_statement(const SrmScorePlan *plan)
{
	if (plan->sentences_name == NULL)
		return "";
	return psprintf("DELETE FROM %s AS s USING %s AS k WHERE k.ctid = ANY ($1) AND %s",
					plan->sentences_name, plan->target_name, srm_score_plan_match(plan, "s", "k"));
}

static char *
fail_statement(const SrmScorePlan *plan)
{
	return psprintf("UPDATE %s AS t SET %s, n_tokens = NULL, truncated = NULL, problem = $2, model = %s, digest = %s,"
					" text_hash = (SELECT %s FROM %s AS s %s AND %s), scored_at = pg_catalog.clock_timestamp()"
					" WHERE t.ctid = ANY ($1)",
					plan->target_name,
					!plan->has_pairs ? "score = NULL" : "margin = NULL, chosen_score = NULL, rejected_score = NULL",
					quote_literal_cstr(plan->model), quote_literal_cstr(plan->digest),
					srm_score_plan_hash(plan), plan->source_name, srm_score_plan_where(plan),
					srm_score_plan_match(plan, "s", "t"));
}

/*
 * "k.a, k.b" of the keys of a row that is scored.  Columns that stand beside the source's have
 * names that it has not, as expressions name theirs without a table.
 */
static char *
number_keys(const SrmScorePlan *plan, const char *alias)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(&list, "%s%s.\"srm key %d\"", i > 0 ? ", " : "", alias, i);
	return list.data;
}

/*
 * given: the rows of the batch with their inputs.  They are sorted by what they were picked by, so that
 * all are read before the first is scored, which drives the server's code out of the processor's caches.
 *
 * k: the rows of the target, each fetched by its place; s: theirs in the source, if it still has
 * them.
 */
static void
add_rows(StringInfo sql, const SrmScorePlan *plan)
{
	appendStringInfoString(sql, " FROM pg_catalog.unnest($1) AS b(\"srm at\") CROSS JOIN LATERAL (SELECT ");
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(sql, "%st.%s AS \"srm key %d\"", i > 0 ? ", " : "", plan->keys[i], i);
	appendStringInfo(sql, " FROM %s AS t WHERE t.ctid = b.\"srm at\" OFFSET 0) AS k LEFT JOIN %s AS s ON (%s\n)",
					 plan->target_name, plan->source_name, plan->filter == NULL ? "true" : plan->filter);
	for (int i = 0; i < plan->n_keys; i++)
		appendStringInfo(sql, " AND s.%s = k.\"srm key %d\"", plan->keys[i], i);
}

/*
 * i: whether the source has row k, and the inputs.  OFFSET 0 has them computed once, and
 * for the rows of the batch alone, where the plan reads all of the source to find those.
 */
static void
add_inputs(StringInfo sql, const SrmScorePlan *plan)
{
	appendStringInfo(sql, " CROSS JOIN LATERAL (SELECT f.\"srm found\" AS found,"
					 " CASE WHEN f.\"srm found\" THEN %s END AS text_hash", srm_score_plan_hash(plan));
	for (int i = 0; i < plan->n_inputs; i++)
		appendStringInfo(sql, ", CASE WHEN f.\"srm found\" THEN (%s\n)::pg_catalog.%s END AS a%d", plan->inputs[i], plan->types[i], i);
	appendStringInfo(sql, " FROM (SELECT (s.%s = k.\"srm key 0\") IS TRUE) AS f(\"srm found\") OFFSET 0) AS i", plan->keys[0]);
}

/* All inputs of a batch are read before the first row comes, so that one which raises an error does so before any is scored. */
static char *
read_statement(const SrmScorePlan *plan)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT b.\"srm at\", i.found, i.text_hash");
	for (int i = 0; i < plan->n_inputs; i++)
		appendStringInfo(&sql, ", i.a%d AS %s", i, plan->names[i]);
	add_rows(&sql, plan);
	add_inputs(&sql, plan);
	appendStringInfo(&sql, " ORDER BY %s", number_keys(plan, "k"));
	return sql.data;
}

static char *
keep_statement(const SrmScorePlan *plan)
{
	if (plan->sentences_name == NULL)
		return "";
	return psprintf("INSERT INTO %s (%s, response, sentence_no, start_pos, end_pos, sentence, reward, weight)"
					" SELECT %s, r.response, r.sentence_no, r.start_pos, r.end_pos, r.sentence, r.reward, r.weight"
					" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
					" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8))"
					" AS r(at, response, sentence_no, start_pos, end_pos, sentence, reward, weight)"
					" JOIN %s AS t ON t.ctid = r.at AND t.ctid = ANY ($1)",
					plan->sentences_name, srm_score_plan_keys(plan, ""), srm_score_plan_keys(plan, "t"), plan->target_name);
}

static char *
write_statement(const SrmScorePlan *plan)
{
	return psprintf("UPDATE %s AS t SET %s, n_tokens = r.n_tokens, truncated = r.truncated,"
					" problem = r.problem, text_hash = r.text_hash, model = %s, digest = %s, scored_at = pg_catalog.clock_timestamp()"
					" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
					" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8))"
					" AS r(at, text_hash, problem, n_tokens, truncated, score, other, margin)"
					" WHERE t.ctid = r.at AND t.ctid = ANY ($1)",
					plan->target_name,
					!plan->has_pairs ? "score = r.score" : "margin = r.margin, chosen_score = r.score, rejected_score = r.other",
					quote_literal_cstr(plan->model), quote_literal_cstr(plan->digest));
}

void
srm_score_plan_statements(const SrmScorePlan *plan, SrmScoreJob *job)
{
	job->statements[SRM_SCORE_PICK] = pick_statement(plan);
	job->statements[SRM_SCORE_CLEAR] = clear_statement(plan);
	job->statements[SRM_SCORE_READ] = read_statement(plan);
	job->statements[SRM_SCORE_KEEP] = keep_statement(plan);
	job->statements[SRM_SCORE_WRITE] = write_statement(plan);
	job->statements[SRM_SCORE_FAIL] = fail_statement(plan);
}
