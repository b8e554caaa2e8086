/*-------------------------------------------------------------------------
 *
 * safetensors_write.h
 *	  The header of a safetensors file that is to be written.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SAFETENSORS_WRITE_H
#define SRM_SAFETENSORS_WRITE_H

#include "base/buffer.h"
#include "model/safetensors.h"

/* A tensor that a file is to hold. */
typedef struct SrmTensorPlan
{
	const char *name;
	const char *type;			/* as the format writes it: "F32", "BF16", "I8" */
	size_t		n_dims;
	size_t		shape[SRM_MAX_DIMS];
	const void *data;			/* (size), or NULL where data are appended piece by piece */
	size_t		tag;			/* the caller's own, since plans are sorted */
	size_t		size;			/* bytes; set by srm_safetensors_plan() */
} SrmTensorPlan;

/*
 * Sets the sizes and sorts the tensors into the order of their data in the
 * file: those of a multiple of 64 bytes by name, which thus all begin at a multiple
 * of 64 bytes of the file, then the others by falling size of element.  So
 * equal tensors make equal files.
 *
 * header gets the length and the JSON text, filled up with spaces to a
 * multiple of 64 bytes; what follows are the data in that order.
 * Fails with SRM_INTERNAL for a type that the format does not know, a shape
 * that is too large, or a name that occurs twice.
 */
extern bool srm_safetensors_plan(SrmTensorPlan *plans, size_t n, SrmBuffer *header,
								 SrmStatus *status);

#endif							/* SRM_SAFETENSORS_WRITE_H */
