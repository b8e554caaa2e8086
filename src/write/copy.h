/*-------------------------------------------------------------------------
 *
 * copy.h
 *	  A model as another one that differs in its settings alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_COPY_H
#define SRM_COPY_H

#include "files/name.h"
#include "write/agreement.h"
#include "write/writer.h"

/* What the copy's config.json says otherwise */
typedef struct SrmCopyChanges
{
	bool		sets_scale;
	double		mean;			/* of scores, */
	double		std;			/* and their standard deviation */
	const SrmAgreement *agreement;	/* NULL: as it is */
} SrmCopyChanges;

/*
 * Writes all of a model directory into a writer: weights, one file or the shards with
 * their index, what srm_writer_copy_texts() takes, and the config.json with those
 * changes.  An adapter stays one, over the same base.
 */
extern bool srm_copy_model(SrmWriter *writer, const char *directory, const SrmModelPath *path,
						   const SrmCopyChanges *changes, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_COPY_H */
