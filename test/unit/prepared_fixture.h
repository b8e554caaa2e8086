/*-------------------------------------------------------------------------
 *
 * prepared_fixture.h
 *	  A copy of a tiny model, and a directory for what is prepared of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PREPARED_FIXTURE_H
#define SRM_PREPARED_FIXTURE_H

#include "model_fixture.h"

#include <fcntl.h>

#include "files/tree.h"

static char directory[64];
static SrmStatus status;
static SrmModelOptions options;

static inline int
set_up(void **state)
{
	(void) state;
	srm_status_init(&status);
	snprintf(fixture, sizeof(fixture), "/tmp/srm-prepared-model.%ld", (long) getpid());
	snprintf(directory, sizeof(directory), "/tmp/srm-prepared.%ld", (long) getpid());
	options = (SrmModelOptions) {.compute_choice = SRM_CHOICE_AUTO,.prepared = directory,.mode = 0700};
	copy_model("llama");
	return 0;
}

static inline int
tear_down(void **state)
{
	int			fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void) state;
	srm_tree_remove(fd, directory + strlen("/tmp/"));
	close(fd);
	remove_fixture();
	return 0;
}

/* The name of the only file with that end, or "" where there is none. */
static inline const char *
find_file(const char *end)
{
	static char found[400];
	DIR		   *stream = opendir(directory);
	struct dirent *entry;

	found[0] = '\0';
	assert_non_null(stream);
	while ((entry = readdir(stream)) != NULL)
	{
		size_t		length = strlen(entry->d_name);

		if (length < strlen(end) || strcmp(entry->d_name + length - strlen(end), end) != 0)
			continue;
		if (found[0] != '\0')
			fail_msg("%s and %s", found, entry->d_name);
		snprintf(found, sizeof(found), "%s/%s", directory, entry->d_name);
	}
	closedir(stream);
	return found;
}

/* 0 where there is no such file. */
static inline ino_t
inode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* Changes a byte of a file. */
static inline void
damage(const char *path, long place)
{
	FILE	   *file = fopen(path, "r+b");
	int			byte;

	assert_non_null(file);
	assert_int_equal(fseek(file, place, SEEK_SET), 0);
	byte = fgetc(file);
	fseek(file, -1, SEEK_CUR);
	fputc(byte ^ 0x55, file);
	fclose(file);
}

static inline SrmModel *
open_model(void)
{
	SrmModel   *model = srm_model_open(fixture, &options, NULL, &status);

	if (model == NULL)
		fail_msg("%s: %s", status.message, status.detail);
	return model;
}

#endif							/* SRM_PREPARED_FIXTURE_H */
