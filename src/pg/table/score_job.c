/*-------------------------------------------------------------------------
 *
 * score_job.c
 *	  The tables srm.score_job and srm.score_worker, behind the view srm.progress.
 *
 * They belong to the owner of the extension, and nobody else writes to them:
 * background workers run the statements that they find there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/owner.h"
#include "pg/table/score_job.h"

/* The number in column i of the one row that a statement gave; 0 for NULL or no row. */
static int64
get_number(int i)
{
	bool		is_null = true;
	Datum		value = (Datum) 0;

	if (SPI_processed == 1)
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i, &is_null);
	return is_null ? 0 : DatumGetInt64(value);
}

static Datum
array_of_statements(const SrmScoreJob *job)
{
	Datum		elements[SRM_SCORE_N_STATEMENTS];

	for (int i = 0; i < SRM_SCORE_N_STATEMENTS; i++)
		elements[i] = CStringGetTextDatum(job->statements[i]);
	return PointerGetDatum(construct_array(elements, SRM_SCORE_N_STATEMENTS, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * A job with the same statements of which a participant is alive, or 0.  A process that began later has
 * the number of one that is gone.
 */
static int64
find_job(Datum statements, const char *search_path)
{
	Oid			types[] = {TEXTARRAYOID, OIDOID, TEXTOID};
	Datum		values[] = {statements, ObjectIdGetDatum(GetUserId()), CStringGetTextDatum(search_path)};

	srm_owner_execute("SELECT pg_catalog.max(j.job) FROM srm.score_job AS j"
					  " WHERE j.statements OPERATOR(pg_catalog.=) $1 AND j.role OPERATOR(pg_catalog.=) $2"
					  " AND j.search_path OPERATOR(pg_catalog.=) $3 AND j.finished_at IS NULL AND EXISTS (SELECT FROM srm.score_worker AS w, pg_catalog.pg_stat_activity AS a"
					  " WHERE w.job OPERATOR(pg_catalog.=) j.job AND a.pid OPERATOR(pg_catalog.=) w.pid"
					  " AND a.backend_start OPERATOR(pg_catalog.<=) w.started_at)",
					  3, types, values, NULL, SPI_OK_SELECT);
	return get_number(1);
}

static int64
add_job(Datum statements, const char *search_path, const char *source, const char *target, const char *model, int64 n_rows)
{
	Oid			types[] = {OIDOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTARRAYOID, TEXTOID};
	Datum		values[] = {ObjectIdGetDatum(GetUserId()), CStringGetTextDatum(source),
		CStringGetTextDatum(target), CStringGetTextDatum(model), Int64GetDatum(n_rows), statements,
		CStringGetTextDatum(search_path)
	};

	srm_owner_execute("INSERT INTO srm.score_job (role, source, target, model, n_rows, statements, search_path)"
					  " VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING job",
					  7, types, values, NULL, SPI_OK_INSERT_RETURNING);
	return get_number(1);
}

void
srm_score_job_begin(SrmScoreJob *job, const char *source, const char *target, int64 n_rows)
{
	Datum		statements = array_of_statements(job);

	job->number = find_job(statements, job->search_path);
	if (job->number == 0)
		job->number = add_job(statements, job->search_path, source, target, job->model, n_rows);
}

void
srm_score_job_read(SrmScoreJob *job, int64 number)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(number)};
	MemoryContext caller = CurrentMemoryContext;
	bool		is_null = true;
	Datum		array = (Datum) 0;
	Datum	   *elements;
	int			n = 0;

	srm_owner_execute("SELECT statements, search_path, model FROM srm.score_job WHERE job OPERATOR(pg_catalog.=) $1",
					  1, types, values, NULL, SPI_OK_SELECT);
	if (SPI_processed == 1)
		array = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	if (!is_null)
		deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	if (n != SRM_SCORE_N_STATEMENTS)
		elog(ERROR, "scoring job %lld is not on record", (long long) number);
	job->number = number;
	MemoryContextSwitchTo(caller);
	job->search_path = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	job->model = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
	for (int i = 0; i < n; i++)
		job->statements[i] = TextDatumGetCString(elements[i]);
}

void
srm_score_job_join(const SrmScoreJob *job)
{
	Oid			types[] = {INT8OID, INT4OID};
	Datum		values[] = {Int64GetDatum(job->number), Int32GetDatum(MyProcPid)};

	srm_owner_execute("INSERT INTO srm.score_worker AS w (job, pid) VALUES ($1, $2)"
					  " ON CONFLICT (job, pid) DO UPDATE SET started_at = pg_catalog.clock_timestamp(), updated_at = pg_catalog.clock_timestamp()",
					  2, types, values, NULL, SPI_OK_INSERT);
}

void
srm_score_job_add(const SrmScoreJob *job, const SrmScoreCounts *counts)
{
	Oid			types[] = {INT8OID, INT4OID, INT8OID, INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(job->number), Int32GetDatum(MyProcPid),
		Int64GetDatum(counts->n_rows), Int64GetDatum(counts->n_bad), Int64GetDatum(counts->n_tokens)
	};

	srm_owner_execute("UPDATE srm.score_worker SET n_rows = n_rows OPERATOR(pg_catalog.+) $3,"
					  " n_bad = n_bad OPERATOR(pg_catalog.+) $4, n_tokens = n_tokens OPERATOR(pg_catalog.+) $5,"
					  " updated_at = pg_catalog.clock_timestamp()"
					  " WHERE job OPERATOR(pg_catalog.=) $1 AND pid OPERATOR(pg_catalog.=) $2",
					  5, types, values, NULL, SPI_OK_UPDATE);
}

void
srm_score_job_finish(const SrmScoreJob *job)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(job->number)};

	srm_owner_execute("UPDATE srm.score_job SET finished_at = pg_catalog.clock_timestamp()"
					  " WHERE job OPERATOR(pg_catalog.=) $1",
					  1, types, values, NULL, SPI_OK_UPDATE);
}

void
srm_score_job_counts(const SrmScoreJob *job, SrmScoreCounts *counts)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(job->number)};

	srm_owner_execute("SELECT pg_catalog.sum(n_rows)::bigint, pg_catalog.sum(n_bad)::bigint, pg_catalog.sum(n_tokens)::bigint"
					  " FROM srm.score_worker WHERE job OPERATOR(pg_catalog.=) $1",
					  1, types, values, NULL, SPI_OK_SELECT);
	counts->n_rows = get_number(1);
	counts->n_bad = get_number(2);
	counts->n_tokens = get_number(3);
	SPI_freetuptable(SPI_tuptable);
}
