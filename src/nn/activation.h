/*-------------------------------------------------------------------------
 *
 * activation.h
 *	  The activation of a feed-forward network.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ACTIVATION_H
#define SRM_ACTIVATION_H

#include "nn/layer.h"

/*
 * out (n) = activation(gate) * up, or activation(up) where gate is NULL; where
 *
 *	  silu(x) = x / (1 + exp(-x))
 *	  gelu_tanh(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
 *	  gelu(x) = x / 2 * (1 + erf(x / sqrt(2)))
 *
 * out may be gate, or up without a gate.
 */
extern void srm_gate_forward(float *out, const float *gate, const float *up,
							 SrmActivation activation, size_t n);

#endif							/* SRM_ACTIVATION_H */
