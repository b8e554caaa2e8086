/*-------------------------------------------------------------------------
 *
 * linear.h
 *	  Several linear maps of the same rows at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_LINEAR_H
#define SRM_LINEAR_H

#include "nn/matrix.h"

/* out (m, w.rows) = x (m, w.cols) * w^T + bias (w.rows) */
typedef struct SrmLinear
{
	float	   *out;			/* overlaps no x */
	const float *x;
	const SrmMatrix *w;
	const float *bias;			/* or NULL */
} SrmLinear;

#define SRM_MAX_LINEARS 3		/* queries, keys and values */

/*
 * Computes n_maps maps, whose work is shared among the threads as a whole.
 * srm_products_init() has succeeded.  Stop is asked between panels of
 * some tens of milliseconds at most.
 */
extern bool srm_linears_forward(const SrmLinear *maps, size_t n_maps, size_t m,
								SrmThreads *threads, const SrmStop *stop,
								SrmStatus *status);

#endif							/* SRM_LINEAR_H */
