/*-------------------------------------------------------------------------
 *
 * head.h
 *	  Values from heads that are more than one linear map.
 *
 * A plain linear head is srm_values_forward() of reward.h, and the first of these srm_stack_forward();
 * they are those of published models, computed forward alone:
 *
 *	  v = W_n relu(... relu(W_1 h + b_1) ...) + b_n		one output
 *	  v = sum over k of g_k(h_gate) r_k(h)				objectives r, weighted by a gate
 *	  p = exp(z_1) / (exp(z_0) + exp(z_1))				two outputs z of a step
 *
 * Averages over quantiles and the transform of the objectives are linear, and
 * part of r's weights here; so is a normaliser of the value.  The gate reads one
 * state for all values, the end of the prompt, or the state of each value itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_HEAD_H
#define SRM_HEAD_H

#include "nn/stack.h"

/*
 * v (n) of hidden (n, H), by a stack of objectives whose weights the gate has
 * as many outputs for.  gate_hidden (H) is what the gate reads, NULL: hidden.
 */
extern bool srm_gated_head_forward(double *v, const float *hidden, const float *gate_hidden,
								   const SrmStack *objectives, const SrmGate *gate, size_t n,
								   SrmArena *arena, SrmStatus *status);

/* p (n), the probability that a step is good, of hidden (n, H); two outputs. */
extern bool srm_step_head_forward(double *p, const float *hidden, const SrmStack *labels, size_t n,
								  SrmArena *arena, SrmStatus *status);

#endif							/* SRM_HEAD_H */
