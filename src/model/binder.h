/*-------------------------------------------------------------------------
 *
 * binder.h
 *	  Single tensors of a model, by name, shape and type.
 *
 * A tensor that is missing, of another shape or of a type that the products do
 * not know is an error that names it.  Copies lie in the model's arena.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BINDER_H
#define SRM_BINDER_H

#include "model/config.h"
#include "model/weights.h"

typedef struct SrmBinder
{
	SrmModel   *model;
	const SrmConfig *config;
	const SrmWeights *weights;
	const char *prefix;			/* of the decoder's tensors: "model." or "" */
	SrmStatus  *status;
} SrmBinder;

/* NULL, with the status set, on an error. */
extern const SrmTensor *srm_binder_find(SrmBinder *binder, const char *name,
										const size_t *shape, size_t n_dims);

/* A copy as f32, or NULL. */
extern const float *srm_binder_copy(SrmBinder *binder, const char *name,
									const size_t *shape, size_t n_dims);

/* The same for a tensor (n). */
extern bool srm_binder_vector(SrmBinder *binder, const char *name, size_t n, const float **vector);

/* A tensor (rows, cols), at its place in the reserved file; it is not loaded. */
extern bool srm_binder_matrix(SrmBinder *binder, const char *name, size_t rows, size_t cols,
							  SrmMatrix *matrix);

/* Some rows of a tensor (rows.total, cols); matrix.rows is set by the caller. */
extern bool srm_binder_rows(SrmBinder *binder, const char *name, const SrmFusedRows *rows, size_t cols,
							SrmMatrix *matrix);

#endif							/* SRM_BINDER_H */
