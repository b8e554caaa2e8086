/*-------------------------------------------------------------------------
 *
 * prepared_clean.c
 *	  Prepared files that nobody will use again.
 *
 *-------------------------------------------------------------------------
 */
#include "model/prepared/prepared_clean.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/prepared/prepared_format.h"
#include "model/prepared/prepared_tokenizer.h"

#define KEY_DIGITS	16

/* Whether a name is "<16 hexadecimal digits>.<kind>.<suffix>". */
static bool
has_form(const char *name, const char *suffix)
{
	size_t		length = strlen(name);
	size_t		n = strlen(suffix);

	return strspn(name, "0123456789abcdef") == KEY_DIGITS && name[KEY_DIGITS] == '.' &&
		length > KEY_DIGITS + 1 + n && strcmp(name + length - n, suffix) == 0;
}

static bool
read_header(int directory, const char *name, SrmPreparedHeader *header)
{
	int			fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t		n;

	if (fd < 0)
		return false;
	n = pread(fd, header, sizeof(SrmPreparedHeader), 0);
	close(fd);
	return n == (ssize_t) sizeof(SrmPreparedHeader);
}

static bool
is_gone(const char *model_directory)
{
	struct stat st;

	return stat(model_directory, &st) != 0 && errno == ENOENT;
}

/* fresh is the header of the file that was just made, or NULL. */
static bool
is_stale(int directory, const char *name, const SrmPreparedHeader *fresh)
{
	SrmPreparedHeader header;

	if (!read_header(directory, name, &header) || !srm_prepared_is_current(&header))
		return true;
	if (fresh != NULL && strcmp(header.directory, fresh->directory) == 0)
		return memcmp(header.files, fresh->files, sizeof(header.files)) != 0;
	return is_gone(header.directory);
}

/* Whether a name is "<16 hexadecimal digits>.tok". */
static bool
is_tokenizer(const char *name)
{
	return strspn(name, "0123456789abcdef") == KEY_DIGITS &&
		strcmp(name + KEY_DIGITS, "." SRM_PREPARED_TOKENIZER) == 0;
}

static void
remove_stale_tokenizer(int directory, const char *name)
{
	int			fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || !srm_prepared_tokenizer_is_current(fd))
		(void) unlinkat(directory, name, 0);
	if (fd >= 0)
		close(fd);
}

/*
 * A file that was being written, unless the lock shows that it still is; that of a
 * tokenizer is its own lock.
 */
static void
remove_abandoned(int directory, const char *name)
{
	char		lock[NAME_MAX + 8];
	int			fd;

	if (strncmp(name + KEY_DIGITS, "." SRM_PREPARED_TOKENIZER ".", strlen(SRM_PREPARED_TOKENIZER) + 2) == 0)
		snprintf(lock, sizeof(lock), "%s", name);
	else
		snprintf(lock, sizeof(lock), "%.*s.lock", (int) (strlen(name) - strlen(".tmp")), name);
	fd = openat(directory, lock, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void) unlinkat(directory, name, 0);
	if (fd >= 0)
		close(fd);
}

/*
 * The lock of a file that is not there, unless somebody holds it, who is making the file.  It goes while
 * we hold it: who opened it before finds out, see take_lock() of prepared.c.
 */
static void
remove_lock(int directory, const char *name)
{
	char		file[NAME_MAX + 8];
	struct stat st;
	int			fd;

	snprintf(file, sizeof(file), "%.*s.srm", (int) (strlen(name) - strlen(".lock")), name);
	if (fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return;
	fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void) unlinkat(directory, name, 0);
	if (fd >= 0)
		close(fd);
}

static void
clean_file(int directory, const char *name, const char *own, const SrmPreparedHeader *fresh)
{
	if (has_form(name, ".srm") && strcmp(name, own) != 0 && is_stale(directory, name, fresh))
		(void) unlinkat(directory, name, 0);
	else if (has_form(name, ".tmp"))
		remove_abandoned(directory, name);
	else if (is_tokenizer(name))
		remove_stale_tokenizer(directory, name);
}

static DIR *
open_stream(int directory)
{
	int			fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR		   *stream = fd < 0 ? NULL : fdopendir(fd);

	if (stream == NULL && fd >= 0)
		close(fd);
	return stream;
}

static void
clean_files(int directory, const char *own, const SrmPreparedHeader *fresh)
{
	DIR		   *stream = open_stream(directory);
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL)
		clean_file(directory, entry->d_name, own, fresh);
	if (stream != NULL)
		closedir(stream);
}

static void
clean_locks(int directory)
{
	DIR		   *stream = open_stream(directory);
	struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL)
		if (has_form(entry->d_name, ".lock"))
			remove_lock(directory, entry->d_name);
	if (stream != NULL)
		closedir(stream);
}

void
srm_prepared_clean(int directory, const char *key)
{
	char		own[NAME_MAX] = "";
	SrmPreparedHeader fresh;

	if (key != NULL)
	{
		snprintf(own, sizeof(own), "%s.srm", key);
		if (!read_header(directory, own, &fresh))
			return;
	}
	clean_files(directory, own, key == NULL ? NULL : &fresh);
	clean_locks(directory);
}

void
srm_prepared_clean_path(const char *path)
{
	int			fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	srm_prepared_clean(fd, NULL);
	close(fd);
}
