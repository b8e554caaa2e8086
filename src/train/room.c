/*-------------------------------------------------------------------------
 *
 * room.c
 *	  Whether the disk has room for what a run will write.
 *
 *-------------------------------------------------------------------------
 */
#include "train/room.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define MEGABYTE	((size_t) 1024 * 1024)

static bool
check_disk(const char *directory, size_t bytes, SrmStatus *status)
{
	struct statvfs st;
	uint64_t	available;

	if (statvfs(directory, &st) != 0 || st.f_blocks == 0)
		return true;
	available = (uint64_t) st.f_bavail * st.f_frsize;
	if (bytes <= available)
		return true;
	srm_fail_file(status, ENOSPC, "not enough space for training on the disk of directory \"%s\"", directory);
	srm_fail_detail(status, "It takes %zu MB for the model and its checkpoints; %llu MB are free.",
					(bytes + MEGABYTE - 1) / MEGABYTE, (unsigned long long) (available / MEGABYTE));
	return srm_fail_hint(status, "Free some space, have models written to another disk, or train adapters or the head alone.");
}

/* The directory in which that of the checkpoints is, or will be. */
static const char *
parent_of(const SrmTrainOptions *options, SrmArena *arena, SrmStatus *status)
{
	const char *end = strrchr(options->checkpoint, '/');

	if (end == NULL)
		return ".";
	return srm_arena_string(arena, options->checkpoint, (size_t) (end - options->checkpoint), status);
}

/* Whether two directories are on one disk; so they are where that cannot be seen. */
static bool
is_same_disk(const char *a, const char *b)
{
	struct stat st_a;
	struct stat st_b;

	return stat(a, &st_a) != 0 || stat(b, &st_b) != 0 || st_a.st_dev == st_b.st_dev;
}

static size_t
more_than(size_t bytes, size_t held)
{
	return bytes > held ? bytes - held : 0;
}

static bool
check_both(const SrmTrainOptions *options, const char *parent, size_t checkpoint_bytes, size_t model_bytes,
		   size_t held, SrmStatus *status)
{
	size_t		end = checkpoint_bytes + model_bytes;

	if (is_same_disk(parent, options->output))
		return check_disk(options->output,
						  more_than(2 * checkpoint_bytes > end ? 2 * checkpoint_bytes : end, held), status);
	return check_disk(parent, more_than(2 * checkpoint_bytes, held), status) &&
		check_disk(options->output, model_bytes, status);
}

bool
srm_room_check(const SrmTrainOptions *options, size_t checkpoint_bytes, size_t model_bytes,
			   size_t held, SrmStatus *status)
{
	SrmArena   *arena;
	const char *parent;
	bool		done;

	if (options->checkpoint == NULL)
		return check_disk(options->output, model_bytes, status);
	arena = srm_arena_create(status);
	parent = arena == NULL ? NULL : parent_of(options, arena, status);
	done = parent != NULL && check_both(options, parent, checkpoint_bytes, model_bytes, held, status);
	srm_arena_free(arena);
	return done;
}
