/*-------------------------------------------------------------------------
 *
 * calibration.h
 *	  Rounding weights to 8 bits by what the model reads.
 *
 * While texts are scored, products gather the second moments of their inputs, H = sum of x x^T.  Columns of
 * a row w of the weights are then rounded one after the other, each to the nearest value of
 * its scale for w_j + sum over k < j of (w_k - q_k) U_kj, where H + damping = U D U^T with U
 * upper unit triangular.  That makes the error of outputs, (w - q) H (w - q)^T, small column by column: it is
 * GPTQ (arXiv 2210.17323) in the form of LDLQ (arXiv 2307.13304, 3.1).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CALIBRATION_H
#define SRM_CALIBRATION_H

#include "model/model.h"

typedef struct SrmCalibration SrmCalibration;

/* For models with layers as those of this decoder.  Fails with SRM_LIMIT_EXCEEDED where it and rounding take more than limit bytes; 0: any. */
extern SrmCalibration *srm_calibration_create(const SrmDecoder *decoder, size_t limit, SrmStatus *status);
extern void srm_calibration_free(SrmCalibration *calibration);	/* NULL is allowed */

/*
 * From here on products of the model's layers, but for those of experts, gather moments wherever they
 * are computed in f32.  Fails with SRM_INVALID_MODEL where the layers are of other sizes.
 */
extern bool srm_calibration_attach(SrmCalibration *calibration, SrmModel *model, SrmStatus *status);
extern void srm_calibration_detach(SrmModel *model);

/* Moments (cols, cols) of what a map reads; NULL where it has read nothing but zeros, or is not of so many columns. */
extern const float *srm_calibration_find(const SrmCalibration *calibration, size_t layer, SrmWeightNumber map, size_t cols);

/*
 * feedback (n, n), row j of which is U_0j .. U_(j-1)j, from moments (n, n); what lies behind those is scratch.
 * False after a stop.
 */
extern bool srm_calibration_factor(double *feedback, const float *moments, size_t n, const SrmStop *stop, SrmStatus *status);

/*
 * values (n, w.cols) = rows of w from first on, n at most SRM_CALIBRATED_ROWS, in units of scales
 * (n, srm_scales_count(cols, dtype)), which come as srm_pack_quantize_row() sets them; those of a group of columns are
 * set anew from what its weights are to be after the groups before it.  scratch has room for SRM_CALIBRATION_SCRATCH * w.cols.
 */
#define SRM_CALIBRATED_ROWS 16
#define SRM_CALIBRATION_SCRATCH (2 * SRM_CALIBRATED_ROWS + 1)
extern void srm_calibration_round(int8_t *values, float *scales, const SrmMatrix *w, size_t first, size_t n,
								  SrmDtype dtype, const double *feedback, float *scratch);

#endif							/* SRM_CALIBRATION_H */
