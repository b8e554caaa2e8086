/*-------------------------------------------------------------------------
 *
 * sats.h
 *	  Segmenters that are models, and those that this backend has open.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SATS_H
#define SRM_SATS_H

#include "postgres.h"

#include "pg/call.h"
#include "segment/segment.h"

/*
 * What finds the ends of sentences for a segmenter "sat:NAME" or "sat-only:NAME", of the model of
 * that name, which is opened, or anew where its files were replaced before the statement began; NULL for other
 * segmenters.  by_settings: srm.sat_threshold and srm.sat_stride count.  Raises an error if there
 * is no such model.  The result is good until the next call.
 */
extern const SrmSplitter *srm_sats_splitter(SrmCall *call, const char *segmenter, bool by_settings);

#endif							/* SRM_SATS_H */
