/*-------------------------------------------------------------------------
 *
 * special_tokens.h
 *	  Tokens that other files than tokenizer.json name.
 *
 * transformers adds them to the tokenizer that the tokenizers library has
 * read: those of "added_tokens_decoder" in tokenizer_config.json, or, where
 * there is none, of added_tokens.json and special_tokens_map.json; then those
 * that have a name, such as "eos_token", and the additional ones.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SPECIAL_TOKENS_H
#define SRM_SPECIAL_TOKENS_H

#include "base/json.h"
#include "tokenizer/bpe/bpe_vocabulary.h"

/* Trees of the files; NULL: there is none. */
typedef struct SrmSpecialFiles
{
	const SrmJson *config;		/* tokenizer_config.json */
	const SrmJson *map;			/* special_tokens_map.json */
	const SrmJson *added;		/* added_tokens.json */
} SrmSpecialFiles;

/* What chat templates call a token. */
typedef struct SrmNamedToken
{
	const char *name;			/* "bos_token" */
	const char *content;
} SrmNamedToken;

typedef struct SrmSpecialToken
{
	const char *content;
	int32_t		id;				/* -1: that of the vocabulary, or the next one free */
	bool		yields;			/* to the flags of tokenizer.json */
	bool		is_special;
	bool		is_normalized;
	bool		is_single_word;
	bool		strips_left;
	bool		strips_right;
} SrmSpecialToken;

typedef struct SrmSpecialTokens
{
	SrmNamedToken *named;		/* (n_named) */
	size_t		n_named;
	SrmSpecialToken *tokens;	/* (n_tokens) those with ids first, by id */
	size_t		n_tokens;
	const SrmJson *config;		/* as in the files */
	int32_t		n_ids;			/* no token gets an id from here on unless a file says so */
} SrmSpecialTokens;

/* What it points to lies in the arena or belongs to the files.  n_ids is the largest there is. */
extern bool srm_special_tokens_read(SrmSpecialTokens *special, const SrmSpecialFiles *files,
									SrmArena *arena, SrmStatus *status);

/*
 * Puts the tokens into the tree of a tokenizer.json, in the arena of the tree.
 * A setting of tokenizer_config.json that would give other tokens than are
 * given here is SRM_NOT_SUPPORTED.
 */
extern bool srm_special_tokens_merge(const SrmSpecialTokens *special, SrmJson *tokenizer,
									 const SrmVocabulary *vocabulary, SrmArena *arena,
									 SrmStatus *status);

#endif							/* SRM_SPECIAL_TOKENS_H */
