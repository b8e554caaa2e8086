/*-------------------------------------------------------------------------
 *
 * train.c
 *	  Training a reward model on the pairs of a query, in SQL.
 *
 * The procedure reads the pairs in the transaction it is called in, and then
 * commits as it goes, so that other sessions see its rows in
 * srm.training_log.  Between two steps it holds neither snapshot nor cursor.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "common/file_perm.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/timestamp.h"

#include "pg/call.h"
#include "pg/models/models.h"
#include "pg/models/output.h"
#include "pg/models/sats.h"
#include "pg/pairs/pairs.h"
#include "pg/pairs/train_arguments.h"
#include "pg/pairs/training_log.h"
#include "pg/settings.h"
#include "train/checkpoint.h"

/* A row and a NOTICE at least this often, however long a step takes */
#define LOG_MS		10000
#define NOTICE_MS	30000

typedef struct SrmTraining
{
	SrmCall    *call;
	SrmTrainArguments arguments;
	SrmTrainOptions options;
	SrmTrainer *trainer;
	MemoryContextCallback callback;
	SrmOutputPlace place;			/* of the new model */
	int64		run;
	TimestampTz logged_at;
	TimestampTz noticed_at;
	/* Since the last row */
	uint64		n_steps;
	double		losses;
	double		accuracies;
} SrmTraining;

/*
 * The run whose steps this backend is at, for save_at_exit(); NULL: none.  Set by
 * run_and_finish(), and reset by it or with the run's memory.
 */
static SrmTraining *running = NULL;

/* Does nothing for what is NULL. */
static void
release_trainer(void *arg)
{
	SrmTraining *training = arg;

	if (running == training)
		running = NULL;
	srm_trainer_close(training->trainer);
	training->trainer = NULL;
}

/* The engine has something to say; it must not be jumped over. */
static void
show_notice(void *arg, const char *message)
{
	SrmCall    *call = arg;

	if (call->error != NULL)
		return;
	PG_TRY();
	{
		ereport(NOTICE, (errmsg_internal("%s", srm_call_text(message))));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(call->context);
		call->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
}

/* Checkpoints lie beside the models, under a name that no model can have. */
static const char *
checkpoint_directory(const SrmTraining *training)
{
	char	   *parent = psprintf("%s/.training", training->options.output);

	srm_output_make_directory(parent);
	return psprintf("%s/%s", parent, training->arguments.name);
}

/* A checkpoint may stand for hours, and is not discarded but knowingly, and by those whose it is. */
static void
check_checkpoint(SrmTraining *training)
{
	SrmCall    *call = training->call;
	SrmTrainOptions *options = &training->options;
	const char *name = srm_call_text(options->name);
	SrmCheckpointInfo info;
	char	   *role;

	srm_call_check(call, srm_checkpoint_find(options->checkpoint, &info, &call->status));
	if (!info.exists)
		return;
	role = srm_model_owner_name(&info.owner);
	if (!options->resume && !options->replace)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 info.is_readable ?
				 errmsg("there is a checkpoint of model \"%s\" behind step %llu%s", name,
						(unsigned long long) info.step, role != NULL ? psprintf(" by role \"%s\"", role) : "") :
				 errmsg("there is a checkpoint of model \"%s\" that this version cannot read", name),
				 srm_model_owner_may(&info.owner) ?
				 errhint("resume => true goes on from it, replace => true discards it.") :
				 errhint("Choose another name.")));
	srm_model_owner_check(&info.owner, "checkpoint of model", options->name);
	if (options->resume && info.owner.name[0] != '\0')
		options->owner = info.owner;
}

static void
open_trainer(SrmTraining *training)
{
	SrmCall    *call = training->call;
	SrmTrainOptions *options = &training->options;
	SrmModelPath path;

	options->name = training->arguments.name;
	srm_output_take(&training->place, call, options->name, options->replace, true);
	options->output = training->place.directory;
	options->owner = training->place.owner;
	options->base = srm_models_resolve(call, training->arguments.base);
	if (options->segmenter != NULL)
		options->segmenter = srm_sats_pin(call, options->segmenter);
	srm_models_path(&path);
	options->path = &path;
	options->checkpoint = checkpoint_directory(training);
	check_checkpoint(training);
	options->n_threads = srm_settings_threads();
	options->prepared = srm_settings_path(srm_prepared_path);
	options->directory_mode = pg_dir_create_mode;
	options->memory_limit = (size_t) srm_training_memory * 1024;
	options->notice.callback = show_notice;
	options->notice.arg = call;
	training->trainer = srm_trainer_open(options, &call->stop, &call->status);
	options->path = NULL;
	srm_call_check(call, training->trainer != NULL);
}

/*
 * Pairs are cut as scores of the new model will be.  The query may open other segmenters, so it is
 * asked for with each pair.
 */
static void
set_splitter(SrmTraining *training)
{
	srm_trainer_set_splitter(training->trainer,
							 srm_sats_splitter(training->call, srm_trainer_segmenter(training->trainer), false));
}

/* Whole conversations may come with two prompts, of which a pair has one. */
static void
check_prompts(const SrmConversation *chosen, const SrmConversation *rejected)
{
	bool		same = chosen->n_messages == rejected->n_messages;

	for (size_t i = 0; same && i + 1 < chosen->n_messages; i++)
		same = srm_message_equal(&chosen->messages[i], &rejected->messages[i]);
	if (!same)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("conversations \"chosen\" and \"rejected\" differ before their last messages")));
}

static void
add_pair(SrmTraining *training, const SrmPairCursor *cursor, const SrmPairRow *row)
{
	SrmCall    *call = training->call;
	size_t		last = row->chosen.n_messages - 1;
	SrmTrainPair pair = {
		.prompt = row->chosen.messages,.n_prompt = last,
		.has_margin = row->has_margin,.margin = row->margin,.weight = row->weight,
		.row = cursor->n_read
	};

	check_prompts(&row->chosen, &row->rejected);
	pair.chosen = row->chosen.messages[last];
	pair.rejected = row->rejected.messages[last];
	set_splitter(training);
	srm_call_check(call, srm_trainer_add(training->trainer, &pair, &call->stop, &call->status));
}

static void
check_memory(const SrmTraining *training)
{
	size_t		bytes = srm_trainer_bytes(training->trainer);

	if (bytes > training->options.memory_limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("training needs more memory than is allowed"),
				 errdetail("The rows so far take %zu kB; the limit is %d kB.", bytes / 1024, srm_training_memory),
				 errhint("Train on fewer pairs, or have a superuser raise \"srm.training_memory\".")));
}

static void
read_pairs(SrmTraining *training)
{
	SrmPairCursor cursor;
	SrmPairRow	row;

	srm_pairs_open(&cursor, training->arguments.query, true);
	while (srm_pairs_next(&cursor, &row))
	{
		add_pair(training, &cursor, &row);
		check_memory(training);
	}
	srm_pairs_close(&cursor);
}

static void
begin_training(SrmTraining *training)
{
	SrmCall    *call = training->call;
	SrmTrainPlan plan;

	srm_call_check(call, srm_trainer_begin(training->trainer, &plan, &call->stop, &call->status));
	training->run = srm_training_log_begin(training->arguments.name, (int64) plan.run, plan.first_report);
	srm_trainer_set_run(training->trainer, (uint64) training->run);
	ereport(NOTICE,
			(errmsg("training model \"%s\" on %zu pairs, with %zu held out",
					srm_call_text(training->arguments.name), plan.n_train, plan.n_held_out),
			 errdetail("Run %lld: steps " UINT64_FORMAT " to " UINT64_FORMAT
					   ", %zu trained parameters, %zu kB of memory, %zu pairs left out.",
					   (long long) training->run, plan.first_step, plan.n_steps,
					   plan.n_parameters, plan.memory / 1024, plan.n_skipped),
			 plan.fast_memory == 0 ? 0 :
			 errhint("States of layers are computed twice to save memory. With srm.training_memory of %zu kB or more steps are faster.",
					 plan.fast_memory / 1024 + 1)));
	training->logged_at = training->noticed_at = GetCurrentTimestamp();
}

/* Lets others see what was written, and lets go of the snapshot. */
static void
commit(void)
{
	SPI_commit();
	SPI_start_transaction();
}

/* A row stands for all steps since the one before. */
static void
log_report(SrmTraining *training, const SrmTrainReport *report, TimestampTz now)
{
	SrmTrainReport mean = *report;

	mean.loss = training->losses / (double) training->n_steps;
	mean.accuracy = training->accuracies / (double) training->n_steps;
	srm_training_log_put(training->run, training->arguments.name, &mean);
	training->n_steps = 0;
	training->losses = training->accuracies = 0.0;
	training->logged_at = now;
	commit();
}

static void
show_report(SrmTraining *training, const SrmTrainReport *report, TimestampTz now)
{
	const char *held_out = report->evaluated ?
		psprintf(", held-out accuracy %.1f %%", 100.0 * report->held_out_accuracy) : "";
	const char *left = report->done ? "" :
		psprintf(", %.0f s left", ceil(report->seconds_left));

	ereport(NOTICE,
			(errmsg("step " UINT64_FORMAT " of " UINT64_FORMAT ": loss %.4f%s%s",
					report->step, report->n_steps, training->losses / (double) training->n_steps,
					held_out, left)));
	training->noticed_at = now;
}

static void
report_step(SrmTraining *training, const SrmTrainReport *report)
{
	TimestampTz now = GetCurrentTimestamp();

	training->n_steps++;
	training->losses += report->loss;
	training->accuracies += report->accuracy;
	if (report->evaluated || report->done ||
		TimestampDifferenceExceeds(training->noticed_at, now, NOTICE_MS))
		show_report(training, report, now);
	if (report->evaluated || report->done || report->step % training->arguments.log_every == 0 ||
		TimestampDifferenceExceeds(training->logged_at, now, LOG_MS))
		log_report(training, report, now);
}

static void
warn_unsaved(const SrmTraining *training, const SrmStatus *unsaved)
{
	uint64		step = srm_trainer_saved_step(training->trainer);

	errno = unsaved->errnum;
	ereport(WARNING,
			(unsaved->code == SRM_FILE_ACCESS ? errcode_for_file_access() : errcode(ERRCODE_WARNING),
			 errmsg("could not save the state of training model \"%s\"", srm_call_text(training->arguments.name)),
			 errdetail_internal("%s", srm_call_text(unsaved->message)),
			 step > 0 ? errhint("The checkpoint behind step " UINT64_FORMAT " is kept.", step) : 0));
}

/* An error that left a checkpoint says what can be done with it. */
static void
raise_step(SrmTraining *training)
{
	SrmCall    *call = training->call;
	uint64		step = srm_trainer_saved_step(training->trainer);
	char	   *hint = psprintf("Call srm_train again with the same arguments and resume => true to go on behind step "
								UINT64_FORMAT ".", step);

	if (step > 0 && call->error != NULL && call->error->hint == NULL)
		call->error->hint = MemoryContextStrdup(call->context, hint);
	if (step > 0 && call->error == NULL && call->status.hint[0] == '\0')
		srm_fail_hint(&call->status, "%s", hint);
	srm_call_raise(call);
}

/*
 * A cancel waits for the next step, which knows how to be stopped: otherwise
 * the row of a complete step could be lost.  Any other error leaves a checkpoint, too.
 */
static void
report_or_save(SrmTraining *training, const SrmTrainReport *report)
{
	SrmCall    *call = training->call;
	SrmStatus	unsaved;

	HOLD_CANCEL_INTERRUPTS();
	PG_TRY();
	{
		report_step(training, report);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(call->context);
		call->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (call->error == NULL)
	{
		RESUME_CANCEL_INTERRUPTS();
		return;
	}
	/* The error has ended the wait of cancels */
	srm_status_init(&unsaved);
	if (!srm_trainer_save(training->trainer, &unsaved))
		warn_unsaved(training, &unsaved);
	raise_step(training);
}

static void
run_steps(SrmTraining *training)
{
	SrmCall    *call = training->call;
	SrmTrainReport report = {0};
	bool		stopped;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "srm training step",
												  ALLOCSET_DEFAULT_SIZES);

	while (!report.done)
	{
		/* Each statement leaves SPI's own context behind */
		MemoryContextReset(scratch);
		MemoryContextSwitchTo(scratch);
		stopped = !srm_trainer_step(training->trainer, &report, &call->stop, &call->status);
		if (report.unsaved != NULL)
			warn_unsaved(training, report.unsaved);
		if (stopped)
			raise_step(training);
		report_or_save(training, &report);
	}
	MemoryContextSwitchTo(training->call->context);
	MemoryContextDelete(scratch);
	if (report.stopped_early)
		ereport(NOTICE,
				(errmsg("stopped early: held-out accuracy did not rise above %.1f %%",
						100.0 * report.best_accuracy)));
}

static void
finish_training(SrmTraining *training)
{
	SrmCall    *call = training->call;

	if (!srm_trainer_finish(training->trainer, &call->stop, &call->status))
		raise_step(training);
	running = NULL;
	srm_output_announce(psprintf("%s/%s", training->options.output, training->arguments.name));
	release_trainer(training);
	srm_output_release(&training->place);
}

/*
 * A backend that is terminated, also by a shutdown, leaves its complete steps behind.
 *
 * It ends where it looks for interrupts: between two steps, or inside one while
 * the threads rest and no weight is being changed, so that the state in memory is that
 * behind the last complete step.  This runs before the transaction is aborted, which
 * would free it, and while the lock on the name is still held; it reads memory, and writes
 * a file beside the old one before renaming it, so that a kill that does not wait does no harm.
 */
static void
save_at_exit(int code, Datum arg)
{
	SrmTraining *training = running;
	const char *name;
	SrmStatus	unsaved;

	(void) code;
	(void) arg;
	if (training == NULL)
		return;
	running = NULL;
	name = srm_call_text(training->arguments.name);
	srm_status_init(&unsaved);
	if (!srm_trainer_save(training->trainer, &unsaved))
		ereport(LOG,
				(errmsg("could not save the state of training model \"%s\"", name),
				 errdetail_internal("%s", srm_call_text(unsaved.message))));
	else if (srm_trainer_saved_step(training->trainer) > 0)
		ereport(LOG,
				(errmsg("training of model \"%s\" ends with a checkpoint behind step " UINT64_FORMAT,
						name, srm_trainer_saved_step(training->trainer))));
}

static void
run_and_finish(SrmTraining *training)
{
	before_shmem_exit(save_at_exit, (Datum) 0);
	running = training;
	PG_TRY();
	{
		run_steps(training);
		finish_training(training);
	}
	PG_FINALLY();
	{
		running = NULL;
		cancel_before_shmem_exit(save_at_exit, (Datum) 0);
	}
	PG_END_TRY();
}

/* What a run allocates outlives its transactions, and goes with the statement. */
static SrmTraining *
make_training(FunctionCallInfo fcinfo)
{
	SrmTraining *training = palloc0(sizeof(SrmTraining));

	training->call = srm_call_begin();
	training->callback.func = release_trainer;
	training->callback.arg = training;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &training->callback);
	srm_train_read_arguments(fcinfo, &training->arguments, &training->options);
	return training;
}

/* CALL srm_train(name text, query text, ...) */
SRM_FUNCTION(srm_sql_train)
{
	MemoryContext context;
	MemoryContext old;
	SrmTraining *training;

	PreventCommandDuringRecovery("srm_train()");
	srm_call_check_can_commit(fcinfo, "srm_train");
	context = AllocSetContextCreate(PortalContext, "srm training", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	training = make_training(fcinfo);

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(context);
	open_trainer(training);
	read_pairs(training);
	commit();
	begin_training(training);
	commit();
	run_and_finish(training);
	SPI_finish();
	srm_call_end(training->call);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return (Datum) 0;
}
