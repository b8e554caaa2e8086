/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *	  Kernels for x86-64 with AVX-512 F, BW, DQ and VL.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#ifdef SRM_HAVE_KERNELS_AVX2

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pack.h"

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif

#include "kernel/gemm_avx512.h"

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

/* Products of training: 12 x 2 of 32 registers for the sums */
#define WIDTH			16
#define TILE_ROWS		12
#define TILE_VECTORS	2
#define TRANSPOSE		transpose_by_16
#include "kernel/train_loops.h"

/* The first n of 16 lanes, or all of them */
INLINE __mmask16
first_lanes(size_t n)
{
	return n >= 16 ? 0xFFFF : (__mmask16) ((1u << n) - 1);
}

/* Up to 16 floats, and zeros behind them */
INLINE __m512
load_part(const float *x, size_t n)
{
	return _mm512_maskz_loadu_ps(first_lanes(n), x);
}

/* 64 floats from x on, as far as there are n, and zeros behind them */
INLINE void
load_64(__m512 *values, const float *x, size_t n)
{
	for (size_t i = 0; i < 4; i++)
		values[i] = n >= 64 ? _mm512_loadu_ps(x + i * 16) : load_part(x + i * 16, n < i * 16 ? 0 : n - i * 16);
}

DEFINE_MULTIPLY(srm_multiply_f32_avx512, "vfmadd231ps", add_floats, finish_floats)

#define Vector			__m512i
#define PANEL_VECTORS	(SRM_PANEL / 16)
#define V(operation)	_mm512_##operation
#define VI(operation)	_mm512_##operation##_si512
#include "kernel/gemm_wide.h"

static void
multiply_int8_wide(const SrmTile *tile)
{
	__m512i		sums[SRM_TILE_ROWS][PANEL_VECTORS];

	sum_wide(sums, tile);
	finish_bytes(tile, sums);
}

static void
read_f16_by_16(float *out, const uint16_t *values, size_t n)
{
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) (values + i))));
	read_f16(out + i, values + i, n - i);
}

/*
 * Loops over floats.  Four vectors at a time have sums of their own, so that no
 * addition waits for the one before; what is left of the row goes to the first.
 */

INLINE float
add_four(const __m512 *sums)
{
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sums[0], sums[1]),
											  _mm512_add_ps(sums[2], sums[3])));
}

INLINE float
maximum_of_four(const __m512 *maxima)
{
	return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(maxima[0], maxima[1]),
											  _mm512_max_ps(maxima[2], maxima[3])));
}

static float
sum_squares_by_16(const float *x, size_t n)
{
	__m512		sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
	size_t		i = 0;

	for (; i + 64 <= n; i += 64)
		for (int j = 0; j < 4; j++)
		{
			__m512		values = _mm512_loadu_ps(x + i + j * 16);

			sums[j] = _mm512_fmadd_ps(values, values, sums[j]);
		}
	for (; i < n; i += 16)
	{
		__m512		values = load_part(x + i, n - i);

		sums[0] = _mm512_fmadd_ps(values, values, sums[0]);
	}
	return add_four(sums);
}

static void
norm_by_16(float *out, const float *x, const float *weight, float eps, size_t n)
{
	__m512		scale = _mm512_set1_ps(norm_scale(sum_squares_by_16(x, n), eps, n));
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(x + i), scale),
												_mm512_loadu_ps(weight + i)));
	if (i < n)
		_mm512_mask_storeu_ps(out + i, first_lanes(n - i),
							  _mm512_mul_ps(_mm512_mul_ps(load_part(x + i, n - i), scale),
											load_part(weight + i, n - i)));
}

static float
maximum_by_16(const float *x, size_t n)
{
	const __m512 first = _mm512_set1_ps(x[0]);
	__m512		maxima[4] = {first, first, first, first};
	size_t		i = 0;

	for (; i + 64 <= n; i += 64)
		for (int j = 0; j < 4; j++)
			maxima[j] = _mm512_max_ps(_mm512_loadu_ps(x + i + j * 16), maxima[j]);
	for (; i < n; i += 16)
		maxima[0] = _mm512_mask_max_ps(maxima[0], first_lanes(n - i), load_part(x + i, n - i), maxima[0]);
	return maximum_of_four(maxima);
}

/*
 * exp(x) within 2 units in the last place, for x up to 88; below -87 it is exp(-87):
 * 2^n * exp(r) with n a multiple of 1/16 and |r| <= log(2) / 32.  The sixteenths of n choose
 * from a register, scalef() takes the whole part, and a short polynomial does for exp(r).
 * Of two operands, max() returns the second where one is NaN, so that NaN goes through.
 */
INLINE __m512
exp_16(__m512 x)
{
	const __m512 powers = _mm512_setr_ps(
		1.0f, 1.04427373f, 1.09050775f, 1.13878858f,
		1.18920708f, 1.24185777f, 1.29683959f, 1.35425556f,
		1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f,
		1.68179286f, 1.75625217f, 1.8340081f, 1.91520655f);
	const __m512 shift = _mm512_set1_ps(786432.0f); /* 1.5 * 2^19: adding it rounds to sixteenths */
	__m512		y = _mm512_max_ps(_mm512_set1_ps(-87.0f), x);
	__m512		shifted = _mm512_fmadd_ps(y, _mm512_set1_ps(1.44269504088896341f), shift);
	__m512		n = _mm512_sub_ps(shifted, shift);
	__m512		r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), y);
	__m512		power = _mm512_permutexvar_ps(_mm512_castps_si512(shifted), powers);
	__m512		p;

	r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), r);
	p = _mm512_fmadd_ps(r, _mm512_set1_ps(1.0f / 6), _mm512_set1_ps(0.5f));
	p = _mm512_fmadd_ps(_mm512_mul_ps(p, r), r, r);
	return _mm512_scalef_ps(_mm512_fmadd_ps(power, p, power), n);
}

static float
exp_sum_by_16(float *x, size_t n, float shift)
{
	const __m512 shifts = _mm512_set1_ps(shift);
	__m512		sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
	size_t		i = 0;

	for (; i + 64 <= n; i += 64)
		for (int j = 0; j < 4; j++)
		{
			__m512		values = exp_16(_mm512_sub_ps(_mm512_loadu_ps(x + i + j * 16), shifts));

			_mm512_storeu_ps(x + i + j * 16, values);
			sums[j] = _mm512_add_ps(sums[j], values);
		}
	for (; i < n; i += 16)
	{
		__mmask16	mask = first_lanes(n - i);
		__m512		values = exp_16(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), shifts));

		_mm512_mask_storeu_ps(x + i, mask, values);
		sums[0] = _mm512_mask_add_ps(sums[0], mask, sums[0], values);
	}
	return add_four(sums);
}

INLINE __m512
silu_16(__m512 x, __m512 y)
{
	__m512		e = exp_16(_mm512_min_ps(_mm512_set1_ps(88.0f), _mm512_sub_ps(_mm512_setzero_ps(), x)));

	return _mm512_mul_ps(_mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), e)), y);
}

static void
silu_multiply_by_16(float *out, const float *x, const float *y, size_t n)
{
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
		_mm512_storeu_ps(out + i, silu_16(_mm512_loadu_ps(x + i), _mm512_loadu_ps(y + i)));
	if (i < n)
		_mm512_mask_storeu_ps(out + i, first_lanes(n - i),
							  silu_16(load_part(x + i, n - i), load_part(y + i, n - i)));
}

/* As measure_row(), in its order */
INLINE void
measure_by_64(const float *x, size_t n, float *sum, float *greatest)
{
	__m512		sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};
	__m512		maxima[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};

	for (size_t i = 0; i < n; i += 64)
	{
		__m512		values[4];

		load_64(values, x + i, n - i);
		for (int j = 0; j < 4; j++)
		{
			sums[j] = _mm512_add_ps(sums[j], _mm512_abs_ps(values[j]));
			maxima[j] = _mm512_max_ps(_mm512_abs_ps(values[j]), maxima[j]);
		}
	}
	*sum = add_four(sums);
	*greatest = maximum_of_four(maxima);
}

/* Which of 64 magnitudes are above, and maxima (4) raised to those that are not */
INLINE uint64_t
split_64(__m512 *maxima, const __m512 *values, __m512 limits)
{
	uint64_t	above = 0;

	for (int j = 0; j < 4; j++)
	{
		__m512		magnitudes = _mm512_abs_ps(values[j]);
		__mmask16	mask = _mm512_cmp_ps_mask(magnitudes, limits, _CMP_GT_OQ);

		maxima[j] = _mm512_mask_max_ps(maxima[j], (__mmask16) ~mask, maxima[j], magnitudes);
		above |= (uint64_t) mask << 16 * j;
	}
	return above;
}

/* As list_above() in gemm_loops.h */
static inline float
list_above_by_64(uint32_t *cols, const float *x, size_t n, float limit, size_t *n_above)
{
	const __m512 limits = _mm512_set1_ps(limit);
	__m512		maxima[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps()};

	*n_above = 0;
	for (size_t i = 0; i < n; i += 64)
	{
		__m512		values[4];

		load_64(values, x + i, n - i);
		for (uint64_t above = split_64(maxima, values, limits); above != 0; above &= above - 1)
		{
			if (*n_above < SRM_MAX_OUTLIERS)
				cols[*n_above] = (uint32_t) i + (uint32_t) __builtin_ctzll(above);
			(*n_above)++;
		}
	}
	return maximum_of_four(maxima);
}

/* Bytes of 64 values in vectors of 16, as quantize_row() */
INLINE __m512i
quantize_64(const __m512 *x, __m512 inverse)
{
	/* Packing works within quarters of a register: it leaves fours of bytes in this order */
	const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
	__m512i		steps[4];
	__m512i		bytes;

	/* What is too large for an integer would become the least one */
	for (int j = 0; j < 4; j++)
		steps[j] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_mul_ps(x[j], inverse), _mm512_set1_ps(127.0f)));
	bytes = _mm512_packs_epi16(_mm512_packs_epi32(steps[0], steps[1]), _mm512_packs_epi32(steps[2], steps[3]));
	bytes = _mm512_max_epi8(bytes, _mm512_set1_epi8(-127));
	return _mm512_xor_si512(_mm512_permutexvar_epi32(order, bytes), _mm512_set1_epi8(-128));
}

static void
pack_row_int8_by_64(void *out, const float *x, size_t n)
{
	char	   *values = out;
	SrmRowScale *scale = (SrmRowScale *) (void *) (values + 4 * srm_pack_lanes(SRM_PACKING_INT8, n));
	float		sum;
	float		greatest;
	__m512		inverse;

	measure_by_64(x, n, &sum, &greatest);
	inverse = _mm512_set1_ps(find_row_scale(scale, x, n, sum, greatest, list_above_by_64));
	/* Lanes come in sixteens, that is 64 bytes */
	for (size_t i = 0; i < n; i += 64)
	{
		__m512		part[4];

		load_64(part, x + i, n - i);
		_mm512_storeu_si512(values + i, quantize_64(part, inverse));
	}
	finish_outliers(scale, (const uint8_t *) values);
}

const SrmKernels srm_kernels_avx512 = {
	.name = "avx512",
	.tile_rows = {SRM_TILE_ROWS, SRM_TILE_ROWS, SRM_TILE_ROWS},
	.read_f16 = read_f16_by_16,
	.read_bf16 = read_bf16,
	.sum_squares = sum_squares_by_16,
	.norm = norm_by_16,
	.maximum = maximum_by_16,
	.exp_sum = exp_sum_by_16,
	.silu_multiply = silu_multiply_by_16,
	.gelu_multiply = gelu_multiply,
	.gelu_erf_multiply = gelu_erf_multiply,
	.soft_cap = soft_cap,
	.turn = turn,
	.transpose = transpose_by_16,
	.pair_rows = pair_rows,
	.pack_row = {pack_row_f32, pack_row_bf16, pack_row_int8_by_64},
	.multiply = {srm_multiply_f32_avx512, multiply_bf16, multiply_int8_wide},
	.unpack = {NULL, unpack_bf16, unpack_int8, unpack_w8},
	TRAIN_LOOPS
};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
