/*-------------------------------------------------------------------------
 *
 * blocks.c
 *	  Prose, and what is left alone in it: fenced code, displayed formulas.
 *
 * Fences are those of CommonMark, at any indentation and behind the marks of
 * a quotation, since responses put them into list items.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/blocks.h"

#include <string.h>

typedef struct Fence
{
	char		mark;			/* ` or ~ */
	size_t		size;			/* how many */
} Fence;

static const struct
{
	const char *open;
	const char *close;
}			formula_marks[] = {
	{"$$", "$$"},
	{"\\[", "\\]"},
	{"\\begin{", "\\end{"}
};

/* Names of LaTeX environments are shorter. */
#define MAX_ENVIRONMENT 32

#define BYTES_PER_STOP	((size_t) 1024 * 1024)

/* Whether to go on behind a line; each block is looked at as a whole. */
static bool
goes_on(SrmBlocks *blocks, size_t at)
{
	if (at < blocks->asked_at + BYTES_PER_STOP)
		return true;
	blocks->asked_at = at;
	return srm_continue(blocks->stop, blocks->status);
}

/* The start of the next line, or the end of the text. */
static size_t
next_line(const SrmBlocks *blocks, size_t at)
{
	const char *newline = memchr(blocks->text + at, '\n', blocks->length - at);

	return newline == NULL ? blocks->length : (size_t) (newline - blocks->text) + 1;
}

static size_t
skip_blanks(const SrmBlocks *blocks, size_t at, bool quotes)
{
	while (at < blocks->length &&
		   (blocks->text[at] == ' ' || blocks->text[at] == '\t' ||
			(quotes && blocks->text[at] == '>')))
		at++;
	return at;
}

static size_t
count_marks(const SrmBlocks *blocks, size_t at, char mark)
{
	size_t		n = 0;

	while (at + n < blocks->length && blocks->text[at + n] == mark)
		n++;
	return n;
}

/* Only white space until the line ends? */
static bool
is_line_end(const SrmBlocks *blocks, size_t at)
{
	at = skip_blanks(blocks, at, false);
	return at == blocks->length || blocks->text[at] == '\n' || blocks->text[at] == '\r';
}

static bool
opens_fence(const SrmBlocks *blocks, size_t at, Fence *fence)
{
	size_t		end;

	if (at == blocks->length || (blocks->text[at] != '`' && blocks->text[at] != '~'))
		return false;
	fence->mark = blocks->text[at];
	fence->size = count_marks(blocks, at, fence->mark);
	if (fence->size < 3)
		return false;
	at += fence->size;
	end = next_line(blocks, at);

	/* ```code``` on one line is a span of code */
	return fence->mark == '~' || memchr(blocks->text + at, '`', end - at) == NULL;
}

/* The end of the line that closes a fence, or of the text. */
static size_t
fence_end(SrmBlocks *blocks, size_t at, const Fence *fence)
{
	for (at = next_line(blocks, at); at < blocks->length && goes_on(blocks, at); at = next_line(blocks, at))
	{
		size_t		mark = skip_blanks(blocks, at, true);
		size_t		n = count_marks(blocks, mark, fence->mark);

		if (n >= fence->size && is_line_end(blocks, mark + n))
			return next_line(blocks, mark + n);
	}
	return blocks->length;
}

/*
 * Where a formula's closing mark starts, or the blank line before it, which no
 * formula contains, or the end of the text.
 */
static size_t
find_close(SrmBlocks *blocks, size_t at, const char *close)
{
	size_t		size = strlen(close);

	while (at < blocks->length && goes_on(blocks, at))
	{
		size_t		next = next_line(blocks, at);
		const char *end = blocks->text + next;

		for (const char *p = blocks->text + at;
			 p < end && (p = memchr(p, close[0], (size_t) (end - p))) != NULL; p++)
		{
			if ((size_t) (end - p) >= size && memcmp(p, close, size) == 0)
				return (size_t) (p - blocks->text);
		}
		at = next;
		if (at < blocks->length && is_line_end(blocks, at))
			break;
	}
	return at;
}

/* The end of the block whose closing mark may be at a position, or 0. */
static size_t
block_end(const SrmBlocks *blocks, size_t at, const char *close)
{
	size_t		size = strlen(close);

	if (blocks->length - at < size || memcmp(blocks->text + at, close, size) != 0)
		return 0;
	at += size;
	if (close[size - 1] == '{')
	{
		size_t		name = at;

		while (at < blocks->length && at - name < MAX_ENVIRONMENT && blocks->text[at] != '}')
			at++;
		at += at < blocks->length;
	}
	if (at < blocks->length && strchr(".,;:", blocks->text[at]) != NULL)
		at++;
	return is_line_end(blocks, at) ? next_line(blocks, at) : 0;
}

/*
 * The end of the formula that starts a line here, or 0.  Each answer is kept,
 * so that a text full of openings is not searched once for each.
 */
static size_t
formula_end(SrmBlocks *blocks, size_t at)
{
	for (size_t i = 0; i < sizeof(formula_marks) / sizeof(formula_marks[0]); i++)
	{
		const char *open = formula_marks[i].open;
		const char *close = formula_marks[i].close;
		SrmFormula *found = &blocks->formulas[i];

		if (blocks->length - at < strlen(open) ||
			memcmp(blocks->text + at, open, strlen(open)) != 0)
			continue;
		at += strlen(open);
		if (at < found->from || at > found->until)
		{
			found->from = at;
			found->until = find_close(blocks, at, close);
			found->end = block_end(blocks, found->until, close);
		}
		return found->end;
	}
	return 0;
}

/* The end of the verbatim block that starts with this line, or 0. */
static size_t
verbatim_end(SrmBlocks *blocks, size_t line)
{
	size_t		at = skip_blanks(blocks, line, true);
	Fence		fence;

	if (opens_fence(blocks, at, &fence))
		return fence_end(blocks, at, &fence);
	return formula_end(blocks, at);
}

void
srm_blocks_init(SrmBlocks *blocks, const char *text, size_t length, const SrmStop *stop, SrmStatus *status)
{
	memset(blocks, 0, sizeof(*blocks));
	blocks->text = text;
	blocks->length = length;
	blocks->stop = stop;
	blocks->status = status;
}

size_t
srm_blocks_next(SrmBlocks *blocks, bool *verbatim)
{
	size_t		end = verbatim_end(blocks, blocks->at);

	*verbatim = end != 0;
	blocks->asked_at = blocks->at;
	if (end != 0)
		return blocks->status->code == SRM_OK ? end : 0;
	for (end = next_line(blocks, blocks->at); end < blocks->length && goes_on(blocks, end);
		 end = next_line(blocks, end))
	{
		/* Asked again when its turn comes; what is found is not stored */
		if (verbatim_end(blocks, end) != 0)
			break;
	}
	return blocks->status->code == SRM_OK ? end : 0;
}
