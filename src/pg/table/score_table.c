/*-------------------------------------------------------------------------
 *
 * score_table.c
 *	  Scoring a table in committed batches, in SQL.
 *
 * The target has a row for each row of the source, and says by itself what is
 * still to do.  So a run that was stopped goes on when it is called again, and
 * sessions that call at once share the rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/portal.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "pg/call.h"
#include "pg/settings.h"
#include "pg/table/score_batch.h"
#include "pg/table/score_plan.h"
#include "pg/table/score_worker.h"

#define NOTICE_MS		30000
#define MAX_BATCH		100000
#define MAX_WORKERS		1024
#define ANALYZE_ROWS	1000	/* that wait; fewer are soon sorted */

/* In the order of CREATE PROCEDURE srm_score_table */
enum
{
	ARGUMENT_SOURCE,
	ARGUMENT_TARGET,
	ARGUMENT_KEY,
	ARGUMENT_PROMPT,
	ARGUMENT_RESPONSE,
	ARGUMENT_MESSAGES,
	ARGUMENT_CHOSEN,
	ARGUMENT_REJECTED,
	ARGUMENT_MODEL,
	ARGUMENT_FILTER,
	ARGUMENT_SENTENCES,
	ARGUMENT_BATCH,
	ARGUMENT_WORKERS
};

static char *
get_text(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : TextDatumGetCString(PG_GETARG_DATUM(i));
}

static int
get_count(FunctionCallInfo fcinfo, int i, const char *name, int maximum)
{
	int			count = PG_ARGISNULL(i) ? 0 : PG_GETARG_INT32(i);

	if (count < 1 || count > maximum)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between %d and %d", name, 1, maximum)));
	return count;
}

static void
run(const char *statement, int expected)
{
	int			result = SPI_execute(statement, false, 0);

	if (result != expected)
		elog(ERROR, "unexpected result %d of statement \"%s\"", result, statement);
}

/* What a query gives in one row and column, as text; NULL for no row, too. */
static char *
get_value(const char *query)
{
	run(query, SPI_OK_SELECT);
	return SPI_processed == 0 ? NULL : SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

static bool
is_true(const char *query)
{
	char	   *value = get_value(query);

	return value != NULL && *value == 't';
}

/* A relation with its schema, quoted: workers may have another search path. */
static char *
name_relation(Oid relation)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation)), get_rel_name(relation));
}

/* The same of a table that need not exist yet, as the caller writes it. */
static char *
name_table(char *name)
{
	RangeVar   *table = makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(name)));
	Oid			schema = RangeVarGetCreationNamespace(table);
	Oid			relation = RangeVarGetRelid(table, NoLock, true);

	return OidIsValid(relation) ? name_relation(relation) :
		quote_qualified_identifier(get_namespace_name(schema), table->relname);
}

static void
split_keys(SrmScorePlan *plan, const char *list)
{
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(pstrdup(list), ',', &names) || names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list of key columns: \"%s\"", list)));
	plan->keys = palloc(sizeof(char *) * list_length(names));
	foreach(cell, names)
		plan->keys[plan->n_keys++] = pstrdup(quote_identifier(lfirst(cell)));
}

/* Without a word about it, the key is the source's primary key. */
static void
find_keys(SrmScorePlan *plan, const char *list)
{
	if (list == NULL)
		list = get_value(psprintf("SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ',' ORDER BY n.number)"
								  " FROM pg_catalog.pg_index AS i, unnest(i.indkey) WITH ORDINALITY AS n(attnum, number),"
								  " pg_catalog.pg_attribute AS a WHERE i.indrelid = %u AND i.indisprimary"
								  " AND a.attrelid = i.indrelid AND a.attnum = n.attnum", plan->source));
	if (list == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has no primary key", plan->source_name),
				 errhint("Name the columns that tell its rows apart, as in key => 'id'.")));
	split_keys(plan, list);
}

static bool
find_index(const SrmScorePlan *plan)
{
	return is_true(psprintf("SELECT EXISTS (SELECT FROM pg_catalog.pg_index AS i, pg_catalog.pg_attribute AS a"
							" WHERE i.indrelid = %u AND i.indisvalid AND i.indpred IS NULL"
							" AND a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND pg_catalog.quote_ident(a.attname) = %s)",
							plan->source, quote_literal_cstr(plan->keys[0])));
}

/* The type of an expression over the source; of a domain, the one below it. */
static Oid
type_of(const SrmScorePlan *plan, const char *expression)
{
	SPIPlanPtr	prepared = SPI_prepare(psprintf("SELECT (%s\n) FROM %s AS s", expression, plan->source_name), 0, NULL);
	List	   *sources = prepared == NULL ? NIL : SPI_plan_get_plan_sources(prepared);
	TupleDesc	columns = list_length(sources) != 1 ? NULL : ((CachedPlanSource *) linitial(sources))->resultDesc;

	if (columns == NULL || columns->natts != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("not an expression: %s", expression)));
	return getBaseType(TupleDescAttr(columns, 0)->atttypid);
}

static void
check_type(const char *name, Oid type, bool takes_text, bool takes_messages)
{
	bool		is_text = TypeCategory(type) == TYPCATEGORY_STRING;
	bool		is_messages = type == JSONBOID || type == JSONOID;

	if ((is_text && takes_text) || (is_messages && takes_messages))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("%s has type %s", name, format_type_be(type)),
			 !takes_messages ? errhint("It has to be text.") :
			 takes_text ? errhint("It has to be text, or a list of messages of type jsonb.") :
			 errhint("It has to be a list of messages of type jsonb, as srm_messages() makes it of a transcript; "
					 "texts have a prompt before them.")));
}

static void
add_input(SrmScorePlan *plan, const char *name, char *expression, bool takes_text, bool takes_messages)
{
	Oid			type = type_of(plan, expression);

	check_type(name, type, takes_text, takes_messages);
	plan->names[plan->n_inputs] = name;
	plan->inputs[plan->n_inputs] = expression;
	plan->types[plan->n_inputs] = type == JSONBOID || type == JSONOID ? "jsonb" : "text";
	plan->n_inputs++;
}

static void
fail_inputs(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("srm_score_table has to be told what to score"),
			 errhint("Give prompt and response, or messages, or chosen and rejected with or without a prompt: "
					 "each the name of a column, or an expression over the columns.")));
}

/* One response of prompt and response, or of messages; or a pair. */
static void
read_inputs(FunctionCallInfo fcinfo, SrmScorePlan *plan)
{
	char	   *prompt = get_text(fcinfo, ARGUMENT_PROMPT);
	char	   *response = get_text(fcinfo, ARGUMENT_RESPONSE);
	char	   *messages = get_text(fcinfo, ARGUMENT_MESSAGES);
	char	   *chosen = get_text(fcinfo, ARGUMENT_CHOSEN);
	char	   *rejected = get_text(fcinfo, ARGUMENT_REJECTED);
	bool		has_prompt = prompt != NULL;

	if ((response != NULL) + (messages != NULL) + (chosen != NULL) != 1 ||
		(chosen == NULL) != (rejected == NULL) ||
		(response != NULL && prompt == NULL) || (messages != NULL && prompt != NULL))
		fail_inputs();
	if (has_prompt)
		add_input(plan, "prompt", prompt, true, true);
	if (response != NULL)
		add_input(plan, "response", response, true, false);
	else if (messages != NULL)
		add_input(plan, "messages", messages, false, true);
	else
	{
		plan->has_pairs = true;
		add_input(plan, "chosen", chosen, has_prompt, !has_prompt);
		add_input(plan, "rejected", rejected, has_prompt, !has_prompt);
	}
}

/*
 * Columns of the source whose names occur in the inputs: a row is scored
 * again when one of them has changed.
 */
static char *
find_columns(const SrmScorePlan *plan)
{
	StringInfoData query;
	char	   *columns;

	initStringInfo(&query);
	appendStringInfo(&query, "SELECT pg_catalog.string_agg('s.' || pg_catalog.quote_ident(attname), ', ' ORDER BY attnum)"
					 " FROM pg_catalog.pg_attribute WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped AND (", plan->source);
	for (int i = 0; i < plan->n_inputs; i++)
		appendStringInfo(&query, "%spg_catalog.strpos(pg_catalog.lower(%s), pg_catalog.lower(attname)) > 0",
						 i > 0 ? " OR " : "", quote_literal_cstr(plan->inputs[i]));
	appendStringInfoChar(&query, ')');
	columns = get_value(query.data);
	return columns != NULL ? columns : "s.*";
}

/* The model's name with its digest: every participant uses the same files. */
static void
pin_model(SrmScorePlan *plan, const char *model)
{
	const char *name = model != NULL ? model : srm_model;

	plan->digest = get_value(psprintf("SELECT %s.srm_model_info(%s) ->> 'digest'", plan->schema, quote_literal_cstr(name)));
	if (plan->digest == NULL)
		elog(ERROR, "model \"%s\" has no digest", name);
	plan->model = strchr(name, '@') != NULL ? pstrdup(name) :
		psprintf("%s@%.16s", name, plan->digest);
}

static SrmScorePlan *
make_plan(FunctionCallInfo fcinfo)
{
	SrmScorePlan *plan = palloc0(sizeof(SrmScorePlan));
	char	   *sentences = get_text(fcinfo, ARGUMENT_SENTENCES);

	if (PG_ARGISNULL(ARGUMENT_SOURCE) || PG_ARGISNULL(ARGUMENT_TARGET))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("source and target must not be null")));
	plan->source = PG_GETARG_OID(ARGUMENT_SOURCE);
	plan->source_name = name_relation(plan->source);
	plan->target_name = name_table(get_text(fcinfo, ARGUMENT_TARGET));
	plan->sentences_name = sentences == NULL ? NULL : name_table(sentences);
	plan->schema = pstrdup(quote_identifier(get_namespace_name(get_func_namespace(fcinfo->flinfo->fn_oid))));
	plan->filter = get_text(fcinfo, ARGUMENT_FILTER);
	plan->batch = get_count(fcinfo, ARGUMENT_BATCH, "batch", MAX_BATCH);
	find_keys(plan, get_text(fcinfo, ARGUMENT_KEY));
	plan->has_index = find_index(plan);
	read_inputs(fcinfo, plan);
	plan->columns = find_columns(plan);
	pin_model(plan, get_text(fcinfo, ARGUMENT_MODEL));
	return plan;
}

/* Workers are other sessions. */
static void
check_workers(const SrmScorePlan *plan, int n_workers)
{
	if (n_workers > 0 &&
		is_true(psprintf("SELECT pg_catalog.bool_or(relpersistence = 't') FROM pg_catalog.pg_class WHERE oid IN (%u, %s::pg_catalog.regclass)",
						 plan->source, quote_literal_cstr(plan->target_name))))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("background workers cannot see temporary tables"),
				 errhint("Call srm_score_table with workers => 1.")));
}

static bool
exists(const char *table)
{
	return is_true(psprintf("SELECT pg_catalog.to_regclass(%s) IS NOT NULL", quote_literal_cstr(table)));
}

/* Key columns have the types that they have in the source. */
static void
make_target(const SrmScorePlan *plan)
{
	char	   *keys = srm_score_plan_keys(plan, "");

	run(psprintf("CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA", plan->target_name, keys, plan->source_name),
		SPI_OK_UTILITY);
	run(psprintf("ALTER TABLE %s ADD PRIMARY KEY (%s), %s, ADD COLUMN n_tokens integer,"
				 " ADD COLUMN truncated boolean, ADD COLUMN problem text, ADD COLUMN model text, ADD COLUMN digest text,"
				 " ADD COLUMN text_hash bigint, ADD COLUMN scored_at timestamptz",
				 plan->target_name, keys, !plan->has_pairs ? "ADD COLUMN score real" :
				 "ADD COLUMN margin real, ADD COLUMN chosen_score real, ADD COLUMN rejected_score real"),
		SPI_OK_UTILITY);
	run(psprintf("CREATE INDEX ON %s (%s) WHERE scored_at IS NULL", plan->target_name, keys), SPI_OK_UTILITY);
}

static void
make_sentences(const SrmScorePlan *plan)
{
	char	   *keys = srm_score_plan_keys(plan, "");

	run(psprintf("CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA", plan->sentences_name, keys, plan->source_name),
		SPI_OK_UTILITY);
	run(psprintf("ALTER TABLE %s ADD COLUMN response text, ADD COLUMN sentence_no integer, ADD COLUMN start_pos integer,"
				 " ADD COLUMN end_pos integer, ADD COLUMN sentence text, ADD COLUMN reward real, ADD COLUMN weight real,"
				 " ADD PRIMARY KEY (%s, response, sentence_no)", plan->sentences_name, keys),
		SPI_OK_UTILITY);
}

/* A table that is there already was made by an earlier call, or like by one. */
static void
check_target(const SrmScorePlan *plan)
{
	char	   *missing = get_value(psprintf("SELECT pg_catalog.string_agg(c, ', ') FROM unnest(%s::pg_catalog.text[]) AS c"
											 " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = %s::pg_catalog.regclass"
											 " AND attname = c AND NOT attisdropped)",
											 !plan->has_pairs ? "'{score,n_tokens,truncated,problem,model,digest,text_hash,scored_at}'" :
											 "'{margin,chosen_score,rejected_score,n_tokens,truncated,problem,model,digest,text_hash,scored_at}'",
											 quote_literal_cstr(plan->target_name)));

	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table %s cannot take scores", plan->target_name),
				 errdetail("It has no columns %s.", missing),
				 errhint("Name a table that does not exist: srm_score_table makes it.")));
}

/* Two rows of one key would be one row of the target, with either's score. */
static void
check_keys(const SrmScorePlan *plan)
{
	char	   *keys = srm_score_plan_keys(plan, "s");

	if (get_value(psprintf("SELECT 1 FROM %s AS s %s GROUP BY %s HAVING pg_catalog.count(*) > 1 LIMIT 1",
						   plan->source_name, srm_score_plan_where(plan), keys)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("rows of %s have the same key", plan->source_name),
				 errdetail("The key is (%s).", srm_score_plan_keys(plan, "")),
				 errhint("Name more columns, as in key => 'id, part'.")));
}

/*
 * Rows that the target lacks are put there to wait, and rows whose text or
 * model has changed wait again.
 */
static void
queue_rows(const SrmScorePlan *plan)
{
	char	   *keys = srm_score_plan_keys(plan, "s");

	run(psprintf("INSERT INTO %s (%s) SELECT %s FROM %s AS s %s AND num_nulls(%s) = 0 ON CONFLICT DO NOTHING",
				 plan->target_name, srm_score_plan_keys(plan, ""), keys, plan->source_name,
				 srm_score_plan_where(plan), keys),
		SPI_OK_INSERT);
	run(psprintf("UPDATE %s AS t SET scored_at = NULL FROM (SELECT %s, %s AS text_hash FROM %s AS s %s) AS s"
				 " WHERE %s AND t.scored_at IS NOT NULL"
				 " AND (t.digest IS DISTINCT FROM %s OR t.text_hash IS DISTINCT FROM s.text_hash)",
				 plan->target_name, keys, srm_score_plan_hash(plan), plan->source_name, srm_score_plan_where(plan),
				 srm_score_plan_match(plan, "t", "s"), quote_literal_cstr(plan->digest)),
		SPI_OK_UPDATE);
}

static int64
count_waiting(const SrmScorePlan *plan)
{
	return strtoll(get_value(psprintf("SELECT pg_catalog.count(*) FROM %s AS t WHERE %s", plan->target_name,
									  srm_score_plan_waiting(plan))), NULL, 10);
}

/*
 * The planner has to know that rows wait, or it sorts all of them for each batch.  Only the owner may
 * tell it; autovacuum does later on.
 */
static void
analyze_target(const SrmScorePlan *plan)
{
	if (is_true(psprintf("SELECT pg_catalog.pg_has_role(relowner, 'USAGE') FROM pg_catalog.pg_class WHERE oid = %s::pg_catalog.regclass",
						 quote_literal_cstr(plan->target_name))))
		run(psprintf("ANALYZE %s", plan->target_name), SPI_OK_UTILITY);
}

/* Sessions that begin at once do so one after the other. */
static int64
prepare_target(const SrmScorePlan *plan)
{
	int64		n_rows;

	run(psprintf("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('srm_score_table ' || %s, 0))",
				 quote_literal_cstr(plan->target_name)), SPI_OK_SELECT);
	check_keys(plan);
	if (exists(plan->target_name))
		check_target(plan);
	else
		make_target(plan);
	if (plan->sentences_name != NULL && !exists(plan->sentences_name))
		make_sentences(plan);
	queue_rows(plan);
	n_rows = count_waiting(plan);
	if (n_rows >= ANALYZE_ROWS)
		analyze_target(plan);
	return n_rows;
}

/* Lets others see what was written, and lets go of locks and the snapshot. */
static void
commit(void)
{
	SPI_commit();
	SPI_start_transaction();
}

static void
show_progress(const SrmScoreJob *job, int64 n_rows, TimestampTz begun, TimestampTz *noticed)
{
	TimestampTz now = GetCurrentTimestamp();
	SrmScoreCounts counts;
	double		seconds = (double) (now - begun) / USECS_PER_SEC;

	if (!TimestampDifferenceExceeds(*noticed, now, NOTICE_MS))
		return;
	srm_score_job_counts(job, &counts);
	if (counts.n_rows > 0)
		ereport(NOTICE,
				(errmsg("%lld of %lld rows, %lld with a problem, %.0f s left",
						(long long) counts.n_rows, (long long) n_rows, (long long) counts.n_bad,
						ceil(seconds / (double) counts.n_rows * (double) Max(n_rows - counts.n_rows, 0)))));
	*noticed = now;
}

/* This session's own part. */
static void
score_batches(SrmScoreRunner *runner, int64 n_rows)
{
	TimestampTz begun = GetCurrentTimestamp();
	TimestampTz noticed = begun;
	SrmScoreCounts counts;

	while (srm_score_batch_run(runner, &counts))
	{
		srm_score_job_add(runner->job, &counts);
		show_progress(runner->job, n_rows, begun, &noticed);
		commit();
		CHECK_FOR_INTERRUPTS();
	}
}

static void
say_workers(int wanted, int got)
{
	if (got < wanted)
		ereport(NOTICE,
				(errmsg("%d of %d background workers could be started", got, wanted),
				 errhint("Raise \"max_worker_processes\".")));
}

/*
 * With the workers' help.  A worker that died has left a batch, which this
 * session finds when it looks again.
 */
static void
score_with_workers(SrmScoreRunner *runner, int64 n_rows, int n_workers)
{
	SrmScoreWorkers workers = {0};

	PG_ENSURE_ERROR_CLEANUP(srm_score_workers_stop, PointerGetDatum(&workers));
	{
		srm_score_workers_start(&workers, runner->job, n_workers);
		say_workers(n_workers, workers.n);
		score_batches(runner, n_rows);
		srm_score_workers_wait(&workers);
	}
	PG_END_ENSURE_ERROR_CLEANUP(srm_score_workers_stop, PointerGetDatum(&workers));
	score_batches(runner, n_rows);
}

static void
say_result(const SrmScorePlan *plan, const SrmScoreJob *job)
{
	SrmScoreCounts counts;

	srm_score_job_counts(job, &counts);
	ereport(NOTICE,
			(errmsg_plural("%lld row scored into %s, %lld with a problem",
						   "%lld rows scored into %s, %lld with a problem", (unsigned long) counts.n_rows,
						   (long long) counts.n_rows, plan->target_name, (long long) counts.n_bad)));
}

/* CALL srm_score_table(source regclass, target text, ...) */
SRM_FUNCTION(srm_sql_score_table)
{
	MemoryContext context;
	MemoryContext old;
	SrmScorePlan *plan;
	SrmScoreJob job;
	SrmScoreRunner *runner;
	int			n_workers;
	int64		n_rows;

	PreventCommandDuringRecovery("srm_score_table()");
	srm_call_check_can_commit(fcinfo, "srm_score_table");
	n_workers = get_count(fcinfo, ARGUMENT_WORKERS, "workers", MAX_WORKERS) - 1;
	context = AllocSetContextCreate(PortalContext, "srm score table", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	plan = make_plan(fcinfo);
	srm_score_plan_statements(plan, &job);
	job.model = plan->model;
	job.search_path = namespace_search_path;
	n_rows = prepare_target(plan);
	check_workers(plan, n_workers);
	srm_score_job_begin(&job, plan->source_name, plan->target_name, n_rows);
	srm_score_job_join(&job);
	/* What is wrong with the statements shows before anything is committed */
	runner = srm_score_batch_begin(&job, context);
	commit();
	MemoryContextSwitchTo(context);
	score_with_workers(runner, n_rows, n_workers);
	srm_score_job_finish(&job);
	say_result(plan, &job);
	SPI_finish();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
