/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  Products, and loops over floats for which wide registers pay.
 *
 * One set is plain C for any processor, others are for what some processors
 * have; the last that this one has is chosen as the program is loaded.  Sums have a fixed order,
 * which depends on the set and on n alone.  All pass on NaN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_KERNELS_H
#define SRM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/gemm.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define SRM_HAVE_KERNELS_AVX2
#endif

typedef struct SrmKernels
{
	const char *name;
	bool		fast_bf16;		/* has products of bfloats */

	/* out (n) = values (n), exactly; a signalling NaN may become a quiet one */
	void		(*read_f16) (float *out, const uint16_t *values, size_t n);
	void		(*read_bf16) (float *out, const uint16_t *values, size_t n);

	/* sum of x (n) squared */
	float		(*sum_squares) (const float *x, size_t n);

	/* out (n) = x / sqrt(mean(x^2) + eps) * weight; out may be x */
	void		(*norm) (float *out, const float *x, const float *weight, float eps, size_t n);

	/* the greatest of x (n), n at least 1; any value where one is NaN */
	float		(*maximum) (const float *x, size_t n);

	/* x (n) = exp(x - shift), where no x is above shift; returns the sum */
	float		(*exp_sum) (float *x, size_t n, float shift);

	/* out (n) = x * sigmoid(x) * y; out may be x */
	void		(*silu_multiply) (float *out, const float *x, const float *y, size_t n);

	/* out (n) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) * y; out may be x */
	void		(*gelu_multiply) (float *out, const float *x, const float *y, size_t n);

	/* x (n) = cap * tanh(x / cap), cap positive */
	void		(*soft_cap) (float *x, size_t n, float cap);

	/* heads (n_heads, 2 half): element j of both halves turned by the angle of cosines, sines (half) */
	void		(*turn) (float *heads, const float *cosines, const float *sines, size_t n_heads, size_t half);

	/* panel (SRM_LANES_UNIT, SRM_PANEL) = rows (SRM_PANEL, SRM_LANES_UNIT) of lanes; no overlap */
	void		(*transpose) (void *panel, const void *rows);

	/* out (n) = a in the lower halves, b in the upper ones, as nearest bfloats */
	void		(*pair_rows) (uint32_t *out, const float *a, const float *b, size_t n);

	/* By SrmCompute; see gemm.h */
	SrmPackRow	pack_row[3];
	SrmMultiply multiply[3];
} SrmKernels;

extern const SrmKernels srm_kernels_portable;
#ifdef SRM_HAVE_KERNELS_AVX2
extern const SrmKernels srm_kernels_avx2;
extern const SrmKernels srm_kernels_avx512;
extern void srm_multiply_int8_avx_vnni(const SrmTile *tile);
extern void srm_multiply_f32_avx512(const SrmTile *tile);
extern void srm_multiply_int8_avx512_vnni(const SrmTile *tile);
extern void srm_multiply_bf16_avx512_bf16(const SrmTile *tile);
extern void srm_pack_row_avx512_bf16(void *out, const float *x, size_t n);
#endif

/*
 * The fastest set that this processor runs, or the one that the environment variable
 * SRM_KERNELS names, for tests and measurements; chosen before main().
 */
extern const SrmKernels *srm_kernels;

/* The sets that this processor runs, the plain one first; NULL from their number on. */
extern const SrmKernels *srm_kernels_at(size_t number);

#endif							/* SRM_KERNELS_H */
