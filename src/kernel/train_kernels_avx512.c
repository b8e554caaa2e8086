/*-------------------------------------------------------------------------
 *
 * train_kernels_avx512.c
 *	  The set of training kernels for x86-64 with AVX-512.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/train_kernels.h"

#ifdef SRM_HAVE_KERNELS_AVX2

#include <math.h>
#include <stdint.h>
#include <string.h>

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
#endif

/* 12 x 2 of 32 registers for the sums */
#define WIDTH		16
#define TILE_ROWS	12

#include "kernel/train_loops.h"

const SrmTrainKernels srm_train_kernels_avx512 = {
	.name = "avx512",
	.pack = pack,
	.multiply = multiply,
	.norm_backward = norm_backward,
	.silu_backward = silu_backward,
	.gelu_tanh_backward = gelu_tanh_backward,
	.exp_shift = exp_shift,
	.softmax_backward = softmax_backward,
	.dot = dot,
	.add = add,
	.adam = adam
};

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AVX2 */
