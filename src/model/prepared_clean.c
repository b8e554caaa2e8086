/*-------------------------------------------------------------------------
 *
 * prepared_clean.c
 *	  Prepared files that nobody will use again.
 *
 *-------------------------------------------------------------------------
 */
#include "model/prepared_clean.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/prepared_format.h"
#include "model/prepared_tokenizer.h"

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

/* fresh is the header of the file that was just made. */
static bool
is_stale(int directory, const char *name, const SrmPreparedHeader *fresh)
{
	SrmPreparedHeader header;

	if (!read_header(directory, name, &header) || !srm_prepared_is_current(&header))
		return true;
	if (strcmp(header.directory, fresh->directory) == 0)
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
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void) unlinkat(directory, name, 0);
	if (fd >= 0)
		close(fd);
}

void
srm_prepared_clean(int directory, const char *key)
{
	char		own[NAME_MAX];
	SrmPreparedHeader fresh;
	int			fd;
	DIR		   *stream;
	struct dirent *entry;

	snprintf(own, sizeof(own), "%s.srm", key);
	if (!read_header(directory, own, &fresh))
		return;
	fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (stream == NULL && fd >= 0)
		close(fd);
	while (stream != NULL && (entry = readdir(stream)) != NULL)
	{
		const char *name = entry->d_name;

		if (has_form(name, ".srm") && strcmp(name, own) != 0 &&
			is_stale(directory, name, &fresh))
			(void) unlinkat(directory, name, 0);
		else if (has_form(name, ".tmp"))
			remove_abandoned(directory, name);
		else if (is_tokenizer(name))
			remove_stale_tokenizer(directory, name);
	}
	if (stream != NULL)
		closedir(stream);
}
