/*-------------------------------------------------------------------------
 *
 * prepared_clean.h
 *	  Prepared files that nobody will use again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PREPARED_CLEAN_H
#define SRM_PREPARED_CLEAN_H

/*
 * Removes from a directory of prepared files those of models that are gone, with their locks,
 * those of other packings, those of other kinds of arithmetic for the same
 * model that were made before its files changed, and what crashes left behind.
 * The file of key has just been made and stays; NULL: none has.  What does not look like a
 * file of ours stays, too.
 */
extern void srm_prepared_clean(int directory, const char *key);

/* The same for a path, after models have gone; one that is missing holds nothing. */
extern void srm_prepared_clean_path(const char *path);

#endif							/* SRM_PREPARED_CLEAN_H */
