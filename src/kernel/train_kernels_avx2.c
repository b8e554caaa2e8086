/*-------------------------------------------------------------------------
 *
 * train_kernels_avx2.c
 *	  The set of training kernels for x86-64 with AVX2 and FMA.
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
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include "kernel/train_loops.h"

const SrmTrainKernels srm_train_kernels_avx2 = {
	.name = "avx2",
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
