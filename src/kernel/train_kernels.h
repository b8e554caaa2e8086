/*-------------------------------------------------------------------------
 *
 * train_kernels.h
 *	  Loops of training for which wide registers pay.
 *
 * One set is plain C for any processor, others are for those with AVX2 and FMA
 * or AVX-512; one is chosen as the program is loaded.  Sums have a fixed order, which
 * depends on the set and on the sizes alone, not on where a product is cut into rows.
 *
 * A right-hand side of a product (k, n) is first brought into panels: of
 * SRM_PANEL columns each, k rows deep, the last padded with zeros.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_KERNELS_H
#define SRM_TRAIN_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernel/kernels.h"

#define SRM_PANEL	32			/* columns of a panel */

/* What an AdamW step needs besides the vectors. */
typedef struct SrmAdamStep
{
	float		rate;			/* learning rate over the bias correction of the first moment */
	float		decay;			/* learning rate * weight decay */
	float		scale;			/* of the gradient: clipping */
	float		beta1;
	float		beta2;
	float		correction;		/* 1 / sqrt(bias correction of the second moment) */
	float		epsilon;
} SrmAdamStep;

typedef struct SrmTrainKernels
{
	const char *name;

	/* panels = b, element (p, j) at b[p * k_stride + j * n_stride] */
	void		(*pack) (float *panels, const float *b, size_t k_stride, size_t n_stride,
						 size_t n, size_t k);

	/*
	 * out (m, n) = a (m, k) * panels (k, n), added to what is there where add
	 * is set; element (i, p) of a at a[i * row + p * step], k at least 1
	 */
	void		(*multiply) (float *out, size_t out_stride, const float *a, size_t row, size_t step,
							 const float *panels, size_t m, size_t n, size_t k, bool add);

	/*
	 * One row of an RMSNorm backward: dx (n) = its gradient, added where add
	 * is set; dweight (n) is added to
	 */
	void		(*norm_backward) (float *dx, float *dweight, const float *dout, const float *x,
								  const float *weight, float eps, size_t n, bool add);

	/*
	 * act (n) = f(gate) * up; gate and up (n) become the gradients of gate
	 * and up, given dact (n)
	 */
	void		(*silu_backward) (float *act, float *gate, float *up, const float *dact, size_t n);
	void		(*gelu_tanh_backward) (float *act, float *gate, float *up, const float *dact, size_t n);

	/* scores (n) = exp(scores - shift) */
	void		(*exp_shift) (float *scores, float shift, size_t n);

	/* dscores (n) = p * (dscores - delta) * scale */
	void		(*softmax_backward) (float *dscores, const float *p, float delta, float scale, size_t n);

	/* sum of x (n) * y (n) */
	float		(*dot) (const float *x, const float *y, size_t n);

	/* y (n) += x (n) */
	void		(*add) (float *y, const float *x, size_t n);

	/* w (n), and its moments m and v, after one step by the gradient g */
	void		(*adam) (float *w, float *m, float *v, const float *g,
						 const SrmAdamStep *step, size_t n);
} SrmTrainKernels;

/* Floats that the panels of a (k, n) right-hand side take. */
static inline size_t
srm_panel_floats(size_t n, size_t k)
{
	return (n + SRM_PANEL - 1) / SRM_PANEL * SRM_PANEL * k;
}

extern const SrmTrainKernels srm_train_kernels_portable;
#ifdef SRM_HAVE_KERNELS_AVX2
extern const SrmTrainKernels srm_train_kernels_avx2;
extern const SrmTrainKernels srm_train_kernels_avx512;
#endif

/* The fastest set that this processor runs; chosen before main(). */
extern const SrmTrainKernels *srm_train_kernels;

#endif							/* SRM_TRAIN_KERNELS_H */
