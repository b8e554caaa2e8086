/*-------------------------------------------------------------------------
 *
 * products.h
 *	  One linear map, and single weights of what was packed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PRODUCTS_H
#define SRM_PRODUCTS_H

#include <string.h>

#include "kernel/linear.h"
#include "kernel/pack.h"

/* out (m, w.rows) = x (m, w.cols) * w^T + bias (w.rows), which may be NULL */
static inline bool
forward_linear(float *out, const float *x, const SrmMatrix *w, const float *bias, size_t m,
			   SrmThreads *threads, SrmStatus *status)
{
	SrmLinear	map = {.out = out,.x = x,.w = w,.bias = bias};

	return srm_linears_forward(&map, 1, m, threads, NULL, status);
}

/* The weight in a row and column of a packed matrix of cols columns, as f32. */
static inline float
read_packed(const void *packed, SrmPacking packing, size_t cols, size_t row, size_t col)
{
	size_t		panel_bytes = srm_pack_panel_bytes(packing, cols);
	size_t		group = srm_pack_group(packing);
	size_t		lanes_bytes = srm_pack_lanes(packing, cols) * SRM_PANEL * 4;
	const char *panel = (const char *) packed + row / SRM_PANEL * panel_bytes;
	const char *lane = panel + (col / group * SRM_PANEL + row % SRM_PANEL) * 4;
	float		value;
	uint32_t	bits;

	if (packing == SRM_PACKING_F32)
		memcpy(&value, lane, sizeof(value));
	else if (packing == SRM_PACKING_BF16)
	{
		bits = (uint32_t) ((const uint16_t *) (const void *) lane)[col % 2] << 16;
		memcpy(&value, &bits, sizeof(value));
	}
	else
	{
		size_t		scale = packing == SRM_PACKING_W8 ? col / SRM_SCALE_COLS : 0;

		memcpy(&value, panel + lanes_bytes + (scale * SRM_PANEL + row % SRM_PANEL) * sizeof(float), sizeof(value));
		value *= (float) ((const int8_t *) lane)[col % 4];
	}
	return value;
}

#endif							/* SRM_PRODUCTS_H */
