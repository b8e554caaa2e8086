/*-------------------------------------------------------------------------
 *
 * digest.c
 *	  SHA-256 of a model directory.
 *
 * What is hashed is listed in digest.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"
#include "files/file.h"
#include "model/adapter.h"
#include "model/weights.h"

#define CHUNK_SIZE		((size_t) 1024 * 1024)

typedef struct Digester
{
	SrmModelFiles *files;
	SrmArena   *arena;
	char	   *chunk;			/* (CHUNK_SIZE) */
	const char *names[SRM_DIGEST_FILES];
	size_t		n_names;
	const SrmStop *stop;
	SrmStatus  *status;
} Digester;

static void
add_name(Digester *digester, const char *name, bool always)
{
	if (digester->n_names < SRM_DIGEST_FILES && (always || srm_file_stamp(digester->files->fd, name).exists))
		digester->names[digester->n_names++] = name;
}

static bool
add_shards(Digester *digester)
{
	SrmShards	shards;

	if (!srm_shards_read(&shards, digester->files, digester->arena, digester->status))
		return false;
	add_name(digester, SRM_WEIGHTS_INDEX, true);
	for (size_t i = 0; i < shards.n; i++)
		add_name(digester, shards.names[i], true);
	return true;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The files with what the model computes with. */
static bool
list_weights(Digester *digester)
{
	bool		is_adapter = digester->files->adapter != NULL;

	add_name(digester, is_adapter ? SRM_ADAPTER_WEIGHTS : SRM_WEIGHTS_FILE, is_adapter);
	if (digester->n_names == 0 && !add_shards(digester))
		return false;
	add_name(digester, SRM_HEAD_FILE, false);
	add_name(digester, is_adapter ? SRM_ADAPTER_CONFIG : "config.json", true);
	return true;
}

static bool
list_names(Digester *digester)
{
	if (!list_weights(digester))
		return false;
	add_name(digester, "tokenizer.json", digester->files->adapter == NULL);
	add_name(digester, "tokenizer_config.json", false);
	add_name(digester, "special_tokens_map.json", false);
	add_name(digester, "added_tokens.json", false);
	add_name(digester, "chat_template.jinja", false);
	qsort(digester->names, digester->n_names, sizeof(char *), compare_names);
	return true;
}

static void
print_hex(char *out, const unsigned char *hash)
{
	for (int i = 0; i < SRM_SHA256_SIZE; i++)
	{
		out[2 * i] = "0123456789abcdef"[hash[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
	}
	out[2 * SRM_SHA256_SIZE] = '\0';
}

/* Hashes an open file to its end, and counts its bytes. */
static bool
hash_contents(Digester *digester, const SrmFile *file, SrmSha256 *hash, uint64_t *bytes)
{
	for (;;)
	{
		ssize_t		n = read(file->fd, digester->chunk, CHUNK_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return srm_fail_file(digester->status, errno, "could not read file \"%s\": %s",
								 file->path, strerror(errno));
		if (n == 0)
			return true;
		srm_sha256_update(hash, digester->chunk, (size_t) n);
		*bytes += (uint64_t) n;
		if (!srm_continue(digester->stop, digester->status))
			return false;
	}
}

static bool
hash_file(Digester *digester, SrmFileDigest *out)
{
	unsigned char bytes[SRM_SHA256_SIZE];
	SrmSha256	hash;
	SrmFile		file;
	bool		done;

	out->path = srm_files_path(digester->files, out->name, digester->status);
	if (out->path == NULL ||
		!srm_file_open(&file, digester->files->fd, out->name, out->path, false, digester->status))
		return false;
	srm_sha256_init(&hash);
	done = hash_contents(digester, &file, &hash, &out->bytes);
	srm_file_close(&file);
	srm_sha256_final(&hash, bytes);
	print_hex(out->digest, bytes);
	return done;
}

/* A line as sha256sum writes it. */
static void
hash_line(SrmSha256 *hash, const char *hex, const char *name)
{
	srm_sha256_update(hash, hex, SRM_DIGEST_LENGTH);
	srm_sha256_update(hash, "  ", 2);
	srm_sha256_update(hash, name, strlen(name));
	srm_sha256_update(hash, "\n", 1);
}

/* The hash of the lines of all files, and of that of a base, whose files are listed behind. */
static bool
hash_names(Digester *digester, SrmDigests *digests, const SrmDigests *base)
{
	unsigned char bytes[SRM_SHA256_SIZE];
	SrmSha256	hash;

	srm_sha256_init(&hash);
	for (size_t i = 0; i < digester->n_names; i++)
	{
		SrmFileDigest *file = &digests->files[digests->n++];

		file->name = digester->names[i];
		if (!hash_file(digester, file))
			return false;
		hash_line(&hash, file->digest, file->name);
	}
	if (digester->files->base != NULL)
		hash_line(&hash, base->all, "base");
	for (size_t i = 0; i < base->n; i++)
	{
		digests->files[digests->n] = base->files[i];
		digests->files[digests->n++].is_base = true;
	}
	srm_sha256_final(&hash, bytes);
	print_hex(digests->all, bytes);
	return true;
}

bool
srm_files_digests(SrmModelFiles *files, SrmDigests *digests, SrmArena *arena, const SrmStop *stop,
				  SrmStatus *status)
{
	Digester   *digester = srm_arena_array(arena, 1, sizeof(Digester), status);
	SrmDigests	base = {0};

	if (digester == NULL ||
		(files->base != NULL && !srm_files_digests(files->base, &base, arena, stop, status)))
		return false;
	digester->files = files;
	digester->arena = arena;
	digester->stop = stop;
	digester->status = status;
	digester->chunk = srm_arena_alloc(arena, CHUNK_SIZE, status);
	if (digester->chunk == NULL || !list_names(digester))
		return false;
	digests->n = 0;
	digests->files = srm_arena_array(arena, digester->n_names + base.n, sizeof(SrmFileDigest), status);
	return digests->files != NULL && hash_names(digester, digests, &base);
}

bool
srm_files_digest(SrmModelFiles *files, char digest[SRM_DIGEST_LENGTH + 1], const SrmStop *stop,
				 SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmDigests	digests;
	bool		done = arena != NULL && srm_files_digests(files, &digests, arena, stop, status);

	if (done)
		memcpy(digest, digests.all, sizeof(digests.all));
	srm_arena_free(arena);
	return done;
}

bool
srm_model_digest(const char *directory, const SrmModelPath *path,
				 char digest[SRM_DIGEST_LENGTH + 1], const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmModelFiles *files = arena == NULL ? NULL : srm_adapter_open(directory, path, arena, status);
	bool		done = files != NULL && srm_files_digest(files, digest, stop, status);

	srm_files_close(files);
	srm_arena_free(arena);
	return done;
}
