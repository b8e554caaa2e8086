/*-------------------------------------------------------------------------
 *
 * copy.h
 *	  A model as another one that differs in its config.json alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_COPY_H
#define SRM_COPY_H

#include "model/writer.h"

/*
 * Writes all of a model directory into a writer but config.json: weights, one
 * file or the shards with their index, and what srm_writer_copy_texts() takes.
 */
extern bool srm_copy_model(SrmWriter *writer, const char *directory, const SrmStop *stop,
						   SrmStatus *status);

#endif							/* SRM_COPY_H */
