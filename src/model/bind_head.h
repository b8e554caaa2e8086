/*-------------------------------------------------------------------------
 *
 * bind_head.h
 *	  The head of a model, told by the names of its tensors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BIND_HEAD_H
#define SRM_BIND_HEAD_H

#include "model/binder.h"

/*
 * Sets value_weight and value_bias of the model where its head is one linear
 * map, and model->head where it is anything else; the decoder is bound already.
 * A head of several labels of which none was chosen is an error that names them.
 */
extern bool srm_bind_head(SrmBinder *binder);

/* Whether a name is that of a tensor of some head. */
extern bool srm_bind_is_head(const char *name);

#endif							/* SRM_BIND_HEAD_H */
