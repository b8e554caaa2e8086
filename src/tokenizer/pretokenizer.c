/*-------------------------------------------------------------------------
 *
 * pretokenizer.c
 *	  A text cut into the words that the vocabulary sees.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/pretokenizer.h"

#include <string.h>
#include <unicode/uchar.h>

#include "base/utf8.h"
#include "tokenizer/bpe/bpe_vocabulary.h"
#include "tokenizer/pretokenizer_regex.h"
#include "tokenizer/unicode_classes.h"

#define MAX_STEPS			64
#define PIECES_PER_STOP		4096

/* The words of GPT-2. */
static const char gpt2_pattern[] =
"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

typedef enum StepKind
{
	STEP_REGEX,
	STEP_NUMERIC,				/* a character that is a number */
	STEP_SPACE,					/* a character that is white space */
	STEP_WORD,					/* a character of a word */
	STEP_PUNCTUATION,			/* a character of punctuation */
	STEP_PREFIX					/* a space before each piece, or what stands for one */
} StepKind;

/* Before which pieces STEP_PREFIX puts a space. */
typedef enum Prepend
{
	ALWAYS,
	FIRST,						/* the one at the start of the original text */
	NEVER
} Prepend;

/* What becomes of the parts of a piece that match. */
typedef enum Behavior
{
	REMOVED,
	ISOLATED,
	MERGED_WITH_PREVIOUS,
	MERGED_WITH_NEXT,
	CONTIGUOUS
} Behavior;

typedef struct Step
{
	StepKind	kind;
	bool		by_bytes;		/* behind ByteLevel: bytes are the characters that stand for them */
	Behavior	behavior;
	bool		inverted;		/* what matches is what lies between matches */
	SrmRegex   *regex;			/* of STEP_REGEX */
	Prepend		prepend;		/* of STEP_PREFIX */
	char		space[5];		/* of STEP_PREFIX: what spaces become; ends in NUL */
} Step;

struct SrmPretokenizer
{
	Step		steps[MAX_STEPS];
	int			n;
	bool		has_byte_level;
};

/* A part of a piece, which matches or lies between matches. */
typedef struct SrmStretch
{
	SrmRange	range;
	bool		is_match;
} SrmStretch;

/* ---- loading ---- */

static Step *
add_step(SrmPretokenizer *pretokenizer, StepKind kind, Behavior behavior,
		 SrmStatus *status)
{
	Step	   *step = &pretokenizer->steps[pretokenizer->n];

	if (pretokenizer->n == MAX_STEPS)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer has too many pre-tokenizers");
		return NULL;
	}
	pretokenizer->n++;
	step->kind = kind;
	step->by_bytes = pretokenizer->has_byte_level;
	step->behavior = behavior;
	return step;
}

static bool
add_regex(SrmPretokenizer *pretokenizer, const char *pattern, bool is_literal,
		  Behavior behavior, bool inverted, SrmArena *arena, SrmStatus *status)
{
	Step	   *step = add_step(pretokenizer, STEP_REGEX, behavior, status);

	if (step == NULL)
		return false;
	step->inverted = inverted;
	step->regex = srm_regex_open(pattern, is_literal, arena, status);
	return step->regex != NULL;
}

static bool
fail_field(const char *type, const char *field, SrmStatus *status)
{
	return srm_fail(status, SRM_INVALID_MODEL, "invalid %s of pre-tokenizer \"%s\"", field, type);
}

static bool
read_behavior(const SrmJson *json, const char *type, Behavior *behavior, SrmStatus *status)
{
	static const char *const names[] = {
		"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"
	};
	const char *name = srm_json_string(srm_json_member(json, "behavior"));

	for (size_t i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
		{
			*behavior = (Behavior) i;
			return true;
		}
	return fail_field(type, "behavior", status);
}

static bool
add_split(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmArena *arena,
		  SrmStatus *status)
{
	const SrmJson *pattern = srm_json_member(json, "pattern");
	const char *regex = srm_json_string(srm_json_member(pattern, "Regex"));
	const char *literal = srm_json_string(srm_json_member(pattern, "String"));
	Behavior	behavior = REMOVED;
	bool		inverted;

	if (!read_behavior(json, "Split", &behavior, status) ||
		!srm_json_get_bool(json, "invert", false, &inverted, status))
		return false;
	if ((regex == NULL) == (literal == NULL) || (literal != NULL && literal[0] == '\0'))
		return fail_field("Split", "pattern", status);
	return add_regex(pretokenizer, regex == NULL ? literal : regex, regex == NULL,
					 behavior, inverted, arena, status);
}

static bool
add_prefix(SrmPretokenizer *pretokenizer, const char *space, Prepend prepend, SrmStatus *status)
{
	Step	   *step = add_step(pretokenizer, STEP_PREFIX, ISOLATED, status);

	if (step == NULL)
		return false;
	step->prepend = prepend;
	strcpy(step->space, space);
	return true;
}

/* The one character of a member; NULL for anything else. */
static const char *
read_character(const SrmJson *json, const char *key)
{
	const char *text = srm_json_string(srm_json_member(json, key));

	return text != NULL && text[0] != '\0' && srm_utf8_count(text, strlen(text)) == 1 ? text : NULL;
}

/* Old files say add_prefix_space, which must not contradict prepend_scheme. */
static bool
add_metaspace(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmArena *arena,
			  SrmStatus *status)
{
	static const char *const names[] = {"always", "first", "never"};
	const char *space = read_character(json, "replacement");
	const char *name;
	bool		has_prefix;
	bool		splits;
	int			prepend = 0;

	if (space == NULL)
		return fail_field("Metaspace", "replacement", status);
	if (!srm_json_get_string(json, "prepend_scheme", "always", &name, status) ||
		!srm_json_get_bool(json, "add_prefix_space", true, &has_prefix, status) ||
		!srm_json_get_bool(json, "split", true, &splits, status))
		return false;
	while (prepend <= NEVER && strcmp(name, names[prepend]) != 0)
		prepend++;
	if (prepend > NEVER)
		return fail_field("Metaspace", "prepend_scheme", status);
	if (!has_prefix && prepend != NEVER)
		return fail_field("Metaspace", "add_prefix_space", status);
	return add_prefix(pretokenizer, space, (Prepend) prepend, status) &&
		(!splits || add_regex(pretokenizer, space, true, MERGED_WITH_NEXT, false, arena, status));
}

static bool
add_punctuation(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmStatus *status)
{
	Behavior	behavior = ISOLATED;

	if (srm_json_member(json, "behavior") != NULL &&
		!read_behavior(json, "Punctuation", &behavior, status))
		return false;
	return add_step(pretokenizer, STEP_PUNCTUATION, behavior, status) != NULL;
}

static bool
add_delimiter(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmArena *arena,
			  SrmStatus *status)
{
	const char *delimiter = read_character(json, "delimiter");

	if (delimiter == NULL)
		return fail_field("CharDelimiterSplit", "delimiter", status);
	return add_regex(pretokenizer, delimiter, true, REMOVED, false, arena, status);
}

static bool
add_byte_level(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmArena *arena,
			   SrmStatus *status)
{
	bool		has_prefix;
	bool		has_regex;

	if (!srm_json_get_bool(json, "add_prefix_space", true, &has_prefix, status) ||
		!srm_json_get_bool(json, "use_regex", true, &has_regex, status))
		return false;
	if ((has_prefix && !add_prefix(pretokenizer, " ", ALWAYS, status)) ||
		(has_regex && !add_regex(pretokenizer, gpt2_pattern, false, ISOLATED, false, arena, status)))
		return false;
	pretokenizer->has_byte_level = true;
	return true;
}

static bool
add_digits(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmStatus *status)
{
	bool		individual;

	return srm_json_get_bool(json, "individual_digits", false, &individual, status) &&
		add_step(pretokenizer, STEP_NUMERIC, individual ? ISOLATED : CONTIGUOUS,
				 status) != NULL;
}

static bool
add_steps(SrmPretokenizer *pretokenizer, const SrmJson *json, SrmArena *arena,
		  SrmStatus *status)
{
	const char *type = srm_json_string(srm_json_member(json, "type"));

	if (type == NULL)
		return srm_fail(status, SRM_INVALID_MODEL, "pre-tokenizer of tokenizer has no type");
	if (strcmp(type, "Sequence") == 0)
	{
		const SrmJson *list = srm_json_member(json, "pretokenizers");

		if (list == NULL || list->type != SRM_JSON_ARRAY)
			return srm_fail(status, SRM_INVALID_MODEL, "pre-tokenizer of tokenizer is an invalid sequence");
		/* No deeper than the parser lets JSON be */
		for (const SrmJson *child = list->child; child != NULL; child = child->next)
			if (!add_steps(pretokenizer, child, arena, status))
				return false;
		return true;
	}
	/* These would put spaces among the printable form of bytes */
	if (pretokenizer->has_byte_level &&
		(strcmp(type, "ByteLevel") == 0 || strcmp(type, "Metaspace") == 0))
		return srm_fail(status, SRM_NOT_SUPPORTED,
						"pre-tokenizer \"%s\" behind \"ByteLevel\" is not supported", type);
	if (strcmp(type, "ByteLevel") == 0)
		return add_byte_level(pretokenizer, json, arena, status);
	if (strcmp(type, "Split") == 0)
		return add_split(pretokenizer, json, arena, status);
	if (strcmp(type, "Digits") == 0)
		return add_digits(pretokenizer, json, status);
	if (strcmp(type, "Metaspace") == 0)
		return add_metaspace(pretokenizer, json, arena, status);
	if (strcmp(type, "Punctuation") == 0)
		return add_punctuation(pretokenizer, json, status);
	if (strcmp(type, "CharDelimiterSplit") == 0)
		return add_delimiter(pretokenizer, json, arena, status);
	if (strcmp(type, "WhitespaceSplit") == 0)
		return add_step(pretokenizer, STEP_SPACE, REMOVED, status) != NULL;
	if (strcmp(type, "BertPreTokenizer") == 0)
		return add_step(pretokenizer, STEP_SPACE, REMOVED, status) != NULL &&
			add_step(pretokenizer, STEP_PUNCTUATION, ISOLATED, status) != NULL;
	/* \w+|[^\w\s]+ */
	if (strcmp(type, "Whitespace") == 0)
		return add_step(pretokenizer, STEP_SPACE, REMOVED, status) != NULL &&
			add_step(pretokenizer, STEP_WORD, CONTIGUOUS, status) != NULL;
	srm_fail(status, SRM_NOT_SUPPORTED, "pre-tokenizer \"%s\" is not supported", type);
	return srm_fail_hint(status, "Supported are ByteLevel, Metaspace, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, BertPreTokenizer, and sequences of them.");
}

SrmPretokenizer *
srm_pretokenizer_load(const SrmJson *json, SrmArena *arena, SrmStatus *status)
{
	SrmPretokenizer *pretokenizer = srm_arena_array(arena, 1, sizeof(SrmPretokenizer), status);

	if (pretokenizer == NULL)
		return NULL;
	if (json == NULL || add_steps(pretokenizer, json, arena, status))
		return pretokenizer;
	srm_pretokenizer_free(pretokenizer);
	return NULL;
}

bool
srm_pretokenizer_is_byte_level(const SrmPretokenizer *pretokenizer)
{
	return pretokenizer->has_byte_level;
}

void
srm_pretokenizer_free(SrmPretokenizer *pretokenizer)
{
	for (int i = 0; pretokenizer != NULL && i < pretokenizer->n; i++)
		srm_regex_close(pretokenizer->steps[i].regex);
}

/* ---- stretches of a piece ---- */

static bool
add_stretch(SrmSplitWork *work, uint32_t start, uint32_t end, bool is_match,
			SrmStatus *status)
{
	SrmStretch *stretch;

	if (!srm_arena_reserve(work->arena, &work->stretches, &work->stretch_capacity, work->n_stretches + 1,
						   sizeof(SrmStretch), status))
		return false;
	stretch = &work->stretches[work->n_stretches++];
	stretch->range.start = start;
	stretch->range.end = end;
	stretch->is_match = is_match;
	return true;
}

/* Where a pattern looks, and where that lies in the piece. */
typedef struct Sight
{
	const char *text;			/* the piece, or its bytes as printable characters */
	size_t		length;
	bool		by_bytes;
	uint32_t	seen;			/* a place in text, and the same in the piece: places come in order */
	uint32_t	place;
} Sight;

/* A byte as a printable character is one or two bytes. */
static bool
see_piece(const Step *step, const char *text, SrmRange piece, Sight *sight, SrmSplitWork *work,
		  SrmStatus *status)
{
	size_t		length = piece.end - piece.start;

	*sight = (Sight) {.text = text + piece.start,.length = length,.by_bytes = step->by_bytes};
	if (!step->by_bytes)
		return true;
	if (work->printable_capacity < 2 * length)
	{
		work->printable = srm_arena_alloc(work->arena, 4 * length, status);
		work->printable_capacity = work->printable == NULL ? 0 : 4 * length;
	}
	if (work->printable == NULL)
		return false;
	sight->length = srm_byte_level_write(sight->text, length, work->printable);
	sight->text = work->printable;
	return true;
}

/* The place in the piece of one in the text that is seen. */
static uint32_t
place_of(Sight *sight, uint32_t seen)
{
	if (!sight->by_bytes)
		return seen;
	while (sight->seen < seen)
	{
		sight->seen += (uint32_t) srm_utf8_size((unsigned char) sight->text[sight->seen]);
		sight->place++;
	}
	return sight->place;
}

static bool
find_by_regex(const Step *step, const char *text, SrmRange piece, SrmSplitWork *work,
			  const SrmStop *stop, SrmStatus *status)
{
	uint32_t	previous = 0;
	uint32_t	length = piece.end - piece.start;
	Sight		sight;

	/* The pattern sees the piece alone, so that anchors hold at its ends */
	if (!see_piece(step, text, piece, &sight, work, status) ||
		!srm_regex_start(step->regex, sight.text, sight.length, stop, status))
		return false;
	for (;;)
	{
		SrmRange	match = {0, 0};
		bool		found;

		if (work->n_stretches % PIECES_PER_STOP == 0 && !srm_continue(stop, status))
			return false;
		if (!srm_regex_next(step->regex, &match, &found, status))
			return false;
		if (!found)
			break;
		match.start = place_of(&sight, match.start);
		match.end = place_of(&sight, match.end);
		if ((match.start > previous &&
			 !add_stretch(work, piece.start + previous, piece.start + match.start,
						  step->inverted, status)) ||
			!add_stretch(work, piece.start + match.start, piece.start + match.end,
						 !step->inverted, status))
			return false;
		previous = match.end;
	}
	return previous == length ||
		add_stretch(work, piece.start + previous, piece.end, step->inverted, status);
}

static bool
is_member(StepKind kind, uint32_t code)
{
	if (kind == STEP_SPACE)
		return u_isUWhiteSpace((UChar32) code);
	if (kind == STEP_WORD)
		return srm_unicode_is_word(code);
	if (kind == STEP_PUNCTUATION)
		return srm_unicode_is_punctuation(code);
	return (U_GET_GC_MASK((UChar32) code) & U_GC_N_MASK) != 0;
}

/* Each character that is a member is a match of its own. */
static bool
find_by_character(const Step *step, const char *text, SrmRange piece, SrmSplitWork *work,
				  SrmStatus *status)
{
	size_t		offset = piece.start;
	uint32_t	previous = piece.start;

	while (offset < piece.end)
	{
		uint32_t	start = (uint32_t) offset;
		uint32_t	code = step->by_bytes ? srm_byte_level_character((unsigned char) text[offset++]) :
			srm_utf8_next(text, piece.end, &offset);

		if (!is_member(step->kind, code))
			continue;
		if ((start > previous && !add_stretch(work, previous, start, false, status)) ||
			!add_stretch(work, start, (uint32_t) offset, true, status))
			return false;
		previous = (uint32_t) offset;
	}
	return previous == piece.end || add_stretch(work, previous, piece.end, false, status);
}

/* ---- pieces ---- */

static bool
add_piece(SrmPieces *pieces, SrmRange range, SrmArena *arena, SrmStatus *status)
{
	if (range.start == range.end)
		return true;
	if (!srm_arena_reserve(arena, &pieces->items, &pieces->capacity, pieces->n + 1, sizeof(SrmRange), status))
		return false;
	pieces->items[pieces->n++] = range;
	return true;
}

/* Whether a stretch joins the one before it, in the order of the fold. */
static bool
joins(Behavior behavior, bool is_match, bool previous_match)
{
	return behavior == CONTIGUOUS ? is_match == previous_match : is_match && !previous_match;
}

/*
 * Joins stretches in their place.  MergedWithNext is MergedWithPrevious seen
 * from the end, down to which of several delimiters in a row is joined.
 */
static void
merge_stretches(Behavior behavior, SrmSplitWork *work)
{
	SrmStretch *stretches = work->stretches;
	size_t		count = work->n_stretches;
	bool		backwards = behavior == MERGED_WITH_NEXT;
	bool		previous_match = false;
	size_t		n = 0;

	for (size_t i = 0; i < count; i++)
	{
		SrmStretch	stretch = stretches[backwards ? count - 1 - i : i];
		SrmStretch *last = n == 0 ? NULL : &stretches[backwards ? count - n : n - 1];

		if (last != NULL && joins(behavior, stretch.is_match, previous_match))
		{
			if (backwards)
				last->range.start = stretch.range.start;
			else
				last->range.end = stretch.range.end;
		}
		else
		{
			stretches[backwards ? count - 1 - n : n] = stretch;
			n++;
		}
		previous_match = stretch.is_match;
	}
	if (backwards)
		memmove(stretches, stretches + count - n, n * sizeof(SrmStretch));
	work->n_stretches = n;
}

/* Cuts one piece of work->pieces into pieces of work->other. */
static bool
split_piece(const Step *step, const char *text, SrmRange piece, SrmSplitWork *work,
			const SrmStop *stop, SrmStatus *status)
{
	work->n_stretches = 0;
	if (!(step->kind == STEP_REGEX ?
		  find_by_regex(step, text, piece, work, stop, status) :
		  find_by_character(step, text, piece, work, status)))
		return false;
	if (step->behavior != REMOVED && step->behavior != ISOLATED)
		merge_stretches(step->behavior, work);
	for (size_t i = 0; i < work->n_stretches; i++)
	{
		const SrmStretch *stretch = &work->stretches[i];

		if (step->behavior == REMOVED && stretch->is_match)
			continue;
		if (!add_piece(&work->other, stretch->range, work->arena, status))
			return false;
	}
	return true;
}

/* Whether a piece gets a space before it. */
static bool
wants_prefix(const Step *step, const SrmNormalText *text, SrmRange piece)
{
	size_t		length = strlen(step->space);
	bool		has_one = text->text[piece.start] == ' ' ||
		(piece.end - piece.start >= length &&
		 memcmp(text->text + piece.start, step->space, length) == 0);

	if (has_one || step->prepend == NEVER)
		return false;
	return step->prepend == ALWAYS ||
		srm_normal_text_range(text, piece.start, piece.start + 1).start == 0;
}

/*
 * Copies the pieces to a new text, with spaces before them, which come from
 * where the first character of the piece comes from, and all spaces replaced.
 */
static bool
prefix_pieces(const Step *step, SrmNormalText *text, SrmSplitWork *work, SrmStatus *status)
{
	SrmNormalWriter writer = {.arena = work->arena};
	size_t		length = strlen(step->space);

	for (size_t i = 0; i < work->pieces.n; i++)
	{
		SrmRange	piece = work->pieces.items[i];
		SrmRange	out = {.start = (uint32_t) writer.n};

		if (wants_prefix(step, text, piece) &&
			!srm_normal_writer_put(&writer, step->space, length,
								   srm_normal_text_range(text, piece.start, piece.start + 1),
								   status))
			return false;
		for (uint32_t at = piece.start; at < piece.end; at++)
		{
			bool		is_space = text->text[at] == ' ';

			if (!srm_normal_writer_put(&writer, is_space ? step->space : text->text + at,
									   is_space ? length : 1,
									   srm_normal_text_range(text, at, at + 1), status))
				return false;
		}
		out.end = (uint32_t) writer.n;
		if (!add_piece(&work->other, out, work->arena, status))
			return false;
	}
	srm_normal_writer_finish(&writer, text);
	return true;
}

static bool
run_step(const Step *step, SrmNormalText *text, SrmSplitWork *work, const SrmStop *stop,
		 SrmStatus *status)
{
	SrmPieces	done;

	work->other.n = 0;
	if (step->kind == STEP_PREFIX)
	{
		if (!prefix_pieces(step, text, work, status))
			return false;
	}
	else
		for (size_t i = 0; i < work->pieces.n; i++)
		{
			if (i % PIECES_PER_STOP == 0 && !srm_continue(stop, status))
				return false;
			if (!split_piece(step, text->text, work->pieces.items[i], work, stop, status))
				return false;
		}
	done = work->pieces;
	work->pieces = work->other;
	work->other = done;
	return true;
}

bool
srm_pretokenizer_split(SrmPretokenizer *pretokenizer, SrmNormalText *text,
					   SrmSplitWork *work, const SrmStop *stop, SrmStatus *status)
{
	SrmRange	whole = {0, (uint32_t) text->length};

	work->pieces.n = 0;
	if (!add_piece(&work->pieces, whole, work->arena, status))
		return false;
	for (int i = 0; i < pretokenizer->n; i++)
		if (!run_step(&pretokenizer->steps[i], text, work, stop, status))
			return false;
	return true;
}
