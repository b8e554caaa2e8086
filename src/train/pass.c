/*-------------------------------------------------------------------------
 *
 * pass.c
 *	  Pairs through the model, forth and back: a few at a time.
 *
 * The pairs of a step are cut into batches of about BATCH_ROWS rows, whose
 * states fit a processor's last-level cache; their gradients add up in order.  Where
 * they are cut depends on the pairs alone.
 *
 *-------------------------------------------------------------------------
 */
#include "train/pass.h"

#include <math.h>
#include <string.h>

#define BATCH_ROWS	1536

static size_t
pair_reads(const SrmPair *pair)
{
	return (size_t) pair->endings[0].n_reads + pair->endings[1].n_reads;
}

SrmTrainSize
srm_passes_size(const SrmDataset *dataset, const SrmTrainOptions *options, bool recompute)
{
	SrmTrainSize size = {.n_rows = BATCH_ROWS,.backward = true,.recompute = recompute,
		.rank = options->part == SRM_TRAIN_LORA ? options->lora_rank : 0
	};

	for (size_t i = 0; i < dataset->n; i++)
	{
		const SrmPair *pair = &dataset->pairs[i];
		size_t		rows = srm_pair_rows(pair);

		size.n_rows = rows > size.n_rows ? rows : size.n_rows;
		size.n_tree_rows = rows > size.n_tree_rows ? rows : size.n_tree_rows;
		for (int j = 0; j < 2; j++)
			if ((size_t) pair->n_shared + pair->endings[j].n_tokens > size.n_positions)
				size.n_positions = (size_t) pair->n_shared + pair->endings[j].n_tokens;
	}
	size.n_wanted = size.n_rows;
	return size;
}

size_t
srm_passes_bytes(const SrmModel *model, const SrmTrainSize *size, int n_threads)
{
	return srm_decoder_train_bytes(&model->decoder, size, n_threads) +
		2 * size->n_wanted * model->decoder.dim * sizeof(float);
}

SrmPasses *
srm_passes_create(const SrmModel *model, const SrmTrainOptions *options, SrmParameters *parameters,
				  const SrmTrainSize *size, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmPasses  *passes = arena == NULL ? NULL : srm_arena_array(arena, 1, sizeof(SrmPasses), status);

	if (passes == NULL)
	{
		srm_arena_free(arena);
		return NULL;
	}
	passes->model = model;
	passes->options = options;
	passes->parameters = parameters;
	passes->arena = arena;
	passes->scratch = srm_arena_create(status);
	if (size != NULL && passes->scratch != NULL)
	{
		passes->hidden = srm_arena_array(arena, size->n_wanted, model->decoder.dim * sizeof(float), status);
		passes->dhidden = srm_arena_array(arena, size->n_wanted, model->decoder.dim * sizeof(float), status);
		passes->train = srm_decoder_train_create(&parameters->decoder, &parameters->gradient,
													 size->rank > 0 ? parameters->factors : NULL, size, status);
	}
	if (status->code == SRM_OK)
		return passes;
	srm_passes_free(passes);
	return NULL;
}

void
srm_passes_free(SrmPasses *passes)
{
	if (passes == NULL)
		return;
	srm_decoder_train_free(passes->train);
	srm_arena_free(passes->scratch);
	srm_arena_free(passes->arena);
}

/* Positions among the reads of an ending that lie in its own tokens, counted from their start. */
static uint32_t *
own_reads(const SrmPair *pair, const SrmEnding *ending, size_t *n, SrmArena *scratch, SrmStatus *status)
{
	uint32_t   *own = srm_arena_array(scratch, ending->n_reads, sizeof(uint32_t), status);

	*n = 0;
	for (size_t i = 0; own != NULL && i < ending->n_reads; i++)
		if (ending->reads[i] >= pair->n_shared)
			own[(*n)++] = ending->reads[i] - pair->n_shared;
	return own;
}

/*
 * What a pair has in common, and its endings, with places for their states behind that of t_0, which
 * goes to t0, where both share it.
 */
static bool
list_sequences(SrmPair *pair, size_t dim, SrmSequence *sequences, float *t0, SrmArena *scratch, SrmStatus *status)
{
	SrmSequence *shared = &sequences[0];
	uint32_t   *last = srm_arena_array(scratch, 1, sizeof(uint32_t), status);
	float	   *states = pair->states;

	if (last == NULL)
		return false;
	*shared = (SrmSequence) {.tokens = pair->shared,.n_tokens = pair->n_shared,.wanted = last,
		.n_wanted = pair->n_shared > 0,.hidden = t0
	};
	*last = pair->n_shared - 1;
	for (int i = 0; i < 2; i++)
	{
		const SrmEnding *ending = &pair->endings[i];
		size_t		n_own;
		uint32_t   *own = own_reads(pair, ending, &n_own, scratch, status);

		if (own == NULL)
			return false;
		sequences[1 + i] = (SrmSequence) {.tokens = ending->tokens,.n_tokens = ending->n_tokens,
			.wanted = own,.n_wanted = n_own,.hidden = states + (ending->n_reads - n_own) * dim,
			.past = pair->n_shared > 0 ? shared : NULL
		};
		states += ending->n_reads * dim;
	}
	return true;
}

/* Puts the state of t_0 before those of the endings that share it. */
static void
copy_t0(const SrmPair *pair, const float *t0, size_t dim)
{
	for (int i = 0; i < 2; i++)
		if (pair->endings[i].reads[0] < pair->n_shared)
			memcpy(pair->states + (i == 0 ? 0 : pair->endings[0].n_reads * dim), t0, dim * sizeof(float));
}

/* The states of n pairs, in one pass. */
static bool
compute_states(SrmPair *pairs, size_t n, const SrmModel *model, SrmDataset *dataset,
			   int n_threads, SrmArena *scratch, const SrmStop *stop, SrmStatus *status)
{
	size_t		dim = model->decoder.dim;
	SrmSequence *sequences = srm_arena_array(scratch, 3 * n, sizeof(SrmSequence), status);
	float	   *t0 = srm_arena_array(scratch, n, dim * sizeof(float), status);

	if (sequences == NULL || t0 == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		pairs[i].states = srm_arena_array(dataset->arena, pair_reads(&pairs[i]), dim * sizeof(float), status);
		if (pairs[i].states == NULL ||
			!list_sequences(&pairs[i], dim, &sequences[3 * i], t0 + i * dim, scratch, status))
			return false;
	}
	if (!srm_decoder_forward_batch(&model->decoder, NULL, sequences, 3 * n, n_threads, stop, status))
		return false;
	for (size_t i = 0; i < n; i++)
		copy_t0(&pairs[i], t0 + i * dim, dim);
	return true;
}

/* The end of the pairs from first on that go into a batch together. */
static size_t
batch_end(const SrmPair *pairs, size_t first, size_t n)
{
	size_t		rows = srm_pair_rows(&pairs[first]);
	size_t		end = first + 1;

	while (end < n && rows + srm_pair_rows(&pairs[end]) <= BATCH_ROWS)
		rows += srm_pair_rows(&pairs[end++]);
	return end;
}

bool
srm_dataset_compute_states(SrmDataset *dataset, const SrmModel *model, int n_threads, const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	bool		done = scratch != NULL;
	size_t		end;

	for (size_t first = 0; done && first < dataset->n; first = end)
	{
		end = batch_end(dataset->pairs, first, dataset->n);
		srm_arena_reset(scratch);
		done = compute_states(&dataset->pairs[first], end - first, model, dataset, n_threads, scratch, stop, status);
	}
	srm_arena_free(scratch);
	return done;
}

/* Rows of the pairs' own states, one behind the other, and the responses over them. */
static bool
gather_states(SrmPasses *passes, const SrmPair *const *pairs, size_t n, SrmScoresPass *head, SrmStatus *status)
{
	size_t		dim = passes->model->decoder.dim;
	size_t		n_reads = 0;
	size_t		at = 0;
	float	   *states;
	uint32_t   *rows;
	SrmResponse *responses = srm_arena_array(passes->scratch, 2 * n, sizeof(SrmResponse), status);

	for (size_t i = 0; i < n; i++)
		n_reads += pair_reads(pairs[i]);
	states = srm_arena_alloc(passes->scratch, n_reads * dim * sizeof(float), status);
	rows = srm_arena_array(passes->scratch, n_reads, sizeof(uint32_t), status);
	if (responses == NULL || states == NULL || rows == NULL)
		return false;
	for (size_t i = 0; i < 2 * n; i++)
	{
		const SrmPair *pair = pairs[i / 2];
		const SrmEnding *ending = &pair->endings[i % 2];
		SrmAggregation aggregation = head->aggregation;

		memcpy(states + at * dim, pair->states + (i % 2 == 0 ? 0 : pair->endings[0].n_reads * dim),
			   ending->n_reads * dim * sizeof(float));
		for (size_t j = 0; j < ending->n_reads; j++)
			rows[at + j] = (uint32_t) (at + j);
		if (aggregation == SRM_AGGREGATE_TOKEN_MEAN || aggregation == SRM_AGGREGATE_LAST)
			responses[i] = (SrmResponse) {.token_rows = rows + at,.n_tokens = ending->n_reads};
		else
			responses[i] = (SrmResponse) {.prompt_row = rows[at],.boundary_rows = rows + at + 1,
				.n = ending->n_reads - 1
			};
		at += ending->n_reads;
	}
	head->states = states;
	head->n_rows = n_reads;
	head->responses = responses;
	return true;
}

/* Loss and its gradients of the pairs of a batch; false for a score that is not finite. */
static bool
sum_losses(const SrmPasses *passes, const SrmPair *const *pairs, size_t n, size_t n_step, uint64_t step,
		   const SrmScoresPass *head, double *dscores, SrmPairSums *sums, SrmStatus *status)
{
	for (size_t i = 0; i < n; i++)
	{
		const SrmPair *pair = pairs[i];
		double		chosen = head->scores[2 * i];
		double		rejected = head->scores[2 * i + 1];
		double		loss = srm_pair_loss(chosen, rejected, pair->margin, passes->options->penalty);
		double		factor = pair->weight / (double) n_step;

		if (!isfinite(loss))
		{
			srm_fail(status, SRM_INVALID_ARGUMENT, "loss is not finite in step %llu at the pair of row %llu",
					 (unsigned long long) step, (unsigned long long) pair->row);
			srm_fail_detail(status, "The scores are %g and %g.", chosen, rejected);
			return srm_fail_hint(status, "Lower the learning rate, and check that the base model's weights are finite.");
		}
		srm_pair_loss_backward(&dscores[2 * i], &dscores[2 * i + 1], chosen, rejected, pair->margin,
							   passes->options->penalty);
		dscores[2 * i] *= factor;
		dscores[2 * i + 1] *= factor;
		sums->loss += pair->weight * loss;
		sums->weight += pair->weight;
		sums->right += chosen > rejected ? 1.0 : chosen == rejected ? 0.5 : 0.0;
		sums->n_pairs++;
		sums->n_tokens += srm_pair_tokens(pair);
	}
	return true;
}

/* A score by the last value is the mean of one. */
static SrmAggregation
head_aggregation(SrmAggregation aggregation)
{
	return aggregation == SRM_AGGREGATE_LAST ? SRM_AGGREGATE_TOKEN_MEAN : aggregation;
}

/* One batch of a step of n_step pairs. */
static bool
run_batch(SrmPasses *passes, const SrmPair *const *pairs, size_t n, size_t n_step, bool backward,
		  uint64_t step, SrmPairSums *sums, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	SrmParameters *parameters = passes->parameters;
	SrmScoresPass head = {.head = &parameters->head,.aggregation = head_aggregation(passes->options->aggregation),
		.n_responses = 2 * n
	};
	SrmPairBatch batch;
	double	   *dscores;
	bool		with_decoder = passes->train != NULL;

	srm_arena_reset(passes->scratch);
	dscores = srm_arena_array(passes->scratch, 2 * n, sizeof(double), status);
	if (dscores == NULL)
		return false;
	if (with_decoder)
	{
		if (!srm_pair_batch(&batch, pairs, n, passes->options->aggregation, passes->scratch, status) ||
			!srm_decoder_train_forward(passes->train, passes->hidden, &batch.batch, backward, threads, stop, status))
			return false;
		head.states = passes->hidden;
		head.n_rows = batch.batch.n_wanted;
		head.responses = batch.responses;
	}
	else if (!gather_states(passes, pairs, n, &head, status))
		return false;
	if (!srm_scores_forward(&head, passes->scratch, status) ||
		!sum_losses(passes, pairs, n, n_step, step, &head, dscores, sums, status))
		return false;
	if (!backward)
		return srm_continue(stop, status);
	if (!srm_scores_backward(&parameters->head_gradient, with_decoder ? passes->dhidden : NULL, dscores, &head, status))
		return false;
	return with_decoder ?
		srm_decoder_train_backward(passes->train, passes->dhidden, &batch.batch, threads, stop, status) :
		srm_continue(stop, status);
}

bool
srm_passes_run(SrmPasses *passes, const SrmPair *const *pairs, size_t n, bool backward, uint64_t step,
			   SrmPairSums *sums, SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	size_t		first = 0;

	while (first < n)
	{
		size_t		rows = srm_pair_rows(pairs[first]);
		size_t		end = first + 1;

		while (end < n && rows + srm_pair_rows(pairs[end]) <= BATCH_ROWS)
			rows += srm_pair_rows(pairs[end++]);
		if (!run_batch(passes, pairs + first, end - first, n, backward, step, sums, threads, stop, status))
			return false;
		first = end;
	}
	return true;
}
