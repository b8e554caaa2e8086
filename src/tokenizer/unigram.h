/*-------------------------------------------------------------------------
 *
 * unigram.h
 *	  The unigram language model of SentencePiece: one word to its tokens.
 *
 * Of all ways to cut a word into tokens the one with the highest sum of
 * scores, found by the Viterbi algorithm.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_UNIGRAM_H
#define SRM_UNIGRAM_H

#include "tokenizer/bpe/bpe_vocabulary.h"
#include "tokenizer/tokens.h"

#define SRM_UNIGRAM_PAIRS	65536	/* pairs of bytes */

typedef struct SrmUnigram
{
	SrmVocabulary vocabulary;
	double	   *scores;			/* (vocabulary.n_ids) log probabilities */
	double		unknown_score;	/* of a character that is no token */
	int32_t		unknown_id;		/* such characters in a row are one token */
	bool		byte_fallback;	/* or one token for each of its bytes, if there are such */
	int32_t		byte_ids[256];	/* -1: the vocabulary lacks the byte */
	uint16_t   *longest;		/* (SRM_UNIGRAM_PAIRS) bytes of the tokens that start with two bytes */
} SrmUnigram;

/* The best way to a byte of a word. */
typedef struct SrmUnigramNode
{
	double		score;
	uint32_t	start;			/* of the last token on the way */
	int32_t		id;				/* -1: no way yet */
} SrmUnigramNode;

/*
 * The tokens of one word, with the bytes they lie in; several may share them.
 * To start as {.arena = arena}, and to be used again for the next word.
 */
typedef struct SrmUnigramWord
{
	SrmArena   *arena;
	SrmTokens	tokens;
	SrmUnigramNode *nodes;		/* (capacity) */
	size_t		capacity;
} SrmUnigramWord;

/* Reads the object "model" of a tokenizer.json. */
extern bool srm_unigram_load(SrmUnigram *unigram, const SrmJson *model, SrmArena *arena,
							 SrmStatus *status);

/* The same where vocabulary, scores, unknown_score and longest are there already. */
extern bool srm_unigram_load_options(SrmUnigram *unigram, const SrmJson *model, SrmStatus *status);

/* Sets word->tokens to the tokens of some text in UTF-8; length is 1 or more. */
extern bool srm_unigram_encode(const SrmUnigram *unigram, const char *text, size_t length,
							   SrmUnigramWord *word, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_UNIGRAM_H */
