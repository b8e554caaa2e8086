/*-------------------------------------------------------------------------
 *
 * gemm_avx512.h
 *	  Tiles of products with AVX-512.
 *
 * 12 rows times 2 vectors are 24 registers of sums.  A lane costs 2 loads of
 * weights and 12 of activations for 24 products, so that the units that multiply are
 * the limit, and not the loads.  The loop over lanes is in assembly, since
 * compilers keep some of the sums in memory, which costs half of the speed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GEMM_AVX512_H
#define SRM_GEMM_AVX512_H

#include "kernel/gemm_loops.h"

/* Row r: broadcast its lane, multiply it with both vectors of weights. */
#define MULTIPLY_ROW(op, x, a, s0, s1) \
	"vpbroadcastd " x ", %%zmm" a "\n\t" \
	op " %%zmm24, %%zmm" a ", %%zmm" s0 "\n\t" \
	op " %%zmm25, %%zmm" a ", %%zmm" s1 "\n\t"

#define MULTIPLY_1(op) MULTIPLY_ROW(op, "(%[x0])", "26", "0", "1")
#define MULTIPLY_2(op) MULTIPLY_1(op) MULTIPLY_ROW(op, "(%[x0],%[stride])", "27", "2", "3")
#define MULTIPLY_3(op) MULTIPLY_2(op) MULTIPLY_ROW(op, "(%[x0],%[stride],2)", "28", "4", "5")
#define MULTIPLY_4(op) MULTIPLY_3(op) MULTIPLY_ROW(op, "(%[x3])", "29", "6", "7")
#define MULTIPLY_5(op) MULTIPLY_4(op) MULTIPLY_ROW(op, "(%[x3],%[stride])", "30", "8", "9")
#define MULTIPLY_6(op) MULTIPLY_5(op) MULTIPLY_ROW(op, "(%[x3],%[stride],2)", "31", "10", "11")
#define MULTIPLY_7(op) MULTIPLY_6(op) MULTIPLY_ROW(op, "(%[x6])", "26", "12", "13")
#define MULTIPLY_8(op) MULTIPLY_7(op) MULTIPLY_ROW(op, "(%[x6],%[stride])", "27", "14", "15")
#define MULTIPLY_9(op) MULTIPLY_8(op) MULTIPLY_ROW(op, "(%[x6],%[stride],2)", "28", "16", "17")
#define MULTIPLY_10(op) MULTIPLY_9(op) MULTIPLY_ROW(op, "(%[x9])", "29", "18", "19")
#define MULTIPLY_11(op) MULTIPLY_10(op) MULTIPLY_ROW(op, "(%[x9],%[stride])", "30", "20", "21")
#define MULTIPLY_12(op) MULTIPLY_11(op) MULTIPLY_ROW(op, "(%[x9],%[stride],2)", "31", "22", "23")

#define STORE_ROW(s0, s1, at0, at1) \
	"vmovdqu64 %%zmm" s0 ", " at0 "(%[sums])\n\t" \
	"vmovdqu64 %%zmm" s1 ", " at1 "(%[sums])\n\t"

#define STORE_1 STORE_ROW("0", "1", "0", "64")
#define STORE_2 STORE_1 STORE_ROW("2", "3", "128", "192")
#define STORE_3 STORE_2 STORE_ROW("4", "5", "256", "320")
#define STORE_4 STORE_3 STORE_ROW("6", "7", "384", "448")
#define STORE_5 STORE_4 STORE_ROW("8", "9", "512", "576")
#define STORE_6 STORE_5 STORE_ROW("10", "11", "640", "704")
#define STORE_7 STORE_6 STORE_ROW("12", "13", "768", "832")
#define STORE_8 STORE_7 STORE_ROW("14", "15", "896", "960")
#define STORE_9 STORE_8 STORE_ROW("16", "17", "1024", "1088")
#define STORE_10 STORE_9 STORE_ROW("18", "19", "1152", "1216")
#define STORE_11 STORE_10 STORE_ROW("20", "21", "1280", "1344")
#define STORE_12 STORE_11 STORE_ROW("22", "23", "1408", "1472")

#define ZERO(s0, s1) \
	"vpxord %%zmm" s0 ", %%zmm" s0 ", %%zmm" s0 "\n\t" \
	"vpxord %%zmm" s1 ", %%zmm" s1 ", %%zmm" s1 "\n\t"
#define ZERO_ALL \
	ZERO("0", "1") ZERO("2", "3") ZERO("4", "5") \
	ZERO("6", "7") ZERO("8", "9") ZERO("10", "11") \
	ZERO("12", "13") ZERO("14", "15") ZERO("16", "17") \
	ZERO("18", "19") ZERO("20", "21") ZERO("22", "23")

/* The sums of rows rows over a block of lanes; volatile, for it writes memory. */
#define BLOCK(op, rows) \
	__asm__ volatile( \
		ZERO_ALL \
		".p2align 5\n" \
		"1:\n\t" \
		"vmovdqu64 (%[w]), %%zmm24\n\t" \
		"vmovdqu64 64(%[w]), %%zmm25\n\t" \
		"prefetcht0 (%[prefetch])\n\t" \
		MULTIPLY_##rows(op) \
		"add $128, %[w]\n\t" \
		"add %[step], %[prefetch]\n\t" \
		"add $4, %[x0]\n\t" \
		"add $4, %[x3]\n\t" \
		"add $4, %[x6]\n\t" \
		"add $4, %[x9]\n\t" \
		"dec %[left]\n\t" \
		"jnz 1b\n\t" \
		STORE_##rows \
		: [w] "+r" (w), [prefetch] "+r" (prefetch), [left] "+r" (n), \
		  [x0] "+r" (x0), [x3] "+r" (x3), [x6] "+r" (x6), [x9] "+r" (x9) \
		: [stride] "r" (tile->x_stride), [step] "r" (tile->prefetch_step), [sums] "r" (sums) \
		: "cc", "memory", \
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
		  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", \
		  "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", \
		  "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"); \
	break

/*
 * name_block(): sums (tile.m, 2) = the products of lanes start .. start + n - 1, n at least 1.
 * Rows beyond tile.m are not read, though pointers to them are formed.
 */
#define DEFINE_BLOCK(name, op) \
static void \
name##_block(const SrmTile *tile, size_t start, size_t n, __m512i (*sums)[2]) \
{ \
	const char *w = (const char *) tile->panel + start * SRM_PANEL * 4; \
	const char *prefetch = tile->prefetch + start * tile->prefetch_step; \
	const char *x0 = tile->x + start * 4; \
	const char *x3 = x0 + 3 * tile->x_stride; \
	const char *x6 = x3 + 3 * tile->x_stride; \
	const char *x9 = x6 + 3 * tile->x_stride; \
\
	switch (tile->m) \
	{ \
		case 1: BLOCK(op, 1); \
		case 2: BLOCK(op, 2); \
		case 3: BLOCK(op, 3); \
		case 4: BLOCK(op, 4); \
		case 5: BLOCK(op, 5); \
		case 6: BLOCK(op, 6); \
		case 7: BLOCK(op, 7); \
		case 8: BLOCK(op, 8); \
		case 9: BLOCK(op, 9); \
		case 10: BLOCK(op, 10); \
		case 11: BLOCK(op, 11); \
		case 12: BLOCK(op, 12); \
	} \
}

/* Where the tile will be written: it is not in the caches when the products are large. */
INLINE void
fetch_out(const SrmTile *tile)
{
	for (size_t row = 0; row < tile->m; row++)
		for (size_t col = 0; col < SRM_PANEL; col += 16)
			__builtin_prefetch(tile->out + row * tile->out_stride + col, 1);
}

/* name(), an SrmMultiply: adds the sums of blocks with add(), and has finish() make the output. */
#define DEFINE_MULTIPLY(name, op, add, finish) \
DEFINE_BLOCK(name, op) \
\
void \
name(const SrmTile *tile) \
{ \
	__m512i		sums[SRM_TILE_ROWS][2]; \
	__m512i		totals[SRM_TILE_ROWS][2]; \
\
	fetch_out(tile); \
	for (size_t start = 0; start < tile->lanes; start += SRM_LANES_BLOCK) \
	{ \
		size_t		left = tile->lanes - start; \
\
		name##_block(tile, start, left < SRM_LANES_BLOCK ? left : SRM_LANES_BLOCK, \
					 start == 0 ? totals : sums); \
		for (size_t r = 0; start > 0 && r < tile->m; r++) \
		{ \
			totals[r][0] = add(totals[r][0], sums[r][0]); \
			totals[r][1] = add(totals[r][1], sums[r][1]); \
		} \
	} \
	finish(tile, totals); \
}

/* The columns of vector half (0 or 1) that the tile has. */
INLINE __mmask16
columns(const SrmTile *tile, size_t half)
{
	size_t		n = tile->n < half * 16 ? 0 : tile->n - half * 16;

	return n >= 16 ? 0xFFFF : (__mmask16) ((1u << n) - 1);
}

INLINE void
finish_floats(const SrmTile *tile, __m512i (*sums)[2])
{
	__mmask16	masks[2] = {columns(tile, 0), columns(tile, 1)};
	__m512		bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
	float	   *out = tile->out;

	for (int half = 0; half < 2 && tile->bias != NULL; half++)
		bias[half] = _mm512_maskz_loadu_ps(masks[half], tile->bias + half * 16);
	for (size_t row = 0; row < tile->m; row++, out += tile->out_stride)
		for (int half = 0; half < 2; half++)
			_mm512_mask_storeu_ps(out + half * 16, masks[half],
								  _mm512_add_ps(_mm512_castsi512_ps(sums[row][half]), bias[half]));
}

/* A product rounded by itself, as in gemm_avx2.h: all sets give the same bits. */
INLINE __m512
rounded(__m512 product)
{
	__asm__("" : "+v" (product));
	return product;
}

/* rests = what the outliers of a row lack, as in finish_row_int8() of gemm_loops.h. */
static __attribute__((noinline)) void
sum_rests(const SrmTile *tile, const SrmRowScale *x, __m512 *rests)
{
	__m512		sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};

	for (uint32_t i = 0; i < x->n_outliers; i++)
	{
		size_t		col = x->outliers[i].col;
		const char *lane = (const char *) tile->panel + col / 4 * SRM_PANEL * 4;
		__m128i		shift = _mm_cvtsi32_si128((int) (24 - 8 * (col % 4)));
		__m512		rest = _mm512_set1_ps(x->outliers[i].rest);

		for (int half = 0; half < 2; half++)
		{
			__m512i		bytes = _mm512_sll_epi32(_mm512_loadu_si512(lane + half * 64), shift);
			__m512		weights = _mm512_cvtepi32_ps(_mm512_srai_epi32(bytes, 24));

			sums[half] = _mm512_add_ps(sums[half], rounded(_mm512_mul_ps(rest, weights)));
		}
	}
	rests[0] = sums[0];
	rests[1] = sums[1];
}

INLINE void
finish_bytes(const SrmTile *tile, __m512i (*sums)[2])
{
	__mmask16	masks[2] = {columns(tile, 0), columns(tile, 1)};
	__m512i		offsets[2];
	__m512		scales[2];
	__m512		bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
	float	   *out = tile->out;

	for (int half = 0; half < 2; half++)
	{
		offsets[half] = _mm512_slli_epi32(_mm512_loadu_si512(panel_sums(tile) + half * 16), 7);
		scales[half] = _mm512_loadu_ps(panel_scales(tile) + half * 16);
		if (tile->bias != NULL)
			bias[half] = _mm512_maskz_loadu_ps(masks[half], tile->bias + half * 16);
	}
	for (size_t row = 0; row < tile->m; row++, out += tile->out_stride)
	{
		const SrmRowScale *x = row_scale(tile, row);
		__m512		rests[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};

		if (x->n_outliers > 0)
			sum_rests(tile, x, rests);
		for (int half = 0; half < 2; half++)
		{
			__m512		exact = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[row][half], offsets[half]));
			__m512		values = _mm512_add_ps(rounded(_mm512_mul_ps(_mm512_set1_ps(x->scale), exact)), rests[half]);

			values = rounded(_mm512_mul_ps(values, scales[half]));
			_mm512_mask_storeu_ps(out + half * 16, masks[half], _mm512_add_ps(values, bias[half]));
		}
	}
}

INLINE __m512i
add_floats(__m512i a, __m512i b)
{
	return _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b)));
}

#endif							/* SRM_GEMM_AVX512_H */
