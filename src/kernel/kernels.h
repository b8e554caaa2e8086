/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  Products, and loops over floats for which wide registers pay.
 *
 * One set is plain C for any processor, and one has OpenBLAS for products of floats;
 * others are for what some processors have.  The last that this one has is chosen as the
 * program is loaded.  Sums have a fixed order, which depends on the set and on sizes alone, not
 * on where a product is cut into rows.  All pass on NaN.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_KERNELS_H
#define SRM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/gemm.h"

/* What compilers can build: gcc from 8 on, or clang from 7 on; some sets need newer ones. */
#if defined(__clang__)
#define SRM_COMPILER(gcc, clang)	(__clang_major__ >= (clang))
#elif defined(__GNUC__)
#define SRM_COMPILER(gcc, clang)	(__GNUC__ >= (gcc))
#else
#define SRM_COMPILER(gcc, clang)	0
#endif

#if defined(__x86_64__) && SRM_COMPILER(8, 7)
#define SRM_HAVE_KERNELS_AVX2
#if SRM_COMPILER(10, 9)
#define SRM_HAVE_KERNELS_AVX512_BF16
#endif
#if SRM_COMPILER(11, 12)
#define SRM_HAVE_KERNELS_AVX_VNNI
#ifdef __linux__
#define SRM_HAVE_KERNELS_AMX
#endif
#endif
#endif

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

typedef struct SrmKernels
{
	const char *name;
	bool		fast_bf16;		/* has products of bfloats */
	size_t		tile_rows[SRM_N_PRODUCTS];	/* that a tile may have, by SrmCompute: SRM_TILE_ROWS at least */
	size_t		chunk_rows;		/* that a pass had better take through a layer at once, at least; 0: any number */
	size_t		part_lanes;		/* of floats, whose panels stay in the second cache: blocks of SRM_LANES_BLOCK; 0: all */

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

	/* out (n) = x / 2 * (1 + erf(x / sqrt(2))) * y; out may be x */
	void		(*gelu_erf_multiply) (float *out, const float *x, const float *y, size_t n);

	/* x (n) = cap * tanh(x / cap), cap positive */
	void		(*soft_cap) (float *x, size_t n, float cap);

	/* heads (n_heads, 2 half): element j of both halves turned by the angle of cosines, sines (half) */
	void		(*turn) (float *heads, const float *cosines, const float *sines, size_t n_heads, size_t half);

	/* panel (SRM_LANES_UNIT, SRM_PANEL) = rows (SRM_PANEL, SRM_LANES_UNIT) of lanes; no overlap */
	void		(*transpose) (void *panel, const void *rows);

	/* out (n) = a in the lower halves, b in the upper ones, as nearest bfloats */
	void		(*pair_rows) (uint32_t *out, const float *a, const float *b, size_t n);

	/* By SrmCompute; see gemm.h */
	SrmPackRow	pack_row[SRM_N_PRODUCTS];
	SrmMultiply multiply[SRM_N_PRODUCTS];
	SrmUnpack	unpack[SRM_N_PACKINGS];	/* by SrmPacking; none for that of f32 */

	/*
	 * Training.  A right-hand side of a product (k, n) is brought into f32 panels as of pack.h, of
	 * SRM_PANEL columns each, k rows deep, the last padded with zeros; but k is not filled up.
	 */

	/* panels = b, element (p, j) at b[p * k_stride + j * n_stride] */
	void		(*pack_columns) (float *panels, const float *b, size_t k_stride, size_t n_stride,
								 size_t n, size_t k);

	/*
	 * out (m, n) = a (m, k) * panels (k, n), added to what is there where add
	 * is set; element (i, p) of a at a[i * row + p * step], k at least 1
	 */
	void		(*multiply_columns) (float *out, size_t out_stride, const float *a, size_t row, size_t step,
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
} SrmKernels;

/* Floats that the panels of a (k, n) right-hand side take. */
static inline size_t
srm_panel_floats(size_t n, size_t k)
{
	return (n + SRM_PANEL - 1) / SRM_PANEL * SRM_PANEL * k;
}

extern const SrmKernels srm_kernels_portable;
#define SRM_OPENBLAS_ROWS	24	/* of its tiles */
extern void srm_multiply_f32_openblas(const SrmTile *tile);
#ifdef SRM_HAVE_KERNELS_AVX2
extern const SrmKernels srm_kernels_avx2;
extern const SrmKernels srm_kernels_avx512;
extern void srm_multiply_int8_avx_vnni(const SrmTile *tile);
extern void srm_multiply_f32_avx512(const SrmTile *tile);
extern void srm_multiply_int8_avx512_vnni(const SrmTile *tile);
extern void srm_multiply_bf16_avx512_bf16(const SrmTile *tile);
extern void srm_pack_row_avx512_bf16(void *out, const float *x, size_t n);
#define SRM_AMX_ROWS	32		/* of its tiles */
#define SRM_AMX_CHUNK	256		/* rows that weights are read for at a time */
extern void srm_multiply_bf16_amx(const SrmTile *tile);
extern void srm_multiply_int8_amx(const SrmTile *tile);

/* Asks the system for the registers of tiles, for this process; false where it has none. */
extern bool srm_amx_is_allowed(void);
#endif

/* The fastest set that this processor runs; chosen before main(). */
extern const SrmKernels *srm_kernels;

/*
 * Takes another set, for tests and measurements; false where this processor
 * has none of that name.  Not while anything computes.
 */
extern bool srm_kernels_choose(const char *name);

/* Whether OpenBLAS is there and fit for the set "openblas", which is the plain one otherwise; loads it. */
extern bool srm_openblas_is_used(void);

/* The sets that this processor runs, the plain one first; NULL from their number on. */
extern const SrmKernels *srm_kernels_at(size_t number);

#endif							/* SRM_KERNELS_H */
