/*-------------------------------------------------------------------------
 *
 * lines.h
 *	  What a line is, and whether it goes on in the next one.
 *
 * A line starts with its first character that is no white space.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_LINES_H
#define SRM_SEGMENT_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* The row of a table under its head, from a position on: only | - : and blanks. */
extern bool srm_line_is_delimiter(const char *text, size_t at, size_t end);

/* Data or code without a fence: {"a": ...  "a": ...  print("...")  x = f("..."); */
extern bool srm_line_is_data(const char *text, size_t line, size_t line_end);

/*
 * Does the line whose content ends at end, and which was filled up to a margin, go on at next,
 * where the content of the one behind it starts?  The text is looked at up to limit.
 */
extern bool srm_line_goes_on(const char *text, size_t line, size_t end, size_t next, size_t limit);

#endif							/* SRM_SEGMENT_LINES_H */
