/*-------------------------------------------------------------------------
 *
 * marks.c
 *	  Marks of more than one character: notes, tags, faces, ends of formulas.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/marks.h"

#include <string.h>

#include "segment/chars.h"

/* Bytes between the brackets of a note. */
#define MAX_NOTE	24

/* Bytes of a tag's name. */
#define MAX_TAG		16

/* Small letters of a word before the bare number of a note. */
#define MIN_NOTED	4

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
starts_with(const char *text, size_t at, size_t end, const char *word)
{
	size_t		length = strlen(word);

	return end - at >= length && memcmp(text + at, word, length) == 0;
}

/* "1", "2, 3", "4-6", "^2", with a dash of any length; the end, or at. */
static size_t
skip_numbers(const char *text, size_t at, size_t end)
{
	size_t		start = at;
	size_t		p = at;
	int			n_digits = 0;

	if (p < end && text[p] == '^')
		p++;
	while (p < end && p - start < MAX_NOTE)
	{
		size_t		next;
		int32_t		c = srm_char_at(text, p, end, &next);

		if (srm_char_is_digit(c))
		{
			if (++n_digits > 4)
				return at;
		}
		else if (n_digits > 0 && (c == ',' || c == '-' || c == 0x2013 || c == 0xFF0C || c == 0x3001))
			n_digits = 0;
		else if (c != ' ' || n_digits > 0)
			break;
		p = next;
	}
	return n_digits > 0 ? p : at;
}

/* Numbers between an opening and a closing mark; the end, or at. */
static size_t
skip_enclosed(const char *text, size_t at, size_t end, const char *open, const char *close)
{
	size_t		numbers;
	size_t		p;

	if (!starts_with(text, at, end, open))
		return at;
	numbers = at + strlen(open);
	p = skip_numbers(text, numbers, end);
	return p > numbers && starts_with(text, p, end, close) ? p + strlen(close) : at;
}

/* Brackets of CJK: more than a number may stand between these. */
static size_t
skip_lenticular(const char *text, size_t at, size_t end)
{
	static const char open[] = "\343\200\220";
	static const char close[] = "\343\200\221";
	size_t		p = at + strlen(open);

	if (!starts_with(text, at, end, open) || skip_numbers(text, p, end) == p)
		return at;
	for (; p < end && p - at < 2 * MAX_NOTE && text[p] != '\n'; p++)
	{
		if (starts_with(text, p, end, close))
			return p + strlen(close);
	}
	return at;
}

size_t
srm_skip_note(const char *text, size_t at, size_t end)
{
	static const char *const marks[][2] = {
		{"[", "]"}, {"^[", "]^"}, {"^[", "]"}, {"^", "^"},
		{"<sup>", "</sup>"}, {"<sup>[", "]</sup>"}
	};

	if (at >= end || (text[at] != '[' && text[at] != '^' && text[at] != '<' && text[at] != '\343'))
		return at;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
	{
		size_t		after = skip_enclosed(text, at, end, marks[i][0], marks[i][1]);

		if (after != at)
			return after;
	}
	return skip_lenticular(text, at, end);
}

/* Is this the period of a word of four small letters or more, or of a bracket? */
static bool
is_bare_period(const char *text, size_t start, size_t at)
{
	if (at < start + MIN_NOTED + 1 || text[at - 1] != '.')
		return false;
	if (text[at - 2] == ')')
		return true;
	for (size_t i = 2; i < MIN_NOTED + 2; i++)
	{
		if (text[at - i] < 'a' || text[at - i] > 'z')
			return false;
	}
	return true;
}

size_t
srm_skip_bare_note(const char *text, size_t start, size_t at, size_t end)
{
	size_t		p = at;
	size_t		digits = at;

	if (at >= end || !is_digit(text[at]) || !is_bare_period(text, start, at))
		return at;
	while (p < end && p - at < MAX_NOTE && (is_digit(text[p]) || text[p] == ',' || text[p] == ' '))
	{
		if (is_digit(text[p]) && !is_digit(text[p - 1]))
			digits = p;
		else if (p - digits > 2)
			return at;
		p++;
	}
	/* "section.3 Items" goes on with what no sentence starts with */
	return text[p - 1] == ' ' && p < end && srm_char_is_upper(srm_char_at(text, p, end, NULL)) ?
		srm_strip_space(text, at, p) : at;
}

size_t
srm_skip_low_quote(const char *text, size_t at, size_t end)
{
	size_t		after = at + 2;

	if (end - at < 3 || text[at] != ',' || text[at + 1] != ',')
		return at;
	if (text[after] == ' ')
		after++;
	return srm_char_is_upper(srm_char_at(text, after, end, NULL)) ? after : at;
}

size_t
srm_skip_face(const char *text, size_t at, size_t end)
{
	size_t		face = at;

	if (face >= end || (text[face] != ':' && text[face] != ';' && text[face] != '='))
		return at;
	face++;
	if (face < end && (text[face] == '-' || text[face] == '\''))
		face++;
	if (face >= end || text[face] == '\0' || strchr(")(DPp/|]", text[face]) == NULL)
		return at;
	face++;
	return face == end || srm_char_is_space(srm_char_at(text, face, end, NULL)) ? face : at;
}

size_t
srm_skip_formula_end(const char *text, size_t at, size_t end)
{
	size_t		after = at;

	if (at >= end)
		return at;
	if (text[at] == '$')
		after = at + 1;
	else if (text[at] == '\\' && at + 1 < end && (text[at + 1] == ')' || text[at + 1] == ']'))
		after = at + 2;
	if (after < end && text[at] == '$' && text[after] == '$')
		after++;
	return after == end || srm_char_is_space(srm_char_at(text, after, end, NULL)) ? after : at;
}

/* Is it a name that models give to parts of what they write? */
static bool
is_part(const char *name, size_t length)
{
	static const char *const parts[] = {
		"analysis", "answer", "final", "final_answer", "output", "plan", "reason",
		"reasoning", "reflection", "response", "scratchpad", "solution", "step",
		"summary", "think", "thinking", "thought", "thoughts", "verify"
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
	{
		if (strlen(parts[i]) == length && memcmp(parts[i], name, length) == 0)
			return true;
	}
	return false;
}

size_t
srm_skip_tag(const char *text, size_t at, size_t end, SrmTag *tag)
{
	char		name[MAX_TAG];
	size_t		n = 0;
	size_t		p = at + 1;
	bool		closes = p < end && text[p] == '/';
	bool		breaks;

	p += closes;
	for (; p < end && n < MAX_TAG; p++)
	{
		unsigned char c = (unsigned char) text[p];

		if (c != '_' && (c >= 0x80 || !srm_char_is_letter(c)))
			break;
		name[n++] = (char) (c == '_' ? c : c | 0x20);
	}
	breaks = n == 2 && memcmp(name, "br", 2) == 0;
	while (breaks && p < end && (text[p] == ' ' || text[p] == '/'))
		p++;
	if (p >= end || text[p] != '>' || (!breaks && !is_part(name, n)))
		return at;
	*tag = breaks ? SRM_TAG_BREAKS : closes ? SRM_TAG_CLOSES : SRM_TAG_OPENS;
	return p + 1;
}
