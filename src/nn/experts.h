/*-------------------------------------------------------------------------
 *
 * experts.h
 *	  Feed-forward steps of which each token takes a few.
 *
 * A router gives each expert a share by a softmax.  A token takes those of the greatest shares, the first ones
 * where they are equal, and adds up their outputs times these, in the order of the experts: so its bits do not
 * depend on what other tokens take.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_EXPERTS_H
#define SRM_EXPERTS_H

#include "nn/decoder_pass.h"

/* change (n, dim) of the pass = the step of the layer at work, of normed (n, dim). */
extern bool srm_experts_forward(SrmPass *pass, size_t n);

#endif							/* SRM_EXPERTS_H */
