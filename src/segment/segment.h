/*-------------------------------------------------------------------------
 *
 * segment.h
 *	  Sentences of a text.
 *
 * ICU finds candidate boundaries (UAX #29, over UTF-8); rules of ours, in
 * segment_rules.c, then move or drop those that break a model's response in
 * the wrong place.  The sentences tile the text: the first starts at 0, each
 * starts where the one before ends, the last ends at the text's length.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_H
#define SRM_SEGMENT_H

#include <stdint.h>

#include "base/arena.h"

typedef struct SrmSegmenter SrmSegmenter;

/* Bytes [start, end) of the text; white space after a sentence belongs to it. */
typedef struct SrmSentence
{
	uint32_t	start;
	uint32_t	end;
} SrmSentence;

typedef struct SrmSentences
{
	SrmSentence *items;			/* (n) */
	size_t		n;				/* 0 for an empty text only */
} SrmSentences;

/* Whether ICU takes a text for a locale: a BCP 47 tag such as "de", "en_US" or "es-u-ss-standard", or "". */
extern bool srm_segmenter_is_locale(const char *locale);

/*
 * Opens the break iterator of a locale ("" is the root locale).  To be freed;
 * one segmenter serves one thread at a time.  NULL with the status set for a
 * locale that is not well formed.
 */
extern SrmSegmenter *srm_segmenter_open(const char *locale, SrmStatus *status);
extern void srm_segmenter_free(SrmSegmenter *segmenter);	/* NULL is allowed */

/*
 * Cuts a text of valid UTF-8, less than 2^31 bytes, in linear time.  The
 * result lies in the arena.
 */
extern bool srm_segment(SrmSegmenter *segmenter, const char *text, size_t length,
						SrmArena *arena, SrmSentences *sentences,
						const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_SEGMENT_H */
