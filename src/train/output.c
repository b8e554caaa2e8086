/*-------------------------------------------------------------------------
 *
 * output.c
 *	  The model that training made, as a directory.
 *
 * The file holds the decoder's tensors under the names of the base, and
 * fused as there, and the head; nothing else, so that no head of the base's is left.
 *
 *-------------------------------------------------------------------------
 */
#include "train/output.h"

#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "model/bind.h"
#include "model/config.h"
#include "write/ownership.h"
#include "model/weights.h"
#include "write/writer.h"
#include "kernel/pack.h"

#define MAX_NAME_SIZE	256
#define COPY_PIECE		((size_t) 1024 * 1024)	/* bytes */
#define WRITE_PIECE		((size_t) 65536)	/* elements */

/* Trained values that make up a tensor, or some rows of one. */
typedef struct Part
{
	const SrmTensor *tensor;
	const float *values;		/* (rows, cols); NULL: as in the base */
	size_t		rows;
	size_t		cols;
	SrmFusedRows at;			/* where they lie in the tensor */
	bool		less_one;		/* the file has the weights less one */
} Part;

typedef struct Output
{
	const SrmModel *base;
	const SrmTrainOptions *options;
	const SrmParameters *parameters;
	const char *prefix;			/* of the decoder's tensors */
	Part	   *parts;			/* (n_parts), those of a tensor one behind the other */
	size_t		n_parts;
	SrmTensorPlan *plans;		/* (n_plans); tag is the first part's number, or n_parts for the head's */
	size_t		n_plans;
	SrmWriter  *writer;
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;
} Output;

/*
 * Adds a part of the tensor of a name; its base has been bound, so the tensor is there. Weights of
 * 8 bits that stay as they are keep their scales; those that an adapter changes do not stay.
 */
static bool
add_part(Output *output, const char *name, Part part)
{
	const SrmTensor *scales;

	part.tensor = srm_weights_find(output->base->weights, name);
	scales = part.tensor == NULL ? NULL : srm_weights_find_scales(output->base->weights, part.tensor);
	if (part.tensor == NULL || (!part.tensor->is_weight && scales == NULL))
		return srm_fail(output->status, SRM_INVALID_MODEL, "model directory \"%s\" was changed while it was trained",
						output->base->directory);
	output->parts[output->n_parts++] = part;
	if (scales != NULL && part.values == NULL && part.tensor->change == NULL)
		output->parts[output->n_parts++] = (Part) {.tensor = scales};
	return true;
}

static bool
add_layer(Output *output, size_t number)
{
	const SrmArchitecture *row = output->base->config->architecture;
	const SrmDecoder *decoder = &output->base->decoder;
	bool		trained = output->options->part != SRM_TRAIN_HEAD;
	const SrmLayer *layer = trained ? &output->parameters->decoder.layers[number] : NULL;

	for (const SrmLayerTensor *tensor = row->layer_tensors; tensor->name != NULL; tensor++)
	{
		char		name[MAX_NAME_SIZE];
		const SrmWeight *weight = &srm_layer_weights[tensor->weight];
		Part		part = {.rows = srm_weight_rows(decoder, tensor->weight)};

		if (!output->base->config->features[tensor->feature])
			continue;
		part.cols = srm_weight_is_matrix(tensor->weight) ? srm_size_of(decoder, weight->cols) : 1;
		part.less_one = weight->role == SRM_ROLE_NORM && row->norms_from_one;
		if (trained)
			part.values = srm_weight_is_matrix(tensor->weight) ? srm_weight_matrix(layer, tensor->weight)->data :
				*srm_weight_vector(layer, tensor->weight);
		part.at = srm_architecture_rows(decoder, tensor);
		snprintf(name, sizeof(name), "%s%s%zu.%s", output->prefix, row->layer_prefix, number, tensor->name);
		if (!add_part(output, name, part))
			return false;
	}
	return true;
}

static size_t
max_parts(const Output *output)
{
	size_t		n = 0;

	while (output->base->config->architecture->layer_tensors[n].name != NULL)
		n++;
	return 2 * (n * output->base->decoder.n_layers + 2);
}

static bool
list_parts(Output *output)
{
	const SrmArchitecture *row = output->base->config->architecture;
	const SrmDecoder *decoder = &output->base->decoder;
	bool		trained = output->options->part != SRM_TRAIN_HEAD;
	char		name[MAX_NAME_SIZE];

	output->parts = srm_arena_array(output->arena, max_parts(output), sizeof(Part), output->status);
	if (output->parts == NULL)
		return false;
	snprintf(name, sizeof(name), "%s%s", output->prefix, row->embedding);
	if (!add_part(output, name, (Part) {
				  .values = trained ? output->parameters->decoder.embedding.data : NULL,
				  .rows = decoder->vocab_size,.cols = decoder->dim}))
		return false;
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (!add_layer(output, i))
			return false;
	snprintf(name, sizeof(name), "%s%s", output->prefix, row->final_norm);
	return add_part(output, name, (Part) {
					.values = trained ? output->parameters->decoder.final_norm : NULL,
					.rows = decoder->dim,.cols = 1,.less_one = row->norms_from_one});
}

const char *
srm_output_type(const SrmModel *base, const SrmTrainOptions *options, const SrmTensor *tensor)
{
	char		name[MAX_NAME_SIZE];

	if (options->write_f32)
		return "F32";
	if (tensor == NULL)
	{
		snprintf(name, sizeof(name), "%s%s", srm_bind_find_prefix(base->config, base->weights),
				 base->config->architecture->embedding);
		tensor = srm_weights_find(base->weights, name);
	}
	return tensor == NULL || tensor->dtype == SRM_INT8 ? "BF16" : tensor->type;
}

static const char *
type_of(const Output *output, const Part *part)
{
	bool		stays = part->values == NULL &&
		((part->tensor->dtype == SRM_INT8 && part->tensor->change == NULL) ||
		 srm_weights_is_scales(output->base->weights, part->tensor));

	return stays ? part->tensor->type : srm_output_type(output->base, output->options, part->tensor);
}

static void
plan_decoder(Output *output)
{
	for (size_t i = 0; i < output->n_parts; i++)
	{
		const SrmTensor *tensor = output->parts[i].tensor;
		bool		planned = false;

		for (size_t j = 0; j < i && !planned; j++)
			planned = output->parts[j].tensor == tensor;
		if (planned)
			continue;
		output->plans[output->n_plans] = (SrmTensorPlan) {
			.name = tensor->name,.type = type_of(output, &output->parts[i]),.n_dims = tensor->n_dims,.tag = i
		};
		memcpy(output->plans[output->n_plans++].shape, tensor->shape, sizeof(tensor->shape));
	}
}

/* A tensor of the head: (rows, cols), or (rows) where cols is 0; f32 in the arrays. */
static void
plan_head(Output *output, const char *name, const float *values, size_t rows, size_t cols)
{
	SrmTensorPlan *plan = &output->plans[output->n_plans];
	Part	   *part = &output->parts[output->n_parts];

	*part = (Part) {.values = values,.rows = rows,.cols = cols == 0 ? 1 : cols};
	*plan = (SrmTensorPlan) {.name = name,.n_dims = cols == 0 ? 1 : 2,.tag = output->n_parts};
	plan->type = srm_output_type(output->base, output->options, NULL);
	plan->shape[0] = rows;
	plan->shape[1] = cols;
	output->n_plans++;
	output->n_parts++;
}

static bool
plan_tensors(Output *output)
{
	const SrmHead *head = &output->parameters->head;
	Part	   *parts = srm_arena_grow(output->arena, output->parts, output->n_parts, output->n_parts + 6,
									   sizeof(Part), output->status);

	output->plans = srm_arena_array(output->arena, output->n_parts + 6, sizeof(SrmTensorPlan), output->status);
	if (parts == NULL || output->plans == NULL)
		return false;
	output->parts = parts;
	plan_decoder(output);
	plan_head(output, "score.weight", head->value_weight, 1, head->dim);
	if (head->value_bias != output->parameters->no_bias)
		plan_head(output, "score.bias", head->value_bias, 1, 0);
	if (head->attention_dim > 0)
	{
		plan_head(output, "srm.query.weight", head->query_weight, head->attention_dim, head->dim);
		plan_head(output, "srm.query.bias", head->query_bias, head->attention_dim, 0);
		plan_head(output, "srm.key.weight", head->key_weight, head->attention_dim, head->dim);
		plan_head(output, "srm.key.bias", head->key_bias, head->attention_dim, 0);
	}
	return true;
}

/* The half nearest to a float, ties to even; what is too great becomes infinite. */
static uint16_t
half_of_float(float value)
{
	uint32_t	bits;
	uint16_t	sign;
	uint32_t	magnitude;

	memcpy(&bits, &value, sizeof(bits));
	sign = (uint16_t) (bits >> 16 & 0x8000);
	magnitude = bits & 0x7FFFFFFF;
	if (magnitude > 0x7F800000)
		return sign | 0x7E00;
	if (magnitude >= 0x477FF000)
		return sign | 0x7C00;
	if (magnitude < 0x38800000)
	{
		/* A subnormal: adding 0.5 rounds at its last bit */
		float		shifted;

		memcpy(&shifted, &magnitude, sizeof(shifted));
		shifted += 0.5f;
		memcpy(&bits, &shifted, sizeof(bits));
		return sign | (uint16_t) (bits - 0x3F000000);
	}
	magnitude += 0xC8000FFF + (magnitude >> 13 & 1);
	return sign | (uint16_t) (magnitude >> 13);
}

void
srm_output_halves(const char *type, const float *values, size_t n, uint16_t *halves)
{
	bool		is_half = strcmp(type, "F16") == 0;

	for (size_t i = 0; i < n; i++)
		halves[i] = is_half ? half_of_float(values[i]) : srm_bf16_of_float(values[i]);
}

/* Appends values (n) in a type of the format. */
static bool
append_values(Output *output, const char *type, const float *values, size_t n)
{
	uint16_t   *piece;

	if (strcmp(type, "F32") == 0)
		return srm_writer_append(output->writer, values, n * sizeof(float), output->stop, output->status);
	piece = srm_arena_alloc(output->arena, WRITE_PIECE * sizeof(uint16_t), output->status);
	if (piece == NULL)
		return false;
	for (size_t first = 0; first < n; first += WRITE_PIECE)
	{
		size_t		count = n - first < WRITE_PIECE ? n - first : WRITE_PIECE;

		srm_output_halves(type, values + first, count, piece);
		if (!srm_writer_append(output->writer, piece, count * sizeof(uint16_t), output->stop, output->status))
			return false;
	}
	return true;
}

static void
lay_part(const Part *part, float *out)
{
	const SrmMatrix order = {.rows = part->rows,.band = part->at.band,.stride = part->at.stride};

	for (size_t i = 0; i < part->rows; i++)
	{
		float	   *row = out + (part->at.first + srm_matrix_row(&order, i)) * part->cols;

		for (size_t j = 0; j < part->cols; j++)
			row[j] = part->values[i * part->cols + j] - (part->less_one ? 1.0f : 0.0f);
	}
}

/* Reads the scales of a matrix of 8 bits, whose tensor is loaded, and sets how it is stored. */
static bool
read_scales(Output *output, const SrmTensor *tensor, SrmMatrix *matrix, SrmArena *scratch)
{
	const SrmTensor *scales = srm_weights_find_scales(output->base->weights, tensor);
	float	   *values = srm_arena_array(scratch, scales->n_elements, sizeof(float), output->status);

	if (values == NULL || !srm_weights_load(output->base->files, scales, output->status))
		return false;
	srm_tensor_read(scales, 0, scales->n_elements, values);
	matrix->dtype = srm_weights_scaled_dtype(scales, output->base->config->settings.quantization);
	matrix->scales = values;
	return true;
}

/* values = all of a tensor, with what an adapter adds to it */
static bool
read_tensor(Output *output, const SrmTensor *tensor, float *values, SrmArena *scratch)
{
	SrmMatrix	matrix = {.data = tensor->data,.dtype = tensor->dtype,.rows = tensor->shape[0],.cols = tensor->shape[1]};

	if (!srm_weights_load(output->base->files, tensor, output->status))
		return false;
	if (tensor->change == NULL && tensor->dtype != SRM_INT8)
	{
		srm_tensor_read(tensor, 0, tensor->n_elements, values);
		return true;
	}
	if ((tensor->dtype == SRM_INT8 && !read_scales(output, tensor, &matrix, scratch)) ||
		!srm_weights_change(tensor, &matrix, 0, scratch, output->status))
		return false;
	srm_matrix_read(&matrix, 0, tensor->n_elements, values);
	return true;
}

/* A tensor of the base as it is, a piece in memory at a time. */
static bool
copy_tensor(Output *output, const SrmTensor *tensor)
{
	for (size_t start = 0; start < tensor->size; start += COPY_PIECE)
	{
		size_t		n = tensor->size - start < COPY_PIECE ? tensor->size - start : COPY_PIECE;

		if (!srm_files_load(output->base->files, tensor->data + start, n, output->status) ||
			!srm_writer_append(output->writer, tensor->data + start, n, output->stop, output->status))
			return false;
		if (output->base->prepared.compute_name != NULL)
			srm_files_release(output->base->files);
	}
	return true;
}

/* A tensor of the base with what was trained laid over it. */
static bool
write_decoder_tensor(Output *output, const SrmTensorPlan *plan, SrmArena *scratch)
{
	const SrmTensor *tensor = output->parts[plan->tag].tensor;
	float	   *values;

	if (output->parts[plan->tag].values == NULL && tensor->change == NULL && strcmp(plan->type, tensor->type) == 0)
		return copy_tensor(output, tensor);
	values = srm_arena_alloc(scratch, tensor->n_elements * sizeof(float), output->status);
	if (values == NULL || !read_tensor(output, tensor, values, scratch))
		return false;
	for (size_t i = plan->tag; i < output->n_parts; i++)
		if (output->parts[i].tensor == tensor && output->parts[i].values != NULL)
			lay_part(&output->parts[i], values);
	return append_values(output, plan->type, values, tensor->n_elements);
}

static bool
write_tensors(Output *output)
{
	if (!srm_writer_begin_tensors(output->writer, SRM_WEIGHTS_FILE, output->plans, output->n_plans, output->status))
		return false;
	for (size_t i = 0; i < output->n_plans; i++)
	{
		const SrmTensorPlan *plan = &output->plans[i];
		const Part *part = &output->parts[plan->tag];
		SrmArena   *scratch = srm_arena_create(output->status);
		bool		done = scratch != NULL &&
			(part->tensor != NULL ? write_decoder_tensor(output, plan, scratch) :
			 append_values(output, plan->type, part->values, part->rows * part->cols));

		srm_arena_free(scratch);
		if (!done)
			return false;
	}
	return srm_writer_end_tensors(output->writer, output->status);
}

static bool
set_string(Output *output, SrmJson *object, const char *key, const char *text)
{
	return srm_json_set(object, key, text == NULL ? NULL : srm_json_make_string(text, output->arena, output->status),
						output->arena, output->status) && output->status->code == SRM_OK;
}

static bool
set_srm_string(Output *output, SrmJson *config, const char *key, const char *text)
{
	return srm_writer_set_config(config, key,
								 text == NULL ? NULL : srm_json_make_string(text, output->arena, output->status),
								 output->arena, output->status) && output->status->code == SRM_OK;
}

/* One label, as transformers asks for in a reward model. */
static bool
set_labels(Output *output, SrmJson *config)
{
	SrmJson    *labels = srm_json_make(SRM_JSON_OBJECT, output->arena, output->status);
	SrmJson    *numbers = srm_json_make(SRM_JSON_OBJECT, output->arena, output->status);
	SrmJson    *zero = srm_json_make_int(0, output->arena, output->status);

	return labels != NULL && numbers != NULL && zero != NULL &&
		set_string(output, labels, "0", "reward") &&
		srm_json_set(numbers, "reward", zero, output->arena, output->status) &&
		srm_json_set(config, "id2label", labels, output->arena, output->status) &&
		srm_json_set(config, "label2id", numbers, output->arena, output->status) &&
		srm_json_set(config, "num_labels", NULL, output->arena, output->status);
}

static bool
set_class(Output *output, SrmJson *config)
{
	SrmJson    *classes = srm_json_make(SRM_JSON_ARRAY, output->arena, output->status);
	char		name[MAX_NAME_SIZE];
	SrmJson    *class_name;

	snprintf(name, sizeof(name), "%sForSequenceClassification", output->base->config->architecture->family);
	class_name = srm_json_make_string(name, output->arena, output->status);
	if (classes == NULL || class_name == NULL)
		return false;
	srm_json_append(classes, class_name);
	return srm_json_set(config, "architectures", classes, output->arena, output->status);
}

/* The scale that a calibration found is not that of the new model. */
static bool
set_settings(Output *output, SrmJson *config, const SrmOutputSettings *settings)
{
	size_t		d = output->parameters->head.attention_dim;
	SrmJson    *dim = d == 0 ? NULL : srm_json_make_int((int64_t) d, output->arena, output->status);

	return set_srm_string(output, config, "aggregation", srm_aggregation_name(output->options->aggregation)) &&
		set_srm_string(output, config, "boundary", srm_boundary_name(output->options->boundary)) &&
		set_srm_string(output, config, "marker_token", settings->marker_token) &&
		(settings->marker_token == NULL ||
		 set_srm_string(output, config, "marker_layout", settings->marker_layout)) &&
		srm_writer_set_config(config, "attention_dim", dim, output->arena, output->status) &&
		set_srm_string(output, config, "segmenter", settings->segmenter) &&
		set_srm_string(output, config, "locale", settings->locale) &&
		set_srm_string(output, config, "mean", NULL) &&
		set_srm_string(output, config, "std", NULL) &&
		set_srm_string(output, config, "agreement", NULL) &&
		set_srm_string(output, config, "label", NULL);
}

/* Weights of 8 bits that were trained are none any more. */
static bool
unset_quantization(Output *output, SrmJson *config)
{
	return output->options->part == SRM_TRAIN_HEAD ||
		(set_srm_string(output, config, "quantization", NULL) && set_string(output, config, "quantization_config", NULL));
}

static bool
write_config(Output *output, const SrmOutputSettings *settings)
{
	SrmJson    *config = srm_config_tree(output->base->files, NULL, output->arena, output->status);

	if (config == NULL || !set_class(output, config) || !set_labels(output, config) ||
		!set_settings(output, config, settings) || !unset_quantization(output, config))
		return false;
	if (output->options->write_f32 &&
		!(set_string(output, config, srm_json_member(config, "dtype") != NULL ? "dtype" : "torch_dtype", "float32")))
		return false;
	return srm_writer_put_json(output->writer, SRM_CONFIG_FILE, config, output->status);
}

bool
srm_output_model(const SrmModel *base, const SrmTrainOptions *options, const SrmOutputSettings *settings,
				 const SrmParameters *parameters, const SrmStop *stop, SrmStatus *status)
{
	Output		output = {.base = base,.options = options,.parameters = parameters,.stop = stop,.status = status};
	bool		done;

	output.arena = srm_arena_create(status);
	if (output.arena == NULL)
		return false;
	output.writer = srm_writer_begin(options->output, options->name, options->replace, options->directory_mode, status);
	output.prefix = srm_bind_find_prefix(base->config, base->weights);
	done = output.writer != NULL && list_parts(&output) && plan_tensors(&output) &&
		write_config(&output, settings) &&
		srm_writer_copy_texts(output.writer, srm_files_of_tokenizer(base->files), stop, status) &&
		srm_ownership_write(output.writer, &options->owner, status) &&
		write_tensors(&output) && srm_files_check(base->files, status) &&
		srm_writer_commit(output.writer, status);
	srm_writer_close(output.writer);
	srm_arena_free(output.arena);
	return done;
}

bool
srm_output_bytes(const SrmModel *base, const SrmTrainOptions *options, const SrmParameters *parameters,
				 size_t *bytes, const SrmStop *stop, SrmStatus *status)
{
	Output		output = {.base = base,.options = options,.parameters = parameters,.stop = stop,.status = status};
	SrmBuffer	header;
	bool		done;

	if (options->lora_adapter)
		return srm_output_adapter_bytes(base, options, parameters, bytes, status);
	output.arena = srm_arena_create(status);
	if (output.arena == NULL)
		return false;
	output.prefix = srm_bind_find_prefix(base->config, base->weights);
	done = list_parts(&output) && plan_tensors(&output) && srm_buffer_init(&header, output.arena, 0, status) &&
		srm_safetensors_plan(output.plans, output.n_plans, &header, status);
	*bytes = done ? header.length + srm_writer_text_bytes(srm_files_of_tokenizer(base->files)->directory) : 0;
	for (size_t i = 0; done && i < output.n_plans; i++)
		*bytes += output.plans[i].size;
	srm_arena_free(output.arena);
	return done;
}
