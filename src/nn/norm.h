/*-------------------------------------------------------------------------
 *
 * norm.h
 *	  Root-mean-square norm and layer norm.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORM_H
#define SRM_NORM_H

#include "nn/layer.h"

/*
 * out (n, dim) = each row of x (n, dim) divided by the root of the mean of its
 * squares plus eps, times weight (dim).  out may be x.  Without a weight the rows
 * are copied.
 */
extern void srm_norm_forward(float *out, const float *x, const float *weight,
							 float eps, size_t n, size_t dim);

/*
 * out (n, dim) = the norm of the decoder's kind of each row of x (n, dim), times weight (dim), plus
 * bias (dim), which may be NULL for a norm without.  Without a weight the rows are copied.
 */
extern void srm_decoder_norm_forward(float *out, const float *x, const float *weight, const float *bias,
									 const SrmDecoder *decoder, size_t n, size_t dim);

#endif							/* SRM_NORM_H */
