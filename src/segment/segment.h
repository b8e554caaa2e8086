/*-------------------------------------------------------------------------
 *
 * segment.h
 *	  Sentences of a text.
 *
 * By default ICU finds candidate boundaries (UAX #29, over UTF-8); rules of ours, in
 * rules.c, then move or drop those that break a model's response in
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

/* Bytes behind which a text may be cut, ascending. */
typedef struct SrmEnds
{
	uint32_t   *items;			/* (n), room for capacity */
	size_t		n;
	size_t		capacity;
} SrmEnds;

/*
 * Finds ends of sentences by a model, which this room knows nothing of.  The text is valid UTF-8 and not
 * empty; the ends, above 0 and in the arena, are of it.
 */
typedef struct SrmSplitter
{
	bool		(*split) (void *arg, const char *text, size_t length, SrmArena *arena, SrmEnds *ends,
						  const SrmStop *stop, SrmStatus *status);
	void	   *arg;
	uint64_t	version;		/* another one where it may find other ends */
} SrmSplitter;

/* Whether ICU takes a text for a locale: a BCP 47 tag such as "de", "en_US" or "es-u-ss-standard", or "". */
extern bool srm_segmenter_is_locale(const char *locale);

/* Is it the name of a way to cut, as srm_segmenter_open() takes it? */
extern bool srm_segmenter_known(const char *name);

/* The model's name in that of a segmenter "sat:NAME" or "sat-only:NAME"; NULL for others. */
extern const char *srm_segmenter_model(const char *name);

/*
 * Whether a name stands for the same cuts always: it has no model, or one with its whole digest
 * behind it, as "sat:NAME@DIGEST".
 */
extern bool srm_segmenter_is_pinned(const char *name);

/*
 * Opens a way to cut: "icu", "lines" (each line that is not blank; code and
 * formulas stay whole), "paragraphs" (at blank lines), "regex:PATTERN" (ICU's
 * regular expression of what separates; it belongs to the sentence before), "sat:NAME"
 * (a splitter, within the lines and blocks that "icu" finds) or "sat-only:NAME" (a splitter and
 * line ends, as wtpsplit cuts).  Whoever opens one of the last two sets its splitter.
 * The locale ("" is the root locale) has a say in "icu" and "sat:" alone.  To be freed;
 * one segmenter serves one thread at a time.  NULL with the status set for a
 * name, a locale or a pattern that is not well formed.
 */
extern SrmSegmenter *srm_segmenter_open(const char *name, const char *locale, SrmStatus *status);
extern void srm_segmenter_free(SrmSegmenter *segmenter);	/* NULL is allowed */

/* Sets what srm_segment() asks from then on; it must stay as long as that is called.  Others than "sat" ignore it. */
extern void srm_segmenter_set_splitter(SrmSegmenter *segmenter, const SrmSplitter *splitter);

/*
 * Cuts a text of valid UTF-8, less than 2^31 bytes, in linear time.  The
 * result lies in the arena.
 */
extern bool srm_segment(SrmSegmenter *segmenter, const char *text, size_t length,
						SrmArena *arena, SrmSentences *sentences,
						const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_SEGMENT_H */
