/*-------------------------------------------------------------------------
 *
 * digests.h
 *	  Digests of models that this session has seen.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DIGESTS_H
#define SRM_DIGESTS_H

#include "postgres.h"

#include "files/name.h"
#include "pg/call.h"

/*
 * The digest of a model's directory, whose base, if it is an adapter, is along the path; if it is known: computed before from files that have not
 * changed since, or of files small enough to read them now.
 * digest has SRM_DIGEST_LENGTH + 1 bytes.  False if it is not known, or if the call's status says why.
 */
extern bool srm_digests_find(SrmCall *call, const char *directory, const SrmModelPath *path, char *digest);

/* Keeps a digest that was computed, for srm_digests_find(). */
extern void srm_digests_keep(const char *directory, const SrmModelPath *path, const char *digest);

#endif							/* SRM_DIGESTS_H */
