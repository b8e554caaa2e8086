/*-------------------------------------------------------------------------
 *
 * config_experts.c
 *	  Which layers have experts, and how tokens take them, as config.json says it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_reader.h"

#include <string.h>

#include "model/config.h"

#define MAX_EXPERTS		1024
#define MAX_EXPERT_DIM	(1 << 20)

/* How many there are: transformers has two names for it. */
static bool
read_numbers(SrmConfigReader *reader, size_t *n)
{
	const SrmExpertNames *names = reader->config->architecture->experts;
	SrmDecoder *decoder = &reader->config->decoder;
	int64_t		other;
	int64_t		all;

	if (!srm_json_get_int(reader->root, "num_experts", 0, MAX_EXPERTS, (int64_t) names->n, &other, reader->status) ||
		!srm_json_get_int(reader->root, "num_local_experts", 0, MAX_EXPERTS, other, &all, reader->status) ||
		!srm_config_get_size(reader, "num_experts_per_tok", MAX_EXPERTS, names->n_used, &decoder->n_experts_used))
		return false;
	if (srm_json_member(reader->root, "num_experts") != NULL && all != other)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"num_experts\" and \"num_local_experts\" are not the same");
	if (all > 0 && decoder->n_experts_used > (size_t) all)
	{
		srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"num_experts_per_tok\"");
		return srm_fail_detail(reader->status, "It is %zu, and there are %lld experts.", decoder->n_experts_used, (long long) all);
	}
	*n = (size_t) all;
	return true;
}

/* Sizes of the steps, and what becomes of the router's weights. */
static bool
read_steps(SrmConfigReader *reader)
{
	const SrmExpertNames *names = reader->config->architecture->experts;
	SrmDecoder *decoder = &reader->config->decoder;

	decoder->expert_dim = decoder->ffn_dim;
	decoder->normalizes_experts = !names->has_settings;
	if (names->has_settings &&
		(!srm_config_get_size(reader, "moe_intermediate_size", MAX_EXPERT_DIM, names->dim, &decoder->expert_dim) ||
		 !srm_json_get_bool(reader->root, "norm_topk_prob", false, &decoder->normalizes_experts, reader->status)))
		return false;
	return names->shared_gate == NULL ||
		srm_config_get_size(reader, "shared_expert_intermediate_size", MAX_EXPERT_DIM, names->shared_dim, &decoder->shared_dim);
}

/* "mlp_only_layers": numbers of layers that have none. */
static bool
read_exceptions(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	const SrmJson *list = srm_json_member(reader->root, "mlp_only_layers");

	if (list != NULL && list->type != SRM_JSON_ARRAY)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"mlp_only_layers\" is not a list of numbers of layers");
	for (const SrmJson *item = list == NULL ? NULL : list->child; item != NULL; item = item->next)
	{
		double		number;

		if (!srm_json_number(item, &number))
			return srm_fail(reader->status, SRM_INVALID_MODEL, "\"mlp_only_layers\" is not a list of numbers of layers");
		for (size_t i = 0; i < config->decoder.n_layers; i++)
			if ((double) i == number)
				config->layers[i].n_experts = 0;
	}
	return true;
}

bool
srm_config_read_experts(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	const SrmExpertNames *names = config->architecture->experts;
	size_t		period = 1;
	size_t		n = 0;

	if (names == NULL)
		return true;
	if (!read_numbers(reader, &n) || !read_steps(reader) ||
		(names->has_settings && !srm_config_get_size(reader, "decoder_sparse_step", MAX_LAYERS, 1, &period)))
		return false;
	for (size_t i = 0; i < config->decoder.n_layers; i++)
		config->layers[i].n_experts = (i + 1) % period == 0 ? n : 0;
	return !names->has_settings || read_exceptions(reader);
}
