/*-------------------------------------------------------------------------
 *
 * utf8.h
 *	  UTF-8 text: checks, and bytes counted as characters.
 *
 * Characters are code points, as substr() and length() count them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_UTF8_H
#define SRM_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether length bytes are UTF-8 of code points that there are: no surrogates, none in more bytes than it needs. */
extern bool srm_utf8_valid(const char *text, size_t length);

/* Characters in valid text. */
extern size_t srm_utf8_count(const char *text, size_t length);

/* How many bytes of valid text, at most limit, end with a whole character. */
extern size_t srm_utf8_clip(const char *text, size_t length, size_t limit);

/*
 * The code point at *offset of valid text, whose length is beyond it; moves
 * *offset to the next one.
 */
extern uint32_t srm_utf8_next(const char *text, size_t length, size_t *offset);

/* Writes 1 to 4 bytes for a Unicode scalar value and returns how many. */
extern size_t srm_utf8_encode(uint32_t code, char *out);

/* Whether Unicode calls it white space. */
extern bool srm_utf8_is_white_space(uint32_t code);

/* Bytes of the character that starts with this byte, in valid text. */
static inline size_t
srm_utf8_size(unsigned char lead)
{
	return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static inline bool
srm_utf8_is_continuation(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

#endif							/* SRM_UTF8_H */
