/*-------------------------------------------------------------------------
 *
 * digest.h
 *	  SHA-256 of a model directory, file by file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DIGEST_H
#define SRM_DIGEST_H

#include <stdint.h>

#include "base/arena.h"
#include "files/name.h"

#define SRM_DIGEST_LENGTH	64	/* hexadecimal digits of SHA-256 */

struct SrmModelFiles;

/*
 * SHA-256 of the directory in hexadecimal: that of the output of
 * "sha256sum" over config.json, the model.safetensors files with their index, value_head.safetensors,
 * tokenizer.json, tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json, and chat_template.jinja, as far as present, sorted by name (bytewise), one line "HEX  NAME\n" each.  Reads every byte.
 * An index and its files count only where there is no model.safetensors, as in
 * srm_model_open().  Of an adapter these are adapter_config.json, adapter_model.safetensors,
 * value_head.safetensors, and its own tokenizer's files; behind them stands a line
 * "HEX  base\n" with the digest of its base, which is looked for as there.
 */
extern bool srm_files_digest(struct SrmModelFiles *files, char digest[SRM_DIGEST_LENGTH + 1],
							 const SrmStop *stop, SrmStatus *status);
extern bool srm_model_digest(const char *directory, const SrmModelPath *path, char digest[SRM_DIGEST_LENGTH + 1],
							 const SrmStop *stop, SrmStatus *status);

#define SRM_DIGEST_FILES	1100	/* at most: shards, their index, and the small files */

typedef struct SrmFileDigest
{
	const char *name;			/* in its directory */
	const char *path;
	bool		is_base;		/* of the base of an adapter */
	uint64_t	bytes;
	char		digest[SRM_DIGEST_LENGTH + 1];
} SrmFileDigest;

typedef struct SrmDigests
{
	SrmFileDigest *files;		/* (n), by name, those of a base behind */
	size_t		n;
	char		all[SRM_DIGEST_LENGTH + 1];	/* what srm_files_digest() gives */
} SrmDigests;

/* Reads every byte; in the arena. */
extern bool srm_files_digests(struct SrmModelFiles *files, SrmDigests *digests, SrmArena *arena,
							  const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_DIGEST_H */
