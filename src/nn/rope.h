/*-------------------------------------------------------------------------
 *
 * rope.h
 *	  Rotary position, with the halves of a head as the pairs.
 *
 * Element j of a head's first half and element j of its second half are
 * turned by position * frequency j.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ROPE_H
#define SRM_ROPE_H

#include "nn/layer.h"

/* frequencies (head_dim / 2) */
extern void srm_rope_frequencies(float *frequencies, const SrmRope *rope, size_t head_dim);

/*
 * cosines, sines (n, head_dim / 2) of the positions first .. first + n - 1,
 * times the rope's attention factor
 */
extern void srm_rope_table(float *cosines, float *sines, const float *frequencies,
						   const SrmRope *rope, size_t head_dim, size_t first, size_t n);

/* Turns heads (n_heads, head_dim) by one row of the tables (head_dim / 2). */
extern void srm_rope_forward(float *heads, const float *cosines, const float *sines,
							 size_t n_heads, size_t head_dim);

/* Turns the gradients of turned heads back: those of heads, in place. */
extern void srm_rope_backward(float *dheads, const float *cosines, const float *sines,
							  size_t n_heads, size_t head_dim);

#endif							/* SRM_ROPE_H */
