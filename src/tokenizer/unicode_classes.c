/*-------------------------------------------------------------------------
 *
 * unicode_classes.c
 *	  Classes of characters as the tokenizers library has them.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/unicode_classes.h"

#include <unicode/uchar.h>

bool
srm_unicode_is_younger(uint32_t code, int release)
{
	UVersionInfo age;

	u_charAge((UChar32) code, age);
	return age[0] > release;
}

bool
srm_unicode_is_word(uint32_t code)
{
	return u_hasBinaryProperty((UChar32) code, UCHAR_ALPHABETIC) ||
		u_hasBinaryProperty((UChar32) code, UCHAR_JOIN_CONTROL) ||
		(U_GET_GC_MASK((UChar32) code) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

bool
srm_unicode_is_mark(uint32_t code)
{
	/* These three have changed their class since */
	if (code == 0x1CF2 || code == 0x1CF3)
		return true;
	return (U_GET_GC_MASK((UChar32) code) & U_GC_M_MASK) != 0 && code != 0x111C9 &&
		!srm_unicode_is_younger(code, 9);
}

bool
srm_unicode_is_punctuation(uint32_t code)
{
	if (code < 0x80)
		return (U_GET_GC_MASK((UChar32) code) & (U_GC_P_MASK | U_GC_S_MASK)) != 0;
	/* These two have changed their class since */
	if (code == 0x166D || code == 0x111C9)
		return true;
	return (U_GET_GC_MASK((UChar32) code) & U_GC_P_MASK) != 0 &&
		!srm_unicode_is_younger(code, 8);
}

bool
srm_unicode_is_nonspacing_mark(uint32_t code)
{
	/* These have changed their class since */
	if (code == 0x1734)
		return true;
	return (U_GET_GC_MASK((UChar32) code) & U_GC_MN_MASK) != 0 && code != 0x1885 && code != 0x1886 &&
		code != 0xA9BD && code != 0x111C9 && !srm_unicode_is_younger(code, 8);
}

bool
srm_unicode_is_other(uint32_t code)
{
	return (U_GET_GC_MASK((UChar32) code) & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) != 0 &&
		!srm_unicode_is_younger(code, 8);
}
