/*-------------------------------------------------------------------------
 *
 * fuzz_segment.c
 *	  Any valid UTF-8: the sentences tile it and are cut between characters.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "segment/segment.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_tiling(const char *text, size_t length, const SrmSentences *sentences)
{
	uint32_t	end = 0;

	for (size_t i = 0; i < sentences->n; i++)
	{
		const SrmSentence *sentence = &sentences->items[i];

		if (sentence->start != end || sentence->end <= end || sentence->end > length ||
			srm_utf8_is_continuation((unsigned char) text[sentence->start]))
			abort();
		end = sentence->end;
	}
	if (end != length)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static SrmSegmenter *segmenter;
	const char *text = (const char *) data;
	SrmStatus	status;
	SrmArena   *arena;
	SrmSentences sentences;

	if (!srm_utf8_valid(text, size))
		return 0;
	srm_status_init(&status);
	if (segmenter == NULL)
		segmenter = srm_segmenter_open("icu", "", &status);
	arena = srm_arena_create(&status);
	if (segmenter == NULL || arena == NULL ||
		!srm_segment(segmenter, text, size, arena, &sentences, NULL, &status))
		abort();
	check_tiling(text, size, &sentences);
	srm_arena_free(arena);
	return 0;
}
