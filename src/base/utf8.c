/*-------------------------------------------------------------------------
 *
 * utf8.c
 *	  UTF-8 text: checks, and bytes counted as characters.
 *
 *-------------------------------------------------------------------------
 */
#include "base/utf8.h"

#include <string.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>

/* Bytes of a word of eight, as memory has them, before the first that is not ASCII. */
static size_t
ascii_prefix(uint64_t high_bits)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (size_t) __builtin_ctzll(high_bits) / 8;
#else
	return (size_t) __builtin_clzll(high_bits) / 8;
#endif
}

/* Bytes of ASCII at the start; up to seven more may follow at the end of the text. */
static size_t
ascii_length(const char *text, size_t length)
{
	size_t		n = 0;
	uint64_t	word;

	while (length - n >= sizeof(word))
	{
		memcpy(&word, text + n, sizeof(word));
		word &= UINT64_C(0x8080808080808080);
		if (word != 0)
			return n + ascii_prefix(word);
		n += sizeof(word);
	}
	return n;
}

bool
srm_utf8_valid(const char *text, size_t length)
{
	size_t		offset = ascii_length(text, length);

	while (offset < length)
	{
		size_t		rest = length - offset;
		int32_t		i = 0;
		UChar32		code;

		U8_NEXT((const uint8_t *) text + offset, i,
				(int32_t) (rest < U8_MAX_LENGTH ? rest : U8_MAX_LENGTH), code);
		if (code < 0)
			return false;
		offset += i;
		if (code < 0x80)
			offset += ascii_length(text + offset, length - offset);
	}
	return true;
}

size_t
srm_utf8_count(const char *text, size_t length)
{
	size_t		n = 0;

	for (size_t i = 0; i < length; i++)
		n += !srm_utf8_is_continuation((unsigned char) text[i]);
	return n;
}

size_t
srm_utf8_clip(const char *text, size_t length, size_t limit)
{
	if (length <= limit)
		return length;
	while (limit > 0 && srm_utf8_is_continuation((unsigned char) text[limit]))
		limit--;
	return limit;
}

uint32_t
srm_utf8_next(const char *text, size_t length, size_t *offset)
{
	const uint8_t *at = (const uint8_t *) text + *offset;
	size_t		rest = length - *offset;
	int32_t		i = 0;
	UChar32		code;

	U8_NEXT_OR_FFFD(at, i, (int32_t) (rest < U8_MAX_LENGTH ? rest : U8_MAX_LENGTH), code);
	*offset += i;
	return (uint32_t) code;
}

size_t
srm_utf8_encode(uint32_t code, char *out)
{
	size_t		i = 0;

	U8_APPEND_UNSAFE((uint8_t *) out, i, code);
	return i;
}

bool
srm_utf8_is_white_space(uint32_t code)
{
	return u_isUWhiteSpace((UChar32) code);
}
