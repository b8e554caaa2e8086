/*-------------------------------------------------------------------------
 *
 * pretokenizer.h
 *	  A text cut into the words that the vocabulary sees.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PRETOKENIZER_H
#define SRM_PRETOKENIZER_H

#include "base/json.h"
#include "tokenizer/normal_text.h"

typedef struct SrmPretokenizer SrmPretokenizer;

typedef struct SrmPieces
{
	SrmRange   *items;			/* (n), room for capacity */
	size_t		n;
	size_t		capacity;
} SrmPieces;

/*
 * Room that one call of srm_pretokenizer_split() leaves to the next; to start
 * as {.arena = arena}.
 */
typedef struct SrmSplitWork
{
	SrmArena   *arena;
	SrmPieces	pieces;			/* the result */
	SrmPieces	other;			/* what the next step makes of them */
	struct SrmStretch *stretches;	/* what a pattern makes of one piece */
	size_t		n_stretches;
	size_t		stretch_capacity;
	char	   *printable;		/* a piece as ByteLevel writes it */
	size_t		printable_capacity;
} SrmSplitWork;

/*
 * Reads the object "pre_tokenizer" of a tokenizer.json, or NULL.  What ICU
 * needs stays until srm_pretokenizer_free().
 */
extern SrmPretokenizer *srm_pretokenizer_load(const SrmJson *json, SrmArena *arena,
											  SrmStatus *status);
extern void srm_pretokenizer_free(SrmPretokenizer *pretokenizer);	/* NULL is allowed */

/* Whether words are written byte by byte, in the printable form of each, for the vocabulary. */
extern bool srm_pretokenizer_is_byte_level(const SrmPretokenizer *pretokenizer);

/*
 * Cuts a text into work->pieces, none of them empty.  The text is replaced by
 * another one where spaces are put before its pieces, or replaced.
 */
extern bool srm_pretokenizer_split(SrmPretokenizer *pretokenizer, SrmNormalText *text,
								   SrmSplitWork *work, const SrmStop *stop,
								   SrmStatus *status);

#endif							/* SRM_PRETOKENIZER_H */
