/*-------------------------------------------------------------------------
 *
 * separator.h
 *	  Separators of a text by a regular expression of ICU's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_SEPARATOR_H
#define SRM_SEGMENT_SEPARATOR_H

#include <stddef.h>

#include "base/status.h"

typedef struct SrmSeparator SrmSeparator;

/*
 * Compiles a pattern of valid UTF-8.  To be freed.  NULL with the status set
 * for one that ICU does not take.
 */
extern SrmSeparator *srm_separator_open(const char *pattern, SrmStatus *status);
extern void srm_separator_free(SrmSeparator *separator);	/* NULL is allowed */

/*
 * Starts over with a text, which stays the caller's until the last call of
 * srm_separator_next().
 */
extern bool srm_separator_start(SrmSeparator *separator, const char *text, size_t length,
								const SrmStop *stop, SrmStatus *status);

/*
 * *end is where the next match ends, length behind the last one.  Empty matches
 * are left out.  A match that takes too much time or memory is
 * SRM_LIMIT_EXCEEDED.
 */
extern bool srm_separator_next(SrmSeparator *separator, size_t *end);

#endif							/* SRM_SEGMENT_SEPARATOR_H */
