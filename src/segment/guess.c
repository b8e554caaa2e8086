/*-------------------------------------------------------------------------
 *
 * guess.c
 *	  The language of a text that comes without a locale.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/guess.h"

#include <string.h>

#include "segment/chars.h"

/* Characters at the beginning of a text that are looked at. */
#define MAX_GUESS	256

/* Letters of one language that are no name in a text of another one. */
#define MIN_LETTERS 3

/* Has the beginning of a text a word of English that no other language has? */
static bool
has_english(const char *text, size_t length)
{
	static const char *const words[] = {" the ", " and ", " of ", " is "};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (memmem(text, length, words[i], strlen(words[i])) != NULL)
			return true;
	}
	return false;
}

/* The language of Latin script that has a letter to itself, or NULL. */
static const char *
code_of_letter(int32_t c)
{
	switch (c)
	{
		case 0x105:				/* a and e with a tail, l with a stroke, s and z with an accent */
		case 0x119:
		case 0x142:
		case 0x15B:
		case 0x17A:
			return "pl";
		case 0x11F:				/* g with a breve, i without a dot, and I with one */
		case 0x131:
		case 0x130:
			return "tr";
		case 0x159:				/* r and e with a caron, u with a ring */
		case 0x11B:
		case 0x16F:
			return "cs";
		default:
			return NULL;
	}
}

/* By letters of its own, of which there are several and none of another one; the root if there is a doubt. */
static const SrmLanguage *
guess_latin(const char *text, size_t length)
{
	const char *found = NULL;
	int			n = 0;

	for (size_t at = 0; at < length;)
	{
		const char *code = code_of_letter(srm_char_at(text, at, length, &at));

		if (code == NULL)
			continue;
		if (found != NULL && strcmp(found, code) != 0)
			return srm_language_find("");
		found = code;
		n++;
	}
	return n < MIN_LETTERS || has_english(text, length) ? srm_language_find("") : srm_language_find(found);
}

/*
 * Most letters of Latin script tell nothing, and English must not suffer: such a
 * text keeps the root.  Ukrainian is told by letters that Russian lacks.
 */
const SrmLanguage *
srm_language_guess(const char *text, size_t length)
{
	size_t		at = 0;
	int			n_latin = 0;
	int			n_cyrillic = 0;
	int			n_greek = 0;
	bool		is_ukrainian = false;

	for (int i = 0; i < MAX_GUESS && at < length; i++)
	{
		int32_t		c = srm_char_at(text, at, length, &at);

		n_latin += c < 0x250 && srm_char_is_letter(c);
		n_cyrillic += srm_char_is_cyrillic(c);
		n_greek += srm_char_is_greek(c);
		is_ukrainian |= c == 0x456 || c == 0x457 || c == 0x454 || c == 0x491;
	}
	if (n_cyrillic > n_latin)
		return srm_language_find(is_ukrainian ? "uk" : "ru");
	if (n_greek > n_latin)
		return srm_language_find("el");
	return guess_latin(text, at);
}
