/*-------------------------------------------------------------------------
 *
 * file.c
 *	  One file of a model directory.
 *
 *-------------------------------------------------------------------------
 */
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/place.h"

#define MAX_PIECE	((size_t) 64 * 1024 * 1024)	/* some systems refuse what is larger than an int */

/* O_NONBLOCK: a FIFO would wait for its writer */
#define OPEN_FILE	(O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

#define LFS_START		"version https://git-lfs.github.com/spec/"
#define LFS_MAX_SIZE	1024

static SrmFileStamp
make_stamp(const struct stat *st)
{
	SrmFileStamp stamp = {
		.exists = true,
		.device = (uint64_t) st->st_dev,
		.inode = (uint64_t) st->st_ino,
		.size = (uint64_t) st->st_size,
		.modified_s = st->st_mtim.tv_sec,
		.modified_ns = st->st_mtim.tv_nsec,
		.changed_s = st->st_ctim.tv_sec,
		.changed_ns = st->st_ctim.tv_nsec
	};

	return stamp;
}

SrmFileStamp
srm_file_stamp(int directory, const char *name)
{
	SrmFileStamp stamp = {0};
	struct stat st;

	return fstatat(directory, name, &st, 0) == 0 ? make_stamp(&st) : stamp;
}

bool
srm_file_stamp_equal(const SrmFileStamp *a, const SrmFileStamp *b)
{
	return a->exists == b->exists && a->device == b->device &&
		a->inode == b->inode && a->size == b->size &&
		a->modified_s == b->modified_s && a->modified_ns == b->modified_ns &&
		a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

/* "could not open file ...": doing says what could not be done */
static bool
fail_access(const char *doing, const char *path, int errnum, SrmStatus *status)
{
	return srm_fail_file(status, errnum, "could not %s file \"%s\": %s", doing, path,
						 strerror(errnum));
}

/* Tools that save models often leave files that their owner alone may read. */
static bool
fail_open(const char *path, int errnum, SrmStatus *status)
{
	const struct passwd *user = errnum == EACCES ? getpwuid(geteuid()) : NULL;

	fail_access("open", path, errnum, status);
	return user != NULL &&
		srm_fail_hint(status, "Let the server's user \"%s\" read the file and search its directories.",
					  user->pw_name);
}

/* What git leaves in place of a large file that it has not fetched: a text of some lines. */
static bool
check_pointer(const SrmFile *file, SrmStatus *status)
{
	char		first[sizeof(LFS_START) - 1];

	if (file->size < sizeof(first) || file->size > LFS_MAX_SIZE ||
		pread(file->fd, first, sizeof(first), 0) != (ssize_t) sizeof(first) ||
		memcmp(first, LFS_START, sizeof(first)) != 0)
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "\"%s\" is a pointer of Git LFS, not the file itself", file->path);
	srm_fail_detail(status, "The repository was cloned without its large files; this one has %zu bytes.", file->size);
	return srm_fail_hint(status, "Run \"git lfs pull\" in the model's directory, or download the file.");
}

/* A link, which must not lead out; -1 is left in the file where it does. */
static bool
open_link(SrmFile *file, int directory, const char *name, SrmStatus *status)
{
	SrmPlace	place;

	file->fd = openat(directory, name, OPEN_FILE);
	if (file->fd < 0 && errno == ENOENT)
	{
		srm_fail(status, SRM_INVALID_MODEL, "\"%s\" is a link to a file that does not exist", file->path);
		return srm_fail_hint(status, "Download the model again; whoever copies a cache of downloads copies what its links lead to (cp -L).");
	}
	if (file->fd < 0)
		return fail_open(file->path, errno, status);
	place = srm_place_find(file->fd, file->path, status);
	if (place == SRM_PLACE_INSIDE)
		return true;
	srm_file_close(file);
	return place == SRM_PLACE_MOVED && srm_file_fail_changed(file->path, status);
}

bool
srm_file_fail_changed(const char *path, SrmStatus *status)
{
	srm_fail(status, SRM_INVALID_MODEL, "\"%s\" was changed while it was read", path);
	return srm_fail_hint(status, "Try again; a model is replaced by renaming a new one into its place.");
}

/* Takes the descriptor's size and stamp; refuses what is not a regular file. */
static bool
inspect(SrmFile *file, SrmStatus *status)
{
	struct stat st;

	if (fstat(file->fd, &st) != 0)
		return fail_access("stat", file->path, errno, status);
	if (!S_ISREG(st.st_mode))
		return srm_fail(status, SRM_INVALID_MODEL, "\"%s\" is not a regular file", file->path);
	if ((uint64_t) st.st_size > SIZE_MAX / 2)
		return srm_fail(status, SRM_LIMIT_EXCEEDED, "file \"%s\" is too large", file->path);
	file->size = (size_t) st.st_size;
	file->stamp = make_stamp(&st);
	return true;
}

bool
srm_file_open(SrmFile *file, int directory, const char *name, const char *path,
			  bool missing_ok, SrmStatus *status)
{
	memset(file, 0, sizeof(SrmFile));
	file->path = path;

	file->fd = openat(directory, name, OPEN_FILE | O_NOFOLLOW);
	if (file->fd < 0 && (errno == ELOOP || errno == EMLINK))
	{
		if (!open_link(file, directory, name, status))
			return false;
	}
	else if (file->fd < 0)
		return (missing_ok && errno == ENOENT) || fail_open(path, errno, status);
	if (inspect(file, status) && check_pointer(file, status))
		return true;
	srm_file_close(file);
	return false;
}

void
srm_file_close(SrmFile *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

bool
srm_file_read_at(const SrmFile *file, size_t offset, void *data, size_t size, SrmStatus *status)
{
	for (size_t done = 0; done < size;)
	{
		size_t		rest = size - done < MAX_PIECE ? size - done : MAX_PIECE;
		ssize_t		n = pread(file->fd, (char *) data + done, rest, (off_t) (offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_access("read", file->path, errno, status);
		if (n == 0)
			return srm_file_fail_changed(file->path, status);
		done += (size_t) n;
	}
	return true;
}

char *
srm_file_read(const SrmFile *file, size_t limit, SrmArena *arena, SrmStatus *status)
{
	char	   *data;

	if (file->size > limit)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "file \"%s\" is too large", file->path);
		srm_fail_detail(status, "It has %zu bytes, the limit is %zu.", file->size, limit);
		return NULL;
	}
	data = srm_arena_alloc(arena, file->size + 1, status);
	if (data == NULL || !srm_file_read_at(file, 0, data, file->size, status))
		return NULL;
	data[file->size] = '\0';
	return data;
}

bool
srm_file_write(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0)
	{
		ssize_t		n = write(fd, next, size < MAX_PIECE ? size : MAX_PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return false;
		next += n;
		size -= (size_t) n;
	}
	return true;
}
