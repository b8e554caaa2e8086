/*-------------------------------------------------------------------------
 *
 * separator.c
 *	  Separators of a text by a regular expression of ICU's.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/separator.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#include <unicode/uregex.h>
#include <unicode/utext.h>

/* Units of ICU's, each some milliseconds, that one match may take. */
#define MAX_TIME	1000

/* Heap for backtracking. */
#define MAX_STACK_BYTES (8 << 20)

struct SrmSeparator
{
	URegularExpression *regex;
	UText		text;
	size_t		length;
	const SrmStop *stop;
	SrmStatus  *status;
};

/* ICU asks this while it matches. */
static UBool
go_on(const void *context, int32_t steps)
{
	const SrmSeparator *separator = context;

	(void) steps;
	return srm_continue(separator->stop, separator->status);
}

static bool
fail(SrmSeparator *separator, UErrorCode error)
{
	SrmStatus  *status = separator->status;

	if (status->code != SRM_OK)
		return false;			/* stopped */
	if (error != U_REGEX_TIME_OUT && error != U_REGEX_STACK_OVERFLOW)
		return srm_fail(status, SRM_INTERNAL, "could not match regular expression of segmenter: %s",
						u_errorName(error));
	srm_fail(status, SRM_LIMIT_EXCEEDED, "regular expression of segmenter takes too much %s",
			 error == U_REGEX_TIME_OUT ? "time" : "memory");
	return srm_fail_hint(status, "Avoid nested repetitions such as (a+)+ in the pattern.");
}

SrmSeparator *
srm_separator_open(const char *pattern, SrmStatus *status)
{
	SrmSeparator *separator = srm_calloc(1, sizeof(SrmSeparator), status);
	UText		text = UTEXT_INITIALIZER;
	UParseError where = {0};
	UErrorCode	error = U_ZERO_ERROR;

	if (separator == NULL)
		return NULL;
	separator->text = (UText) UTEXT_INITIALIZER;
	utext_openUTF8(&text, pattern, (int64_t) strlen(pattern), &error);
	separator->regex = uregex_openUText(&text, UREGEX_MULTILINE, &where, &error);
	utext_close(&text);
	if (U_SUCCESS(error))
	{
		uregex_setTimeLimit(separator->regex, MAX_TIME, &error);
		uregex_setStackLimit(separator->regex, MAX_STACK_BYTES, &error);
		uregex_setMatchCallback(separator->regex, go_on, separator, &error);
	}
	if (U_SUCCESS(error) && pattern[0] != '\0')
		return separator;
	srm_fail(status, SRM_INVALID_ARGUMENT, "invalid regular expression of segmenter: \"%s\"", pattern);
	if (U_FAILURE(error))
		srm_fail_detail(status, "ICU says %s at line %d, column %d.", u_errorName(error),
						where.line, where.offset);
	else
		srm_fail_detail(status, "It is empty.");
	srm_separator_free(separator);
	return NULL;
}

void
srm_separator_free(SrmSeparator *separator)
{
	if (separator == NULL)
		return;
	if (separator->regex != NULL)
		uregex_close(separator->regex);
	utext_close(&separator->text);
	free(separator);
}

bool
srm_separator_start(SrmSeparator *separator, const char *text, size_t length,
					const SrmStop *stop, SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;

	separator->length = length;
	separator->stop = stop;
	separator->status = status;
	utext_openUTF8(&separator->text, text, (int64_t) length, &error);
	uregex_setUText(separator->regex, &separator->text, &error);
	return U_SUCCESS(error) ? true : fail(separator, error);
}

bool
srm_separator_next(SrmSeparator *separator, size_t *end)
{
	UErrorCode	error = U_ZERO_ERROR;

	while (uregex_findNext(separator->regex, &error) && U_SUCCESS(error))
	{
		int64_t		start = uregex_start64(separator->regex, 0, &error);

		*end = (size_t) uregex_end64(separator->regex, 0, &error);
		if (U_SUCCESS(error) && (size_t) start < *end)
			return true;
	}
	*end = separator->length;
	return U_SUCCESS(error) ? true : fail(separator, error);
}
