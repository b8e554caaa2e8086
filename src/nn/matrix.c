/*-------------------------------------------------------------------------
 *
 * matrix.c
 *	  Weights as a checkpoint stores them.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/matrix.h"

#include <string.h>

#include "nn/blas.h"
#include "nn/kernels.h"

size_t
srm_dtype_size(SrmDtype dtype)
{
	return dtype == SRM_F32 ? 4 : 2;
}

const char *
srm_dtype_name(SrmDtype dtype)
{
	switch (dtype)
	{
		case SRM_F32:
			return "float32";
		case SRM_F16:
			return "float16";
		case SRM_BF16:
			return "bfloat16";
	}
	return "unknown";
}

/* out (n) = n elements that lie together, start elements behind data */
static void
read_together(const SrmMatrix *matrix, size_t start, size_t n, float *out)
{
	switch (matrix->dtype)
	{
		case SRM_F32:
			memcpy(out, (const float *) matrix->data + start, n * sizeof(float));
			break;
		case SRM_F16:
			srm_kernels->read_f16(out, (const uint16_t *) matrix->data + start, n);
			break;
		case SRM_BF16:
			srm_kernels->read_bf16(out, (const uint16_t *) matrix->data + start, n);
			break;
	}
}

void
srm_matrix_read(const SrmMatrix *matrix, size_t start, size_t n, float *out)
{
	if (matrix->run == 0)
	{
		read_together(matrix, start, n, out);
		return;
	}
	while (n > 0)
	{
		size_t		row = start / matrix->cols;
		size_t		col = start % matrix->cols;
		size_t		length = srm_matrix_run(matrix, row) * matrix->cols - col;

		length = length < n ? length : n;
		read_together(matrix, srm_matrix_row(matrix, row) * matrix->cols + col, length, out);
		start += length;
		out += length;
		n -= length;
	}
}

bool
srm_products_init(SrmStatus *status)
{
	return srm_blas_load(status);
}
