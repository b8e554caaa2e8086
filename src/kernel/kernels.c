/*-------------------------------------------------------------------------
 *
 * kernels.c
 *	  The choice of a set of kernels.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#include <string.h>

#ifdef SRM_HAVE_KERNELS_AVX2
#include <cpuid.h>
#endif

#define MAX_SETS	8

/* Filled once, before main() */
static SrmKernels sets[MAX_SETS];
static size_t n_sets = 0;

const SrmKernels *srm_kernels = &srm_kernels_portable;

const SrmKernels *
srm_kernels_at(size_t number)
{
	return number < n_sets ? &sets[number] : NULL;
}

/* Adds a set like another, to be given a name and what it does better. */
static SrmKernels *
add_set(const SrmKernels *base, const char *name)
{
	SrmKernels *set = &sets[n_sets++];

	*set = *base;
	set->name = name;
	return set;
}

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

#if defined(SRM_HAVE_KERNELS_AVX_VNNI) || defined(SRM_HAVE_KERNELS_AVX512_BF16)

/*
 * Whether leaf 7 / 1 of cpuid has a bit in eax: what not every compiler knows by name.  That the
 * system keeps the registers is checked with AVX2 and AVX-512 F.
 */
static bool
has_bit_of_leaf_7_1(unsigned int bit)
{
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & (1u << bit)) != 0;
}

#ifdef SRM_HAVE_KERNELS_AMX

/* Whether the processor has tiles, of bfloats and of bytes, and the system keeps them: bits of edx of leaf 7 of cpuid */
static bool
has_amx(void)
{
	const unsigned int wanted = 1u << 22 | 1u << 24 | 1u << 25;
	unsigned int eax;
	unsigned int ebx;
	unsigned int ecx;
	unsigned int edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & wanted) == wanted && srm_amx_is_allowed();
}

#endif

#define BIT_AVX_VNNI	4
#define BIT_AVX512_BF16	5

#endif

/* Each set needs what those before it need; but for AVX-VNNI, which AVX-512 can do without. */
static void
add_sets_of_x86(void)
{
	SrmKernels *set;

	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c())
		return;
	add_set(&srm_kernels_avx2, "avx2");
#ifdef SRM_HAVE_KERNELS_AVX_VNNI
	if (has_bit_of_leaf_7_1(BIT_AVX_VNNI))
	{
		set = add_set(&srm_kernels_avx2, "avx_vnni");
		set->multiply[SRM_COMPUTE_INT8] = srm_multiply_int8_avx_vnni;
	}
#endif
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
		!__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
		return;
	add_set(&srm_kernels_avx512, "avx512");
	if (!__builtin_cpu_supports("avx512vnni"))
		return;
	set = add_set(&srm_kernels_avx512, "avx512_vnni");
	set->multiply[SRM_COMPUTE_INT8] = srm_multiply_int8_avx512_vnni;
#ifdef SRM_HAVE_KERNELS_AVX512_BF16
	if (!has_bit_of_leaf_7_1(BIT_AVX512_BF16))
		return;
	set = add_set(set, "avx512_bf16");
	set->fast_bf16 = true;
	set->pack_row[SRM_COMPUTE_BF16] = srm_pack_row_avx512_bf16;
	set->multiply[SRM_COMPUTE_BF16] = srm_multiply_bf16_avx512_bf16;
#endif
#ifdef SRM_HAVE_KERNELS_AMX
	if (!has_amx())
		return;
	set = add_set(set, "amx");
	set->chunk_rows = SRM_AMX_CHUNK;
	set->tile_rows[SRM_COMPUTE_BF16] = SRM_AMX_ROWS;
	set->tile_rows[SRM_COMPUTE_INT8] = SRM_AMX_ROWS;
	set->multiply[SRM_COMPUTE_BF16] = srm_multiply_bf16_amx;
	set->multiply[SRM_COMPUTE_INT8] = srm_multiply_int8_amx;
#endif
}

#endif							/* SRM_HAVE_KERNELS_AVX2 */

__attribute__((constructor))
static void
choose_kernels(void)
{
	SrmKernels *set;

	add_set(&srm_kernels_portable, "portable");
	set = add_set(&srm_kernels_portable, "openblas");
	set->tile_rows[SRM_COMPUTE_F32] = SRM_OPENBLAS_ROWS;
	set->part_lanes = 0;
	set->multiply[SRM_COMPUTE_F32] = srm_multiply_f32_openblas;
#ifdef SRM_HAVE_KERNELS_AVX2
	add_sets_of_x86();
#endif
	srm_kernels = &sets[n_sets - 1];
}

bool
srm_kernels_choose(const char *name)
{
	for (size_t i = 0; i < n_sets; i++)
		if (strcmp(sets[i].name, name) == 0)
		{
			srm_kernels = &sets[i];
			return true;
		}
	return false;
}
