/*-------------------------------------------------------------------------
 *
 * options.h
 *	  What a training run is asked for: checked, and copied.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_OPTIONS_H
#define SRM_TRAIN_OPTIONS_H

#include "train/train.h"

/* Copies options and their strings into the arena, after checking their ranges. */
extern bool srm_train_options_copy(SrmTrainOptions *copy, const SrmTrainOptions *options,
								   SrmArena *arena, SrmStatus *status);

/* Whether lora_targets name a projection, such as "q_proj". */
extern bool srm_train_targets_hold(const char *targets, const char *name);

/* A hash of all that the result depends on. */
extern uint64_t srm_train_options_hash(const SrmTrainOptions *options);

#endif							/* SRM_TRAIN_OPTIONS_H */
