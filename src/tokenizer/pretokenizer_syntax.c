/*-------------------------------------------------------------------------
 *
 * pretokenizer_syntax.c
 *	  Oniguruma's regular expressions in ICU's syntax.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/pretokenizer_regex.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"

#define MAX_DEPTH		64
#define MAX_LENGTH		((size_t) 64 * 1024)
#define LATIN1_NUMBERS	"\\xB2\\xB3\\xB9\\xBC-\\xBE"

typedef struct Translator
{
	const char *pattern;
	const char *at;				/* what comes next */
	SrmBuffer	out;
	SrmStatus  *status;
	int			depth;			/* of groups that are open */
	int			caseless;		/* of these the outermost (?i:, or 0 */
	bool		can_repeat;		/* whether a quantifier may follow */
	char		last_letter;	/* of put_literal(), if nothing parts it from what comes */
} Translator;

static bool
refuse(Translator *t, const char *part, size_t length)
{
	srm_fail(t->status, SRM_NOT_SUPPORTED, "regular expression of tokenizer is not supported");
	return srm_fail_detail(t->status, "\"%.*s\" cannot be translated, at byte %zu of \"%s\".",
						   (int) length, part, (size_t) (part - t->pattern), t->pattern);
}

static bool
put(Translator *t, const char *text)
{
	return srm_buffer_append(&t->out, text, strlen(text), t->status);
}

static bool
put_code(Translator *t, uint32_t code)
{
	char		text[16];

	/* As a number, so that nothing that ICU gives a meaning to slips in */
	snprintf(text, sizeof(text), "\\x{%X}", code);
	return put(t, text);
}

/*
 * A character outside of brackets.  Where case does not matter, a letter of
 * ASCII becomes the set of its forms, which ICU matches much faster; so two
 * letters in a row must not be those of a ligature, which would match too.
 */
static bool
put_literal(Translator *t, uint32_t code, const char *start)
{
	static const char *const ligatures[] = {"ff", "fi", "fl", "ss", "st"};
	uint32_t	lower = code | 0x20;
	char		pair[3] = {t->last_letter, (char) lower, '\0'};
	char		text[32];

	t->can_repeat = true;
	if (t->caseless == 0 || lower < 'a' || lower > 'z')
	{
		t->last_letter = '\0';
		return put_code(t, code);
	}
	for (size_t i = 0; i < sizeof(ligatures) / sizeof(ligatures[0]); i++)
		if (strcmp(pair, ligatures[i]) == 0)
			return refuse(t, start, (size_t) (t->at - start));
	t->last_letter = (char) lower;
	snprintf(text, sizeof(text), "[%c%c%s]", (char) lower, (char) (lower - 0x20),
			 lower == 's' ? "\\x{17F}" : lower == 'k' ? "\\x{212A}" : "");
	return put(t, text);
}

static uint32_t
next_code(Translator *t)
{
	size_t		offset = 0;
	uint32_t	code = srm_utf8_next(t->at, srm_utf8_size((unsigned char) *t->at), &offset);

	t->at += offset;
	return code;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/*
 * \xHH, \x{H...}, \uHHHH, with t->at behind the letter.  \xHH above 7F is a
 * byte for Oniguruma, not a code point.
 */
static bool
read_number(Translator *t, char kind, const char *start, uint32_t *code)
{
	bool		braces = kind == 'x' && *t->at == '{';
	int			max = braces ? 6 : kind == 'x' ? 2 : 4;
	int			n = 0;

	*code = 0;
	t->at += braces;
	while (n < max && hex_digit(*t->at) >= 0)
	{
		*code = *code * 16 + (uint32_t) hex_digit(*t->at++);
		n++;
	}
	if (n == 0 || (kind == 'u' && n < 4) || (braces && *t->at++ != '}') ||
		*code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF) ||
		(kind == 'x' && !braces && *code > 0x7F))
		return refuse(t, start, (size_t) (t->at - start));
	return true;
}

/* Whether a character has no meaning of its own behind a backslash. */
static bool
stands_for_itself(char c)
{
	return c >= ' ' && c <= '~' && c != '_' && !(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* An escape that stands for one character; *known is false for others. */
static bool
read_escaped_character(Translator *t, uint32_t *code, bool *known)
{
	static const char letters[] = "rntfvae";
	static const char meanings[] = "\r\n\t\f\v\a\x1B";
	const char *start = t->at - 1;
	char		c = *t->at;
	const char *letter = c == '\0' ? NULL : strchr(letters, c);

	*known = true;
	if (letter != NULL)
		*code = (uint32_t) meanings[letter - letters];
	else if (stands_for_itself(c))
		*code = (uint32_t) c;
	else if (c == 'x' || c == 'u')
	{
		t->at++;
		return read_number(t, c, start, code);
	}
	else
	{
		*known = false;
		return true;
	}
	t->at++;
	return true;
}

/*
 * \p{...}, with t->at behind the p: general categories, and scripts by their
 * names.  Oniguruma's POSIX names are left out, as they differ from ICU's.
 */
static bool
put_property(Translator *t, bool negated, const char *start)
{
	static const char *const names[] = {
		"L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl",
		"No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk",
		"So", "Z", "Zs", "Zl", "Zp", "White_Space",
		"Han", "Hiragana", "Katakana", "Hangul", "Bopomofo", "Thai", "Lao", "Khmer",
		"Myanmar", "Tibetan", "Latin", "Greek", "Cyrillic", "Armenian", "Georgian",
		"Hebrew", "Arabic", "Devanagari", "Bengali", "Tamil", "Telugu"
	};
	const char *name = t->at + 1;
	const char *end;

	if (*t->at != '{' || (end = strchr(name, '}')) == NULL)
		return refuse(t, start, (size_t) (t->at - start));
	if (*name == '^')
	{
		negated = !negated;
		name++;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strlen(names[i]) != (size_t) (end - name) ||
			memcmp(names[i], name, (size_t) (end - name)) != 0)
			continue;
		t->at = end + 1;
		return put(t, negated ? "\\P{" : "\\p{") && put(t, names[i]) && put(t, "}");
	}
	return refuse(t, start, (size_t) (end + 1 - start));
}

/*
 * An escape that stands for a set of characters, in or out of brackets.
 * ICU's own \w has the joiners, and its \h is something else.  Oniguruma's \w
 * has six numbers of Latin-1 more out of brackets than between them.
 */
static bool
put_escaped_set(Translator *t, bool in_brackets)
{
	const char *start = t->at - 1;
	char		c = *t->at;

	if (c == '\0')
		return refuse(t, start, 1);
	t->at++;
	switch (c)
	{
		case 's':
			return put(t, "\\p{White_Space}");
		case 'S':
			return put(t, "\\P{White_Space}");
		case 'd':
			return put(t, "\\p{Nd}");
		case 'D':
			return put(t, "\\P{Nd}");
		case 'w':
			return put(t, in_brackets ? "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]" :
					   "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}" LATIN1_NUMBERS "]");
		case 'W':
			return put(t, in_brackets ? "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}]" :
					   "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}" LATIN1_NUMBERS "]");
		case 'h':
			return put(t, "[0-9A-Fa-f]");
		case 'H':
			return put(t, "[^0-9A-Fa-f]");
		case 'p':
		case 'P':
			return put_property(t, c == 'P', start);
		default:
			return refuse(t, start, 1 + srm_utf8_size((unsigned char) c));
	}
}

/*
 * A character or an escape between brackets.  *is_set is true for one that
 * stands for several characters, which is written at once.
 */
static bool
read_item(Translator *t, uint32_t *code, bool *is_set)
{
	bool		known;

	*is_set = false;
	if (*t->at != '\\')
	{
		*code = next_code(t);
		return true;
	}
	t->at++;
	if (!read_escaped_character(t, code, &known))
		return false;
	*is_set = !known;
	return known || put_escaped_set(t, true);
}

/* [...], with t->at behind the first bracket. */
static bool
put_set(Translator *t)
{
	const char *start = t->at - 1;
	bool		negated = *t->at == '^';

	/* Negation and case folding do not commute everywhere */
	if (negated && t->caseless > 0)
		return refuse(t, start, 2);
	t->at += negated;
	if (*t->at == ']' || !put(t, negated ? "[^" : "["))
		return t->status->code == SRM_OK && refuse(t, start, (size_t) (t->at + 1 - start));
	while (*t->at != ']')
	{
		const char *item = t->at;
		uint32_t	code = 0;
		bool		is_set;

		if (*t->at == '\0')
			return refuse(t, start, strlen(start));
		if (*t->at == '[' || strncmp(t->at, "&&", 2) == 0)
			return refuse(t, t->at, 1);
		/* A hyphen stands for itself at either end only */
		if (*t->at == '-' && item - start > 1 + negated && t->at[1] != ']')
			return refuse(t, t->at, 1);
		if (!read_item(t, &code, &is_set) || (!is_set && !put_code(t, code)))
			return false;
		if (*t->at != '-' || t->at[1] == ']')
			continue;
		t->at++;
		if (is_set || *t->at == '[' || !put(t, "-") || !read_item(t, &code, &is_set) || is_set)
			return t->status->code == SRM_OK && refuse(t, item, (size_t) (t->at - item));
		if (!put_code(t, code))
			return false;
	}
	t->at++;
	return put(t, "]");
}

/* With t->at behind the parenthesis. */
static bool
put_group(Translator *t)
{
	static const char *const kinds[] = {"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:"};
	const char *kind = NULL;

	if (++t->depth > MAX_DEPTH)
		return refuse(t, t->at - 1, 1);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strncmp(t->at, kinds[i], strlen(kinds[i])) == 0)
			kind = kinds[i];
	if (kind == NULL && *t->at == '?')
		return refuse(t, t->at - 1, 3 > strlen(t->at) ? strlen(t->at) + 1 : 3);
	if (kind != NULL)
		t->at += strlen(kind);
	if (kind != NULL && strcmp(kind, "?i:") == 0 && t->caseless == 0)
		t->caseless = t->depth;
	t->can_repeat = false;
	/* Nothing refers to what a group has matched */
	return put(t, "(") && put(t, kind == NULL ? "?:" : kind);
}

static bool
put_group_end(Translator *t)
{
	if (t->depth == 0)
		return refuse(t, t->at - 1, 1);
	if (t->caseless == t->depth)
		t->caseless = 0;
	t->depth--;
	t->can_repeat = true;
	return put(t, ")");
}

/*
 * {n}, {n,} or {n,m}, with t->at at the brace.  Behind one, Oniguruma reads +
 * as another quantifier, and ? so too if there is no comma; ICU does not.
 */
static bool
put_interval(Translator *t)
{
	const char *start = t->at;
	const char *end = start + 1 + strspn(start + 1, "0123456789");
	bool		has_comma = *end == ',';
	char		text[32];
	size_t		length;

	if (end == start + 1 || !t->can_repeat)
		return refuse(t, start, 1);
	if (has_comma)
		end += 1 + strspn(end + 1, "0123456789");
	length = (size_t) (end + 1 - start);
	if (*end != '}' || length > 12 || end[1] == '+' || (end[1] == '?' && !has_comma))
		return refuse(t, start, 1);
	memcpy(text, start, length);
	text[length] = '\0';
	t->at = end + 1;
	t->can_repeat = false;
	if (*t->at == '?')
	{
		t->at++;
		return put(t, text) && put(t, "?");
	}
	return put(t, text);
}

/* *, + or ?, with what makes it lazy or possessive. */
static bool
put_quantifier(Translator *t)
{
	char		text[3] = {*t->at, '\0', '\0'};

	if (!t->can_repeat)
		return refuse(t, t->at, 1);
	t->at++;
	if (*t->at == '?' || *t->at == '+')
		text[1] = *t->at++;
	t->can_repeat = false;
	return put(t, text);
}

static bool
put_escape(Translator *t)
{
	const char *start = t->at - 1;
	uint32_t	code = 0;
	bool		known;

	if (!read_escaped_character(t, &code, &known))
		return false;
	t->can_repeat = true;
	if (known)
		return put_literal(t, code, start);
	if (*t->at == 'A' || *t->at == 'z')
	{
		t->can_repeat = false;
		return put(t, *t->at++ == 'A' ? "\\A" : "\\z");
	}
	return put_escaped_set(t, false);
}

static bool
put_next(Translator *t)
{
	const char *start = t->at;
	char		c = *t->at;

	switch (c)
	{
		case '*':
		case '+':
		case '?':
			return put_quantifier(t);
		case '{':
			return put_interval(t);
		case '\\':
			t->at++;
			return put_escape(t);
		case '[':
			t->at++;
			t->can_repeat = true;
			return put_set(t);
		case '(':
			t->at++;
			return put_group(t);
		case ')':
			t->at++;
			return put_group_end(t);
		case '|':
		case '^':
		case '$':
			t->at++;
			t->can_repeat = false;
			t->last_letter = '\0';
			return put(t, c == '|' ? "|" : c == '^' ? "^" : "$");
		case '.':
			t->at++;
			t->can_repeat = true;
			return put(t, ".");
		default:
			return put_literal(t, next_code(t), start);
	}
}

char *
srm_regex_translate(const char *pattern, SrmArena *arena, SrmStatus *status)
{
	Translator	t = {.pattern = pattern,.at = pattern,.status = status};

	if (pattern[0] == '\0' || strlen(pattern) > MAX_LENGTH)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "regular expression of tokenizer is empty or too long");
		return NULL;
	}
	if (!srm_buffer_init(&t.out, arena, 0, status))
		return NULL;
	while (*t.at != '\0')
		if (!put_next(&t))
			return NULL;
	if (t.depth > 0)
	{
		refuse(&t, pattern, strlen(pattern));
		return NULL;
	}
	return t.out.data;
}
