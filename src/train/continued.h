/*-------------------------------------------------------------------------
 *
 * continued.h
 *	  Training that goes on with the factors of an adapter.
 *
 * The base of a run may be an adapter itself.  Where an adapter is to be written, too,
 * the run starts from the a and b of the first, of which the new one is a later
 * state: over the same base, with the same ranks, scales and modules.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_CONTINUED_H
#define SRM_TRAIN_CONTINUED_H

#include "model/model.h"
#include "train/train.h"

/* Whether a run goes on with the factors of its base. */
extern bool srm_train_is_continued(const SrmModel *model, const SrmTrainOptions *options);

/* alpha of an adapter's scale, which is alpha / rank: the shortest number that gives it. */
extern double srm_train_alpha(double scale, size_t rank);

/*
 * Sets rank (the greatest), alpha (of that one) and targets of a run that goes on with the factors of its base.
 * An option of the user's that says another one is an error that names it.
 */
extern bool srm_train_continue(const SrmModel *model, SrmTrainOptions *options, SrmStatus *status);

#endif							/* SRM_TRAIN_CONTINUED_H */
