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
#include "write/writer.h"

/*
 * Writes all of a model directory into a writer: weights, one file or the shards with
 * their index, what srm_writer_copy_texts() takes, and the config.json with another
 * mean and standard deviation of scores.  An adapter stays one, over the same base.
 */
extern bool srm_copy_model(SrmWriter *writer, const char *directory, const SrmModelPath *path,
						   double mean, double std,
						   const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_COPY_H */
