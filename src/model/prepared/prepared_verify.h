/*-------------------------------------------------------------------------
 *
 * prepared_verify.h
 *	  Every byte of a prepared file against its checksums.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PREPARED_VERIFY_H
#define SRM_PREPARED_VERIFY_H

#include "model/prepared/prepared_format.h"

typedef struct SrmPreparedVerifier
{
	const SrmModel *model;
	const char *path;			/* of the directory of prepared files */
	int			directory;		/* the same, open */
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;
	const char *name;			/* of the last file */
	uint64_t	bytes;			/* of it */
	bool		found;			/* whether there was one of the model */
} SrmPreparedVerifier;

/*
 * The file of a kind of arithmetic.  One that is not there, or was made of other files of the
 * model or by another build, is no failure unless it is required: nobody will use it.
 */
extern bool srm_prepared_verify(SrmPreparedVerifier *verifier, const char *compute_name, bool required);

/* The file of the tokenizer, which is required. */
extern bool srm_prepared_verify_tokenizer(SrmPreparedVerifier *verifier);

#endif							/* SRM_PREPARED_VERIFY_H */
