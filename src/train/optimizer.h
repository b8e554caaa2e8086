/*-------------------------------------------------------------------------
 *
 * optimizer.h
 *	  AdamW with warm-up, a cosine, and clipping by the global norm.
 *
 * Loshchilov and Hutter, arXiv 1711.05101: decay is apart from the gradient.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_OPTIMIZER_H
#define SRM_OPTIMIZER_H

#include "train/parameters.h"

/*
 * The learning rate of step 1 .. n_steps: a line from 0 over the warm-up,
 * whose last step has the peak, then half a cosine down to final_rate of it.
 */
extern double srm_learning_rate(const SrmTrainOptions *options, uint64_t step, uint64_t n_steps);

/* Norm of all gradients, summed in double in one order. */
extern bool srm_gradient_norm(double *norm, const SrmParameters *parameters, SrmThreads *threads,
							  const SrmStop *stop, SrmStatus *status);

/* Updates all weights; once begun it is not stopped. */
extern void srm_optimizer_step(SrmParameters *parameters, const SrmTrainOptions *options,
							   uint64_t step, double rate, double norm, SrmThreads *threads);

#endif							/* SRM_OPTIMIZER_H */
