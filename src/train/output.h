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
 * What trained or merged weights are written as: in the type that the tensor
 * of the base had, but those of 8 bits in 16.  What has no tensor there (NULL)
 * has the type of the embedding.
 */
extern const char *srm_output_type(const SrmModel *base, const SrmTrainOptions *options,
								   const SrmTensor *tensor);

/* The nearest values (n) of 16 bits, in type F16 or BF16; ties to even. */
extern void srm_output_halves(const char *type, const float *values, size_t n, uint16_t *halves);

/*
 * Writes the adapters alone, in peft's format: adapter_config.json and
 * adapter_model.safetensors, in the type of srm_output_type().  The head is saved beside them, as a module of its own.
 * Adapters of matrices that the base fuses into one tensor have no place there.
 */
extern bool srm_output_adapter(const SrmModel *base, const SrmTrainOptions *options,
							   const SrmOutputSettings *settings, const SrmParameters *parameters,
							   const SrmStop *stop, SrmStatus *status);

/* The same as srm_output_bytes() for adapters, which it calls. */
extern bool srm_output_adapter_bytes(const SrmModel *base, const SrmTrainOptions *options,
									 const SrmParameters *parameters, size_t *bytes, SrmStatus *status);

#endif							/* SRM_TRAIN_OUTPUT_H */
