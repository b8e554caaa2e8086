/*-------------------------------------------------------------------------
 *
 * output.h
 *	  The model that training made, as a directory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_OUTPUT_H
#define SRM_TRAIN_OUTPUT_H

#include "train/parameters.h"

/* What config.json says of the new model's rewards. */
typedef struct SrmOutputSettings
{
	const char *marker_token;	/* NULL: none */
	const char *segmenter;
	const char *locale;
} SrmOutputSettings;

/*
 * Writes the base's directory with the trained weights in place of its own,
 * in its types unless they are to be f32, and renames it into place.
 */
extern bool srm_output_model(const SrmModel *base, const SrmTrainOptions *options,
							 const SrmOutputSettings *settings, const SrmParameters *parameters,
							 const SrmStop *stop, SrmStatus *status);

/*
 * Writes the adapters alone, in peft's layout: adapter_config.json and
 * adapter_model.safetensors, in f32.  The head is saved beside them, as a module of its own.
 * Adapters of matrices that the base packs into one tensor have no place there.
 */
extern bool srm_output_adapter(const SrmModel *base, const SrmTrainOptions *options,
							   const SrmOutputSettings *settings, const SrmParameters *parameters,
							   const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_TRAIN_OUTPUT_H */
