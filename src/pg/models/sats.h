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

#include "datatype/timestamp.h"

#include "model/digest.h"
#include "pg/call.h"
#include "sat/sat.h"

/* An open segmenter. */
typedef struct SrmOpenSat
{
	char	   *name;
	char	   *directory;
	SrmSat	   *sat;			/* NULL: the place is free */
	SrmSatSplitter splitter;
	double		load_ms;
	char		digest[SRM_DIGEST_LENGTH + 1];	/* "" until somebody asks */
	uint64		number;			/* of those opened in this session */
	uint64		last_use;
	TimestampTz checked_statement;	/* in which the files were last looked at */
	LocalTransactionId checked_transaction;
	char	   *checked_path;	/* srm.model_path then */
} SrmOpenSat;

/*
 * What finds the ends of sentences for a segmenter "sat:NAME" or "sat-only:NAME", of the model
 * "NAME" or "NAME@DIGEST", which is opened, or anew where its files were replaced before the statement began; NULL for other
 * segmenters.  by_settings: srm.sat_threshold and srm.sat_stride count.  Raises an error if there
 * is no such model, or it has another digest.  The result is good until the next call.
 */
extern const SrmSplitter *srm_sats_splitter(SrmCall *call, const char *segmenter, bool by_settings);

/* A segmenter with the whole digest of its model behind the name, palloc'd; others as they are. */
extern const char *srm_sats_pin(SrmCall *call, const char *segmenter);

/* Whether a model "name" or "name@digest" is a segmenter; false where there is none. */
extern bool srm_sats_is_segmenter(SrmCall *call, const char *name);

/* Opens a segmenter "name" or "name@digest", as srm_models_open(); good until the next call. */
extern SrmOpenSat *srm_sats_open(SrmCall *call, const char *name);

/* The digest of an open segmenter, computed at most once. */
extern const char *srm_sats_digest(SrmCall *call, SrmOpenSat *open);

/* The open segmenter of a directory, or NULL. */
extern const SrmOpenSat *srm_sats_find_open(const char *directory);

#endif							/* SRM_SATS_H */
