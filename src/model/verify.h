/*-------------------------------------------------------------------------
 *
 * verify.h
 *	  Whether all that a model's scores come from is what it was.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_VERIFY_H
#define SRM_VERIFY_H

#include "model/contents.h"

/* A file that was read to its end and found right. */
typedef struct SrmVerifiedFile
{
	const char *name;			/* of a file of an adapter's base "BASE/NAME" */
	uint64_t	bytes;
	const char *digest;			/* SHA-256 of a file of the model; NULL for a prepared one */
} SrmVerifiedFile;

typedef struct SrmVerified
{
	SrmVerifiedFile *files;		/* (n), those of the model first */
	size_t		n;
} SrmVerified;

/*
 * Reads every byte of a model's files, of the prepared files of all kinds of arithmetic
 * in directory prepared, and of its tokenizer's there.  The model's files have the digests that
 * were taken when its weights were prepared, and altogether that of known, if it is not "";
 * prepared files have their checksums.  Files are read and not mapped, so that a disk
 * that fails is an error.  The result is in the arena.
 */
extern bool srm_model_verify(const SrmModel *model, const char *prepared, const char *known,
							 SrmArena *arena, SrmVerified *verified, const SrmStop *stop,
							 SrmStatus *status);

#endif							/* SRM_VERIFY_H */
