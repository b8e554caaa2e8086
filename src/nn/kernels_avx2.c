/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *	  The set of kernels for x86-64 with AVX2, FMA and F16C.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/kernels.h"

#include "nn/pack.h"

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

#include "nn/gemm_loops.h"

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
	.read_f16 = read_f16_by_8,
	.read_bf16 = read_bf16,
	.sum_squares = sum_squares,
	.norm = norm,
	.maximum = maximum,
	.exp_sum = exp_sum,
	.silu_multiply = silu_multiply,
	.gelu_multiply = gelu_multiply,
	.soft_cap = soft_cap,
	.transpose = transpose,
	.pair_rows = pair_rows,
	.pack_row = {pack_row_f32, pack_row_bf16, pack_row_int8},
	.multiply = {multiply_f32, multiply_bf16, multiply_int8}
};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
