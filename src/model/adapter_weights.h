/*-------------------------------------------------------------------------
 *
 * adapter_weights.h
 *	  The tensors of a model, or those of an adapter over those of its base.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ADAPTER_WEIGHTS_H
#define SRM_ADAPTER_WEIGHTS_H

#include "model/adapter.h"
#include "model/weights.h"

/*
 * As srm_weights_open(), for files of srm_adapter_open().  Of an adapter, tensors of the base
 * have the changes that it brings, its head takes the place of the base's, and so do
 * tensors of its aggregator.  A tensor that is neither is an error that names it.
 */
extern bool srm_adapter_weights_open(SrmWeights *weights, SrmModelFiles *files,
									 SrmArena *arena, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_ADAPTER_WEIGHTS_H */
