/*-------------------------------------------------------------------------
 *
 * unicode_classes.h
 *	  Classes of characters as the tokenizers library has them.
 *
 * Some of its tables are of old releases of Unicode.  So that tokens do not
 * depend on the release of ICU, code points that are younger are told apart.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_UNICODE_CLASSES_H
#define SRM_UNICODE_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a code point was not there yet in that release of Unicode. */
extern bool srm_unicode_is_younger(uint32_t code, int release);

/* \w of the Rust crate "regex". */
extern bool srm_unicode_is_word(uint32_t code);

/* Marks, by the tables of Unicode 9. */
extern bool srm_unicode_is_mark(uint32_t code);

/* Punctuation, by the tables of Unicode 8, and that of ASCII with its symbols. */
extern bool srm_unicode_is_punctuation(uint32_t code);

/* Marks that take no room (Mn), by the tables of Unicode 8. */
extern bool srm_unicode_is_nonspacing_mark(uint32_t code);

/* Control and format characters and those of private use, by the tables of Unicode 8. */
extern bool srm_unicode_is_other(uint32_t code);

#endif							/* SRM_UNICODE_CLASSES_H */
