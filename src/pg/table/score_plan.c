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
					plan->n_items == 1 ? "score = NULL" : "margin = NULL, chosen_score = NULL, rejected_score = NULL",
					quote_literal_cstr(plan->model), quote_literal_cstr(plan->digest),
					srm_score_plan_hash(plan), plan->source_name, srm_score_plan_where(plan),
					srm_score_plan_match(plan, "s", "t"));
}

/* The arguments of a function that takes a conversation by a named model. */
static char *
arguments(const char *model, const SrmScoreItem *item)
{
	char	   *first = psprintf("%s, i.a%d", model, item->first);

	return item->second < 0 ? first : psprintf("%s, i.a%d", first, item->second);
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
		appendStringInfo(sql, ", CASE WHEN f.\"srm found\" THEN (%s\n) END AS a%d", plan->inputs[i], i);
	appendStringInfo(sql, " FROM (SELECT (s.%s = k.\"srm key 0\") IS TRUE) AS f(\"srm found\") OFFSET 0) AS i", plan->keys[0]);
}

/* q: why row k cannot be scored, as far as that shows before it is tried; or NULL */
static void
add_problem(StringInfo sql, const SrmScorePlan *plan)
{
	appendStringInfoString(sql, " CROSS JOIN LATERAL (SELECT CASE"
						   " WHEN NOT i.found THEN 'row is not in the source any more'");
	for (int i = 0; i < plan->n_inputs; i++)
		appendStringInfo(sql, " WHEN i.a%d IS NULL THEN '%s is null'", i, plan->names[i]);
	appendStringInfoString(sql, " ELSE COALESCE(");
	for (int i = 0; i < plan->n_items; i++)
		appendStringInfo(sql, "%s%s%s.srm_problem(%s)", i > 0 ? ", " : "",
						 plan->n_items == 1 ? "" : psprintf("'%s: ' || ", plan->items[i].label),
						 plan->schema, arguments(quote_literal_cstr(plan->model), &plan->items[i]));
	appendStringInfoString(sql, ") END AS problem OFFSET 0) AS q");
}

/* The pair at once: its responses go through the model side by side, and d1 and d2 find what came out. */
static void
add_margin(StringInfo sql, const SrmScorePlan *plan)
{
	appendStringInfo(sql, " CROSS JOIN LATERAL (SELECT CASE WHEN q.problem IS NULL THEN %s.srm_margin(%s",
					 plan->schema, quote_literal_cstr(plan->model));
	for (int i = 0; i < plan->n_inputs; i++)
		appendStringInfo(sql, ", i.a%d", i);
	appendStringInfoString(sql, ") END AS margin OFFSET 0) AS m");
}

/*
 * d1, d2: the scores of the items; n1, n2: their sentences.  No model is named where there is a problem: a
 * strict function is not called then, whereas a condition may be looked at after the call.
 */
static void
add_scores(StringInfo sql, const SrmScorePlan *plan)
{
	char	   *model = psprintf("CASE WHEN q.problem IS NULL THEN %s END", quote_literal_cstr(plan->model));

	if (plan->n_items > 1)
		add_margin(sql, plan);
	for (int i = 0; i < plan->n_items; i++)
	{
		char	   *call = arguments(model, &plan->items[i]);

		appendStringInfo(sql, " CROSS JOIN LATERAL %s.srm_score_details(%s) AS d%d", plan->schema, call, i + 1);
		if (plan->sentences_name != NULL)
			appendStringInfo(sql, " CROSS JOIN LATERAL (SELECT array_agg(sentence_no) AS no%d, array_agg(start_pos) AS start%d,"
							 " array_agg(end_pos) AS end%d, array_agg(sentence) AS sentence%d,"
							 " array_agg(reward) AS reward%d, array_agg(weight) AS weight%d"
							 " FROM %s.srm_sentence_rewards(%s)) AS n%d",
							 i + 1, i + 1, i + 1, i + 1, i + 1, i + 1, plan->schema, call, i + 1);
	}
}

static void
add_sentences(StringInfo sql, const SrmScorePlan *plan)
{
	for (int i = 0; i < plan->n_items; i++)
		appendStringInfo(sql, ", kept%d AS (INSERT INTO %s (%s, response, sentence_no, start_pos, end_pos, sentence, reward, weight)"
						 " SELECT %s, '%s', u.* FROM scored AS r,"
						 " ROWS FROM (unnest(r.no%d), unnest(r.start%d), unnest(r.end%d), unnest(r.sentence%d),"
						 " unnest(r.reward%d), unnest(r.weight%d)) AS u)",
						 i + 1, plan->sentences_name, srm_score_plan_keys(plan, ""), number_keys(plan, "r"),
						 plan->items[i].label, i + 1, i + 1, i + 1, i + 1, i + 1, i + 1);
}

/* What a row of the target becomes, from scored as r. */
static const char *
assignments(const SrmScorePlan *plan)
{
	return plan->n_items == 1 ? "score = r.score1" :
		"margin = r.margin, chosen_score = r.score1, rejected_score = r.score2";
}

static char *
rows_statement(const SrmScorePlan *plan)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH given AS MATERIALIZED (SELECT b.\"srm at\", k.*, i.*");
	add_rows(&sql, plan);
	add_inputs(&sql, plan);
	appendStringInfo(&sql, " ORDER BY %s), scored AS MATERIALIZED (SELECT i.*, q.problem, d1.score AS score1, %s", number_keys(plan, "k"),
					 plan->n_items == 1 ? "d1.n_tokens AS n_tokens, d1.truncated AS truncated" :
					 "d2.score AS score2, m.margin, d1.n_tokens + d2.n_tokens AS n_tokens, d1.truncated OR d2.truncated AS truncated");
	for (int i = 0; plan->sentences_name != NULL && i < plan->n_items; i++)
		appendStringInfo(&sql, ", n%d.*", i + 1);
	appendStringInfoString(&sql, " FROM given AS i");
	add_problem(&sql, plan);
	add_scores(&sql, plan);
	appendStringInfoChar(&sql, ')');
	if (plan->sentences_name != NULL)
		add_sentences(&sql, plan);
	appendStringInfo(&sql, ", done AS (UPDATE %s AS t SET %s, n_tokens = r.n_tokens, truncated = r.truncated,"
					 " problem = r.problem, text_hash = r.text_hash, model = %s, digest = %s, scored_at = pg_catalog.clock_timestamp()"
					 " FROM scored AS r WHERE t.ctid = r.\"srm at\" AND t.ctid = ANY ($1) RETURNING t.n_tokens, t.problem)"
					 " SELECT pg_catalog.count(*), COALESCE(pg_catalog.sum(n_tokens), 0)::pg_catalog.int8, pg_catalog.count(problem) FROM done",
					 plan->target_name, assignments(plan),
					 quote_literal_cstr(plan->model), quote_literal_cstr(plan->digest));
	return sql.data;
}

void
srm_score_plan_statements(const SrmScorePlan *plan, SrmScoreJob *job)
{
	job->statements[SRM_SCORE_PICK] = pick_statement(plan);
	job->statements[SRM_SCORE_CLEAR] = clear_statement(plan);
	job->statements[SRM_SCORE_ROWS] = rows_statement(plan);
	job->statements[SRM_SCORE_FAIL] = fail_statement(plan);
}
