/*-------------------------------------------------------------------------
 *
 * hidden.c
 *	  Ends of sentences that ICU does not see.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/hidden.h"

#include <string.h>

#include "segment/chars.h"
#include "segment/markers.h"
#include "segment/marks.h"
#include "segment/tables.h"

/* Small letters before a period; fewer may be an abbreviation. */
#define MIN_WORD 3

/* Bytes of a word that no space parts from the next; and least digits of a number, lest it be an item's. */
#define MAX_STUCK 32
#define MIN_NUMBER 4

/* Bytes in which a list within a line has its first three items. */
#define MAX_ITEMS 256

#define BYTES_PER_STOP	((size_t) 1024 * 1024)

static bool
is_space_or_end(const SrmLineView *view, size_t at)
{
	int32_t		c = srm_char_at(view->text, at, view->end, NULL);

	return c == SRM_NO_CHAR || srm_char_is_space(c);
}

/* Marks that end sentences in one language or script alone. */
bool
srm_hidden_mark(const SrmLineView *view, size_t at)
{
	const char *text = view->text;
	size_t		next = srm_skip_space(text, at + 1, view->end);
	int32_t		c = srm_char_at(text, next, view->end, NULL);
	int32_t		before = srm_char_before(text, view->line, at, NULL);

	if (next == at + 1 || next == view->end)
		return false;
	if (text[at] == ':')
		return srm_char_is_armenian(before) &&
			(srm_char_is_digit(c) || (srm_char_is_armenian(c) && srm_char_is_upper(c)));
	return (view->language->flags & SRM_LANGUAGE_GREEK) != 0 &&
		srm_char_is_greek(before) && srm_char_is_upper(c);
}

static bool
is_ascii_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool
is_small_word(const char *word)
{
	for (int i = 0; i < MIN_WORD; i++)
	{
		if (word[i] < 'a' || word[i] > 'z')
			return false;
	}
	return true;
}

/* The end of a face that ends a sentence without another mark: "It works :) Thanks"; or at. */
static size_t
skip_last_face(const SrmLineView *view, size_t at)
{
	size_t		end = srm_skip_face(view->text, at, view->end);
	size_t		next = srm_skip_space(view->text, end, view->end);

	if (end == at || at == view->line || view->text[at - 1] != ' ' ||
		!srm_char_is_upper(srm_char_at(view->text, next, view->end, NULL)))
		return at;
	return end;
}

/* A word of small letters before a position that is surely none shortened. */
static bool
is_long_word(const SrmLineView *view, size_t at)
{
	size_t		end = at;

	for (int n = 0; n < MIN_WORD; n++)
	{
		if (!srm_char_is_lower(srm_char_before(view->text, view->line, at, &at)))
			return false;
	}
	/* Two bytes a letter: fewer of them are surely a word in English alone */
	return end - at == MIN_WORD ||
		srm_char_is_lower(srm_char_before(view->text, view->line, at, NULL));
}

/*
 * The start of the word of small letters, but for the first, or of the large number that ends at a
 * position; the position itself where it is part of an address or the like.
 */
static size_t
find_plain(const SrmLineView *view, size_t at)
{
	size_t		start = at;
	size_t		before = at;
	int32_t		c = srm_char_before(view->text, view->line, at, &before);
	bool		is_number = srm_char_is_digit(c);

	while (at - start < MAX_STUCK &&
		   (is_number ? srm_char_is_digit(c) || c == ',' : srm_char_is_lower(c)))
	{
		start = before;
		c = srm_char_before(view->text, view->line, start, &before);
	}
	if (!is_number && srm_char_is_upper(c))
	{
		start = before;
		c = srm_char_before(view->text, view->line, start, &before);
	}
	if ((c != SRM_NO_CHAR && !srm_char_is_space(c) && !srm_char_is_opening(c)) ||
		(is_number && at - start < MIN_NUMBER))
		return at;
	return start;
}

bool
srm_hidden_stuck(const SrmLineView *view, size_t at)
{
	const char *text = view->text;
	size_t		start = at + 1;
	size_t		end = start;
	size_t		word = find_plain(view, at);
	int32_t		last = srm_char_before(text, view->line, at, NULL);

	if (!srm_char_is_upper(srm_char_at(text, start, view->end, NULL)) || word == at ||
		(!srm_char_is_digit(last) && !is_long_word(view, at)))
		return false;
	/* Addresses and names of files are Latin; names of firms have capitals */
	if (srm_char_is_cyrillic(last) || srm_char_is_greek(last) || srm_char_is_armenian(last))
		return !srm_char_is_upper(srm_char_at(text, word, at, NULL));
	while (end < view->end && end - start < MAX_STUCK && is_ascii_letter(text[end]))
		end++;
	if (end == view->end)
		return false;
	if (text[end] == '.')
		return end - start > 1 &&
			srm_language_abbreviation(view->language, text + start, end - start) == SRM_ABBREVIATION_NEVER;
	return text[end] == ' ' && srm_language_is_starter(view->language, text + start, end - start);
}

/*
 * "The sum is 12. 12 is even.": a number behind a word or an equals sign, and
 * then one that is not the next item of a list.
 */
static bool
is_sum(const SrmLineView *view, size_t end, size_t next)
{
	const char *text = view->text;
	size_t		at = end;
	size_t		word;

	while (next < view->end && srm_char_is_digit((unsigned char) text[next]))
		next++;
	if (next + 1 < view->end && (text[next] == '.' || text[next] == ')') &&
		!srm_char_is_digit((unsigned char) text[next + 1]))
		return false;
	while (at > view->line && (srm_char_is_digit((unsigned char) text[at - 1]) ||
								text[at - 1] == ',' || text[at - 1] == '.'))
		at--;
	if (at == end)
		return false;
	while (at > view->line && strchr("$(-+", text[at - 1]) != NULL && text[at - 1] != '\0')
		at--;
	if (at < view->line + 2 || text[at - 1] != ' ')
		return false;
	word = --at;
	while (word > view->line && text[word - 1] >= 'a' && text[word - 1] <= 'z')
		word--;
	if (word == at)
		return text[at - 1] == '=';
	return (word == view->line || text[word - 1] == ' ') && !srm_is_label(text + word, at - word);
}

/* "(b) It is fast.": an item in brackets, of which ICU sees a small letter. */
static bool
is_enclosed_item(const SrmLineView *view, size_t at)
{
	SrmMarker	marker;

	return at < view->end && view->text[at] == '(' &&
		srm_marker_at(view->text, at, view->end, &marker) &&
		marker.style == SRM_MARKER_ENCLOSED && is_space_or_end(view, marker.end);
}

/* Speech that starts with a dash: "- Go. - No." where the language writes so. */
static bool
is_dialogue(const SrmLineView *view, size_t at)
{
	const char *text = view->text;
	size_t		next;
	int32_t		c = srm_char_at(text, at, view->end, &next);
	int32_t		first = srm_char_at(text, view->line, view->end, NULL);

	if (c != 0x2014 && c != 0x2013 && c != '-')
		return false;
	if (!(view->language->flags & SRM_LANGUAGE_DIALOGUE) && !(c != '-' && first == c))
		return false;
	next = srm_skip_space(text, next, view->end);
	return srm_char_is_upper(srm_char_at(text, next, view->end, NULL));
}

/* A note behind which no small letter goes on. */
static bool
is_closing_note(const SrmLineView *view, size_t at)
{
	size_t		after = srm_skip_note(view->text, at, view->end);

	return after != at &&
		!srm_char_is_lower(srm_char_at(view->text, srm_skip_space(view->text, after, view->end),
									   view->end, NULL));
}

/*
 * "...and so on" behind a space, or ". . . The" behind the period of a sentence: an omission
 * that opens what follows.
 */
static bool
is_opening_omission(const SrmLineView *view, size_t at)
{
	const char *text = view->text;

	if (view->end - at > 6 && memcmp(text + at, ". . . ", 6) == 0)
		return srm_char_is_upper(srm_char_at(text, at + 6, view->end, NULL));
	return view->end - at > 3 && memcmp(text + at, "...", 3) == 0 &&
		srm_char_is_letter(srm_char_at(text, at + 3, view->end, NULL));
}

/* "a. one b. two c. three" and "a) one b) two": a list within a line, whose first item starts here. */
static bool
is_lettered_list(const SrmLineView *view, size_t at)
{
	size_t		limit = view->end - at > MAX_ITEMS ? at + MAX_ITEMS : view->end;
	SrmMarker	first;
	SrmMarker	second;

	return srm_starts_list(view->text, at, limit, &first) &&
		srm_find_list(view->text, limit, &first, &second) < limit;
}

/* Behind a terminator and a space: does a sentence start where ICU goes on? */
static bool
is_hidden_start(const SrmLineView *view, size_t at, size_t next)
{
	const char *text = view->text;
	char		c = text[at];

	if (next >= view->end)
		return false;
	if (text[next] >= '0' && text[next] <= '9')
		return c == '.' && (is_long_word(view, at) || is_sum(view, at, next));
	if (text[next] == '!')
		return next + 1 < view->end && text[next + 1] == '[';
	if (text[next] == '(')
		return is_enclosed_item(view, next);
	if (text[next] == ',')
		return srm_skip_low_quote(text, next, view->end) != next;
	if (text[next] == '.')
		return is_long_word(view, at) && is_opening_omission(view, next);
	if (is_lettered_list(view, next))
		return true;
	if (view->is_small && c == '.' && is_long_word(view, at))
		return srm_char_is_lower(srm_char_at(text, next, view->end, NULL));
	return srm_skip_face(text, next, view->end) != next ||
		is_closing_note(view, next) || is_dialogue(view, next);
}

/* A mark behind the terminator, with which the sentence closes. */
static bool
is_hidden_close(const SrmLineView *view, size_t at)
{
	const char *text = view->text;
	size_t		after = srm_skip_formula_end(text, at, view->end);
	int32_t		c;

	if (after == at)
		return is_closing_note(view, at) || srm_skip_bare_note(text, view->line, at, view->end) != at;
	c = srm_char_at(text, srm_skip_space(text, after, view->end), view->end, NULL);
	return c == '$' || c == '\\' || srm_char_is_upper(c);
}

/* A sign of Khmer, whose last byte stands at a position. */
static bool
is_khmer_end(const SrmLineView *view, size_t at)
{
	return at >= view->line + 2 &&
		srm_char_is_khmer_end(srm_char_before(view->text, view->line, at + 1, NULL));
}

/*
 * A wide period, whose last byte stands at a position, between two words
 * without a space; letters alone are an acronym.
 */
static bool
is_wide_end(const SrmLineView *view, size_t at)
{
	const char *text = view->text;
	size_t		before = at + 1;
	int32_t		c;

	if (at < view->line + 2 || srm_char_before(text, view->line, at + 1, &before) != 0xFF0E)
		return false;
	c = srm_char_at(text, at + 1, view->end, NULL);
	return srm_char_is_upper(c) &&
		srm_char_is_lower(srm_char_before(text, view->line, before, &before)) &&
		srm_char_is_lower(srm_char_before(text, view->line, before, NULL));
}

/* What may be a terminator that ICU does not see, by its last byte; *end is where it ends. */
static bool
is_hidden(const SrmLineView *view, size_t at, size_t *end)
{
	const char *text = view->text;

	*end = at + 1;

	switch (text[at])
	{
		case '.':
		case '!':
		case '?':
			if (at + 1 >= view->end)
				return false;
			if (text[at + 1] == ' ')
				return is_hidden_start(view, at, at + 2);
			return is_hidden_close(view, at + 1) || (text[at] == '.' && srm_hidden_stuck(view, at));
		case ':':
		case ';':
			if (srm_hidden_mark(view, at))
				return true;
			*end = skip_last_face(view, at);
			return *end != at;
		default:
			return is_khmer_end(view, at) || is_wide_end(view, at);
	}
}

size_t
srm_hidden_find(const SrmLineView *view, size_t at, size_t limit)
{
	static const bool marks[256] = {
		['.'] = true, ['!'] = true, ['?'] = true, [':'] = true, [';'] = true,
		[0x8E] = true, [0x94] = true, [0x95] = true
	};

	for (; at < limit; at++)
	{
		size_t		end;

		if (marks[(unsigned char) view->text[at]] && is_hidden(view, at, &end))
			return end < limit ? end : limit;
	}
	return limit;
}

bool
srm_text_is_small(const char *text, size_t length, const SrmStop *stop, SrmStatus *status)
{
	/* One that begins so needs one end less */
	int			n_small = srm_char_is_lower(srm_char_at(text, 0, length, NULL));

	for (size_t at = 0; at + 2 < length; at++)
	{
		int32_t		c;

		if (at % BYTES_PER_STOP == 0 && !srm_continue(stop, status))
			return false;
		if ((text[at] != '.' && text[at] != '!' && text[at] != '?') ||
			(text[at + 1] != ' ' && text[at + 1] != '\n'))
			continue;
		c = srm_char_at(text, srm_skip_space(text, at + 1, length), length, NULL);
		if (srm_char_is_upper(c))
			return false;
		n_small += srm_char_is_lower(c) && at >= MIN_WORD && is_small_word(text + at - MIN_WORD);
	}
	return n_small > 1;
}
