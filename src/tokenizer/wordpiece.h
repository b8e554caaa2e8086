/*-------------------------------------------------------------------------
 *
 * wordpiece.h
 *	  WordPiece, as BERT has it: one word to its tokens.
 *
 * From the left, each time the longest token that fits; those behind the first
 * have a prefix in the vocabulary.  Where none fits, or where it is too long, the
 * whole word is one unknown token.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_WORDPIECE_H
#define SRM_WORDPIECE_H

#include "tokenizer/bpe/bpe_vocabulary.h"
#include "tokenizer/tokens.h"

typedef struct SrmWordPiece
{
	SrmVocabulary vocabulary;
	int32_t		unknown_id;
	const char *prefix;			/* (n_prefix) of tokens that go on with a word: "##" */
	size_t		n_prefix;
	size_t		longest_word;	/* characters */
} SrmWordPiece;

/* The tokens of one word; to start as {.arena = arena}, and to be used again for the next. */
typedef struct SrmWordPieceWord
{
	SrmArena   *arena;
	SrmTokens	tokens;
	char	   *continued;		/* a token that goes on, with its prefix */
	size_t		n_lookups;		/* since the last look at stop */
} SrmWordPieceWord;

/* Reads the object "model" of a tokenizer.json. */
extern bool srm_wordpiece_load(SrmWordPiece *wordpiece, const SrmJson *model, SrmArena *arena,
							   SrmStatus *status);

/* The same where the vocabulary is there already. */
extern bool srm_wordpiece_load_options(SrmWordPiece *wordpiece, const SrmJson *model,
									   SrmArena *arena, SrmStatus *status);

/* Sets word->tokens to the tokens of some text in UTF-8; length is 1 or more. */
extern bool srm_wordpiece_encode(const SrmWordPiece *wordpiece, const char *text, size_t length,
								 SrmWordPieceWord *word, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_WORDPIECE_H */
