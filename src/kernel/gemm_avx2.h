/*-------------------------------------------------------------------------
 *
 * gemm_avx2.h
 *	  What products of bytes with vectors of 8 columns have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GEMM_AVX2_H
#define SRM_GEMM_AVX2_H

#include "kernel/gemm_loops.h"

#define PANEL_VECTORS	(SRM_PANEL / 8)

/* Lane k of the panel, of the columns of a vector */
INLINE __m256i
load_weights(const SrmTile *tile, size_t k, size_t vector)
{
	return _mm256_load_si256((const __m256i *) tile->panel + k * PANEL_VECTORS + vector);
}

/* A product rounded by itself: compilers fuse some with the sum they go into, and some not. */
INLINE __m256
rounded(__m256 product)
{
	__asm__("" : "+x" (product));
	return product;
}

/* rests (PANEL_VECTORS) = what the outliers of a row lack, as in finish_row_int8() of gemm_loops.h. */
static __attribute__((noinline)) void
sum_rests(const SrmTile *tile, const SrmRowScale *x, __m256 *rests)
{
	__m256		sums[PANEL_VECTORS];

	for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
		sums[vector] = _mm256_setzero_ps();
	for (uint32_t i = 0; i < x->n_outliers; i++)
	{
		size_t		col = x->outliers[i].col;
		__m128i		shift = _mm_cvtsi32_si128((int) (24 - 8 * (col % 4)));
		__m256		rest = _mm256_set1_ps(x->outliers[i].rest);

		for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
		{
			__m256i		bytes = _mm256_sll_epi32(load_weights(tile, col / 4, vector), shift);
			__m256		weights = _mm256_cvtepi32_ps(_mm256_srai_epi32(bytes, 24));

			sums[vector] = _mm256_add_ps(sums[vector], rounded(_mm256_mul_ps(rest, weights)));
		}
	}
	for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
		rests[vector] = sums[vector];
}

/* The first n of 8 lanes, or all of them, as a mask for loads and stores */
INLINE __m256i
first_lanes(size_t n)
{
	const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? (int) n : 8), numbers);
}

/* What sums have too much, since bytes of activations have 128 for zero, of the columns of a vector */
INLINE __m256i
load_offset(const SrmTile *tile, size_t vector)
{
	return _mm256_slli_epi32(_mm256_loadu_si256((const __m256i *) panel_sums(tile) + vector), 7);
}

/* The columns of a vector in a row of out, or what the tile has of them = values + bias; a store with a mask takes long. */
INLINE void
write_columns(const SrmTile *tile, float *out, __m256 values, size_t vector)
{
	size_t		first = vector * 8;
	__m256		bias = _mm256_setzero_ps();

	if (first + 8 <= tile->n)
	{
		if (tile->bias != NULL)
			bias = _mm256_loadu_ps(tile->bias + first);
		_mm256_storeu_ps(out + first, _mm256_add_ps(values, bias));
	}
	else if (first < tile->n)
	{
		__m256i		mask = first_lanes(tile->n - first);

		if (tile->bias != NULL)
			bias = _mm256_maskload_ps(tile->bias + first, mask);
		_mm256_maskstore_ps(out + first, mask, _mm256_add_ps(values, bias));
	}
}

/* The output of one row from exact sums, as finish_row_int8() of gemm_loops.h makes it */
INLINE void
finish_bytes(const SrmTile *tile, size_t row, const __m256i *sums)
{
	const SrmRowScale *x = row_scale(tile, row);
	float	   *out = tile->out + row * tile->out_stride;
	__m256		rests[PANEL_VECTORS];

	for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
		rests[vector] = _mm256_setzero_ps();
	if (x->n_outliers > 0)
		sum_rests(tile, x, rests);
	for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
	{
		__m256		exact = _mm256_cvtepi32_ps(_mm256_sub_epi32(sums[vector], load_offset(tile, vector)));
		__m256		values = _mm256_add_ps(rounded(_mm256_mul_ps(_mm256_set1_ps(x->scale), exact)), rests[vector]);

		values = rounded(_mm256_mul_ps(values, _mm256_loadu_ps(panel_scales(tile) + vector * 8)));
		write_columns(tile, out, values, vector);
	}
}

#endif							/* SRM_GEMM_AVX2_H */
