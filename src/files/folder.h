/*-------------------------------------------------------------------------
 *
 * folder.h
 *	  Directories as tools leave them: caches of downloads, and what is no
 *	  model, with the reason.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_FOLDER_H
#define SRM_FOLDER_H

#include "base/status.h"

#define SRM_MAX_SNAPSHOT	64	/* characters of a commit's hash */

/*
 * Whether a name is that of a model in the cache of huggingface_hub: a directory
 * "models--ORGANIZATION--NAME", which has the files of each commit in
 * snapshots/HASH/, as links into blobs/.
 */
extern bool srm_folder_is_cache(const char *name);

/*
 * The commit of such a directory that a model's name stands for: that of
 * refs/main, or the only one that is there.  False where there is none, or more
 * than one.
 */
extern bool srm_folder_snapshot(const char *directory, char snapshot[SRM_MAX_SNAPSHOT + 1]);

/*
 * Adds to a failure why a directory cannot be opened as a model, as far as its
 * files tell, and what to do about it.  Returns false.
 */
extern bool srm_folder_explain(const char *directory, SrmStatus *status);

#endif							/* SRM_FOLDER_H */
