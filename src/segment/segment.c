/*-------------------------------------------------------------------------
 *
 * segment.c
 *	  Sentences of a text.
 *
 * Verbatim blocks are one sentence each.  ICU walks over the prose between
 * them, in windows so that a cancel is noticed within a text without line
 * ends, and the rules judge each of its boundaries.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/segment.h"

#include <stdlib.h>
#include <string.h>

#include <unicode/ubrk.h>
#include <unicode/uloc.h>
#include <unicode/utext.h>

#include "base/sha256.h"
#include "base/utf8.h"
#include "segment/blocks.h"
#include "segment/chars.h"
#include "segment/guess.h"
#include "segment/hidden.h"
#include "segment/rules.h"
#include "segment/separator.h"

/* Bytes that ICU sees at once, and boundaries between two questions to stop. */
#define WINDOW		((size_t) 1 << 20)
#define STOP_EVERY	4096

#define MAX_LENGTH	((size_t) INT32_MAX)

#define DIGEST_LENGTH	((size_t) 2 * SRM_SHA256_SIZE)	/* in hexadecimal */

typedef enum SegmenterKind
{
	KIND_ICU,
	KIND_LINES,
	KIND_PARAGRAPHS,
	KIND_REGEX,
	KIND_SAT,
	KIND_SAT_ONLY
} SegmenterKind;

/* A name that ends in a colon has an argument behind it. */
static const char *const kind_names[] = {
	[KIND_ICU] = "icu",
	[KIND_LINES] = "lines",
	[KIND_PARAGRAPHS] = "paragraphs",
	[KIND_REGEX] = "regex:",
	[KIND_SAT] = "sat:",
	[KIND_SAT_ONLY] = "sat-only:"
};

struct SrmSegmenter
{
	SegmenterKind kind;
	SrmSeparator *separator;	/* of KIND_REGEX */
	UBreakIterator *iterator;
	const SrmLanguage *language;	/* of its locale; the root: to be guessed */
	const SrmSplitter *splitter;	/* of KIND_SAT and KIND_SAT_ONLY */
	UText		utext;
};

/* What the rules find in prose that a splitter cuts. */
typedef struct Frame
{
	SrmEnds		lines;			/* where the rules cut between lines: so does the splitter */
	SrmEnds		whole;			/* starts and ends of lines that it does not cut, by turns */
} Frame;

/* Sentences while they are found */
typedef struct Cutter
{
	SrmSegmenter *segmenter;
	const char *text;
	size_t		length;
	size_t		start;			/* of the sentence that is not finished */
	size_t		empty;			/* it has no content up to here */
	SrmArena   *arena;
	SrmSentences *sentences;
	size_t		capacity;
	size_t		n_boundaries;
	const SrmLanguage *language;
	bool		is_small;		/* no sentence starts with a capital */
	Frame	   *frame;			/* NULL: the boundaries of the rules are cuts */
	const SrmStop *stop;
	SrmStatus  *status;
} Cutter;

/* With ICU's underscores if need be. */
bool
srm_segmenter_is_locale(const char *locale)
{
	char		tag[ULOC_FULLNAME_CAPACITY];
	char		icu[ULOC_FULLNAME_CAPACITY];
	size_t		length = strlen(locale);
	int32_t		parsed = 0;
	UErrorCode	error = U_ZERO_ERROR;

	if (length >= sizeof(tag))
		return false;
	for (size_t i = 0; i <= length; i++)
		tag[i] = locale[i] == '_' ? '-' : locale[i];
	uloc_forLanguageTag(tag, icu, sizeof(icu), &parsed, &error);
	return U_SUCCESS(error) && (size_t) parsed == length;
}

/* The kind that a name tells, and what stands behind its colon. */
static bool
find_kind(const char *name, SegmenterKind *kind, const char **argument)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++)
	{
		size_t		length = strlen(kind_names[i]);

		bool		has_argument = kind_names[i][length - 1] == ':';

		if (strncmp(name, kind_names[i], length) != 0 || has_argument == (name[length] == '\0'))
			continue;
		*kind = (SegmenterKind) i;
		*argument = name + length;
		return true;
	}
	return false;
}

bool
srm_segmenter_known(const char *name)
{
	SegmenterKind kind;
	const char *argument;

	return find_kind(name, &kind, &argument);
}

const char *
srm_segmenter_model(const char *name)
{
	SegmenterKind kind;
	const char *argument;

	return find_kind(name, &kind, &argument) && (kind == KIND_SAT || kind == KIND_SAT_ONLY) ? argument : NULL;
}

bool
srm_segmenter_is_pinned(const char *name)
{
	const char *model = srm_segmenter_model(name);
	const char *digest = model == NULL ? NULL : strchr(model, '@');

	return model == NULL ||
		(digest != NULL && strlen(digest + 1) == DIGEST_LENGTH &&
		 strspn(digest + 1, "0123456789abcdef") == DIGEST_LENGTH);
}

/* What the kind needs to cut. */
static bool
open_kind(SrmSegmenter *segmenter, const char *argument, const char *locale, SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;

	if (segmenter->kind == KIND_REGEX)
	{
		segmenter->separator = srm_separator_open(argument, status);
		return segmenter->separator != NULL;
	}
	if (segmenter->kind != KIND_ICU && segmenter->kind != KIND_SAT)
		return true;
	segmenter->iterator = ubrk_open(UBRK_SENTENCE, locale, NULL, 0, &error);
	if (U_SUCCESS(error))
		return true;
	return srm_fail(status, SRM_INTERNAL, "could not open a break iterator for locale \"%s\": %s",
					locale, u_errorName(error));
}

SrmSegmenter *
srm_segmenter_open(const char *name, const char *locale, SrmStatus *status)
{
	SrmSegmenter *segmenter;
	SegmenterKind kind;
	const char *argument;

	if (!find_kind(name, &kind, &argument))
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "unrecognized segmenter \"%s\"", name);
		srm_fail_hint(status, "Segmenters are \"icu\", \"lines\", \"paragraphs\", \"regex:\" with a pattern, and \"sat:\" or \"sat-only:\" with a model.");
		return NULL;
	}
	if (!srm_segmenter_is_locale(locale))
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "invalid locale \"%s\"", locale);
		srm_fail_hint(status, "Use a language tag such as \"en\" or \"pt-BR\", or '' for the root locale.");
		return NULL;
	}
	segmenter = srm_calloc(1, sizeof(SrmSegmenter), status);
	if (segmenter == NULL)
		return NULL;
	segmenter->utext = (UText) UTEXT_INITIALIZER;
	segmenter->language = srm_language_find(locale);
	segmenter->kind = kind;
	if (open_kind(segmenter, argument, locale, status))
		return segmenter;
	srm_segmenter_free(segmenter);
	return NULL;
}

void
srm_segmenter_free(SrmSegmenter *segmenter)
{
	if (segmenter == NULL)
		return;
	if (segmenter->iterator != NULL)
		ubrk_close(segmenter->iterator);
	utext_close(&segmenter->utext);
	srm_separator_free(segmenter->separator);
	free(segmenter);
}

void
srm_segmenter_set_splitter(SrmSegmenter *segmenter, const SrmSplitter *splitter)
{
	segmenter->splitter = splitter;
}

static bool
append_sentence(Cutter *cutter, size_t start, size_t end)
{
	SrmSentences *sentences = cutter->sentences;

	if (!srm_arena_reserve(cutter->arena, &sentences->items, &cutter->capacity, sentences->n + 1,
						   sizeof(SrmSentence), cutter->status))
		return false;
	sentences->items[sentences->n].start = (uint32_t) start;
	sentences->items[sentences->n].end = (uint32_t) end;
	sentences->n++;
	return true;
}

static bool
append_end(Cutter *cutter, SrmEnds *ends, size_t end)
{
	if (!srm_arena_reserve(cutter->arena, &ends->items, &ends->capacity, ends->n + 1, sizeof(uint32_t),
						   cutter->status))
		return false;
	ends->items[ends->n++] = (uint32_t) end;
	return true;
}

/*
 * Is there a letter, digit or symbol in the sentence that is not finished?  wtpsplit, which is
 * followed where nothing else cuts, is content with any mark.
 * What was looked at is not looked at again.
 */
static bool
has_content(Cutter *cutter, size_t end)
{
	size_t		at = cutter->empty > cutter->start ? cutter->empty : cutter->start;
	bool		any = cutter->segmenter->kind == KIND_SAT_ONLY;

	while (at < end)
	{
		int32_t		c = srm_char_at(cutter->text, at, end, &at);

		if (any ? !srm_char_is_space(c) : srm_char_is_content(c))
			return true;
	}
	cutter->empty = at;
	return false;
}

/*
 * Ends a sentence behind the white space that follows.  One without letters,
 * digits or symbols joins the one before, or what follows where there is none.
 */
static bool
cut(Cutter *cutter, size_t end)
{
	SrmSentences *sentences = cutter->sentences;

	if (++cutter->n_boundaries % STOP_EVERY == 0 && !srm_continue(cutter->stop, cutter->status))
		return false;
	/* Blank lines are not skipped again from each of them */
	if (end <= cutter->start || end <= cutter->empty)
		return true;
	end = srm_skip_space(cutter->text, end, cutter->length);
	if (!has_content(cutter, end))
	{
		if (sentences->n > 0)
		{
			sentences->items[sentences->n - 1].end = (uint32_t) end;
			cutter->start = end;
		}
		return true;
	}
	if (!append_sentence(cutter, cutter->start, end))
		return false;
	cutter->start = end;
	return true;
}

/* Where ICU's view of a text that goes on may end: not within a character. */
static size_t
window_end(const Cutter *cutter, size_t start, size_t end)
{
	if (end - start <= WINDOW)
		return end;
	end = start + WINDOW;
	while (srm_utf8_is_continuation((unsigned char) cutter->text[end]))
		end--;
	return end;
}

/* Notes the line at hand where it is not to be cut. */
static bool
frame_line(Cutter *cutter, const SrmRules *rules)
{
	SrmEnds    *whole = &cutter->frame->whole;

	if (!rules->is_whole || (whole->n > 0 && whole->items[whole->n - 2] == rules->line))
		return true;
	return append_end(cutter, whole, rules->line) && append_end(cutter, whole, rules->line_end);
}

/* Notes a boundary of the rules where a line ends before it. */
static bool
frame_boundary(Cutter *cutter, size_t boundary)
{
	size_t		at = boundary;

	while (at > cutter->start)
	{
		int32_t		c = srm_char_before(cutter->text, cutter->start, at, &at);

		if (srm_char_is_newline(c))
			return append_end(cutter, &cutter->frame->lines, boundary);
		if (!srm_char_is_space(c))
			break;
	}
	return true;
}

/* Lets the rules judge a boundary of ICU's. */
static bool
take_candidate(Cutter *cutter, SrmRules *rules, size_t candidate)
{
	size_t		boundary;

	if (cutter->frame != NULL && !frame_line(cutter, rules))
		return false;
	while ((boundary = srm_rules_next(rules, candidate)) != 0)
	{
		if (!(cutter->frame == NULL ? cut(cutter, boundary) : frame_boundary(cutter, boundary)))
			return false;
	}
	return true;
}

/*
 * Takes ICU's boundaries in a window.  Where the block goes on behind it, the
 * last is the window's end, and the one before was found by a look ahead that
 * ended there: both are held back and *reached, from which to go on, is the
 * one before them, unless the window brought too little to be repeated.
 */
static bool
cut_window(Cutter *cutter, SrmRules *rules, size_t start, size_t end, size_t *reached)
{
	SrmSegmenter *segmenter = cutter->segmenter;
	UErrorCode	error = U_ZERO_ERROR;
	int32_t		at;
	size_t		held[2] = {start, start};

	utext_openUTF8(&segmenter->utext, cutter->text + start, (int64_t) (end - start), &error);
	ubrk_setUText(segmenter->iterator, &segmenter->utext, &error);
	if (U_FAILURE(error))
		return srm_fail(cutter->status, SRM_INTERNAL, "could not segment text: %s", u_errorName(error));

	*reached = start;
	ubrk_first(segmenter->iterator);
	while ((at = ubrk_next(segmenter->iterator)) != UBRK_DONE)
	{
		if (held[0] > *reached && !take_candidate(cutter, rules, held[0]))
			return false;
		*reached = held[0];
		held[0] = held[1];
		held[1] = start + (size_t) at;
	}
	if (end == rules->end || *reached < start + WINDOW / 2)
	{
		if (held[0] > *reached && !take_candidate(cutter, rules, held[0]))
			return false;
		if (end == rules->end && !take_candidate(cutter, rules, end))
			return false;
		*reached = end;
	}
	return srm_continue(cutter->stop, cutter->status);
}

/* Cuts prose by the rules, or frames it. */
static bool
apply_rules(Cutter *cutter, size_t start, size_t end)
{
	SrmRules	rules;

	srm_rules_start(&rules, cutter->text, start, end, cutter->language, cutter->is_small);
	while (start < end)
	{
		if (!cut_window(cutter, &rules, start, window_end(cutter, start, end), &start))
			return false;
	}
	return true;
}

/* Cuts where the splitter says so, unless a line is whole there, and between the lines of the frame. */
static bool
apply_splitter(Cutter *cutter, const Frame *frame, size_t start, size_t end)
{
	const SrmSplitter *splitter = cutter->segmenter->splitter;
	SrmEnds		ends = {NULL, 0, 0};
	size_t		line = 0;
	size_t		whole = 0;

	if (splitter == NULL)
		return srm_fail(cutter->status, SRM_NOT_SUPPORTED, "no model is there to cut by");
	if (!splitter->split(splitter->arg, cutter->text + start, end - start, cutter->arena, &ends, cutter->stop,
						 cutter->status))
		return false;
	for (size_t i = 0; i < ends.n; i++)
	{
		size_t		at = start + ends.items[i];

		while (line < frame->lines.n && frame->lines.items[line] <= at)
			if (!cut(cutter, frame->lines.items[line++]))
				return false;
		while (whole < frame->whole.n && frame->whole.items[whole + 1] <= at)
			whole += 2;
		if (whole < frame->whole.n && at > frame->whole.items[whole])
			continue;
		if (!cut(cutter, at))
			return false;
	}
	while (line < frame->lines.n)
		if (!cut(cutter, frame->lines.items[line++]))
			return false;
	return true;
}

static bool
cut_prose(Cutter *cutter, size_t start, size_t end)
{
	Frame		frame = {{NULL, 0, 0}, {NULL, 0, 0}};

	if (start < cutter->start)
		start = cutter->start;	/* white space that is taken already */
	if (start >= end)
		return true;
	if (cutter->segmenter->kind == KIND_ICU)
		return apply_rules(cutter, start, end) && cut(cutter, end);
	cutter->frame = &frame;
	return apply_rules(cutter, start, end) && apply_splitter(cutter, &frame, start, end) && cut(cutter, end);
}

/* All of the text by the splitter, and at line feeds, which it does not see. */
static bool
cut_all(Cutter *cutter)
{
	Frame		frame = {{NULL, 0, 0}, {NULL, 0, 0}};
	const char *text = cutter->text;
	const char *feed = text;

	if (cutter->length == 0)
		return true;
	while ((feed = memchr(feed, '\n', cutter->length - (size_t) (feed - text))) != NULL)
		if (!append_end(cutter, &frame.lines, (size_t) (++feed - text)))
			return false;
	return apply_splitter(cutter, &frame, 0, cutter->length) && cut(cutter, cutter->length);
}

/* What is left without content joins the last sentence. */
static bool
finish(Cutter *cutter)
{
	SrmSentences *sentences = cutter->sentences;

	if (cutter->start == cutter->length)
		return true;
	if (sentences->n == 0)
		return append_sentence(cutter, cutter->start, cutter->length);
	sentences->items[sentences->n - 1].end = (uint32_t) cutter->length;
	return true;
}

/* Cuts behind each line, or behind those with a blank one after them. */
static bool
cut_lines(Cutter *cutter, size_t start, size_t end)
{
	bool		is_blank = true;

	for (size_t at = start; at < end;)
	{
		int32_t		c = srm_char_at(cutter->text, at, end, &at);
		bool		ends = srm_char_is_newline(c) &&
			!(c == '\r' && srm_char_at(cutter->text, at, end, NULL) == '\n');

		if (!ends)
			is_blank = is_blank && srm_char_is_space(c);
		else if ((is_blank || cutter->segmenter->kind == KIND_LINES) && !cut(cutter, at))
			return false;
		is_blank = is_blank || ends;
	}
	return cutter->segmenter->kind != KIND_LINES || cut(cutter, end);
}

static bool
cut_separated(Cutter *cutter)
{
	SrmSeparator *separator = cutter->segmenter->separator;
	size_t		end = 0;

	if (!srm_separator_start(separator, cutter->text, cutter->length, cutter->stop, cutter->status))
		return false;
	while (end < cutter->length)
	{
		if (!srm_separator_next(separator, &end) || !cut(cutter, end))
			return false;
	}
	return true;
}

/* One block, which is not cut within where it is verbatim. */
static bool
cut_block(Cutter *cutter, size_t start, size_t end, bool verbatim)
{
	SegmenterKind kind = cutter->segmenter->kind;

	if (kind == KIND_PARAGRAPHS && verbatim)
		return true;
	if (verbatim)
		return cut(cutter, end);
	return kind == KIND_ICU || kind == KIND_SAT ? cut_prose(cutter, start, end) : cut_lines(cutter, start, end);
}

bool
srm_segment(SrmSegmenter *segmenter, const char *text, size_t length, SrmArena *arena,
			SrmSentences *sentences, const SrmStop *stop, SrmStatus *status)
{
	Cutter		cutter = {.segmenter = segmenter,.text = text,.length = length,
	.arena = arena,.sentences = sentences,.stop = stop,.status = status};
	SrmBlocks	blocks;

	sentences->items = NULL;
	sentences->n = 0;
	if (length > MAX_LENGTH)
		return srm_fail(status, SRM_LIMIT_EXCEEDED, "text is too long to be segmented");

	if (segmenter->kind == KIND_REGEX)
		return cut_separated(&cutter) && finish(&cutter);
	if (segmenter->kind == KIND_SAT_ONLY)
		return cut_all(&cutter) && finish(&cutter);
	cutter.language = segmenter->language;
	if (cutter.language == srm_languages)
		cutter.language = srm_language_guess(text, length);
	cutter.is_small = srm_text_is_small(text, length, stop, status);
	if (status->code != SRM_OK)
		return false;
	srm_blocks_init(&blocks, text, length, stop, status);
	while (blocks.at < length)
	{
		bool		verbatim;
		size_t		end = srm_blocks_next(&blocks, &verbatim);

		if (end == 0 || !cut_block(&cutter, blocks.at, end, verbatim))
			return false;
		blocks.at = end;
	}
	/* Blocks do not end a paragraph, the text does */
	return (segmenter->kind != KIND_PARAGRAPHS || cut(&cutter, length)) && finish(&cutter);
}
