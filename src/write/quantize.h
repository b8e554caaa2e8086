/*-------------------------------------------------------------------------
 *
 * quantize.h
 *	  A model with its linear maps in 8 bits.
 *
 * A row of a linear map of a layer (an output channel) becomes bytes, -127 to
 * 127, times one scale, or for w8 one for each SRM_SCALE_COLS columns: the greatest magnitude / 127.  Tensor "X" of
 * type I8 goes with tensor "X_scale", F32, (rows, srm_scales_count()).  So does the embedding where that
 * is asked for.  All else, norms, biases and heads, stays as published.  Maps are the weights that products in int8 or w8 use of
 * the model itself, so that scores are the same but for the embedding; what is saved is memory.
 *
 * config.json says "quantization": "int8" or "w8" in its object "srm", and
 * describes the tensors in "quantization_config" as the package
 * compressed-tensors does, by which transformers loads such a directory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_QUANTIZE_H
#define SRM_QUANTIZE_H

#include "files/name.h"
#include "write/agreement.h"
#include "write/calibration.h"
#include "write/writer.h"

typedef struct SrmQuantizeOptions
{
	SrmDtype	dtype;			/* SRM_INT8 or SRM_W8 */
	bool		embedding;		/* too */
	const SrmCalibration *calibration;	/* of the same model, by which maps are rounded; NULL: each weight to its nearest */
	const SrmAgreement *agreement;	/* for the new model's config.json; NULL: it was not measured */
} SrmQuantizeOptions;

/*
 * Writes all files of the new model, which is then ready to commit; of an adapter, merged into its
 * base, which is looked for along the path as in srm_model_open().  Memory
 * does not grow with the size of the weights.  Fails with SRM_INVALID_ARGUMENT for a model
 * that is quantized already, and SRM_INVALID_MODEL for weights that are not finite.
 */
extern bool srm_model_quantize(SrmWriter *writer, const char *directory, const SrmModelPath *path,
							   const SrmQuantizeOptions *options, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_QUANTIZE_H */
