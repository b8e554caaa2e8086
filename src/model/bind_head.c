/*-------------------------------------------------------------------------
 *
 * bind_head.c
 *	  The head of a model, told by the names of its tensors.
 *
 *-------------------------------------------------------------------------
 */
#include "model/bind_head.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME_SIZE	256
#define MAX_LAYERS		16		/* of a stack */
#define MAX_POSITIONS	64		/* in a list of layers, of which some have no weights */
#define MAX_OBJECTIVES	256
#define BATCH_NORM_EPS	1e-5	/* torch's default */
#define NORMALIZER_EPS	1e-8	/* added to the deviation, as the beaver models do */

/* What authors call a map to the reward, or a sequence of layers that ends in it. */
static const char *const head_names[] = {
	"score", "v_head.summary", "v_head", "value_head.summary", "value_head",
	"regression_head", "score_head", "reward_head", NULL
};

/* The first words of the other tensors of heads. */
static const char *const part_names[] = {
	"gating", "weights", "regression_layer", "reward_transform_matrix", "normalizer", "classifier", "head", "pooler", NULL
};

static bool
begins_with(const char *name, const char *const *words)
{
	for (; *words != NULL; words++)
	{
		size_t		length = strlen(*words);

		if (strncmp(name, *words, length) == 0 && (name[length] == '.' || name[length] == '\0'))
			return true;
	}
	return false;
}

bool
srm_bind_is_head(const char *name)
{
	return begins_with(name, head_names) || begins_with(name, part_names);
}

/* A name cut off is that of no tensor. */
__attribute__((format(printf, 2, 3)))
static const char *
print_name(char *name, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vsnprintf(name, MAX_NAME_SIZE, format, args);
	va_end(args);
	return name;
}

__attribute__((format(printf, 2, 3)))
static bool
has_tensor(const SrmBinder *binder, const char *format,...)
{
	char		name[MAX_NAME_SIZE];
	va_list		args;

	va_start(args, format);
	vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	return srm_weights_find(binder->weights, name) != NULL;
}

/* A reward is one number. */
static bool
check_labels(SrmBinder *binder, size_t n)
{
	const SrmLabels *labels = &binder->config->labels;

	if (n == 1 || (labels->chosen >= 0 && (size_t) labels->chosen < n && labels->minus < (int) n &&
				   (labels->n == n || labels->n == 0)))
		return true;
	if (labels->chosen >= 0 && labels->n == 0)
		return srm_fail(binder->status, SRM_INVALID_MODEL,
						"\"label\" or \"minus\" names no label of the model, which has %zu", n);
	srm_fail(binder->status, SRM_NOT_SUPPORTED, "a model with %zu labels is not supported", n);
	if (labels->names == NULL || labels->n != n)
		srm_fail_detail(binder->status, "A reward model has one label.");
	else
		srm_fail_detail(binder->status, "A reward model has one label; the labels here are %s.",
						labels->names);
	return srm_fail_hint(binder->status,
						 "Choose the one that is the reward by \"label\" in the object \"srm\" of config.json.");
}

/* Which row of a map to several labels is the reward. */
static size_t
chosen_row(const SrmBinder *binder, size_t n)
{
	return n == 1 ? 0 : (size_t) binder->config->labels.chosen;
}

/* A batch norm's running statistics as a scale and a shift. */
static bool
bind_batch_norm(SrmBinder *binder, const char *name, SrmDense *layer)
{
	static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
	size_t		n = layer->weight.rows;
	double	   *scale = srm_arena_array(binder->model->arena, n, sizeof(double), binder->status);
	double	   *shift = srm_arena_array(binder->model->arena, n, sizeof(double), binder->status);
	const float *values[4];

	if (scale == NULL || shift == NULL)
		return false;
	for (int i = 0; i < 4; i++)
	{
		char		full[MAX_NAME_SIZE];

		if (!srm_binder_vector(binder, print_name(full, "%s.%s", name, parts[i]), n, &values[i]))
			return false;
	}
	for (size_t j = 0; j < n; j++)
	{
		scale[j] = values[0][j] / sqrt((double) values[3][j] + BATCH_NORM_EPS);
		shift[j] = values[1][j] - values[2][j] * scale[j];
	}
	layer->scale = scale;
	layer->shift = shift;
	return true;
}

/* A layer (outputs, n_inputs), with its bias where it has one. */
static bool
bind_dense(SrmBinder *binder, const char *name, size_t n_inputs, SrmDense *layer)
{
	char		full[MAX_NAME_SIZE];
	const SrmTensor *tensor;

	tensor = srm_weights_find(binder->weights, print_name(full, "%s.weight", name));
	if (!srm_binder_matrix(binder, full, tensor != NULL && tensor->n_dims == 2 ? tensor->shape[0] : 1,
						   n_inputs, &layer->weight))
		return false;
	if (!has_tensor(binder, "%s.bias", name))
		return true;
	return srm_binder_vector(binder, print_name(full, "%s.bias", name), layer->weight.rows,
							 &layer->bias);
}

/*
 * Layers NAME.0, NAME.1 ...: a number without weights is an activation, one
 * with running statistics a batch norm behind the layer before it.
 */
static bool
bind_stack(SrmBinder *binder, const char *name, SrmStackActivation activation, SrmStack *stack)
{
	SrmDense   *layers = srm_arena_array(binder->model->arena, MAX_LAYERS, sizeof(SrmDense),
										 binder->status);
	size_t		n_inputs = binder->model->decoder.dim;
	size_t		n = 0;

	if (layers == NULL)
		return false;
	for (size_t i = 0; i < MAX_POSITIONS; i++)
	{
		char		full[MAX_NAME_SIZE];

		print_name(full, "%s.%zu", name, i);
		if (n > 0 && has_tensor(binder, "%s.%zu.running_mean", name, i))
		{
			if (!bind_batch_norm(binder, full, &layers[n - 1]))
				return false;
			continue;
		}
		if (!has_tensor(binder, "%s.%zu.weight", name, i))
			continue;
		if (n == MAX_LAYERS)
			return srm_fail(binder->status, SRM_NOT_SUPPORTED, "a head of more than %d layers is not supported",
							MAX_LAYERS);
		if (!bind_dense(binder, full, n_inputs, &layers[n]))
			return false;
		n_inputs = layers[n++].weight.rows;
	}
	*stack = (SrmStack) {.layers = layers,.n = n,.activation = activation};
	return true;
}

/* A step is right, or wrong. */
static bool
check_step_labels(SrmBinder *binder, size_t n)
{
	if (n == 2)
		return true;
	srm_fail(binder->status, SRM_NOT_SUPPORTED, "a process reward model of %zu outputs is not supported", n);
	return srm_fail_detail(binder->status, "A step has two labels.");
}

/* One linear map to the labels of a step. */
static bool
bind_step_labels(SrmBinder *binder, const char *name)
{
	SrmModelHead *head = &binder->model->head;
	SrmDense   *layer = srm_arena_array(binder->model->arena, 1, sizeof(SrmDense), binder->status);

	if (layer == NULL || !bind_dense(binder, name, binder->model->decoder.dim, layer))
		return false;
	head->is_of_steps = true;
	head->value = (SrmStack) {.layers = layer,.n = 1};
	return check_step_labels(binder, layer->weight.rows);
}

/* Makes a stack's last layer one with a single output. */
static bool
choose_output(SrmBinder *binder, SrmDense *last)
{
	size_t		row;

	if (!check_labels(binder, last->weight.rows))
		return false;
	if (last->weight.rows > 1 && binder->config->labels.minus >= 0)
		return srm_fail(binder->status, SRM_NOT_SUPPORTED,
						"\"minus\" is not supported for a head of several layers");
	row = chosen_row(binder, last->weight.rows);
	last->weight.data = (const char *) last->weight.data +
		row * last->weight.cols * srm_dtype_size(last->weight.dtype);
	last->weight.rows = 1;
	last->bias = last->bias == NULL ? NULL : last->bias + row;
	return true;
}

/* Layers whose last one has one output, or the labels of a step. */
static bool
bind_layers(SrmBinder *binder, const char *name)
{
	SrmModelHead *head = &binder->model->head;

	head->is_of_steps = binder->config->head.is_of_steps;
	if (!bind_stack(binder, name, SRM_STACK_RELU, &head->value))
		return false;
	if (head->is_of_steps)
		return check_step_labels(binder, srm_stack_outputs(&head->value));
	return choose_output(binder, (SrmDense *) &head->value.layers[head->value.n - 1]);	/* just made */
}

/* The norm between the two maps of a cross-encoder, which has a bias where the decoder's have one. */
static bool
bind_head_norm(SrmBinder *binder, SrmDense *layer)
{
	const char *name = binder->config->architecture->head_norm_name;
	char		full[MAX_NAME_SIZE];

	layer->norm_eps = binder->model->decoder.norm_eps;
	return name == NULL ||
		(srm_binder_vector(binder, print_name(full, "%s.weight", name), layer->weight.rows, &layer->norm) &&
		 (!binder->config->features[SRM_FEATURE_NORM_BIAS] ||
		  srm_binder_vector(binder, print_name(full, "%s.bias", name), layer->weight.rows, &layer->norm_bias)));
}

/* The two maps of a cross-encoder. */
static bool
bind_pair_head(SrmBinder *binder, const char *const *names)
{
	const SrmHeadConfig *config = &binder->config->head;
	SrmDense   *layers = srm_arena_array(binder->model->arena, 2, sizeof(SrmDense), binder->status);
	size_t		n_inputs = binder->model->decoder.dim;

	if (layers == NULL)
		return false;
	for (int i = 0; i < 2; i++)
	{
		if (!bind_dense(binder, names[i], n_inputs, &layers[i]))
			return false;
		n_inputs = layers[i].weight.rows;
	}
	binder->model->head.value = (SrmStack) {.layers = layers,.n = 2,.activation = config->activation};
	binder->model->head.is_of_pairs = true;
	binder->model->head.pools_mean = config->pools_mean;
	return bind_head_norm(binder, &layers[0]) && choose_output(binder, &layers[1]);
}

/* value = (value - mean) / std, where the checkpoint says so. */
static bool
normalize_value(SrmBinder *binder, float *weight, double bias)
{
	const SrmHeadConfig *config = &binder->config->head;
	SrmModel   *model = binder->model;
	const float *mean;
	const float *variance;
	double		std;

	model->value_weight = weight;
	model->value_bias = (float) bias;
	if (!config->divides_by_std || !has_tensor(binder, "normalizer.var"))
		return true;
	if (!srm_binder_vector(binder, "normalizer.mean", 1, &mean) ||
		!srm_binder_vector(binder, "normalizer.var", 1, &variance))
		return false;
	std = sqrt((double) variance[0]) + NORMALIZER_EPS;
	for (size_t i = 0; i < model->decoder.dim; i++)
		weight[i] = (float) (weight[i] / std);
	model->value_bias = (float) ((bias - (config->subtracts_mean ? mean[0] : 0.0)) / std);
	return true;
}

/* One linear map; that of *ForSequenceClassification has a row for each label. */
static bool
bind_linear(SrmBinder *binder, const char *name)
{
	SrmModel   *model = binder->model;
	size_t		dim = model->decoder.dim;
	char		full[MAX_NAME_SIZE];
	const SrmTensor *tensor;
	const float *weights;
	const float *bias = NULL;
	size_t		shape[2] = {1, dim};
	size_t		row;
	float	   *value;
	double		value_bias;

	tensor = srm_weights_find(binder->weights, print_name(full, "%s.weight", name));
	if (strcmp(name, "score") == 0 && binder->config->labels.n > 0)
		shape[0] = binder->config->labels.n;
	else if (tensor->n_dims == 2)
		shape[0] = tensor->shape[0];
	if (!check_labels(binder, shape[0]))
		return false;
	row = chosen_row(binder, shape[0]);
	weights = srm_binder_copy(binder, full, shape, 2);
	if (weights == NULL)
		return false;
	if (has_tensor(binder, "%s.bias", name) &&
		!srm_binder_vector(binder, print_name(full, "%s.bias", name), shape[0], &bias))
		return false;
	value = (float *) weights + row * dim;	/* of the copy just made */
	value_bias = bias == NULL ? 0.0 : bias[row];
	if (shape[0] > 1 && binder->config->labels.minus >= 0)
	{
		size_t		minus = (size_t) binder->config->labels.minus;

		/* the same label leaves nothing */
		value_bias -= bias == NULL ? 0.0 : bias[minus];
		for (size_t i = 0; i < dim; i++)
			value[i] -= weights[minus * dim + i];
	}
	return normalize_value(binder, value, value_bias);
}

/* sums (k, dim) += the mean over the rows of each objective */
static void
add_means(double *sums, const SrmMatrix *w, size_t k, float *row)
{
	size_t		n_each = w->rows / k;

	for (size_t r = 0; r < w->rows; r++)
	{
		double	   *sum = sums + r / n_each * w->cols;

		srm_matrix_read(w, r * w->cols, w->cols, row);
		for (size_t i = 0; i < w->cols; i++)
			sum[i] += (double) row[i] / (double) n_each;
	}
}

/*
 * out (k, dim) = transform^T times the means over the quantiles of w (k * n,
 * dim); transform (k, k) may be NULL.
 */
static bool
fold_objectives(SrmBinder *binder, const SrmMatrix *w, const float *transform, size_t k, float *out)
{
	size_t		dim = w->cols;
	SrmArena   *arena = srm_arena_create(binder->status);
	double	   *means = NULL;
	float	   *row = NULL;

	if (arena != NULL)
		means = srm_arena_array(arena, k * dim, sizeof(double), binder->status);
	if (means != NULL)
		row = srm_arena_array(arena, dim, sizeof(float), binder->status);
	if (row != NULL)
	{
		add_means(means, w, k, row);
		for (size_t j = 0; j < k; j++)
			for (size_t c = 0; c < dim; c++)
			{
				double		sum = transform == NULL ? means[j * dim + c] : 0.0;

				for (size_t i = 0; i < k && transform != NULL; i++)
					sum += (double) transform[i * k + j] * means[i * dim + c];
				out[j * dim + c] = (float) sum;
			}
	}
	srm_arena_free(arena);
	return row != NULL;
}

/* The objectives of a gated head, as one map (k, dim). */
static bool
bind_objectives(SrmBinder *binder, size_t k, SrmStack *stack)
{
	static const char regression[] = "regression_layer.weight";
	const SrmTensor *tensor = srm_weights_find(binder->weights, regression);
	size_t		dim = binder->model->decoder.dim;
	size_t		shape[2] = {k, k};
	SrmArena   *arena = binder->model->arena;
	SrmDense   *layer = srm_arena_array(arena, 1, sizeof(SrmDense), binder->status);
	float	   *folded = srm_arena_array(arena, k * dim, sizeof(float), binder->status);
	const float *transform = NULL;
	SrmMatrix	w = {0};

	/* As many rows as objectives, or some for each */
	if (tensor != NULL && tensor->n_dims == 2 && tensor->shape[0] > 0 && tensor->shape[0] % k == 0)
		shape[0] = tensor->shape[0];
	if (layer == NULL || folded == NULL || !srm_binder_matrix(binder, regression, shape[0], dim, &w) ||
		!srm_files_load(binder->model->files, tensor->data, tensor->size, binder->status))
		return false;
	shape[0] = k;
	if (has_tensor(binder, "reward_transform_matrix"))
	{
		transform = srm_binder_copy(binder, "reward_transform_matrix", shape, 2);
		if (transform == NULL)
			return false;
	}
	layer->weight = (SrmMatrix) {.data = folded,.dtype = SRM_F32,.rows = k,.cols = dim};
	*stack = (SrmStack) {.layers = layer,.n = 1};
	return fold_objectives(binder, &w, transform, k, folded);
}

static bool
check_objectives(SrmBinder *binder, size_t k)
{
	if (k > 0 && k <= MAX_OBJECTIVES)
		return true;
	return srm_fail(binder->status, SRM_NOT_SUPPORTED,
					"a head of %zu objectives is not supported", k);
}

/* ArmoRM, QRM: a softmax over objectives, read at the end of the prompt. */
static bool
bind_gated(SrmBinder *binder)
{
	SrmModelHead *head = &binder->model->head;
	const float *scale = NULL;
	size_t		k;

	if (!bind_stack(binder, "gating.layers", SRM_STACK_RELU, &head->gate.stack))
		return false;
	k = srm_stack_outputs(&head->gate.stack);
	if (has_tensor(binder, "gating.logit_scale") &&
		!srm_binder_vector(binder, "gating.logit_scale", 1, &scale))
		return false;
	head->gate.is_softmax = true;
	head->gate.temperature = binder->config->head.gate_temperature;
	head->gate.scale = scale == NULL ? 1.0 : scale[0];
	return check_objectives(binder, k) && bind_objectives(binder, k, &head->value);
}

/* URM: each objective has a mean and a deviation, of which the mean counts. */
static bool
bind_weighted(SrmBinder *binder)
{
	SrmModelHead *head = &binder->model->head;
	SrmDense   *layer = srm_arena_array(binder->model->arena, 1, sizeof(SrmDense), binder->status);
	SrmFusedRows rows = {.band = 1,.stride = 2};

	if (layer == NULL || !bind_stack(binder, "weights.fc", SRM_STACK_SELU, &head->gate.stack))
		return false;
	layer->weight.rows = srm_stack_outputs(&head->gate.stack);
	rows.total = 2 * layer->weight.rows;
	head->value = (SrmStack) {.layers = layer,.n = 1};
	return check_objectives(binder, layer->weight.rows) &&
		srm_binder_rows(binder, "score.weight", &rows, binder->model->decoder.dim, &layer->weight);
}

static bool
fail_no_head(SrmBinder *binder)
{
	char		names[MAX_NAME_SIZE] = "";

	for (int i = 1; head_names[i] != NULL; i++)
	{
		strcat(names, i == 1 ? "" : ", ");
		strcat(names, head_names[i]);
	}
	srm_fail(binder->status, SRM_INVALID_MODEL, "missing tensor \"score.weight\" in model directory \"%s\"",
			 binder->model->directory);
	return srm_fail_detail(binder->status, "A reward model has a head that gives one number; it may also be called %s.",
						   names);
}

/* The one map that all models of an architecture have. */
static bool
bind_named(SrmBinder *binder, const char *name)
{
	if (has_tensor(binder, "%s.weight", name))
		return bind_linear(binder, name);
	return srm_fail(binder->status, SRM_INVALID_MODEL, "missing tensor \"%s.weight\" in model directory \"%s\"",
					name, binder->model->directory);
}

bool
srm_bind_head(SrmBinder *binder)
{
	const char *const *pair = binder->config->architecture->head;

	if (pair[0] != NULL && has_tensor(binder, "%s.weight", pair[0]))
		return bind_pair_head(binder, pair);
	if (binder->config->architecture->token_head != NULL)
		return bind_named(binder, binder->config->architecture->token_head);
	if (has_tensor(binder, "gating.layers.0.weight"))
		return bind_gated(binder);
	if (has_tensor(binder, "weights.fc.0.weight"))
		return bind_weighted(binder);
	for (int i = 0; head_names[i] != NULL; i++)
	{
		if (has_tensor(binder, "%s.weight", head_names[i]))
			return binder->config->head.is_of_steps ? bind_step_labels(binder, head_names[i]) :
				bind_linear(binder, head_names[i]);
		if (has_tensor(binder, "%s.0.weight", head_names[i]))
			return bind_layers(binder, head_names[i]);
	}
	return binder->model->is_base || fail_no_head(binder);
}
