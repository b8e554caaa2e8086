/*-------------------------------------------------------------------------
 *
 * normalizer_charsmap.h
 *	  The rules of a SentencePiece model: the normalizer "Precompiled".
 *
 * A table that maps strings of a few bytes to others, in base64: the size of
 * a double-array trie in bytes, its units of 32 bits (all little-endian), and
 * the replacements, each ending in NUL, to whose offsets the trie leads.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORMALIZER_CHARSMAP_H
#define SRM_NORMALIZER_CHARSMAP_H

#include "tokenizer/normal_text.h"

typedef struct SrmCharsmap SrmCharsmap;

/* Reads "precompiled_charsmap"; NULL, with SRM_INVALID_MODEL, for one that is damaged. */
extern SrmCharsmap *srm_charsmap_load(const char *base64, size_t length, SrmArena *arena,
									  SrmStatus *status);

/* Normalizes text in its place; what is new lies in the arena. */
extern bool srm_charsmap_apply(const SrmCharsmap *charsmap, SrmNormalText *text,
							   SrmArena *arena, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_NORMALIZER_CHARSMAP_H */
