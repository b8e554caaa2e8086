/*-------------------------------------------------------------------------
 *
 * checkpoint.c
 *	  The state of a run, in a file.
 *
 *-------------------------------------------------------------------------
 */
#include "train/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/file.h"
#include "train/random.h"

#define FILE_NAME		"training.state"
#define TEMPORARY_NAME	"training.state.tmp"
#define MAGIC			"srm-training-3\n"
#define MAX_READ		((size_t) 64 * 1024 * 1024)

typedef struct Header
{
	char		magic[16];
	uint64_t	hash;			/* of the run */
	uint64_t	n_floats;
	uint64_t	n_arrays;
	SrmOwner	owner;
	SrmRunState state;
	uint64_t	sum;			/* hash of all of the above and of the arrays */
} Header;

static bool
fail_access(const char *doing, const char *directory, const char *file, int errnum, SrmStatus *status)
{
	return srm_fail_file(status, errnum, "could not %s file \"%s/%s\": %s", doing, directory, file,
						 strerror(errnum));
}

static bool
fail_directory(const char *doing, const char *directory, int errnum, SrmStatus *status)
{
	return srm_fail_file(status, errnum, "could not %s directory \"%s\": %s", doing, directory,
						 strerror(errnum));
}

static int
open_directory(const char *directory)
{
	return open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The arrays that make up a state. */
static size_t
list_arrays(const SrmParameters *parameters, float **arrays)
{
	size_t		n = 0;

	arrays[n++] = parameters->weights;
	arrays[n++] = parameters->first;
	arrays[n++] = parameters->second;
	if (parameters->best != NULL)
		arrays[n++] = parameters->best;
	return n;
}

static uint64_t
sum_state(const Header *header, const SrmParameters *parameters)
{
	float	   *arrays[4];
	size_t		n = list_arrays(parameters, arrays);
	uint64_t	sum = srm_hash_words(0, header, offsetof(Header, sum));

	for (size_t i = 0; i < n; i++)
		sum = srm_hash_words(sum, arrays[i], parameters->n_floats * sizeof(float));
	return sum;
}

size_t
srm_checkpoint_bytes(const SrmParameters *parameters)
{
	float	   *arrays[4];

	return sizeof(Header) + list_arrays(parameters, arrays) * parameters->n_floats * sizeof(float);
}

static bool
read_bytes(int fd, void *data, size_t size)
{
	char	   *bytes = data;

	while (size > 0)
	{
		ssize_t		n = read(fd, bytes, size < MAX_READ ? size : MAX_READ);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t) n;
	}
	return true;
}

static bool
write_state(int fd, const Header *header, const SrmParameters *parameters)
{
	float	   *arrays[4];
	size_t		n = list_arrays(parameters, arrays);

	if (!srm_file_write(fd, header, sizeof(Header)))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!srm_file_write(fd, arrays[i], parameters->n_floats * sizeof(float)))
			return false;
	return fsync(fd) == 0;
}

/* Flushes the directory in which another one was made. */
static bool
sync_parent(int fd, const char *directory, SrmStatus *status)
{
	int			parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool		done = parent >= 0 && fsync(parent) == 0;

	if (!done)
		fail_directory("fsync the parent of", directory, errno, status);
	if (parent >= 0)
		close(parent);
	return done;
}

/* The directory, which is made if it is missing; -1, with the status set. */
static int
make_directory(const SrmCheckpoint *checkpoint, SrmStatus *status)
{
	bool		is_new = mkdir(checkpoint->directory, checkpoint->mode) == 0;
	int			fd;

	if (!is_new && errno != EEXIST)
	{
		fail_directory("create", checkpoint->directory, errno, status);
		return -1;
	}
	fd = open_directory(checkpoint->directory);
	if (fd < 0)
		fail_directory("open", checkpoint->directory, errno, status);
	else if (is_new && !sync_parent(fd, checkpoint->directory, status))
	{
		close(fd);
		return -1;
	}
	return fd;
}

static bool
write_file(int directory_fd, const SrmCheckpoint *checkpoint, const Header *header,
		   const SrmParameters *parameters, SrmStatus *status)
{
	int			fd = openat(directory_fd, TEMPORARY_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
							checkpoint->mode & 0666);
	bool		done;

	if (fd < 0)
		return fail_access("create", checkpoint->directory, TEMPORARY_NAME, errno, status);
	done = write_state(fd, header, parameters) ||
		fail_access("write", checkpoint->directory, TEMPORARY_NAME, errno, status);
	if (close(fd) != 0 && done)
		done = fail_access("close", checkpoint->directory, TEMPORARY_NAME, errno, status);
	if (!done)
		unlinkat(directory_fd, TEMPORARY_NAME, 0);
	return done;
}

/* A name is on disk once its directory is. */
static bool
put_in_place(int directory_fd, const SrmCheckpoint *checkpoint, SrmStatus *status)
{
	if (renameat(directory_fd, TEMPORARY_NAME, directory_fd, FILE_NAME) != 0)
		return fail_access("rename", checkpoint->directory, TEMPORARY_NAME, errno, status);
	return fsync(directory_fd) == 0 || fail_directory("fsync", checkpoint->directory, errno, status);
}

bool
srm_checkpoint_write(const SrmCheckpoint *checkpoint, const SrmRunState *state,
					 const SrmParameters *parameters, SrmStatus *status)
{
	float	   *arrays[4];
	Header		header;
	int			fd;
	bool		done;

	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(MAGIC));
	header.hash = checkpoint->hash;
	header.n_floats = parameters->n_floats;
	header.n_arrays = list_arrays(parameters, arrays);
	header.owner = checkpoint->owner;
	header.state = *state;
	header.sum = sum_state(&header, parameters);
	fd = make_directory(checkpoint, status);
	if (fd < 0)
		return false;
	done = write_file(fd, checkpoint, &header, parameters, status) && put_in_place(fd, checkpoint, status);
	close(fd);
	return done;
}

static bool
fail_foreign(const char *directory, SrmStatus *status)
{
	srm_fail(status, SRM_INVALID_ARGUMENT, "checkpoint \"%s/%s\" belongs to another run", directory, FILE_NAME);
	srm_fail_detail(status, "The base model, the pairs or the settings are not the same.");
	return srm_fail_hint(status, "Start with what the run was started with, or discard its checkpoint.");
}

/* -1 where there is none, with errno. */
static int
open_file(const char *directory)
{
	int			directory_fd = open_directory(directory);
	int			fd;
	int			errnum;

	if (directory_fd < 0)
		return -1;
	fd = openat(directory_fd, FILE_NAME, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	errnum = errno;
	close(directory_fd);
	errno = errnum;
	return fd;
}

static bool
read_header(int fd, Header *header)
{
	return read_bytes(fd, header, sizeof(Header)) && memcmp(header->magic, MAGIC, sizeof(MAGIC)) == 0;
}

static bool
read_state(int fd, const SrmCheckpoint *checkpoint, SrmRunState *state, SrmParameters *parameters,
		   SrmStatus *status)
{
	Header		header;
	float	   *arrays[4];
	size_t		n = list_arrays(parameters, arrays);
	bool		complete = read_header(fd, &header);

	if (complete &&
		(header.hash != checkpoint->hash || header.n_floats != parameters->n_floats || header.n_arrays != n))
		return fail_foreign(checkpoint->directory, status);
	for (size_t i = 0; complete && i < n; i++)
		complete = read_bytes(fd, arrays[i], parameters->n_floats * sizeof(float));
	if (!complete || header.sum != sum_state(&header, parameters))
		return srm_fail(status, SRM_INVALID_ARGUMENT, "checkpoint \"%s/%s\" is damaged",
						checkpoint->directory, FILE_NAME);
	*state = header.state;
	return true;
}

bool
srm_checkpoint_read(const SrmCheckpoint *checkpoint, SrmRunState *state, SrmParameters *parameters,
					SrmStatus *status)
{
	int			fd = open_file(checkpoint->directory);
	bool		done;

	if (fd < 0 && errno == ENOENT)
		return srm_fail_file(status, ENOENT, "there is no checkpoint \"%s/%s\" to resume from",
							 checkpoint->directory, FILE_NAME);
	if (fd < 0)
		return fail_access("open", checkpoint->directory, FILE_NAME, errno, status);
	done = read_state(fd, checkpoint, state, parameters, status);
	close(fd);
	return done;
}

bool
srm_checkpoint_find(const char *directory, SrmCheckpointInfo *info, SrmStatus *status)
{
	int			fd = open_file(directory);
	struct stat st;
	Header		header;

	memset(info, 0, sizeof(SrmCheckpointInfo));
	if (fd < 0)
		return errno == ENOENT || fail_access("open", directory, FILE_NAME, errno, status);
	info->exists = true;
	if (fstat(fd, &st) == 0)
		info->bytes = (size_t) st.st_size;
	info->is_readable = read_header(fd, &header);
	if (info->is_readable)
	{
		info->step = header.state.step;
		info->owner = header.owner;
		info->owner.name[SRM_MAX_OWNER_NAME - 1] = '\0';
	}
	close(fd);
	return true;
}

void
srm_checkpoint_remove(const char *directory)
{
	int			fd = open_directory(directory);

	if (fd < 0)
		return;
	unlinkat(fd, TEMPORARY_NAME, 0);
	unlinkat(fd, FILE_NAME, 0);
	close(fd);
	rmdir(directory);
}
