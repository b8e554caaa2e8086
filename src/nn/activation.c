/*-------------------------------------------------------------------------
 *
 * activation.c
 *	  The gate of a feed-forward step.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/activation.h"

#include "nn/kernels.h"

void
srm_swiglu_forward(float *gate, const float *up, size_t n)
{
	srm_kernels->silu_multiply(gate, up, n);
}
