/*-------------------------------------------------------------------------
 *
 * training_log.c
 *	  The table srm.training_log, in which training runs report.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/encoding.h"
#include "pg/owner.h"
#include "pg/pairs/training_log.h"

/* The number in the one row that a statement gave; 0 for NULL. */
static int64
get_number(void)
{
	bool		is_null;
	Datum		value;

	if (SPI_processed != 1)
		elog(ERROR, "unexpected number of rows");
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	return is_null ? 0 : DatumGetInt64(value);
}

/*
 * Whether a run of the checkpoint's number can be this database's: a checkpoint belongs to the server, and may have been
 * left by a run of another database.
 */
static bool
is_ours(int64 run, const char *model)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(run), srm_datum_of_utf8(model, strlen(model))};

	srm_owner_execute("SELECT pg_catalog.count(*) FROM srm.training_run WHERE last_value OPERATOR(pg_catalog.>=) $1"
			" AND NOT EXISTS (SELECT FROM srm.training_log AS l"
			" WHERE l.run OPERATOR(pg_catalog.=) $1 AND l.model OPERATOR(pg_catalog.<>) $2)",
			2, types, values, NULL, SPI_OK_SELECT);
	return get_number() == 1;
}

static void
delete_from(int64 run, uint64 step)
{
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(run), Int64GetDatum((int64) step)};

	srm_owner_execute("DELETE FROM srm.training_log WHERE run OPERATOR(pg_catalog.=) $1"
			" AND step OPERATOR(pg_catalog.>=) $2",
			2, types, values, NULL, SPI_OK_DELETE);
}

int64
srm_training_log_begin(const char *model, int64 resumed, uint64 first_step)
{
	if (resumed > 0 && is_ours(resumed, model))
	{
		delete_from(resumed, first_step);
		return resumed;
	}
	srm_owner_execute("SELECT pg_catalog.nextval('srm.training_run')", 0, NULL, NULL, NULL, SPI_OK_SELECT);
	return get_number();
}

static void
set_number(Datum *value, char *null, double number)
{
	*value = Float8GetDatum(number);
	*null = isfinite(number) ? ' ' : 'n';
}

static void
set_time(Datum *value, char *null, double seconds)
{
	Interval   *interval = palloc0(sizeof(Interval));
	bool		known = isfinite(seconds) && seconds >= 0.0 && seconds < 1e9;

	/* Seconds are enough: the pace is known no better */
	interval->time = known ? (TimeOffset) ceil(seconds) * USECS_PER_SEC : 0;
	*value = IntervalPGetDatum(interval);
	*null = known ? ' ' : 'n';
}

void
srm_training_log_put(int64 run, const char *model, const SrmTrainReport *report)
{
	Oid			types[] = {INT8OID, INT8OID, TEXTOID, FLOAT8OID, FLOAT8OID, FLOAT8OID,
	FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, INTERVALOID};
	Datum		values[11];
	char		nulls[11];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(run);
	values[1] = Int64GetDatum((int64) report->step);
	values[2] = srm_datum_of_utf8(model, strlen(model));
	set_number(&values[3], &nulls[3], report->epoch);
	set_number(&values[4], &nulls[4], report->loss);
	set_number(&values[5], &nulls[5], report->accuracy);
	set_number(&values[6], &nulls[6], report->evaluated ? report->held_out_loss : NAN);
	set_number(&values[7], &nulls[7], report->evaluated ? report->held_out_accuracy : NAN);
	set_number(&values[8], &nulls[8], report->learning_rate);
	set_number(&values[9], &nulls[9], report->tokens_per_second);
	set_time(&values[10], &nulls[10], report->seconds_left);
	srm_owner_execute("INSERT INTO srm.training_log (run, step, model, epoch, loss, accuracy,"
			" held_out_loss, held_out_accuracy, learning_rate, tokens_per_second, time_left)"
			" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
			11, types, values, nulls, SPI_OK_INSERT);
}
