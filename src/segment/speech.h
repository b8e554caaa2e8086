/*-------------------------------------------------------------------------
 *
 * speech.h
 *	  Quotations and titles that a sentence goes on behind.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_SPEECH_H
#define SRM_SEGMENT_SPEECH_H

#include <stdbool.h>
#include <stddef.h>

/* Places around a terminator. */
typedef struct SrmSpeech
{
	const char *text;
	size_t		after;			/* the terminator ends here, */
	size_t		close;			/* the marks that close the sentence here, */
	size_t		next;			/* and what follows starts here, before end */
	size_t		end;
} SrmSpeech;

/*
 * Whether the terminator ends no sentence, since it stands in a title or in brackets, or
 * since what follows says who speaks: 「はい。」と言った, "네."라고 말했다, "这是对的。"他说。
 */
extern bool srm_speech_goes_on(const SrmSpeech *speech);

#endif							/* SRM_SEGMENT_SPEECH_H */
