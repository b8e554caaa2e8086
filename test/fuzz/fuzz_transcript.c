/*-------------------------------------------------------------------------
 *
 * fuzz_transcript.c
 *	  Any bytes as a transcript: turns inside it, in order, none of them
 *	  twice.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jinja/transcript.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_role(const char *role)
{
	return strcmp(role, "user") == 0 || strcmp(role, "assistant") == 0 || strcmp(role, "system") == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SrmTranscript transcript = {.text = (const char *) data,.length = size};
	SrmTurn		turn;
	size_t		end = 0;
	size_t		n = 0;

	while (srm_transcript_next(&transcript, &turn))
	{
		/* Each turn takes some of the text, so that there is an end */
		if (turn.start < end || turn.end < turn.start || turn.end > size || !is_role(turn.role) || n++ > size)
			abort();
		if (n > 1 && strcmp(turn.role, "system") == 0)
			abort();
		end = turn.end;
	}
	return 0;
}
