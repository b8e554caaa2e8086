/*-------------------------------------------------------------------------
 *
 * file.h
 *	  One file of a model directory, read or mapped.
 *
 * Only regular files are opened, and opening never waits: a FIFO or a device
 * in a model directory is an error.
 *
 * A file that is mapped must not shrink as long as it is: reading beyond its
 * new end would kill the process.  Model files are replaced by renaming.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_FILE_H
#define SRM_FILE_H

#include <stdint.h>

#include "base/arena.h"

/* What tells whether a path still leads to the same, unchanged file. */
typedef struct SrmFileStamp
{
	bool		exists;			/* all others are 0 where it does not */
	uint64_t	device;
	uint64_t	inode;
	uint64_t	size;
	int64_t		modified_s;
	int64_t		modified_ns;
	int64_t		changed_s;
	int64_t		changed_ns;
} SrmFileStamp;

typedef struct SrmFile
{
	const char *path;			/* as it was opened */
	int			fd;
	size_t		size;
	SrmFileStamp stamp;
} SrmFile;

/*
 * Opens a file for reading; path must live as long as the file is used.  To be
 * closed.  With missing_ok, a file that does not exist gives true, and an fd of
 * -1.
 */
extern bool srm_file_open(SrmFile *file, const char *path, bool missing_ok,
						  SrmStatus *status);
extern void srm_file_close(SrmFile *file);

/*
 * The contents of an open file, with a NUL behind them, in the arena.  Files
 * longer than limit are refused.
 */
extern char *srm_file_read(const SrmFile *file, size_t limit, SrmArena *arena,
						   SrmStatus *status);

/*
 * Maps an open file, of at least one byte, read-only.  The mapping outlives
 * the descriptor; it goes with munmap().
 */
extern void *srm_file_map(const SrmFile *file, SrmStatus *status);

/*
 * Writes all of it at the place where an open file is; false with errno, which
 * is ENOSPC where the system takes nothing more.
 */
extern bool srm_file_write(int fd, const void *data, size_t size);

/* The stamp that a path has now; a path that cannot be looked up does not exist. */
extern SrmFileStamp srm_file_stamp(const char *path);
extern bool srm_file_stamp_equal(const SrmFileStamp *a, const SrmFileStamp *b);

#endif							/* SRM_FILE_H */
