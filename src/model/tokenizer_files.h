/*-------------------------------------------------------------------------
 *
 * tokenizer_files.h
 *	  The files beside tokenizer.json that say something about tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TOKENIZER_FILES_H
#define SRM_TOKENIZER_FILES_H

#include "files/directory.h"
#include "tokenizer/special_tokens.h"

typedef struct SrmTokenizerFiles
{
	const char *config_path;	/* of tokenizer_config.json, for messages */
	SrmSpecialFiles trees;
	SrmSpecialTokens special;
	uint64_t	hash;			/* of what the files hold */
} SrmTokenizerFiles;

/*
 * Reads tokenizer_config.json, special_tokens_map.json and added_tokens.json, any
 * of which may be absent; everything lies in the arena.  Tokens that have no
 * id of their own get none from n_ids on, the rows of the embedding.
 */
extern bool srm_tokenizer_files_read(SrmTokenizerFiles *files, SrmModelFiles *directory,
									 size_t n_ids, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_TOKENIZER_FILES_H */
