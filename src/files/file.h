/*-------------------------------------------------------------------------
 *
 * file.h
 *	  One file of a model directory.
 *
 * Only regular files are opened, and opening never waits: a FIFO or a device
 * in a model directory is an error, and so are a link that leads out of the
 * directories of models, one that leads nowhere, and a pointer of Git LFS.  Files
 * are read and never mapped: one that is cut off while it is mapped would kill
 * the process.
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
 * Opens a file of an open directory for reading.  path, which messages show, must
 * live as long as the file is used.  To be closed.  With missing_ok, a file that
 * does not exist gives true, and an fd of -1.
 */
extern bool srm_file_open(SrmFile *file, int directory, const char *name, const char *path,
						  bool missing_ok, SrmStatus *status);
extern void srm_file_close(SrmFile *file);

/*
 * The contents of an open file, with a NUL behind them, in the arena.  Files
 * longer than limit are refused.
 */
extern char *srm_file_read(const SrmFile *file, size_t limit, SrmArena *arena,
						   SrmStatus *status);

/* Reads size bytes from a place on; a file that has become shorter is an error. */
extern bool srm_file_read_at(const SrmFile *file, size_t offset, void *data, size_t size,
							 SrmStatus *status);

/*
 * Writes all of it at the place where an open file is; false with errno, which
 * is ENOSPC where the system takes nothing more.
 */
extern bool srm_file_write(int fd, const void *data, size_t size);

/*
 * The stamp that a name in an open directory has now, or a path, with AT_FDCWD;
 * what cannot be looked up does not exist.
 */
extern SrmFileStamp srm_file_stamp(int directory, const char *name);
extern bool srm_file_stamp_equal(const SrmFileStamp *a, const SrmFileStamp *b);

/* "file ... was changed while it was read", to be tried again. */
extern bool srm_file_fail_changed(const char *path, SrmStatus *status);

#endif							/* SRM_FILE_H */
