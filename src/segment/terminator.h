/*-------------------------------------------------------------------------
 *
 * terminator.h
 *	  Does a terminator within a line end a sentence?
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_TERMINATOR_H
#define SRM_SEGMENT_TERMINATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "segment/languages.h"

typedef struct SrmTerminator
{
	const char *text;
	size_t		sentence;		/* where its sentence starts */
	size_t		line;			/* where its line starts */
	size_t		end;			/* of the block */
	size_t		after;			/* the terminator ends here, */
	size_t		close;			/* the marks that close the sentence here, */
	size_t		next;			/* and what follows starts here, before end */
	bool		is_small;		/* no sentence of the text starts with a capital */
	const SrmLanguage *language;
} SrmTerminator;

/* Whether a sentence ends at a terminator with what follows. */
extern bool srm_terminator_ends(const SrmTerminator *term);

#endif							/* SRM_SEGMENT_TERMINATOR_H */
