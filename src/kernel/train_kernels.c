/*-------------------------------------------------------------------------
 *
 * train_kernels.c
 *	  The set of training kernels for any processor, and the choice of one.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/train_kernels.h"

#include "kernel/train_loops.h"

const SrmTrainKernels srm_train_kernels_portable = {
	.name = "portable",
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

const SrmTrainKernels *srm_train_kernels = &srm_train_kernels_portable;

#ifdef SRM_HAVE_KERNELS_AVX2

__attribute__((constructor))
static void
choose_train_kernels(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		srm_train_kernels = &srm_train_kernels_avx2;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
		srm_train_kernels = &srm_train_kernels_avx512;
}

#endif
