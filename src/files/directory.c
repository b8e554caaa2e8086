/*-------------------------------------------------------------------------
 *
 * directory.c
 *	  The files of a model directory: where they are, which parts of them are
 *	  in memory, and whether they have changed.
 *
 *-------------------------------------------------------------------------
 */
#include "files/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files/place.h"

#define ALIGNMENT		((uintptr_t) 64)
#define MAX_FIRST		64
#define MAX_TRIES		100
#define LOAD_PIECE		((size_t) 64 * 1024 * 1024)	/* between two looks at stop */

/* For looking up names in it, a directory need not be readable. */
#ifdef O_PATH
#define OPEN_DIRECTORY	(O_PATH | O_DIRECTORY | O_CLOEXEC)
#else
#define OPEN_DIRECTORY	(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#endif

/*
 * Opens the directory, which must not be a link that leads out of those of
 * models.  One that changes places with another meanwhile is tried again.
 */
static bool
open_directory(SrmModelFiles *files, SrmStatus *status)
{
	const char *path = files->directory;

	for (int i = 0; i < MAX_TRIES; i++)
	{
		SrmPlace	place;

		/* What lies in a directory of models itself needs no look at its path, which may change */
		files->fd = srm_place_is_child(path) ? open(path, OPEN_DIRECTORY | O_NOFOLLOW) : -1;
		if (files->fd >= 0)
			return true;
		files->fd = open(path, OPEN_DIRECTORY);
		if (files->fd < 0)
			return srm_fail_file(status, errno, "could not open model directory \"%s\": %s", path,
								 strerror(errno));
		place = srm_place_find(files->fd, path, status);
		if (place == SRM_PLACE_INSIDE)
			return true;
		close(files->fd);
		files->fd = -1;
		if (place == SRM_PLACE_OUTSIDE)
			return false;
	}
	return srm_file_fail_changed(path, status);
}

SrmModelFiles *
srm_files_create(const char *directory, SrmArena *arena, SrmStatus *status)
{
	SrmModelFiles *files = srm_arena_array(arena, 1, sizeof(SrmModelFiles), status);

	if (files == NULL)
		return NULL;
	files->arena = arena;
	files->directory = srm_arena_string(arena, directory, strlen(directory), status);
	if (files->directory == NULL)
		return NULL;
	return open_directory(files, status) ? files : NULL;
}

void
srm_files_close(SrmModelFiles *files)
{
	if (files == NULL)
		return;
	for (SrmSpace *space = files->spaces; space != NULL; space = space->next)
		munmap(space->start, space->reserved);
	files->spaces = NULL;
	if (files->fd >= 0)
		close(files->fd);
	files->fd = -1;
	srm_files_close(files->base);
}

const char *
srm_files_path(SrmModelFiles *files, const char *name, SrmStatus *status)
{
	size_t		n_directory = strlen(files->directory);
	size_t		n_name = strlen(name);
	char	   *path = srm_arena_alloc(files->arena, n_directory + n_name + 2, status);

	if (path == NULL)
		return NULL;
	memcpy(path, files->directory, n_directory);
	path[n_directory] = '/';
	memcpy(path + n_directory + 1, name, n_name + 1);
	return path;
}

/* A watch without a stamp. */
static SrmWatch *
add_watch(SrmModelFiles *files, const char *name, SrmStatus *status)
{
	SrmWatch   *watch = srm_arena_array(files->arena, 1, sizeof(SrmWatch), status);
	const char *path = name[0] == '/' ? srm_arena_string(files->arena, name, strlen(name), status) :
		srm_files_path(files, name, status);

	if (watch == NULL || path == NULL)
		return NULL;
	watch->name = path + strlen(path) - strlen(name);
	watch->path = path;
	watch->next = files->watches;
	files->watches = watch;
	return watch;
}

const SrmWatch *
srm_files_watch(SrmModelFiles *files, const char *name, SrmStatus *status)
{
	SrmWatch   *watch = add_watch(files, name, status);

	if (watch != NULL)
		watch->stamp = srm_file_stamp(files->fd, name);
	return watch;
}

bool
srm_files_open(SrmModelFiles *files, const char *name, bool optional, SrmFile *file,
			   SrmStatus *status)
{
	SrmWatch   *watch = add_watch(files, name, status);
	const char *path;

	if (watch == NULL)
		return false;
	path = watch->path;
	if (srm_file_open(file, files->fd, name, path, optional, status))
	{
		watch->stamp = file->stamp;
		return true;
	}
	watch->stamp = srm_file_stamp(files->fd, name);
	return false;
}

/* Opens a file whose contents are asked for; what is optional and not there is not found. */
static bool
open_contents(SrmModelFiles *files, const char *name, bool optional, SrmFile *file,
			  SrmContents *contents, SrmStatus *status)
{
	memset(contents, 0, sizeof(SrmContents));
	if (!srm_files_open(files, name, optional, file, status))
		return false;
	contents->path = file->path;
	contents->found = file->fd >= 0;
	if (contents->found)
		contents->size = file->size;
	return true;
}

bool
srm_files_read(SrmModelFiles *files, const char *name, bool optional, size_t limit,
			   SrmArena *scratch, SrmContents *contents, SrmStatus *status)
{
	SrmFile		file;

	if (!open_contents(files, name, optional, &file, contents, status))
		return false;
	if (!contents->found)
		return true;
	contents->data = srm_file_read(&file, limit, scratch, status);
	contents->size = file.size;
	srm_file_close(&file);
	return contents->data != NULL;
}

/* Addresses for an open file, of which the byte at aligned is to lie well. */
static SrmSpace *
reserve(SrmModelFiles *files, const SrmFile *file, size_t aligned, SrmStatus *status)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	SrmSpace   *space = srm_arena_array(files->arena, 1, sizeof(SrmSpace), status);
	void	   *start;

	if (space == NULL)
		return NULL;
	space->reserved = (file->size + ALIGNMENT + page) / page * page;
	start = mmap(NULL, space->reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (start == MAP_FAILED)
	{
		srm_fail_memory(status, space->reserved);
		return NULL;
	}
	space->path = file->path;
	space->name = files->watches->name;
	space->stamp = file->stamp;
	space->start = start;
	space->data = space->start + (ALIGNMENT - aligned % ALIGNMENT) % ALIGNMENT;
	space->size = file->size;
	space->loaded = space->loaded_end = space->start;
	space->next = files->spaces;
	files->spaces = space;
	return space;
}

bool
srm_files_reserve(SrmModelFiles *files, const char *name, bool optional, size_t n_first,
				  SrmAlignedByte aligned, SrmContents *contents, SrmStatus *status)
{
	char		first[MAX_FIRST];
	SrmFile		file;
	SrmSpace   *space = NULL;

	if (!open_contents(files, name, optional, &file, contents, status))
		return false;
	if (!contents->found)
		return true;
	if (n_first > file.size)
		n_first = file.size;
	if (n_first <= sizeof(first) && srm_file_read_at(&file, 0, first, n_first, status))
		space = reserve(files, &file, aligned(first, n_first), status);
	srm_file_close(&file);
	contents->data = space == NULL ? NULL : space->data;
	return space != NULL;
}

static SrmSpace *
find_space(const SrmModelFiles *files, const char *data)
{
	SrmSpace   *space = files->spaces;

	while (space != NULL &&
		   ((uintptr_t) data < (uintptr_t) space->start ||
			(uintptr_t) data >= (uintptr_t) space->start + space->reserved))
		space = space->next;
	return space;
}

/* The file of a space once more, which must be the same. */
static bool
open_again(SrmModelFiles *files, const SrmSpace *space, SrmFile *file, SrmStatus *status)
{
	if (!srm_file_open(file, files->fd, space->name, space->path, true, status))
		return false;
	if (file->fd >= 0 && srm_file_stamp_equal(&file->stamp, &space->stamp))
		return true;
	srm_file_close(file);
	return srm_file_fail_changed(files->directory, status);
}

/* Reads the whole pages [start, end) of a space, as far as the file goes. */
static bool
fill(SrmModelFiles *files, SrmSpace *space, char *start, char *end, SrmStatus *status)
{
	SrmFile		file;
	bool		done;

	if (mprotect(start, (size_t) (end - start), PROT_READ | PROT_WRITE) != 0)
		return srm_fail_memory(status, (size_t) (end - start));
	if (!open_again(files, space, &file, status))
		return false;
	if (start < space->data)
		start = space->data;
	if (end > space->data + space->size)
		end = space->data + space->size;
	done = start >= end ||
		srm_file_read_at(&file, (size_t) (start - space->data), start, (size_t) (end - start),
						 status);
	srm_file_close(&file);
	return done;
}

bool
srm_files_load(SrmModelFiles *files, const void *data, size_t size, SrmStatus *status)
{
	SrmSpace   *space = find_space(files, data);
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	char	   *start;
	char	   *end;

	if (space == NULL && files->base != NULL)
		return srm_files_load(files->base, data, size, status);
	if (space == NULL || size == 0)
		return true;
	start = space->start + (size_t) ((const char *) data - space->start) / page * page;
	end = space->start + ((size_t) ((const char *) data - space->start) + size + page - 1) / page * page;
	if (start >= space->loaded && end <= space->loaded_end)
		return true;
	if (!fill(files, space, start, end, status))
		return false;
	/* One range is remembered; what is loaded apart from it is only read again when asked for */
	if (start > space->loaded_end || end < space->loaded)
		space->loaded = space->loaded_end = start;
	if (start < space->loaded)
		space->loaded = start;
	if (end > space->loaded_end)
		space->loaded_end = end;
	return true;
}

bool
srm_files_load_all(SrmModelFiles *files, const SrmStop *stop, SrmStatus *status)
{
	for (SrmSpace *space = files->spaces; space != NULL; space = space->next)
		for (size_t start = 0; start < space->size; start += LOAD_PIECE)
		{
			size_t		rest = space->size - start;

			if (!srm_continue(stop, status) ||
				!srm_files_load(files, space->data + start, rest < LOAD_PIECE ? rest : LOAD_PIECE,
								status))
				return false;
		}
	return files->base == NULL || srm_files_load_all(files->base, stop, status);
}

void
srm_files_release(SrmModelFiles *files)
{
	if (files->base != NULL)
		srm_files_release(files->base);
	for (SrmSpace *space = files->spaces; space != NULL; space = space->next)
	{
		(void) mprotect(space->start, space->reserved, PROT_NONE);
		(void) madvise(space->start, space->reserved, MADV_DONTNEED);
		space->loaded = space->loaded_end = space->start;
	}
}

bool
srm_files_hold(const SrmModelFiles *files, const void *data)
{
	return find_space(files, data) != NULL || (files->base != NULL && srm_files_hold(files->base, data));
}

size_t
srm_files_size(const SrmModelFiles *files)
{
	size_t		size = files->base == NULL ? 0 : srm_files_size(files->base);

	for (const SrmSpace *space = files->spaces; space != NULL; space = space->next)
		size += space->size;
	return size;
}

bool
srm_files_altered(const SrmModelFiles *files)
{
	for (const SrmWatch *watch = files->watches; watch != NULL; watch = watch->next)
	{
		SrmFileStamp now = srm_file_stamp(files->fd, watch->name);

		if (!srm_file_stamp_equal(&watch->stamp, &now))
			return true;
	}
	return files->base != NULL && srm_files_altered(files->base);
}

bool
srm_files_changed(const SrmModelFiles *files)
{
	for (const SrmWatch *watch = files->watches; watch != NULL; watch = watch->next)
	{
		SrmFileStamp now = srm_file_stamp(AT_FDCWD, watch->path);

		if (!srm_file_stamp_equal(&watch->stamp, &now))
			return true;
	}
	return files->base != NULL && srm_files_changed(files->base);
}

bool
srm_files_check(const SrmModelFiles *files, SrmStatus *status)
{
	return !srm_files_altered(files) || srm_file_fail_changed(files->directory, status);
}
