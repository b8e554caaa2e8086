/*-------------------------------------------------------------------------
 *
 * bind.h
 *	  Names of tensors to the weights of a model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BIND_H
#define SRM_BIND_H

#include "model/config.h"
#include "model/weights.h"

/*
 * Sets the decoder, the value head and the aggregator of a model, whose arena
 * gets the vectors; matrices stay at their places in the files, for which addresses
 * are reserved, and are not loaded.  A tensor that is missing or has another shape than
 * the configuration asks for is an error; tensors that nothing asks for are left alone.
 */
extern bool srm_bind(SrmModel *model, const SrmConfig *config,
					 const SrmWeights *weights, SrmStatus *status);

/*
 * Fails where a tensor is changed that is no linear map of the configuration's layers, so that the
 * change would be lost.
 */
extern bool srm_bind_check_changes(const SrmConfig *config, const SrmWeights *weights, SrmStatus *status);

/* What stands before the names of a decoder's tensors in a whole model. */
static inline const char *
srm_bind_prefix(const SrmConfig *config)
{
	return config->architecture->prefix == NULL ? "model." : config->architecture->prefix;
}

/* The same in these weights: nothing, where they are those of the bare decoder. */
extern const char *srm_bind_find_prefix(const SrmConfig *config, const SrmWeights *weights);

/* Whether a name is that of a tensor with linear maps of the configuration's layers. */
extern bool srm_bind_is_layer_map(const SrmConfig *config, const char *name);

/* Which one that is: its layer and, of several maps in one tensor, the first.  False for maps of experts, too. */
extern bool srm_bind_find_layer_map(const SrmConfig *config, const char *name, size_t *layer, SrmWeightNumber *map);

/* Whether a tensor of that name is the embedding. */
extern bool srm_bind_is_embedding(const SrmConfig *config, const char *name);

#endif							/* SRM_BIND_H */
