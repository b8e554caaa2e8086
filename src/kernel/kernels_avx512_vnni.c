/*-------------------------------------------------------------------------
 *
 * kernels_avx512_vnni.c
 *	  Kernels for x86-64 with AVX-512 VNNI: products of bytes.
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
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,prefer-vector-width=512")
#endif

#include "kernel/gemm_avx512.h"

DEFINE_MULTIPLY(srm_multiply_int8_avx512_vnni, "vpdpbusd", _mm512_add_epi32, finish_bytes)

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
