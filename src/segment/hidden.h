/*-------------------------------------------------------------------------
 *
 * hidden.h
 *	  Ends of sentences that ICU does not see.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_HIDDEN_H
#define SRM_SEGMENT_HIDDEN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "segment/languages.h"

/* What is looked at: the line that starts at a place, and the rest of its block. */
typedef struct SrmLineView
{
	const char *text;
	size_t		line;
	size_t		end;
	const SrmLanguage *language;
	bool		is_small;		/* no sentence of the text starts with a capital */
} SrmLineView;

/* Does a colon or semicolon at a place end a sentence, as in one language or script alone? */
extern bool srm_hidden_mark(const SrmLineView *view, size_t at);

/*
 * Does a period at a place end a sentence although no space parts it from the next one, as in
 * "The sun set.The moon rose."?  A word before it has small letters alone, and what follows starts
 * sentences, or names a person; numbers and other scripts need less.
 */
extern bool srm_hidden_stuck(const SrmLineView *view, size_t at);

/*
 * The end of a terminator behind which ICU goes on, but should not: it looks
 * for a letter behind a number ("They won. 3 others lost."), and takes the
 * colon of a face and the mark of a picture for parts of the sentence.  limit where there is none.
 */
extern size_t srm_hidden_find(const SrmLineView *view, size_t at, size_t limit);

/*
 * Does no sentence of a text start with a capital?  Two or more ends are asked
 * for, each behind a word that is surely none shortened.  The status says if it is told
 * to stop.
 */
extern bool srm_text_is_small(const char *text, size_t length, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_SEGMENT_HIDDEN_H */
