/*-------------------------------------------------------------------------
 *
 * quantize.c
 *	  Models with weights of 8 bits, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "kernel/pack.h"
#include "pg/encoding.h"
#include "pg/models/models.h"
#include "pg/models/output.h"
#include "pg/pairs/judge.h"
#include "pg/pairs/pairs.h"
#include "write/quantize.h"

#define PAIRS_PER_FLIP	100		/* more flips than one in so many deserve a warning */

/* Scores of pairs by two forms of a model, the chosen response's before the rejected one's. */
typedef struct Scores
{
	MemoryContext context;
	SrmJudge	exact;
	SrmJudge	bytes;
	double	   *scores;			/* (2 * n_pairs), room for capacity */
	double	   *others;			/* the same */
	size_t		n;				/* 2 * n_pairs */
	size_t		capacity;
} Scores;

static void
make_room(Scores *scores, size_t n)
{
	bool		is_first = scores->capacity == 0;

	if (scores->n + n <= scores->capacity)
		return;
	scores->capacity = Max(2 * scores->capacity, scores->n + n);
	for (int i = 0; i < 2; i++)
	{
		double	  **array = i == 0 ? &scores->scores : &scores->others;
		size_t		size = scores->capacity * sizeof(double);

		*array = is_first ? MemoryContextAllocHuge(scores->context, size) : repalloc_huge(*array, size);
	}
}

/* out (2 * n) */
static void
score_rows(double *out, SrmJudge *judge, SrmPairCursor *cursor, const SrmPairRow *rows, int n)
{
	SrmScoreRequest *requests = srm_judge_score_rows(judge, cursor, rows, n);

	for (int i = 0; i < 2 * n; i++)
		out[i] = srm_judge_score(judge, cursor, &rows[i / 2], i % 2, &requests[i / 2 * 2]);
	srm_judge_forget(judge);
}

static void
score_query(Scores *scores, const char *query)
{
	SrmPairCursor cursor;
	SrmPairRow	rows[SRM_PAIRS_AT_ONCE];
	int			n;

	SPI_connect();
	srm_pairs_open(&cursor, query, true);
	while ((n = srm_pairs_read(&cursor, rows)) > 0)
	{
		make_room(scores, 2 * (size_t) n);
		score_rows(scores->scores + scores->n, &scores->exact, &cursor, rows, n);
		score_rows(scores->others + scores->n, &scores->bytes, &cursor, rows, n);
		scores->n += 2 * (size_t) n;
	}
	srm_pairs_close(&cursor);
	SPI_finish();
	if (scores->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query gives no pairs to compare the models on")));
}

/* What would be an error after all pairs were scored is one before. */
static void
check_not_quantized(const SrmOpenModel *model)
{
	if (model->scorer->model->settings.quantization != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" is quantized already", srm_call_text(model->name))));
}

/* Of the argument "kind". */
static SrmDtype
parse_kind(Datum argument)
{
	char	   *kind = srm_cstring_of_datum(argument);

	if (strcmp(kind, "int8") == 0)
		return SRM_INT8;
	if (strcmp(kind, "w8") == 0)
		return SRM_W8;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid kind of quantization \"%s\"", srm_call_text(kind)),
			 errhint("Kinds are \"int8\" and \"w8\".")));
}

/* The scores of the copy are those that the model itself has in this arithmetic. */
static void
measure(const char *model, const char *query, SrmDtype dtype, SrmAgreement *agreement)
{
	Scores		scores = {.context = CurrentMemoryContext};
	SrmCall    *call;

	srm_judge_begin_own(&scores.exact, model);
	check_not_quantized(scores.exact.model);
	srm_judge_begin_computing(&scores.bytes, model, dtype == SRM_W8 ? SRM_COMPUTE_W8 : SRM_COMPUTE_INT8);
	score_query(&scores, query);
	call = scores.exact.call;
	srm_call_check(call, srm_agreement_measure(agreement, scores.scores, scores.others, scores.n / 2, &call->status));
	srm_judge_end(&scores.bytes);
	srm_judge_end(&scores.exact);
}

static void
warn_flips(const char *model, const SrmAgreement *agreement)
{
	if (agreement->n_flips * PAIRS_PER_FLIP > agreement->n_pairs)
		ereport(WARNING,
				(errmsg("model \"%s\" in 8 bits prefers other responses than before", srm_call_text(model)),
				 errdetail("It does so in %zu of %zu pairs; scores differ by up to %g, and have a rank correlation of %.4f.",
						   agreement->n_flips, agreement->n_pairs, agreement->largest_difference,
						   agreement->rank_correlation),
				 errhint("Pairs whose scores are close flip first. If they matter, keep the model as it is.")));
}

/* Nobody should take the copy for the model unawares. */
static void
tell_unmeasured(const char *model, const char *name)
{
	ereport(NOTICE,
			(errmsg("how far scores of model \"%s\" agree with those of \"%s\" was not measured",
					srm_call_text(name), srm_call_text(model)),
			 errhint("Give a query of preference pairs as third argument of srm_quantize. Kind \"w8\" is closer than \"int8\", and slower.")));
}

static void
write_model(SrmCall *call, SrmOutput *output, const char *model, const SrmQuantizeOptions *options)
{
	char	   *directory = srm_models_resolve(call, model);
	SrmModelPath path;

	srm_models_path(&path);
	srm_call_check(call, srm_model_quantize(output->writer, directory, &path, options, &call->stop, &call->status));
	srm_output_commit(call, output);
}

/*
 * srm_quantize(model text, name text, replace boolean, embedding boolean, kind text); srm 0.1 declared it
 * without the last two
 */
SRM_FUNCTION(srm_sql_quantize)
{
	SrmCall    *call = srm_call_begin();
	char	   *model = srm_cstring_of_datum(PG_GETARG_DATUM(0));
	char	   *name = srm_cstring_of_datum(PG_GETARG_DATUM(1));
	SrmQuantizeOptions options = {
		.dtype = PG_NARGS() > 4 ? parse_kind(PG_GETARG_DATUM(4)) : SRM_INT8,
		.embedding = PG_NARGS() > 3 && PG_GETARG_BOOL(3)
	};
	SrmOutput  *output;

	(void) srm_models_resolve(call, model);
	output = srm_output_begin(call, name, PG_GETARG_BOOL(2));
	write_model(call, output, model, &options);
	srm_output_end(output);
	srm_call_end(call);
	tell_unmeasured(model, name);
	PG_RETURN_VOID();
}

static Datum
make_result(FunctionCallInfo fcinfo, const SrmAgreement *agreement)
{
	TupleDesc	descriptor;
	Datum		values[4];
	bool		nulls[4] = {false};

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum((int64) agreement->n_pairs);
	values[1] = Float8GetDatum(agreement->rank_correlation);
	values[2] = Int64GetDatum((int64) agreement->n_flips);
	values[3] = Float8GetDatum(agreement->largest_difference);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

/* srm_quantize(model text, name text, query text, replace boolean, kind text): one row */
SRM_FUNCTION(srm_sql_quantize_measured)
{
	SrmCall    *call = srm_call_begin();
	char	   *model = srm_cstring_of_datum(PG_GETARG_DATUM(0));
	SrmOutput  *output;
	SrmAgreement agreement;
	SrmQuantizeOptions options = {.dtype = parse_kind(PG_GETARG_DATUM(4)),.agreement = &agreement};

	(void) srm_models_resolve(call, model);
	output = srm_output_begin(call, srm_cstring_of_datum(PG_GETARG_DATUM(1)), PG_GETARG_BOOL(3));
	measure(model, TextDatumGetCString(PG_GETARG_DATUM(2)), options.dtype, &agreement);
	write_model(call, output, model, &options);
	srm_output_end(output);
	srm_call_end(call);
	warn_flips(model, &agreement);
	return make_result(fcinfo, &agreement);
}
