/*-------------------------------------------------------------------------
 *
 * train_arguments.c
 *	  The arguments of srm_train() as options of a training run.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/encoding.h"
#include "pg/pairs/train_arguments.h"

/* In the order of CREATE PROCEDURE srm_train */
enum
{
	ARGUMENT_NAME,
	ARGUMENT_QUERY,
	ARGUMENT_BASE,
	ARGUMENT_TRAIN,
	ARGUMENT_FRESH,
	ARGUMENT_AGGREGATION,
	ARGUMENT_BOUNDARY,
	ARGUMENT_MARKER_TOKEN,
	ARGUMENT_ATTENTION_DIM,
	ARGUMENT_LOCALE,
	ARGUMENT_LORA_RANK,
	ARGUMENT_LORA_ALPHA,
	ARGUMENT_LORA_TARGETS,
	ARGUMENT_LORA_ADAPTER,
	ARGUMENT_EPOCHS,
	ARGUMENT_BATCH,
	ARGUMENT_LEARNING_RATE,
	ARGUMENT_WARMUP,
	ARGUMENT_FINAL_RATE,
	ARGUMENT_WEIGHT_DECAY,
	ARGUMENT_CLIP,
	ARGUMENT_MARGIN,
	ARGUMENT_PENALTY,
	ARGUMENT_VALUE_SCALE,
	ARGUMENT_HELD_OUT,
	ARGUMENT_EVALUATE_EVERY,
	ARGUMENT_PATIENCE,
	ARGUMENT_SEED,
	ARGUMENT_MAX_TOKENS,
	ARGUMENT_TOO_LONG,
	ARGUMENT_LOG_EVERY,
	ARGUMENT_CHECKPOINT_EVERY,
	ARGUMENT_WRITE_F32,
	ARGUMENT_REPLACE,
	ARGUMENT_RESUME,
	ARGUMENT_SEGMENTER,			/* not in 0.1.0 */
	N_ARGUMENTS
};

static const char *
get_required(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	/* Names go to the engine, the query goes back to the server */
	return i == ARGUMENT_QUERY ? TextDatumGetCString(PG_GETARG_DATUM(i)) :
		srm_cstring_of_datum(PG_GETARG_DATUM(i));
}

static void
read_string(FunctionCallInfo fcinfo, int i, const char **value)
{
	if (!PG_ARGISNULL(i))
		*value = srm_cstring_of_datum(PG_GETARG_DATUM(i));
}

static void
read_bool(FunctionCallInfo fcinfo, int i, bool *value)
{
	if (!PG_ARGISNULL(i))
		*value = PG_GETARG_BOOL(i);
}

static void
read_double(FunctionCallInfo fcinfo, int i, double *value)
{
	if (!PG_ARGISNULL(i))
		*value = PG_GETARG_FLOAT8(i);
}

/* A number of things; the engine knows the other limits. */
static void
read_size(FunctionCallInfo fcinfo, int i, const char *name, int32 minimum, size_t *value)
{
	if (PG_ARGISNULL(i))
		return;
	if (PG_GETARG_INT32(i) < minimum)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be at least %d", name, minimum)));
	*value = (size_t) PG_GETARG_INT32(i);
}

static void
fail_choice(const char *argument, const char *value, const char *choices)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized value \"%s\" for %s", value, argument),
			 errhint("Possible values are %s.", choices)));
}

static void
read_model(FunctionCallInfo fcinfo, SrmTrainOptions *options)
{
	const char *train = NULL;
	const char *aggregation = NULL;
	const char *boundary = NULL;

	read_string(fcinfo, ARGUMENT_TRAIN, &train);
	read_string(fcinfo, ARGUMENT_AGGREGATION, &aggregation);
	read_string(fcinfo, ARGUMENT_BOUNDARY, &boundary);
	if (train != NULL && !srm_train_part_find(train, &options->part))
		fail_choice("train", train, "\"head\", \"lora\" and \"full\"");
	options->has_aggregation = aggregation != NULL;
	if (aggregation != NULL && !srm_aggregation_find(aggregation, &options->aggregation))
		fail_choice("aggregation", aggregation,
					"\"attention\", \"last\", \"sum\", \"mean\", \"min\", \"max\" and \"token_mean\"");
	options->has_boundary = boundary != NULL;
	if (boundary != NULL && !srm_boundary_find(boundary, &options->boundary))
		fail_choice("boundary", boundary, "\"offset\" and \"marker\"");
	read_bool(fcinfo, ARGUMENT_FRESH, &options->fresh);
	read_string(fcinfo, ARGUMENT_MARKER_TOKEN, &options->marker_token);
	read_size(fcinfo, ARGUMENT_ATTENTION_DIM, "attention_dim", 2, &options->attention_dim);
	read_string(fcinfo, ARGUMENT_LOCALE, &options->locale);
	if (PG_NARGS() > ARGUMENT_SEGMENTER)
		read_string(fcinfo, ARGUMENT_SEGMENTER, &options->segmenter);
	read_size(fcinfo, ARGUMENT_LORA_RANK, "lora_rank", 1, &options->lora_rank);
	read_double(fcinfo, ARGUMENT_LORA_ALPHA, &options->lora_alpha);
	read_string(fcinfo, ARGUMENT_LORA_TARGETS, &options->lora_targets);
	options->has_lora_rank = !PG_ARGISNULL(ARGUMENT_LORA_RANK);
	options->has_lora_alpha = !PG_ARGISNULL(ARGUMENT_LORA_ALPHA);
	options->has_lora_targets = !PG_ARGISNULL(ARGUMENT_LORA_TARGETS);
	read_bool(fcinfo, ARGUMENT_LORA_ADAPTER, &options->lora_adapter);
	read_bool(fcinfo, ARGUMENT_WRITE_F32, &options->write_f32);
}

static void
read_optimiser(FunctionCallInfo fcinfo, SrmTrainOptions *options)
{
	read_double(fcinfo, ARGUMENT_EPOCHS, &options->epochs);
	read_size(fcinfo, ARGUMENT_BATCH, "batch", 1, &options->batch);
	read_double(fcinfo, ARGUMENT_LEARNING_RATE, &options->learning_rate);
	read_double(fcinfo, ARGUMENT_WARMUP, &options->warmup);
	read_double(fcinfo, ARGUMENT_FINAL_RATE, &options->final_rate);
	read_double(fcinfo, ARGUMENT_WEIGHT_DECAY, &options->weight_decay);
	read_double(fcinfo, ARGUMENT_CLIP, &options->clip);
	read_double(fcinfo, ARGUMENT_MARGIN, &options->margin);
	read_double(fcinfo, ARGUMENT_PENALTY, &options->penalty);
	read_double(fcinfo, ARGUMENT_VALUE_SCALE, &options->value_scale);
	if (!PG_ARGISNULL(ARGUMENT_SEED))
		options->seed = (uint64) PG_GETARG_INT64(ARGUMENT_SEED);
}

static void
read_too_long(FunctionCallInfo fcinfo, SrmTrainOptions *options)
{
	const char *too_long = NULL;

	read_string(fcinfo, ARGUMENT_TOO_LONG, &too_long);
	if (too_long == NULL)
		return;
	if (strcmp(too_long, "truncate") == 0)
		options->too_long = SRM_TRAIN_LONG_TRUNCATE;
	else if (strcmp(too_long, "skip") == 0)
		options->too_long = SRM_TRAIN_LONG_SKIP;
	else if (strcmp(too_long, "error") == 0)
		options->too_long = SRM_TRAIN_LONG_ERROR;
	else
		fail_choice("too_long", too_long, "\"truncate\", \"skip\" and \"error\"");
}

static void
read_checkpoint_every(FunctionCallInfo fcinfo, SrmTrainOptions *options)
{
	Interval   *interval;
	double		seconds;

	if (PG_ARGISNULL(ARGUMENT_CHECKPOINT_EVERY))
		return;
	interval = PG_GETARG_INTERVAL_P(ARGUMENT_CHECKPOINT_EVERY);
	seconds = (double) interval->time / USECS_PER_SEC +
		(interval->day + (double) interval->month * DAYS_PER_MONTH) * SECS_PER_DAY;
	if (!(seconds >= 1.0) || seconds > 1e9)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("checkpoint_every must be at least one second")));
	options->checkpoint_seconds = (size_t) seconds;
}

static void
read_course(FunctionCallInfo fcinfo, SrmTrainArguments *arguments, SrmTrainOptions *options)
{
	size_t		log_every = 10;

	read_double(fcinfo, ARGUMENT_HELD_OUT, &options->held_out);
	read_size(fcinfo, ARGUMENT_EVALUATE_EVERY, "evaluate_every", 1, &options->evaluate_every);
	read_size(fcinfo, ARGUMENT_PATIENCE, "patience", 0, &options->patience);
	read_size(fcinfo, ARGUMENT_MAX_TOKENS, "max_tokens", 1, &options->max_tokens);
	read_size(fcinfo, ARGUMENT_LOG_EVERY, "log_every", 1, &log_every);
	arguments->log_every = log_every;
	read_too_long(fcinfo, options);
	read_checkpoint_every(fcinfo, options);
	read_bool(fcinfo, ARGUMENT_REPLACE, &options->replace);
	read_bool(fcinfo, ARGUMENT_RESUME, &options->resume);
}

void
srm_train_read_arguments(FunctionCallInfo fcinfo, SrmTrainArguments *arguments,
						 SrmTrainOptions *options)
{
	if (PG_NARGS() != N_ARGUMENTS && PG_NARGS() != ARGUMENT_SEGMENTER)
		elog(ERROR, "unexpected number of arguments: %d", PG_NARGS());
	arguments->name = get_required(fcinfo, ARGUMENT_NAME, "name");
	arguments->query = get_required(fcinfo, ARGUMENT_QUERY, "query");
	arguments->base = get_required(fcinfo, ARGUMENT_BASE, "base");
	srm_train_defaults(options);
	read_model(fcinfo, options);
	read_optimiser(fcinfo, options);
	read_course(fcinfo, arguments, options);
}
