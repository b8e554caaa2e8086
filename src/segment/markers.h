/*-------------------------------------------------------------------------
 *
 * markers.h
 *	  Markers of list items: "1.", "b)", "(iv)", "2.)", "- **3.**".
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_MARKERS_H
#define SRM_SEGMENT_MARKERS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum SrmMarkerStyle
{
	SRM_MARKER_NONE = 0,
	SRM_MARKER_PERIOD,			/* 1. */
	SRM_MARKER_BRACKET,			/* 1) */
	SRM_MARKER_BOTH,			/* 1.) */
	SRM_MARKER_ENCLOSED			/* (1) */
} SrmMarkerStyle;

typedef struct SrmMarker
{
	SrmMarkerStyle style;
	bool		is_letter;
	unsigned	value;			/* 1 for "1" and "a"; 0 for "1.2", "iv" */
	size_t		end;			/* after the period or bracket */
} SrmMarker;

/* Is there a marker right here? */
extern bool srm_marker_at(const char *text, size_t at, size_t end, SrmMarker *marker);

/*
 * Is [start, end) a marker and nothing else?  Marks of quotations, headings,
 * bullets, check boxes and emphasis may be around it, and at the start of a
 * line a noun before it: "Step 1."
 */
extern bool srm_is_marker(const char *text, size_t start, size_t end, bool line_start,
						  SrmMarker *marker);

/* Skips what may stand before a marker. */
extern size_t srm_skip_marker_prefix(const char *text, size_t at, size_t end);

/*
 * Finds the marker that follows another in a list within one line; returns
 * its start, or limit where there is none.
 */
extern size_t srm_find_marker(const char *text, size_t at, size_t limit,
							  const SrmMarker *previous, SrmMarker *marker);

/*
 * Is there a marker right here with which a list of letters may start within a line: "a.", or "x)"
 * of any letter?
 */
extern bool srm_starts_list(const char *text, size_t at, size_t end, SrmMarker *marker);

/*
 * The second item of a list within one line, whose first one is given, or limit: "1) one 2) two".  A
 * period may end a sentence as well ("The sum is 2. Next"), so three markers in a row are asked for.
 */
extern size_t srm_find_list(const char *text, size_t limit, const SrmMarker *first, SrmMarker *second);

#endif							/* SRM_SEGMENT_MARKERS_H */
