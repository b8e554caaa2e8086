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

/* ICU's macros index with int32_t, so that long text is taken in steps. */
#define STEP	((size_t) 1 << 30)

bool
srm_utf8_valid(const char *text, size_t length)
{
	size_t		offset = 0;

	while (offset < length)
	{
		size_t		rest = length - offset;
		int32_t		size = (int32_t) (rest < STEP ? rest : STEP);
		int32_t		i = 0;

		/* Stop short of the step's end, where a character may be cut */
		while (i < size && (rest <= STEP || i < size - U8_MAX_LENGTH))
		{
			UChar32		code;

			U8_NEXT((const uint8_t *) text + offset, i, size, code);
			if (code < 0)
				return false;
		}
		offset += i;
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
