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

/*
 * Bytes that the files of srm_output_model() or, where the options say so,
 * srm_output_adapter() will take; fails where they could not be written.
 */
extern bool srm_output_bytes(const SrmModel *base, const SrmTrainOptions *options,
							 const SrmParameters *parameters, size_t *bytes,
							 const SrmStop *stop, SrmStatus *status);

/* What config.json says of the new model's rewards. */
typedef struct SrmOutputSettings
{
	const char *marker_token;	/* NULL: none */
	const char *marker_layout;	/* as in SrmModelSettings, with a marker_token */
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

/* The same as srm_output_bytes() for adapters, which it calls. */
extern bool srm_output_adapter_bytes(const SrmModel *base, const SrmTrainOptions *options,
									 const SrmParameters *parameters, size_t *bytes, SrmStatus *status);

#endif							/* SRM_TRAIN_OUTPUT_H */
