/*-------------------------------------------------------------------------
 *
 * segment_text.c
 *	  Cuts texts from standard input into sentences.
 *
 * Reads texts, each a length (4 bytes, little-endian) and its bytes of UTF-8.
 * Writes for each the number of sentences and the start and end of each one,
 * in bytes, as numbers of the same kind.  The arguments are a locale and a
 * segmenter.  tools/tiny_model and tools/segmentation use it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "segment/segment.h"

static bool
read_number(uint32_t *number)
{
	unsigned char bytes[4];

	if (fread(bytes, 1, 4, stdin) != 4)
		return false;
	*number = (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 |
		(uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
	return true;
}

static void
write_number(uint32_t number)
{
	for (int shift = 0; shift < 32; shift += 8)
		putchar((int) (number >> shift & 0xFF));
}

/* Cuts one text, and says on standard error why not. */
static bool
segment(SrmSegmenter *segmenter, SrmArena *arena, uint32_t length, SrmStatus *status)
{
	SrmSentences sentences;
	char	   *text = srm_arena_alloc(arena, (size_t) length + 1, status);

	if (text == NULL)
		return false;
	if (fread(text, 1, length, stdin) != length)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "input ends within a text");
	if (!srm_utf8_valid(text, length))
		return srm_fail(status, SRM_INVALID_ARGUMENT, "text is not valid UTF-8");
	if (!srm_segment(segmenter, text, length, arena, &sentences, NULL, status))
		return false;
	write_number((uint32_t) sentences.n);
	for (size_t i = 0; i < sentences.n; i++)
	{
		write_number(sentences.items[i].start);
		write_number(sentences.items[i].end);
	}
	return true;
}

int
main(int argc, char **argv)
{
	SrmStatus	status;
	SrmArena   *arena;
	SrmSegmenter *segmenter;
	uint32_t	length;

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	segmenter = srm_segmenter_open(argc > 2 ? argv[2] : "icu", argc > 1 ? argv[1] : "", &status);
	while (status.code == SRM_OK && read_number(&length))
	{
		srm_arena_reset(arena);
		segment(segmenter, arena, length, &status);
	}
	if (status.code != SRM_OK)
		fprintf(stderr, "segment_text: %s\n", status.message);
	srm_segmenter_free(segmenter);
	srm_arena_free(arena);
	return status.code == SRM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
