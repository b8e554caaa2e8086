/*-------------------------------------------------------------------------
 *
 * chars.c
 *	  Kinds of characters that the rules of segmentation tell apart.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/chars.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

int32_t
srm_char_at(const char *text, size_t at, size_t end, size_t *next)
{
	const uint8_t *bytes = (const uint8_t *) text;
	int32_t		i = (int32_t) at;
	UChar32		c;

	if (at >= end)
	{
		if (next != NULL)
			*next = at;
		return SRM_NO_CHAR;
	}
	U8_NEXT(bytes, i, (int32_t) end, c);
	if (next != NULL)
		*next = (size_t) i;
	return c;
}

int32_t
srm_char_before(const char *text, size_t start, size_t at, size_t *prev)
{
	const uint8_t *bytes = (const uint8_t *) text;
	int32_t		i = (int32_t) at;
	UChar32		c;

	if (at <= start)
	{
		if (prev != NULL)
			*prev = at;
		return SRM_NO_CHAR;
	}
	U8_PREV(bytes, (int32_t) start, i, c);
	if (prev != NULL)
		*prev = (size_t) i;
	return c;
}

bool
srm_char_is_space(int32_t c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return u_isUWhiteSpace(c);
}

bool
srm_char_is_newline(int32_t c)
{
	return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool
srm_char_is_letter(int32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	return u_isUAlphabetic(c) || (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

bool
srm_char_is_upper(int32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z';
	return u_isUUppercase(c) || u_istitle(c);
}

bool
srm_char_is_lower(int32_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z';
	return u_isULowercase(c);
}

bool
srm_char_is_caseless(int32_t c)
{
	return c >= 0x80 && srm_char_is_letter(c) &&
		!srm_char_is_upper(c) && !srm_char_is_lower(c);
}

bool
srm_char_is_digit(int32_t c)
{
	if (c < 0x80)
		return c >= '0' && c <= '9';
	return u_isdigit(c);
}

bool
srm_char_is_mark(int32_t c)
{
	return c >= 0x300 && (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

bool
srm_char_is_opening(int32_t c)
{
	if (c < 0x80)
		return c == '(' || c == '[' || c == '{';
	return (U_GET_GC_MASK(c) & (U_GC_PS_MASK | U_GC_PI_MASK)) != 0;
}

bool
srm_char_is_closing(int32_t c)
{
	if (c < 0x80)
		return c == ')' || c == ']' || c == '}';
	return (U_GET_GC_MASK(c) & (U_GC_PE_MASK | U_GC_PF_MASK)) != 0;
}

bool
srm_char_is_straight_quote(int32_t c)
{
	return c == '"' || c == '\'';
}

bool
srm_char_is_emphasis(int32_t c)
{
	return c == '*' || c == '_' || c == '~' || c == '`';
}

bool
srm_char_is_period(int32_t c)
{
	return c == '.' || c == 0x2024 || c == 0xFE52 || c == 0xFF0E;
}

bool
srm_char_is_ellipsis(int32_t c)
{
	return c == 0x2026;
}

bool
srm_char_is_armenian(int32_t c)
{
	return c >= 0x530 && c <= 0x58A;
}

bool
srm_char_is_greek(int32_t c)
{
	return (c >= 0x370 && c <= 0x3FF) || (c >= 0x1F00 && c <= 0x1FFF);
}

bool
srm_char_is_cyrillic(int32_t c)
{
	return c >= 0x400 && c <= 0x52F;
}

bool
srm_char_is_hangul(int32_t c)
{
	return c >= 0xAC00 && c <= 0xD7A3;
}

bool
srm_char_is_khmer_end(int32_t c)
{
	return c == 0x17D4 || c == 0x17D5;
}

bool
srm_char_is_math(int32_t c)
{
	return c == 0xB7 || (c >= 0x80 && u_charType(c) == U_MATH_SYMBOL);
}

bool
srm_char_is_terminator(int32_t c)
{
	if (c < 0x80)
		return c == '.' || c == '!' || c == '?';
	return srm_char_is_period(c) || srm_char_is_khmer_end(c) || srm_char_is_ellipsis(c) ||
		u_hasBinaryProperty(c, UCHAR_S_TERM);
}

bool
srm_char_is_cjk(int32_t c)
{
	return (c >= 0x2E80 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
		(c >= 0xFE30 && c <= 0xFE4F) || (c >= 0xFF00 && c <= 0xFFEF) ||
		(c >= 0x20000 && c <= 0x3FFFF);
}

bool
srm_char_is_bullet(int32_t c)
{
	return c == 0x2022 || c == 0x2023 || c == 0x2043 || c == 0x25CF ||
		c == 0x25CB || c == 0x25AA || c == 0x25A0 || c == 0x25E6 || c == 0x2219;
}

bool
srm_char_is_emoji(int32_t c)
{
	if (c < 0x203C)
		return false;
	return u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC) ||
		u_hasBinaryProperty(c, UCHAR_REGIONAL_INDICATOR) ||
		u_hasBinaryProperty(c, UCHAR_EMOJI_MODIFIER);
}

bool
srm_char_is_emoji_tail(int32_t c)
{
	return c == 0x200D || c == 0xFE0F || c == 0xFE0E || c == 0x20E3 ||
		(c >= 0x1F3FB && c <= 0x1F3FF) || (c >= 0xE0020 && c <= 0xE007F);
}

bool
srm_char_is_direction(int32_t c)
{
	return c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool
srm_char_is_superscript(int32_t c)
{
	return c == 0xB9 || c == 0xB2 || c == 0xB3 || (c >= 0x2070 && c <= 0x2079);
}

bool
srm_char_is_content(int32_t c)
{
	if (c < 0x80)
		return srm_char_is_letter(c) || srm_char_is_digit(c);
	return (U_GET_GC_MASK(c) & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK | U_GC_S_MASK)) != 0 &&
		!srm_char_is_emoji_tail(c) && !srm_char_is_bullet(c);
}

size_t
srm_skip_space(const char *text, size_t at, size_t end)
{
	size_t		next;

	while (at < end && srm_char_is_space(srm_char_at(text, at, end, &next)))
		at = next;
	return at;
}

size_t
srm_strip_space(const char *text, size_t start, size_t at)
{
	size_t		prev;

	while (at > start && srm_char_is_space(srm_char_before(text, start, at, &prev)))
		at = prev;
	return at;
}

size_t
srm_skip_emoji(const char *text, size_t at, size_t end)
{
	size_t		next;

	if (!srm_char_is_emoji(srm_char_at(text, at, end, &next)))
		return at;
	do
	{
		int32_t		c;

		at = next;
		c = srm_char_at(text, at, end, &next);
		if (!srm_char_is_emoji(c) && !srm_char_is_emoji_tail(c))
			break;
	} while (true);
	return at;
}
