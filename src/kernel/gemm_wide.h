/*-------------------------------------------------------------------------
 *
 * gemm_wide.h
 *	  Sums of products of bytes, for processors with AVX-512 and without VNNI.
 *
 * vpmaddubsw would take bytes as they are, but cuts off sums of two products above
 * 32767.  So bytes of 16-bit integers are multiplied apart: 0 and 2 of a lane,
 * then 1 and 3.  Rows are widened once for a block, weights for each strip of rows.
 *
 * Included where Vector is a type of vectors, PANEL_VECTORS says how many hold a lane of
 * a panel, V(operation) is the name of an operation on them, and VI(operation) of one on
 * all of their bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GEMM_WIDE_H
#define SRM_GEMM_WIDE_H

#include "kernel/gemm_loops.h"

#define VECTOR_LANES	(SRM_PANEL / PANEL_VECTORS)

/* With 2 vectors of columns each, 8 registers hold sums, and 4 hold weights: there are 16 */
#define WIDE_ROWS		4

/* Lanes of a strip of rows */
typedef struct WideStrip
{
	int32_t		even[WIDE_ROWS][SRM_LANES_BLOCK];
	int32_t		odd[WIDE_ROWS][SRM_LANES_BLOCK];
} WideStrip;

/* n lanes of x, a multiple of SRM_LANES_UNIT */
INLINE void
widen_row(int32_t *even, int32_t *odd, const char *x, size_t n)
{
	for (size_t k = 0; k < n; k += VECTOR_LANES)
	{
		Vector		bytes = VI(loadu) ((const Vector *) (const void *) (x + k * 4));

		VI(storeu) ((Vector *) (void *) (even + k), VI(and) (bytes, V(set1_epi16) (0xFF)));
		VI(storeu) ((Vector *) (void *) (odd + k), V(srli_epi16) (bytes, 8));
	}
}

/* Adds lanes start .. start + n - 1 of a strip times vectors vector and vector + 1 of the panel. */
INLINE void
add_wide(Vector (*sums)[PANEL_VECTORS], const SrmTile *tile, const WideStrip *strip, const int rows,
		 size_t start, size_t n, size_t vector)
{
	const Vector *panel = (const Vector *) tile->panel + start * PANEL_VECTORS + vector;
	Vector		part[WIDE_ROWS][2];

	for (int r = 0; r < rows; r++)
		for (int i = 0; i < 2; i++)
			part[r][i] = sums[r][vector + i];
	for (size_t k = 0; k < n; k++, panel += PANEL_VECTORS)
	{
		Vector		even[2];
		Vector		odd[2];

		for (int i = 0; i < 2; i++)
		{
			even[i] = V(srai_epi16) (V(slli_epi16) (panel[i], 8), 8);
			odd[i] = V(srai_epi16) (panel[i], 8);
		}
#pragma GCC unroll 4
		for (int r = 0; r < rows; r++)
		{
			Vector		x_even = V(set1_epi32) (strip->even[r][k]);
			Vector		x_odd = V(set1_epi32) (strip->odd[r][k]);

			for (int i = 0; i < 2; i++)
			{
				part[r][i] = V(add_epi32) (part[r][i], V(madd_epi16) (x_even, even[i]));
				part[r][i] = V(add_epi32) (part[r][i], V(madd_epi16) (x_odd, odd[i]));
			}
		}
	}
	for (int r = 0; r < rows; r++)
		for (int i = 0; i < 2; i++)
			sums[r][vector + i] = part[r][i];
}

/* sums (rows) of rows from row on */
INLINE void
sum_wide_strip(Vector (*sums)[PANEL_VECTORS], const SrmTile *tile, const int rows, size_t row)
{
	WideStrip	strip;

	for (int r = 0; r < rows; r++)
		for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
			sums[r][vector] = VI(setzero) ();
	for (size_t start = 0; start < tile->lanes; start += SRM_LANES_BLOCK)
	{
		size_t		n = tile->lanes - start < SRM_LANES_BLOCK ? tile->lanes - start : SRM_LANES_BLOCK;

		for (int r = 0; r < rows; r++)
			widen_row(strip.even[r], strip.odd[r], tile->x + (row + (size_t) r) * tile->x_stride + start * 4, n);
		for (size_t vector = 0; vector < PANEL_VECTORS; vector += 2)
			add_wide(sums, tile, &strip, rows, start, n, vector);
	}
}

/* sums (tile.m) of all lanes */
INLINE void
sum_wide(Vector (*sums)[PANEL_VECTORS], const SrmTile *tile)
{
	for (size_t row = 0; row < tile->m; row += WIDE_ROWS)
		switch (tile->m - row)
		{
			case 1:
				sum_wide_strip(sums + row, tile, 1, row);
				break;
			case 2:
				sum_wide_strip(sums + row, tile, 2, row);
				break;
			case 3:
				sum_wide_strip(sums + row, tile, 3, row);
				break;
			default:
				sum_wide_strip(sums + row, tile, 4, row);
		}
}

#endif							/* SRM_GEMM_WIDE_H */
