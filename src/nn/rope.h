/*-------------------------------------------------------------------------
 *
 * rope.h
 *	  Rotary position.
 *
 * Element j of the first half and element j of the second half of what is turned of
 * a head are turned by position * frequency j; or elements 2 j and 2 j + 1.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ROPE_H
#define SRM_ROPE_H

#include "nn/layer.h"

/*
 * frequencies (head_dim / 2), of which the first ones are set where a part of a head is turned; length is what
 * srm_decoder_rope_length() says of the text
 */
extern void srm_rope_frequencies(float *frequencies, const SrmRope *rope, size_t head_dim, size_t length);

/*
 * cosines, sines (n, head_dim / 2), set as the frequencies are, of the positions first .. first + n - 1,
 * times the rope's attention factor
 */
extern void srm_rope_table(float *cosines, float *sines, const float *frequencies,
						   const SrmRope *rope, size_t head_dim, size_t first, size_t n);

/* Turns heads (n_heads, head_dim) by one row of the tables (head_dim / 2). */
extern void srm_rope_forward(float *heads, const float *cosines, const float *sines,
							 const SrmRope *rope, size_t n_heads, size_t head_dim);

/* Turns the gradients of turned heads back: those of heads, in place. */
extern void srm_rope_backward(float *dheads, const float *cosines, const float *sines,
							  const SrmRope *rope, size_t n_heads, size_t head_dim);

#endif							/* SRM_ROPE_H */
