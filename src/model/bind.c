/*-------------------------------------------------------------------------
 *
 * bind.c
 *	  Names of tensors to the weights of a model.
 *
 *-------------------------------------------------------------------------
 */
#include "model/bind.h"

#include <stdio.h>
#include <string.h>

#define MAX_NAME_SIZE	256

typedef struct Binder
{
	SrmModel   *model;
	const SrmConfig *config;
	const SrmWeights *weights;
	const char *prefix;			/* of the decoder's tensors: "model." or "" */
	SrmStatus  *status;
} Binder;

/* Rows of a map within a tensor that packs several. */
typedef struct Rows
{
	size_t		total;			/* of the tensor */
	size_t		first;
	size_t		run;			/* as in SrmMatrix; 0: the rows lie together */
	size_t		stride;
} Rows;

/* "(4, 32)" */
static void
print_shape(char *out, size_t size, const size_t *shape, size_t n_dims)
{
	size_t		length = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n_dims && length < size; i++)
	{
		int			n = snprintf(out + length, size - length, "%s%zu", i == 0 ? "" : ", ", shape[i]);

		length += n < 0 ? size : (size_t) n;
	}
}

static bool
check_shape(Binder *binder, const SrmTensor *tensor, const size_t *shape, size_t n_dims)
{
	char		found[200];
	char		expected[64];

	if (tensor->n_dims == n_dims && memcmp(tensor->shape, shape, n_dims * sizeof(size_t)) == 0)
		return true;
	print_shape(found, sizeof(found), tensor->shape, tensor->n_dims);
	print_shape(expected, sizeof(expected), shape, n_dims);
	srm_fail(binder->status, SRM_INVALID_MODEL, "wrong shape of tensor \"%s\" in model file \"%s\"",
			 tensor->name, tensor->path);
	return srm_fail_detail(binder->status, "It is (%s), but the configuration asks for (%s).",
						   found, expected);
}

/* A tensor of a shape, and of a type that the products know. */
static const SrmTensor *
find_tensor(Binder *binder, const char *name, const size_t *shape, size_t n_dims)
{
	const SrmTensor *tensor = srm_weights_find(binder->weights, name);

	if (tensor == NULL)
	{
		srm_fail(binder->status, SRM_INVALID_MODEL, "missing tensor \"%s\" in model directory \"%s\"",
				 name, binder->model->directory);
		return NULL;
	}
	if (!tensor->is_weight)
	{
		srm_fail(binder->status, SRM_NOT_SUPPORTED,
				 "data type \"%s\" of tensor \"%s\" in model file \"%s\" is not supported",
				 tensor->type, name, tensor->path);
		srm_fail_detail(binder->status, "Supported are F32, F16, and BF16.");
		return NULL;
	}
	return check_shape(binder, tensor, shape, n_dims) ? tensor : NULL;
}

/*
 * A matrix stays in the file, so its place must suit its type; files of the
 * first releases of safetensors may miss that.
 */
static bool
bind_rows(Binder *binder, const char *name, const Rows *rows, size_t cols, SrmMatrix *matrix)
{
	const size_t shape[] = {rows->total, cols};
	const SrmTensor *tensor = find_tensor(binder, name, shape, 2);

	if (tensor == NULL)
		return false;
	if ((uintptr_t) tensor->data % srm_dtype_size(tensor->dtype) != 0)
	{
		srm_fail(binder->status, SRM_NOT_SUPPORTED,
				 "unaligned tensor \"%s\" in model file \"%s\" is not supported", name, tensor->path);
		return srm_fail_hint(binder->status, "Save the file with a current release of safetensors.");
	}
	matrix->data = tensor->data + rows->first * cols * srm_dtype_size(tensor->dtype);
	matrix->dtype = tensor->dtype;
	matrix->cols = cols;
	matrix->run = rows->run;
	matrix->stride = rows->stride;
	return true;
}

static bool
bind_matrix(Binder *binder, const char *name, size_t rows, size_t cols, SrmMatrix *matrix)
{
	const Rows	all = {.total = rows};

	matrix->rows = rows;
	return bind_rows(binder, name, &all, cols, matrix);
}

/* out (n_elements) = the tensor as f32, a piece at a time: it may lie at any byte. */
static void
read_elements(const SrmTensor *tensor, float *out)
{
	uint32_t	piece[256];		/* aligned for every type */
	size_t		size = srm_dtype_size(tensor->dtype);
	size_t		capacity = sizeof(piece) / size;

	for (size_t start = 0; start < tensor->n_elements; start += capacity)
	{
		size_t		rest = tensor->n_elements - start;
		size_t		n = rest < capacity ? rest : capacity;
		SrmMatrix	matrix = {.data = piece,.dtype = tensor->dtype,.rows = 1,.cols = n};

		memcpy(piece, tensor->data + start * size, n * size);
		srm_matrix_read(&matrix, 0, n, out + start);
	}
}

static const float *
copy_tensor(Binder *binder, const char *name, const size_t *shape, size_t n_dims)
{
	const SrmTensor *tensor = find_tensor(binder, name, shape, n_dims);
	float	   *copy;

	if (tensor == NULL)
		return NULL;
	copy = srm_arena_array(binder->model->arena, tensor->n_elements, sizeof(float), binder->status);
	if (copy != NULL)
		read_elements(tensor, copy);
	return copy;
}

static bool
bind_vector(Binder *binder, const char *name, size_t n, const float **vector)
{
	*vector = copy_tensor(binder, name, &n, 1);
	return *vector != NULL;
}

static size_t
size_of(const SrmDecoder *decoder, SrmSize size)
{
	switch (size)
	{
		case SRM_SIZE_DIM:
			return decoder->dim;
		case SRM_SIZE_QUERY:
			return decoder->n_heads * decoder->head_dim;
		case SRM_SIZE_KEY:
			return decoder->n_kv_heads * decoder->head_dim;
		case SRM_SIZE_HEAD:
			return decoder->head_dim;
		case SRM_SIZE_FFN:
			return decoder->ffn_dim;
		case SRM_SIZE_NONE:
			break;
	}
	return 0;
}

/* Where a map of a number of rows lies in its tensor. */
static Rows
find_rows(const SrmDecoder *decoder, const SrmLayerTensor *tensor, size_t n_rows)
{
	const SrmPacking *packing = tensor->packing;
	size_t		n_groups = packing != NULL && packing->by_key_head ? decoder->n_kv_heads : 1;
	Rows		rows = {0};

	if (packing == NULL)
		return (Rows) {.total = n_rows};
	for (int i = 0; packing->sizes[i] != SRM_SIZE_NONE; i++)
	{
		if (i < tensor->part)
			rows.first += size_of(decoder, packing->sizes[i]) / n_groups;
		rows.total += size_of(decoder, packing->sizes[i]);
	}
	if (n_groups == 1)
		return rows;
	rows.run = n_rows / n_groups;
	rows.stride = rows.total / n_groups;
	return rows;
}

/* out (n) = the rows of a vector that packs several */
static bool
bind_packed_vector(Binder *binder, const char *name, const Rows *rows, size_t n, const float **out)
{
	const SrmMatrix order = {.rows = n, .run = rows->run, .stride = rows->stride};
	float	   *vector = srm_arena_array(binder->model->arena, n, sizeof(float), binder->status);
	const float *all;

	*out = vector;
	if (vector == NULL || !bind_vector(binder, name, rows->total, &all))
		return false;
	for (size_t i = 0; i < n; i++)
		vector[i] = all[rows->first + srm_matrix_row(&order, i)];
	return true;
}

/* Weights of a norm as the decoder wants them. */
static bool
bind_norm(Binder *binder, const char *name, size_t n, const float **norm)
{
	float	   *weights;

	if (!bind_vector(binder, name, n, norm))
		return false;
	weights = (float *) *norm;	/* the copy just made */
	for (size_t i = 0; i < n && binder->config->architecture->norms_from_one; i++)
		weights[i] += 1.0f;
	return true;
}

static bool
bind_layer_tensor(Binder *binder, const SrmLayerTensor *tensor, const char *name, void *place)
{
	const SrmDecoder *decoder = &binder->model->decoder;
	size_t		n_rows = size_of(decoder, tensor->rows);
	Rows		rows = find_rows(decoder, tensor, n_rows);

	if (tensor->is_norm)
		return bind_norm(binder, name, n_rows, place);
	if (tensor->cols == SRM_SIZE_NONE)
		return tensor->packing == NULL ? bind_vector(binder, name, n_rows, place) :
			bind_packed_vector(binder, name, &rows, n_rows, place);
	((SrmMatrix *) place)->rows = n_rows;
	return bind_rows(binder, name, &rows, size_of(decoder, tensor->cols), place);
}

static bool
bind_layer(Binder *binder, size_t number)
{
	const SrmArchitecture *row = binder->config->architecture;
	const SrmDecoder *decoder = &binder->model->decoder;
	char	   *layer = (char *) &decoder->layers[number];

	for (const SrmLayerTensor *tensor = row->layer_tensors; tensor->name != NULL; tensor++)
	{
		char		name[MAX_NAME_SIZE];

		if (!binder->config->steps[tensor->step])
			continue;
		snprintf(name, sizeof(name), "%s%s%zu.%s", binder->prefix, row->layer_prefix, number,
				 tensor->name);
		if (!bind_layer_tensor(binder, tensor, name, layer + tensor->offset))
			return false;
	}
	decoder->layers[number].window = binder->config->windows[number];
	return true;
}

/* Checkpoints of the bare decoder have no prefix. */
static const char *
find_prefix(const Binder *binder)
{
	const char *embedding = binder->config->architecture->embedding;

	return srm_weights_find(binder->weights, embedding) != NULL ? "" : "model.";
}

static bool
bind_decoder(Binder *binder)
{
	const SrmArchitecture *row = binder->config->architecture;
	SrmDecoder *decoder = &binder->model->decoder;
	char		name[MAX_NAME_SIZE];

	binder->prefix = find_prefix(binder);
	*decoder = binder->config->decoder;
	decoder->layers = srm_arena_array(binder->model->arena, decoder->n_layers, sizeof(SrmLayer),
									  binder->status);
	snprintf(name, sizeof(name), "%s%s", binder->prefix, row->embedding);
	if (decoder->layers == NULL ||
		!bind_matrix(binder, name, decoder->vocab_size, decoder->dim, &decoder->embedding))
		return false;
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (!bind_layer(binder, i))
			return false;
	snprintf(name, sizeof(name), "%s%s", binder->prefix, row->final_norm);
	return bind_norm(binder, name, decoder->dim, &decoder->final_norm);
}

/* A reward is one number. */
static bool
check_labels(Binder *binder)
{
	const SrmLabels *labels = &binder->config->labels;

	if (labels->n == 1 || labels->chosen >= 0)
		return true;
	srm_fail(binder->status, SRM_NOT_SUPPORTED, "a model with %zu labels is not supported", labels->n);
	if (labels->names == NULL)
		return srm_fail_detail(binder->status, "A reward model has one label.");
	srm_fail_detail(binder->status, "A reward model has one label; the labels here are %s.",
					labels->names);
	return srm_fail_hint(binder->status,
						 "Choose the one that is the reward by \"label\" in the object \"srm\" of config.json.");
}

static bool
bind_value(Binder *binder)
{
	SrmModel   *model = binder->model;
	const size_t shape[] = {1, model->decoder.dim};
	const float *bias;

	model->value_weight = copy_tensor(binder, "score.weight", shape, 2);
	if (model->value_weight == NULL)
		return false;
	if (srm_weights_find(binder->weights, "score.bias") == NULL)
		return true;
	if (!bind_vector(binder, "score.bias", 1, &bias))
		return false;
	model->value_bias = bias[0];
	return true;
}

/* The size d, which the query's weight tells if the configuration does not. */
static bool
find_attention_dim(Binder *binder, const SrmTensor *query, size_t *dim)
{
	*dim = binder->config->attention_dim;
	if (*dim == 0 && query != NULL && query->n_dims == 2)
		*dim = query->shape[0];
	if (*dim == 0 || *dim % 2 != 0)
	{
		srm_fail(binder->status, SRM_INVALID_MODEL,
				 "size of the attention over sentences is not a positive even number");
		return srm_fail_detail(binder->status, "It is %zu.", *dim);
	}
	return true;
}

/* The aggregator; a model that does not aggregate by attention may have one, too. */
static bool
bind_attention(Binder *binder)
{
	SrmModelAttention *attention = &binder->model->attention;
	const SrmTensor *query = srm_weights_find(binder->weights, "srm.query.weight");
	size_t		shape[] = {0, binder->model->decoder.dim};
	bool		is_used = strcmp(binder->config->settings.aggregation, "attention") == 0;

	if (query == NULL && !is_used)
		return true;
	if (query == NULL)
		return find_tensor(binder, "srm.query.weight", shape, 2) != NULL;
	if (!find_attention_dim(binder, query, &shape[0]))
		return false;
	attention->dim = shape[0];
	attention->query_weight = copy_tensor(binder, "srm.query.weight", shape, 2);
	if (attention->query_weight == NULL)
		return false;
	attention->key_weight = copy_tensor(binder, "srm.key.weight", shape, 2);
	return attention->key_weight != NULL &&
		bind_vector(binder, "srm.query.bias", shape[0], &attention->query_bias) &&
		bind_vector(binder, "srm.key.bias", shape[0], &attention->key_bias);
}

bool
srm_bind(SrmModel *model, const SrmConfig *config, const SrmWeights *weights, SrmStatus *status)
{
	Binder		binder = {.model = model,.config = config,.weights = weights,.status = status};

	return check_labels(&binder) && bind_decoder(&binder) && bind_value(&binder) &&
		bind_attention(&binder);
}
