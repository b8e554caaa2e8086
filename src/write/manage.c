/*-------------------------------------------------------------------------
 *
 * manage.c
 *	  Models that are there: taken away, and given another name.
 *
 *-------------------------------------------------------------------------
 */
#include "write/manage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files/name.h"
#include "files/tree.h"

static bool
fail_undefined(const char *parent, const char *name, SrmStatus *status)
{
	srm_fail(status, SRM_UNDEFINED_MODEL, "model \"%s\" does not exist", name);
	return srm_fail_detail(status, "There is no model of that name in directory \"%s\".", parent);
}

/* The directory of a model that is there; -1, with the status set. */
static int
open_parent(const char *parent, const char *name, SrmStatus *status)
{
	int			fd;

	if (!srm_name_check(name, status))
		return -1;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		srm_fail_file(status, errno, "could not open directory \"%s\": %s", parent, strerror(errno));
	else if (fd < 0 || !srm_tree_is_model(fd, name))
	{
		fail_undefined(parent, name, status);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

static bool
rename_model(int fd, const char *parent, const char *old_name, const char *new_name, SrmStatus *status)
{
	if (!srm_tree_rename(fd, old_name, new_name))
	{
		if (errno == EEXIST)
			return srm_tree_fail_exists(parent, new_name, status);
		if (errno == ENOENT)
			return fail_undefined(parent, old_name, status);
		return srm_fail_file(status, errno, "could not rename \"%s/%s\" to \"%s\": %s", parent, old_name,
							 new_name, strerror(errno));
	}
	return fsync(fd) == 0 ||
		srm_fail_file(status, errno, "could not fsync directory \"%s\": %s", parent, strerror(errno));
}

bool
srm_model_drop(const char *parent, const char *name, SrmStatus *status)
{
	char		hidden[SRM_MAX_MODEL_NAME + 40];
	int			fd = open_parent(parent, name, status);
	bool		done;

	if (fd < 0)
		return false;
	/* A name of those that the next writer cleans up, if this one is stopped in the middle */
	snprintf(hidden, sizeof(hidden), ".%s.old.tmp.%ld", name, (long) getpid());
	srm_tree_remove(fd, hidden);
	done = rename_model(fd, parent, name, hidden, status);
	srm_tree_remove(fd, hidden);
	close(fd);
	return done;
}

bool
srm_model_rename(const char *parent, const char *old_name, const char *new_name, SrmStatus *status)
{
	int			fd;
	bool		done;

	if (!srm_name_check(new_name, status))
		return false;
	fd = open_parent(parent, old_name, status);
	if (fd < 0)
		return false;
	done = rename_model(fd, parent, old_name, new_name, status);
	close(fd);
	return done;
}
