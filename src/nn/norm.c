/*-------------------------------------------------------------------------
 *
 * norm.c
 *	  Root-mean-square norm.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/norm.h"

#include <string.h>

#include "kernel/kernels.h"

void
srm_norm_forward(float *out, const float *x, const float *weight, float eps,
				 size_t n, size_t dim)
{
	if (weight == NULL && out != x)
		memcpy(out, x, n * dim * sizeof(float));
	for (size_t i = 0; weight != NULL && i < n; i++)
		srm_kernels->norm(out + i * dim, x + i * dim, weight, eps, dim);
}
