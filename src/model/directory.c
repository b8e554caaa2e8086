/*-------------------------------------------------------------------------
 *
 * directory.c
 *	  The files of a model directory: where they are, which are mapped, and
 *	  whether they have changed.
 *
 *-------------------------------------------------------------------------
 */
#include "model/directory.h"

#include <string.h>
#include <sys/mman.h>

SrmModelFiles *
srm_files_create(const char *directory, SrmArena *arena, SrmStatus *status)
{
	SrmModelFiles *files = srm_arena_array(arena, 1, sizeof(SrmModelFiles), status);

	if (files == NULL)
		return NULL;
	files->arena = arena;
	files->directory = srm_arena_string(arena, directory, strlen(directory), status);
	return files->directory == NULL ? NULL : files;
}

void
srm_files_close(SrmModelFiles *files)
{
	if (files == NULL)
		return;
	for (SrmMapping *mapping = files->mappings; mapping != NULL; mapping = mapping->next)
		munmap(mapping->data, mapping->size);
	files->mappings = NULL;
	files->mapped_bytes = 0;
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

bool
srm_files_open(SrmModelFiles *files, const char *name, bool optional, SrmFile *file,
			   SrmStatus *status)
{
	SrmWatch   *watch = srm_arena_array(files->arena, 1, sizeof(SrmWatch), status);
	const char *path = srm_files_path(files, name, status);

	if (watch == NULL || path == NULL || !srm_file_open(file, path, optional, status))
		return false;
	watch->path = path;
	watch->stamp = file->stamp;
	watch->next = files->watches;
	files->watches = watch;
	return true;
}

bool
srm_files_read(SrmModelFiles *files, const char *name, bool optional, size_t limit,
			   SrmArena *scratch, SrmContents *contents, SrmStatus *status)
{
	SrmFile		file;

	memset(contents, 0, sizeof(SrmContents));
	if (!srm_files_open(files, name, optional, &file, status))
		return false;
	contents->path = file.path;
	if (file.fd < 0)
		return true;
	contents->found = true;
	contents->data = srm_file_read(&file, limit, scratch, status);
	contents->size = file.size;
	srm_file_close(&file);
	return contents->data != NULL;
}

/* Maps an open file and leaves the mapping to srm_files_close(). */
static bool
keep_mapping(SrmModelFiles *files, const SrmFile *file, SrmStatus *status)
{
	SrmMapping *mapping = srm_arena_array(files->arena, 1, sizeof(SrmMapping), status);

	if (mapping == NULL)
		return false;
	mapping->data = srm_file_map(file, status);
	if (mapping->data == NULL)
		return false;
	mapping->size = file->size;
	mapping->next = files->mappings;
	files->mappings = mapping;
	files->mapped_bytes += file->size;
	return true;
}

bool
srm_files_map(SrmModelFiles *files, const char *name, bool optional,
			  SrmContents *contents, SrmStatus *status)
{
	SrmFile		file;
	bool		done;

	memset(contents, 0, sizeof(SrmContents));
	if (!srm_files_open(files, name, optional, &file, status))
		return false;
	contents->path = file.path;
	if (file.fd < 0)
		return true;
	contents->found = true;
	contents->size = file.size;
	done = file.size == 0 || keep_mapping(files, &file, status);
	if (done && file.size > 0)
		contents->data = files->mappings->data;
	srm_file_close(&file);
	return done;
}

void
srm_files_release(SrmModelFiles *files)
{
	for (SrmMapping *mapping = files->mappings; mapping != NULL; mapping = mapping->next)
		(void) madvise(mapping->data, mapping->size, MADV_DONTNEED);
}

bool
srm_files_changed(const SrmModelFiles *files)
{
	for (const SrmWatch *watch = files->watches; watch != NULL; watch = watch->next)
	{
		SrmFileStamp now = srm_file_stamp(watch->path);

		if (!srm_file_stamp_equal(&watch->stamp, &now))
			return true;
	}
	return false;
}
