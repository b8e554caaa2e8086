/*-------------------------------------------------------------------------
 *
 * normalizer.h
 *	  What a tokenizer does to a text before it cuts it into words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORMALIZER_H
#define SRM_NORMALIZER_H

#include "base/json.h"
#include "tokenizer/normal_text.h"

typedef struct SrmNormalizer SrmNormalizer;

/*
 * Reads the object "normalizer" of a tokenizer.json, or NULL.  What ICU needs
 * stays until srm_normalizer_free().
 */
extern SrmNormalizer *srm_normalizer_load(const SrmJson *json, SrmArena *arena,
										  SrmStatus *status);
extern void srm_normalizer_free(SrmNormalizer *normalizer); /* NULL is allowed */

/* Normalizes text in its place; what is new lies in the arena. */
extern bool srm_normalizer_apply(const SrmNormalizer *normalizer, SrmNormalText *text,
								 SrmArena *arena, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_NORMALIZER_H */
