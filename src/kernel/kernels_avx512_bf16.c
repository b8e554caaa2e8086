/*-------------------------------------------------------------------------
 *
 * kernels_avx512_bf16.c
 *	  Kernels for x86-64 with AVX-512 BF16: products of bfloats.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#ifdef SRM_HAVE_KERNELS_AVX512_BF16

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernel/pack.h"

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,prefer-vector-width=512")
#endif

#include "kernel/gemm_avx512.h"

DEFINE_MULTIPLY(srm_multiply_bf16_avx512_bf16, "vdpbf16ps", add_floats, finish_floats)

void
srm_pack_row_avx512_bf16(void *out, const float *x, size_t n)
{
	uint16_t   *values = out;
	size_t		end = 2 * srm_pack_lanes(SRM_PACKING_BF16, n);

	for (size_t i = 0; i < end; i += 32)
	{
		size_t		left = n < i ? 0 : n - i;
		__mmask32	mask = left >= 32 ? 0xFFFFFFFF : ((uint32_t) 1 << left) - 1;
		__m512		lower = _mm512_maskz_loadu_ps((__mmask16) mask, x + i);
		__m512		upper = _mm512_maskz_loadu_ps((__mmask16) (mask >> 16), x + i + 16);

		_mm512_storeu_si512(values + i, (__m512i) _mm512_cvtne2ps_pbh(upper, lower));
	}
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX512_BF16 */
