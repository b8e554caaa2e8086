/*-------------------------------------------------------------------------
 *
 * normalizer.c
 *	  What a tokenizer does to a text before it cuts it into words.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/normalizer.h"

#include <string.h>
#include <unicode/uchar.h>

#include "base/utf8.h"
#include "tokenizer/normalizer_charsmap.h"
#include "tokenizer/normalizer_form.h"
#include "tokenizer/pretokenizer_regex.h"
#include "tokenizer/unicode_classes.h"

#define MAX_STEPS			16
#define MATCHES_PER_STOP	4096

/* A step may make a text so many times longer, and so many bytes. */
#define MAX_GROWTH			16
#define MAX_GROWTH_BYTES	(1024 * 1024)

typedef enum StepKind
{
	STEP_FORM,
	STEP_CHARSMAP,
	STEP_PREPEND,
	STEP_REPLACE,				/* a literal text */
	STEP_REPLACE_REGEX,
	STEP_STRIP,
	STEP_STRIP_ACCENTS,
	STEP_LOWERCASE,
	STEP_NMT,					/* control characters as SentencePiece's "nmt" has them */
	STEP_CLEAN,					/* no control characters, and spaces for all white space, as for BERT */
	STEP_CHINESE,				/* spaces around ideographs */
	STEP_STRIP_NONSPACING		/* marks, but for those with a width */
} StepKind;

typedef struct Step
{
	StepKind	kind;
	SrmNormalForm form;
	SrmCharsmap *charsmap;
	SrmRegex   *regex;
	const char *pattern;		/* of STEP_REPLACE */
	size_t		pattern_length;
	const char *content;		/* what is put in, of STEP_PREPEND and both STEP_REPLACE */
	size_t		content_length;
	bool		strips_left;
	bool		strips_right;
} Step;

struct SrmNormalizer
{
	Step		steps[MAX_STEPS];
	int			n;
};

/* ---- loading ---- */

static bool
fail_field(const char *type, const char *field, SrmStatus *status)
{
	return srm_fail(status, SRM_INVALID_MODEL, "invalid \"%s\" of normalizer \"%s\" in tokenizer",
					field, type);
}

/* A string, which may be empty. */
static bool
read_string(const SrmJson *json, const char *type, const char *key, const char **text,
			size_t *length, SrmArena *arena, SrmStatus *status)
{
	const SrmJson *member = srm_json_member(json, key);

	if (srm_json_string(member) == NULL)
		return fail_field(type, key, status);
	*length = member->n;
	*text = srm_arena_string(arena, member->text, member->n, status);
	return *text != NULL;
}

static bool
read_replace(Step *step, const SrmJson *json, SrmArena *arena, SrmStatus *status)
{
	const SrmJson *pattern = srm_json_member(json, "pattern");
	const char *regex = srm_json_string(srm_json_member(pattern, "Regex"));
	const char *literal = srm_json_string(srm_json_member(pattern, "String"));

	if (!read_string(json, "Replace", "content", &step->content, &step->content_length,
					 arena, status))
		return false;
	if ((regex == NULL) == (literal == NULL))
		return fail_field("Replace", "pattern", status);
	if (regex != NULL)
	{
		step->kind = STEP_REPLACE_REGEX;
		step->regex = srm_regex_open(regex, false, arena, status);
		return step->regex != NULL;
	}
	step->pattern_length = strlen(literal);
	step->pattern = srm_arena_string(arena, literal, step->pattern_length, status);
	if (step->pattern_length == 0)
		return srm_fail(status, SRM_NOT_SUPPORTED,
						"normalizer \"Replace\" with an empty pattern is not supported");
	return step->pattern != NULL;
}

static bool
read_strip(Step *step, const SrmJson *json, SrmStatus *status)
{
	return srm_json_get_bool(json, "strip_left", true, &step->strips_left, status) &&
		srm_json_get_bool(json, "strip_right", true, &step->strips_right, status);
}

static bool
read_charsmap(Step *step, const SrmJson *json, SrmArena *arena, SrmStatus *status)
{
	const SrmJson *data = srm_json_member(json, "precompiled_charsmap");

	if (srm_json_string(data) == NULL)
		return fail_field("Precompiled", "precompiled_charsmap", status);
	step->charsmap = srm_charsmap_load(data->text, data->n, arena, status);
	return step->charsmap != NULL;
}

static bool
read_step(Step *step, const char *type, const SrmJson *json, SrmArena *arena,
		  SrmStatus *status)
{
	static const struct
	{
		const char *name;
		StepKind	kind;
	}			kinds[] = {
		{"NFC", STEP_FORM}, {"NFD", STEP_FORM}, {"NFKC", STEP_FORM}, {"NFKD", STEP_FORM},
		{"Precompiled", STEP_CHARSMAP}, {"Prepend", STEP_PREPEND}, {"Replace", STEP_REPLACE},
		{"Strip", STEP_STRIP}, {"StripAccents", STEP_STRIP_ACCENTS},
		{"Lowercase", STEP_LOWERCASE}, {"Nmt", STEP_NMT}
	};
	size_t		i = 0;

	while (i < sizeof(kinds) / sizeof(kinds[0]) && strcmp(type, kinds[i].name) != 0)
		i++;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "normalizer \"%s\" of tokenizer is not supported", type);
		return srm_fail_hint(status, "Supported are NFC, NFD, NFKC, NFKD, Precompiled, Prepend, Replace, Strip, StripAccents, Lowercase, Nmt, BertNormalizer, and sequences of them.");
	}
	step->kind = kinds[i].kind;
	switch (step->kind)
	{
		case STEP_FORM:
			return srm_normal_form_open(&step->form, type, status);
		case STEP_CHARSMAP:
			return read_charsmap(step, json, arena, status);
		case STEP_PREPEND:
			return read_string(json, type, "prepend", &step->content, &step->content_length,
							   arena, status);
		case STEP_REPLACE:
			return read_replace(step, json, arena, status);
		case STEP_STRIP:
			return read_strip(step, json, status);
		default:
			return true;
	}
}

/* A step of that kind, or NULL. */
static Step *
new_step(SrmNormalizer *normalizer, StepKind kind, SrmStatus *status)
{
	if (normalizer->n == MAX_STEPS)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer has too many normalizers");
		return NULL;
	}
	normalizer->steps[normalizer->n].kind = kind;
	return &normalizer->steps[normalizer->n++];
}

static bool
add_kind(SrmNormalizer *normalizer, StepKind kind, SrmStatus *status)
{
	return new_step(normalizer, kind, status) != NULL;
}

/* Accents go where letters become small ones, unless the file says otherwise. */
static bool
add_bert(SrmNormalizer *normalizer, const SrmJson *json, SrmStatus *status)
{
	bool		cleans;
	bool		parts_chinese;
	bool		lowers;
	bool		strips;

	if (!srm_json_get_bool(json, "clean_text", true, &cleans, status) ||
		!srm_json_get_bool(json, "handle_chinese_chars", true, &parts_chinese, status) ||
		!srm_json_get_bool(json, "lowercase", true, &lowers, status) ||
		!srm_json_get_bool(json, "strip_accents", lowers, &strips, status))
		return false;
	if ((cleans && !add_kind(normalizer, STEP_CLEAN, status)) ||
		(parts_chinese && !add_kind(normalizer, STEP_CHINESE, status)))
		return false;
	if (strips)
	{
		Step	   *step = new_step(normalizer, STEP_FORM, status);

		if (step == NULL || !srm_normal_form_open(&step->form, "NFD", status) ||
			!add_kind(normalizer, STEP_STRIP_NONSPACING, status))
			return false;
	}
	return !lowers || add_kind(normalizer, STEP_LOWERCASE, status);
}

static bool
add_steps(SrmNormalizer *normalizer, const SrmJson *json, SrmArena *arena, SrmStatus *status)
{
	const char *type = srm_json_string(srm_json_member(json, "type"));
	const SrmJson *list = srm_json_member(json, "normalizers");

	if (type == NULL)
		return srm_fail(status, SRM_INVALID_MODEL, "normalizer of tokenizer has no type");
	if (strcmp(type, "BertNormalizer") == 0)
		return add_bert(normalizer, json, status);
	if (strcmp(type, "Sequence") != 0)
	{
		Step	   *step = new_step(normalizer, STEP_FORM, status);

		return step != NULL && read_step(step, type, json, arena, status);
	}
	if (list == NULL || list->type != SRM_JSON_ARRAY)
		return srm_fail(status, SRM_INVALID_MODEL, "normalizer of tokenizer is an invalid sequence");
	/* No deeper than the parser lets JSON be */
	for (const SrmJson *child = list->child; child != NULL; child = child->next)
		if (!add_steps(normalizer, child, arena, status))
			return false;
	return true;
}

SrmNormalizer *
srm_normalizer_load(const SrmJson *json, SrmArena *arena, SrmStatus *status)
{
	SrmNormalizer *normalizer = srm_arena_array(arena, 1, sizeof(SrmNormalizer), status);

	if (normalizer == NULL || json == NULL || add_steps(normalizer, json, arena, status))
		return normalizer;
	srm_normalizer_free(normalizer);
	return NULL;
}

void
srm_normalizer_free(SrmNormalizer *normalizer)
{
	for (int i = 0; normalizer != NULL && i < normalizer->n; i++)
		srm_regex_close(normalizer->steps[i].regex);
}

/* ---- steps ---- */

/* The first character shares its origin with what is put before it. */
static bool
prepend(const Step *step, SrmNormalText *text, SrmNormalWriter *writer, SrmStatus *status)
{
	SrmRange	first = srm_normal_text_range(text, 0, 1);

	return srm_normal_writer_put(writer, step->content, step->content_length, first, status) &&
		srm_normal_writer_copy(writer, text, 0, text->length, status);
}

/* Writes what is put in the place of bytes [start, end), which has the origin of their end. */
static bool
put_content(const Step *step, const SrmNormalText *text, size_t end, size_t limit,
			SrmNormalWriter *writer, SrmStatus *status)
{
	size_t		from = end == 0 ? 0 : end - 1;

	if (writer->n + step->content_length > limit)
		return srm_fail(status, SRM_LIMIT_EXCEEDED, "normalizer \"Replace\" makes the text too long");
	return srm_normal_writer_put(writer, step->content, step->content_length,
								 srm_normal_text_range(text, from, from + 1), status);
}

/* How long a replaced text may get. */
static size_t
growth_limit(const SrmNormalText *text)
{
	return text->length * MAX_GROWTH + MAX_GROWTH_BYTES;
}

static bool
replace_literal(const Step *step, const SrmNormalText *text, SrmNormalWriter *writer,
				const SrmStop *stop, SrmStatus *status)
{
	size_t		limit = growth_limit(text);
	size_t		start = 0;
	const char *found;

	for (size_t n = 0;
		 start < text->length &&
		 (found = memmem(text->text + start, text->length - start,
						 step->pattern, step->pattern_length)) != NULL; n++)
	{
		size_t		at = (size_t) (found - text->text);

		if (n % MATCHES_PER_STOP == 0 && !srm_continue(stop, status))
			return false;
		if (!srm_normal_writer_copy(writer, text, start, at, status) ||
			!put_content(step, text, at + step->pattern_length, limit, writer, status))
			return false;
		start = at + step->pattern_length;
	}
	return srm_normal_writer_copy(writer, text, start, text->length, status);
}

static bool
replace_regex(const Step *step, const SrmNormalText *text, SrmNormalWriter *writer,
			  const SrmStop *stop, SrmStatus *status)
{
	size_t		limit = growth_limit(text);
	size_t		start = 0;

	if (!srm_regex_start(step->regex, text->text, text->length, stop, status))
		return false;
	for (size_t n = 0;; n++)
	{
		SrmRange	match = {0, 0};
		bool		found;

		if (n % MATCHES_PER_STOP == 0 && !srm_continue(stop, status))
			return false;
		if (!srm_regex_next(step->regex, &match, &found, status))
			return false;
		if (!found)
			break;
		if (!srm_normal_writer_copy(writer, text, start, match.start, status) ||
			!put_content(step, text, match.end, limit, writer, status))
			return false;
		start = match.end;
	}
	return srm_normal_writer_copy(writer, text, start, text->length, status);
}

/* White space at the ends, which takes no copy. */
static void
strip(const Step *step, SrmNormalText *text)
{
	size_t		start = 0;
	size_t		end = text->length;

	while (step->strips_left && start < end)
	{
		size_t		next = start;

		if (!srm_utf8_is_white_space(srm_utf8_next(text->text, text->length, &next)))
			break;
		start = next;
	}
	while (step->strips_right && end > start)
	{
		size_t		at = end - 1;
		size_t		next;

		while (srm_utf8_is_continuation((unsigned char) text->text[at]))
			at--;
		next = at;
		if (!srm_utf8_is_white_space(srm_utf8_next(text->text, text->length, &next)))
			break;
		end = at;
	}
	*text = srm_normal_text_slice(text, start, end);
}

/* What SentencePiece's "nmt" makes of a character; 0: it goes. */
static uint32_t
nmt_character(uint32_t code)
{
	if ((code >= 0x01 && code <= 0x08) || code == 0x0B || (code >= 0x0E && code <= 0x1F) ||
		code == 0x7F || code == 0x8F || code == 0x9F)
		return 0;
	if (code == 0x09 || code == 0x0A || code == 0x0C || code == 0x0D || code == 0x1680 ||
		(code >= 0x200B && code <= 0x200F) || code == 0x2028 || code == 0x2029 ||
		code == 0x2581 || code == 0xFEFF || code == 0xFFFD)
		return ' ';
	return code;
}

/* What BERT's cleaning makes of a character; 0: it goes. */
static uint32_t
clean_character(uint32_t code)
{
	if (code == '\t' || code == '\n' || code == '\r')
		return ' ';
	if (code == 0xFFFD || srm_unicode_is_other(code))
		return 0;
	return srm_utf8_is_white_space(code) ? ' ' : code;
}

/* The blocks that BERT's code lists, which leave out some; the one from U+2B920 on is a slip that models have learned. */
static bool
is_chinese(uint32_t code)
{
	return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
		(code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B81F) ||
		(code >= 0x2B920 && code <= 0x2CEAF) || (code >= 0xF900 && code <= 0xFAFF) ||
		(code >= 0x2F800 && code <= 0x2FA1F);
}

/* What a step makes of one character, whatever stands around it; 0: it goes. */
static uint32_t
map_character(StepKind kind, uint32_t code)
{
	switch (kind)
	{
		case STEP_STRIP_ACCENTS:
			return srm_unicode_is_mark(code) ? 0 : code;
		case STEP_STRIP_NONSPACING:
			return srm_unicode_is_nonspacing_mark(code) ? 0 : code;
		case STEP_NMT:
			return nmt_character(code);
		case STEP_CLEAN:
			return clean_character(code);
		default:
			return (uint32_t) u_tolower((UChar32) code);
	}
}

/* Puts spaces around ideographs, which come from where they come from. */
static bool
space_chinese(const SrmNormalText *text, SrmNormalWriter *writer, SrmStatus *status)
{
	size_t		offset = 0;

	while (offset < text->length)
	{
		size_t		next = offset;
		uint32_t	code = srm_utf8_next(text->text, text->length, &next);
		bool		done;

		if (is_chinese(code))
			done = srm_normal_writer_replace(writer, text, &offset, ' ', 1, status) &&
				srm_normal_writer_replace(writer, text, &offset, code, 0, status) &&
				srm_normal_writer_replace(writer, text, &offset, ' ', 0, status);
		else
			done = srm_normal_writer_replace(writer, text, &offset, code, 1, status);
		if (!done)
			return false;
	}
	return true;
}

static bool
map_characters(StepKind kind, const SrmNormalText *text, SrmNormalWriter *writer,
			   SrmStatus *status)
{
	size_t		offset = 0;

	while (offset < text->length)
	{
		size_t		next = offset;
		uint32_t	code = srm_utf8_next(text->text, text->length, &next);
		uint32_t	mapped = map_character(kind, code);

		if (mapped == 0)
			offset = next;
		else if (!srm_normal_writer_replace(writer, text, &offset, mapped, 1, status))
			return false;
		/* The one letter that becomes two: I with a dot above */
		if (kind == STEP_LOWERCASE && code == 0x130 &&
			!srm_normal_writer_replace(writer, text, &offset, 0x307, 0, status))
			return false;
	}
	return true;
}

/* Steps that write a new text. */
static bool
rewrite(const Step *step, SrmNormalText *text, SrmArena *arena, const SrmStop *stop,
		SrmStatus *status)
{
	SrmNormalWriter writer = {.arena = arena};
	bool		done;

	if (!srm_normal_writer_reserve(&writer, text->length + step->content_length, status))
		return false;
	if (step->kind == STEP_PREPEND)
		done = prepend(step, text, &writer, status);
	else if (step->kind == STEP_REPLACE)
		done = replace_literal(step, text, &writer, stop, status);
	else if (step->kind == STEP_REPLACE_REGEX)
		done = replace_regex(step, text, &writer, stop, status);
	else if (step->kind == STEP_CHINESE)
		done = space_chinese(text, &writer, status);
	else
		done = map_characters(step->kind, text, &writer, status);
	srm_normal_writer_finish(&writer, text);
	return done;
}

bool
srm_normalizer_apply(const SrmNormalizer *normalizer, SrmNormalText *text,
					 SrmArena *arena, const SrmStop *stop, SrmStatus *status)
{
	for (int i = 0; i < normalizer->n && text->length > 0; i++)
	{
		const Step *step = &normalizer->steps[i];
		bool		done = true;

		if (step->kind == STEP_FORM)
			done = srm_normal_form_apply(&step->form, text, arena, status);
		else if (step->kind == STEP_CHARSMAP)
			done = srm_charsmap_apply(step->charsmap, text, arena, stop, status);
		else if (step->kind == STEP_STRIP)
			strip(step, text);
		else
			done = rewrite(step, text, arena, stop, status);
		if (!done)
			return false;
	}
	return true;
}
