/*-------------------------------------------------------------------------
 *
 * given.h
 *	  Sentences that a caller gives, by their ends or by their texts.
 *
 * Elements come one by one, and are checked against the text as they come:
 * nothing is kept of those that do not fit, and what is kept is bounded by
 * the text, not by what the caller sends.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_GIVEN_H
#define SRM_SEGMENT_GIVEN_H

#include "segment/segment.h"

typedef struct SrmGiven
{
	const char *text;			/* valid UTF-8, less than 2^31 bytes */
	size_t		length;
	size_t		at;				/* bytes that are given so far, */
	int64_t		characters;		/* and characters */
	size_t		capacity;
	SrmSentences sentences;
	SrmArena   *arena;
} SrmGiven;

/* No sentence of a text yet; text and arena must stay as long as sentences are used. */
extern void srm_given_begin(SrmGiven *given, const char *text, size_t length, SrmArena *arena);

/* The next sentence ends behind so many characters of the text. */
extern bool srm_given_end(SrmGiven *given, int64_t characters, SrmStatus *status);

/* The next sentence is this one, white space behind it included. */
extern bool srm_given_sentence(SrmGiven *given, const char *sentence, size_t length,
							   SrmStatus *status);

/* There is no further one: those that came must make up the text. */
extern bool srm_given_finish(const SrmGiven *given, SrmStatus *status);

#endif							/* SRM_SEGMENT_GIVEN_H */
