/*-------------------------------------------------------------------------
 *
 * norm.c
 *	  Root-mean-square norm.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/norm.h"

#include <math.h>

#include "nn/kernels.h"

void
srm_norm_forward(float *out, const float *x, const float *weight, float eps,
				 size_t n, size_t dim)
{
	for (size_t i = 0; i < n; i++)
	{
		float		mean = srm_kernels->sum_squares(x + i * dim, dim) / (float) dim;
		float		scale = 1.0f / sqrtf(mean + eps);

		for (size_t j = 0; j < dim; j++)
			out[i * dim + j] = x[i * dim + j] * scale * weight[j];
	}
}
