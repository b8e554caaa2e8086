/*-------------------------------------------------------------------------
 *
 * place.h
 *	  Where the files of models may lie.
 *
 * Links are followed to files below the roots, and nowhere else: whoever may
 * write into a model's directory could have the server read any file that its
 * user can read, and show it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PLACE_H
#define SRM_PLACE_H

#include "base/status.h"

/*
 * The directories that models are looked for in, (n) absolute paths, which must
 * live until others are set.  Without any, links lead anywhere.
 */
extern void srm_place_set_roots(const char *const *paths, size_t n);

/* Whether a path is that of a root with one name behind it. */
extern bool srm_place_is_child(const char *path);

typedef enum SrmPlace
{
	SRM_PLACE_INSIDE,
	SRM_PLACE_OUTSIDE,			/* a failure is recorded */
	SRM_PLACE_MOVED				/* the path leads to something else by now */
} SrmPlace;

/* Where the file or directory lies that was opened by a path. */
extern SrmPlace srm_place_find(int fd, const char *path, SrmStatus *status);

#endif							/* SRM_PLACE_H */
