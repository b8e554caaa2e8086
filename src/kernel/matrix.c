/*-------------------------------------------------------------------------
 *
 * matrix.c
 *	  Weights as a checkpoint stores them.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/matrix.h"

#include <string.h>

#include "base/sizes.h"
#include "kernel/kernels.h"

#define CHANGE_PIECE	256		/* columns */

size_t
srm_dtype_size(SrmDtype dtype)
{
	return dtype == SRM_F32 ? 4 : dtype == SRM_INT8 || dtype == SRM_W8 ? 1 : 2;
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
		case SRM_INT8:
		case SRM_W8:
			return "int8";
	}
	return "unknown";
}

/* A row may begin anywhere in the range. */
static void
read_int8(const SrmMatrix *matrix, size_t start, size_t n, float *out)
{
	const int8_t *values = (const int8_t *) matrix->data + start;
	size_t		row = start / matrix->cols;
	size_t		end = (row + 1) * matrix->cols - start; /* of the row, in the range */

	for (size_t i = 0; i < n; end += matrix->cols, row++)
		for (; i < n && i < end; i++)
			out[i] = (float) values[i] * matrix->scales[row];
}

/* The same, with scales for groups of columns. */
static void
read_w8(const SrmMatrix *matrix, size_t start, size_t n, float *out)
{
	const int8_t *values = (const int8_t *) matrix->data + start;
	size_t		n_scales = srm_scales_count(matrix->cols, SRM_W8);
	const float *scales = matrix->scales + start / matrix->cols * n_scales;
	size_t		col = start % matrix->cols;

	for (size_t i = 0; i < n; scales += n_scales, col = 0)
		for (; i < n && col < matrix->cols; i++, col++)
			out[i] = (float) values[i] * scales[col / SRM_SCALE_COLS];
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
		case SRM_INT8:
			read_int8(matrix, start, n, out);
			break;
		case SRM_W8:
			read_w8(matrix, start, n, out);
			break;
	}
}

/* out (n) = n elements as they are stored */
static void
read_stored(const SrmMatrix *matrix, size_t start, size_t n, float *out)
{
	if (matrix->band == 0)
	{
		read_together(matrix, start, n, out);
		return;
	}
	while (n > 0)
	{
		size_t		row = start / matrix->cols;
		size_t		col = start % matrix->cols;
		size_t		length = srm_matrix_band(matrix, row) * matrix->cols - col;

		length = length < n ? length : n;
		read_together(matrix, srm_matrix_row(matrix, row) * matrix->cols + col, length, out);
		start += length;
		out += length;
		n -= length;
	}
}

/* out (n), elements of one row from col on, += their change; n is at most CHANGE_PIECE */
static void
change_piece(const SrmLowRank *change, size_t row, size_t col, size_t n, float *out)
{
	float		piece[CHANGE_PIECE];

	for (size_t k = 0; k < change->a.rows; k++)
	{
		const float *a = piece;
		float		b;

		read_stored(&change->b, row * change->b.cols + k, 1, &b);
		b *= change->scale;
		if (change->a.dtype == SRM_F32)
			a = (const float *) change->a.data + k * change->a.cols + col;
		else
			read_stored(&change->a, k * change->a.cols + col, n, piece);
		for (size_t i = 0; i < n; i++)
			out[i] += b * a[i];
	}
}

void
srm_matrix_read(const SrmMatrix *matrix, size_t start, size_t n, float *out)
{
	read_stored(matrix, start, n, out);
	for (size_t done = 0; matrix->change != NULL && done < n;)
	{
		size_t		col = (start + done) % matrix->cols;
		size_t		length = srm_smaller(srm_smaller(n - done, matrix->cols - col), CHANGE_PIECE - col % CHANGE_PIECE);

		change_piece(matrix->change, (start + done) / matrix->cols, col, length, out + done);
		done += length;
	}
}
