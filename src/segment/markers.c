/*-------------------------------------------------------------------------
 *
 * markers.c
 *	  Markers of list items: "1.", "b)", "(iv)", "2.)", "- **3.**".
 *
 *-------------------------------------------------------------------------
 */
#include "segment/markers.h"

#include <string.h>

#include <unicode/uchar.h>

#include "segment/chars.h"
#include "segment/tables.h"

/* Longer numbers are years or amounts; longer numerals are words. */
#define MAX_DIGITS	3
#define MAX_ROMAN	7

/* What may stand before a marker; more of it is not looked at. */
#define MAX_PREFIX	64

/* The value of a digit of any script, or -1. */
static int
digit_at(const char *text, size_t at, size_t end, size_t *next)
{
	return u_charDigitValue(srm_char_at(text, at, end, next));
}

/* Up to MAX_DIGITS digits; returns the end, or at. */
static size_t
parse_digits(const char *text, size_t at, size_t end, unsigned *value)
{
	size_t		start = at;
	size_t		next;
	int			digit;
	int			n = 0;

	*value = 0;
	while ((digit = digit_at(text, at, end, &next)) >= 0)
	{
		if (++n > MAX_DIGITS)
			return start;
		*value = *value * 10 + (unsigned) digit;
		at = next;
	}
	return at;
}

/* "12", "1.2.3", "3a"; returns the end, or at. */
static size_t
parse_number(const char *text, size_t at, size_t end, unsigned *value)
{
	size_t		after = parse_digits(text, at, end, value);

	if (after == at)
		return at;
	while (after < end && text[after] == '.')
	{
		unsigned	part;
		size_t		next = parse_digits(text, after + 1, end, &part);

		if (next == after + 1)
			break;
		after = next;
		*value = 0;
	}
	if (after + 1 < end && text[after] >= 'a' && text[after] <= 'e' &&
		(text[after + 1] == '.' || text[after + 1] == ')'))
	{
		after++;
		*value = 0;
	}
	return after;
}

/* "iv", "XII"; one case throughout. */
static size_t
parse_roman(const char *text, size_t at, size_t end)
{
	const char *letters;
	size_t		start = at;

	if (at == end)
		return at;
	letters = text[at] >= 'a' ? "ivxl" : "IVXL";
	while (at < end && at - start <= MAX_ROMAN && text[at] != '\0' &&
		   strchr(letters, text[at]) != NULL)
		at++;
	return at - start <= MAX_ROMAN ? at : start;
}

/* The number or letter of a marker; returns its end, or at. */
static size_t
parse_label(const char *text, size_t at, size_t end, SrmMarker *marker)
{
	size_t		after = parse_number(text, at, end, &marker->value);
	size_t		next;
	int32_t		c;

	marker->is_letter = false;
	if (after != at)
		return after;
	after = parse_roman(text, at, end);
	if (after > at + 1)
		return after;
	c = srm_char_at(text, at, end, &next);
	if (c >= 'A' && c <= 'Z')
	{
		after = parse_digits(text, next, end, &marker->value);	/* Q1 */
		marker->value = 0;
		if (after != next)
			return after;
	}
	if (c == SRM_NO_CHAR || !srm_char_is_letter(c) || srm_char_is_cjk(c))
		return at;
	marker->is_letter = true;
	if (c >= 'a' && c <= 'z')
		marker->value = (unsigned) (c - 'a') + 1;
	else if (c >= 'A' && c <= 'Z')
		marker->value = (unsigned) (c - 'A') + 1;
	return next;
}

bool
srm_marker_at(const char *text, size_t at, size_t end, SrmMarker *marker)
{
	size_t		next;
	int32_t		c = srm_char_at(text, at, end, &next);
	bool		enclosed = c == '(' || c == 0xFF08;
	size_t		label = enclosed ? next : at;
	bool		period;
	bool		bracket;

	at = parse_label(text, label, end, marker);
	if (at == label)
		return false;
	if (at + 1 < end && text[at] == '\\')
		at++;					/* "1\." is how some escape it */
	period = srm_char_is_period(srm_char_at(text, at, end, &next));
	if (period)
		at = next;
	c = srm_char_at(text, at, end, &next);
	bracket = c == ')' || c == 0xFF09;
	if (bracket)
		at = next;
	if (enclosed ? !bracket : !period && !bracket)
		return false;
	marker->style = enclosed ? SRM_MARKER_ENCLOSED :
		period && bracket ? SRM_MARKER_BOTH :
		period ? SRM_MARKER_PERIOD : SRM_MARKER_BRACKET;
	marker->end = at;
	return true;
}

/* A check box "[x]"; returns its end, or at. */
static size_t
skip_box(const char *text, size_t at, size_t end)
{
	if (end - at >= 3 && text[at] == '[' && text[at + 2] == ']' &&
		(text[at + 1] == ' ' || text[at + 1] == 'x' || text[at + 1] == 'X'))
		return at + 3;
	return at;
}

size_t
srm_skip_marker_prefix(const char *text, size_t at, size_t end)
{
	if (end - at > MAX_PREFIX)
		end = at + MAX_PREFIX;
	while (at < end)
	{
		size_t		box = skip_box(text, at, end);
		size_t		next;
		int32_t		c = srm_char_at(text, at, end, &next);

		if (box != at)
			at = box;
		else if (c == '>' || c == '#' || c == '-' || c == '+' || srm_char_is_emphasis(c) ||
				 srm_char_is_bullet(c) || srm_char_is_space(c))
			at = next;
		else
			break;
	}
	return at;
}

/* "Step " before a number; returns its end, or at. */
static size_t
skip_noun(const char *text, size_t at, size_t end)
{
	size_t		word = at;

	while (at < end && at - word < 16 && srm_char_is_letter((unsigned char) text[at]) &&
		   (unsigned char) text[at] < 0x80)
		at++;
	if (at == end || text[at] != ' ' || !srm_is_label(text + word, at - word))
		return word;
	return at + 1;
}

bool
srm_is_marker(const char *text, size_t start, size_t end, bool line_start, SrmMarker *marker)
{
	size_t		at = srm_skip_marker_prefix(text, start, end);

	if (line_start)
		at = skip_noun(text, at, end);
	if (!srm_marker_at(text, at, end, marker))
		return false;
	for (at = marker->end; at < end && srm_char_is_emphasis(text[at]); at++)
		;
	return at == end;
}

size_t
srm_find_marker(const char *text, size_t at, size_t limit, const SrmMarker *previous,
				SrmMarker *marker)
{
	size_t		depth = 0;

	for (; at < limit; at++)
	{
		/* The bracket of "(A or B)" is no marker's */
		if (text[at] == '(')
			depth++;
		else if (text[at] == ')' && depth > 0)
			depth--;
		if (text[at] == ' ' && depth == 0 &&
			srm_marker_at(text, at + 1, limit, marker) &&
			marker->style == previous->style && marker->is_letter == previous->is_letter &&
			marker->value == previous->value + 1 &&
			marker->end < limit && text[marker->end] == ' ')
			return at + 1;
	}
	return limit;
}

bool
srm_starts_list(const char *text, size_t at, size_t end, SrmMarker *marker)
{
	return srm_marker_at(text, at, end, marker) && marker->is_letter && marker->value > 0 &&
		marker->style != SRM_MARKER_ENCLOSED &&
		(marker->style != SRM_MARKER_PERIOD || marker->value == 1) &&
		marker->end < end && text[marker->end] == ' ';
}

size_t
srm_find_list(const char *text, size_t limit, const SrmMarker *first, SrmMarker *second)
{
	size_t		found = srm_find_marker(text, first->end, limit, first, second);
	SrmMarker	third;

	if (found < limit && second->style == SRM_MARKER_PERIOD &&
		srm_find_marker(text, second->end, limit, second, &third) == limit)
		return limit;
	return found;
}
