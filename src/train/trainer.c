/*-------------------------------------------------------------------------
 *
 * trainer.c
 *	  A training run, from pairs to a model directory.
 *
 * The order of an epoch's pairs comes from the seed and the epoch's number, so that a step
 * number is all that a run must know to go on.
 *
 *-------------------------------------------------------------------------
 */
#include "train/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "train/checkpoint.h"
#include "train/continued.h"
#include "train/optimizer.h"
#include "train/options.h"
#include "train/output.h"
#include "train/pass.h"
#include "train/random.h"
#include "train/room.h"

#define EVALUATED_PAIRS	64		/* of a piece of an evaluation */

struct SrmTrainer
{
	SrmArena   *arena;			/* of this and the options */
	SrmTrainOptions options;
	SrmModel   *model;
	SrmSegmenter *segmenter;
	SrmOutputSettings settings;
	SrmDataset *dataset;
	SrmPairReader reader;
	SrmParameters *parameters;
	SrmPasses  *passes;

	/* From begin on */
	bool		begun;
	uint64_t	n_steps;
	uint64_t	epoch_steps;
	uint64_t	hash;			/* of options, pairs and base */
	SrmRunState state;
	uint64_t	saved_step;		/* of the checkpoint; 0: there is none */
	uint64_t	saved_evaluation;	/* its evaluated_step */
	double		saved_at;		/* seconds; when a checkpoint was last tried */
	SrmStatus	unsaved;		/* why the last one failed */
	uint64_t	order_epoch;	/* of the order below, from 1 on; 0: none yet */
	uint32_t   *order;			/* (n_train) */
	const SrmPair **batch;		/* (batch) */
	double		seconds;		/* in steps of this process, */
	uint64_t	n_timed;		/* so many, */
	uint64_t	n_tokens;		/* and their tokens */
	double		evaluation_seconds;	/* of the last one */
};

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

static void
notify(const SrmTrainer *trainer, const char *message)
{
	if (trainer->options.notice.callback != NULL)
		trainer->options.notice.callback(trainer->options.notice.arg, message);
}

/* The marker, which must be a special token, so that no text holds it. */
static bool
find_marker(SrmTrainer *trainer, const SrmStop *stop, SrmStatus *status)
{
	SrmTrainOptions *options = &trainer->options;
	SrmModel   *model = trainer->model;
	const char *token = options->marker_token != NULL ? options->marker_token : model->settings.marker_token;

	if (options->boundary != SRM_BOUNDARY_MARKER)
		return true;
	if (token == NULL)
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "boundaries by marker need a marker token");
		return srm_fail_hint(status, "Name a special token of the base's tokenizer that texts do not use, or use boundaries by offset.");
	}
	options->marker_token = trainer->settings.marker_token = token;
	trainer->settings.marker_layout = model->settings.marker_layout;
	return srm_model_set_marker(model, token, stop, status);
}

/* What the model says where the options say nothing. */
static bool
complete_options(SrmTrainer *trainer, const SrmStop *stop, SrmStatus *status)
{
	SrmTrainOptions *options = &trainer->options;
	const SrmModelSettings *settings = &trainer->model->settings;

	if (!options->has_aggregation && !srm_aggregation_find(settings->aggregation, &options->aggregation))
		return srm_fail(status, SRM_INVALID_MODEL, "unknown aggregation \"%s\"", settings->aggregation);
	if (!options->has_boundary && !srm_boundary_find(settings->boundary, &options->boundary))
		return srm_fail(status, SRM_INVALID_MODEL, "unknown boundary \"%s\"", settings->boundary);
	if (options->boundary != SRM_BOUNDARY_OFFSET && options->boundary != SRM_BOUNDARY_MARKER)
		return srm_fail(status, SRM_NOT_SUPPORTED, "training with boundaries of kind \"%s\" is not supported",
						srm_boundary_name(options->boundary));
	if (options->segmenter == NULL)
		options->segmenter = settings->segmenter;
	if (options->locale == NULL)
		options->locale = settings->locale;
	trainer->settings.segmenter = options->segmenter;
	trainer->settings.locale = options->locale;
	if (options->max_tokens == 0 || options->max_tokens > trainer->model->max_tokens)
		options->max_tokens = trainer->model->max_tokens;
	/* A batch of texts of different lengths has one table of angles */
	if (options->max_tokens > srm_decoder_plain_tokens(&trainer->model->decoder))
		options->max_tokens = srm_decoder_plain_tokens(&trainer->model->decoder);
	return find_marker(trainer, stop, status);
}

static bool
check_base(const SrmTrainer *trainer, SrmStatus *status)
{
	const SrmModel *model = trainer->model;
	const char *obstacle = trainer->options.part == SRM_TRAIN_HEAD ? NULL :
		srm_decoder_train_obstacle(&model->decoder);

	if (!srm_segmenter_is_pinned(trainer->options.segmenter))
		return srm_fail(status, SRM_INVALID_ARGUMENT, "segmenter \"%s\" lacks its digest", trainer->options.segmenter);
	if (srm_model_is_segmenter(model))
		return srm_fail(status, SRM_NOT_SUPPORTED, "a segmenter cannot be trained");
	if (model->head.is_of_pairs)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "a model of architecture \"%s\" cannot be trained", model->architecture);
		return srm_fail_detail(status, "It is a cross-encoder: it reads prompt and response as one, and has no values at sentences.");
	}
	if (model->head.value.n > 0)
		return srm_fail(status, SRM_NOT_SUPPORTED, "a model whose head is more than a linear map cannot be trained");
	if (srm_decoder_looks_ahead(&model->decoder))
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "a model of architecture \"%s\" cannot be trained", model->architecture);
		return srm_fail_detail(status, "Its tokens see those behind them.");
	}
	if (srm_decoder_most_experts(&model->decoder) > 0)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "a model of architecture \"%s\" cannot be trained", model->architecture);
		return srm_fail_detail(status, "Its feed-forward networks are experts.");
	}
	if (obstacle != NULL)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "of a model of architecture \"%s\" only the head can be trained",
				 model->architecture);
		srm_fail_detail(status, "%s", obstacle);
		return srm_fail_hint(status, "Train its head alone.");
	}
	return true;
}

/* What a run starts from is not only what the base says. */
static void
tell_start(const SrmTrainer *trainer)
{
	const SrmModel *model = trainer->model;
	const SrmTrainOptions *options = &trainer->options;
	size_t		d = trainer->parameters->head.attention_dim;

	if (srm_train_is_continued(model, options))
		notify(trainer, "training goes on with the adapter that the base model is");
	if (options->fresh)
		notify(trainer, "all weights are initialised at random");
	else if (model->value_weight == NULL)
		notify(trainer, "the base model has no value head; it is initialised at random");
	if (!options->fresh && d > 0 && model->attention.dim != d)
		notify(trainer, "the base model has no attention over sentences of this size; it is initialised nearly uniform");
}

static bool
open_parts(SrmTrainer *trainer, const SrmStop *stop, SrmStatus *status)
{
	const SrmTrainOptions *options = &trainer->options;
	SrmModelOptions how = {.compute_choice = SRM_CHOICE_PLAIN,.prepared = options->prepared,
		.mode = options->directory_mode,.base = true,.path = options->path,.memory_limit = options->memory_limit
	};

	/* Frozen states come from the products that scoring has */
	if (options->part == SRM_TRAIN_HEAD)
		how.compute_choice = SRM_CHOICE_AUTO;
	trainer->model = srm_model_open(options->base, &how, stop, status);
	trainer->options.path = NULL;	/* nobody looks there any more */
	if (trainer->model == NULL || !complete_options(trainer, stop, status) || !check_base(trainer, status) ||
		(srm_train_is_continued(trainer->model, options) &&
		 !srm_train_continue(trainer->model, &trainer->options, status)))
		return false;
	trainer->segmenter = srm_segmenter_open(options->segmenter, options->locale, status);
	trainer->dataset = srm_dataset_create(status);
	trainer->reader = (SrmPairReader) {
		.model = trainer->model,
		.layout = {.boundary = options->boundary,.truncation = SRM_TRUNCATION_ERROR,
			.max_tokens = SIZE_MAX,.segmenter = trainer->segmenter,
			.lengths = srm_model_lengths(trainer->model)},
		.aggregation = options->aggregation,
		.max_tokens = options->max_tokens,
		.too_long = options->too_long,
		.margin = options->margin,
		.scratch = srm_arena_create(status)
	};
	return status->code == SRM_OK;
}

SrmTrainer *
srm_trainer_open(const SrmTrainOptions *options, const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmTrainer *trainer = arena == NULL ? NULL : srm_arena_array(arena, 1, sizeof(SrmTrainer), status);

	if (trainer == NULL)
	{
		srm_arena_free(arena);
		return NULL;
	}
	trainer->arena = arena;
	trainer->state.best_accuracy = trainer->state.held_out_accuracy = trainer->state.held_out_loss = NAN;
	if (srm_train_options_copy(&trainer->options, options, arena, status) && open_parts(trainer, stop, status))
		return trainer;
	srm_trainer_close(trainer);
	return NULL;
}

void
srm_trainer_close(SrmTrainer *trainer)
{
	if (trainer == NULL)
		return;
	srm_passes_free(trainer->passes);
	srm_parameters_free(trainer->parameters);
	srm_dataset_free(trainer->dataset);
	srm_arena_free(trainer->reader.scratch);
	srm_segmenter_free(trainer->segmenter);
	srm_model_close(trainer->model);
	srm_arena_free(trainer->arena);
}

bool
srm_trainer_add(SrmTrainer *trainer, const SrmTrainPair *pair, const SrmStop *stop, SrmStatus *status)
{
	if (trainer->begun)
		return srm_fail(status, SRM_INTERNAL, "pairs are added before a run begins");
	if (!(pair->weight >= 0.0 && pair->weight <= 1e30) || (pair->has_margin && !(fabs(pair->margin) <= 1e6)))
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "margin or weight of a pair is out of range");
		return srm_fail_detail(status, "The pair is that of row %llu: its margin is %g, its weight %g.",
							   (unsigned long long) pair->row, pair->has_margin ? pair->margin : 0.0, pair->weight);
	}
	return srm_dataset_add(trainer->dataset, pair, &trainer->reader, stop, status);
}

const char *
srm_trainer_segmenter(const SrmTrainer *trainer)
{
	return trainer->options.segmenter;
}

void
srm_trainer_set_splitter(SrmTrainer *trainer, const SrmSplitter *splitter)
{
	srm_segmenter_set_splitter(trainer->segmenter, splitter);
}

size_t
srm_trainer_bytes(const SrmTrainer *trainer)
{
	size_t		bytes = srm_arena_used(trainer->arena) + srm_model_private_bytes(trainer->model) +
		srm_arena_used(trainer->dataset->arena) + srm_arena_used(trainer->reader.scratch);

	if (trainer->parameters != NULL)
		bytes += srm_arena_used(trainer->parameters->arena);
	if (trainer->passes != NULL)
	{
		bytes += srm_arena_used(trainer->passes->arena) + srm_arena_used(trainer->passes->scratch);
		if (trainer->passes->train != NULL)
			bytes += srm_decoder_train_used(trainer->passes->train);
	}
	return bytes;
}

/* States that SRM_TRAIN_HEAD keeps. */
static size_t
state_bytes(const SrmTrainer *trainer)
{
	size_t		reads = 0;

	for (size_t i = 0; i < trainer->dataset->n; i++)
		reads += (size_t) trainer->dataset->pairs[i].endings[0].n_reads +
			trainer->dataset->pairs[i].endings[1].n_reads;
	return reads * trainer->model->decoder.dim * sizeof(float);
}

/*
 * Bytes that the run needs.  Where they are more than allowed, states of one layer
 * at a time may do.
 */
static bool
check_memory(const SrmTrainer *trainer, SrmTrainSize *size, SrmTrainPlan *plan, SrmStatus *status)
{
	const SrmTrainOptions *options = &trainer->options;
	size_t		fixed = srm_trainer_bytes(trainer) + srm_parameters_bytes(trainer->model, options);

	plan->fast_memory = 0;
	for (int recompute = 0; recompute < 2; recompute++)
	{
		*size = srm_passes_size(trainer->dataset, options, recompute == 1);
		plan->memory = fixed + (options->part == SRM_TRAIN_HEAD ? state_bytes(trainer) :
								srm_passes_bytes(trainer->model, size, options->n_threads));
		if (options->memory_limit == 0 || plan->memory <= options->memory_limit)
			return true;
		plan->fast_memory = plan->memory;
	}
	srm_fail(status, SRM_LIMIT_EXCEEDED, "training needs more memory than is allowed");
	srm_fail_detail(status, "It needs %zu MB; the limit is %zu MB.", (plan->memory >> 20) + 1, options->memory_limit >> 20);
	return srm_fail_hint(status, "Raise the limit, train adapters or the head alone, or allow fewer tokens.");
}

static bool
plan_steps(SrmTrainer *trainer, SrmStatus *status)
{
	const SrmTrainOptions *options = &trainer->options;
	SrmDataset *dataset = trainer->dataset;

	if (!srm_dataset_split(dataset, options->held_out, options->seed, status))
		return false;
	if (dataset->n_train == 0)
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "there are no pairs to train on");
		return srm_fail_detail(status, "Of all pairs, %zu are held out and %zu were skipped.",
							   dataset->n_held_out, dataset->n_skipped);
	}
	trainer->epoch_steps = (dataset->n_train + options->batch - 1) / options->batch;
	trainer->n_steps = (uint64_t) ceil(options->epochs * (double) trainer->epoch_steps);
	trainer->order = srm_arena_array(trainer->arena, dataset->n_train, sizeof(uint32_t), status);
	trainer->batch = srm_arena_array(trainer->arena,
									 options->batch > EVALUATED_PAIRS ? options->batch : EVALUATED_PAIRS,
									 sizeof(SrmPair *), status);
	return trainer->order != NULL && trainer->batch != NULL;
}

/* Stands for all that the result depends on. */
static uint64_t
hash_run(const SrmTrainer *trainer)
{
	const SrmParameters *parameters = trainer->parameters;
	uint64_t	hash = srm_dataset_hash(trainer->dataset, srm_train_options_hash(&trainer->options));

	hash = srm_hash_words(hash, parameters->weights, parameters->n_floats * sizeof(float));
	for (size_t i = 0; i < parameters->n_adapters; i++)
		hash = srm_hash_words(hash, parameters->adapters[i].sum,
							  parameters->adapters[i].base.rows * parameters->adapters[i].base.cols * sizeof(float));
	return hash;
}

static SrmCheckpoint
checkpoint_of(const SrmTrainer *trainer)
{
	return (SrmCheckpoint) {
		.directory = trainer->options.checkpoint,.mode = trainer->options.directory_mode,
		.hash = trainer->hash,.owner = trainer->options.owner
	};
}

static void
note_saved(SrmTrainer *trainer)
{
	trainer->saved_step = trainer->state.step;
	trainer->saved_evaluation = trainer->state.evaluated_step;
}

static bool
resume(SrmTrainer *trainer, SrmStatus *status)
{
	SrmCheckpoint checkpoint = checkpoint_of(trainer);
	char		message[128];

	if (trainer->options.checkpoint == NULL)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "a run without checkpoints cannot be resumed");
	if (!srm_checkpoint_read(&checkpoint, &trainer->state, trainer->parameters, status))
		return false;
	if (trainer->state.step > trainer->n_steps || trainer->state.evaluated_step > trainer->state.step)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "checkpoint in \"%s\" is of a step that the run does not have",
						checkpoint.directory);
	note_saved(trainer);
	snprintf(message, sizeof(message), "resuming behind step %llu", (unsigned long long) trainer->state.step);
	notify(trainer, message);
	return true;
}

static bool
check_room(const SrmTrainer *trainer, const SrmStop *stop, SrmStatus *status)
{
	const SrmTrainOptions *options = &trainer->options;
	SrmCheckpointInfo there = {0};
	size_t		model_bytes;

	if (options->checkpoint != NULL && !srm_checkpoint_find(options->checkpoint, &there, status))
		return false;
	return srm_output_bytes(trainer->model, options, trainer->parameters, &model_bytes, stop, status) &&
		srm_room_check(options, srm_checkpoint_bytes(trainer->parameters), model_bytes, there.bytes, status);
}

static bool
start_run(SrmTrainer *trainer, const SrmTrainSize *size, const SrmStop *stop, SrmStatus *status)
{
	SrmParameters *parameters = srm_parameters_create(trainer->model, &trainer->options, status);
	SrmThreads *threads;
	bool		done;

	trainer->parameters = parameters;
	if (parameters == NULL)
		return false;
	trainer->passes = srm_passes_create(trainer->model, &trainer->options, parameters,
										trainer->options.part == SRM_TRAIN_HEAD ? NULL : size, status);
	threads = trainer->passes == NULL ? NULL : srm_threads_start(trainer->options.n_threads, status);
	if (threads == NULL)
		return false;
	done = srm_parameters_merge(parameters, threads, stop, status);
	if (done)
		trainer->hash = hash_run(trainer);
	if (done && trainer->options.resume)
		done = resume(trainer, status) && srm_parameters_merge(parameters, threads, stop, status);
	srm_threads_end(threads);
	return done && check_room(trainer, stop, status) &&
		(trainer->options.part != SRM_TRAIN_HEAD || srm_dataset_compute_states(trainer->dataset, trainer->model,
																	 trainer->options.n_threads, stop, status));
}

/* Whether the last step is to be evaluated, and has not been: it may have been stopped there. */
static bool
awaits_evaluation(const SrmTrainer *trainer)
{
	uint64_t	every = trainer->options.evaluate_every > 0 ? trainer->options.evaluate_every : trainer->epoch_steps;
	uint64_t	step = trainer->state.step;

	return trainer->dataset->n_held_out > 0 && step > 0 && trainer->state.evaluated_step < step &&
		(step % every == 0 || step == trainer->n_steps);
}

static bool
is_over(const SrmTrainer *trainer)
{
	return (trainer->state.step == trainer->n_steps && !awaits_evaluation(trainer)) ||
		trainer->state.stopped_early != 0;
}

bool
srm_trainer_begin(SrmTrainer *trainer, SrmTrainPlan *plan, const SrmStop *stop, SrmStatus *status)
{
	SrmTrainSize size;

	memset(plan, 0, sizeof(SrmTrainPlan));
	trainer->begun = true;
	if (!plan_steps(trainer, status) || !check_memory(trainer, &size, plan, status) ||
		!start_run(trainer, &size, stop, status))
		return false;
	if (trainer->options.checkpoint != NULL && !trainer->options.resume)
		srm_checkpoint_remove(trainer->options.checkpoint);
	tell_start(trainer);
	trainer->saved_at = now();
	plan->n_pairs = trainer->dataset->n;
	plan->n_skipped = trainer->dataset->n_skipped;
	plan->n_train = trainer->dataset->n_train;
	plan->n_held_out = trainer->dataset->n_held_out;
	plan->n_steps = trainer->n_steps;
	plan->run = trainer->state.run;
	plan->first_step = trainer->state.step + 1;
	/* One that is resumed behind its last step reports that again */
	plan->first_report = plan->first_step - (awaits_evaluation(trainer) || is_over(trainer) ? 1 : 0);
	plan->n_parameters = trainer->parameters->n_trained;
	return true;
}

/* The pairs of a step, which may be the last and shorter one of its epoch. */
static size_t
choose_pairs(SrmTrainer *trainer, uint64_t step)
{
	const SrmDataset *dataset = trainer->dataset;
	uint64_t	epoch = (step - 1) / trainer->epoch_steps + 1;
	size_t		first = (size_t) ((step - 1) % trainer->epoch_steps) * trainer->options.batch;
	size_t		left = dataset->n_train - first;
	size_t		n = left < trainer->options.batch ? left : trainer->options.batch;

	if (trainer->order_epoch != epoch)
	{
		SrmRandom	random = srm_random_start(trainer->options.seed, SRM_RANDOM_ORDER, epoch);

		srm_random_shuffle(&random, trainer->order, dataset->n_train);
		trainer->order_epoch = epoch;
	}
	for (size_t i = 0; i < n; i++)
		trainer->batch[i] = &dataset->pairs[dataset->train[trainer->order[first + i]]];
	return n;
}

static bool
check_norm(double norm, uint64_t step, SrmStatus *status)
{
	if (isfinite(norm))
		return true;
	srm_fail(status, SRM_INVALID_ARGUMENT, "gradient is not finite in step %llu", (unsigned long long) step);
	return srm_fail_hint(status, "Lower the learning rate.");
}

/* The pair of the step whose gradient alone is not finite, so that its row can be named. */
static bool
blame_pair(SrmTrainer *trainer, size_t n, uint64_t step, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	for (size_t i = 0; i < n; i++)
	{
		SrmPairSums sums = {0};
		double		norm;

		srm_parameters_clear(trainer->parameters);
		if (!srm_passes_run(trainer->passes, &trainer->batch[i], 1, true, step, &sums, threads, stop, status) ||
			!srm_gradient_norm(&norm, trainer->parameters, threads, stop, status))
			return false;
		if (isfinite(norm))
			continue;
		srm_fail(status, SRM_INVALID_ARGUMENT, "gradient is not finite in step %llu at the pair of row %llu",
				 (unsigned long long) step, (unsigned long long) trainer->batch[i]->row);
		return srm_fail_hint(status, "Lower the learning rate, or leave the pair out.");
	}
	return check_norm(NAN, step, status);
}

/* Forth, back and update; a stop before the update leaves the weights as they were. */
static bool
update(SrmTrainer *trainer, uint64_t step, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	SrmPairSums sums = {0};
	size_t		n = choose_pairs(trainer, step);
	double		began = now();
	double		norm;

	srm_parameters_clear(trainer->parameters);
	if (!srm_passes_run(trainer->passes, trainer->batch, n, true, step, &sums, threads, stop, status) ||
		!srm_gradient_norm(&norm, trainer->parameters, threads, stop, status))
		return false;
	if (!isfinite(norm))
		return blame_pair(trainer, n, step, threads, stop, status);
	trainer->state.learning_rate = srm_learning_rate(&trainer->options, step, trainer->n_steps);
	trainer->state.gradient_norm = norm;
	srm_optimizer_step(trainer->parameters, &trainer->options, step, trainer->state.learning_rate, norm, threads);
	trainer->state.step = step;
	trainer->state.loss = sums.weight > 0.0 ? sums.loss / sums.weight : 0.0;
	trainer->state.accuracy = sums.right / (double) sums.n_pairs;
	trainer->seconds += now() - began;
	trainer->n_timed++;
	trainer->n_tokens += sums.n_tokens;

	/* From here on the step counts, so that nothing may stop the merge */
	return srm_parameters_merge(trainer->parameters, threads, NULL, status);
}

static bool
evaluate(SrmTrainer *trainer, uint64_t step, SrmPairSums *sums, SrmThreads *threads,
		 const SrmStop *stop, SrmStatus *status)
{
	const SrmDataset *dataset = trainer->dataset;
	double		began = now();

	for (size_t first = 0; first < dataset->n_held_out; first += EVALUATED_PAIRS)
	{
		size_t		n = dataset->n_held_out - first;

		n = n < EVALUATED_PAIRS ? n : EVALUATED_PAIRS;
		for (size_t i = 0; i < n; i++)
			trainer->batch[i] = &dataset->pairs[dataset->held_out[first + i]];
		if (!srm_passes_run(trainer->passes, trainer->batch, n, false, step, sums, threads, stop, status))
			return false;
	}
	trainer->evaluation_seconds = now() - began;
	return true;
}

/* Keeps the best weights, and sees whether it is time to end. */
static void
judge(SrmTrainer *trainer, const SrmPairSums *sums)
{
	SrmRunState *state = &trainer->state;
	SrmParameters *parameters = trainer->parameters;

	state->evaluated_step = state->step;
	state->held_out_accuracy = sums->right / (double) sums->n_pairs;
	state->held_out_loss = sums->weight > 0.0 ? sums->loss / sums->weight : 0.0;
	if (!(state->held_out_accuracy <= state->best_accuracy))
	{
		state->best_accuracy = state->held_out_accuracy;
		state->n_waited = 0;
		if (parameters->best != NULL)
			memcpy(parameters->best, parameters->weights, parameters->n_floats * sizeof(float));
	}
	else
		state->n_waited++;
	if (trainer->options.patience > 0 && state->n_waited >= trainer->options.patience)
		state->stopped_early = 1;
}

static void
fill_report(const SrmTrainer *trainer, SrmTrainReport *report)
{
	const SrmRunState *state = &trainer->state;
	double		pace = trainer->n_timed > 0 ? trainer->seconds / (double) trainer->n_timed : 0.0;
	uint64_t	left = trainer->n_steps - state->step;
	uint64_t	every = trainer->options.evaluate_every > 0 ? trainer->options.evaluate_every : trainer->epoch_steps;

	report->step = state->step;
	report->n_steps = trainer->n_steps;
	report->epoch = (double) state->step / (double) trainer->epoch_steps;
	report->loss = state->loss;
	report->accuracy = state->accuracy;
	report->learning_rate = state->learning_rate;
	report->gradient_norm = state->gradient_norm;
	report->held_out_accuracy = state->held_out_accuracy;
	report->held_out_loss = state->held_out_loss;
	report->best_accuracy = state->best_accuracy;
	report->tokens_per_second = trainer->seconds > 0.0 ? (double) trainer->n_tokens / trainer->seconds : 0.0;
	report->seconds_left = pace * (double) left + trainer->evaluation_seconds * (double) (left / every);
	report->stopped_early = state->stopped_early != 0;
}

void
srm_trainer_set_run(SrmTrainer *trainer, uint64_t run)
{
	trainer->state.run = run;
}

uint64_t
srm_trainer_saved_step(const SrmTrainer *trainer)
{
	return trainer->saved_step;
}

bool
srm_trainer_save(SrmTrainer *trainer, SrmStatus *status)
{
	SrmCheckpoint checkpoint = checkpoint_of(trainer);

	if (trainer->options.checkpoint == NULL ||
		(trainer->state.step == trainer->saved_step && trainer->state.evaluated_step == trainer->saved_evaluation))
		return true;
	if (!srm_checkpoint_write(&checkpoint, &trainer->state, trainer->parameters, status))
		return false;
	note_saved(trainer);
	return true;
}

/* Hours of work are not lost over a disk that is full now and may have room later. */
static void
try_to_save(SrmTrainer *trainer, SrmTrainReport *report)
{
	srm_status_init(&trainer->unsaved);
	if (!srm_trainer_save(trainer, &trainer->unsaved))
		report->unsaved = &trainer->unsaved;
	trainer->saved_at = now();
}

/* A step, or the evaluation that a stop kept from its end. */
static bool
run_step(SrmTrainer *trainer, SrmTrainReport *report, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	SrmPairSums sums = {0};

	if (!awaits_evaluation(trainer) &&
		!update(trainer, trainer->state.step + 1, threads, stop, status))
		return false;
	if (!awaits_evaluation(trainer))
		return true;
	if (!evaluate(trainer, trainer->state.step, &sums, threads, stop, status))
		return false;
	judge(trainer, &sums);
	report->evaluated = true;
	return true;
}

bool
srm_trainer_step(SrmTrainer *trainer, SrmTrainReport *report, const SrmStop *stop, SrmStatus *status)
{
	SrmThreads *threads;
	bool		done;

	memset(report, 0, sizeof(SrmTrainReport));
	/* A run may have been resumed behind its last step */
	if (!is_over(trainer))
	{
		threads = srm_threads_start(trainer->options.n_threads, status);
		done = threads != NULL && run_step(trainer, report, threads, stop, status);
		srm_threads_end(threads);
		if (!done)
		{
			/* A run that is stopped leaves all its complete steps behind */
			if (status->code == SRM_STOPPED)
				try_to_save(trainer, report);
			return false;
		}
	}
	fill_report(trainer, report);
	report->done = is_over(trainer);
	if (report->done || now() - trainer->saved_at >= (double) trainer->options.checkpoint_seconds)
		try_to_save(trainer, report);
	return true;
}

bool
srm_trainer_finish(SrmTrainer *trainer, const SrmStop *stop, SrmStatus *status)
{
	SrmParameters *parameters = trainer->parameters;
	SrmThreads *threads;
	bool		done = true;

	if (parameters->best != NULL && !isnan(trainer->state.best_accuracy))
	{
		memcpy(parameters->weights, parameters->best, parameters->n_floats * sizeof(float));
		threads = srm_threads_start(trainer->options.n_threads, status);
		done = threads != NULL && srm_parameters_merge(parameters, threads, stop, status);
		srm_threads_end(threads);
	}
	if (!done ||
		!(trainer->options.lora_adapter ? srm_output_adapter : srm_output_model)
		(trainer->model, &trainer->options, &trainer->settings, parameters, stop, status))
		return false;
	if (trainer->options.checkpoint != NULL)
		srm_checkpoint_remove(trainer->options.checkpoint);
	return true;
}
