/*-------------------------------------------------------------------------
 *
 * tree.h
 *	  Directories that are removed with what they hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TREE_H
#define SRM_TREE_H

#include <stdbool.h>

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
