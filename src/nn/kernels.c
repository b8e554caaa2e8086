/*-------------------------------------------------------------------------
 *
 * kernels.c
 *	  The set of kernels for any processor, and the choice of one.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/kernels.h"

#include "nn/kernels_loops.h"

#ifdef SRM_HAVE_KERNELS_AVX2
#include <cpuid.h>
#endif

const SrmKernels srm_kernels_portable = {
	.name = "portable",
	.read_f16 = read_f16,
	.read_bf16 = read_bf16,
	.sum_squares = sum_squares,
	.maximum = maximum,
	.exp_sum = exp_sum,
	.silu_multiply = silu_multiply,
	.gelu_multiply = gelu_multiply,
	.soft_cap = soft_cap
};

const SrmKernels *srm_kernels = &srm_kernels_portable;

#ifdef SRM_HAVE_KERNELS_AVX2

static bool
has_f16c(void)
{
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

__attribute__((constructor))
static void
choose_kernels(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
		srm_kernels = &srm_kernels_avx2;
}

#endif
