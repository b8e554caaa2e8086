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

#include "model/file.h"
#include "train/random.h"

#define FILE_NAME		"training.state"
#define MAGIC			"srm-training-1\n"
#define MAX_PATH_SIZE	4096
#define MAX_READ		((size_t) 64 * 1024 * 1024)

typedef struct Header
{
	char		magic[16];
	uint64_t	hash;			/* of the run */
	uint64_t	n_floats;
	uint64_t	n_arrays;
	SrmRunState state;
	uint64_t	sum;			/* hash of all of the above and of the arrays */
} Header;

static bool
make_path(char *path, const char *directory, const char *suffix, SrmStatus *status)
{
	int			n = snprintf(path, MAX_PATH_SIZE, "%s/%s%s", directory, FILE_NAME, suffix);

	if (n > 0 && n < MAX_PATH_SIZE)
		return true;
	return srm_fail(status, SRM_INVALID_ARGUMENT, "path of the checkpoint is too long");
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

/* A name is on disk once its directory is. */
static bool
sync_directory(const char *directory)
{
	int			fd = open(directory, O_RDONLY);
	bool		done;

	if (fd < 0)
		return false;
	done = fsync(fd) == 0;
	close(fd);
	return done;
}

static bool
write_file(const char *path, const Header *header, const SrmParameters *parameters, SrmStatus *status)
{
	int			fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int			errnum;

	if (fd < 0)
		return srm_fail_file(status, errno, "could not create file \"%s\": %s", path, strerror(errno));
	if (write_state(fd, header, parameters))
	{
		if (close(fd) == 0)
			return true;
		return srm_fail_file(status, errno, "could not close file \"%s\": %s", path, strerror(errno));
	}
	errnum = errno;
	close(fd);
	unlink(path);
	return srm_fail_file(status, errnum, "could not write file \"%s\": %s", path, strerror(errnum));
}

bool
srm_checkpoint_write(const char *directory, uint64_t hash, const SrmRunState *state,
					 const SrmParameters *parameters, SrmStatus *status)
{
	char		path[MAX_PATH_SIZE];
	char		temporary[MAX_PATH_SIZE];
	float	   *arrays[4];
	Header		header;

	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(MAGIC));
	header.hash = hash;
	header.n_floats = parameters->n_floats;
	header.n_arrays = list_arrays(parameters, arrays);
	header.state = *state;
	header.sum = sum_state(&header, parameters);
	if (!make_path(path, directory, "", status) || !make_path(temporary, directory, ".tmp", status))
		return false;
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return srm_fail_file(status, errno, "could not create directory \"%s\": %s", directory, strerror(errno));
	if (!write_file(temporary, &header, parameters, status))
		return false;
	if (rename(temporary, path) == 0 && sync_directory(directory))
		return true;
	return srm_fail_file(status, errno, "could not rename file \"%s\": %s", temporary, strerror(errno));
}

static bool
fail_foreign(const char *path, SrmStatus *status)
{
	srm_fail(status, SRM_INVALID_ARGUMENT, "checkpoint \"%s\" belongs to another run", path);
	srm_fail_detail(status, "The base model, the pairs or the settings are not the same.");
	return srm_fail_hint(status, "Start again without resuming, or with what the run was started with.");
}

static bool
read_state(int fd, const char *path, uint64_t hash, SrmRunState *state, SrmParameters *parameters,
		   SrmStatus *status)
{
	Header		header;
	float	   *arrays[4];
	size_t		n = list_arrays(parameters, arrays);
	bool		complete = read_bytes(fd, &header, sizeof(header)) &&
		memcmp(header.magic, MAGIC, sizeof(MAGIC)) == 0;

	if (complete && (header.hash != hash || header.n_floats != parameters->n_floats || header.n_arrays != n))
		return fail_foreign(path, status);
	for (size_t i = 0; complete && i < n; i++)
		complete = read_bytes(fd, arrays[i], parameters->n_floats * sizeof(float));
	if (!complete || header.sum != sum_state(&header, parameters))
		return srm_fail(status, SRM_INVALID_ARGUMENT, "checkpoint \"%s\" is damaged", path);
	*state = header.state;
	return true;
}

bool
srm_checkpoint_read(const char *directory, uint64_t hash, SrmRunState *state,
					SrmParameters *parameters, SrmStatus *status)
{
	char		path[MAX_PATH_SIZE];
	int			fd;
	bool		done;

	if (!make_path(path, directory, "", status))
		return false;
	fd = open(path, O_RDONLY);
	if (fd < 0 && errno == ENOENT)
		return srm_fail_file(status, ENOENT, "there is no checkpoint \"%s\" to resume from", path);
	if (fd < 0)
		return srm_fail_file(status, errno, "could not open file \"%s\": %s", path, strerror(errno));
	done = read_state(fd, path, hash, state, parameters, status);
	close(fd);
	return done;
}

void
srm_checkpoint_remove(const char *directory)
{
	SrmStatus	status;
	char		path[MAX_PATH_SIZE];

	srm_status_init(&status);
	if (make_path(path, directory, ".tmp", &status))
		unlink(path);
	if (make_path(path, directory, "", &status))
		unlink(path);
	rmdir(directory);
}
