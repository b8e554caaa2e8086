/*-------------------------------------------------------------------------
 *
 * blocks.h
 *	  Prose, and what is left alone in it: fenced code, displayed formulas.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_BLOCKS_H
#define SRM_SEGMENT_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* What was found for all formulas that open in a range of the text. */
typedef struct SrmFormula
{
	size_t		from;
	size_t		until;
	size_t		end;			/* of the block, 0 where there is none */
} SrmFormula;

typedef struct SrmBlocks
{
	const char *text;
	size_t		length;
	size_t		at;				/* a line starts here */
	SrmFormula	formulas[3];	/* by how they open */
	size_t		asked_at;		/* where stop was asked last */
	const SrmStop *stop;
	SrmStatus  *status;
} SrmBlocks;

/* At the start of a text, which must stay. */
extern void srm_blocks_init(SrmBlocks *blocks, const char *text, size_t length, const SrmStop *stop,
							SrmStatus *status);

/*
 * Moves to the next block, which starts at blocks->at, and returns its end.
 * *verbatim says that it is one sentence.  Not to be called at the end.  0 if it is
 * told to stop, which the status says.
 */
extern size_t srm_blocks_next(SrmBlocks *blocks, bool *verbatim);

#endif							/* SRM_SEGMENT_BLOCKS_H */
