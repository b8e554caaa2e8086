/*-------------------------------------------------------------------------
 *
 * place.c
 *	  Where the files of models may lie.
 *
 *-------------------------------------------------------------------------
 */
#include "files/place.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* As the setting says; whoever reads it sets them before a model is opened. */
static const char *const *roots = NULL;
static size_t n_roots = 0;

void
srm_place_set_roots(const char *const *paths, size_t n)
{
	roots = paths;
	n_roots = n;
}

bool
srm_place_is_child(const char *path)
{
	const char *name = strrchr(path, '/');

	for (size_t i = 0; name != NULL && i < n_roots; i++)
		if (strlen(roots[i]) == (size_t) (name - path) &&
			strncmp(roots[i], path, (size_t) (name - path)) == 0)
			return true;
	return false;
}

/* Whether a path without links is a root or below one. */
static bool
is_in_root(const char *path)
{
	for (size_t i = 0; i < n_roots; i++)
	{
		char		root[PATH_MAX];
		size_t		length;

		if (realpath(roots[i], root) == NULL)
			continue;
		length = strcmp(root, "/") == 0 ? 0 : strlen(root);
		if (strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

SrmPlace
srm_place_find(int fd, const char *path, SrmStatus *status)
{
	char		resolved[PATH_MAX];
	struct stat opened;
	struct stat found;

	if (n_roots == 0)
		return SRM_PLACE_INSIDE;
	if (realpath(path, resolved) == NULL || fstat(fd, &opened) != 0 || stat(resolved, &found) != 0 ||
		opened.st_dev != found.st_dev || opened.st_ino != found.st_ino)
		return SRM_PLACE_MOVED;
	if (is_in_root(resolved))
		return SRM_PLACE_INSIDE;
	srm_fail(status, SRM_INVALID_MODEL, "\"%s\" is a link out of the directories of models", path);
	srm_fail_detail(status, "It leads to \"%s\".", resolved);
	srm_fail_hint(status, "Copy what it leads to, or add the directory where that lies to \"srm.model_path\".");
	return SRM_PLACE_OUTSIDE;
}
