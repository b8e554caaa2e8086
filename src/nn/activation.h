/*-------------------------------------------------------------------------
 *
 * activation.h
 *	  The gate of a feed-forward step.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ACTIVATION_H
#define SRM_ACTIVATION_H

#include <stddef.h>

/* gate (n) = silu(gate) * up (n), where silu(x) = x / (1 + exp(-x)) */
extern void srm_swiglu_forward(float *gate, const float *up, size_t n);

#endif							/* SRM_ACTIVATION_H */
