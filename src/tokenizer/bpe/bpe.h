/*-------------------------------------------------------------------------
 *
 * bpe.h
 *	  Byte-pair encoding: one word to its tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_H
#define SRM_BPE_H

#include "tokenizer/bpe/bpe_cache.h"
#include "tokenizer/bpe/bpe_merges.h"
#include "tokenizer/bpe/bpe_vocabulary.h"

typedef struct SrmBpe
{
	SrmVocabulary vocabulary;
	SrmMerges	merges;
	SrmWordCache cache;
	bool		byte_level;		/* words are made of bytes, not of characters */
	bool		byte_fallback;	/* a character that is no token is made of bytes */
	int32_t		byte_ids[256];	/* -1: the vocabulary lacks the byte; of both of the above */
	int32_t		unknown_id;		/* for what the vocabulary lacks; -1: none */
	bool		fuse_unknown;	/* several in a row are one token */
	bool		ignore_merges;	/* a word that is a token needs no merges */
} SrmBpe;

/* A piece of a word. */
typedef struct SrmSymbol
{
	int32_t		id;
	uint32_t	length;			/* bytes */
} SrmSymbol;

/*
 * Room for one word and its tokens, used again for the next; to start as
 * {.arena = arena}.  The other members are scratch.
 */
typedef struct SrmWord
{
	SrmArena   *arena;
	SrmSymbol  *symbols;		/* (n), room for capacity */
	size_t		n;
	size_t		capacity;
	SrmMerge   *merges;			/* (capacity) of each symbol with the next one */
	uint32_t   *previous;		/* (capacity) */
	uint32_t   *next;			/* (capacity) */
	uint64_t   *heap;			/* (2 * capacity) */
	char	   *printable;		/* (2 * longest token) */
} SrmWord;

/*
 * Reads the object "model" of a tokenizer.json.  byte_level tells whether the
 * pre-tokenizer is: then a word is encoded byte by byte.
 */
extern bool srm_bpe_load(SrmBpe *bpe, const SrmJson *model, bool byte_level,
						 SrmArena *arena, SrmStatus *status);

/* The same where vocabulary and merges are there already. */
extern bool srm_bpe_load_options(SrmBpe *bpe, const SrmJson *model, bool byte_level,
								 SrmArena *arena, SrmStatus *status);

/* Sets word->symbols to the tokens of some text in UTF-8; length is 1 or more. */
extern bool srm_bpe_encode(SrmBpe *bpe, const char *text, size_t length, SrmWord *word,
						   const SrmStop *stop, SrmStatus *status);

/*
 * The two ways to merge the symbols of a word, which give the same: the pair
 * of lowest rank, of these the leftmost, until none is left.  The first takes
 * quadratic time, the second n log n.
 */
extern void srm_bpe_merge_short(const SrmMerges *merges, SrmWord *word);
extern bool srm_bpe_merge_long(const SrmMerges *merges, SrmWord *word,
							   const SrmStop *stop, SrmStatus *status);

/* Makes room for n symbols. */
extern bool srm_word_reserve(SrmWord *word, size_t n, SrmStatus *status);

#endif							/* SRM_BPE_H */
