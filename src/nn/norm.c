/*-------------------------------------------------------------------------
 *
 * norm.c
 *	  Root-mean-square norm and layer norm.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/norm.h"

#include <math.h>
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

/* One row of a layer norm; sums are formed in double, in one order. */
static void
layer_norm(float *out, const float *x, const float *weight, const float *bias, float eps, size_t n)
{
	double		sum = 0.0;
	double		squares = 0.0;
	double		mean;
	double		scale;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	mean = sum / (double) n;
	for (size_t i = 0; i < n; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	scale = 1.0 / sqrt(squares / (double) n + eps);
	for (size_t i = 0; i < n; i++)
		out[i] = (float) ((x[i] - mean) * scale) * weight[i] + (bias == NULL ? 0.0f : bias[i]);
}

void
srm_decoder_norm_forward(float *out, const float *x, const float *weight, const float *bias,
						 const SrmDecoder *decoder, size_t n, size_t dim)
{
	if (weight == NULL || decoder->norm_kind == SRM_NORM_RMS)
		srm_norm_forward(out, x, weight, decoder->norm_eps, n, dim);
	else
		for (size_t i = 0; i < n; i++)
			layer_norm(out + i * dim, x + i * dim, weight, bias, decoder->norm_eps, dim);
}
