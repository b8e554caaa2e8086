/*-------------------------------------------------------------------------
 *
 * guess.h
 *	  The language of a text that comes without a locale.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_GUESS_H
#define SRM_SEGMENT_GUESS_H

#include <stddef.h>

#include "segment/languages.h"

/* What the script tells, or letters that one language has to itself; the root if there is a doubt. */
extern const SrmLanguage *srm_language_guess(const char *text, size_t length);

#endif							/* SRM_SEGMENT_GUESS_H */
