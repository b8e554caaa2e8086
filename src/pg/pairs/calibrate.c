/*-------------------------------------------------------------------------
 *
 * calibrate.c
 *	  Mean and standard deviation of a model's scores, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/models/output.h"
#include "pg/pairs/judge.h"
#include "pg/pairs/pairs.h"
#include "pg/settings.h"
#include "write/copy.h"

/* Of scores so far, by Welford's recurrence, which does not cancel. */
typedef struct Moments
{
	uint64		n;
	double		mean;
	double		squares;		/* sum of squared distances from the mean */
} Moments;

static void
add_score(Moments *moments, double score)
{
	double		distance = score - moments->mean;

	moments->n++;
	moments->mean += distance / (double) moments->n;
	moments->squares += distance * (score - moments->mean);
}

static void
add_row(void *arg, SrmPairCursor *cursor, const SrmPairRow *row, const SrmScoreRequest *requests)
{
	add_score(arg, srm_judge_score(cursor, row, 0, requests));
}

/* Of the sample, with n - 1; positive, or an error. */
static double
standard_deviation(const Moments *moments)
{
	double		variance = moments->n > 1 ? moments->squares / (double) (moments->n - 1) : 0.0;

	if (!(variance > 0.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scores of the query do not differ"),
				 errdetail("Number of responses: " UINT64_FORMAT ".", moments->n),
				 errhint("Take more responses, of the kind that is to be compared.")));
	return sqrt(variance);
}

static void
write_model(SrmCall *call, SrmOutput *output, const char *directory, double mean, double std)
{
	SrmModelPath path;

	srm_models_path(&path);
	srm_call_check(call, srm_copy_model(output->writer, directory, &path, &(SrmCopyChanges) {.sets_scale = true,.mean = mean,.std = std},
									&call->stop, &call->status));
	srm_output_commit(call, output);
}

/* The name alone of "name@digest". */
static const char *
plain_name(const char *model)
{
	return pnstrdup(model, strcspn(model, "@"));
}

static Datum
make_result(FunctionCallInfo fcinfo, const Moments *moments, double std)
{
	TupleDesc	descriptor;
	Datum		values[3];
	bool		nulls[3] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum((int64) moments->n);
	values[1] = Float8GetDatum(moments->mean);
	values[2] = Float8GetDatum(std);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

static char *
get_name(FunctionCallInfo fcinfo, int i, const char *argument)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument)));
	return srm_cstring_of_datum(PG_GETARG_DATUM(i));
}

/* srm_calibrate(model text, query text, name text): one row */
SRM_FUNCTION(srm_sql_calibrate)
{
	char	   *model = get_name(fcinfo, 0, "model");
	const char *name = PG_ARGISNULL(2) ? NULL : srm_cstring_of_datum(PG_GETARG_DATUM(2));
	char	   *query;
	SrmJudge	judge;
	SrmOutput  *output;
	Moments		moments = {0};
	char	   *directory;
	double		std;

	(void) get_name(fcinfo, 1, "query");
	query = TextDatumGetCString(PG_GETARG_DATUM(1));
	srm_judge_begin_own(&judge, model);
	output = srm_output_begin(judge.call, name != NULL ? name : plain_name(model), name == NULL);
	srm_judge_query(&judge, query, false, add_row, &moments);
	std = standard_deviation(&moments);
	directory = srm_models_resolve(judge.call, model);
	write_model(judge.call, output, directory, moments.mean, std);
	srm_output_end(output);
	srm_judge_end(&judge);
	return make_result(fcinfo, &moments, std);
}

static Datum
standardize(const char *name, float4 score, SrmComputeChoice choice)
{
	SrmCall    *call = srm_call_begin();
	const SrmModelSettings *settings = &srm_models_open(call, name, choice)->scorer->model->settings;
	double		result;

	if (!settings->has_scale)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no mean and standard deviation of scores", name),
				 errhint("Use srm_calibrate.")));
	result = (score - settings->mean) / settings->std;
	srm_call_end(call);
	PG_RETURN_FLOAT4((float4) result);
}

/* srm_standardize(score real): by the model in srm.model */
SRM_FUNCTION_AS(srm_sql_standardize, standardize(srm_model, PG_GETARG_FLOAT4(0), srm_compute))

/* srm_standardize(model text, score real) */
SRM_FUNCTION(srm_sql_standardize_model)
{
	return standardize(srm_cstring_of_datum(PG_GETARG_DATUM(0)), PG_GETARG_FLOAT4(1),
					   SRM_CHOICE_OF_MODEL);
}
