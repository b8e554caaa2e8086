/*-------------------------------------------------------------------------
 *
 * terminator.c
 *	  Does a terminator within a line end a sentence?
 *
 *-------------------------------------------------------------------------
 */
#include "segment/terminator.h"

#include <string.h>

#include "segment/chars.h"
#include "segment/tables.h"

/* No abbreviation is longer; the start of a longer word is not looked for. */
#define MAX_WORD	24

/* Dots of an ellipsis, with spaces, that are counted. */
#define MAX_DOTS	16

/* Opening marks before a word that are looked through. */
#define MAX_OPENERS 8

/* Bytes of a source in brackets behind a quotation. */
#define MAX_SOURCE	80

/* Bytes of a URL that are looked back at. */
#define MAX_URL		256

/* A word of ours or the one before it: [start, end) */
typedef struct Word
{
	size_t		start;
	size_t		end;
} Word;

/* The first letter or digit of what follows, behind a dash and opening marks. */
static int32_t
first_letter(const SrmTerminator *term, size_t *at)
{
	size_t		p = term->next;
	size_t		dash;
	int32_t		mark = srm_char_at(term->text, p, term->end, &dash);

	/* "Why?" - he asked */
	if ((mark == '-' || mark == 0x2013 || mark == 0x2014) && dash < term->end &&
		term->text[dash] == ' ')
		p = dash + 1;
	for (int i = 0; i < MAX_OPENERS; i++)
	{
		size_t		next;
		int32_t		c = srm_char_at(term->text, p, term->end, &next);

		*at = p;
		if (!srm_char_is_opening(c) && !srm_char_is_straight_quote(c) &&
			!srm_char_is_emphasis(c))
			return c;
		p = next;
	}
	return SRM_NO_CHAR;
}

/* May a sentence start with this letter? */
static bool
starts_sentence(int32_t c)
{
	return srm_char_is_upper(c) || srm_char_is_caseless(c);
}

/* Is the word at a position one that starts sentences? */
static bool
is_starter(const SrmTerminator *term, size_t at)
{
	size_t		end = at;

	while (end < term->end && end - at < MAX_WORD &&
		   (unsigned char) term->text[end] < 0x80 && srm_char_is_letter(term->text[end]))
		end++;
	/* "A. Smith": a letter with a period is an initial */
	if (end == at + 1 && end < term->end && term->text[end] == '.')
		return false;
	return srm_is_starter(term->text + at, end - at);
}

static bool
is_word_char(int32_t c)
{
	return srm_char_is_letter(c) || srm_char_is_digit(c) || c == '.' || c == 0xB0 || c == 0xBA;
}

/* The word that ends at a position. */
static Word
word_before(const SrmTerminator *term, size_t end)
{
	Word		word = {end, end};
	size_t		prev;

	while (end - word.start < MAX_WORD)
	{
		int32_t		c = srm_char_before(term->text, term->sentence, word.start, &prev);

		if (c == SRM_NO_CHAR || !is_word_char(c))
			break;
		word.start = prev;
	}
	return word;
}

/*
 * Letters with periods between them: "U.S", "e.g"; a capital may have a small
 * letter beside it, as in "N.Yu".
 */
static bool
is_acronym(const SrmTerminator *term, Word word)
{
	size_t		at = word.start;
	int			n = 0;

	while (at < word.end)
	{
		int32_t		c = srm_char_at(term->text, at, word.end, &at);
		size_t		next;

		if (!srm_char_is_letter(c))
			return false;
		n++;
		if (srm_char_is_upper(c) &&
			srm_char_is_lower(srm_char_at(term->text, at, word.end, &next)))
			at = next;
		if (at == word.end)
			return n > 1;
		if (term->text[at++] != '.')
			return false;
	}
	return false;
}

/* A single letter. */
static bool
is_single(const SrmTerminator *term, Word word, int32_t *letter)
{
	size_t		next;

	*letter = srm_char_at(term->text, word.start, word.end, &next);
	return *letter != SRM_NO_CHAR && next == word.end && srm_char_is_letter(*letter);
}

/* A number, or a numeral of more than one letter or other than "I". */
static bool
is_number(const SrmTerminator *term, size_t at)
{
	const char *text = term->text;
	size_t		end = at;

	if (at >= term->end)
		return false;
	if (srm_char_is_digit(srm_char_at(text, at, term->end, NULL)) || text[at] == '#')
		return true;
	if (text[at] >= 'A' && text[at] <= 'Z' && at + 1 < term->end &&
		srm_char_is_digit(srm_char_at(text, at + 1, term->end, NULL)))
		return true;
	while (end < term->end && end - at < 8 && text[end] != '\0' &&
		   strchr("IVXL", text[end]) != NULL)
		end++;
	if (end == at || (end == at + 1 && text[at] == 'I'))
		return false;
	return !srm_char_is_letter(srm_char_at(text, end, term->end, NULL));
}

/*
 * "J. K. Rowling" and "Albert I. Jones", but "you and I. Did" and "option B.
 * It": an initial follows a name, starts the sentence, or is followed by a
 * word that is no usual start of one.
 */
static bool
initial_ends(const SrmTerminator *term, Word word, int32_t letter, size_t next)
{
	size_t		gap = srm_strip_space(term->text, term->sentence, word.start);
	Word		before = word_before(term, gap);
	int32_t		c = srm_char_at(term->text, before.start, gap, NULL);

	if (word.start > term->sentence && term->text[word.start - 1] == '-')
		return false;			/* J.-P. */
	if (is_starter(term, next))
		return true;
	if (before.start == before.end)
		return false;
	if (srm_is_label(term->text + before.start, before.end - before.start))
		return true;
	return letter == 'I' && !srm_char_is_upper(c);
}

/*
 * "At 5 a.m. Mr. Smith": a preposition with a time has no verb yet.
 */
static bool
is_time_phrase(const SrmTerminator *term, Word word)
{
	static const char *const prepositions[] = {
		"After", "Around", "At", "Before", "By", "From", "Since", "Until"
	};
	size_t		length;
	size_t		n_words = 0;
	Word		first = {term->sentence, term->sentence};

	if (word.start - term->sentence > 2 * MAX_WORD)
		return false;
	while (first.end < word.start && srm_char_is_letter((unsigned char) term->text[first.end]) &&
		   (unsigned char) term->text[first.end] < 0x80)
		first.end++;
	length = first.end - first.start;
	for (size_t at = first.end; at < word.start; at++)
		n_words += term->text[at] == ' ';
	for (size_t i = 0; i < sizeof(prepositions) / sizeof(prepositions[0]); i++)
	{
		if (strlen(prepositions[i]) == length &&
			memcmp(prepositions[i], term->text + first.start, length) == 0)
			return n_words <= 3;
	}
	return false;
}

static bool
is_time(const SrmTerminator *term, Word word)
{
	const char *p = term->text + word.start;

	return word.end - word.start == 3 && p[1] == '.' &&
		(p[0] == 'a' || p[0] == 'p' || p[0] == 'A' || p[0] == 'P') &&
		(p[2] == 'm' || p[2] == 'M');
}

/* A word with its class in the tables. */
static bool
abbreviation_ends(const SrmTerminator *term, Word word, SrmAbbreviation kind,
				  int32_t letter, size_t next)
{
	switch (kind)
	{
		case SRM_ABBREVIATION_NEVER:
			return false;
		case SRM_ABBREVIATION_NUMBER:
			return !is_number(term, next);
		case SRM_ABBREVIATION_CAPITAL:
			return starts_sentence(letter);
		case SRM_ABBREVIATION_STARTER:
			return is_starter(term, next) && !(is_time(term, word) && is_time_phrase(term, word));
		case SRM_ABBREVIATION_NONE:
			break;
	}
	return true;
}

static bool
word_ends(const SrmTerminator *term, Word word)
{
	size_t		next;
	int32_t		letter = first_letter(term, &next);
	int32_t		single;
	SrmAbbreviation kind;

	if (word.start == word.end)
		return true;
	kind = srm_abbreviation(term->text + word.start, word.end - word.start);
	if (kind != SRM_ABBREVIATION_NONE)
		return abbreviation_ends(term, word, kind, letter, next);
	if (is_single(term, word, &single))
	{
		if (srm_char_is_upper(single))
			return initial_ends(term, word, single, next);
		/* "Roe v. Wade" */
		return single != 'v' || !srm_char_is_upper(letter) || is_starter(term, next);
	}
	if (is_acronym(term, word))
		return is_starter(term, next) || srm_char_is_caseless(letter);
	return true;
}

/* "am 3. Oktober": an ordinal of German before its month. */
static bool
is_ordinal(const SrmTerminator *term, Word word)
{
	static const char *const months[] = {
		"Januar", "Februar", "M\303\244rz", "April", "Mai", "Juni", "Juli",
		"August", "September", "Oktober", "November", "Dezember"
	};
	size_t		rest = term->end - term->next;

	for (size_t at = word.start; at < word.end; at++)
	{
		if (!srm_char_is_digit((unsigned char) term->text[at]))
			return false;
	}
	if (word.start == word.end || word.end - word.start > 2)
		return false;
	for (size_t i = 0; i < sizeof(months) / sizeof(months[0]); i++)
	{
		size_t		length = strlen(months[i]);

		if (rest >= length && memcmp(term->text + term->next, months[i], length) == 0)
			return true;
	}
	return false;
}

/* A quotation and its source: "..." (Smith 55). */
static bool
is_source(const SrmTerminator *term)
{
	const char *text = term->text;
	size_t		at = term->next;

	if (term->close == term->after || text[at] != '(')
		return false;
	while (at < term->end && at - term->next < MAX_SOURCE && text[at] != '\n' && text[at] != ')')
		at++;
	return at + 1 < term->end && text[at] == ')' &&
		(text[at + 1] == '.' || text[at + 1] == ',' || text[at + 1] == ';');
}

static bool
period_ends(const SrmTerminator *term)
{
	Word		word = word_before(term, term->after - 1);
	int32_t		c = srm_char_at(term->text, term->next, term->end, NULL);

	if (term->next == term->close)
	{
		/* "www.Example", "3.A", but "stop."Then" */
		if (c < 0x80)
			return term->close > term->after && srm_char_is_upper(c);
	}
	return !is_source(term) && !is_ordinal(term, word) && word_ends(term, word);
}

/* Counts the dots that end at the terminator; *spaced says how they stand. */
static int
count_dots(const SrmTerminator *term, size_t *start, bool *spaced)
{
	size_t		at = term->after;
	int			n = 0;

	*spaced = false;
	while (n < MAX_DOTS && at > term->sentence)
	{
		size_t		dot = at;

		if (n > 0 && term->text[dot - 1] == ' ' && dot - 1 > term->sentence)
			dot--;
		if (term->text[dot - 1] != '.')
			break;
		*spaced |= dot != at;
		at = dot - 1;
		n++;
	}
	*start = at;
	return n;
}

/* After an omission, only a capital tells that a sentence has ended. */
static bool
ellipsis_ends(const SrmTerminator *term, size_t start, bool inside)
{
	size_t		next;
	int32_t		letter = first_letter(term, &next);
	int32_t		before = srm_char_before(term->text, term->sentence, start, NULL);

	if (inside || before == '[' || before == '(' || is_source(term))
		return false;
	return term->next > term->close && starts_sentence(letter) && !srm_char_is_cjk(letter);
}

static bool
is_in_url(const SrmTerminator *term)
{
	size_t		at = term->after;

	while (at > term->sentence && term->after - at < MAX_URL)
	{
		char		c = term->text[at - 1];

		if (c == ' ' || c == '\n' || c == '\t')
			return false;
		if (c == '/' && at - 1 > term->sentence && term->text[at - 2] == '/')
			return true;
		at--;
	}
	return false;
}

/* An operator with a space behind it: "5! = 120", "a ? b : c". */
static bool
is_operator(const SrmTerminator *term)
{
	const char *text = term->text;
	char		c = text[term->next];

	if (c == '\0' || strchr("=<>+*/^|&%:", c) == NULL)
		return false;
	return term->next + 1 < term->end && (text[term->next + 1] == ' ' || text[term->next + 1] == '=');
}

/*
 * "?" and "!" go on before lower case, and are operators elsewhere; "![" is a
 * picture of markdown.
 */
static bool
mark_ends(const SrmTerminator *term)
{
	size_t		at;
	int32_t		letter = first_letter(term, &at);
	int32_t		c = srm_char_at(term->text, term->next, term->end, NULL);
	bool		alone = term->after > term->sentence + 1 && term->text[term->after - 2] == ' ';

	if (srm_char_is_lower(letter) || is_source(term))
		return false;
	if (term->next == term->close)
		return c != '[' && starts_sentence(letter) && !is_in_url(term);
	if (alone && !starts_sentence(letter))
		return false;
	return c >= 0x80 || !is_operator(term);
}

/*
 * 「はい。」と言った: a quotation goes on with its particle, and so does what
 * stands before an aside in brackets.
 */
static bool
is_quotative(const SrmTerminator *term)
{
	static const char *const not_particles[] = {
		"とても", "ところ", "とき", "とにかく", "とりあえず"
	};
	static const char to[] = "と";
	size_t		rest = term->end - term->next;
	int32_t		c = srm_char_at(term->text, term->next, term->end, NULL);

	if (term->next != term->close || term->close == term->after)
		return false;
	if (srm_char_before(term->text, term->after, term->close, NULL) == 0xFF09)
		return c >= 0x3041 && c <= 0x309F;	/* Hiragana */
	if (rest < 3 || memcmp(term->text + term->next, to, 3) != 0)
		return false;
	for (size_t i = 0; i < sizeof(not_particles) / sizeof(not_particles[0]); i++)
	{
		size_t		length = strlen(not_particles[i]);

		if (rest >= length && memcmp(term->text + term->next, not_particles[i], length) == 0)
			return false;
	}
	return true;
}

bool
srm_terminator_ends(const SrmTerminator *term)
{
	size_t		start;
	bool		spaced;
	int			n_dots = count_dots(term, &start, &spaced);
	size_t		mark;
	int32_t		c = srm_char_before(term->text, term->sentence, term->after, &mark);

	if (srm_char_is_ellipsis(c))
		return ellipsis_ends(term, mark, false);
	if (n_dots >= 3)
		return ellipsis_ends(term, start, spaced && n_dots == 3);
	if (c == '.')
		return period_ends(term);
	if (c == '!' || c == '?')
		return mark_ends(term);
	return !is_quotative(term);
}
