/*-------------------------------------------------------------------------
 *
 * digests.c
 *	  Digests of models that this session has seen.
 *
 * A digest reads every byte, which takes a minute where models are large and
 * many.  So lists show those that are known, and a digest that was computed is kept
 * as long as the files look the same.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <sys/stat.h>

#include "common/hashfn.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "model/model.h"
#include "pg/models/digests.h"

/* Bytes of a directory that are read without being asked for: a tenth of a second */
#define MAX_UNASKED		((uint64) 64 * 1024 * 1024)

typedef struct KnownDigest
{
	char	   *directory;
	uint64		stamp;
	char		digest[SRM_DIGEST_LENGTH + 1];
	struct KnownDigest *next;
} KnownDigest;

/* One for each directory that was ever looked at in this session */
static KnownDigest *known_digests = NULL;

/* A number that changes with any file of a directory, in whatever order they are found; 0 if it cannot be read. */
static uint64
stamp_files(const char *directory, uint64 *bytes)
{
	DIR		   *dir = AllocateDir(directory);
	struct dirent *entry;
	uint64		stamp = 1;

	if (dir == NULL)
		return 0;
	while ((entry = ReadDirExtended(dir, directory, LOG)) != NULL)
	{
		char	   *path = psprintf("%s/%s", directory, entry->d_name);
		struct stat st;

		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		{
			uint64		facts[] = {st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			st.st_ctim.tv_sec, st.st_ctim.tv_nsec};

			*bytes += st.st_size;
			stamp += hash_bytes_extended((const unsigned char *) facts, sizeof(facts),
										 hash_bytes_extended((const unsigned char *) entry->d_name,
															 (int) strlen(entry->d_name), 0));
		}
		pfree(path);
	}
	FreeDir(dir);
	return stamp;
}

/* The same of a model's directory, and that of its base; bytes are those of both. */
static uint64
stamp_directory(const char *directory, const SrmModelPath *path, uint64 *bytes)
{
	SrmCall    *call = srm_call_begin();
	const char *base;
	uint64		stamp;
	uint64		base_stamp = 1;

	*bytes = 0;
	base = srm_model_base_directory(directory, path, call->arena, &call->status);
	stamp = stamp_files(directory, bytes);
	if (base != NULL)
		base_stamp = stamp_files(base, bytes);
	/* What cannot be opened now is for others to say */
	srm_call_end(call);
	return stamp == 0 || base_stamp == 0 ? 0 : hash_combine64(stamp, base_stamp);
}

static KnownDigest *
find_known(const char *directory)
{
	KnownDigest *known = known_digests;

	while (known != NULL && strcmp(known->directory, directory) != 0)
		known = known->next;
	return known;
}

static void
keep(const char *directory, uint64 stamp, const char *digest)
{
	KnownDigest *known = find_known(directory);

	if (known == NULL)
	{
		known = MemoryContextAllocZero(TopMemoryContext, sizeof(KnownDigest));
		known->directory = MemoryContextStrdup(TopMemoryContext, directory);
		known->next = known_digests;
		known_digests = known;
	}
	known->stamp = stamp;
	strlcpy(known->digest, digest, sizeof(known->digest));
}

void
srm_digests_keep(const char *directory, const SrmModelPath *path, const char *digest)
{
	uint64		bytes;
	uint64		stamp = stamp_directory(directory, path, &bytes);

	if (stamp != 0)
		keep(directory, stamp, digest);
}

bool
srm_digests_find(SrmCall *call, const char *directory, const SrmModelPath *path, char *digest)
{
	uint64		bytes;
	uint64		stamp;
	const KnownDigest *known;

	stamp = stamp_directory(directory, path, &bytes);
	known = find_known(directory);
	if (known != NULL && stamp != 0 && known->stamp == stamp)
	{
		strlcpy(digest, known->digest, SRM_DIGEST_LENGTH + 1);
		return true;
	}
	if (bytes > MAX_UNASKED ||
		!srm_model_digest(directory, path, digest, &call->stop, &call->status))
		return false;
	keep(directory, stamp, digest);
	return true;
}
