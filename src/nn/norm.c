/*-------------------------------------------------------------------------
 *
 * norm.c
 *	  Root-mean-square norm.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/norm.h"

#include "kernel/kernels.h"

void
srm_norm_forward(float *out, const float *x, const float *weight, float eps,
				 size_t n, size_t dim)
{
	for (size_t i = 0; i < n; i++)
		srm_kernels->norm(out + i * dim, x + i * dim, weight, eps, dim);
}
