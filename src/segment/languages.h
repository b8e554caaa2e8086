/*-------------------------------------------------------------------------
 *
 * languages.h
 *	  What the languages add to the rules: abbreviations, ordinals, dialogue.
 *
 * Words stand without their last period, with a small first letter unless they
 * have another meaning so, and are found with either.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_LANGUAGES_H
#define SRM_SEGMENT_LANGUAGES_H

#include "segment/tables.h"

/* Speech starts with a dash, and may follow other speech in one line */
#define SRM_LANGUAGE_DIALOGUE	1

/* A number with a period counts things: "die 27. Kammer" */
#define SRM_LANGUAGE_ORDINALS	2

/* ";" asks */
#define SRM_LANGUAGE_GREEK		4

typedef struct SrmWords
{
	const char *const *words;	/* (n) sorted byte by byte */
	size_t		n;
} SrmWords;

typedef struct SrmLanguage
{
	const char *code;			/* "de"; "" is the root */
	unsigned	flags;
	SrmWords	never;			/* the kinds of tables.h */
	SrmWords	number;
	SrmWords	capital;
	SrmWords	starter;
	SrmWords	starters;		/* words that start sentences, as they do so */
} SrmLanguage;

extern const SrmLanguage srm_languages[];
extern const size_t srm_n_languages;

/* The language of a tag such as "de" or "pt-BR"; the root for what has no rules. */
extern const SrmLanguage *srm_language_find(const char *locale);

/* The class of a word in a language, and in the tables for all of them. */
extern SrmAbbreviation srm_language_abbreviation(const SrmLanguage *language,
												 const char *word, size_t length);
extern bool srm_language_is_starter(const SrmLanguage *language, const char *word, size_t length);

#endif							/* SRM_SEGMENT_LANGUAGES_H */
