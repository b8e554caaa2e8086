/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  Kernels for x86-64 with AVX-512 F, BW, DQ and VL.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/kernels.h"

#ifdef SRM_HAVE_KERNELS_AVX2

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "nn/pack.h"

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

/* Up to 16 floats, and zeros behind them */
static inline __attribute__((always_inline)) __m512
load_magnitudes(const float *x, size_t n)
{
	return _mm512_abs_ps(_mm512_maskz_loadu_ps(n >= 16 ? 0xFFFF : (__mmask16) ((1u << n) - 1), x));
}

/* As count_above() in gemm_loops.h */
static inline float
count_above_by_16(const float *x, size_t n, float limit, size_t *n_above)
{
	const __m512 limits = _mm512_set1_ps(limit);
	__m512		greatest = _mm512_setzero_ps();

	*n_above = 0;
	for (size_t i = 0; i < n; i += 16)
	{
		__m512		magnitudes = load_magnitudes(x + i, n - i);
		__mmask16	above = _mm512_cmp_ps_mask(magnitudes, limits, _CMP_GT_OQ);

		*n_above += (size_t) __builtin_popcount(above);
		greatest = _mm512_mask_max_ps(greatest, (__mmask16) ~above, greatest, magnitudes);
	}
	return _mm512_reduce_max_ps(greatest);
}

static inline size_t
find_above_by_16(const float *x, size_t i, size_t n, float limit)
{
	for (; i < n; i += 16)
	{
		__mmask16	above = _mm512_cmp_ps_mask(load_magnitudes(x + i, n - i), _mm512_set1_ps(limit), _CMP_GT_OQ);

		if (above != 0)
			return i + (size_t) __builtin_ctz(above);
	}
	return i;
}

#define COUNT_ABOVE	count_above_by_16
#define FIND_ABOVE	find_above_by_16
#include "nn/gemm_avx512.h"

DEFINE_MULTIPLY(srm_multiply_f32_avx512, "vfmadd231ps", add_floats, finish_floats)

static void
read_f16_by_16(float *out, const uint16_t *values, size_t n)
{
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) (values + i))));
	read_f16(out + i, values + i, n - i);
}

/* As measure_row() */
INLINE void
measure_by_16(const float *x, size_t n, float *sum, float *greatest)
{
	__m512		sums[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
	__m512		maxima[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};

	for (size_t i = 0; i < n; i += 32)
		for (size_t j = 0; j < 2; j++)
		{
			__m512		magnitudes = load_magnitudes(x + i + j * 16, n - i < j * 16 ? 0 : n - i - j * 16);

			sums[j] = _mm512_add_ps(sums[j], magnitudes);
			maxima[j] = _mm512_max_ps(magnitudes, maxima[j]);
		}
	*sum = _mm512_reduce_add_ps(_mm512_add_ps(sums[0], sums[1]));
	*greatest = _mm512_reduce_max_ps(_mm512_max_ps(maxima[0], maxima[1]));
}

static void
pack_row_int8_by_16(void *out, const float *x, size_t n)
{
	size_t		lanes = srm_pack_lanes(SRM_COMPUTE_INT8, n);
	char	   *values = out;
	SrmRowScale *scale = (SrmRowScale *) (void *) (values + lanes * 4);
	const __m512i least = _mm512_set1_epi32(-127);
	const __m128i offset = _mm_set1_epi8(-128);
	float		sum;
	float		greatest;
	__m512		inverse;

	measure_by_16(x, n, &sum, &greatest);
	inverse = _mm512_set1_ps(find_row_scale(scale, x, n, sum, greatest));
	for (size_t i = 0; i < lanes * 4; i += 16)
	{
		size_t		left = n < i ? 0 : n - i;
		__mmask16	mask = left >= 16 ? 0xFFFF : (__mmask16) ((1u << left) - 1);
		__m512		steps = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), inverse);
		__m128i		bytes = _mm512_cvtsepi32_epi8(_mm512_max_epi32(_mm512_cvtps_epi32(steps), least));

		_mm_storeu_si128((__m128i *) (void *) (values + i), _mm_xor_si128(bytes, offset));
	}
	finish_outliers(scale, (const uint8_t *) values);
}

/* Turns each 4 x 4 of lanes round, of four rows and a quarter of a register. */
INLINE void
transpose_fours(__m512i *rows)
{
	for (int i = 0; i < 16; i += 4)
	{
		__m512i		t0 = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
		__m512i		t1 = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
		__m512i		t2 = _mm512_unpacklo_epi32(rows[i + 2], rows[i + 3]);
		__m512i		t3 = _mm512_unpackhi_epi32(rows[i + 2], rows[i + 3]);

		rows[i] = _mm512_unpacklo_epi64(t0, t2);
		rows[i + 1] = _mm512_unpackhi_epi64(t0, t2);
		rows[i + 2] = _mm512_unpacklo_epi64(t1, t3);
		rows[i + 3] = _mm512_unpackhi_epi64(t1, t3);
	}
}

static void
transpose_by_16(void *panel, const void *rows)
{
	for (size_t half = 0; half < 2; half++)
	{
		const char *in = (const char *) rows + half * 16 * SRM_LANES_UNIT * 4;
		char	   *out = (char *) panel + half * 64;
		__m512i		r[16];

		for (int i = 0; i < 16; i++)
			r[i] = _mm512_loadu_si512(in + i * 64);
		transpose_fours(r);
		for (int i = 0; i < 4; i++)
		{
			/* Quarters q of rows i, 4 + i, 8 + i, 12 + i make up column 4 q + i */
			__m512i		a = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88);
			__m512i		b = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88);
			__m512i		c = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xDD);
			__m512i		d = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xDD);

			_mm512_storeu_si512(out + (0 + i) * 128, _mm512_shuffle_i32x4(a, b, 0x88));
			_mm512_storeu_si512(out + (8 + i) * 128, _mm512_shuffle_i32x4(a, b, 0xDD));
			_mm512_storeu_si512(out + (4 + i) * 128, _mm512_shuffle_i32x4(c, d, 0x88));
			_mm512_storeu_si512(out + (12 + i) * 128, _mm512_shuffle_i32x4(c, d, 0xDD));
		}
	}
}

const SrmKernels srm_kernels_avx512 = {
	.name = "avx512",
	.read_f16 = read_f16_by_16,
	.read_bf16 = read_bf16,
	.sum_squares = sum_squares,
	.maximum = maximum,
	.exp_sum = exp_sum,
	.silu_multiply = silu_multiply,
	.gelu_multiply = gelu_multiply,
	.soft_cap = soft_cap,
	.transpose = transpose_by_16,
	.pair_rows = pair_rows,
	.pack_row = {pack_row_f32, pack_row_bf16, pack_row_int8_by_16},
	.multiply = {srm_multiply_f32_avx512, multiply_bf16, multiply_int8}
};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
