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
