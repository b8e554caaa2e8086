/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *	  The set of kernels for x86-64 with AVX2, FMA and F16C.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#include "kernel/pack.h"

#ifdef SRM_HAVE_KERNELS_AVX2

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif

#include "kernel/gemm_avx2.h"

/* r[i] = column i of 8 x 8 floats */
INLINE void
transpose_eights(__m256 *r)
{
	__m256		pairs[8];
	__m256		fours[8];

	for (int i = 0; i < 8; i += 2)
	{
		pairs[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		pairs[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4)
		for (int j = 0; j < 2; j++)
		{
			fours[i + 2 * j] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0x44);
			fours[i + 2 * j + 1] = _mm256_shuffle_ps(pairs[i + j], pairs[i + j + 2], 0xEE);
		}
	for (int i = 0; i < 4; i++)
	{
		r[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
		r[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
	}
}

static void
transpose_by_8(void *panel, const void *rows)
{
	for (size_t row = 0; row < SRM_PANEL; row += 8)
		for (size_t lane = 0; lane < SRM_LANES_UNIT; lane += 8)
		{
			__m256		r[8];

			for (size_t i = 0; i < 8; i++)
				r[i] = _mm256_loadu_ps((const float *) rows + (row + i) * SRM_LANES_UNIT + lane);
			transpose_eights(r);
			for (size_t i = 0; i < 8; i++)
				_mm256_storeu_ps((float *) panel + (lane + i) * SRM_PANEL + row, r[i]);
		}
}

/* Products of training: 3 x 4 of 16 registers for the sums */
#define WIDTH			8
#define TILE_ROWS		3
#define TILE_VECTORS	4
#define TRANSPOSE		transpose_by_8
#include "kernel/train_loops.h"

/*
 * Products of bytes.  vpmaddubsw multiplies unsigned bytes by signed ones, and cuts off sums of two
 * above 32767.  So it gets the magnitudes of weights, and activations with the signs of the
 * weights: 2 * 128 * 127 at most.
 */

/* With 2 vectors of columns each, 8 of 16 registers hold sums */
#define STRIP_BYTES		4

/* Lanes of a strip of rows, as signed bytes */
typedef int32_t Strip[STRIP_BYTES][SRM_LANES_BLOCK];

/* n lanes of x, a multiple of SRM_LANES_UNIT, less the 128 that bytes of activations have */
INLINE void
read_signed(int32_t *lanes, const char *x, size_t n)
{
	for (size_t k = 0; k < n; k += 8)
	{
		__m256i		bytes = _mm256_loadu_si256((const __m256i *) (const void *) (x + k * 4));

		_mm256_storeu_si256((__m256i *) (void *) (lanes + k), _mm256_xor_si256(bytes, _mm256_set1_epi8(-128)));
	}
}

/* Adds lanes start .. start + n - 1 of a strip times vectors vector and vector + 1 of the panel. */
INLINE void
add_bytes(__m256i (*sums)[PANEL_VECTORS], const SrmTile *tile, Strip strip, const int rows,
		  size_t start, size_t n, size_t vector, bool is_first)
{
	const __m256i ones = _mm256_set1_epi16(1);
	size_t		step;
	const char *prefetch = choose_prefetch(tile, is_first, &step) + start * step;
	__m256i		part[STRIP_BYTES][2];

	for (int r = 0; r < rows; r++)
		for (int i = 0; i < 2; i++)
			part[r][i] = sums[r][vector + i];
	for (size_t k = 0; k < n; k++)
	{
		__m256i		weights[2] = {load_weights(tile, start + k, vector), load_weights(tile, start + k, vector + 1)};
		__m256i		magnitudes[2] = {_mm256_abs_epi8(weights[0]), _mm256_abs_epi8(weights[1])};

		__builtin_prefetch(prefetch);
		prefetch += step;
#pragma GCC unroll 4
		for (int r = 0; r < rows; r++)
		{
			__m256i		lane = _mm256_set1_epi32(strip[r][k]);

			for (int i = 0; i < 2; i++)
			{
				__m256i		pairs = _mm256_maddubs_epi16(magnitudes[i], _mm256_sign_epi8(lane, weights[i]));

				part[r][i] = _mm256_add_epi32(part[r][i], _mm256_madd_epi16(pairs, ones));
			}
		}
	}
	for (int r = 0; r < rows; r++)
		for (int i = 0; i < 2; i++)
			sums[r][vector + i] = part[r][i];
}

/* Rows from row on; sums begin with the offset that finish_bytes() takes off. */
INLINE void
multiply_bytes_strip(const SrmTile *tile, const int rows, size_t row)
{
	__m256i		sums[STRIP_BYTES][PANEL_VECTORS];
	Strip		strip;

	for (int r = 0; r < rows; r++)
		for (size_t vector = 0; vector < PANEL_VECTORS; vector++)
			sums[r][vector] = load_offset(tile, vector);
	for (size_t start = 0; start < tile->lanes; start += SRM_LANES_BLOCK)
	{
		size_t		n = tile->lanes - start < SRM_LANES_BLOCK ? tile->lanes - start : SRM_LANES_BLOCK;

		for (int r = 0; r < rows; r++)
			read_signed(strip[r], tile->x + (row + (size_t) r) * tile->x_stride + start * 4, n);
		for (size_t vector = 0; vector < PANEL_VECTORS; vector += 2)
			add_bytes(sums, tile, strip, rows, start, n, vector, row == 0 && vector == 0);
	}
	for (int r = 0; r < rows; r++)
		finish_bytes(tile, row + (size_t) r, sums[r]);
}

static void
multiply_int8_by_sign(const SrmTile *tile)
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
			default:
				multiply_bytes_strip(tile, 4, row);
		}
}

/*
 * Loops over floats.  Four vectors at a time have sums of their own, so that no
 * addition waits for the one before; what is left of the row goes to the first.
 */

INLINE float
add_8(__m256 x)
{
	__m128		four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	__m128		two = _mm_add_ps(four, _mm_movehl_ps(four, four));

	return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

INLINE float
maximum_of_8(__m256 x)
{
	__m128		four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	__m128		two = _mm_max_ps(four, _mm_movehl_ps(four, four));

	return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static float
maximum_by_32(const float *x, size_t n)
{
	const __m256 first = _mm256_set1_ps(x[0]);
	__m256		maxima[4] = {first, first, first, first};
	size_t		i = 0;

	for (; i + 32 <= n; i += 32)
		for (int j = 0; j < 4; j++)
			maxima[j] = _mm256_max_ps(_mm256_loadu_ps(x + i + j * 8), maxima[j]);
	for (; i < n; i += 8)
	{
		__m256i		mask = first_lanes(n - i);
		__m256		values = _mm256_blendv_ps(first, _mm256_maskload_ps(x + i, mask), _mm256_castsi256_ps(mask));

		maxima[0] = _mm256_max_ps(values, maxima[0]);
	}
	return maximum_of_8(_mm256_max_ps(_mm256_max_ps(maxima[0], maxima[1]), _mm256_max_ps(maxima[2], maxima[3])));
}

/*
 * exp_clamped() for x up to 88.  Of two operands, max() returns the second where one is NaN, and
 * a product with 2^n stays NaN.
 */
INLINE __m256
exp_8(__m256 x)
{
	const __m256 shift = _mm256_set1_ps(12582912.0f);	/* 1.5 * 2^23: adding it rounds */
	__m256		y = _mm256_max_ps(_mm256_set1_ps(-87.0f), x);
	__m256		shifted = _mm256_fmadd_ps(y, _mm256_set1_ps(1.44269504088896341f), shift);
	__m256		n = _mm256_sub_ps(shifted, shift);
	__m256		r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), y);
	__m256i		exponent = _mm256_add_epi32(_mm256_castps_si256(shifted), _mm256_set1_epi32(127));
	__m256		p = _mm256_set1_ps(1.9875691500e-4f);

	r = _mm256_fmadd_ps(n, _mm256_set1_ps(2.12194440e-4f), r);
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.3981999507e-3f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(8.3334519073e-3f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(4.1665795894e-2f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.6666665459e-1f));
	p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(5.0000001201e-1f));
	p = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(p, r), r, r), _mm256_set1_ps(1.0f));
	return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

static float
exp_sum_by_32(float *x, size_t n, float shift)
{
	const __m256 shifts = _mm256_set1_ps(shift);
	__m256		sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
	size_t		i = 0;

	for (; i + 32 <= n; i += 32)
		for (int j = 0; j < 4; j++)
		{
			__m256		values = exp_8(_mm256_sub_ps(_mm256_loadu_ps(x + i + j * 8), shifts));

			_mm256_storeu_ps(x + i + j * 8, values);
			sums[j] = _mm256_add_ps(sums[j], values);
		}
	/* A store with a mask takes long */
	for (; i + 8 <= n; i += 8)
	{
		__m256		values = exp_8(_mm256_sub_ps(_mm256_loadu_ps(x + i), shifts));

		_mm256_storeu_ps(x + i, values);
		sums[0] = _mm256_add_ps(sums[0], values);
	}
	if (i < n)
	{
		__m256i		mask = first_lanes(n - i);
		__m256		values = exp_8(_mm256_sub_ps(_mm256_maskload_ps(x + i, mask), shifts));

		_mm256_maskstore_ps(x + i, mask, values);
		sums[0] = _mm256_add_ps(sums[0], _mm256_and_ps(values, _mm256_castsi256_ps(mask)));
	}
	return add_8(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
}

INLINE __m256
silu_8(__m256 x, __m256 y)
{
	__m256		e = exp_8(_mm256_min_ps(_mm256_set1_ps(88.0f), _mm256_sub_ps(_mm256_setzero_ps(), x)));

	return _mm256_mul_ps(_mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e)), y);
}

static void
silu_multiply_by_8(float *out, const float *x, const float *y, size_t n)
{
	__m256i		mask;
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(out + i, silu_8(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i)));
	mask = first_lanes(n - i);
	if (i < n)
		_mm256_maskstore_ps(out + i, mask, silu_8(_mm256_maskload_ps(x + i, mask), _mm256_maskload_ps(y + i, mask)));
}

/* packing of rows to bytes, 64 values at a time */

/* 64 values of x (n) from i on: where they lie, or the last ones in rest with zeros behind */
INLINE const float *
find_64(float *rest, const float *x, size_t n, size_t i)
{
	if (i + 64 <= n)
		return x + i;
	memset(rest, 0, 64 * sizeof(float));
	memcpy(rest, x + i, (n - i) * sizeof(float));
	return rest;
}

INLINE __m256
load_magnitudes(const float *x)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_loadu_ps(x));
}

/* As measure_row(), in its order: sums i and i + 1 are a block of 16 */
INLINE void
measure_by_8(const float *x, size_t n, float *sum, float *greatest)
{
	float		rest[64];
	__m256		sums[8];
	__m256		maxima[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};

	for (int j = 0; j < 8; j++)
		sums[j] = _mm256_setzero_ps();
	for (size_t i = 0; i < n; i += 64)
	{
		const float *values = find_64(rest, x, n, i);

		for (int j = 0; j < 8; j++)
		{
			__m256		magnitudes = load_magnitudes(values + j * 8);

			sums[j] = _mm256_add_ps(sums[j], magnitudes);
			maxima[j % 2] = _mm256_max_ps(magnitudes, maxima[j % 2]);
		}
	}
	for (int j = 0; j < 2; j++)
		sums[j] = _mm256_add_ps(_mm256_add_ps(sums[j], sums[j + 2]), _mm256_add_ps(sums[j + 4], sums[j + 6]));
	*sum = add_8(_mm256_add_ps(sums[0], sums[1]));
	*greatest = maximum_of_8(_mm256_max_ps(maxima[0], maxima[1]));
}

/* As list_above() in gemm_loops.h */
static inline float
list_above_by_64(uint32_t *cols, const float *x, size_t n, float limit, size_t *n_above)
{
	const __m256 limits = _mm256_set1_ps(limit);
	__m256		maxima[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
	float		rest[64];

	*n_above = 0;
	for (size_t i = 0; i < n; i += 64)
	{
		const float *values = find_64(rest, x, n, i);
		uint64_t	above = 0;

		for (int j = 0; j < 8; j++)
		{
			__m256		magnitudes = load_magnitudes(values + j * 8);
			__m256		mask = _mm256_cmp_ps(magnitudes, limits, _CMP_GT_OQ);

			maxima[j % 2] = _mm256_max_ps(maxima[j % 2], _mm256_andnot_ps(mask, magnitudes));
			above |= (uint64_t) (uint32_t) _mm256_movemask_ps(mask) << 8 * j;
		}
		for (; above != 0; above &= above - 1)
		{
			if (*n_above < SRM_MAX_OUTLIERS)
				cols[*n_above] = (uint32_t) i + (uint32_t) __builtin_ctzll(above);
			(*n_above)++;
		}
	}
	return maximum_of_8(_mm256_max_ps(maxima[0], maxima[1]));
}

/* Bytes of 32 values, as quantize_row() */
INLINE __m256i
quantize_32(const float *x, __m256 inverse)
{
	/* Packing works within halves of a register: it leaves fours of bytes in this order */
	const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	__m256i		steps[4];
	__m256i		bytes;

	/* What is too large for an integer would become the least one */
	for (int j = 0; j < 4; j++)
		steps[j] = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_mul_ps(_mm256_loadu_ps(x + j * 8), inverse),
													_mm256_set1_ps(127.0f)));
	bytes = _mm256_packs_epi16(_mm256_packs_epi32(steps[0], steps[1]), _mm256_packs_epi32(steps[2], steps[3]));
	bytes = _mm256_max_epi8(bytes, _mm256_set1_epi8(-127));
	return _mm256_xor_si256(_mm256_permutevar8x32_epi32(bytes, order), _mm256_set1_epi8(-128));
}

static void
pack_row_int8_by_64(void *out, const float *x, size_t n)
{
	char	   *values = out;
	SrmRowScale *scale = (SrmRowScale *) (void *) (values + 4 * srm_pack_lanes(SRM_PACKING_INT8, n));
	float		rest[64];
	float		sum;
	float		greatest;
	__m256		inverse;

	measure_by_8(x, n, &sum, &greatest);
	inverse = _mm256_set1_ps(find_row_scale(scale, x, n, sum, greatest, list_above_by_64));
	/* Lanes come in sixteens, that is 64 bytes */
	for (size_t i = 0; i < n; i += 64)
		for (size_t j = 0; j < 64; j += 32)
			_mm256_storeu_si256((__m256i *) (void *) (values + i + j),
								quantize_32(find_64(rest, x, n, i) + j, inverse));
	finish_outliers(scale, (const uint8_t *) values);
}

static void
read_f16_by_8(float *out, const uint16_t *values, size_t n)
{
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) (values + i))));
	read_f16(out + i, values + i, n - i);
}

const SrmKernels srm_kernels_avx2 = {
	.name = "avx2",
	.tile_rows = {SRM_TILE_ROWS, SRM_TILE_ROWS, SRM_TILE_ROWS},
	.part_lanes = 2 * SRM_LANES_BLOCK,
	.read_f16 = read_f16_by_8,
	.read_bf16 = read_bf16,
	.sum_squares = sum_squares,
	.norm = norm,
	.maximum = maximum_by_32,
	.exp_sum = exp_sum_by_32,
	.silu_multiply = silu_multiply_by_8,
	.gelu_multiply = gelu_multiply,
	.gelu_erf_multiply = gelu_erf_multiply,
	.soft_cap = soft_cap,
	.turn = turn,
	.transpose = transpose_by_8,
	.pair_rows = pair_rows,
	.pack_row = {pack_row_f32, pack_row_bf16, pack_row_int8_by_64},
	.multiply = {multiply_f32, multiply_bf16, multiply_int8_by_sign},
	.unpack = {NULL, unpack_bf16, unpack_int8, unpack_w8},
	TRAIN_LOOPS
};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
