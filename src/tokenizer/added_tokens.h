/*-------------------------------------------------------------------------
 *
 * added_tokens.h
 *	  Tokens that are found in a text before it is cut into words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ADDED_TOKENS_H
#define SRM_ADDED_TOKENS_H

#include "base/map.h"
#include "tokenizer/bpe/bpe_vocabulary.h"
#include "tokenizer/normalizer.h"

typedef struct SrmAddedToken
{
	const char *content;		/* as in the file */
	uint32_t	length;
	const char *pattern;		/* what is searched for: normalized where that is asked */
	uint32_t	pattern_length;
	int32_t		id;
	bool		is_special;
	bool		is_normalized;	/* searched for in normalized text */
	bool		is_single_word; /* not next to a character of a word */
	bool		strips_left;	/* takes the white space before it */
	bool		strips_right;
} SrmAddedToken;

/* Tokens to search for at once, in the order of their patterns' bytes. */
typedef struct SrmTokenSet
{
	const SrmAddedToken **tokens;	/* (n) */
	uint32_t	n;
	uint32_t	first[257];		/* tokens that start with byte b: first[b] to first[b + 1] */
} SrmTokenSet;

typedef struct SrmAddedTokens
{
	SrmAddedToken *tokens;		/* (n) */
	int32_t		n;
	SrmMap		by_content;		/* to indexes of tokens */
	int32_t    *fresh;			/* (n_fresh) indexes of those that the vocabulary lacks */
	int32_t		n_fresh;
	int32_t		first_fresh_id; /* the others follow without gaps */
	SrmTokenSet raw;			/* searched for before normalization */
	SrmTokenSet normalized;		/* and after it */
	int32_t		n_ids;			/* one more than the highest id */
} SrmAddedTokens;

/*
 * Reads the array "added_tokens" of a tokenizer.json, or NULL.  An id must be
 * the one that the tokenizers library gives: that of the vocabulary, or else
 * the next one free.
 */
extern bool srm_added_tokens_load(SrmAddedTokens *added, const SrmJson *json,
								  const SrmVocabulary *vocabulary,
								  const SrmNormalizer *normalizer, SrmArena *arena,
								  SrmStatus *status);

/* The token of an id that the vocabulary lacks, or NULL. */
extern const SrmAddedToken *srm_added_tokens_find(const SrmAddedTokens *added, int32_t id);

/*
 * A search through one text.  special has the ranges of the original text
 * within which special tokens are recognized, sorted.
 */
typedef struct SrmTokenSearch
{
	const SrmTokenSet *set;
	const SrmNormalText *text;
	const SrmRange *special;	/* (n_special) */
	size_t		n_special;
	size_t		at;				/* where to search on */
	size_t		end;			/* of the last token found */
	const SrmStop *stop;
	SrmStatus  *status;
} SrmTokenSearch;

/*
 * The next token and its bytes in the text, at or behind search->end; NULL
 * where there is none, or where it is told to stop, which the status says.  At each
 * position the longest counts.
 */
extern const SrmAddedToken *srm_token_search_next(SrmTokenSearch *search, SrmRange *range);

#endif							/* SRM_ADDED_TOKENS_H */
