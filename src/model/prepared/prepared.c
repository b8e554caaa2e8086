/*-------------------------------------------------------------------------
 *
 * prepared.c
 *	  A model's weights in the order in which products read them, made once
 *	  and shared by all processes.
 *
 * In the directory of prepared files, KEY stands for a hash of the model's
 * path and the kind of arithmetic:
 *
 *	  KEY.srm	the file; replaced by renaming alone
 *	  KEY.tmp	the next one, written by whoever holds the lock
 *	  KEY.lock	locked with flock() while a file is made; stays as long as the file
 *
 * The tokenizer's file has no lock and no kind: see prepared_tokenizer.c.
 *
 *-------------------------------------------------------------------------
 */
#include "model/prepared/prepared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "files/directory.h"
#include "kernel/pack.h"
#include "model/prepared/prepared_clean.h"
#include "model/prepared/prepared_format.h"

#define PACK_ROWS		512		/* between two looks at stop; a multiple of the panels' rows */
#define WAIT_MS			20
#define MAX_WAIT_MS		60000	/* of who cannot be stopped, such as the postmaster */

typedef struct Maker
{
	SrmModel   *model;
	const SrmModelOptions *options;
	SrmPreparedPlan *plan;
	char		key[SRM_PREPARED_NAME];
	int			directory;		/* descriptor, or -1 */
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;			/* failures that end the call */
	SrmStatus  *problem;		/* failures that lead to memory of our own */
} Maker;

static bool
fail_doing(Maker *maker, const char *doing, const char *name)
{
	int			errnum = errno;

	return srm_fail_file(maker->problem, errnum, "could not %s \"%s/%s\": %s", doing,
						 maker->options->prepared, name, strerror(errnum));
}

/* "KEY.srm" and the like */
static const char *
print_name(const Maker *maker, const char *suffix, char name[SRM_PREPARED_NAME + 8])
{
	snprintf(name, SRM_PREPARED_NAME + 8, "%s.%s", maker->key, suffix);
	return name;
}

/* The one arithmetic of all matrices, or "mixed". */
static const char *
compute_name(const SrmPreparedPlan *plan)
{
	for (size_t i = 1; i < plan->n_packed; i++)
		if (plan->matrices[i].compute != plan->matrices[0].compute)
			return "mixed";
	return plan->n_packed == 0 ? "f32" : srm_compute_name(plan->matrices[0].compute);
}

/* Points a matrix of the model to its packed form or its copy. */
static void
use_matrix(const SrmPreparedMatrix *entry, const char *data)
{
	if (entry->is_copy)
	{
		entry->matrix->data = data;
		return;
	}
	entry->matrix->packed = data;
	entry->matrix->compute = entry->compute;
	entry->matrix->packing = entry->packing;
}

/* In large pages where the file system has them: a new process takes a fault for each page. */
static void *
map_file(const Maker *maker, int fd)
{
	void	   *data = mmap(NULL, maker->plan->size, PROT_READ, MAP_SHARED, fd, 0);

#ifdef MADV_HUGEPAGE
	if (data != MAP_FAILED)
		(void) madvise(data, maker->plan->size, MADV_HUGEPAGE);
#endif
	return data;
}

/* Whether the file is there and of this model; if so it is mapped and used. */
static bool
use_file(Maker *maker)
{
	SrmPrepared *prepared = &maker->model->prepared;
	char		name[SRM_PREPARED_NAME + 8];
	int			fd = openat(maker->directory, print_name(maker, "srm", name),
							O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	void	   *data = MAP_FAILED;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t) st.st_size == maker->plan->size)
		data = map_file(maker, fd);
	close(fd);
	if (data == MAP_FAILED)
		return false;
	if (!srm_prepared_check(maker->plan, data, maker->plan->size, false))
	{
		munmap(data, maker->plan->size);
		return false;
	}
	prepared->data = data;
	prepared->bytes = maker->plan->size;
	memcpy(prepared->digest, ((SrmPreparedHeader *) data)->digest, SRM_DIGEST_LENGTH);
	for (size_t i = 0; i < maker->plan->n; i++)
		use_matrix(&maker->plan->matrices[i], (char *) data + maker->plan->matrices[i].offset);
	return true;
}

/* The rows that row first and the n - 1 behind it stand in, as the model's file has them. */
static bool
load_rows(Maker *maker, const SrmMatrix *matrix, size_t first, size_t n)
{
	size_t		bytes = matrix->cols * srm_dtype_size(matrix->dtype);
	size_t		start = srm_matrix_row(matrix, first);
	size_t		end = srm_matrix_row(matrix, first + n - 1) + 1;

	return srm_files_load(maker->model->files, (const char *) matrix->data + start * bytes,
						  (end - start) * bytes, maker->status);
}

/* What is added to a matrix, for all of its rows. */
static bool
load_change(Maker *maker, const SrmLowRank *change)
{
	SrmModelFiles *files = maker->model->files;

	return change == NULL ||
		(srm_files_load(files, change->a.data, srm_prepared_source_bytes(&change->a), maker->status) &&
		 srm_files_load(files, change->b.data, srm_prepared_source_bytes(&change->b), maker->status));
}

static bool
pack_matrix(Maker *maker, const SrmPreparedMatrix *entry, void *out)
{
	size_t		rows = entry->matrix->rows;

	if (!load_change(maker, entry->matrix->change))
		return false;
	for (size_t first = 0; first < rows; first += PACK_ROWS)
	{
		size_t		n = rows - first < PACK_ROWS ? rows - first : PACK_ROWS;

		if (!srm_continue(maker->stop, maker->status) ||
			!load_rows(maker, entry->matrix, first, n))
			return false;
		srm_pack_rows(out, entry->matrix, entry->packing, first, n);
	}
	srm_files_release(maker->model->files);
	return true;
}

/* A piece of a copy, in memory until the next one. */
static const char *
load_piece(Maker *maker, const SrmPreparedMatrix *entry, size_t start, size_t *size)
{
	const char *data = (const char *) entry->matrix->data + start;

	*size = entry->size - start < SRM_PREPARED_PIECE ? entry->size - start : SRM_PREPARED_PIECE;
	srm_files_release(maker->model->files);
	return srm_continue(maker->stop, maker->status) &&
		srm_files_load(maker->model->files, data, *size, maker->status) ? data : NULL;
}

static bool
copy_matrix(Maker *maker, const SrmPreparedMatrix *entry, void *out)
{
	for (size_t start = 0; start < entry->size; start += SRM_PREPARED_PIECE)
	{
		size_t		size;
		const char *piece = load_piece(maker, entry, start, &size);

		if (piece == NULL)
			return false;
		memcpy((char *) out + start, piece, size);
	}
	return true;
}

bool
srm_prepared_check_memory(const SrmModelOptions *options, const char *directory, size_t bytes,
						  SrmStatus *status)
{
	if (options == NULL || options->memory_limit == 0 || bytes <= options->memory_limit)
		return true;
	srm_fail(status, SRM_LIMIT_EXCEEDED, "weights of model \"%s\" need more memory than is allowed", directory);
	srm_fail_detail(status, "They take %zu MB; the limit is %zu MB.", (bytes >> 20) + 1, options->memory_limit >> 20);
	return srm_fail_hint(status, "Raise the limit, or take a smaller model.");
}

/* The same in memory of this process. */
static bool
pack_privately(Maker *maker)
{
	SrmPrepared *prepared = &maker->model->prepared;

	if (!srm_prepared_check_memory(maker->options, maker->model->directory, maker->plan->size, maker->status))
		return false;
	for (size_t i = 0; i < maker->plan->n; i++)
	{
		const SrmPreparedMatrix *entry = &maker->plan->matrices[i];
		void	   *room = srm_arena_alloc(maker->model->arena, entry->size, maker->status);

		if (room == NULL ||
			!(entry->is_copy ? copy_matrix(maker, entry, room) : pack_matrix(maker, entry, room)))
			return false;
		prepared->bytes += entry->size;
		use_matrix(entry, room);
	}
	prepared->is_private = true;
	return true;
}

static bool
write_all(Maker *maker, int fd, const char *name, const char *data, size_t size, size_t offset)
{
	return (lseek(fd, (off_t) offset, SEEK_SET) >= 0 && srm_file_write(fd, data, size)) ||
		fail_doing(maker, "write file", name);
}

/* buffer is one that the largest packed matrix fits into. */
static bool
write_packed(Maker *maker, int fd, const char *name, const SrmPreparedMatrix *matrix,
			 SrmPreparedEntry *entry, char *buffer)
{
	if (!pack_matrix(maker, matrix, buffer) ||
		!write_all(maker, fd, name, buffer, matrix->size, matrix->offset))
		return false;
	entry->sample = srm_hash_bytes(0, buffer, matrix->size < SRM_PREPARED_SAMPLE ?
								   matrix->size : SRM_PREPARED_SAMPLE);
	entry->checksum = srm_prepared_sum(0, buffer, matrix->size);
	return true;
}

static bool
write_copy(Maker *maker, int fd, const char *name, const SrmPreparedMatrix *matrix,
		   SrmPreparedEntry *entry)
{
	for (size_t start = 0; start < matrix->size; start += SRM_PREPARED_PIECE)
	{
		size_t		size;
		const char *piece = load_piece(maker, matrix, start, &size);

		if (piece == NULL || !write_all(maker, fd, name, piece, size, matrix->offset + start))
			return false;
		if (start == 0)
			entry->sample = srm_hash_bytes(0, piece, size < SRM_PREPARED_SAMPLE ? size : SRM_PREPARED_SAMPLE);
		entry->checksum = srm_hash_bytes(entry->checksum, piece, size);
	}
	return true;
}

static bool
write_matrices(Maker *maker, int fd, const char *name, SrmPreparedEntry *entries, char *buffer)
{
	for (size_t i = 0; i < maker->plan->n; i++)
	{
		const SrmPreparedMatrix *matrix = &maker->plan->matrices[i];

		if (!(matrix->is_copy ? write_copy(maker, fd, name, matrix, &entries[i]) :
			  write_packed(maker, fd, name, matrix, &entries[i], buffer)))
			return false;
	}
	/* What lies between them and behind the last is zero */
	return ftruncate(fd, (off_t) maker->plan->size) == 0 || fail_doing(maker, "extend file", name);
}

/* Header and table, up to where the matrices begin. */
static bool
write_header(Maker *maker, int fd, const char *name, SrmPreparedEntry *entries)
{
	size_t		table = maker->plan->n * sizeof(SrmPreparedEntry);
	SrmDigests	digests;
	SrmPreparedHeader header;
	char	   *room = srm_arena_array(maker->arena, maker->plan->data_offset, 1, maker->status);

	if (room == NULL ||
		!srm_files_digests(maker->model->files, &digests, maker->arena, maker->stop, maker->status))
		return false;
	srm_prepared_write_header(&header, entries, maker->plan, &digests);
	memcpy(room, &header, sizeof(header));
	memcpy(room + sizeof(header), entries, table);
	return write_all(maker, fd, name, room, maker->plan->data_offset, 0);
}

static size_t
largest_packed(const SrmPreparedPlan *plan)
{
	size_t		size = 0;

	for (size_t i = 0; i < plan->n_packed; i++)
		if (plan->matrices[i].size > size)
			size = plan->matrices[i].size;
	return size;
}

static bool
write_contents(Maker *maker, int fd, const char *name)
{
	SrmPreparedEntry *entries = srm_arena_array(maker->arena, maker->plan->n,
												sizeof(SrmPreparedEntry), maker->status);
	SrmArena   *scratch = srm_arena_create(maker->status);
	char	   *buffer = NULL;
	bool		done;

	if (scratch != NULL)
		buffer = srm_arena_alloc(scratch, largest_packed(maker->plan), maker->status);
	done = entries != NULL && buffer != NULL &&
		write_matrices(maker, fd, name, entries, buffer) &&
		write_header(maker, fd, name, entries);
	srm_arena_free(scratch);
	return done && (fsync(fd) == 0 || fail_doing(maker, "fsync file", name));
}

/*
 * Reads back all of what was written; a disk that lies is found here or never.  What was
 * written leaves the page cache first, so that it comes from the disk, and into large pages.
 */
static bool
verify(Maker *maker, int fd, const char *name)
{
	void	   *data;
	bool		right;

	(void) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	data = map_file(maker, fd);
	if (data == MAP_FAILED)
		return fail_doing(maker, "map file", name);
	right = srm_prepared_check(maker->plan, data, maker->plan->size, true);
	munmap(data, maker->plan->size);
	return right || srm_fail(maker->problem, SRM_INTERNAL, "file \"%s/%s\" does not hold what was written",
							 maker->options->prepared, name);
}

/* Makes the file; to be called with the lock. */
static bool
make_file(Maker *maker)
{
	char		temporary[SRM_PREPARED_NAME + 8];
	char		name[SRM_PREPARED_NAME + 8];
	bool		done;
	int			fd;

	print_name(maker, "tmp", temporary);
	print_name(maker, "srm", name);
	(void) unlinkat(maker->directory, temporary, 0);
	fd = openat(maker->directory, temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				maker->options->mode & 0666);
	if (fd < 0)
		return fail_doing(maker, "create file", temporary);
	done = write_contents(maker, fd, temporary) && verify(maker, fd, temporary) &&
		srm_files_check(maker->model->files, maker->status);
	close(fd);
	if (done && renameat(maker->directory, temporary, maker->directory, name) != 0)
		done = fail_doing(maker, "rename file", temporary);
	if (!done)
		(void) unlinkat(maker->directory, temporary, 0);
	return done && (fsync(maker->directory) == 0 || fail_doing(maker, "fsync directory of", name));
}

/*
 * Waits for the lock by asking again, since a process that waits in flock()
 * could not be cancelled.  False, with the problem or the status set, without it.
 */
static bool
wait_for_lock(Maker *maker, int fd, const char *name)
{
	const struct timespec pause = {.tv_nsec = WAIT_MS * 1000000L};

	for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += WAIT_MS)
	{
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail_doing(maker, "lock file", name);
		if (maker->stop == NULL && waited >= MAX_WAIT_MS)
			return srm_fail(maker->problem, SRM_LIMIT_EXCEEDED, "another process prepares the weights for too long");
		if (!srm_continue(maker->stop, maker->status))
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

/* Whether a name still leads to an open file. */
static bool
is_in_place(const Maker *maker, int fd, const char *name)
{
	struct stat st;
	struct stat named;

	return fstat(fd, &st) == 0 && fstatat(maker->directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == named.st_dev && st.st_ino == named.st_ino;
}

/* The locked file; -1, with the problem or the status set, without it. */
static int
take_lock(Maker *maker)
{
	char		name[SRM_PREPARED_NAME + 8];

	print_name(maker, "lock", name);
	while (srm_continue(maker->stop, maker->status))
	{
		int			fd = openat(maker->directory, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
								maker->options->mode & 0666);
		bool		locked;

		if (fd < 0)
		{
			fail_doing(maker, "open file", name);
			break;
		}
		locked = wait_for_lock(maker, fd, name);
		if (locked && is_in_place(maker, fd, name))
			return fd;
		/* Whoever cleans up has removed it before it was ours: another one is made */
		close(fd);
		if (!locked)
			break;
	}
	return -1;
}

/* Makes the file, unless somebody else has while we waited, and uses it. */
static bool
share_file(Maker *maker)
{
	int			lock = take_lock(maker);
	bool		done;

	if (lock < 0)
		return false;
	done = use_file(maker);
	if (!done && make_file(maker))
	{
		srm_prepared_clean(maker->directory, maker->key);
		done = use_file(maker) ||
			srm_fail(maker->problem, SRM_INTERNAL, "prepared weights in \"%s\" cannot be used",
					 maker->options->prepared);
	}
	close(lock);
	return done;
}

static bool
open_directory(Maker *maker)
{
	const char *path = maker->options->prepared;

	if (strlen(maker->model->directory) >= SRM_PREPARED_DIRECTORY)
		return srm_fail(maker->problem, SRM_LIMIT_EXCEEDED, "path of model directory \"%s\" is too long",
						maker->model->directory);
	if (mkdir(path, maker->options->mode) != 0 && errno != EEXIST)
		return srm_fail_file(maker->problem, errno, "could not create directory \"%s\": %s", path,
							 strerror(errno));
	maker->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return maker->directory >= 0 ||
		srm_fail_file(maker->problem, errno, "could not open directory \"%s\": %s", path,
					  strerror(errno));
}

static bool
prepare(Maker *maker)
{
	bool		shared = false;

	if (maker->options->prepared != NULL && open_directory(maker))
		shared = use_file(maker) || share_file(maker);
	if (maker->directory >= 0)
		close(maker->directory);
	if (maker->status->code != SRM_OK)
		return false;
	if (!shared && !pack_privately(maker))
		return false;
	srm_files_release(maker->model->files);
	return true;
}

bool
srm_prepared_open(SrmModel *model, const SrmModelOptions *options, const SrmStop *stop,
				  SrmStatus *status)
{
	Maker		maker = {.model = model,.options = options,.directory = -1,.stop = stop,
		.status = status,.problem = &model->prepared.problem};
	SrmComputeChoice choice = options->compute_choice;
	bool		done;

	if (choice == SRM_CHOICE_OF_MODEL)
		choice = model->settings.compute_choice;
	maker.arena = srm_arena_create(status);
	maker.plan = srm_arena_array(model->arena, 1, sizeof(SrmPreparedPlan), status);
	model->prepared.plan = maker.plan;
	done = maker.arena != NULL && maker.plan != NULL &&
		srm_prepared_plan(maker.plan, model, choice, model->arena, status);
	if (done)
	{
		model->prepared.compute_name = compute_name(maker.plan);
		srm_prepared_key(maker.key, model->directory, model->prepared.compute_name);
		done = prepare(&maker);
	}
	srm_arena_free(maker.arena);
	return done;
}

void
srm_prepared_close(SrmModel *model)
{
	if (model->prepared.data != NULL)
		munmap(model->prepared.data, model->prepared.bytes);
	model->prepared.data = NULL;
	if (model->prepared.tokenizer != NULL)
		munmap(model->prepared.tokenizer, model->prepared.tokenizer_bytes);
	model->prepared.tokenizer = NULL;
}
