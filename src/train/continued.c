/*-------------------------------------------------------------------------
 *
 * continued.c
 *	  Training that goes on with the factors of an adapter.
 *
 *-------------------------------------------------------------------------
 */
#include "train/continued.h"

#include <math.h>
#include <string.h>

#include "train/options.h"

#define FINEST_UNIT	1e7			/* the eighth digit is less than a float's last */

/* A map of a layer, and what the adapter adds to it. */
typedef struct AdaptedMap
{
	size_t		layer;
	const char *name;			/* as peft calls it */
	const SrmLowRank *change;	/* or NULL */
} AdaptedMap;

bool
srm_train_is_continued(const SrmModel *model, const SrmTrainOptions *options)
{
	return options->lora_adapter && model->base != NULL;
}

double
srm_train_alpha(double scale, size_t rank)
{
	for (double unit = 1.0; unit < FINEST_UNIT; unit *= 10.0)
	{
		double		alpha = round(scale * (double) rank * unit) / unit;

		if ((float) (alpha / (double) rank) == (float) scale)
			return alpha;
	}
	return scale * (double) rank;
}

static bool
fail_option(const SrmModel *model, const char *option, SrmStatus *status)
{
	const char *name = strrchr(model->directory, '/');

	return srm_fail(status, SRM_INVALID_ARGUMENT, "\"%s\" is not that of adapter \"%s\", which training goes on with",
					option, name == NULL ? model->directory : name + 1);
}

static bool
give_hint(const SrmModel *model, SrmStatus *status)
{
	return srm_fail_hint(status, "Leave it out, or train a new adapter over \"%s\".", model->base);
}

static bool
check_map(const SrmModel *model, const SrmTrainOptions *options, const AdaptedMap *map, SrmStatus *status)
{
	size_t		rank = map->change == NULL ? 0 : map->change->a.rows;

	if (options->has_lora_targets && srm_train_targets_hold(options->lora_targets, map->name) != (map->change != NULL))
	{
		fail_option(model, "lora_targets", status);
		srm_fail_detail(status, map->change == NULL ? "%s of layer %zu is not adapted." :
						"%s of layer %zu is adapted, too.", map->name, map->layer);
		return give_hint(model, status);
	}
	if (map->change == NULL)
		return true;
	if (options->has_lora_rank && options->lora_rank != rank)
	{
		fail_option(model, "lora_rank", status);
		srm_fail_detail(status, "It is %zu; that of %s of layer %zu is %zu.", options->lora_rank, map->name, map->layer,
						rank);
		return give_hint(model, status);
	}
	if (options->has_lora_alpha && (float) (options->lora_alpha / (double) rank) != map->change->scale)
	{
		fail_option(model, "lora_alpha", status);
		srm_fail_detail(status, "It is %g; %s of layer %zu is scaled by %g, which is %g / %zu.", options->lora_alpha,
						map->name, map->layer, map->change->scale, srm_train_alpha(map->change->scale, rank), rank);
		return give_hint(model, status);
	}
	return true;
}

bool
srm_train_continue(const SrmModel *model, SrmTrainOptions *options, SrmStatus *status)
{
	size_t		greatest = 0;
	double		alpha = 0.0;

	for (size_t i = 0; i < model->decoder.n_layers * SRM_N_WEIGHTS; i++)
	{
		SrmWeightNumber number = (SrmWeightNumber) (i % SRM_N_WEIGHTS);
		AdaptedMap	map = {.layer = i / SRM_N_WEIGHTS,.name = srm_layer_weights[number].peft};

		if (map.name == NULL)
			continue;
		map.change = srm_weight_matrix(&model->decoder.layers[map.layer], number)->change;
		if (!check_map(model, options, &map, status))
			return false;
		if (map.change == NULL || map.change->a.rows <= greatest)
			continue;
		greatest = map.change->a.rows;
		alpha = srm_train_alpha(map.change->scale, greatest);
	}
	if (greatest == 0)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "training cannot go on with an adapter that adapts no map of a layer");
		return srm_fail_hint(status, "Train a new adapter over \"%s\".", model->base);
	}
	options->lora_rank = greatest;
	options->lora_alpha = alpha;
	options->lora_targets = "all";
	return true;
}
