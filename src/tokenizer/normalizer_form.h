/*-------------------------------------------------------------------------
 *
 * normalizer_form.h
 *	  Unicode's normal forms, with the origin of each character.
 *
 * The tokenizers library normalizes by the tables of Unicode 9.0; so do we,
 * by leaving alone what is younger, so that tokens do not depend on the
 * release of ICU.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORMALIZER_FORM_H
#define SRM_NORMALIZER_FORM_H

#include <unicode/unorm2.h>

#include "tokenizer/normal_text.h"

typedef struct SrmNormalForm
{
	const UNormalizer2 *tables; /* NFC's for NFC and NFD, NFKC's for the others */
	const UNormalizer2 *itself; /* to ask whether a character changes */
	bool		composes;
	uint32_t	first_changed;	/* what lies below is never changed, or changes others */
} SrmNormalForm;

/* name is NFC, NFD, NFKC or NFKD. */
extern bool srm_normal_form_open(SrmNormalForm *form, const char *name, SrmStatus *status);

/* Normalizes text in its place; what is new lies in the arena. */
extern bool srm_normal_form_apply(const SrmNormalForm *form, SrmNormalText *text,
								  SrmArena *arena, SrmStatus *status);

#endif							/* SRM_NORMALIZER_FORM_H */
