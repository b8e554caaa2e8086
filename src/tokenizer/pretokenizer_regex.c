/*-------------------------------------------------------------------------
 *
 * pretokenizer_regex.c
 *	  The regular expressions of a tokenizer.json, run by ICU.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/pretokenizer_regex.h"

#include <string.h>
#include <unicode/uregex.h>
#include <unicode/ustring.h>
#include <unicode/utext.h>

/*
 * ICU reports its work in ticks of some ten thousand steps.  A good pattern
 * needs a few steps a byte; one that needs a thousand is catastrophic.
 */
#define TICKS_AT_LEAST		1000
#define BYTES_PER_TICK		100
#define MAX_STACK_BYTES		(64 * 1024 * 1024)

struct SrmRegex
{
	const char *pattern;
	URegularExpression *icu;
	UText		text;			/* opened by each srm_regex_start() */
	const SrmStop *stop;
	int64_t		ticks_left;		/* for the text */
	bool		stopped;
	int64_t		previous_end;	/* of the last match, or -1 */
};

/* Called by ICU every so often; false stops the search. */
static UBool U_CALLCONV
on_tick(const void *context, int32_t steps)
{
	SrmRegex   *regex = (SrmRegex *) context;

	(void) steps;
	regex->stopped = regex->stop != NULL && regex->stop->callback != NULL &&
		regex->stop->callback(regex->stop->arg);
	return !regex->stopped && --regex->ticks_left > 0;
}

static bool
fail_regex(const SrmRegex *regex, UErrorCode error, SrmStatus *status)
{
	if (regex->stopped)
		return srm_fail(status, SRM_STOPPED, "stopped");
	if (error == U_MEMORY_ALLOCATION_ERROR)
		return srm_fail_memory(status, 0);
	srm_fail(status, SRM_LIMIT_EXCEEDED, "regular expression of tokenizer takes too long");
	return srm_fail_detail(status, "The pattern is \"%s\" (%s).", regex->pattern,
						   u_errorName(error));
}

static bool
compile(SrmRegex *regex, const char *pattern, uint32_t flags, SrmArena *arena,
		SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;
	UParseError where = {0};
	int32_t		length = 0;
	size_t		size = strlen(pattern);
	UChar	   *units = srm_arena_alloc(arena, (size + 1) * sizeof(UChar), status);

	if (units == NULL)
		return false;
	u_strFromUTF8(units, (int32_t) size + 1, &length, pattern, (int32_t) size, &error);
	regex->icu = uregex_open(units, length, flags, &where, &error);
	if (U_SUCCESS(error))
		uregex_setStackLimit(regex->icu, MAX_STACK_BYTES, &error);
	if (U_SUCCESS(error))
		uregex_setMatchCallback(regex->icu, on_tick, regex, &error);
	if (U_SUCCESS(error))
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "invalid regular expression in tokenizer");
	srm_fail_detail(status, "The pattern is \"%s\" (%s).", regex->pattern, u_errorName(error));
	return false;
}

SrmRegex *
srm_regex_open(const char *pattern, bool is_literal, SrmArena *arena, SrmStatus *status)
{
	SrmRegex   *regex = srm_arena_array(arena, 1, sizeof(SrmRegex), status);
	const char *translated = is_literal ? pattern : NULL;
	UText		empty = UTEXT_INITIALIZER;

	if (regex == NULL)
		return NULL;
	regex->pattern = srm_arena_string(arena, pattern, strlen(pattern), status);
	regex->text = empty;
	if (!is_literal)
		translated = srm_regex_translate(pattern, arena, status);
	if (regex->pattern == NULL || translated == NULL)
		return NULL;
	/* For Ruby, lines end at \n only, and ^ and $ match at each of them */
	if (compile(regex, translated,
				is_literal ? UREGEX_LITERAL : UREGEX_MULTILINE | UREGEX_UNIX_LINES,
				arena, status))
		return regex;
	srm_regex_close(regex);
	return NULL;
}

void
srm_regex_close(SrmRegex *regex)
{
	if (regex == NULL)
		return;
	if (regex->icu != NULL)
		uregex_close(regex->icu);
	utext_close(&regex->text);
	regex->icu = NULL;
}

bool
srm_regex_start(SrmRegex *regex, const char *text, size_t length, const SrmStop *stop,
				SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;

	regex->stop = stop;
	regex->stopped = false;
	regex->ticks_left = TICKS_AT_LEAST + (int64_t) (length / BYTES_PER_TICK);
	regex->previous_end = -1;
	utext_openUTF8(&regex->text, text, (int64_t) length, &error);
	uregex_setUText(regex->icu, &regex->text, &error);
	return U_SUCCESS(error) || fail_regex(regex, error, status);
}

bool
srm_regex_next(SrmRegex *regex, SrmRange *match, bool *found, SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;
	int64_t		start;
	int64_t		end;

	/* An empty match right behind the last one does not count */
	do
	{
		*found = uregex_findNext(regex->icu, &error);
		if (U_FAILURE(error))
			return fail_regex(regex, error, status);
		if (!*found)
			return true;
		start = uregex_start64(regex->icu, 0, &error);
		end = uregex_end64(regex->icu, 0, &error);
	} while (start == end && start == regex->previous_end);
	regex->previous_end = end;
	match->start = (uint32_t) start;
	match->end = (uint32_t) end;
	return true;
}
