/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  Loops over floats for which wide registers pay.
 *
 * One set is plain C for any processor, others are for what some processors
 * have; one is chosen as the program is loaded.  Sums have a fixed order,
 * which depends on the set and on n alone.  All pass on NaN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_KERNELS_H
#define SRM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

	/* the greatest of x (n), n at least 1; any value where one is NaN */
	float		(*maximum) (const float *x, size_t n);

	/* x (n) = exp(x - shift), where no x is above shift; returns the sum */
	float		(*exp_sum) (float *x, size_t n, float shift);

	/* x (n) = x * sigmoid(x) * y */
	void		(*silu_multiply) (float *x, const float *y, size_t n);

	/* x (n) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) * y */
	void		(*gelu_multiply) (float *x, const float *y, size_t n);

	/* x (n) = cap * tanh(x / cap), cap positive */
	void		(*soft_cap) (float *x, size_t n, float cap);
} SrmKernels;

extern const SrmKernels srm_kernels_portable;
#ifdef SRM_HAVE_KERNELS_AVX2
extern const SrmKernels srm_kernels_avx2;
#endif

/* The fastest set that this processor runs; chosen before main(). */
extern const SrmKernels *srm_kernels;

#endif							/* SRM_KERNELS_H */
