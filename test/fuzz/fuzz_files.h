/*-------------------------------------------------------------------------
 *
 * fuzz_files.h
 *	  A directory of files that a fuzzer damages, and how it does so.
 *
 * Inputs are no files but changes of a whole one, so that what they reach lies
 * behind its sizes and checksums.  All paths are relative to the source tree.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_FUZZ_FILES_H
#define SRM_FUZZ_FILES_H

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "files/tree.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern int	LLVMFuzzerInitialize(int *argc, char ***argv);

#define PATCH_SIZE	5			/* four bytes that say where, one that says what */
#define HEAD_SIZE	4096		/* half of the changes are there */

static char place[64];			/* the directory */

typedef struct Bytes
{
	char	   *data;			/* (size), to be freed */
	size_t		size;
} Bytes;

static inline void
check(bool holds)
{
	if (!holds)
		abort();
}

static inline void
check_status(bool done, const SrmStatus *status)
{
	if (done)
		return;
	fprintf(stderr, "%s: %s\n", status->message, status->detail);
	abort();
}

static inline void
remove_place(void)
{
	int			fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	srm_tree_remove(fd, place + strlen("/tmp/"));
	close(fd);
}

/* The directory, empty, and gone at the end. */
static inline void
make_place(const char *name)
{
	snprintf(place, sizeof(place), "/tmp/srm-fuzz-%s.%ld", name, (long) getpid());
	remove_place();
	check(mkdir(place, 0700) == 0);
	atexit(remove_place);
}

/* A path below the directory, until the next call. */
static inline const char *
in_place(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", place, name);
	return path;
}

static inline Bytes
read_file(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	Bytes		bytes;

	if (file == NULL)
		fprintf(stderr, "cannot open %s\n", path);
	check(file != NULL);
	fseek(file, 0, SEEK_END);
	bytes.size = (size_t) ftell(file);
	rewind(file);
	bytes.data = aligned_alloc(64, (bytes.size + 64) / 64 * 64);
	check(fread(bytes.data, 1, bytes.size, file) == bytes.size);
	fclose(file);
	return bytes;
}

static inline void
write_file(const char *path, const void *data, size_t size)
{
	FILE	   *file = fopen(path, "wb");

	check(file != NULL && fwrite(data, 1, size, file) == size);
	check(fclose(file) == 0);
}

/* Copies the files of a directory to another one, which is made. */
static inline void
copy_files(const char *from, const char *to)
{
	DIR		   *stream = opendir(from);
	struct dirent *entry;
	char		path[400];

	check(stream != NULL && mkdir(to, 0700) == 0);
	while ((entry = readdir(stream)) != NULL)
	{
		Bytes		bytes;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", from, entry->d_name);
		bytes = read_file(path);
		snprintf(path, sizeof(path), "%s/%s", to, entry->d_name);
		write_file(path, bytes.data, bytes.size);
		free(bytes.data);
	}
	closedir(stream);
}

/* The path of the only file of a directory with that end, until the next call. */
static inline const char *
find_file(const char *directory, const char *end)
{
	static char found[400];
	DIR		   *stream = opendir(directory);
	struct dirent *entry;

	found[0] = '\0';
	check(stream != NULL);
	while ((entry = readdir(stream)) != NULL)
	{
		size_t		length = strlen(entry->d_name);

		if (length >= strlen(end) && strcmp(entry->d_name + length - strlen(end), end) == 0)
			snprintf(found, sizeof(found), "%s/%s", directory, entry->d_name);
	}
	closedir(stream);
	check(found[0] != '\0');
	return found;
}

/* The bytes of a whole file with the changes of an input, in memory aligned to 64 bytes; to be freed. */
static inline char *
patch(Bytes whole, const uint8_t *data, size_t size)
{
	char	   *copy = aligned_alloc(64, (whole.size + 64) / 64 * 64);

	memcpy(copy, whole.data, whole.size);
	for (; size >= PATCH_SIZE; data += PATCH_SIZE, size -= PATCH_SIZE)
	{
		uint32_t	where = data[0] | (uint32_t) data[1] << 8 | (uint32_t) data[2] << 16 | (uint32_t) data[3] << 24;
		size_t		room = where >> 31 == 0 && whole.size > HEAD_SIZE ? HEAD_SIZE : whole.size;

		copy[(where & INT32_MAX) % room] = (char) data[4];
	}
	return copy;
}

#endif							/* SRM_FUZZ_FILES_H */
