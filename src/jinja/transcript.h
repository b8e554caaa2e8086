/*-------------------------------------------------------------------------
 *
 * transcript.h
 *	  Conversations written as one text, as the HH sets have them:
 *	  "\n\nHuman: ...\n\nAssistant: ...".
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRANSCRIPT_H
#define SRM_TRANSCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes [start, end) of the transcript, said by "user", "assistant" or "system". */
typedef struct SrmTurn
{
	const char *role;
	size_t		start;
	size_t		end;
} SrmTurn;

/* To start as {.text = text, .length = length}. */
typedef struct SrmTranscript
{
	const char *text;
	size_t		length;
	size_t		at;				/* end of the last turn */
	bool		started;
} SrmTranscript;

/*
 * The next turn; false where there is none.
 *
 * Lines end in LF or CR LF.
 * A turn begins with "Human:" or "Assistant:" behind an empty line, or at the
 * start of the text and white space; one space behind the colon belongs to
 * neither.  All else is content, just as it is.  Text before the first turn is
 * a turn of "system", unless it is white space.  A last turn of the assistant
 * that is empty is none: it only says whose turn it is.  Two turns of
 * the same speaker in a row stay two.
 */
extern bool srm_transcript_next(SrmTranscript *transcript, SrmTurn *turn);

#endif							/* SRM_TRANSCRIPT_H */
