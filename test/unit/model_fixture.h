/*-------------------------------------------------------------------------
 *
 * model_fixture.h
 *	  A copy of a tiny model in a temporary directory, to be damaged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MODEL_FIXTURE_H
#define SRM_MODEL_FIXTURE_H

#include "testing.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/model.h"

#define WEIGHTS		"model.safetensors"
#define SHARD		"model-00002-of-00002.safetensors"	/* of "qwen3-sharded" */

static char fixture[64];		/* the directory */

typedef struct Bytes
{
	char	   *data;			/* (size), then a NUL; to be freed */
	size_t		size;
} Bytes;

static inline const char *
in_fixture(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", fixture, name);
	return path;
}

static inline Bytes
read_bytes(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	Bytes		bytes;

	if (file == NULL)
		fail_msg("cannot open %s", path);
	fseek(file, 0, SEEK_END);
	bytes.size = (size_t) ftell(file);
	rewind(file);
	bytes.data = calloc(1, bytes.size + 1);
	assert_int_equal(fread(bytes.data, 1, bytes.size, file), bytes.size);
	fclose(file);
	return bytes;
}

static inline void
write_bytes(const char *name, const char *data, size_t size)
{
	FILE	   *file = fopen(in_fixture(name), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	fclose(file);
}

static inline void
write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

/* Removes what one level of the directory holds, and makes it anew from a model. */
static inline void
remove_fixture(void)
{
	DIR		   *directory = opendir(fixture);
	struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove(in_fixture(entry->d_name));
	if (directory != NULL)
		closedir(directory);
	rmdir(fixture);
}

static inline void
copy_model(const char *name)
{
	char		source[128];
	DIR		   *directory;
	struct dirent *entry;

	remove_fixture();
	assert_int_equal(mkdir(fixture, 0700), 0);
	snprintf(source, sizeof(source), "test/data/models/%s", name);
	directory = opendir(source);
	assert_non_null(directory);
	while ((entry = readdir(directory)) != NULL)
	{
		char		path[400];
		Bytes		bytes;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "expected.json") == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", source, entry->d_name);
		bytes = read_bytes(path);
		write_bytes(entry->d_name, bytes.data, bytes.size);
		free(bytes.data);
	}
	closedir(directory);
}

/* Replaces the first occurrence of find in a text; it must occur. */
static inline Bytes
replaced(Bytes text, const char *find, const char *with)
{
	char	   *place = strstr(text.data, find);
	size_t		before;
	Bytes		result;

	if (place == NULL)
		fail_msg("\"%s\" is not there", find);
	before = (size_t) (place - text.data);
	result.size = text.size - strlen(find) + strlen(with);
	result.data = calloc(1, result.size + 1);
	memcpy(result.data, text.data, before);
	memcpy(result.data + before, with, strlen(with));
	memcpy(result.data + before + strlen(with), place + strlen(find),
		   text.size - before - strlen(find));
	free(text.data);
	return result;
}

static inline void
edit_file(const char *name, const char *find, const char *with)
{
	Bytes		bytes = replaced(read_bytes(in_fixture(name)), find, with);

	write_bytes(name, bytes.data, bytes.size);
	free(bytes.data);
}

static inline size_t
header_size(const Bytes *file)
{
	size_t		size = 0;

	for (int i = 7; i >= 0; i--)
		size = size << 8 | (unsigned char) file->data[i];
	return size;
}

/* Writes a safetensors file with another header before the data of an old one. */
static inline void
write_header(const char *name, const Bytes *old, const char *header, size_t size)
{
	size_t		data = 8 + header_size(old);
	FILE	   *file = fopen(in_fixture(name), "wb");

	assert_non_null(file);
	for (int i = 0; i < 8; i++)
		fputc((int) (size >> (8 * i) & 255), file);
	fwrite(header, 1, size, file);
	fwrite(old->data + data, 1, old->size - data, file);
	fclose(file);
}

/*
 * Replaces text in the header of a safetensors file, and keeps its data.  As
 * writers of the format do, fills the header up so that the data are aligned.
 */
static inline void
edit_header(const char *name, const char *find, const char *with)
{
	Bytes		old = read_bytes(in_fixture(name));
	Bytes		header = {.size = header_size(&old)};
	size_t		size;
	char	   *filled;

	header.data = calloc(1, header.size + 1);
	memcpy(header.data, old.data + 8, header.size);
	header = replaced(header, find, with);
	size = (header.size + 7) / 8 * 8;
	filled = malloc(size);
	memset(filled, ' ', size);
	memcpy(filled, header.data, header.size);
	write_header(name, &old, filled, size);
	free(filled);
	free(header.data);
	free(old.data);
}

/* The fixture opens. */
static inline SrmModel *
open_fixture(void)
{
	SrmStatus	status = {0};
	SrmModel   *model = srm_model_open(fixture, NULL, NULL, &status);

	if (model == NULL)
		fail_msg("%s %s %s", status.message, status.detail, status.hint);
	assert_int_equal(status.code, SRM_OK);
	return model;
}

/* It does not, with a code, and texts that are in the message and the detail; it is told where. */
static inline void
expect_failure(SrmCode code, const char *message, const char *detail)
{
	SrmStatus	status = {0};
	SrmModel   *model = srm_model_open(fixture, NULL, NULL, &status);

	if (model != NULL)
		fail_msg("opened, but expected: %s %s", message, detail);
	if (status.code != code || strstr(status.message, message) == NULL ||
		strstr(status.detail, detail) == NULL)
		fail_msg("code %d, \"%s\" \"%s\", but expected code %d, \"%s\" \"%s\"", status.code,
				 status.message, status.detail, code, message, detail);
	if (strstr(status.message, fixture) == NULL && strstr(status.detail, fixture) == NULL &&
		strstr(status.hint, fixture) == NULL)
		fail_msg("\"%s\" \"%s\" \"%s\" does not say where", status.message, status.detail, status.hint);
}

/* A model, what replaces what in one of its files, and the failure that follows. */
typedef struct Damage
{
	const char *model;
	const char *find;
	const char *with;
	SrmCode		code;
	const char *message;
	const char *detail;
} Damage;

/* Each of the damages in a fresh copy of its model; edit is edit_file() or edit_header(). */
static inline void
expect_failures(const Damage *damages, size_t n, const char *file,
				void (*edit) (const char *name, const char *find, const char *with))
{
	for (size_t i = 0; i < n; i++)
	{
		copy_model(damages[i].model);
		edit(file, damages[i].find, damages[i].with);
		expect_failure(damages[i].code, damages[i].message, damages[i].detail);
	}
}

#define EXPECT_FAILURES(damages, file, edit) \
	expect_failures(damages, sizeof(damages) / sizeof((damages)[0]), file, edit)

static inline int
create_fixture(void **state)
{
	(void) state;
	strcpy(fixture, "/tmp/srm_model_XXXXXX");
	return mkdtemp(fixture) == NULL;
}

static inline int
drop_fixture(void **state)
{
	(void) state;
	remove_fixture();
	return 0;
}

#endif							/* SRM_MODEL_FIXTURE_H */
