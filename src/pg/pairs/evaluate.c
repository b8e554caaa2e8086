/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  How well a model agrees with the preferences of a query, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/pairs/categories.h"
#include "pg/pairs/judge.h"
#include "pg/pairs/pairs.h"
#include "pg/rows.h"
#include "reward/evaluate.h"

#define N_COLUMNS	9

static void
put_result(SrmRows *rows, const char *category, const SrmEvaluation *evaluation)
{
	SrmEvaluationResult result;
	Datum		values[N_COLUMNS] = {0};
	bool		nulls[N_COLUMNS];

	memset(nulls, evaluation->n == 0, sizeof(nulls));
	nulls[0] = category == NULL;
	nulls[1] = false;
	if (category != NULL)
		values[0] = CStringGetTextDatum(category);
	values[1] = Int64GetDatum((int64) evaluation->n);
	if (evaluation->n > 0)
	{
		srm_evaluation_result(evaluation, &result);
		values[2] = Float8GetDatum(result.accuracy);
		values[3] = Float8GetDatum(result.accuracy_low);
		values[4] = Float8GetDatum(result.accuracy_high);
		values[5] = Float8GetDatum(result.mean_margin);
		values[6] = Float8GetDatum(result.log_loss);
		values[7] = Float8GetDatum(result.calibration_error);
		values[8] = Float8GetDatum(result.longer_accuracy);
	}
	srm_rows_put(rows, values, nulls);
}

/* What is found out of a query's pairs. */
typedef struct Found
{
	SrmCategories categories;
	SrmEvaluation all;
} Found;

static void
evaluate_row(void *arg, SrmPairCursor *cursor, const SrmPairRow *row, const SrmScoreRequest *requests)
{
	Found	   *found = arg;
	double		chosen = srm_judge_score(cursor, row, 0, requests);
	double		rejected = srm_judge_score(cursor, row, 1, requests);
	double		chosen_length = srm_pairs_response_length(&row->chosen);
	double		rejected_length = srm_pairs_response_length(&row->rejected);

	srm_evaluation_add(&found->all, chosen - rejected, chosen_length, rejected_length);
	if (row->category != NULL)
		srm_evaluation_add(&srm_categories_find(&found->categories, row->category)->evaluation,
						   chosen - rejected, chosen_length, rejected_length);
}

/* srm_evaluate(query text, model text, aggregation text): a row a category, then one of all */
SRM_FUNCTION(srm_sql_evaluate)
{
	char	   *query;
	SrmRows		rows;
	SrmJudge	judge;
	Found		found = {.all = {0}};
	ListCell   *cell;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	query = TextDatumGetCString(PG_GETARG_DATUM(0));
	srm_rows_begin(&rows, fcinfo, N_COLUMNS);
	srm_judge_begin(&judge, PG_ARGISNULL(1) ? NULL : srm_cstring_of_datum(PG_GETARG_DATUM(1)),
					PG_ARGISNULL(2) ? NULL : TextDatumGetCString(PG_GETARG_DATUM(2)));
	srm_categories_init(&found.categories);
	srm_judge_query(&judge, query, true, evaluate_row, &found);
	srm_categories_sort(&found.categories);
	foreach(cell, found.categories.list)
	{
		const SrmCategory *category = lfirst(cell);

		put_result(&rows, category->name, &category->evaluation);
	}
	put_result(&rows, NULL, &found.all);
	srm_judge_end(&judge);
	return (Datum) 0;
}

/*
 * Aggregates over scores that a query makes itself.  Their state is n and a
 * sum, as an array, which parallel workers can pass on.
 */

static float8 *
get_state(ArrayType *array)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != 2 || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("state must be an array of two numbers")));
	return (float8 *) ARR_DATA_PTR(array);
}

/* The state with n more of a sum; its own where an aggregate calls. */
static Datum
advance_state(FunctionCallInfo fcinfo, float8 n, float8 sum)
{
	ArrayType  *array = AggCheckCallContext(fcinfo, NULL) ?
		PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	float8	   *state = get_state(array);

	state[0] += n;
	state[1] += sum;
	PG_RETURN_ARRAYTYPE_P(array);
}

SRM_FUNCTION_AS(srm_sql_accuracy_accum,
				advance_state(fcinfo, 1.0, srm_win(PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2))))

SRM_FUNCTION_AS(srm_sql_log_loss_accum,
				advance_state(fcinfo, 1.0, srm_log_loss(PG_GETARG_FLOAT8(1) - PG_GETARG_FLOAT8(2))))

SRM_FUNCTION(srm_sql_mean_combine)
{
	const float8 *other = get_state(PG_GETARG_ARRAYTYPE_P(1));

	return advance_state(fcinfo, other[0], other[1]);
}

/* The mean; NULL of nothing */
SRM_FUNCTION(srm_sql_mean_final)
{
	const float8 *state = get_state(PG_GETARG_ARRAYTYPE_P(0));

	if (state[0] == 0.0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(state[1] / state[0]);
}
