/*-------------------------------------------------------------------------
 *
 * chars.h
 *	  Kinds of characters that the rules of segmentation tell apart.
 *
 * Text is valid UTF-8 of less than 2^31 bytes; positions are bytes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_CHARS_H
#define SRM_SEGMENT_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SRM_NO_CHAR (-1)

/*
 * The character at a position before end, and the position after it.  next
 * may be NULL.  SRM_NO_CHAR at the end, where next stays.
 */
extern int32_t srm_char_at(const char *text, size_t at, size_t end, size_t *next);

/* The character before a position beyond start, and the position of it. */
extern int32_t srm_char_before(const char *text, size_t start, size_t at, size_t *prev);

/* By properties of Unicode, as ICU has them; false for SRM_NO_CHAR. */
extern bool srm_char_is_space(int32_t c);
extern bool srm_char_is_newline(int32_t c);
extern bool srm_char_is_letter(int32_t c);
extern bool srm_char_is_upper(int32_t c);	/* or title case */
extern bool srm_char_is_lower(int32_t c);

/* A letter of a script without capitals. */
extern bool srm_char_is_caseless(int32_t c);
extern bool srm_char_is_digit(int32_t c);
extern bool srm_char_is_mark(int32_t c);	/* goes on top of a letter, or beside it */

/* Brackets and quotes that show their direction, and those that do not. */
extern bool srm_char_is_opening(int32_t c);
extern bool srm_char_is_closing(int32_t c);
extern bool srm_char_is_straight_quote(int32_t c);

/* The marks of markdown around words: * _ ~ ` */
extern bool srm_char_is_emphasis(int32_t c);

/* . and its relatives in other widths; not the ellipsis. */
extern bool srm_char_is_period(int32_t c);
extern bool srm_char_is_ellipsis(int32_t c);

/* Scripts with ends of their own. */
extern bool srm_char_is_armenian(int32_t c);
extern bool srm_char_is_greek(int32_t c);
extern bool srm_char_is_cyrillic(int32_t c);
extern bool srm_char_is_hangul(int32_t c);
extern bool srm_char_is_khmer_end(int32_t c);

/* A sign of mathematics that is no ASCII: it stands between two operands. */
extern bool srm_char_is_math(int32_t c);

/* Ends a sentence in any script, periods and the ellipsis among them. */
extern bool srm_char_is_terminator(int32_t c);

/* Han, kana and fullwidth forms: written without spaces. */
extern bool srm_char_is_cjk(int32_t c);

/* Bullets of lists that are no ASCII. */
extern bool srm_char_is_bullet(int32_t c);

/* Starts an emoji; extends one (joiners, selectors, skin tones, tags). */
extern bool srm_char_is_emoji(int32_t c);
extern bool srm_char_is_emoji_tail(int32_t c);

/* Shows nothing, but turns the direction of writing. */
extern bool srm_char_is_direction(int32_t c);

/* A superscript digit, as notes have it. */
extern bool srm_char_is_superscript(int32_t c);

/* What makes a piece more than punctuation. */
extern bool srm_char_is_content(int32_t c);

/* The first position in [at, end) that is no white space, or end. */
extern size_t srm_skip_space(const char *text, size_t at, size_t end);

/* The end of what comes before white space, back from at to start. */
extern size_t srm_strip_space(const char *text, size_t start, size_t at);

/* The end of the emoji sequences at a position, or the position itself. */
extern size_t srm_skip_emoji(const char *text, size_t at, size_t end);

#endif							/* SRM_SEGMENT_CHARS_H */
