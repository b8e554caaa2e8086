/*-------------------------------------------------------------------------
 *
 * copy.h
 *	  A model as another one that differs in its config.json alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_COPY_H
#define SRM_COPY_H

#include "write/writer.h"

/*
 * Writes all of a model directory into a writer: weights, one file or the shards with
 * their index, what srm_writer_copy_texts() takes, and the config.json with another
 * mean and standard deviation of scores.
 */
extern bool srm_copy_model(SrmWriter *writer, const char *directory, double mean, double std,
						   const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_COPY_H */
