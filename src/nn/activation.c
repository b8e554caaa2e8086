/*-------------------------------------------------------------------------
 *
 * activation.c
 *	  The gate of a feed-forward step.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/activation.h"

#include "kernel/kernels.h"

void
srm_gate_forward(float *out, const float *gate, const float *up, SrmActivation activation, size_t n)
{
	switch (activation)
	{
		case SRM_ACTIVATION_SILU:
			srm_kernels->silu_multiply(out, gate, up, n);
			break;
		case SRM_ACTIVATION_GELU_TANH:
			srm_kernels->gelu_multiply(out, gate, up, n);
			break;
	}
}
