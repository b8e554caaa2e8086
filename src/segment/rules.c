/*-------------------------------------------------------------------------
 *
 * rules.c
 *	  Which of the boundaries that ICU proposes are boundaries, and where.
 *
 * docs/segmentation.md tells the rules in the order in which they stand here,
 * with examples.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/rules.h"

#include <string.h>

#include "segment/chars.h"
#include "segment/hidden.h"
#include "segment/lines.h"
#include "segment/marks.h"
#include "segment/terminator.h"

/* Characters that may stand between a terminator and ICU's boundary. */
#define MAX_CLOSERS 64

/* A span of code in a line; longer ones are taken for stray marks. */
#define MAX_CODE_SPAN 1024

/* Bytes in which the second item of a list follows the first one. */
#define MAX_ITEM 512

/* Bytes in which a quotation has opened. */
#define MAX_QUOTE 512

/* Bytes in which a list of letters that starts within a line has its first items. */
#define MAX_LETTERS 256

#define NO_MARKER SIZE_MAX

static bool
is_space_or_end(const SrmRules *rules, size_t at)
{
	int32_t		c = srm_char_at(rules->text, at, rules->end, NULL);

	return c == SRM_NO_CHAR || srm_char_is_space(c);
}

static size_t
count_newlines(const SrmRules *rules, size_t at, size_t end)
{
	size_t		n = 0;

	while (at < end)
	{
		int32_t		c = srm_char_at(rules->text, at, end, &at);

		n += srm_char_is_newline(c) &&
			!(c == '\r' && srm_char_at(rules->text, at, end, NULL) == '\n');
	}
	return n;
}

/* Is the line a part that is not cut within? */
static bool
is_whole_line(SrmRules *rules)
{
	const char *text = rules->text;
	size_t		length = rules->line_end - rules->line;

	if (rules->line < rules->end && text[rules->line] == '|')
		return true;
	if (memchr(text + rules->line, '|', length) == NULL)
		rules->in_table = false;
	else if (!rules->in_table)
		rules->in_table = srm_line_is_delimiter(rules->text, rules->next_line, rules->end);
	return rules->in_table || srm_line_is_data(text, rules->line, rules->line_end);
}

/* Where the next item of a list within the line was found, or the limit of the search. */
static void
set_next_item(SrmRules *rules, size_t found, size_t limit)
{
	rules->next_marker = found < limit ? found : NO_MARKER;
}

/* Notes what the line is that starts here. */
static void
start_line(SrmRules *rules, size_t at)
{
	const char *newline;
	size_t		prefix;
	int32_t		c = srm_char_at(rules->text, at, rules->end, NULL);

	newline = memchr(rules->text + at, '\n', rules->end - at);
	rules->line = at;
	rules->line_end = newline == NULL ? rules->end : (size_t) (newline - rules->text);
	rules->next_line = newline == NULL ? rules->end : rules->line_end + 1;
	rules->is_whole = is_whole_line(rules);
	rules->has_notes = c == '[' && srm_skip_note(rules->text, at, rules->line_end) != at;
	rules->bullet = srm_char_is_bullet(c) ? c : SRM_NO_CHAR;
	rules->list.style = SRM_MARKER_NONE;
	rules->next_marker = NO_MARKER;
	rules->emphasis_scanned = at;
	rules->in_emphasis = false;

	prefix = srm_skip_marker_prefix(rules->text, at, rules->line_end);
	if (!srm_marker_at(rules->text, prefix, rules->line_end, &rules->list) ||
		rules->list.value == 0 || rules->list.style == SRM_MARKER_ENCLOSED)
		return;

	set_next_item(rules, srm_find_list(rules->text, rules->line_end, &rules->list, &rules->next), rules->line_end);
}

/* A list within the line may start behind a sentence as well: "So it is. a) one b) two" */
static void
start_list(SrmRules *rules, size_t at)
{
	size_t		limit = rules->line_end;
	size_t		found;
	SrmMarker	first;
	SrmMarker	second;

	if (at >= limit || rules->next_marker != NO_MARKER || !srm_starts_list(rules->text, at, limit, &first))
		return;
	if (limit - at > MAX_LETTERS)
		limit = at + MAX_LETTERS;
	found = srm_find_list(rules->text, limit, &first, &second);
	if (found == limit)
		return;
	rules->list = first;
	rules->next = second;
	rules->next_marker = found;
}

/* Takes the next item of a list within the line. */
static void
take_marker(SrmRules *rules)
{
	rules->list = rules->next;
	set_next_item(rules, srm_find_marker(rules->text, rules->list.end, rules->line_end, &rules->list, &rules->next),
				  rules->line_end);
}

/* Does the mark that ends before a position open a span: behind a space, before a word? */
static bool
opens_code(const SrmRules *rules, size_t mark, size_t after)
{
	int32_t		c = srm_char_at(rules->text, after, rules->end, NULL);

	return rules->text[mark - 1] == ' ' && (srm_char_is_letter(c) || srm_char_is_digit(c));
}

/* A lone mark behind a letter and before a space opens no span: it is Armenian's, or an accent. */
static bool
is_accent(const SrmRules *rules, size_t mark, size_t after)
{
	return after == mark + 1 && is_space_or_end(rules, after) &&
		srm_char_is_letter(srm_char_before(rules->text, rules->line, mark, NULL));
}

/*
 * Code spans of a line: `Yes! No`.  Positions come in ascending order, so that
 * each mark is looked at once, but for the short search of its partner.
 */
static bool
in_code(SrmRules *rules, size_t position)
{
	const char *text = rules->text;

	if (rules->code_end < rules->line)
		rules->code_start = rules->code_end = rules->line;
	while (rules->code_end <= position)
	{
		const char *mark = memchr(text + rules->code_end, '`', position - rules->code_end);
		size_t		start;
		size_t		size = 0;
		size_t		limit;
		size_t		n_marks = 0;

		if (mark == NULL)
		{
			rules->code_start = rules->code_end = position;
			return false;
		}
		start = (size_t) (mark - text);
		while (start + size < rules->end && text[start + size] == '`')
			size++;
		limit = rules->line_end - start > MAX_CODE_SPAN + size ?
			start + size + MAX_CODE_SPAN : rules->line_end;
		rules->code_start = rules->code_end = start + size;
		if (is_accent(rules, start, start + size))
			continue;
		for (size_t at = start + size; at < limit; at++)
		{
			n_marks = text[at] == '`' ? n_marks + 1 : 0;
			if (n_marks == size && (at + 1 == rules->end || text[at + 1] != '`'))
			{
				/* Another one that opens: the first was a stray mark */
				if (opens_code(rules, at + 1 - size, at + 1))
					break;
				rules->code_start = start;
				rules->code_end = at + 1;
				break;
			}
		}
	}
	return position > rules->code_start;
}

/* Does a tag of the kind stand here, as all there is where it opens? */
static bool
is_tag(const SrmRules *rules, size_t at, size_t end, SrmTag kind)
{
	SrmTag		tag;
	size_t		after;

	if (at >= end || rules->text[at] != '<')
		return false;
	after = srm_skip_tag(rules->text, at, end, &tag);
	return after != at && tag == kind && (kind != SRM_TAG_OPENS || after == end);
}

/* A sentence's content ends at end, white space with line ends up to next. */
static size_t
judge_line_end(SrmRules *rules, size_t end, size_t next)
{
	size_t		line = rules->line > rules->sentence ? rules->line : rules->sentence;
	SrmMarker	marker;
	bool		joins = false;

	if (is_tag(rules, line, end, SRM_TAG_OPENS) ||
		is_tag(rules, next, rules->end, SRM_TAG_CLOSES))
		joins = true;
	else if (end > line && count_newlines(rules, end, next) == 1)
		joins = srm_is_marker(rules->text, line, end, true, &marker) ||
			(!rules->is_whole && srm_line_goes_on(rules->text, rules->line, end, next, rules->end));
	else
		rules->in_table = false;
	start_line(rules, next);
	return joins ? 0 : next;
}

/*
 * Do the stars at a position close emphasis?  Where white space is on one side
 * only, that tells; where none is, as in Chinese, the stars of the line before
 * them are counted.
 */
static bool
closes_emphasis(SrmRules *rules, size_t position)
{
	const char *text = rules->text;
	size_t		after = position;
	const char *star;

	while (after < rules->end && text[after] == '*')
		after++;
	if (is_space_or_end(rules, after) || after == position)
		return true;
	while (rules->emphasis_scanned < position &&
		   (star = memchr(text + rules->emphasis_scanned, '*',
						  position - rules->emphasis_scanned)) != NULL)
	{
		size_t		at = (size_t) (star - text);
		size_t		end = at;

		while (end < position && text[end] == '*')
			end++;
		rules->emphasis_scanned = end;
		if (!is_space_or_end(rules, end) || (at > rules->line && text[at - 1] != ' '))
			rules->in_emphasis = !rules->in_emphasis;
	}
	return rules->in_emphasis;
}

/*
 * The position after marks that close what a terminator at the position before
 * has ended, or of the mark that opens what follows.
 */
static size_t
skip_closers(SrmRules *rules, size_t at)
{
	const char *text = rules->text;

	at = srm_skip_bare_note(text, rules->line, at, rules->end);
	while (at < rules->end)
	{
		size_t		next;
		int32_t		c = srm_char_at(text, at, rules->end, &next);
		size_t		note = srm_skip_note(text, at, rules->end);
		size_t		emoji = srm_skip_emoji(text, at, rules->end);

		if (note == at)
			note = srm_skip_formula_end(text, at, rules->end);
		if (note != at)
			at = note;
		else if (emoji != at)
			at = emoji;
		else if (srm_char_is_emphasis(c) && closes_emphasis(rules, at))
		{
			while (at < rules->end && text[at] == c)
				at++;
		}
		else if (srm_char_is_straight_quote(c) || srm_char_is_closing(c) ||
				 srm_char_is_superscript(c) || srm_char_is_emoji_tail(c) || srm_char_is_direction(c) ||
				 (srm_char_is_opening(c) && is_space_or_end(rules, next)))
			at = next;
		else
			break;
	}
	return at;
}

/* "The end. [1][2] Next": notes in a row, unless notes start the line. */
static size_t
skip_late_notes(const SrmRules *rules, size_t at)
{
	size_t		end = at;
	size_t		next;

	if (rules->has_notes)
		return at;
	while ((next = srm_skip_note(rules->text, end, rules->end)) != end)
		end = next;
	return is_space_or_end(rules, end) ? end : at;
}

/* Two strokes behind a space close what ",," has opened before, in the same line. */
static bool
closes_low_quote(const SrmRules *rules, size_t mark)
{
	size_t		from = mark - rules->line > MAX_QUOTE ? mark - MAX_QUOTE : rules->line;

	return rules->end - mark > 1 && rules->text[mark + 1] == '\'' && is_space_or_end(rules, mark + 2) &&
		memmem(rules->text + from, mark - from, ",,", 2) != NULL;
}

/* A mark that closes elsewhere, before a word: "Ja. »Nein«, sagte er." */
static bool
opens_here(const SrmRules *rules, size_t after)
{
	int32_t		c = srm_char_at(rules->text, after, rules->end, NULL);

	return srm_char_is_letter(c) || srm_char_is_digit(c);
}

/* Closing marks, faces, notes and emoji that white space parts from their sentence. */
static size_t
skip_late_closers(const SrmRules *rules, size_t at)
{
	const char *text = rules->text;

	for (;;)
	{
		size_t		mark = at;
		size_t		after;
		size_t		next;
		int32_t		c;

		while (mark < rules->end && (text[mark] == ' ' || text[mark] == '\t'))
			mark++;
		c = srm_char_at(text, mark, rules->end, &next);
		after = srm_skip_emoji(text, mark, rules->end);
		if (after == mark)
			after = srm_skip_face(text, mark, rules->end);
		if (after == mark)
			after = skip_late_notes(rules, mark);
		if (after == mark && mark < rules->end && srm_char_is_closing(c) && !opens_here(rules, next))
			after = next;
		else if (after == mark && c == '\'' && closes_low_quote(rules, mark))
			after = mark + 2;
		else if (after == mark && (c == '"' || c == '*' || c == '_'))
		{
			while (after < rules->end && text[after] == c)
				after++;
			/* A single star before a space is a bullet */
			if (!is_space_or_end(rules, after) || (c != '"' && after == mark + 1))
				after = mark;
		}
		if (after == mark)
			return at;
		at = after;
	}
}

static SrmLineView
view_line(const SrmRules *rules)
{
	return (SrmLineView) {rules->text, rules->line, rules->end, rules->language, rules->is_small};
}

/* Looks back over marks for a terminator; returns the position after it, or 0. */
static size_t
find_terminator(const SrmRules *rules, size_t at)
{
	SrmLineView view = view_line(rules);

	for (int i = 0; i < MAX_CLOSERS; i++)
	{
		size_t		prev;
		int32_t		c = srm_char_before(rules->text, rules->sentence, at, &prev);

		if (c == SRM_NO_CHAR)
			return 0;
		if (srm_char_is_terminator(c) ||
			((c == ':' || c == ';') && srm_hidden_mark(&view, prev)) ||
			(c == ';' && (rules->language->flags & SRM_LANGUAGE_GREEK) != 0))
			return at;
		if (!srm_char_is_straight_quote(c) && !srm_char_is_closing(c) &&
			!srm_char_is_opening(c) && !srm_char_is_emphasis(c) &&
			!srm_char_is_emoji_tail(c) && !srm_char_is_direction(c))
			return 0;
		at = prev;
	}
	return 0;
}

/*
 * "Do this: 1. Sit. 2. Stand.": a list that starts within a line has its first
 * number behind a colon or the end of a sentence.
 */
static bool
is_first_item(SrmRules *rules, size_t end)
{
	const char *text = rules->text;
	size_t		limit = rules->line_end;
	SrmMarker	marker;
	SrmMarker	next;

	if (end - rules->line < 4 || text[end - 1] != '.' || text[end - 2] != '1' ||
		text[end - 3] != ' ' || text[end - 4] == '\0' || strchr(":.?!", text[end - 4]) == NULL ||
		!srm_marker_at(text, end - 2, end, &marker))
		return false;
	if (text[end - 4] != ':')
	{
		/* The next one tells that it is no sum */
		size_t		found;

		if (limit - end > MAX_ITEM)
			limit = end + MAX_ITEM;
		found = end < limit ? srm_find_marker(text, end, limit, &marker, &next) : limit;

		if (found == limit)
			return false;
		rules->next_marker = found;
		rules->next = next;
	}
	rules->list = marker;
	return true;
}

/* Is the sentence so far, up to end, the marker of an item? */
static bool
is_item_marker(SrmRules *rules, size_t end)
{
	bool		line_start = rules->sentence <= rules->line;
	size_t		start = line_start ? rules->line : rules->sentence;
	SrmMarker	marker;
	const SrmMarker *list = &rules->list;

	if (is_first_item(rules, end))
		return true;
	if (start >= end || !srm_is_marker(rules->text, start, end, line_start, &marker))
		return false;
	if (line_start || srm_char_is_bullet(srm_char_at(rules->text, start, end, NULL)))
		return true;
	/* Within a line an item counts on from the one before */
	if (marker.value != 0 && list->style == marker.style &&
		list->is_letter == marker.is_letter &&
		(marker.value == list->value || marker.value == list->value + 1))
	{
		rules->list = marker;
		return true;
	}
	return false;
}

/* A candidate within a line. */
static size_t
judge_in_line(SrmRules *rules, size_t candidate, size_t end)
{
	size_t		after = find_terminator(rules, end);
	SrmTerminator term;
	size_t		close;
	size_t		next;

	if (rules->is_whole || in_code(rules, end - 1))
		return 0;
	if (after == 0)
		return candidate;

	close = skip_late_closers(rules, skip_closers(rules, after));
	next = srm_skip_space(rules->text, close, rules->end);
	if (next > rules->settled)
		rules->settled = next;
	if (next == rules->end)
		return 0;
	if (count_newlines(rules, close, next) > 0)
		return judge_line_end(rules, close, next);
	if (is_item_marker(rules, close) || is_tag(rules, next, rules->end, SRM_TAG_CLOSES))
		return 0;

	term.text = rules->text;
	term.sentence = rules->sentence;
	term.line = rules->line;
	term.end = rules->end;
	term.after = after;
	term.close = close;
	term.next = next;
	term.is_small = rules->is_small;
	term.language = rules->language;
	if (!srm_terminator_ends(&term))
		return 0;
	start_list(rules, next);
	return next;
}

static size_t
judge(SrmRules *rules, size_t candidate)
{
	size_t		end = srm_strip_space(rules->text, rules->sentence, candidate);
	size_t		next = srm_skip_space(rules->text, candidate, rules->end);

	rules->settled = next;
	if (end == rules->sentence || next == rules->end)
	{
		if (end == rules->sentence)
			start_line(rules, next);
		return 0;
	}
	if (count_newlines(rules, end, next) > 0)
		return judge_line_end(rules, end, next);
	return judge_in_line(rules, candidate, end);
}

/* A bullet like the line's own or an ellipsis; its place for judge(), or limit. */
static size_t
find_mark(SrmRules *rules, size_t at, size_t limit, bool *is_item)
{
	const char *text = rules->text;
	const char *p = text + at;

	for (; p < text + limit && (p = memchr(p, 0xE2, (size_t) (text + limit - p))) != NULL; p++)
	{
		size_t		found = (size_t) (p - text);
		int32_t		c = srm_char_at(text, found, rules->end, NULL);
		size_t		close;

		*is_item = c == rules->bullet && found > rules->line && text[found - 1] == ' ';
		if (*is_item)
			return found;
		if (!srm_char_is_ellipsis(c))
			continue;
		close = skip_closers(rules, found + 3);
		if (close < limit && srm_char_is_space(srm_char_at(text, close, limit, NULL)))
			return close;
	}
	return limit;
}

/*
 * Where a tag parts the text: before one that opens, behind others.  Kept, as
 * many candidates may come before the next one.
 */
static size_t
find_tag(SrmRules *rules, size_t at, size_t limit)
{
	const char *text = rules->text;

	if (rules->tag >= at && rules->tag_scanned >= limit)
		return rules->tag < limit ? rules->tag : limit;
	if (rules->tag_scanned < at)
		rules->tag_scanned = at;
	while (rules->tag < at || rules->tag == rules->end)
	{
		const char *p = memchr(text + rules->tag_scanned, '<', rules->end - rules->tag_scanned);
		SrmTag		tag;
		size_t		after;

		rules->tag_scanned = p == NULL ? rules->end : (size_t) (p - text) + 1;
		rules->tag = rules->end;
		if (p == NULL)
			break;
		after = srm_skip_tag(text, (size_t) (p - text), rules->end, &tag);
		if (after != (size_t) (p - text))
			rules->tag = tag == SRM_TAG_OPENS ? (size_t) (p - text) : after;
	}
	return rules->tag < limit ? rules->tag : limit;
}

/* A tag parts the text, but for code and tables. */
static size_t
judge_tag(SrmRules *rules, size_t at)
{
	size_t		next = srm_skip_space(rules->text, at, rules->end);

	if (rules->is_whole || in_code(rules, at > rules->line ? at - 1 : at))
		return 0;
	rules->settled = next;
	if (count_newlines(rules, at, next) > 0)
		start_line(rules, next);
	return next;
}

/* The next place before a limit where ICU sees nothing, or limit. */
static size_t
find_candidate(SrmRules *rules, size_t at, size_t limit, bool *is_item)
{
	size_t		found;

	/* Kept, as many marks may come before the next one */
	if (rules->hidden < at || rules->hidden_limit != limit)
	{
		SrmLineView view = view_line(rules);

		rules->hidden = srm_hidden_find(&view, at, limit);
		rules->hidden_limit = limit;
	}
	*is_item = false;
	found = find_mark(rules, at, find_tag(rules, at, rules->hidden), is_item);
	if (rules->next_marker >= at && rules->next_marker < found)
	{
		*is_item = true;
		found = rules->next_marker;
	}
	return found;
}

void
srm_rules_start(SrmRules *rules, const char *text, size_t start, size_t end,
				const SrmLanguage *language, bool small)
{
	memset(rules, 0, sizeof(*rules));
	rules->language = language;
	rules->is_small = small;
	rules->tag_scanned = start;
	rules->text = text;
	rules->end = end;
	rules->sentence = start;
	rules->settled = start;
	rules->scanned = start;
	rules->code_start = rules->code_end = start;
	start_line(rules, srm_skip_space(text, start, end));
}

size_t
srm_rules_next(SrmRules *rules, size_t candidate)
{
	while (rules->scanned < candidate)
	{
		bool		is_item;
		size_t		at = find_candidate(rules, rules->scanned, candidate, &is_item);
		size_t		boundary = 0;

		rules->scanned = at;
		if (at < candidate)
			rules->scanned++;
		if (at <= rules->settled)
		{
			if (at < candidate && is_item && at == rules->next_marker)
				take_marker(rules);
			continue;
		}
		if (at < candidate && is_item)
		{
			boundary = at;
			if (at == rules->next_marker)
				take_marker(rules);
			rules->settled = at;
		}
		else if (at < candidate && at == rules->tag)
			boundary = judge_tag(rules, at);
		else
			boundary = judge(rules, at);
		if (boundary > rules->sentence && boundary < rules->end)
		{
			rules->sentence = boundary;
			return boundary;
		}
	}
	return 0;
}
