/*-------------------------------------------------------------------------
 *
 * stack.h
 *	  Small stacks of dense layers, for heads that are more than one map.
 *
 * Sums are formed in double, in one order; a row's result does not depend on
 * the other rows.  No step of a decoder comes this way.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_STACK_H
#define SRM_STACK_H

#include "base/arena.h"
#include "kernel/matrix.h"

/* Behind each layer but the last. */
typedef enum SrmStackActivation
{
	SRM_STACK_RELU,				/* max(x, 0) */
	SRM_STACK_SELU,				/* 1.0507 * (x > 0 ? x : 1.6733 * (exp(x) - 1)) */
	SRM_STACK_TANH,
	SRM_STACK_GELU				/* x / 2 * (1 + erf(x / sqrt(2))) */
} SrmStackActivation;

/*
 * y = activation(W x + b), then scale * y + shift: a batch norm as its training
 * left it; or then a layer norm of y.
 */
typedef struct SrmDense
{
	SrmMatrix	weight;			/* W (outputs, inputs) */
	const float *bias;			/* b (outputs) or NULL */
	const double *scale;		/* (outputs) or NULL, together with shift */
	const double *shift;
	const float *norm;			/* (outputs) or NULL */
	const float *norm_bias;		/* (outputs) or NULL */
	double		norm_eps;
} SrmDense;

typedef struct SrmStack
{
	const SrmDense *layers;		/* (n) */
	size_t		n;				/* 0: there is no stack */
	SrmStackActivation activation;
} SrmStack;

/* A stack whose outputs are weights of other outputs. */
typedef struct SrmGate
{
	SrmStack	stack;
	bool		is_softmax;		/* weights = scale * softmax(outputs / temperature) */
	double		temperature;
	double		scale;
} SrmGate;

/* Outputs of the last layer; inputs of the first. */
extern size_t srm_stack_outputs(const SrmStack *stack);
extern size_t srm_stack_inputs(const SrmStack *stack);

/* out (n, outputs) of x (n, inputs); fails where memory is short. */
extern bool srm_stack_forward(double *out, const float *x, const SrmStack *stack, size_t n,
							  SrmArena *arena, SrmStatus *status);

/* out (n, outputs) = the weights that the gate gives for x (n, inputs). */
extern bool srm_gate_weights_forward(double *out, const float *x, const SrmGate *gate, size_t n,
									 SrmArena *arena, SrmStatus *status);

#endif							/* SRM_STACK_H */
