/*-------------------------------------------------------------------------
 *
 * writer.c
 *	  A model directory that is being made.
 *
 * The writer holds a lock on its temporary directory as long as it lives, by
 * which the next writer tells what a crash has left behind.
 *
 *-------------------------------------------------------------------------
 */
#include "write/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_write.h"
#include "files/file.h"
#include "files/name.h"
#include "files/tree.h"

#define CHUNK_SIZE			((size_t) 1024 * 1024)
#define MAX_ATTEMPTS		8

struct SrmWriter
{
	SrmArena   *arena;			/* owns this struct, too */
	const char *parent;
	const char *name;
	const char *path;			/* "parent/name"; of one that is being made, as all below */
	const char *hidden;			/* the temporary name in parent */
	bool		replace;
	unsigned	mode;
	int			parent_fd;		/* -1: not open, as below */
	int			fd;				/* of the temporary directory, locked */
	int			file_fd;		/* of the safetensors file that is open */
	const char *file;
	size_t		missing;		/* bytes of that file that are still to come */
	bool		committed;
};

/* What other stacks and the extension want beside config.json and the weights. */
static const char *const text_files[] = {
	"tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
	"special_tokens_map.json", "added_tokens.json", "tokenizer.model", "vocab.json",
	"merges.txt", "generation_config.json", "LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", NULL
};

static bool
fail_write(const SrmWriter *writer, const char *doing, const char *file, int errnum,
		   SrmStatus *status)
{
	return srm_fail_file(status, errnum, "could not %s \"%s/%s\": %s", doing, writer->parent,
						 file, strerror(errnum));
}

/* The same of a file in the temporary directory. */
static bool
fail_file(const SrmWriter *writer, const char *doing, const char *file, int errnum, SrmStatus *status)
{
	return srm_fail_file(status, errnum, "could not %s file \"%s/%s/%s\": %s", doing, writer->parent,
						 writer->hidden, file, strerror(errnum));
}

static int
open_parent(const char *parent, SrmStatus *status)
{
	int			fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		srm_fail_file(status, errno, "could not open directory \"%s\": %s", parent, strerror(errno));
	return fd;
}

/* Whether there is something of that name, and whether a model may take its place. */
static bool
check_place(const SrmWriter *writer, SrmStatus *status)
{
	struct stat st;

	if (fstatat(writer->parent_fd, writer->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || fail_write(writer, "stat", writer->name, errno, status);
	if (!writer->replace)
		return srm_tree_fail_exists(writer->parent, writer->name, status);
	if (srm_tree_is_model(writer->parent_fd, writer->name))
		return true;
	return srm_fail(status, SRM_INVALID_ARGUMENT, "\"%s/%s\" is not a model directory, and will not be replaced",
					writer->parent, writer->name);
}

/*
 * Makes the temporary directory and locks it.  Another process that cleans up
 * may remove it before it is locked; then it is made once more.
 */
static bool
make_hidden(SrmWriter *writer, SrmStatus *status)
{
	for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++)
	{
		struct stat st;

		if (mkdirat(writer->parent_fd, writer->hidden, writer->mode) != 0)
			return fail_write(writer, "create directory", writer->hidden, errno, status);
		writer->fd = openat(writer->parent_fd, writer->hidden,
							O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (writer->fd >= 0 && flock(writer->fd, LOCK_EX | LOCK_NB) == 0 &&
			fstat(writer->fd, &st) == 0 && st.st_nlink > 0)
			return true;
		if (writer->fd >= 0)
			close(writer->fd);
		writer->fd = -1;
	}
	return fail_write(writer, "lock directory", writer->hidden, errno, status);
}

/* "parent/name" and the like, in the arena. */
static char *
join(SrmWriter *writer, const char *format, const char *a, const char *b, SrmStatus *status)
{
	size_t		size = strlen(a) + strlen(b) + 40;
	char	   *text = srm_arena_alloc(writer->arena, size, status);

	if (text != NULL)
		snprintf(text, size, format, a, b, (long) getpid());
	return text;
}

static bool
open_writer(SrmWriter *writer, const char *parent, const char *name, SrmStatus *status)
{
	writer->parent = srm_arena_string(writer->arena, parent, strlen(parent), status);
	writer->name = srm_arena_string(writer->arena, name, strlen(name), status);
	writer->path = join(writer, "%s/%s", parent, name, status);
	writer->hidden = join(writer, ".%s%s.tmp.%ld", name, "", status);
	if (status->code != SRM_OK)
		return false;
	writer->parent_fd = open_parent(parent, status);
	if (writer->parent_fd < 0)
		return false;
	srm_tree_clean(writer->parent_fd, ".tmp.");
	return check_place(writer, status) && make_hidden(writer, status);
}

SrmWriter *
srm_writer_begin(const char *parent, const char *name, bool replace, unsigned mode,
				 SrmStatus *status)
{
	SrmArena   *arena;
	SrmWriter  *writer;

	if (!srm_name_check(name, status))
		return NULL;
	arena = srm_arena_create(status);
	writer = arena == NULL ? NULL : srm_arena_array(arena, 1, sizeof(SrmWriter), status);
	if (writer == NULL)
	{
		srm_arena_free(arena);
		return NULL;
	}
	writer->arena = arena;
	writer->replace = replace;
	writer->mode = mode;
	writer->parent_fd = writer->fd = writer->file_fd = -1;
	if (open_writer(writer, parent, name, status))
		return writer;
	srm_writer_close(writer);
	return NULL;
}

bool
srm_writer_check(const char *parent, const char *name, bool replace, SrmStatus *status)
{
	SrmWriter	writer = {.parent = parent,.name = name,.replace = replace};
	bool		done;

	if (!srm_name_check(name, status))
		return false;
	writer.parent_fd = open_parent(parent, status);
	if (writer.parent_fd < 0)
		return false;
	done = check_place(&writer, status);
	close(writer.parent_fd);
	return done;
}

const char *
srm_writer_path(const SrmWriter *writer)
{
	return writer->path;
}

static int
create_file(SrmWriter *writer, const char *file, SrmStatus *status)
{
	int			fd;

	if (!srm_name_is_file(file))
	{
		srm_fail(status, SRM_INTERNAL, "invalid name of a model file \"%s\"", file);
		return -1;
	}
	fd = openat(writer->fd, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				writer->mode & 0666);
	if (fd < 0)
		fail_file(writer, "create", file, errno, status);
	return fd;
}

static bool
write_all(const SrmWriter *writer, int fd, const char *file, const char *data, size_t size,
		  SrmStatus *status)
{
	return srm_file_write(fd, data, size) || fail_file(writer, "write", file, errno, status);
}

/* Flushes and closes a file; on some file systems a full disk shows only here. */
static bool
finish_file(const SrmWriter *writer, int fd, const char *file, SrmStatus *status)
{
	bool		done = fsync(fd) == 0 || fail_file(writer, "fsync", file, errno, status);

	if (close(fd) != 0 && done)
		done = fail_file(writer, "close", file, errno, status);
	return done;
}

bool
srm_writer_put(SrmWriter *writer, const char *file, const void *data, size_t size,
			   SrmStatus *status)
{
	int			fd = create_file(writer, file, status);

	if (fd < 0)
		return false;
	if (write_all(writer, fd, file, data, size, status))
		return finish_file(writer, fd, file, status);
	close(fd);
	return false;
}

bool
srm_writer_put_json(SrmWriter *writer, const char *file, const SrmJson *json,
					SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	SrmBuffer	text;
	bool		done;

	done = scratch != NULL && srm_buffer_init(&text, scratch, 0, status) &&
		srm_json_write(&text, json, status) &&
		srm_buffer_append(&text, "\n", 1, status) &&
		srm_writer_put(writer, file, text.data, text.length, status);
	srm_arena_free(scratch);
	return done;
}

/* Copies an open file, a piece at a time. */
static bool
copy_contents(SrmWriter *writer, const SrmFile *file, const char *name, char *piece,
			  const SrmStop *stop, SrmStatus *status)
{
	int			fd = create_file(writer, name, status);
	bool		done = fd >= 0;

	for (size_t start = 0; done && start < file->size; start += CHUNK_SIZE)
	{
		size_t		n = file->size - start < CHUNK_SIZE ? file->size - start : CHUNK_SIZE;

		done = srm_continue(stop, status) && srm_file_read_at(file, start, piece, n, status) &&
			write_all(writer, fd, name, piece, n, status);
	}
	if (done)
		return finish_file(writer, fd, name, status);
	if (fd >= 0)
		close(fd);
	return false;
}

bool
srm_writer_copy_file(SrmWriter *writer, SrmModelFiles *files, const char *name, bool optional,
					 bool *found, const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *scratch;
	SrmFile		file;
	char	   *piece;
	bool		done;

	if (!srm_files_open(files, name, optional, &file, status))
		return false;
	*found = file.fd >= 0;
	if (!*found)
		return true;
	scratch = srm_arena_create(status);
	piece = scratch == NULL ? NULL : srm_arena_alloc(scratch, CHUNK_SIZE, status);
	done = piece != NULL && copy_contents(writer, &file, name, piece, stop, status);
	srm_file_close(&file);
	srm_arena_free(scratch);
	return done;
}

bool
srm_writer_copy_texts(SrmWriter *writer, SrmModelFiles *files, const SrmStop *stop,
					  SrmStatus *status)
{
	bool		found;

	for (int i = 0; text_files[i] != NULL; i++)
		if (!srm_continue(stop, status) ||
			!srm_writer_copy_file(writer, files, text_files[i], true, &found, stop, status))
			return false;
	return true;
}

size_t
srm_writer_text_bytes(const char *directory)
{
	int			fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t		bytes = 0;
	struct stat st;

	for (int i = 0; fd >= 0 && text_files[i] != NULL; i++)
		if (fstatat(fd, text_files[i], &st, 0) == 0)
			bytes += (size_t) st.st_size;
	if (fd >= 0)
		close(fd);
	return bytes;
}

bool
srm_writer_begin_tensors(SrmWriter *writer, const char *file, SrmTensorPlan *plans, size_t n,
						 SrmStatus *status)
{
	SrmBuffer	header;

	if (!srm_buffer_init(&header, writer->arena, 0, status) ||
		!srm_safetensors_plan(plans, n, &header, status))
		return false;
	writer->file = srm_arena_string(writer->arena, file, strlen(file), status);
	if (writer->file == NULL)
		return false;
	writer->missing = 0;
	for (size_t i = 0; i < n; i++)
		writer->missing += plans[i].size;
	writer->file_fd = create_file(writer, file, status);
	return writer->file_fd >= 0 &&
		write_all(writer, writer->file_fd, file, header.data, header.length, status);
}

bool
srm_writer_append(SrmWriter *writer, const void *data, size_t size, const SrmStop *stop,
				  SrmStatus *status)
{
	static const char zeros[4096];

	if (size > writer->missing)
		return srm_fail(status, SRM_INTERNAL, "too many bytes for file \"%s\"", writer->file);
	for (size_t start = 0; start < size;)
	{
		size_t		most = data == NULL ? sizeof(zeros) : CHUNK_SIZE;
		size_t		n = size - start < most ? size - start : most;
		const char *piece = data == NULL ? zeros : (const char *) data + start;

		if (!srm_continue(stop, status) ||
			!write_all(writer, writer->file_fd, writer->file, piece, n, status))
			return false;
		start += n;
		writer->missing -= n;
	}
	return true;
}

bool
srm_writer_end_tensors(SrmWriter *writer, SrmStatus *status)
{
	int			fd = writer->file_fd;

	if (writer->missing > 0)
		return srm_fail(status, SRM_INTERNAL, "%zu bytes are missing of file \"%s\"",
						writer->missing, writer->file);
	writer->file_fd = -1;
	return finish_file(writer, fd, writer->file, status);
}

bool
srm_writer_put_tensors(SrmWriter *writer, const char *file, SrmTensorPlan *plans, size_t n,
					   const SrmStop *stop, SrmStatus *status)
{
	if (!srm_writer_begin_tensors(writer, file, plans, n, status))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!srm_writer_append(writer, plans[i].data, plans[i].size, stop, status))
			return false;
	return srm_writer_end_tensors(writer, status);
}

/*
 * Exchanges the old model and the new one in a single step where the system
 * can do that; there is a moment without a model of that name where it cannot.
 */
static bool
exchange(SrmWriter *writer, SrmStatus *status)
{
	char		old[SRM_MAX_MODEL_NAME + 40];

#ifdef RENAME_EXCHANGE
	if (renameat2(writer->parent_fd, writer->hidden, writer->parent_fd, writer->name,
				  RENAME_EXCHANGE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return fail_write(writer, "replace", writer->name, errno, status);
#endif
	snprintf(old, sizeof(old), ".%s.old.tmp.%ld", writer->name, (long) getpid());
	if (renameat(writer->parent_fd, writer->name, writer->parent_fd, old) != 0)
		return fail_write(writer, "rename", writer->name, errno, status);
	if (renameat(writer->parent_fd, writer->hidden, writer->parent_fd, writer->name) != 0)
	{
		fail_write(writer, "rename", writer->hidden, errno, status);
		(void) renameat(writer->parent_fd, old, writer->parent_fd, writer->name);
		return false;
	}
	/* As after an exchange, the hidden name leads to the old model */
	if (renameat(writer->parent_fd, old, writer->parent_fd, writer->hidden) != 0)
		return fail_write(writer, "rename", old, errno, status);
	return true;
}

/*
 * The place was looked at before, but somebody may have taken it since: only who
 * replaces takes anything away.
 */
static bool
put_in_place(SrmWriter *writer, SrmStatus *status)
{
	struct stat st;

	if (writer->replace && fstatat(writer->parent_fd, writer->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return exchange(writer, status);
	if (srm_tree_rename(writer->parent_fd, writer->hidden, writer->name))
		return true;
	if (errno == EEXIST)
		return srm_tree_fail_exists(writer->parent, writer->name, status);
	return fail_write(writer, "rename", writer->hidden, errno, status);
}

bool
srm_writer_commit(SrmWriter *writer, SrmStatus *status)
{
	if (fsync(writer->fd) != 0)
		return fail_write(writer, "fsync directory", writer->hidden, errno, status);
	if (!check_place(writer, status) || !put_in_place(writer, status))
		return false;
	writer->committed = true;
	/* Nothing of that name is left unless a model was replaced */
	srm_tree_remove(writer->parent_fd, writer->hidden);
	return fsync(writer->parent_fd) == 0 ||
		srm_fail_file(status, errno, "could not fsync directory \"%s\": %s", writer->parent,
					  strerror(errno));
}

void
srm_writer_close(SrmWriter *writer)
{
	if (writer == NULL)
		return;
	if (writer->file_fd >= 0)
		close(writer->file_fd);
	if (writer->fd >= 0 && !writer->committed)
		srm_tree_remove(writer->parent_fd, writer->hidden);
	if (writer->fd >= 0)
		close(writer->fd);
	if (writer->parent_fd >= 0)
		close(writer->parent_fd);
	srm_arena_free(writer->arena);
}

bool
srm_writer_set_config(SrmJson *config, const char *key, SrmJson *value, SrmArena *arena,
					  SrmStatus *status)
{
	SrmJson    *settings = config->child;

	while (settings != NULL &&
		   (strcmp(settings->key, "srm") != 0 || settings->type != SRM_JSON_OBJECT))
		settings = settings->next;
	if (settings == NULL)
	{
		settings = srm_json_make(SRM_JSON_OBJECT, arena, status);
		if (settings == NULL || !srm_json_set(config, "srm", settings, arena, status))
			return false;
	}
	return srm_json_set(settings, key, value, arena, status);
}
