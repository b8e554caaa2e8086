/*-------------------------------------------------------------------------
 *
 * score_batch.c
 *	  Batches of srm_score_table(), as each participant runs them.
 *
 * A batch runs in a subtransaction.  If that fails, its rows are
 * scored one by one, and those that fail alone have the error for a problem.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "pg/table/score_batch.h"
#include "pg/table/score_rows.h"

static void
prepare(SrmScoreRunner *runner, SrmScoreStatement statement, int n_arguments, const Oid *types)
{
	const char *sql = runner->job->statements[statement];
	SPIPlanPtr	plan;

	if (*sql == '\0')
		return;
	plan = SPI_prepare(sql, n_arguments, (Oid *) types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare statement \"%s\"", sql);
	runner->plans[statement] = plan;
}

static void
free_plans(void *arg)
{
	SrmScoreRunner *runner = arg;

	for (int i = 0; i < SRM_SCORE_N_STATEMENTS; i++)
		if (runner->plans[i] != NULL)
			SPI_freeplan(runner->plans[i]);
}

SrmScoreRunner *
srm_score_batch_begin(const SrmScoreJob *job, MemoryContext context)
{
	static const Oid place[] = {TIDARRAYOID, TEXTOID};
	SrmScoreRunner *runner = MemoryContextAllocZero(context, sizeof(SrmScoreRunner));

	runner->job = job;
	runner->scratch = AllocSetContextCreate(context, "srm score batch", ALLOCSET_DEFAULT_SIZES);
	runner->callback.func = free_plans;
	runner->callback.arg = runner;
	MemoryContextRegisterResetCallback(context, &runner->callback);
	prepare(runner, SRM_SCORE_PICK, 0, NULL);
	prepare(runner, SRM_SCORE_CLEAR, 1, place);
	prepare(runner, SRM_SCORE_READ, 1, place);
	prepare(runner, SRM_SCORE_KEEP, SRM_SCORE_N_COLUMNS, srm_score_sentence_types);
	prepare(runner, SRM_SCORE_WRITE, SRM_SCORE_N_COLUMNS, srm_score_row_types);
	prepare(runner, SRM_SCORE_FAIL, 2, place);
	return runner;
}

static void
execute(const SrmScoreRunner *runner, SrmScoreStatement statement, Datum *values, int expected)
{
	int			result;

	if (runner->plans[statement] == NULL)
		return;
	result = SPI_execute_plan(runner->plans[statement], values, NULL, false, 0);
	if (result != expected)
		elog(ERROR, "unexpected result %d of statement \"%s\"", result, runner->job->statements[statement]);
}

/* The places of a batch, whose rows are locked from now on; NULL if there are none. */
static ArrayType *
pick_rows(const SrmScoreRunner *runner)
{
	bool		is_null;
	Datum		places;

	execute(runner, SRM_SCORE_PICK, NULL, SPI_OK_SELECT);
	places = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &is_null);
	if (is_null)
		return NULL;
	MemoryContextSwitchTo(runner->scratch);
	places = PointerGetDatum(DatumGetArrayTypePCopy(places));
	SPI_freetuptable(SPI_tuptable);
	return DatumGetArrayTypeP(places);
}

static void
score_rows(const SrmScoreRunner *runner, ArrayType *places, SrmScoreCounts *counts)
{
	Datum		values[] = {PointerGetDatum(places)};

	execute(runner, SRM_SCORE_CLEAR, values, SPI_OK_DELETE);
	srm_score_rows(runner->job, runner->plans, places, counts);
}

/*
 * Whether an error can be the fault of a row: bad data, a text that is too
 * long, a constraint.  Missing tables, rights, models and memory are not.
 */
static bool
is_fault_of_row(int code)
{
	switch (ERRCODE_TO_CATEGORY(code))
	{
		case ERRCODE_DATA_EXCEPTION:
		case ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION:
		case ERRCODE_PROGRAM_LIMIT_EXCEEDED:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
		case ERRCODE_PLPGSQL_ERROR:
		case ERRCODE_EXTERNAL_ROUTINE_EXCEPTION:
			return true;
		default:
			return false;
	}
}

/*
 * "message: detail" of an error that is a row's own; any other is raised, a cancel among them, without
 * the long statement that it came out of.
 */
static char *
problem_of_error(ErrorData *error, int n_rows)
{
	if (!is_fault_of_row(error->sqlerrcode))
	{
		error->context = psprintf("scoring %d rows of a table", n_rows);
		ReThrowError(error);
	}
	return error->detail == NULL ? error->message : psprintf("%s: %s", error->message, error->detail);
}

/* Scores the rows all or not at all; the problem, or NULL. */
static char *
try_rows(const SrmScoreRunner *runner, ArrayType *places, SrmScoreCounts *counts)
{
	ResourceOwner owner = CurrentResourceOwner;
	SrmScoreCounts before = *counts;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(runner->scratch);
	PG_TRY();
	{
		score_rows(runner, places, counts);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(runner->scratch);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		*counts = before;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(runner->scratch);
	CurrentResourceOwner = owner;
	return error == NULL ? NULL : problem_of_error(error, ArrayGetNItems(ARR_NDIM(places), ARR_DIMS(places)));
}

static void
record_problem(const SrmScoreRunner *runner, ArrayType *places, const char *problem, SrmScoreCounts *counts)
{
	Datum		values[] = {PointerGetDatum(places), CStringGetTextDatum(problem)};

	execute(runner, SRM_SCORE_CLEAR, values, SPI_OK_DELETE);
	execute(runner, SRM_SCORE_FAIL, values, SPI_OK_UPDATE);
	counts->n_rows++;
	counts->n_bad++;
}

static void
score_one_by_one(const SrmScoreRunner *runner, ArrayType *places, SrmScoreCounts *counts)
{
	Datum	   *elements;
	int			n;

	deconstruct_array(places, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		ArrayType  *place = construct_array(&elements[i], 1, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT);
		char	   *problem;

		CHECK_FOR_INTERRUPTS();
		problem = try_rows(runner, place, counts);
		if (problem != NULL)
			record_problem(runner, place, problem, counts);
	}
}

bool
srm_score_batch_run(SrmScoreRunner *runner, SrmScoreCounts *counts)
{
	ArrayType  *places;

	/* A model's cost would have each batch compiled anew, which takes longer than its expressions */
	set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	memset(counts, 0, sizeof(SrmScoreCounts));
	MemoryContextReset(runner->scratch);
	MemoryContextSwitchTo(runner->scratch);
	places = pick_rows(runner);
	if (places != NULL && try_rows(runner, places, counts) != NULL)
		score_one_by_one(runner, places, counts);
	MemoryContextSwitchTo(runner->scratch);
	return places != NULL;
}
