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
	.pack_row = {pack_row_f32, pack_row_bf16, pack_row_int8},
	.multiply = {srm_multiply_f32_avx512, multiply_bf16, multiply_int8}
};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
