/*-------------------------------------------------------------------------
 *
 * tree.c
 *	  Model directories as a whole: told from others, renamed, removed.
 *
 *-------------------------------------------------------------------------
 */
#include "files/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/name.h"

#define MAX_DEPTH	8			/* a model's directory has one level */

static int
open_directory(int parent_fd, const char *name)
{
	return openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* A stream over a directory, with a position of its own; NULL if it cannot be read. */
static DIR *
open_stream(int parent_fd, const char *name)
{
	int			fd = open_directory(parent_fd, name);
	DIR		   *stream = fd < 0 ? NULL : fdopendir(fd);

	if (stream == NULL && fd >= 0)
		close(fd);
	return stream;
}

static bool
is_itself_or_parent(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void
remove_tree(int parent_fd, const char *name, int depth)
{
	DIR		   *stream;
	struct dirent *entry;

	if (unlinkat(parent_fd, name, 0) == 0 || depth > MAX_DEPTH)
		return;
	stream = open_stream(parent_fd, name);
	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL)
		if (!is_itself_or_parent(entry->d_name))
			remove_tree(dirfd(stream), entry->d_name, depth + 1);
	closedir(stream);
	(void) unlinkat(parent_fd, name, AT_REMOVEDIR);
}

void
srm_tree_remove(int parent_fd, const char *name)
{
	int			errnum = errno;

	remove_tree(parent_fd, name, 0);
	errno = errnum;
}

static void
remove_abandoned(int parent_fd, const char *name)
{
	int			fd = open_directory(parent_fd, name);

	if (fd < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		srm_tree_remove(parent_fd, name);
	close(fd);
}

void
srm_tree_clean(int parent_fd, const char *mark)
{
	DIR		   *stream = open_stream(parent_fd, ".");
	struct dirent *entry;

	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] == '.' && strstr(entry->d_name, mark) != NULL &&
			!is_itself_or_parent(entry->d_name))
			remove_abandoned(parent_fd, entry->d_name);
	closedir(stream);
}

bool
srm_tree_is_model(int parent_fd, const char *name)
{
	static const char *const files[] = {"config.json", "adapter_config.json"};
	struct stat st;

	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
		return false;
	for (int i = 0; i < 2; i++)
	{
		char		path[SRM_MAX_MODEL_NAME + 32];
		int			n = snprintf(path, sizeof(path), "%s/%s", name, files[i]);

		if (n > 0 && n < (int) sizeof(path) && fstatat(parent_fd, path, &st, 0) == 0)
			return true;
	}
	return false;
}

bool
srm_tree_rename(int parent_fd, const char *old_name, const char *new_name)
{
	struct stat st;

#ifdef RENAME_NOREPLACE
	if (renameat2(parent_fd, old_name, parent_fd, new_name, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
#endif

	/*
	 * What comes between the next two is not replaced either, where it is a
	 * model: a directory takes the place of an empty one alone.
	 */
	if (fstatat(parent_fd, new_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		errno = EEXIST;
	else if (errno == ENOENT && renameat(parent_fd, old_name, parent_fd, new_name) == 0)
		return true;
	if (errno == ENOTEMPTY || errno == ENOTDIR)
		errno = EEXIST;
	return false;
}

bool
srm_tree_fail_exists(const char *parent, const char *name, SrmStatus *status)
{
	srm_fail(status, SRM_DUPLICATE_MODEL, "model \"%s\" already exists", name);
	srm_fail_detail(status, "It is in directory \"%s\".", parent);
	return srm_fail_hint(status, "Choose another name, or replace or drop that model.");
}
