/*-------------------------------------------------------------------------
 *
 * quantize.c
 *	  Models with weights of 8 bits, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "pg/encoding.h"
#include "pg/models/digests.h"
#include "pg/models/models.h"
#include "pg/models/output.h"
#include "pg/pairs/judge.h"
#include "pg/pairs/pairs.h"
#include "pg/settings.h"
#include "write/copy.h"
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
	size_t		n_exact;		/* n of the first of two readings of the query */
	size_t		capacity;
	size_t		n_calibrated;	/* pairs, the first ones, that are not compared */
	uint64		hash;			/* of the pairs that were read, in their order */
	uint64		exact_hash;		/* the same of the first of two readings */
	SrmCalibration *calibration;
	char		digest[SRM_DIGEST_LENGTH + 1];	/* of the model as it was scored */
	MemoryContextCallback callback;
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
		out[i] = srm_judge_score(cursor, &rows[i / 2], i % 2, &requests[i / 2 * 2]);
	srm_judge_forget(judge);
}

static void
score_both(Scores *scores, SrmPairCursor *cursor, const SrmPairRow *rows, int n)
{
	score_rows(scores->scores + scores->n, &scores->exact, cursor, rows, n);
	score_rows(scores->others + scores->n, &scores->bytes, cursor, rows, n);
}

static uint64
hash_conversation(uint64 hash, const SrmConversation *conversation)
{
	for (size_t i = 0; i < conversation->n_messages; i++)
		hash = hash_combine64(hash, hash_bytes_extended((const unsigned char *) conversation->messages[i].content,
														(int) conversation->messages[i].content_length, 0));
	return hash;
}

static void
hash_rows(Scores *scores, const SrmPairRow *rows, int n)
{
	for (int i = 0; i < n; i++)
		scores->hash = hash_conversation(hash_conversation(scores->hash, &rows[i].chosen), &rows[i].rejected);
}

/* By the model as it is, which reads the first pairs to be calibrated. */
static void
score_exact(Scores *scores, SrmPairCursor *cursor, const SrmPairRow *rows, int n)
{
	size_t		n_scored = scores->n / 2;
	int			n_read = scores->n_calibrated > n_scored ? (int) Min((size_t) n, scores->n_calibrated - n_scored) : 0;

	scores->exact.calibration = scores->calibration;
	if (n_read > 0)
		score_rows(scores->scores + scores->n, &scores->exact, cursor, rows, n_read);
	scores->exact.calibration = NULL;
	if (n_read < n)
		score_rows(scores->scores + scores->n + 2 * n_read, &scores->exact, cursor, rows + n_read, n - n_read);
}

/* By the copy, the pairs that were scored before. */
static void
score_bytes(Scores *scores, SrmPairCursor *cursor, const SrmPairRow *rows, int n)
{
	if (scores->n + 2 * (size_t) n <= scores->n_exact)
		score_rows(scores->others + scores->n, &scores->bytes, cursor, rows, n);
}

static void
score_query(Scores *scores, const char *query, void (*score) (Scores *, SrmPairCursor *, const SrmPairRow *, int))
{
	SrmPairCursor cursor;
	SrmPairRow	rows[SRM_PAIRS_AT_ONCE];
	int			n;

	scores->n = 0;
	scores->hash = 0;
	SPI_connect();
	srm_pairs_open(&cursor, query, true);
	while ((n = srm_pairs_read(&cursor, rows)) > 0)
	{
		make_room(scores, 2 * (size_t) n);
		score(scores, &cursor, rows, n);
		hash_rows(scores, rows, n);
		scores->n += 2 * (size_t) n;
	}
	srm_pairs_close(&cursor);
	SPI_finish();
	/* The second time there are to be as many, which is checked then */
	if (scores->n_exact == 0 && scores->n <= 2 * scores->n_calibrated)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query gives no pairs to compare the models on"),
				 scores->n_calibrated == 0 ? 0 :
				 errdetail("It gives %zu, of which the first %zu are for calibration.", scores->n / 2, scores->n_calibrated)));
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

/* What is written later on is to be of the files that were scored. */
static void
keep_digest(Scores *scores)
{
	SrmOpenModel *model = scores->exact.model;
	SrmModelPath path;

	strlcpy(scores->digest, srm_models_digest(scores->exact.call, model), sizeof(scores->digest));
	srm_models_path(&path);
	srm_digests_keep(model->directory, &path, scores->digest);
}

/* The scores of the copy are those that the model itself has in this arithmetic. */
static void
measure(Scores *scores, const char *model, const char *query, SrmDtype dtype, SrmAgreement *agreement)
{
	SrmCall    *call;

	srm_judge_begin_own(&scores->exact, model);
	check_not_quantized(scores->exact.model);
	keep_digest(scores);
	srm_judge_begin_computing(&scores->bytes, model, dtype == SRM_W8 ? SRM_CHOICE_W8 : SRM_CHOICE_INT8);
	score_query(scores, query, score_both);
	call = scores->exact.call;
	srm_call_check(call, srm_agreement_measure(agreement, scores->scores, scores->others, scores->n / 2, &call->status));
	srm_judge_end(&scores->bytes);
	srm_judge_end(&scores->exact);
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

/* digest is that of what was scored before, or NULL */
static void
write_model(SrmCall *call, SrmOutput *output, const char *model, const SrmQuantizeOptions *options, const char *digest)
{
	char	   *directory = srm_models_resolve(call, model);
	char		now[SRM_DIGEST_LENGTH + 1];
	SrmModelPath path;

	srm_models_path(&path);
	srm_call_check(call, srm_model_quantize(output->writer, directory, &path, options, &call->stop, &call->status));
	if (digest != NULL && !(srm_models_known_digest(call, directory, now) && strcmp(now, digest) == 0))
	{
		srm_call_check(call, call->status.code == SRM_OK);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("model \"%s\" was replaced while it was quantized", srm_call_text(model))));
	}
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
	write_model(call, output, model, &options, NULL);
	srm_output_end(output);
	srm_call_end(call);
	tell_unmeasured(model, name);
	PG_RETURN_VOID();
}

static void
free_calibration(void *arg)
{
	Scores	   *scores = arg;

	srm_calibration_free(scores->calibration);
	scores->calibration = NULL;
}

/* Scores all pairs in f32, before anything is written, and calibrates by the first. */
static Scores *
calibrate(SrmCall *call, const char *model, const char *query, int n_pairs)
{
	Scores	   *scores = MemoryContextAllocZero(call->context, sizeof(Scores));

	scores->context = call->context;
	scores->n_calibrated = n_pairs;
	srm_judge_begin_computing(&scores->exact, model, SRM_CHOICE_F32);
	check_not_quantized(scores->exact.model);
	keep_digest(scores);
	scores->callback.func = free_calibration;
	scores->callback.arg = scores;
	MemoryContextRegisterResetCallback(call->context, &scores->callback);
	scores->calibration = srm_calibration_create(&scores->exact.model->scorer->model->decoder,
												 (size_t) srm_training_memory * 1024, &call->status);
	srm_call_check(call, scores->calibration != NULL);
	score_query(scores, query, score_exact);
	scores->n_exact = scores->n;
	scores->exact_hash = scores->hash;
	srm_judge_end(&scores->exact);
	return scores;
}

/* The copy's scores of the pairs that it was not calibrated by, beside those of the model. */
static void
measure_copy(SrmCall *call, Scores *scores, const char *name, const char *query, SrmAgreement *agreement)
{
	size_t		first = 2 * scores->n_calibrated;

	srm_judge_begin_own(&scores->bytes, name);
	score_query(scores, query, score_bytes);
	if (scores->n != scores->n_exact || scores->hash != scores->exact_hash)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query gives other pairs when it runs again"),
				 errdetail("It gave %zu at first and %zu then. Model \"%s\" is there, and was not compared.",
						   scores->n_exact / 2, scores->n / 2, srm_call_text(name)),
				 errhint("Give it an order that is certain, or the pairs in a table of their own.")));
	srm_call_check(call, srm_agreement_measure(agreement, scores->scores + first, scores->others + first,
											   (scores->n - first) / 2, &call->status));
	srm_judge_end(&scores->bytes);
}

/* Writes the copy once more, with its agreement. */
static void
write_agreement(SrmCall *call, const char *name, const SrmAgreement *agreement)
{
	SrmOutput  *output = srm_output_begin(call, name, true);
	char	   *directory = srm_models_resolve(call, name);
	SrmModelPath path;

	srm_models_path(&path);
	srm_call_check(call, srm_copy_model(output->writer, directory, &path, &(SrmCopyChanges) {.agreement = agreement},
										&call->stop, &call->status));
	srm_output_commit(call, output);
	srm_output_end(output);
}

/* The name is this session's until all is done. */
static void
quantize_calibrated(SrmCall *call, const char *model, const char *name, const char *query, bool replace, int n_pairs,
					SrmQuantizeOptions *options, SrmAgreement *agreement)
{
	SrmOutput  *output = srm_output_begin(call, name, replace);
	Scores	   *scores;

	srm_output_check_reachable(output);
	scores = calibrate(call, model, query, n_pairs);
	options->agreement = NULL;
	options->calibration = scores->calibration;
	write_model(call, output, model, options, scores->digest);
	free_calibration(scores);
	measure_copy(call, scores, name, query, agreement);
	write_agreement(call, name, agreement);
	srm_output_end(output);
}

/* The copy has the bits of the model in its arithmetic, so that is compared, and nothing is written before. */
static void
quantize_measured(SrmCall *call, const char *model, const char *name, const char *query, bool replace,
				  SrmQuantizeOptions *options, SrmAgreement *agreement)
{
	SrmOutput  *output = srm_output_begin(call, name, replace);
	Scores		scores = {.context = CurrentMemoryContext};

	measure(&scores, model, query, options->dtype, agreement);
	options->agreement = agreement;
	write_model(call, output, model, options, scores.digest);
	srm_output_end(output);
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

/* srm_quantize(model text, name text, query text, replace boolean, kind text, calibration_pairs integer): one row */
SRM_FUNCTION(srm_sql_quantize_measured)
{
	SrmCall    *call = srm_call_begin();
	char	   *model = srm_cstring_of_datum(PG_GETARG_DATUM(0));
	char	   *name = srm_cstring_of_datum(PG_GETARG_DATUM(1));
	char	   *query = TextDatumGetCString(PG_GETARG_DATUM(2));
	int			n_calibrated = PG_NARGS() > 5 ? PG_GETARG_INT32(5) : 0;
	SrmAgreement agreement;
	SrmQuantizeOptions options = {.dtype = parse_kind(PG_GETARG_DATUM(4))};

	if (n_calibrated < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("calibration_pairs must be at least 0")));
	(void) srm_models_resolve(call, model);
	if (n_calibrated > 0)
		quantize_calibrated(call, model, name, query, PG_GETARG_BOOL(3), n_calibrated, &options, &agreement);
	else
		quantize_measured(call, model, name, query, PG_GETARG_BOOL(3), &options, &agreement);
	srm_call_end(call);
	warn_flips(model, &agreement);
	return make_result(fcinfo, &agreement);
}
