/*-------------------------------------------------------------------------
 *
 * rules.h
 *	  Which of the boundaries that ICU proposes are boundaries, and where.
 *
 * The rules walk once over a block of prose, from left to right.  They look
 * back and ahead over a few characters only, or over what no later step looks
 * at again, so that the walk is linear.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_RULES_H
#define SRM_SEGMENT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segment/languages.h"
#include "segment/markers.h"

typedef struct SrmRules
{
	const char *text;
	size_t		end;			/* of the block */
	size_t		sentence;		/* start of the current one */
	size_t		settled;		/* candidates up to here are decided */
	size_t		scanned;		/* candidates of ours are found up to here */
	size_t		hidden;			/* the next one that ICU does not see, */
	size_t		hidden_limit;	/* or this, where the search ended */

	/* The current line, from its first character that is no white space */
	size_t		line;
	size_t		line_end;
	size_t		next_line;		/* the one behind it, or end */
	bool		is_whole;		/* a row of a table, or data: not to be cut */
	bool		in_table;		/* of which no row starts with a mark */
	bool		has_notes;		/* starts with one: "[1] Smith, J." */
	int32_t		bullet;			/* that starts it, or SRM_NO_CHAR */
	SrmMarker	list;			/* the last marker of a list within it */
	size_t		next_marker;	/* where its next item starts */
	SrmMarker	next;

	/* Whether emphasis is open, as far as its marks are counted */
	size_t		emphasis_scanned;
	bool		in_emphasis;

	/* The last span of code found */
	size_t		code_start;
	size_t		code_end;

	/* The next tag that parts a response, from where it is cut */
	size_t		tag;
	size_t		tag_scanned;

	const SrmLanguage *language;
	bool		is_small;		/* no sentence of the text starts with a capital */
} SrmRules;

/* The language decides with the text; small as srm_text_is_small() has it. */
extern void srm_rules_start(SrmRules *rules, const char *text, size_t start, size_t end,
							const SrmLanguage *language, bool small);

/*
 * Takes a candidate of ICU's, not before the last one, and returns a boundary
 * inside the block, beyond the last, or 0.  To be called with the same
 * candidate until it returns 0: there may be boundaries before it.
 */
extern size_t srm_rules_next(SrmRules *rules, size_t candidate);

#endif							/* SRM_SEGMENT_RULES_H */
