/*-------------------------------------------------------------------------
 *
 * pack.h
 *	  Weights in the order in which products read them.
 *
 * A packed matrix is made of panels of SRM_PANEL rows of the weights.  A panel is
 * (lanes, SRM_PANEL, group): a lane of 4 bytes holds group neighbouring
 * columns of one row, that is 1 float, 2 bfloats or 4 bytes.  Rows that fill
 * up the last panel and columns that fill up the lanes are zero.  Behind the lanes of
 * an int8 panel lie its scales, SRM_PANEL floats, and the sums of its rows,
 * SRM_PANEL 32-bit integers; behind those of a w8 panel its scales, SRM_PANEL floats for
 * each SRM_SCALE_COLS columns.
 *
 * All of this depends on the packing alone, so that one file serves all processors of one byte order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PACK_H
#define SRM_PACK_H

#include "kernel/matrix.h"

/* The packing whose panels the products of an arithmetic read; of w8, that in which its weights wait. */
static inline SrmPacking
srm_packing_of(SrmCompute compute)
{
	return (SrmPacking) compute;
}

/*
 * The packing in which weights of a dtype wait for an arithmetic: its own, or for f32 the
 * smallest that holds them exactly, whose panels are unpacked as they are multiplied.
 */
extern SrmPacking srm_packing_for(SrmCompute compute, SrmDtype dtype);

/* Columns in a lane: 1, 2 or 4. */
extern size_t srm_pack_group(SrmPacking packing);

/* Lanes for cols columns. */
extern size_t srm_pack_lanes(SrmPacking packing, size_t cols);

/* Bytes of one panel, and of all; multiples of 64.  0 where the size does not fit. */
extern size_t srm_pack_panel_bytes(SrmPacking packing, size_t cols);
extern size_t srm_pack_bytes(SrmPacking packing, size_t rows, size_t cols);

/* Bytes from one packed row of activations, of cols columns, to the next; keeps rows out of each other's sets. */
extern size_t srm_pack_row_bytes(SrmPacking packing, size_t cols);

/* A name that changes whenever the packing does, such as "bf16-32x2". */
extern const char *srm_packing_name(SrmPacking packing);

/*
 * Packs n_rows rows of w from first_row on, a multiple of SRM_PANEL as n_rows is unless it ends
 * the matrix: so a caller may stop in between, or share the work among threads.  out is the
 * start of the whole, srm_pack_bytes() bytes aligned to 64.
 *
 * bf16 rounds to nearest, ties to even.  int8 scales each row by its greatest magnitude / 127, w8 each
 * SRM_SCALE_COLS columns of a row; a matrix of 8 bits of the same kind keeps its values and scales, unless it is changed.  Where
 * a value is not finite, the scale is not: its products are NaN.
 */
extern void srm_pack_rows(void *out, const SrmMatrix *w, SrmPacking packing,
						  size_t first_row, size_t n_rows);

/* The panel of that number, srm_pack_panel_bytes() bytes. */
extern void srm_pack_panel(void *panel, const SrmMatrix *w, SrmPacking packing, size_t number);

/*
 * values (w.cols) = a row in units of its scales (srm_scales_count(cols, dtype)), as packing
 * rounds it to 8 bits of a kind, SRM_INT8 or SRM_W8.  A scale is not finite where a value is not.
 */
extern void srm_pack_quantize_row(int8_t *values, float *scales, const SrmMatrix *w, size_t row, SrmDtype dtype);

/* Nearest bfloat, ties to even; NaN stays NaN. */
static inline uint16_t
srm_bf16_of_float(float value)
{
	union
	{
		float		value;
		uint32_t	bits;
	}			u = {value};

	if (value != value)
		return (uint16_t) (u.bits >> 16 | 0x40);
	return (uint16_t) ((u.bits + 0x7FFF + (u.bits >> 16 & 1)) >> 16);
}

/*
 * What "auto" means for weights of a dtype: the kind that keeps them as
 * published and is fastest here.
 */
extern SrmCompute srm_compute_auto(SrmDtype dtype);
extern const char *srm_compute_name(SrmCompute compute);	/* "f32", "bf16", "int8", "w8" */

/* The arithmetic whose products a kind uses: its own, or for w8 that of f32. */
extern SrmCompute srm_compute_products(SrmCompute compute);

#endif							/* SRM_PACK_H */
