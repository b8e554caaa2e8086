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

#include "base/sizes.h"
#include "kernel/kernels.h"

#define LANE_BYTES		4
#define PIECE			256		/* columns read at a time; a multiple of all groups */
#define LANES_OF_SCALE	(SRM_SCALE_COLS / 4)	/* lanes come in multiples of it */

size_t
srm_pack_group(SrmPacking packing)
{
	return packing == SRM_PACKING_F32 ? 1 : packing == SRM_PACKING_BF16 ? 2 : 4;
}

size_t
srm_pack_lanes(SrmPacking packing, size_t cols)
{
	size_t		unit = SRM_LANES_UNIT * srm_pack_group(packing);

	return (cols / unit + (cols % unit != 0)) * SRM_LANES_UNIT;
}

/* What follows so many lanes of a panel: scales, and in int8 the sums of rows. */
static size_t
trailer_bytes(SrmPacking packing, size_t lanes)
{
	if (packing == SRM_PACKING_INT8)
		return SRM_PANEL * (sizeof(float) + sizeof(int32_t));
	return packing == SRM_PACKING_W8 ? lanes / LANES_OF_SCALE * SRM_PANEL * sizeof(float) : 0;
}

size_t
srm_pack_panel_bytes(SrmPacking packing, size_t cols)
{
	size_t		lanes = srm_pack_lanes(packing, cols);

	if (lanes > SIZE_MAX / 2 / (SRM_PANEL * LANE_BYTES))
		return 0;
	return lanes * SRM_PANEL * LANE_BYTES + trailer_bytes(packing, lanes);
}

size_t
srm_pack_bytes(SrmPacking packing, size_t rows, size_t cols)
{
	size_t		panel = srm_pack_panel_bytes(packing, cols);
	size_t		n_panels = rows / SRM_PANEL + (rows % SRM_PANEL != 0);

	return panel == 0 || n_panels > SIZE_MAX / panel ? 0 : n_panels * panel;
}

/* An odd number of cache lines, so that a power of two does not put all rows into one set. */
size_t
srm_pack_row_bytes(SrmPacking packing, size_t cols)
{
	size_t		size = srm_pack_lanes(packing, cols) * LANE_BYTES;

	if (packing == SRM_PACKING_INT8)
		size += (sizeof(SrmRowScale) + 63) & ~(size_t) 63;
	return size | 64;
}

const char *
srm_packing_name(SrmPacking packing)
{
	switch (packing)
	{
		case SRM_PACKING_F32:
			return "f32-32x1";
		case SRM_PACKING_BF16:
			return "bf16-32x2";
		case SRM_PACKING_INT8:
			return "int8-32x4";
		case SRM_PACKING_W8:
			return "w8-32x4x64";
	}
	return "unknown";
}

SrmPacking
srm_packing_for(SrmCompute compute, SrmDtype dtype)
{
	static const SrmPacking exact[] = {
		[SRM_F32] = SRM_PACKING_F32,[SRM_F16] = SRM_PACKING_F32,[SRM_BF16] = SRM_PACKING_BF16,
		[SRM_INT8] = SRM_PACKING_INT8,[SRM_W8] = SRM_PACKING_W8
	};

	return compute == SRM_COMPUTE_F32 ? exact[dtype] : srm_packing_of(compute);
}

const char *
srm_compute_name(SrmCompute compute)
{
	static const char *const names[SRM_N_COMPUTES] = {"f32", "bf16", "int8", "w8"};

	return names[compute];
}

SrmCompute
srm_compute_products(SrmCompute compute)
{
	return compute == SRM_COMPUTE_W8 ? SRM_COMPUTE_F32 : compute;
}

SrmCompute
srm_compute_auto(SrmDtype dtype)
{
	if (dtype == SRM_INT8 || dtype == SRM_W8)
		return dtype == SRM_INT8 ? SRM_COMPUTE_INT8 : SRM_COMPUTE_W8;
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

/* The greatest magnitude in columns of a row, or NaN where a value is not finite. */
static float
greatest_magnitude(const SrmMatrix *w, size_t row, size_t first, size_t n_cols)
{
	float		piece[PIECE];
	float		greatest = 0.0f;
	float		finite = 0.0f;	/* NaN once a value is not */

	for (size_t start = 0; start < n_cols; start += PIECE)
	{
		size_t		n = srm_smaller(n_cols - start, PIECE);

		srm_matrix_read(w, row * w->cols + first + start, n, piece);
		for (size_t i = 0; i < n; i++)
		{
			greatest = fabsf(piece[i]) > greatest ? fabsf(piece[i]) : greatest;
			finite += piece[i] * 0.0f;
		}
	}
	return greatest + finite;
}

/* Bytes of a file are taken as they are, unless something is added to them. */
static bool
keeps_values(const SrmMatrix *w, SrmDtype dtype)
{
	return w->dtype == dtype && w->change == NULL;
}

/* Columns that share a scale. */
static size_t
scale_cols(const SrmMatrix *w, SrmDtype dtype)
{
	return dtype == SRM_W8 ? SRM_SCALE_COLS : w->cols;
}

/* The scale of that number of a row. */
static float
find_scale(const SrmMatrix *w, size_t row, size_t number, SrmDtype dtype)
{
	size_t		first = number * scale_cols(w, dtype);

	if (keeps_values(w, dtype))
		return w->scales[srm_matrix_row(w, row) * srm_scales_count(w->cols, dtype) + number];
	return greatest_magnitude(w, row, first, srm_smaller(w->cols - first, scale_cols(w, dtype))) / 127.0f;
}

/* values (n) = the row's columns from start on, in units of their scale */
static void
quantize_piece(int8_t *values, const SrmMatrix *w, size_t row, size_t start, size_t n, float scale, SrmDtype dtype)
{
	float		piece[PIECE];
	float		inverse = scale > 0 && isfinite(1.0f / scale) ? 1.0f / scale : 0.0f;

	if (keeps_values(w, dtype))
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

void
srm_pack_quantize_row(int8_t *values, float *scales, const SrmMatrix *w, size_t row, SrmDtype dtype)
{
	size_t		width = scale_cols(w, dtype);

	for (size_t number = 0; number * width < w->cols; number++)
	{
		size_t		end = srm_smaller((number + 1) * width, w->cols);

		scales[number] = find_scale(w, row, number, dtype);
		for (size_t start = number * width; start < end; start += PIECE)
			quantize_piece(values + start, w, row, start, srm_smaller(end - start, PIECE), scales[number], dtype);
	}
}

/* lanes = the columns that share a scale; returns the sum of their bytes */
static int32_t
pack_scaled(char *lanes, const SrmMatrix *w, size_t row, size_t number, float scale, SrmDtype dtype)
{
	size_t		width = scale_cols(w, dtype);
	size_t		end = srm_smaller((number + 1) * width, w->cols);
	int32_t		sum = 0;

	for (size_t start = number * width; start < end; start += PIECE)
	{
		size_t		n = srm_smaller(end - start, PIECE);
		int8_t		values[PIECE + 4] = {0};

		quantize_piece(values, w, row, start, n, scale, dtype);
		for (size_t i = 0; i < n; i++)
			sum += values[i];
		for (size_t i = 0; i < n; i += 4, lanes += SRM_PANEL * LANE_BYTES)
			memcpy(lanes, values + i, LANE_BYTES);
	}
	return sum;
}

static void
pack_row_int8(char *panel, const SrmMatrix *w, size_t row)
{
	float	   *scales = (float *) (void *) (panel + srm_pack_lanes(SRM_PACKING_INT8, w->cols) * SRM_PANEL * LANE_BYTES);
	int32_t    *sums = (int32_t *) (void *) (scales + SRM_PANEL);
	float		scale = find_scale(w, row, 0, SRM_INT8);

	scales[row % SRM_PANEL] = scale;
	sums[row % SRM_PANEL] = pack_scaled(row_lanes(panel, row), w, row, 0, scale, SRM_INT8);
}

static void
pack_row_w8(char *panel, const SrmMatrix *w, size_t row)
{
	float	   *scales = (float *) (void *) (panel + srm_pack_lanes(SRM_PACKING_W8, w->cols) * SRM_PANEL * LANE_BYTES);
	char	   *lanes = row_lanes(panel, row);

	for (size_t number = 0; number < srm_scales_count(w->cols, SRM_W8); number++)
	{
		float		scale = find_scale(w, row, number, SRM_W8);

		scales[number * SRM_PANEL + row % SRM_PANEL] = scale;
		(void) pack_scaled(lanes, w, row, number, scale, SRM_W8);
		lanes += LANES_OF_SCALE * SRM_PANEL * LANE_BYTES;
	}
}

void
srm_pack_panel(void *panel, const SrmMatrix *w, SrmPacking packing, size_t number)
{
	size_t		end = (number + 1) * SRM_PANEL < w->rows ? (number + 1) * SRM_PANEL : w->rows;

	memset(panel, 0, srm_pack_panel_bytes(packing, w->cols));
	for (size_t row = number * SRM_PANEL; row < end; row++)
	{
		if (packing == SRM_PACKING_F32)
			pack_row_f32(row_lanes(panel, row), w, row);
		else if (packing == SRM_PACKING_BF16)
			pack_row_bf16(row_lanes(panel, row), w, row);
		else if (packing == SRM_PACKING_INT8)
			pack_row_int8(panel, w, row);
		else
			pack_row_w8(panel, w, row);
	}
}

void
srm_pack_rows(void *out, const SrmMatrix *w, SrmPacking packing, size_t first_row, size_t n_rows)
{
	size_t		panel_bytes = srm_pack_panel_bytes(packing, w->cols);

	for (size_t row = first_row; row < first_row + n_rows; row += SRM_PANEL)
		srm_pack_panel((char *) out + row / SRM_PANEL * panel_bytes, w, packing, row / SRM_PANEL);
}
