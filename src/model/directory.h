/*-------------------------------------------------------------------------
 *
 * directory.h
 *	  The files of a model directory: where they are, which are mapped, and
 *	  whether they have changed.
 *
 * Every name that was asked for is remembered with its stamp, whether the
 * file was there or not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DIRECTORY_H
#define SRM_DIRECTORY_H

#include "model/file.h"

typedef struct SrmContents
{
	const char *path;			/* for messages */
	bool		found;
	const char *data;			/* (size); NULL for an empty file that is mapped */
	size_t		size;
} SrmContents;

typedef struct SrmMapping
{
	void	   *data;
	size_t		size;
	struct SrmMapping *next;
} SrmMapping;

typedef struct SrmWatch
{
	const char *path;
	SrmFileStamp stamp;
	struct SrmWatch *next;
} SrmWatch;

typedef struct SrmModelFiles
{
	const char *directory;
	SrmArena   *arena;			/* of the paths and of this struct */
	SrmMapping *mappings;
	SrmWatch   *watches;
	size_t		mapped_bytes;
} SrmModelFiles;

/* NULL, with the status set, when memory is short. */
extern SrmModelFiles *srm_files_create(const char *directory, SrmArena *arena,
									   SrmStatus *status);

/* Ends the mappings; NULL is allowed. */
extern void srm_files_close(SrmModelFiles *files);

/* "directory/name", in the arena. */
extern const char *srm_files_path(SrmModelFiles *files, const char *name, SrmStatus *status);

/*
 * Opens a file, to be closed by the caller.  With optional, one that does not
 * exist is not an error, and its fd is -1.
 */
extern bool srm_files_open(SrmModelFiles *files, const char *name, bool optional,
						   SrmFile *file, SrmStatus *status);

/*
 * The contents of a file, with a NUL behind them, in scratch.  With optional,
 * a file that does not exist is not an error; found tells.
 */
extern bool srm_files_read(SrmModelFiles *files, const char *name, bool optional,
						   size_t limit, SrmArena *scratch,
						   SrmContents *contents, SrmStatus *status);

/* Maps a file until srm_files_close(). */
extern bool srm_files_map(SrmModelFiles *files, const char *name, bool optional,
						  SrmContents *contents, SrmStatus *status);

/*
 * Lets go of the pages of the mappings, which stay valid: pages that are
 * read again come back from the page cache.
 */
extern void srm_files_release(SrmModelFiles *files);

/* Whether a file that was asked for was replaced, changed, added or removed since. */
extern bool srm_files_changed(const SrmModelFiles *files);

#endif							/* SRM_DIRECTORY_H */
