/*-------------------------------------------------------------------------
 *
 * lines.c
 *	  What a line is, and whether it goes on in the next one.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/lines.h"

#include <string.h>

#include "base/utf8.h"
#include "segment/chars.h"
#include "segment/markers.h"

/* A shorter line was ended by its author, not by a margin. */
#define MIN_WRAPPED 40

static bool
is_ascii_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool
is_quote(char c)
{
	return c == '"' || c == '\'';
}

bool
srm_line_is_delimiter(const char *text, size_t at, size_t end)
{
	size_t		n_bars = 0;
	size_t		n_dashes = 0;

	for (; at < end && text[at] != '\n' && text[at] != '\r'; at++)
	{
		if (text[at] == '|')
			n_bars++;
		else if (text[at] == '-')
			n_dashes++;
		else if (text[at] != ':' && text[at] != ' ')
			return false;
	}
	return n_bars > 0 && n_dashes > 0;
}

bool
srm_line_is_data(const char *text, size_t line, size_t line_end)
{
	size_t		at = line;
	size_t		end = srm_strip_space(text, at, line_end);

	if (end - at < 4)
		return false;
	if ((text[at] == '{' || text[at] == '[') && (text[at + 1] == '"' || text[at + 1] == '{'))
		return true;
	if (text[at] == '"')
	{
		while (++at < end && (is_ascii_word(text[at]) || text[at] == ' '))
			;
		return end - at > 2 && text[at] == '"' && text[at + 1] == ':';
	}
	if (text[end - 1] == ';' && memchr(text + at, '(', end - at) != NULL && text[end - 2] == ')')
		return true;
	while (at < end && (is_ascii_word(text[at]) || text[at] == '.'))
		at++;
	return at > line && end - at > 2 && text[at] == '(' && is_quote(text[at + 1]) &&
		text[end - 1] == ')';
}

static size_t
end_of_line(const char *text, size_t at, size_t limit)
{
	const char *newline = memchr(text + at, '\n', limit - at);

	return newline == NULL ? limit : (size_t) (newline - text);
}

/* A line of a calculation or of code. */
static bool
has_equation(const char *text, size_t start, size_t end)
{
	const char *p = text + start;
	const char *limit = text + end;

	if (memchr(p, '=', end - start) != NULL || memmem(p, end - start, " < ", 3) != NULL ||
		memmem(p, end - start, " > ", 3) != NULL)
		return true;
	/* Almost equal, and the two with a bar below */
	for (; p < limit && (p = memchr(p, 0xE2, (size_t) (limit - p))) != NULL; p++)
	{
		int32_t		c = srm_char_at(text, (size_t) (p - text), end, NULL);

		if (c == 0x2248 || c == 0x2264 || c == 0x2265)
			return true;
	}
	return false;
}

/* Particles of Japanese behind which a noun or a verb must follow: no, wo */
static bool
is_open_particle(int32_t last, int32_t next)
{
	return (last == 0x306E || last == 0x3092) && srm_char_is_cjk(next) && srm_char_is_letter(next);
}

bool
srm_line_goes_on(const char *text, size_t line, size_t end, size_t next, size_t limit)
{
	SrmMarker	marker;
	int32_t		last = srm_char_before(text, line, end, NULL);
	int32_t		first = srm_char_at(text, next, limit, NULL);

	if (text[line] == '#' || (end - line > 1 && memcmp(text + line, "//", 2) == 0))
		return false;
	if (is_open_particle(last, first))
		return true;
	if (!srm_char_is_lower(first) ||
		(srm_marker_at(text, next, limit, &marker) &&
		 (marker.end == limit || srm_char_is_space(srm_char_at(text, marker.end, limit, NULL)))))
		return false;
	if (!srm_char_is_letter(last) && !srm_char_is_digit(last) && !srm_char_is_closing(last) &&
		!srm_char_is_straight_quote(last) && last != ',' && last != '-')
		return false;
	return srm_utf8_count(text + line, end - line) >= MIN_WRAPPED && !has_equation(text, line, end) &&
		!has_equation(text, next, end_of_line(text, next, limit));
}
