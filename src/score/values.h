/*-------------------------------------------------------------------------
 *
 * values.h
 *	  Values from hidden states, by whatever head a model has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_VALUES_H
#define SRM_VALUES_H

#include "model/model.h"

/*
 * v (n) of hidden (n, dim).  gate_hidden (dim) is the state at the token that
 * the model's gate reads; NULL where it has none there.
 */
extern bool srm_model_values(double *v, const float *hidden, const float *gate_hidden,
							 const SrmModel *model, size_t n, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_VALUES_H */
