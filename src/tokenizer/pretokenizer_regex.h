/*-------------------------------------------------------------------------
 *
 * pretokenizer_regex.h
 *	  The regular expressions of a tokenizer.json, run by ICU.
 *
 * They are written for Oniguruma with Ruby's syntax.  Those parts that are
 * used by tokenizers are rewritten for ICU so that they mean the same for
 * every code point; all others are refused by name.  What a property such as
 * \p{L} holds follows the release of Unicode: code points that are younger
 * than ICU's tables count as unassigned.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PRETOKENIZER_REGEX_H
#define SRM_PRETOKENIZER_REGEX_H

#include "base/arena.h"
#include "tokenizer/tokens.h"

typedef struct SrmRegex SrmRegex;

/*
 * The regex lies in the arena, what ICU needs outside of it until
 * srm_regex_close().  A literal pattern stands for itself.
 */
extern SrmRegex *srm_regex_open(const char *pattern, bool is_literal, SrmArena *arena,
								SrmStatus *status);
extern void srm_regex_close(SrmRegex *regex);	/* NULL is allowed */

/* Starts to search a text, which must stay until the last srm_regex_next(). */
extern bool srm_regex_start(SrmRegex *regex, const char *text, size_t length,
							const SrmStop *stop, SrmStatus *status);

/*
 * Finds the next match; *found tells whether there is one.  Fails where the
 * pattern takes more time or memory than a text of that length is worth.
 */
extern bool srm_regex_next(SrmRegex *regex, SrmRange *match, bool *found, SrmStatus *status);

/* The pattern in ICU's syntax, of ASCII only; NULL where it is not supported. */
extern char *srm_regex_translate(const char *pattern, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_PRETOKENIZER_REGEX_H */
