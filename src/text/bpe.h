/*-------------------------------------------------------------------------
 *
 * bpe.h
 *	  Byte-pair encoding: one word to its tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_H
#define SRM_BPE_H

#include "text/bpe_cache.h"
#include "text/bpe_merges.h"
#include "text/bpe_vocabulary.h"

typedef struct SrmBpe
{
	SrmVocabulary vocabulary;
	SrmMerges	merges;
	SrmWordCache cache;
	int32_t		byte_ids[256];	/* -1: the vocabulary lacks the byte */
	int32_t		unknown_id;		/* for such bytes; -1: none */
	bool		fuse_unknown;	/* a run of such bytes is one token */
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
	uint32_t   *previous;		/* (capacity) */
	uint32_t   *next;			/* (capacity) */
	uint64_t   *heap;			/* (2 * capacity) */
	char	   *printable;		/* (2 * longest token) */
} SrmWord;

/* Reads the object "model" of a tokenizer.json. */
extern bool srm_bpe_load(SrmBpe *bpe, const SrmJson *model, SrmArena *arena,
						 SrmStatus *status);

/* Sets word->symbols to the tokens of some bytes; length is 1 or more. */
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
