/*-------------------------------------------------------------------------
 *
 * pack.c
 *	  Weights in the order in which products read them.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/pack.h"

#include <math.h>
#include <string.h>

#include "kernel/kernels.h"

#define LANE_BYTES		4
#define PIECE			256		/* columns read at a time; a multiple of all groups */
#define TRAILER_BYTES	(SRM_PANEL * (sizeof(float) + sizeof(int32_t)))

size_t
srm_pack_group(SrmCompute compute)
{
	return compute == SRM_COMPUTE_F32 ? 1 : compute == SRM_COMPUTE_BF16 ? 2 : 4;
}

size_t
srm_pack_lanes(SrmCompute compute, size_t cols)
{
	size_t		unit = SRM_LANES_UNIT * srm_pack_group(compute);

	return (cols / unit + (cols % unit != 0)) * SRM_LANES_UNIT;
}

size_t
srm_pack_panel_bytes(SrmCompute compute, size_t cols)
{
	size_t		lanes = srm_pack_lanes(compute, cols);

	if (lanes > (SIZE_MAX - TRAILER_BYTES) / (SRM_PANEL * LANE_BYTES))
		return 0;
	return lanes * SRM_PANEL * LANE_BYTES + (compute == SRM_COMPUTE_INT8 ? TRAILER_BYTES : 0);
}

size_t
srm_pack_bytes(SrmCompute compute, size_t rows, size_t cols)
{
	size_t		panel = srm_pack_panel_bytes(compute, cols);
	size_t		n_panels = rows / SRM_PANEL + (rows % SRM_PANEL != 0);

	return panel == 0 || n_panels > SIZE_MAX / panel ? 0 : n_panels * panel;
}

/* An odd number of cache lines, so that a power of two does not put all rows into one set. */
size_t
srm_pack_row_bytes(SrmCompute compute, size_t cols)
{
	size_t		size = srm_pack_lanes(compute, cols) * LANE_BYTES;

	if (compute == SRM_COMPUTE_INT8)
		size += (sizeof(SrmRowScale) + 63) & ~(size_t) 63;
	return size | 64;
}

const char *
srm_pack_layout(SrmCompute compute)
{
	switch (compute)
	{
		case SRM_COMPUTE_F32:
			return "f32-32x1";
		case SRM_COMPUTE_BF16:
			return "bf16-32x2";
		case SRM_COMPUTE_INT8:
			return "int8-32x4";
	}
	return "unknown";
}

SrmCompute
srm_pack_layout_for(SrmCompute compute, SrmDtype dtype)
{
	if (compute != SRM_COMPUTE_F32 || dtype == SRM_F32 || dtype == SRM_F16)
		return compute;
	return dtype == SRM_BF16 ? SRM_COMPUTE_BF16 : SRM_COMPUTE_INT8;
}

const char *
srm_compute_name(SrmCompute compute)
{
	return compute == SRM_COMPUTE_F32 ? "f32" : compute == SRM_COMPUTE_BF16 ? "bf16" : "int8";
}

SrmCompute
srm_compute_auto(SrmDtype dtype)
{
	if (dtype == SRM_INT8)
		return SRM_COMPUTE_INT8;
	return dtype == SRM_BF16 && srm_kernels->fast_bf16 ? SRM_COMPUTE_BF16 : SRM_COMPUTE_F32;
}

/* Where the lanes of a row begin; the next lane of the row is SRM_PANEL lanes further. */
static char *
row_lanes(void *panel, size_t row)
{
	return (char *) panel + row % SRM_PANEL * LANE_BYTES;
}

static void
pack_row_f32(char *lanes, const SrmMatrix *w, size_t row)
{
	float		piece[PIECE];

	for (size_t start = 0; start < w->cols; start += PIECE)
	{
		size_t		n = w->cols - start < PIECE ? w->cols - start : PIECE;

		srm_matrix_read(w, row * w->cols + start, n, piece);
		for (size_t i = 0; i < n; i++, lanes += SRM_PANEL * LANE_BYTES)
			memcpy(lanes, &piece[i], sizeof(float));
	}
}

static void
pack_row_bf16(char *lanes, const SrmMatrix *w, size_t row)
{
	float		piece[PIECE];

	for (size_t start = 0; start < w->cols; start += PIECE)
	{
		size_t		n = w->cols - start < PIECE ? w->cols - start : PIECE;

		srm_matrix_read(w, row * w->cols + start, n, piece);
		for (size_t i = 0; i < n; i += 2, lanes += SRM_PANEL * LANE_BYTES)
		{
			uint16_t	pair[2] = {srm_bf16_of_float(piece[i]), 0};

			if (i + 1 < n)
				pair[1] = srm_bf16_of_float(piece[i + 1]);
			memcpy(lanes, pair, sizeof(pair));
		}
	}
}

/* The greatest magnitude in a row, or NaN where a value is not finite. */
static float
row_magnitude(const SrmMatrix *w, size_t row)
{
	float		piece[PIECE];
	float		greatest = 0.0f;
	float		finite = 0.0f;	/* NaN once a value is not */

	for (size_t start = 0; start < w->cols; start += PIECE)
	{
		size_t		n = w->cols - start < PIECE ? w->cols - start : PIECE;

		srm_matrix_read(w, row * w->cols + start, n, piece);
		for (size_t i = 0; i < n; i++)
		{
			greatest = fabsf(piece[i]) > greatest ? fabsf(piece[i]) : greatest;
			finite += piece[i] * 0.0f;
		}
	}
	return greatest + finite;
}

/* Bytes of a file are packed as they are, unless something is added to them. */
static bool
keeps_values(const SrmMatrix *w)
{
	return w->dtype == SRM_INT8 && w->change == NULL;
}

/* values (n) = the row's columns from start on, in units of its scale */
static void
quantize_piece(int8_t *values, const SrmMatrix *w, size_t row, size_t start, size_t n, float scale)
{
	float		piece[PIECE];
	float		inverse = scale > 0 && isfinite(1.0f / scale) ? 1.0f / scale : 0.0f;

	if (keeps_values(w))
	{
		memcpy(values, (const int8_t *) w->data + srm_matrix_row(w, row) * w->cols + start, n);
		return;
	}
	srm_matrix_read(w, row * w->cols + start, n, piece);
	for (size_t i = 0; i < n; i++)
	{
		float		value = rintf(piece[i] * inverse);

		values[i] = (int8_t) (value < -127.0f ? -127.0f : value > 127.0f ? 127.0f : value);
	}
}

static float
row_scale(const SrmMatrix *w, size_t row)
{
	return keeps_values(w) ? w->scales[srm_matrix_row(w, row)] : row_magnitude(w, row) / 127.0f;
}

float
srm_pack_quantize_row(int8_t *values, const SrmMatrix *w, size_t row)
{
	float		scale = row_scale(w, row);

	for (size_t start = 0; start < w->cols; start += PIECE)
		quantize_piece(values + start, w, row, start,
					   w->cols - start < PIECE ? w->cols - start : PIECE, scale == scale ? scale : 0.0f);
	return scale;
}

static void
pack_row_int8(char *panel, const SrmMatrix *w, size_t row)
{
	size_t		size = srm_pack_panel_bytes(SRM_COMPUTE_INT8, w->cols) - TRAILER_BYTES;
	float	   *scales = (float *) (void *) (panel + size);
	int32_t    *sums = (int32_t *) (void *) (scales + SRM_PANEL);
	char	   *lanes = row_lanes(panel, row);
	int32_t		sum = 0;
	float		scale = row_scale(w, row);

	for (size_t start = 0; start < w->cols; start += PIECE)
	{
		size_t		n = w->cols - start < PIECE ? w->cols - start : PIECE;
		int8_t		values[PIECE + 4] = {0};

		quantize_piece(values, w, row, start, n, scale == scale ? scale : 0.0f);
		for (size_t i = 0; i < n; i++)
			sum += values[i];
		for (size_t i = 0; i < n; i += 4, lanes += SRM_PANEL * LANE_BYTES)
			memcpy(lanes, values + i, LANE_BYTES);
	}
	scales[row % SRM_PANEL] = scale;
	sums[row % SRM_PANEL] = sum;
}

void
srm_pack_panel(void *panel, const SrmMatrix *w, SrmCompute compute, size_t number)
{
	size_t		end = (number + 1) * SRM_PANEL < w->rows ? (number + 1) * SRM_PANEL : w->rows;

	memset(panel, 0, srm_pack_panel_bytes(compute, w->cols));
	for (size_t row = number * SRM_PANEL; row < end; row++)
	{
		if (compute == SRM_COMPUTE_F32)
			pack_row_f32(row_lanes(panel, row), w, row);
		else if (compute == SRM_COMPUTE_BF16)
			pack_row_bf16(row_lanes(panel, row), w, row);
		else
			pack_row_int8(panel, w, row);
	}
}

void
srm_pack_rows(void *out, const SrmMatrix *w, SrmCompute compute, size_t first_row, size_t n_rows)
{
	size_t		panel_bytes = srm_pack_panel_bytes(compute, w->cols);

	for (size_t row = first_row; row < first_row + n_rows; row += SRM_PANEL)
		srm_pack_panel((char *) out + row / SRM_PANEL * panel_bytes, w, compute, row / SRM_PANEL);
}
