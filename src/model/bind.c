/*-------------------------------------------------------------------------
 *
 * bind.c
 *	  Names of tensors to the weights of a model.
 *
 *-------------------------------------------------------------------------
 */
#include "model/bind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/bind_head.h"
#include "model/binder.h"
#include "nn/norm.h"

#define MAX_NAME_SIZE	256
#define MAX_LAYER_NAME_SIZE	128

/* out (n) = the rows of a vector that fuses several */
static bool
bind_fused_vector(SrmBinder *binder, const char *name, const SrmFusedRows *rows, size_t n, const float **out)
{
	const SrmMatrix order = {.rows = n, .band = rows->band, .stride = rows->stride};
	float	   *vector = srm_arena_array(binder->model->arena, n, sizeof(float), binder->status);
	const float *all;

	*out = vector;
	if (vector == NULL || !srm_binder_vector(binder, name, rows->total, &all))
		return false;
	for (size_t i = 0; i < n; i++)
		vector[i] = all[rows->first + srm_matrix_row(&order, i)];
	return true;
}

/* Vectors of heads (n / head_dim, head_dim), in one. */
static bool
bind_heads(SrmBinder *binder, const char *name, size_t n, const float **out)
{
	const size_t shape[] = {n / binder->model->decoder.head_dim, binder->model->decoder.head_dim};

	*out = srm_binder_copy(binder, name, shape, 2);
	return *out != NULL;
}

/* Weights of a norm as the decoder wants them. */
static bool
bind_norm(SrmBinder *binder, const char *name, size_t n, const float **norm)
{
	float	   *weights;

	if (!srm_binder_vector(binder, name, n, norm))
		return false;
	weights = (float *) *norm;	/* the copy just made */
	for (size_t i = 0; i < n && binder->config->architecture->norms_from_one; i++)
		weights[i] += 1.0f;
	return true;
}

/* decoder: sizes of the layer's weights */
static bool
bind_layer_tensor(SrmBinder *binder, const SrmDecoder *decoder, const SrmLayerTensor *tensor, const char *name,
				  const SrmLayer *layer)
{
	const SrmWeight *weight = &srm_layer_weights[tensor->weight];
	size_t		n_rows = srm_weight_rows(decoder, tensor->weight);
	SrmFusedRows rows = srm_architecture_rows(decoder, tensor);

	if (decoder->head_norm == SRM_HEAD_NORM_OWN &&
		(tensor->weight == SRM_WEIGHT_QUERY_NORM || tensor->weight == SRM_WEIGHT_KEY_NORM))
		return bind_heads(binder, name, n_rows, srm_weight_vector(layer, tensor->weight));
	if (weight->role == SRM_ROLE_NORM)
		return bind_norm(binder, name, n_rows, srm_weight_vector(layer, tensor->weight));
	if (weight->role == SRM_ROLE_BIAS && tensor->fusion == NULL)
		return srm_binder_vector(binder, name, n_rows, srm_weight_vector(layer, tensor->weight));
	if (weight->role == SRM_ROLE_BIAS)
		return bind_fused_vector(binder, name, &rows, n_rows, srm_weight_vector(layer, tensor->weight));
	srm_weight_matrix(layer, tensor->weight)->rows = n_rows;
	return srm_binder_rows(binder, name, &rows, srm_size_of(decoder, weight->cols),
						   srm_weight_matrix(layer, tensor->weight));
}

/* Whether a layer has a tensor. */
static bool
has_tensor(const SrmConfig *config, const SrmLayerTensor *tensor, const SrmDecoder *sizes, size_t number)
{
	bool		is_sparse = config->layers[number].n_experts > 0;

	return config->features[tensor->feature] && number >= tensor->first_layer &&
		(tensor->kind == SRM_LAYER_ANY ||
		 (tensor->kind == SRM_LAYER_SPARSE ? is_sparse && sizes->ffn_dim > 0 : !is_sparse));
}

/* A map of an expert. */
static bool
bind_expert_map(SrmBinder *binder, const char *layer_name, size_t number, const char *name, size_t rows, size_t cols,
				SrmMatrix *map)
{
	char		full[MAX_NAME_SIZE];

	snprintf(full, sizeof(full), "%s%s%zu.%s", layer_name, binder->config->architecture->experts->prefix, number, name);
	return srm_binder_matrix(binder, full, rows, cols, map);
}

static bool
bind_experts(SrmBinder *binder, SrmLayer *layer, const char *layer_name)
{
	const SrmExpertNames *names = binder->config->architecture->experts;
	size_t		width = binder->model->decoder.expert_dim;
	size_t		shape[] = {layer->n_experts, binder->model->decoder.dim};
	char		name[MAX_NAME_SIZE];

	if (layer->n_experts == 0)
		return true;
	snprintf(name, sizeof(name), "%s%s", layer_name, names->router);
	layer->router = srm_binder_copy(binder, name, shape, 2);
	layer->experts = srm_arena_array(binder->model->arena, layer->n_experts, sizeof(SrmExpert), binder->status);
	if (layer->router == NULL || layer->experts == NULL)
		return false;
	for (size_t i = 0; i < layer->n_experts; i++)
	{
		SrmExpert  *expert = &layer->experts[i];

		if (!bind_expert_map(binder, layer_name, i, names->gate, width, shape[1], &expert->gate) ||
			!bind_expert_map(binder, layer_name, i, names->up, width, shape[1], &expert->up) ||
			!bind_expert_map(binder, layer_name, i, names->down, shape[1], width, &expert->down))
			return false;
	}
	if (names->shared_gate == NULL)
		return true;
	shape[0] = 1;
	snprintf(name, sizeof(name), "%s%s", layer_name, names->shared_gate);
	layer->shared_gate = srm_binder_copy(binder, name, shape, 2);
	return layer->shared_gate != NULL;
}

static bool
bind_layer(SrmBinder *binder, size_t number)
{
	const SrmArchitecture *row = binder->config->architecture;
	SrmDecoder	sizes = binder->model->decoder;
	SrmLayer   *layer = &sizes.layers[number];
	char		layer_name[MAX_LAYER_NAME_SIZE];

	*layer = binder->config->layers[number];
	if (layer->n_experts > 0)
		sizes.ffn_dim = sizes.shared_dim;
	snprintf(layer_name, sizeof(layer_name), "%s%s%zu.", binder->prefix, row->layer_prefix, number);
	for (const SrmLayerTensor *tensor = row->layer_tensors; tensor->name != NULL; tensor++)
	{
		char		name[MAX_NAME_SIZE];

		if (!has_tensor(binder->config, tensor, &sizes, number))
			continue;
		snprintf(name, sizeof(name), "%s%s", layer_name, tensor->name);
		if (!bind_layer_tensor(binder, &sizes, tensor, name, layer))
			return false;
	}
	return bind_experts(binder, layer, layer_name);
}

/* Checkpoints of the bare decoder have no prefix. */
static const char *
without_prefix(const SrmConfig *config, const char *name)
{
	const char *prefix = srm_bind_prefix(config);

	return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

bool
srm_bind_is_embedding(const SrmConfig *config, const char *name)
{
	return strcmp(without_prefix(config, name), config->architecture->embedding) == 0;
}

/* Whether a name, behind that of a layer, is that of a map of an expert. */
static bool
is_expert_map(const SrmExpertNames *names, const char *name)
{
	size_t		n_digits;

	if (names == NULL || strncmp(name, names->prefix, strlen(names->prefix)) != 0)
		return false;
	name += strlen(names->prefix);
	n_digits = strspn(name, "0123456789");
	name += n_digits;
	return n_digits > 0 && name[0] == '.' &&
		(strcmp(name + 1, names->gate) == 0 || strcmp(name + 1, names->up) == 0 || strcmp(name + 1, names->down) == 0);
}

/* What stands behind the layer's number in the name of one of its tensors; NULL for other names. */
static const char *
find_layer(const SrmConfig *config, const char *name, size_t *layer)
{
	const SrmArchitecture *row = config->architecture;
	size_t		n_digits;

	name = without_prefix(config, name);
	if (strncmp(name, row->layer_prefix, strlen(row->layer_prefix)) != 0)
		return NULL;
	name += strlen(row->layer_prefix);
	n_digits = strspn(name, "0123456789");
	if (n_digits == 0 || n_digits > 9 || name[n_digits] != '.')
		return NULL;
	*layer = strtoul(name, NULL, 10);
	return *layer < config->decoder.n_layers ? name + n_digits + 1 : NULL;
}

bool
srm_bind_find_layer_map(const SrmConfig *config, const char *name, size_t *layer, SrmWeightNumber *map)
{
	const SrmLayerTensor *tensor = config->architecture->layer_tensors;

	name = find_layer(config, name, layer);
	for (; name != NULL && tensor->name != NULL; tensor++)
		if (srm_weight_is_matrix(tensor->weight) && strcmp(name, tensor->name) == 0)
		{
			*map = tensor->weight;
			return true;
		}
	return false;
}

bool
srm_bind_is_layer_map(const SrmConfig *config, const char *name)
{
	SrmWeightNumber map;
	size_t		layer;
	const char *rest = find_layer(config, name, &layer);

	return rest != NULL &&
		(srm_bind_find_layer_map(config, name, &layer, &map) || is_expert_map(config->architecture->experts, rest));
}

bool
srm_bind_check_changes(const SrmConfig *config, const SrmWeights *weights, SrmStatus *status)
{
	for (size_t i = 0; i < weights->n; i++)
	{
		const SrmTensor *tensor = &weights->tensors[i];

		if (tensor->change == NULL || srm_bind_is_layer_map(config, tensor->name))
			continue;
		srm_fail(status, SRM_NOT_SUPPORTED, "an adapter of \"%s\" is not supported", tensor->name);
		return srm_fail_detail(status, "Tensor \"%s\" of file \"%s\" adapts it; supported are adapters of the layers' linear maps.",
							   tensor->change->a->name, tensor->change->a->path);
	}
	return true;
}

const char *
srm_bind_find_prefix(const SrmConfig *config, const SrmWeights *weights)
{
	return srm_weights_find(weights, config->architecture->embedding) != NULL ? "" : srm_bind_prefix(config);
}

/* A norm (dim) of the decoder, which not every architecture has. */
static bool
bind_outer_norm(SrmBinder *binder, const char *name, const char *bias_name, const float **norm, const float **bias)
{
	char		full[MAX_NAME_SIZE];

	if (name == NULL)
		return true;
	snprintf(full, sizeof(full), "%s%s", binder->prefix, name);
	if (!bind_norm(binder, full, binder->model->decoder.dim, norm))
		return false;
	if (bias_name == NULL || !binder->config->features[SRM_FEATURE_NORM_BIAS])
		return true;
	snprintf(full, sizeof(full), "%s%s", binder->prefix, bias_name);
	return srm_binder_vector(binder, full, binder->model->decoder.dim, bias);
}

/* What is added to embeddings: positions, and the types of tokens. */
static bool
bind_positions(SrmBinder *binder)
{
	const SrmArchitecture *row = binder->config->architecture;
	SrmDecoder *decoder = &binder->model->decoder;
	size_t		shape[] = {decoder->n_positions, decoder->dim};
	const SrmTensor *types;
	char		name[MAX_NAME_SIZE];

	if (decoder->n_positions > 0)
	{
		snprintf(name, sizeof(name), "%s%s", binder->prefix, row->positions);
		decoder->positions = srm_binder_copy(binder, name, shape, 2);
		if (decoder->positions == NULL)
			return false;
	}
	if (!binder->config->has_token_types)
		return true;
	snprintf(name, sizeof(name), "%s%s", binder->prefix, row->token_types);
	types = srm_weights_find(binder->weights, name);
	shape[0] = types != NULL && types->n_dims == 2 && types->shape[0] > 0 ? types->shape[0] : 1;
	decoder->token_types = srm_binder_copy(binder, name, shape, 2);
	decoder->n_token_types = shape[0];
	return decoder->token_types != NULL;
}

/* Embeddings of relative positions, normed once for all layers. */
static bool
bind_relative(SrmBinder *binder)
{
	const SrmArchitecture *row = binder->config->architecture;
	SrmDecoder *decoder = &binder->model->decoder;
	SrmRelative *relative = &decoder->relative;
	size_t		shape[] = {2 * relative->span, decoder->dim};
	const float *norm = NULL;
	const float *bias = NULL;
	char		name[MAX_NAME_SIZE];
	float	   *rows;

	if (relative->span == 0)
		return true;
	snprintf(name, sizeof(name), "%s%s", binder->prefix, row->relative);
	relative->embedding = srm_binder_copy(binder, name, shape, 2);
	if (relative->embedding == NULL ||
		(binder->config->norms_relative &&
		 !bind_outer_norm(binder, row->relative_norm, row->relative_norm_bias, &norm, &bias)))
		return false;
	rows = (float *) relative->embedding;	/* the copy just made */
	srm_decoder_norm_forward(rows, rows, norm, bias, decoder, shape[0], shape[1]);
	return true;
}

static bool
bind_decoder(SrmBinder *binder)
{
	const SrmArchitecture *row = binder->config->architecture;
	SrmDecoder *decoder = &binder->model->decoder;
	char		name[MAX_NAME_SIZE];

	binder->prefix = srm_bind_find_prefix(binder->config, binder->weights);
	*decoder = binder->config->decoder;
	decoder->layers = srm_arena_array(binder->model->arena, decoder->n_layers, sizeof(SrmLayer),
									  binder->status);
	snprintf(name, sizeof(name), "%s%s", binder->prefix, row->embedding);
	if (decoder->layers == NULL ||
		!srm_binder_matrix(binder, name, decoder->vocab_size, decoder->dim, &decoder->embedding))
		return false;
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (!bind_layer(binder, i))
			return false;
	return bind_positions(binder) && bind_relative(binder) &&
		bind_outer_norm(binder, row->embedding_norm, row->embedding_norm_bias,
						&decoder->embedding_norm, &decoder->embedding_norm_bias) &&
		bind_outer_norm(binder, row->final_norm, row->final_norm_bias,
						&decoder->final_norm, &decoder->final_norm_bias);
}

/* The size d, which the query's weight tells if the configuration does not. */
static bool
find_attention_dim(SrmBinder *binder, const SrmTensor *query, size_t *dim)
{
	*dim = binder->config->attention_dim;
	if (*dim == 0 && query != NULL && query->n_dims == 2)
		*dim = query->shape[0];
	if (*dim == 0 || *dim % 2 != 0)
	{
		srm_fail(binder->status, SRM_INVALID_MODEL,
				 "size of the attention over sentences, \"attention_dim\", is not a positive even number");
		return srm_fail_detail(binder->status, "It is %zu.", *dim);
	}
	return true;
}

/* The aggregator; a model that does not aggregate by attention may have one, too. */
static bool
bind_attention(SrmBinder *binder)
{
	SrmModelAttention *attention = &binder->model->attention;
	const SrmTensor *query = srm_weights_find(binder->weights, "srm.query.weight");
	size_t		shape[] = {0, binder->model->decoder.dim};
	bool		is_used = strcmp(binder->config->settings.aggregation, "attention") == 0;

	if (query == NULL && (!is_used || binder->model->is_base))
		return true;
	if (query == NULL)
		return srm_binder_find(binder, "srm.query.weight", shape, 2) != NULL;
	if (!find_attention_dim(binder, query, &shape[0]))
		return false;
	attention->dim = shape[0];
	attention->query_weight = srm_binder_copy(binder, "srm.query.weight", shape, 2);
	if (attention->query_weight == NULL)
		return false;
	attention->key_weight = srm_binder_copy(binder, "srm.key.weight", shape, 2);
	return attention->key_weight != NULL &&
		srm_binder_vector(binder, "srm.query.bias", shape[0], &attention->query_bias) &&
		srm_binder_vector(binder, "srm.key.bias", shape[0], &attention->key_bias);
}

bool
srm_bind(SrmModel *model, const SrmConfig *config, const SrmWeights *weights, SrmStatus *status)
{
	SrmBinder	binder = {.model = model,.config = config,.weights = weights,.status = status};

	return srm_bind_check_changes(config, weights, status) && bind_decoder(&binder) && srm_bind_head(&binder) && bind_attention(&binder);
}
