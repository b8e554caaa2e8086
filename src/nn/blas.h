/*-------------------------------------------------------------------------
 *
 * blas.h
 *	  Single-precision products from OpenBLAS.
 *
 * The library is loaded at the first need and never linked: it would start
 * threads as soon as the server's postmaster maps it.  Each product runs in the thread
 * that asks for it; several may ask at the same time.
 *
 * Matrices are row-major; a stride is the distance between the starts of two
 * rows, in elements.  No size is above INT_MAX.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BLAS_H
#define SRM_BLAS_H

#include "base/status.h"

/* Loads the library where that has not been done; SRM_NOT_SUPPORTED without one. */
extern bool srm_blas_load(SrmStatus *status);

/*
 * out (m, n) = scale * a (m, k) * b (n, k)^T
 */
extern void srm_blas_product_transposed(float *out, size_t out_stride,
										const float *a, size_t a_stride,
										const float *b, size_t b_stride,
										size_t m, size_t n, size_t k, float scale);

/*
 * out (m, n) = a (m, k) * b (k, n), added to what is there where add is set
 */
extern void srm_blas_product(float *out, size_t out_stride,
							 const float *a, size_t a_stride,
							 const float *b, size_t b_stride,
							 size_t m, size_t n, size_t k, bool add);

#endif							/* SRM_BLAS_H */
