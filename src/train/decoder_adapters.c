/*-------------------------------------------------------------------------
 *
 * decoder_adapters.c
 *	  The way back through low-rank adapters, without the gradients of what
 *	  they adapt.
 *
 *-------------------------------------------------------------------------
 */
#include "train/decoder_adapters.h"

static const SrmTrainAdapter *
adapter_at(const SrmDecoderTrain *train, size_t layer, SrmWeightNumber map)
{
	const SrmTrainAdapter *adapter = train->adapters == NULL ? NULL : &train->adapters[layer * SRM_N_WEIGHTS + map];

	return adapter == NULL || adapter->a == NULL ? NULL : adapter;
}

const SrmTrainAdapter *
srm_adapter_of(const SrmDecoderTrain *train, SrmWeightNumber map)
{
	return adapter_at(train, train->layer, map);
}

/* Work on the adapters of a layer: tasks count those of a map, then those of the next. */
typedef struct Reduction
{
	SrmDecoderTrain *train;
	const SrmMapRows *rows;
	size_t		first_task[SRM_N_WEIGHTS + 1];
} Reduction;

static SrmWeightNumber
find_map(const Reduction *reduction, size_t *task)
{
	int			map = 0;

	while (*task >= reduction->first_task[map + 1])
		map++;
	*task -= reduction->first_task[map];
	return (SrmWeightNumber) map;
}

/* The factors of one adapter, in panels with their scale. */
static void
pack_factors(void *arg, size_t task, int thread)
{
	const Reduction *reduction = arg;
	const SrmDecoderTrain *train = reduction->train;
	SrmWeightNumber map = find_map(reduction, &task);
	const SrmTrainAdapter *adapter = srm_adapter_of(train, map);
	const SrmMatrix *w = srm_weight_matrix(&train->decoder->layers[train->layer], map);
	size_t		n_a = srm_panel_floats(adapter->rank, w->cols);
	size_t		n_b = srm_panel_floats(adapter->rank, w->rows);

	(void) thread;
	srm_kernels->pack_columns(train->packed_a[map], adapter->a, 1, w->cols, adapter->rank, w->cols);
	srm_kernels->pack_columns(train->packed_b[map], adapter->b, adapter->rank, 1, adapter->rank, w->rows);
	for (size_t i = 0; i < n_a; i++)
		train->packed_a[map][i] *= adapter->scale;
	for (size_t i = 0; i < n_b; i++)
		train->packed_b[map][i] *= adapter->scale;
}

/* Some rows of one adapter. */
static void
reduce_rows(void *arg, size_t task, int thread)
{
	const Reduction *reduction = arg;
	const SrmDecoderTrain *train = reduction->train;
	SrmWeightNumber map = find_map(reduction, &task);
	size_t		rank = srm_adapter_of(train, map)->rank;
	const SrmMapRows *rows = &reduction->rows[map];
	const SrmMatrix *w = srm_weight_matrix(&train->decoder->layers[train->layer], map);
	size_t		first = task * SRM_CHUNK;
	size_t		n = srm_chunk_rows(rows->n, task);

	(void) thread;
	srm_kernels->multiply_columns(train->reduced_x[map] + first * rank, rank, rows->x + first * w->cols, w->cols, 1,
								  train->packed_a[map], n, rank, w->cols, false);
	srm_kernels->multiply_columns(train->reduced_dout[map] + first * rank, rank, rows->dout + first * w->rows, w->rows, 1,
								  train->packed_b[map], n, rank, w->rows, false);
}

bool
srm_adapters_reduce(SrmDecoderTrain *train, const SrmMapRows *rows)
{
	Reduction	pack = {.train = train,.rows = rows};
	Reduction	reduce = {.train = train,.rows = rows};

	for (int map = 0; map < SRM_N_WEIGHTS; map++)
	{
		bool		is_adapted = srm_adapter_of(train, map) != NULL;

		pack.first_task[map + 1] = pack.first_task[map] + (is_adapted ? 1 : 0);
		reduce.first_task[map + 1] = reduce.first_task[map] + (is_adapted ? srm_n_chunks(rows[map].n) : 0);
	}
	return srm_threads_run_or_stop(train->threads, pack.first_task[SRM_N_WEIGHTS], pack_factors, &pack,
								   train->stop, train->status) &&
		srm_threads_run_or_stop(train->threads, reduce.first_task[SRM_N_WEIGHTS], reduce_rows, &reduce,
								train->stop, train->status);
}

/* Whether a weight of a layer is trained. */
static bool
is_trained(const SrmDecoderTrain *train, size_t layer, SrmWeightNumber weight)
{
	const SrmLayer *gradient = &train->gradient->layers[layer];

	if (adapter_at(train, layer, weight) != NULL)
		return true;
	return srm_weight_is_matrix(weight) ? srm_weight_matrix(gradient, weight)->data != NULL :
		*srm_weight_vector(gradient, weight) != NULL;
}

static bool
any_is_trained(const SrmDecoderTrain *train, size_t layer, const SrmWeightNumber *weights, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_trained(train, layer, weights[i]))
			return true;
	return false;
}

bool
srm_find_wants(SrmDecoderTrain *train)
{
	static const SrmWeightNumber before_attention[] = {
		SRM_WEIGHT_ATTENTION_NORM, SRM_WEIGHT_QUERY, SRM_WEIGHT_KEY, SRM_WEIGHT_VALUE, SRM_WEIGHT_QUERY_BIAS,
		SRM_WEIGHT_KEY_BIAS, SRM_WEIGHT_VALUE_BIAS, SRM_WEIGHT_QUERY_NORM, SRM_WEIGHT_KEY_NORM
	};
	static const SrmWeightNumber behind_attention[] = {
		SRM_WEIGHT_OUTPUT, SRM_WEIGHT_OUTPUT_BIAS, SRM_WEIGHT_POST_ATTENTION_NORM
	};
	SrmTrainWants *wants = &train->wants;
	bool		any = train->gradient->embedding.data != NULL;

	for (size_t layer = 0; layer < train->layer && !any; layer++)
		for (int i = 0; i < SRM_N_WEIGHTS && !any; i++)
			any = is_trained(train, layer, i);
	wants->input = any;
	wants->normed = any || is_trained(train, train->layer, SRM_WEIGHT_ATTENTION_NORM);
	wants->heads = any || any_is_trained(train, train->layer, before_attention, 9);
	wants->middle = wants->heads || any_is_trained(train, train->layer, behind_attention, 3);
	for (int i = 0; i < SRM_N_WEIGHTS && !any; i++)
		any = is_trained(train, train->layer, i);
	return any;
}
