/*-------------------------------------------------------------------------
 *
 * tree.h
 *	  Model directories as a whole: told from others, renamed, removed.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TREE_H
#define SRM_TREE_H

#include "base/status.h"

/* Whether a name in a directory leads to a model, or to the adapter of one; not by a symbolic link. */
extern bool srm_tree_is_model(int parent_fd, const char *name);

/*
 * Renames within a directory.  Never replaces anything: false with errno, which is EEXIST
 * where there is something of the new name.
 */
extern bool srm_tree_rename(int parent_fd, const char *old_name, const char *new_name);

/* Says that there is a model of that name already; returns false. */
extern bool srm_tree_fail_exists(const char *parent, const char *name, SrmStatus *status);

/*
 * Removes a file, or a directory with all that is in it, without following
 * symbolic links; what cannot be removed stays.  errno is kept.
 */
extern void srm_tree_remove(int parent_fd, const char *name);

/*
 * Removes the directories of a parent whose name starts with a dot and has
 * mark in it, unless somebody holds a lock on them.
 */
extern void srm_tree_clean(int parent_fd, const char *mark);

#endif							/* SRM_TREE_H */
