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
#include "segment/hidden.h"
#include "segment/markers.h"
#include "segment/marks.h"
#include "segment/speech.h"
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

/* Skips "(b) ", the marker of an item within the line. */
static size_t
skip_item(const SrmTerminator *term, size_t at)
{
	SrmMarker	marker;

	if (at < term->end && term->text[at] == '(' &&
		srm_marker_at(term->text, at, term->end, &marker) &&
		marker.end + 1 < term->end && term->text[marker.end] == ' ')
		return marker.end + 1;
	return at;
}

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
	p = skip_item(term, srm_skip_low_quote(term->text, p, term->end));
	for (int i = 0; i < MAX_OPENERS; i++)
	{
		size_t		next;
		int32_t		c = srm_char_at(term->text, p, term->end, &next);

		*at = p;
		/* Whatever its direction, a quote opens here */
		if (!srm_char_is_opening(c) && !srm_char_is_straight_quote(c) &&
			!srm_char_is_emphasis(c) && c != 0xBB && c != 0x203A && c != 0x201D)
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

/* The end of the letters that start at a position. */
static size_t
word_after(const SrmTerminator *term, size_t at)
{
	size_t		end = at;
	size_t		next;

	while (end - at < MAX_WORD &&
		   srm_char_is_letter(srm_char_at(term->text, end, term->end, &next)))
		end = next;
	return end;
}

/* Is the word at a position one that starts sentences? */
static bool
is_starter(const SrmTerminator *term, size_t at)
{
	size_t		end = word_after(term, at);
	size_t		next;

	/* "A. Smith": a letter with a period is an initial */
	srm_char_at(term->text, at, term->end, &next);
	if (end == next && end < term->end && term->text[end] == '.')
		return false;
	return srm_language_is_starter(term->language, term->text + at, end - at);
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
	Word		word;
	size_t		prev;

	while (srm_char_is_direction(srm_char_before(term->text, term->sentence, end, &prev)))
		end = prev;
	word = (Word) {end, end};
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
	if (text[at] == '[')
		at++;
	if (srm_char_is_digit(srm_char_at(text, at, term->end, NULL)) ||
		(at < term->end && text[at] == '#'))
		return true;
	end = at;
	if (at >= term->end)
		return false;
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

/* A word that is a number, a single letter, or ends in a bracket. */
static bool
is_value(const SrmTerminator *term, size_t end)
{
	Word		word = word_before(term, end);
	int32_t		single;

	if (end > term->line && strchr(")]}", term->text[end - 1]) != NULL && term->text[end - 1] != '\0')
		return true;
	for (size_t at = word.start; at < word.end; at++)
	{
		if (srm_char_is_digit((unsigned char) term->text[at]))
			return true;
	}
	return is_single(term, word, &single);
}

/* "So K = 20 - C." ends with a variable. */
static bool
is_operand(const SrmTerminator *term, Word word)
{
	size_t		mark = srm_strip_space(term->text, term->line, word.start);
	size_t		operator;
	int32_t		c = srm_char_before(term->text, term->line, mark, &operator);
	size_t		before = srm_strip_space(term->text, term->line, operator);
	bool		spaced = mark != word.start;

	if (c == SRM_NO_CHAR || before == term->line)
		return false;
	if (c == '=' || c == '^' || srm_char_is_math(c))
		return true;
	if (c == '<' || c == '>')
		return spaced && before != operator;
	if (c == '/' && !spaced)
		return true;
	return (c == '+' || c == '-' || c == '*' || c == '/' || c == 0x2212) &&
		term->text[before - 1] != '.' && spaced == (before != operator) && is_value(term, before);
}

/* "Answer: B. Reason: ..." and "The answer is A. Option B ..." */
static bool
is_answer(const SrmTerminator *term, size_t gap, size_t next)
{
	const char *text = term->text;
	Word		before;
	size_t		end;

	if (gap > term->sentence && text[gap - 1] == ':')
	{
		before = word_before(term, gap - 1);
		return srm_is_label(text + before.start, before.end - before.start);
	}
	before = word_before(term, gap);
	end = word_after(term, next);
	if (srm_is_label(text + next, end - next))
		return true;
	if (before.end - before.start != 2 || memcmp(text + before.start, "is", 2) != 0)
		return false;
	before = word_before(term, srm_strip_space(text, term->sentence, before.start));
	return srm_is_label(text + before.start, before.end - before.start);
}

/* A Latin letter before a word of Cyrillic or Greek. */
static bool
is_foreign(int32_t letter, const SrmTerminator *term, size_t next)
{
	int32_t		c = srm_char_at(term->text, next, term->end, NULL);

	return letter < 0x80 && strchr("IVX", letter) == NULL && (srm_char_is_cyrillic(c) || srm_char_is_greek(c));
}

/* Does a letter stand for a thing before, as the B in "B is more than C."? */
static bool
has_variable(const SrmTerminator *term, size_t end)
{
	const char *text = term->text;
	size_t		from = end - term->sentence > MAX_SOURCE ? end - MAX_SOURCE : term->sentence;

	for (size_t at = from; at + 1 < end; at++)
	{
		if (text[at] >= 'B' && text[at] <= 'Z' && text[at] != 'I' && text[at + 1] == ' ' &&
			(at == term->sentence || text[at - 1] == ' '))
			return true;
	}
	return false;
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

	if (is_operand(term, word))
		return true;
	if (letter == 'A' && word.start == term->sentence && term->text[term->line] == 'Q')
		return false;			/* Q. Who? A. He. */
	if (word.start > term->sentence && term->text[word.start - 1] == '-')
		return false;			/* J.-P. */
	if (is_starter(term, next) || is_answer(term, gap, next) || is_foreign(letter, term, next))
		return true;
	if (before.start == before.end)
		return false;
	if (srm_is_label(term->text + before.start, before.end - before.start))
		return true;
	if (srm_char_is_lower(c) &&
		(srm_is_letter_verb(term->text + before.start, before.end - before.start) ||
		 has_variable(term, before.start)))
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

/* What stands behind a time and belongs to it: a day, a zone. */
static bool
is_of_time(const SrmTerminator *term, size_t next)
{
	static const char *const words[] = {
		"Atlantic", "Central", "Eastern", "Fri", "Friday", "Greenwich", "Mon", "Monday", "Mountain",
		"Pacific", "Sat", "Saturday", "Sun", "Sunday", "Thu", "Thurs", "Thursday", "Tue", "Tues", "Tuesday",
		"Wed", "Wednesday"
	};
	size_t		length = word_after(term, next) - next;
	size_t		n_capitals = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (strlen(words[i]) == length && memcmp(words[i], term->text + next, length) == 0)
			return true;
	}
	while (n_capitals < length && term->text[next + n_capitals] >= 'A' && term->text[next + n_capitals] <= 'Z')
		n_capitals++;
	return n_capitals == length && length > 1;	/* EST */
}

/* "He left at 6 p.m. Travelers", but "the 10 a.m. Mass". */
static bool
time_ends(const SrmTerminator *term, Word word, int32_t letter, size_t next)
{
	static const char *const articles[] = {"the", "The", "a", "A", "an", "every"};
	Word		hour = word_before(term, srm_strip_space(term->text, term->sentence, word.start));
	Word		before = word_before(term, srm_strip_space(term->text, term->sentence, hour.start));

	if (is_time_phrase(term, word))
		return false;
	if (is_starter(term, next))
		return true;
	for (size_t i = 0; i < sizeof(articles) / sizeof(articles[0]); i++)
	{
		if (strlen(articles[i]) == before.end - before.start &&
			memcmp(articles[i], term->text + before.start, before.end - before.start) == 0)
			return false;
	}
	return srm_char_is_upper(letter) && hour.start < hour.end &&
		srm_char_is_digit((unsigned char) term->text[hour.end - 1]) && !is_of_time(term, next);
}

/* 4:8 */
static bool
is_verse(const SrmTerminator *term, size_t at)
{
	size_t		start = at;

	while (at < term->end && srm_char_is_digit((unsigned char) term->text[at]))
		at++;
	return at > start && at + 1 < term->end && term->text[at] == ':' &&
		srm_char_is_digit((unsigned char) term->text[at + 1]);
}

/* Words in brackets that are no sentence: Alpha Inc. (NYSE: A) said */
static bool
is_aside(const SrmTerminator *term)
{
	const char *text = term->text;
	size_t		at = term->next;

	if (text[at] != '(')
		return false;
	while (at < term->end && at - term->next < MAX_SOURCE && text[at] != '\n' && text[at] != ')')
		at++;
	return at < term->end && text[at] == ')' && text[at - 1] != '.' && text[at - 1] != '!' &&
		text[at - 1] != '?';
}

/* A firm and its country; "etc." is no firm. */
static bool
is_firm(const SrmTerminator *term, Word word, size_t next)
{
	return srm_char_is_upper(srm_char_at(term->text, word.start, word.end, NULL)) &&
		srm_is_place(term->text + next, word_after(term, next) - next);
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
		case SRM_ABBREVIATION_VERSE:
			return !is_verse(term, next);
		case SRM_ABBREVIATION_CAPITAL:
			return starts_sentence(letter) && !is_aside(term) && !is_firm(term, word, next);
		case SRM_ABBREVIATION_STARTER:
			return is_time(term, word) ? time_ends(term, word, letter, next) : is_starter(term, next);
		case SRM_ABBREVIATION_NONE:
			break;
	}
	return true;
}

/* An initial of a script without capitals: a letter with its signs. */
static bool
is_syllable(const SrmTerminator *term, Word word)
{
	size_t		at;
	int32_t		c = srm_char_at(term->text, word.start, word.end, &at);

	if (!srm_char_is_caseless(c) || srm_char_is_cjk(c) || srm_char_is_hangul(c))
		return false;
	while (at < word.end)
	{
		if (!srm_char_is_mark(srm_char_at(term->text, at, word.end, &at)))
			return false;
	}
	return true;
}

/* The second half of an "and so on" with a space, as Cyrillic has it. */
static bool
is_and_so_on(const SrmTerminator *term, Word word)
{
	static const char *const halves[] = {"\320\264", "\320\277"};	/* d, p */
	static const char first[] = "\321\202.";	/* t */
	size_t		gap = srm_strip_space(term->text, term->sentence, word.start);

	if (word.end - word.start != 2 || gap - term->sentence < 3 || gap == word.start ||
		memcmp(term->text + gap - 3, first, 3) != 0)
		return false;
	return memcmp(term->text + word.start, halves[0], 2) == 0 ||
		memcmp(term->text + word.start, halves[1], 2) == 0;
}

/* "i. d. R." and "o. Ä.": a small letter before a capital with a period. */
static bool
is_part_of_acronym(const SrmTerminator *term, size_t next)
{
	size_t		period;
	int32_t		c = srm_char_at(term->text, next, term->end, &period);

	return srm_char_is_upper(c) && period < term->end && term->text[period] == '.';
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
	kind = is_and_so_on(term, word) ? SRM_ABBREVIATION_CAPITAL :
		srm_language_abbreviation(term->language, term->text + word.start,
								  word.end - word.start);
	if (kind != SRM_ABBREVIATION_NONE)
		return abbreviation_ends(term, word, kind, letter, next);
	if (is_syllable(term, word))
		return false;
	if (is_single(term, word, &single))
	{
		if (srm_char_is_upper(single))
			return initial_ends(term, word, single, next);
		if (is_part_of_acronym(term, next))
			return false;
		/* "Roe v. Wade" */
		return single != 'v' || !srm_char_is_upper(letter) || is_starter(term, next);
	}
	if (is_acronym(term, word))
		return is_starter(term, next) || srm_char_is_caseless(letter);
	return true;
}

/* "die 27. Kammer": behind an article or a preposition. */
static bool
is_counted(const SrmTerminator *term, Word word)
{
	static const char *const articles[] = {
		"am", "beim", "das", "dem", "den", "der", "des", "die", "im", "ins", "seit",
		"vom", "zum", "zur"
	};
	const char *text = term->text;
	Word		before = word_before(term, srm_strip_space(text, term->sentence, word.start));

	if (!(term->language->flags & SRM_LANGUAGE_ORDINALS))
		return false;
	/* "vom 1. -3. Jahrhundert" */
	if (word.start > term->sentence + 1 && text[word.start - 1] == '-' &&
		text[srm_strip_space(text, term->sentence + 1, word.start - 1) - 1] == '.')
		return true;
	for (size_t i = 0; i < sizeof(articles) / sizeof(articles[0]); i++)
	{
		size_t		length = strlen(articles[i]);

		if (before.end - before.start == length && length > 0 &&
			(text[before.start] | 0x20) == articles[i][0] &&
			memcmp(text + before.start + 1, articles[i] + 1, length - 1) == 0)
			return true;
	}
	return text[term->next] == '-';
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
	if (is_counted(term, word))
		return true;
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

/* "Com. & Adm." */
static bool
starts_no_sentence(int32_t c)
{
	return c == 0x2116 || c == '&' || c == ',' || c == ';' || c == '%' || srm_char_is_math(c);
}

static bool
period_ends(const SrmTerminator *term)
{
	Word		word = word_before(term, term->after - 1);
	int32_t		c = srm_char_at(term->text, term->next, term->end, NULL);

	if (starts_no_sentence(c) && srm_skip_low_quote(term->text, term->next, term->end) == term->next)
		return false;
	if (term->next == term->close)
	{
		SrmLineView view = {term->text, term->line, term->end, term->language, term->is_small};

		/* "www.Example", "3.A", but "stop."Then" */
		if (c < 0x80 && term->text[term->after - 1] == '.')
			return (term->close > term->after && srm_char_is_upper(c)) ||
				srm_hidden_stuck(&view, term->after - 1);
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

	if (start == term->sentence && term->text[start] == '.' && term->close == term->after)
		return false;			/* it opens the sentence */
	if (inside && letter != 'I' && is_starter(term, next))
		return true;
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

/* "3! 2!", "3! - 2" and "3! \\times 2" go on. */
static bool
is_factorial(const SrmTerminator *term)
{
	const char *text = term->text;
	size_t		at = term->next;

	if (term->after < term->sentence + 2 || text[term->after - 1] != '!' ||
		!srm_char_is_digit((unsigned char) text[term->after - 2]))
		return false;
	if (text[at] == '(')
		return true;			/* 9! (9 factorial), 3! (2 + 1) */
	if (text[at] == '\\')
		return at + 1 < term->end && srm_char_is_lower((unsigned char) text[at + 1]);
	if (text[at] == '-')
		return at + 2 < term->end && text[at + 1] == ' ' &&
			srm_char_is_digit((unsigned char) text[at + 2]);
	while (at < term->end && srm_char_is_digit((unsigned char) text[at]))
		at++;
	return at > term->next && at < term->end && text[at] == '!';
}

/* "Yahoo! Mail" */
static bool
is_marked_name(const SrmTerminator *term, size_t next)
{
	size_t		end = term->after - 1;
	size_t		length;

	if (term->text[end] != '!' || term->close != term->after)
		return false;
	length = srm_name_before(term->text, term->sentence, end);
	/* Where the name is all of the sentence, it may be a cry */
	return length > 0 && !is_starter(term, next);
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

	if ((srm_char_is_lower(letter) && !term->is_small) || is_source(term) ||
		is_factorial(term) || is_marked_name(term, at))
		return false;
	/* "!Kung", "!x", and "Y!J" */
	if (term->next == term->close)
		return c != '[' && !alone && starts_sentence(letter) && !is_in_url(term) &&
			!(is_single(term, word_before(term, term->after - 1), &letter) && srm_char_is_upper(letter));
	if (alone && !starts_sentence(letter))
		return false;
	return c >= 0x80 ? !srm_char_is_math(c) : !is_operator(term);
}

bool
srm_terminator_ends(const SrmTerminator *term)
{
	size_t		start;
	bool		spaced;
	int			n_dots = count_dots(term, &start, &spaced);
	size_t		mark;
	int32_t		c = srm_char_before(term->text, term->sentence, term->after, &mark);
	SrmSpeech	speech = {term->text, term->after, term->close, term->next, term->end};

	if (srm_speech_goes_on(&speech))
		return false;
	if (srm_char_is_ellipsis(c))
		return ellipsis_ends(term, mark, false);
	if (n_dots >= 3)
		return ellipsis_ends(term, start, spaced && n_dots == 3);
	if (c == '.')
		return period_ends(term);
	if (c == '!' || c == '?' || c == ';')
		return mark_ends(term);
	return true;
}
