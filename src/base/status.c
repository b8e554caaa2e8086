/*-------------------------------------------------------------------------
 *
 * status.c
 *	  What a call of the engine came to, and why.
 *
 *-------------------------------------------------------------------------
 */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
srm_status_init(SrmStatus *status)
{
	memset(status, 0, sizeof(SrmStatus));
}

/* Ends a cut text before the UTF-8 character that did not fit. */
static void
drop_partial_character(char *text)
{
	size_t		length = strlen(text);
	size_t		start = length;

	while (start > 0 && ((unsigned char) text[start - 1] & 0xC0) == 0x80)
		start--;
	if (start > 0)
		text[start - 1] = '\0';
}

static void print_text(char *text, size_t size, const char *format, va_list args) SRM_PRINTF(3, 0);

static void
print_text(char *text, size_t size, const char *format, va_list args)
{
	if (vsnprintf(text, size, format, args) >= (int) size)
		drop_partial_character(text);
}

bool
srm_fail(SrmStatus *status, SrmCode code, const char *format,...)
{
	va_list		args;

	if (status->code != SRM_OK)
		return false;
	status->code = code;
	va_start(args, format);
	print_text(status->message, sizeof(status->message), format, args);
	va_end(args);
	return false;
}

bool
srm_fail_file(SrmStatus *status, int errnum, const char *format,...)
{
	va_list		args;

	if (status->code != SRM_OK)
		return false;
	status->code = SRM_FILE_ACCESS;
	status->errnum = errnum;
	va_start(args, format);
	print_text(status->message, sizeof(status->message), format, args);
	va_end(args);
	return false;
}

bool
srm_fail_memory(SrmStatus *status, size_t size)
{
	if (status->code != SRM_OK)
		return false;
	srm_fail(status, SRM_OUT_OF_MEMORY, "out of memory");
	return srm_fail_detail(status, "Failed on request of size %zu.", size);
}

bool
srm_fail_detail(SrmStatus *status, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	print_text(status->detail, sizeof(status->detail), format, args);
	va_end(args);
	return false;
}

bool
srm_fail_hint(SrmStatus *status, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	print_text(status->hint, sizeof(status->hint), format, args);
	va_end(args);
	return false;
}

/* Whether the contents of something that was read are refused. */
static bool
is_refusal(const SrmStatus *status)
{
	return status->code == SRM_INVALID_MODEL || status->code == SRM_NOT_SUPPORTED ||
		status->code == SRM_LIMIT_EXCEEDED;
}

static bool
is_named(const SrmStatus *status, const char *text)
{
	return strstr(status->message, text) != NULL || strstr(status->detail, text) != NULL ||
		strstr(status->hint, text) != NULL;
}

/* Another sentence behind those that are there; text is one of the status. */
static void add_sentence(char *text, size_t size, const char *format,...) SRM_PRINTF(3, 4);

static void
add_sentence(char *text, size_t size, const char *format,...)
{
	size_t		length = strlen(text);
	va_list		args;

	if (length > 0 && length + 1 < size)
		text[length++] = ' ';
	va_start(args, format);
	print_text(text + length, size - length, format, args);
	va_end(args);
}

bool
srm_fail_key(SrmStatus *status, const char *key)
{
	char		quoted[80];

	snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	if (is_refusal(status) && !is_named(status, quoted))
		add_sentence(status->detail, sizeof(status->detail), "It is in %s.", quoted);
	return false;
}

bool
srm_fail_place(SrmStatus *status, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!is_refusal(status) || is_named(status, path))
		return false;
	if (slash != NULL && strstr(status->message, "file \"") != NULL)
		add_sentence(status->hint, sizeof(status->hint), "The files are in \"%.*s\".", (int) (slash - path), path);
	else
		add_sentence(status->hint, sizeof(status->hint), "Check file \"%s\".", path);
	return false;
}

bool
srm_stop_is_pending(const SrmStop *stop)
{
	if (stop == NULL || stop->callback == NULL)
		return false;
	return stop->pending == NULL || stop->pending(stop->arg);
}

bool
srm_continue(const SrmStop *stop, SrmStatus *status)
{
	if (!srm_stop_is_pending(stop) || !stop->callback(stop->arg))
		return true;
	return srm_fail(status, SRM_STOPPED, "stopped");
}
