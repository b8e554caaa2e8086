/*-------------------------------------------------------------------------
 *
 * optimizer.c
 *	  AdamW with warm-up, a cosine, and clipping by the global norm.
 *
 *-------------------------------------------------------------------------
 */
#include "train/optimizer.h"

#include <math.h>

#include "kernel/kernels.h"

#define PI				3.14159265358979323846
#define BLOCK			65536	/* floats of a task */
#define NORM_PIECE		256		/* floats that are summed as f32 */

typedef struct StepTask
{
	SrmParameters *parameters;
	SrmAdamStep step;
	double	   *sums;			/* (blocks) for the norm */
} StepTask;

double
srm_learning_rate(const SrmTrainOptions *options, uint64_t step, uint64_t n_steps)
{
	double		warmup = ceil(options->warmup * (double) n_steps);
	double		peak = options->learning_rate;
	double		progress;

	if ((double) step <= warmup)
		return peak * (double) step / warmup;
	progress = ((double) step - warmup) / fmax(1.0, (double) n_steps - warmup);
	return peak * (options->final_rate + (1.0 - options->final_rate) * 0.5 * (1.0 + cos(PI * progress)));
}

static size_t
n_blocks(const SrmParameters *parameters)
{
	return (parameters->n_floats + BLOCK - 1) / BLOCK;
}

static size_t
block_end(const SrmParameters *parameters, size_t block)
{
	size_t		end = (block + 1) * BLOCK;

	return end < parameters->n_floats ? end : parameters->n_floats;
}

static void
sum_block(void *arg, size_t block, int thread)
{
	StepTask   *task = arg;
	const SrmParameters *parameters = task->parameters;
	size_t		end = block_end(parameters, block);
	double		sum = 0.0;

	(void) thread;
	for (size_t i = block * BLOCK; i < end; i += NORM_PIECE)
		sum += srm_kernels->sum_squares(parameters->gradients + i, end - i < NORM_PIECE ? end - i : NORM_PIECE);
	task->sums[block] = sum;
}

bool
srm_gradient_norm(double *norm, const SrmParameters *parameters, SrmThreads *threads,
				  const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	StepTask	task = {.parameters = (SrmParameters *) parameters};
	double		sum = 0.0;
	bool		done;

	if (arena == NULL)
		return false;
	task.sums = srm_arena_array(arena, n_blocks(parameters), sizeof(double), status);
	done = task.sums != NULL &&
		srm_threads_run_or_stop(threads, n_blocks(parameters), sum_block, &task, stop, status);
	for (size_t i = 0; done && i < n_blocks(parameters); i++)
		sum += task.sums[i];
	*norm = sqrt(sum);
	srm_arena_free(arena);
	return done;
}

/* The parts of all tensors that lie in one block. */
static void
step_block(void *arg, size_t block, int thread)
{
	StepTask   *task = arg;
	SrmParameters *parameters = task->parameters;
	size_t		first = block * BLOCK;
	size_t		end = block_end(parameters, block);

	(void) thread;
	for (size_t i = 0; i < parameters->n; i++)
	{
		const SrmParameter *item = &parameters->items[i];
		size_t		from = item->start > first ? item->start : first;
		size_t		to = item->start + item->n < end ? item->start + item->n : end;
		SrmAdamStep step = task->step;

		if (from >= to)
			continue;
		if (!item->decays)
			step.decay = 0.0f;
		srm_kernels->adam(parameters->weights + from, parameters->first + from, parameters->second + from,
								parameters->gradients + from, &step, to - from);
	}
}

void
srm_optimizer_step(SrmParameters *parameters, const SrmTrainOptions *options, uint64_t step, double rate,
				   double norm, SrmThreads *threads)
{
	StepTask	task = {.parameters = parameters};
	double		scale = options->clip > 0.0 && norm > options->clip ? options->clip / norm : 1.0;

	task.step.rate = (float) (rate / (1.0 - pow(options->beta1, (double) step)));
	task.step.decay = (float) (rate * options->weight_decay);
	task.step.scale = (float) scale;
	task.step.beta1 = (float) options->beta1;
	task.step.beta2 = (float) options->beta2;
	task.step.correction = (float) (1.0 / sqrt(1.0 - pow(options->beta2, (double) step)));
	task.step.epsilon = (float) options->epsilon;
	srm_threads_run(threads, n_blocks(parameters), step_block, &task);
}
