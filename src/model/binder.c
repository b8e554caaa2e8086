/*-------------------------------------------------------------------------
 *
 * binder.c
 *	  Single tensors of a model, by name, shape and type.
 *
 *-------------------------------------------------------------------------
 */
#include "model/binder.h"

#include <stdio.h>
#include <string.h>

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
check_shape(SrmBinder *binder, const SrmTensor *tensor, const size_t *shape, size_t n_dims)
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

/* Scales beside a tensor of floats: what they would do to it is not known. */
static bool
check_no_scales(SrmBinder *binder, const SrmTensor *tensor)
{
	if (srm_weights_find_scales_for(binder->weights, tensor->name) == NULL)
		return true;
	srm_fail(binder->status, SRM_NOT_SUPPORTED, "tensor \"%s\" of type %s in model file \"%s\" has scales, which is not supported",
			 tensor->name, tensor->type, tensor->path);
	return srm_fail_detail(binder->status, "Scales, in \"%s" SRM_SCALES_SUFFIX "\", go with tensors of type I8.", tensor->name);
}

/* A tensor of a shape, and of a type that the products know. */
const SrmTensor *
srm_binder_find(SrmBinder *binder, const char *name, const size_t *shape, size_t n_dims)
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
		srm_fail_detail(binder->status, "Supported are F32, F16, and BF16, and for linear maps of layers I8 with scales.");
		return NULL;
	}
	return check_shape(binder, tensor, shape, n_dims) && check_no_scales(binder, tensor) ? tensor : NULL;
}

/* A matrix may be of bytes that have scales. */
static const SrmTensor *
find_matrix(SrmBinder *binder, const char *name, const size_t shape[2])
{
	const SrmTensor *tensor = srm_weights_find(binder->weights, name);

	if (tensor != NULL && srm_weights_find_scales(binder->weights, tensor) != NULL)
		return check_shape(binder, tensor, shape, 2) ? tensor : NULL;
	return srm_binder_find(binder, name, shape, 2);
}

/* The scales of 8-bit rows, from the first row of the map on. */
static bool
bind_scales(SrmBinder *binder, const SrmTensor *tensor, const SrmFusedRows *rows, SrmMatrix *matrix)
{
	const SrmTensor *scales = srm_weights_find_scales(binder->weights, tensor);
	SrmDtype	dtype = srm_weights_scaled_dtype(scales, binder->config->settings.quantization);
	const size_t shape[] = {rows->total, srm_scales_count(tensor->shape[1], dtype)};
	const float *copy = srm_binder_copy(binder, scales->name, shape, scales->n_dims == 1 && shape[1] == 1 ? 1 : 2);

	if (copy == NULL)
		return false;
	matrix->dtype = dtype;
	matrix->scales = copy + rows->first * shape[1];
	return true;
}

/*
 * A matrix stays in the file, so its place must suit its type; files of the
 * first releases of safetensors may miss that.
 */
bool
srm_binder_rows(SrmBinder *binder, const char *name, const SrmFusedRows *rows, size_t cols, SrmMatrix *matrix)
{
	const size_t shape[] = {rows->total, cols};
	const SrmTensor *tensor = find_matrix(binder, name, shape);

	if (tensor == NULL)
		return false;
	matrix->dtype = tensor->dtype;
	if (tensor->dtype == SRM_INT8 && !bind_scales(binder, tensor, rows, matrix))
		return false;
	if ((uintptr_t) tensor->data % srm_dtype_size(tensor->dtype) != 0)
	{
		srm_fail(binder->status, SRM_NOT_SUPPORTED,
				 "unaligned tensor \"%s\" in model file \"%s\" is not supported", name, tensor->path);
		return srm_fail_hint(binder->status, "Save the file with a current release of safetensors.");
	}
	matrix->data = tensor->data + rows->first * cols * srm_dtype_size(tensor->dtype);
	matrix->cols = cols;
	matrix->band = rows->band;
	matrix->stride = rows->stride;
	return srm_weights_change(tensor, matrix, rows->first, binder->model->arena, binder->status);
}

bool
srm_binder_matrix(SrmBinder *binder, const char *name, size_t rows, size_t cols, SrmMatrix *matrix)
{
	const SrmFusedRows all = {.total = rows};

	matrix->rows = rows;
	return srm_binder_rows(binder, name, &all, cols, matrix);
}

const float *
srm_binder_copy(SrmBinder *binder, const char *name, const size_t *shape, size_t n_dims)
{
	const SrmTensor *tensor = srm_binder_find(binder, name, shape, n_dims);
	float	   *copy;

	if (tensor == NULL)
		return NULL;
	copy = srm_arena_array(binder->model->arena, tensor->n_elements, sizeof(float), binder->status);
	if (copy == NULL ||
		!srm_files_load(binder->model->files, tensor->data, tensor->size, binder->status))
		return NULL;
	srm_tensor_read(tensor, 0, tensor->n_elements, copy);
	return copy;
}

bool
srm_binder_vector(SrmBinder *binder, const char *name, size_t n, const float **vector)
{
	*vector = srm_binder_copy(binder, name, &n, 1);
	return *vector != NULL;
}
