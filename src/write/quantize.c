/*-------------------------------------------------------------------------
 *
 * quantize.c
 *	  A model with its linear maps in 8 bits.
 *
 *-------------------------------------------------------------------------
 */
#include "write/quantize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "base/sizes.h"
#include "model/adapter_weights.h"
#include "model/bind.h"
#include "kernel/pack.h"

#define CHUNK_SIZE			((size_t) 1024 * 1024)

/* What a tensor of the new file is made of. */
typedef enum Part
{
	PART_COPY,					/* a tensor as it is */
	PART_VALUES,				/* the bytes of a linear map */
	PART_SCALES,				/* its scales */
	N_PARTS
} Part;

typedef struct Quantizer
{
	SrmWriter  *writer;
	SrmModelFiles *files;
	const SrmQuantizeOptions *options;
	SrmConfig	config;
	SrmWeights	weights;
	SrmTensorPlan *plans;		/* (n_plans); tag is the tensor's index * N_PARTS + part */
	size_t		n_plans;
	int8_t	   *values;			/* (chunk_size) */
	size_t		chunk_size;
	float	   *scales;			/* (n_scales), of the row that has most; of the map that has, with moments */
	size_t		n_scales;
	const SrmTensor *scaled;	/* the map whose bytes were written last, if that left its scales */
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;
} Quantizer;

static bool
read_model(Quantizer *quantizer, const char *directory, const SrmModelPath *path)
{
	quantizer->files = srm_adapter_open(directory, path, quantizer->arena, quantizer->status);
	return quantizer->files != NULL &&
		srm_config_open(&quantizer->config, quantizer->files, quantizer->arena,
						quantizer->status) &&
		srm_adapter_weights_open(&quantizer->weights, quantizer->files, quantizer->arena,
								 quantizer->stop, quantizer->status) &&
		srm_bind_check_changes(&quantizer->config, &quantizer->weights, quantizer->status);
}

static bool
fail_quantized(Quantizer *quantizer)
{
	return srm_fail(quantizer->status, SRM_INVALID_ARGUMENT, "model in directory \"%s\" is quantized already",
					quantizer->files->directory);
}

/* The name of the scales of a tensor. */
static const char *
scales_name(Quantizer *quantizer, const SrmTensor *tensor)
{
	size_t		size = strlen(tensor->name) + sizeof(SRM_SCALES_SUFFIX);
	char	   *name = srm_arena_alloc(quantizer->arena, size, quantizer->status);

	if (name != NULL)
		snprintf(name, size, "%s" SRM_SCALES_SUFFIX, tensor->name);
	return name;
}

/* Whether a tensor becomes bytes. */
static bool
is_quantized(const Quantizer *quantizer, const SrmTensor *tensor)
{
	return tensor->is_weight && tensor->n_dims == 2 &&
		(srm_bind_is_layer_map(&quantizer->config, tensor->name) ||
		 (quantizer->options->embedding && srm_bind_is_embedding(&quantizer->config, tensor->name)));
}

/* Moments of what a map reads, or NULL */
static const float *
find_moments(const Quantizer *quantizer, const SrmTensor *tensor)
{
	size_t		layer;
	SrmWeightNumber map;

	return quantizer->options->calibration == NULL ||
		!srm_bind_find_layer_map(&quantizer->config, tensor->name, &layer, &map) ? NULL :
		srm_calibration_find(quantizer->options->calibration, layer, map, tensor->shape[1]);
}

static bool
plan_tensor(Quantizer *quantizer, size_t index)
{
	const SrmTensor *tensor = &quantizer->weights.tensors[index];
	bool		is_map = is_quantized(quantizer, tensor);
	size_t		n_scales;
	SrmTensorPlan *plan = &quantizer->plans[quantizer->n_plans++];

	if (srm_weights_find_scales(&quantizer->weights, tensor) != NULL ||
		(is_map && srm_weights_find_scales_for(&quantizer->weights, tensor->name) != NULL))
		return fail_quantized(quantizer);
	plan->name = tensor->name;
	plan->type = is_map ? "I8" : tensor->type;
	plan->n_dims = tensor->n_dims;
	memcpy(plan->shape, tensor->shape, sizeof(plan->shape));
	plan->tag = index * N_PARTS + (is_map ? PART_VALUES : PART_COPY);
	if (!is_map)
		return true;
	if ((uintptr_t) tensor->data % srm_dtype_size(tensor->dtype) != 0)
		return srm_fail(quantizer->status, SRM_NOT_SUPPORTED,
						"unaligned tensor \"%s\" in model file \"%s\" is not supported",
						tensor->name, tensor->path);
	n_scales = srm_scales_count(tensor->shape[1], quantizer->options->dtype);
	if (tensor->shape[1] > quantizer->chunk_size)
		quantizer->chunk_size = tensor->shape[1];
	if (find_moments(quantizer, tensor) != NULL)
		n_scales *= tensor->shape[0];
	if (n_scales > quantizer->n_scales)
		quantizer->n_scales = n_scales;

	plan = &quantizer->plans[quantizer->n_plans++];
	plan->name = scales_name(quantizer, tensor);
	plan->type = "F32";
	plan->n_dims = 2;
	plan->shape[0] = tensor->shape[0];
	plan->shape[1] = srm_scales_count(tensor->shape[1], quantizer->options->dtype);
	plan->tag = index * N_PARTS + PART_SCALES;
	return plan->name != NULL;
}

static bool
plan_tensors(Quantizer *quantizer)
{
	size_t		n = quantizer->weights.n;

	quantizer->chunk_size = CHUNK_SIZE;
	quantizer->plans = srm_arena_array(quantizer->arena, 2 * n, sizeof(SrmTensorPlan),
									   quantizer->status);
	if (quantizer->plans == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!plan_tensor(quantizer, i))
			return false;
	quantizer->values = srm_arena_alloc(quantizer->arena, quantizer->chunk_size,
										quantizer->status);
	quantizer->scales = srm_arena_array(quantizer->arena, quantizer->n_scales, sizeof(float), quantizer->status);
	return quantizer->values != NULL && quantizer->scales != NULL;
}

static bool
write_values(Quantizer *quantizer, const SrmMatrix *matrix)
{
	size_t		filled = 0;

	for (size_t row = 0; row < matrix->rows; row++)
	{
		if (filled + matrix->cols > quantizer->chunk_size)
		{
			if (!srm_writer_append(quantizer->writer, quantizer->values, filled, quantizer->stop,
								   quantizer->status))
				return false;
			filled = 0;
		}
		srm_pack_quantize_row(quantizer->values + filled, quantizer->scales, matrix, row, quantizer->options->dtype);
		filled += matrix->cols;
	}
	return srm_writer_append(quantizer->writer, quantizer->values, filled, quantizer->stop,
							 quantizer->status);
}

/* The same, rounded by what the map reads, which leaves the scales of all its rows; without writes, those alone. */
static bool
round_calibrated(Quantizer *quantizer, const SrmMatrix *matrix, const float *moments, bool writes)
{
	SrmDtype	dtype = quantizer->options->dtype;
	size_t		cols = matrix->cols;
	size_t		n_scales = srm_scales_count(cols, dtype);
	SrmArena   *arena = srm_arena_create(quantizer->status);
	double	   *feedback = arena == NULL ? NULL : srm_arena_array(arena, cols * cols, sizeof(double), quantizer->status);
	float	   *scratch = feedback == NULL ? NULL :
		srm_arena_array(arena, SRM_CALIBRATION_SCRATCH * cols, sizeof(float), quantizer->status);
	int8_t	   *values = scratch == NULL ? NULL : srm_arena_array(arena, SRM_CALIBRATED_ROWS, cols, quantizer->status);
	bool		done = values != NULL && srm_calibration_factor(feedback, moments, cols, quantizer->stop, quantizer->status);

	for (size_t row = 0; done && row < matrix->rows; row += SRM_CALIBRATED_ROWS)
	{
		size_t		n = srm_smaller(matrix->rows - row, SRM_CALIBRATED_ROWS);
		float	   *scales = quantizer->scales + row * n_scales;

		for (size_t i = 0; i < n; i++)
			srm_pack_quantize_row(values, scales + i * n_scales, matrix, row + i, dtype);
		srm_calibration_round(values, scales, matrix, row, n, dtype, feedback, scratch);
		done = writes ? srm_writer_append(quantizer->writer, values, n * cols, quantizer->stop, quantizer->status) :
			srm_continue(quantizer->stop, quantizer->status);
	}
	srm_arena_free(arena);
	return done;
}

/* Row by row, from what round_calibrated() has left where are_there is set. */
static bool
write_scales(Quantizer *quantizer, const SrmMatrix *matrix, const SrmTensor *tensor, bool are_there)
{
	size_t		n = srm_scales_count(matrix->cols, quantizer->options->dtype);

	for (size_t row = 0; row < matrix->rows; row++)
	{
		float	   *scales = quantizer->scales + (are_there ? row * n : 0);

		if (!are_there)
			srm_pack_quantize_row(quantizer->values, scales, matrix, row, quantizer->options->dtype);
		for (size_t i = 0; i < n; i++)
			if (!isfinite(scales[i]))
				return srm_fail(quantizer->status, SRM_INVALID_MODEL,
								"tensor \"%s\" in model file \"%s\" has values that are not finite",
								tensor->name, tensor->path);
		if (!srm_writer_append(quantizer->writer, scales, n * sizeof(float), quantizer->stop,
							   quantizer->status))
			return false;
	}
	return true;
}

/* A tensor of another kind than a linear map, which may be as large as the embedding. */
static bool
copy_tensor(Quantizer *quantizer, const SrmTensor *tensor)
{
	for (size_t start = 0; start < tensor->size; start += CHUNK_SIZE)
	{
		size_t		n = tensor->size - start < CHUNK_SIZE ? tensor->size - start : CHUNK_SIZE;

		srm_files_release(quantizer->files);
		if (!srm_files_load(quantizer->files, tensor->data + start, n, quantizer->status) ||
			!srm_writer_append(quantizer->writer, tensor->data + start, n, quantizer->stop,
							   quantizer->status))
			return false;
	}
	return true;
}

static bool
write_tensor(Quantizer *quantizer, const SrmTensorPlan *plan)
{
	const SrmTensor *tensor = &quantizer->weights.tensors[plan->tag / N_PARTS];
	SrmMatrix	matrix = {
		.data = tensor->data,.dtype = tensor->dtype,.rows = tensor->shape[0],.cols = tensor->shape[1]
	};
	const float *moments = find_moments(quantizer, tensor);
	bool		are_there = quantizer->scaled == tensor;

	quantizer->scaled = NULL;
	if (plan->tag % N_PARTS == PART_COPY)
		return copy_tensor(quantizer, tensor);
	/* What the tensors before have read is not needed any more */
	srm_files_release(quantizer->files);
	if (!srm_weights_load(quantizer->files, tensor, quantizer->status) ||
		!srm_weights_change(tensor, &matrix, 0, quantizer->arena, quantizer->status))
		return false;
	if (plan->tag % N_PARTS == PART_SCALES)
		return (moments == NULL || are_there || round_calibrated(quantizer, &matrix, moments, false)) &&
			write_scales(quantizer, &matrix, tensor, moments != NULL);
	if (moments == NULL)
		return write_values(quantizer, &matrix);
	quantizer->scaled = tensor;
	return round_calibrated(quantizer, &matrix, moments, true);
}

static bool
write_weights(Quantizer *quantizer)
{
	if (!srm_writer_begin_tensors(quantizer->writer, SRM_WEIGHTS_FILE, quantizer->plans,
								  quantizer->n_plans, quantizer->status))
		return false;
	for (size_t i = 0; i < quantizer->n_plans; i++)
		if (!write_tensor(quantizer, &quantizer->plans[i]))
			return false;
	return srm_writer_end_tensors(quantizer->writer, quantizer->status);
}

/* How the package compressed-tensors describes weights of bytes with a scale a row, or a group of columns. */
#define DESCRIPTION(targets, strategy) \
	"{\"quant_method\": \"compressed-tensors\", \"format\": \"int-quantized\"," \
	" \"quantization_status\": \"compressed\", \"ignore\": [\"score\"]," \
	" \"config_groups\": {\"group_0\": {\"targets\": [" targets "], \"format\": \"int-quantized\"," \
	" \"input_activations\": null, \"output_activations\": null, \"weights\": {\"num_bits\": 8, \"type\": \"int\"," \
	" \"symmetric\": true, " strategy ", \"dynamic\": false}}}}"
#define ROWS	"\"strategy\": \"channel\""
#define GROUPS	"\"strategy\": \"group\", \"group_size\": 64"

_Static_assert(SRM_SCALE_COLS == 64, "GROUPS says so");

/* By kind, int8 and w8, and whether the embedding is of bytes, too. */
static const char *const descriptions[2][2] = {
	{DESCRIPTION("\"Linear\"", ROWS), DESCRIPTION("\"Linear\", \"Embedding\"", ROWS)},
	{DESCRIPTION("\"Linear\"", GROUPS), DESCRIPTION("\"Linear\", \"Embedding\"", GROUPS)}
};

/* A score that an adapter brought need not have as many rows as its base says. */
static bool
set_labels(Quantizer *quantizer, SrmJson *config)
{
	const SrmTensor *score = srm_weights_find(&quantizer->weights, "score.weight");
	SrmJson    *n;

	if (quantizer->files->adapter == NULL || !quantizer->files->adapter->saves_score || score == NULL)
		return true;
	n = srm_json_make_int((int64_t) score->shape[0], quantizer->arena, quantizer->status);
	return n != NULL && srm_json_set(config, "num_labels", n, quantizer->arena, quantizer->status);
}

static bool
write_config(Quantizer *quantizer)
{
	bool		has_groups = quantizer->options->dtype == SRM_W8;
	SrmArena   *arena = quantizer->arena;
	SrmStatus  *status = quantizer->status;
	SrmJson    *config = srm_config_tree(quantizer->files, NULL, arena, status);
	const char *text = descriptions[has_groups][quantizer->options->embedding];
	SrmJson    *description = srm_json_parse(text, strlen(text), "the description", arena, status);

	return config != NULL && description != NULL && set_labels(quantizer, config) &&
		srm_writer_set_config(config, "quantization", srm_json_make_string(has_groups ? "w8" : "int8", arena, status),
							  arena, status) &&
		srm_agreement_set(config, quantizer->options->agreement, arena, status) &&
		srm_json_set(config, "quantization_config", description, arena, status) &&
		srm_writer_put_json(quantizer->writer, SRM_CONFIG_FILE, config, status);
}

bool
srm_model_quantize(SrmWriter *writer, const char *directory, const SrmModelPath *path,
				   const SrmQuantizeOptions *options, const SrmStop *stop, SrmStatus *status)
{
	Quantizer	quantizer = {.writer = writer,.options = options,.stop = stop,.status = status};
	bool		done;

	quantizer.arena = srm_arena_create(status);
	done = quantizer.arena != NULL && read_model(&quantizer, directory, path) &&
		plan_tensors(&quantizer) && write_config(&quantizer) &&
		srm_writer_copy_texts(writer, srm_files_of_tokenizer(quantizer.files), stop, status) &&
		write_weights(&quantizer) && srm_files_check(quantizer.files, status);
	srm_files_close(quantizer.files);
	srm_arena_free(quantizer.arena);
	return done;
}
