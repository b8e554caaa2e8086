/*-------------------------------------------------------------------------
 *
 * tables.h
 *	  Words that decide whether a period ends a sentence.
 *
 * Words are compared byte by byte, without the last period; the tables are
 * sorted so.  A word stands in every spelling that is to be found.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_TABLES_H
#define SRM_SEGMENT_TABLES_H

#include <stdbool.h>
#include <stddef.h>

typedef enum SrmAbbreviation
{
	SRM_ABBREVIATION_NONE = 0,
	SRM_ABBREVIATION_NEVER,		/* never ends a sentence: Dr., e.g. */
	SRM_ABBREVIATION_NUMBER,	/* not before a number: No. 5, Fig. 2 */
	SRM_ABBREVIATION_CAPITAL,	/* ends one before a capital only: etc. */
	SRM_ABBREVIATION_STARTER,	/* ends one before a word that starts
								 * sentences only: U.S. How */
	SRM_ABBREVIATION_VERSE		/* not before a verse: Phil. 4:8 */
} SrmAbbreviation;

typedef struct SrmAbbreviationEntry
{
	const char *word;
	SrmAbbreviation kind;
} SrmAbbreviationEntry;

extern const SrmAbbreviationEntry srm_abbreviations[];
extern const size_t srm_n_abbreviations;

/* Capitalised words of a closed class: The, He, How. */
extern const char *const srm_starters[];
extern const size_t srm_n_starters;

/* Nouns that a single letter or a number names: point A, Step 2. */
extern const char *const srm_labels[];
extern const size_t srm_n_labels;

/* Whether a word that need not end in a NUL is one of words (n), which are sorted. */
extern bool srm_has_word(const char *const *words, size_t n, const char *word, size_t length);

/* The kind of an abbreviation, written without its last period, and whether a word is one of the starters. */
extern SrmAbbreviation srm_abbreviation(const char *word, size_t length);
extern bool srm_is_starter(const char *word, size_t length);

/* The same for either case of the first letter, which is ASCII. */
extern bool srm_is_label(const char *word, size_t length);

/* Countries, as firms have them: Acme Inc. USA. */
extern bool srm_is_place(const char *word, size_t length);

/* Verbs before a letter that stands for a thing: "comes C." */
extern bool srm_is_letter_verb(const char *word, size_t length);

/* The length of the name that takes its mark along and ends here, or 0: "Yahoo!" */
extern size_t srm_name_before(const char *text, size_t start, size_t end);

#endif							/* SRM_SEGMENT_TABLES_H */
