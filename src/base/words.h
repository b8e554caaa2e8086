/*-------------------------------------------------------------------------
 *
 * words.h
 *	  Copies of short rows of 4-byte values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_WORDS_H
#define SRM_WORDS_H

#include <stddef.h>
#include <string.h>

/*
 * to (n) = from (n), which does not overlap.  For some dozens: where a compiler knows that a size is
 * small, it turns memcpy() into an instruction that needs as long to begin as this for the whole.
 */
static inline void
srm_copy_words(void *to, const void *from, size_t n)
{
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		memcpy((char *) to + 4 * i, (const char *) from + 4 * i, 32);
	for (; i < n; i++)
		memcpy((char *) to + 4 * i, (const char *) from + 4 * i, 4);
}

#endif							/* SRM_WORDS_H */
