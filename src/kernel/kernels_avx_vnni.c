/*-------------------------------------------------------------------------
 *
 * kernels_avx_vnni.c
 *	  Kernels for x86-64 with AVX-VNNI: products of bytes without AVX-512.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#ifdef SRM_HAVE_KERNELS_AVX_VNNI

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pack.h"

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avxvnni")
#endif

#include "kernel/gemm_avx2.h"

/* With 2 vectors of columns each, 12 of 16 registers hold sums */
#define STRIP_BYTES		6

/* sums (rows) of vectors vector and vector + 1 of the panel, over all lanes */
INLINE void
add_strip(__m256i (*sums)[PANEL_VECTORS], const SrmTile *tile, const int rows, size_t row, size_t vector)
{
	const char *x = tile->x + row * tile->x_stride;
	__m256i		part[STRIP_BYTES][2];

	for (int r = 0; r < rows; r++)
		part[r][0] = part[r][1] = _mm256_setzero_si256();
	for (size_t k = 0; k < tile->lanes; k++)
	{
		__m256i		weights[2] = {load_weights(tile, k, vector), load_weights(tile, k, vector + 1)};

#pragma GCC unroll 6
		for (int r = 0; r < rows; r++)
		{
			__m256i		lane = _mm256_set1_epi32(read_lane(x + (size_t) r * tile->x_stride + k * 4));

			part[r][0] = _mm256_dpbusd_avx_epi32(part[r][0], lane, weights[0]);
			part[r][1] = _mm256_dpbusd_avx_epi32(part[r][1], lane, weights[1]);
		}
	}
	for (int r = 0; r < rows; r++)
		for (int i = 0; i < 2; i++)
			sums[r][vector + i] = part[r][i];
}

INLINE void
multiply_bytes_strip(const SrmTile *tile, const int rows, size_t row)
{
	__m256i		sums[STRIP_BYTES][PANEL_VECTORS];

	for (size_t vector = 0; vector < PANEL_VECTORS; vector += 2)
		add_strip(sums, tile, rows, row, vector);
	for (int r = 0; r < rows; r++)
		finish_bytes(tile, row + (size_t) r, sums[r]);
}

void
srm_multiply_int8_avx_vnni(const SrmTile *tile)
{
	for (size_t row = 0; row < tile->m; row += STRIP_BYTES)
		switch (tile->m - row)
		{
			case 1:
				multiply_bytes_strip(tile, 1, row);
				break;
			case 2:
				multiply_bytes_strip(tile, 2, row);
				break;
			case 3:
				multiply_bytes_strip(tile, 3, row);
				break;
			case 4:
				multiply_bytes_strip(tile, 4, row);
				break;
			case 5:
				multiply_bytes_strip(tile, 5, row);
				break;
			default:
				multiply_bytes_strip(tile, 6, row);
		}
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX_VNNI */
