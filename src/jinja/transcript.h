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

#include "base/status.h"

/* Bytes [start, end) of the transcript, said by "user", "assistant" or "system". */
typedef struct SrmTurn
{
	const char *role;
	size_t		start;
	size_t		end;
} SrmTurn;

/* To start as {.text = text, .length = length, .stop = stop, .status = status}. */
typedef struct SrmTranscript
{
	const char *text;
	size_t		length;
	const SrmStop *stop;		/* may be NULL */
	SrmStatus  *status;
	size_t		at;				/* end of the last turn */
	bool		started;
} SrmTranscript;

/*
 * The next turn; false where there is none, or, with the status set, once it was stopped.
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

/*
 * Where a line of a turn begins with a speaker as other sets write them ("User:",
 * "ASSISTANT:", "### Instruction", "[INST]"), or with ours behind no empty
 * line; SIZE_MAX where none does.  Such text is no system prompt.
 */
extern size_t srm_transcript_other_speaker(const SrmTranscript *transcript, const SrmTurn *turn);

#endif							/* SRM_TRANSCRIPT_H */
