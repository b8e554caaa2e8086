/*-------------------------------------------------------------------------
 *
 * norm.h
 *	  Root-mean-square norm.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORM_H
#define SRM_NORM_H

#include <stddef.h>

/*
 * out (n, dim) = each row of x (n, dim) divided by the root of the mean of its
 * squares plus eps, times weight (dim).  out may be x.  Without a weight the rows
 * are copied.
 */
extern void srm_norm_forward(float *out, const float *x, const float *weight,
							 float eps, size_t n, size_t dim);

#endif							/* SRM_NORM_H */
