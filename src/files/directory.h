/*-------------------------------------------------------------------------
 *
 * directory.h
 *	  The files of a model directory: where they are, which parts of them are
 *	  in memory, and whether they have changed.
 *
 * The directory is opened once, and all files are opened through it: one that
 * is replaced by renaming gives all files of the old model or all of the new one.
 *
 * Every name that was asked for is remembered with its stamp, whether the
 * file was there or not.
 *
 * Weights are read and never mapped, since whoever cut off a mapped file would
 * take the server down.  A file of weights has a range of addresses of its own,
 * without memory, so that tensors have their places at once; what is used of them
 * is loaded before and released behind.
 *
 * The files of an adapter have with them those of its base, which is another
 * directory: what is loaded, released, watched or closed below is that of both.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DIRECTORY_H
#define SRM_DIRECTORY_H

#include "files/file.h"

typedef struct SrmContents
{
	const char *path;			/* for messages */
	bool		found;
	const char *data;			/* (size) */
	size_t		size;
} SrmContents;

/* Addresses for a file; reading what is not loaded is a fault. */
typedef struct SrmSpace
{
	const char *name;
	const char *path;
	SrmFileStamp stamp;
	char	   *start;			/* (reserved), whole pages */
	size_t		reserved;
	char	   *data;			/* (size) of the file */
	size_t		size;
	char	   *loaded;			/* [loaded, loaded_end) is in memory; maybe more */
	char	   *loaded_end;
	struct SrmSpace *next;
} SrmSpace;

typedef struct SrmWatch
{
	const char *name;
	const char *path;
	SrmFileStamp stamp;
	struct SrmWatch *next;
} SrmWatch;

typedef struct SrmModelFiles
{
	const char *directory;
	int			fd;				/* of the directory */
	SrmArena   *arena;			/* of the paths and of this struct */
	SrmSpace   *spaces;
	SrmWatch   *watches;
	const struct SrmAdapterConfig *adapter; /* NULL: the directory holds a model */
	struct SrmModelFiles *base; /* of an adapter; else NULL */
	bool		has_tokenizer;	/* an adapter's own, not the base's */
} SrmModelFiles;

/* Those with the weights and config.json of the model. */
static inline SrmModelFiles *
srm_files_of_model(SrmModelFiles *files)
{
	return files->base == NULL ? files : files->base;
}

/* Those with its tokenizer and chat template. */
static inline SrmModelFiles *
srm_files_of_tokenizer(SrmModelFiles *files)
{
	return files->base == NULL || files->has_tokenizer ? files : files->base;
}

/* Opens a directory.  NULL, with the status set, on an error. */
extern SrmModelFiles *srm_files_create(const char *directory, SrmArena *arena,
									   SrmStatus *status);

/* Ends the spaces, and closes the directory, and its base's; NULL is allowed. */
extern void srm_files_close(SrmModelFiles *files);

/* "directory/name", in the arena. */
extern const char *srm_files_path(SrmModelFiles *files, const char *name, SrmStatus *status);

/*
 * Opens a file, to be closed by the caller.  With optional, one that does not
 * exist is not an error, and its fd is -1.
 */
extern bool srm_files_open(SrmModelFiles *files, const char *name, bool optional,
						   SrmFile *file, SrmStatus *status);

/* Remembers a name, or an absolute path, with its stamp; NULL when memory is short. */
extern const SrmWatch *srm_files_watch(SrmModelFiles *files, const char *name, SrmStatus *status);

/*
 * The contents of a file, with a NUL behind them, in scratch.  With optional,
 * a file that does not exist is not an error; found tells.
 */
extern bool srm_files_read(SrmModelFiles *files, const char *name, bool optional,
						   size_t limit, SrmArena *scratch,
						   SrmContents *contents, SrmStatus *status);

/* The byte of a file that is to lie at a multiple of 64, by the file's first bytes. */
typedef size_t (*SrmAlignedByte) (const char *first, size_t n_first);

/*
 * Reserves addresses for a file until srm_files_close(), with the byte that aligned() says at
 * a multiple of 64; it gets the first n_first bytes, or all where there are fewer.
 */
extern bool srm_files_reserve(SrmModelFiles *files, const char *name, bool optional,
							  size_t n_first, SrmAlignedByte aligned,
							  SrmContents *contents, SrmStatus *status);

/*
 * Reads a part of a reserved file, or of memory that is none (which does nothing),
 * into its place, where it stays until srm_files_release().
 */
extern bool srm_files_load(SrmModelFiles *files, const void *data, size_t size,
						   SrmStatus *status);

/* Reads all of all reserved files. */
extern bool srm_files_load_all(SrmModelFiles *files, const SrmStop *stop, SrmStatus *status);

/* Lets go of all that was loaded. */
extern void srm_files_release(SrmModelFiles *files);

/* Whether an address is one of a reserved file. */
extern bool srm_files_hold(const SrmModelFiles *files, const void *data);

/* Bytes of the reserved files, those of a base included. */
extern size_t srm_files_size(const SrmModelFiles *files);

/*
 * Whether a file that was asked for was changed, added or removed since in the
 * directory that is open.
 */
extern bool srm_files_altered(const SrmModelFiles *files);

/* The same for the directory that its path leads to now. */
extern bool srm_files_changed(const SrmModelFiles *files);

/* Fails where the files are altered: what was read would be parts of two models. */
extern bool srm_files_check(const SrmModelFiles *files, SrmStatus *status);

#endif							/* SRM_DIRECTORY_H */
