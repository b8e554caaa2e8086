/*-------------------------------------------------------------------------
 *
 * name.h
 *	  Names of models, where they are looked for, and of files in their directories.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NAME_H
#define SRM_NAME_H

#include "base/status.h"

/* Directories with a directory for each model, the first of a name counts. */
typedef struct SrmModelPath
{
	const char *const *directories; /* (n) */
	size_t		n;
} SrmModelPath;

#define SRM_MAX_MODEL_NAME	128
#define SRM_MAX_FILE_NAME	200

/*
 * Whether a text can be the name of a model: one plain component of a path,
 * which starts with no dot and has neither "@" nor control characters.
 */
extern bool srm_name_is_model(const char *name);

/* The same, with SRM_INVALID_ARGUMENT where it cannot. */
extern bool srm_name_check(const char *name, SrmStatus *status);

/* Whether a text is a file's name that cannot lead out of its directory. */
extern bool srm_name_is_file(const char *name);

#endif							/* SRM_NAME_H */
