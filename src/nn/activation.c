/*-------------------------------------------------------------------------
 *
 * activation.c
 *	  The activation of a feed-forward network.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/activation.h"

#include "base/sizes.h"
#include "kernel/kernels.h"

#define N_ONES	256

static void
multiply(float *out, const float *gate, const float *up, SrmActivation activation, size_t n)
{
	switch (activation)
	{
		case SRM_ACTIVATION_SILU:
			srm_kernels->silu_multiply(out, gate, up, n);
			break;
		case SRM_ACTIVATION_GELU_TANH:
			srm_kernels->gelu_multiply(out, gate, up, n);
			break;
		case SRM_ACTIVATION_GELU:
			srm_kernels->gelu_erf_multiply(out, gate, up, n);
			break;
	}
}

void
srm_gate_forward(float *out, const float *gate, const float *up, SrmActivation activation, size_t n)
{
	float		ones[N_ONES];

	if (gate != NULL)
	{
		multiply(out, gate, up, activation, n);
		return;
	}
	for (size_t i = 0; i < N_ONES; i++)
		ones[i] = 1.0f;
	for (size_t i = 0; i < n; i += N_ONES)
		multiply(out + i, up + i, ones, activation, srm_smaller(n - i, N_ONES));
}
