/*-------------------------------------------------------------------------
 *
 * global.c
 *	  Functions that chat templates have without an object.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/eval.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "jinja/template.h"

/* Jinja's sandbox has the same limit. */
#define MAX_RANGE	100000

/* range(stop), range(start, stop), range(start, stop, step) */
static bool
global_range(JinjaCall *call, JinjaValue *result)
{
	bool		one = call->argv[1].type == JINJA_MISSING;
	int64_t		start = 0;
	int64_t		stop;
	int64_t		step;
	uint64_t	n = 0;
	JinjaList  *list;

	if ((!one && !srm_jinja_arg_int(call, 0, 0, &start)) ||
		!srm_jinja_arg_int(call, one ? 0 : 1, 0, &stop) || !srm_jinja_arg_int(call, 2, 1, &step))
		return false;
	if (step == 0)
		return srm_jinja_fail(call->eval, "the step of \"range\" cannot be zero");
	if (step > 0 && start < stop)
		n = ((uint64_t) stop - (uint64_t) start - 1) / (uint64_t) step + 1;
	else if (step < 0 && start > stop)
		n = ((uint64_t) start - (uint64_t) stop - 1) / (0 - (uint64_t) step) + 1;
	if (n > MAX_RANGE)
	{
		srm_fail(call->eval->status, SRM_LIMIT_EXCEEDED, "range is too large in chat template at line %d",
				 call->eval->line);
		return srm_fail_detail(call->eval->status, "The limit is %d items.", MAX_RANGE);
	}
	list = srm_jinja_list_new(call->eval, (size_t) n);
	if (list == NULL || !srm_jinja_charge(call->eval, (size_t) n))
		return false;
	for (uint64_t i = 0; i < n; i++)
		list->items[list->n++] = srm_jinja_int((int64_t) ((uint64_t) start + i * (uint64_t) step));
	*result = srm_jinja_list(list);
	return true;
}

/* The pairs of a dict, or of a sequence of pairs, added to dict. */
static bool
add_pairs(JinjaEval *eval, JinjaDict *dict, const JinjaValue *pairs)
{
	const JinjaList *items;

	if (pairs->type == JINJA_DICT)
	{
		for (size_t i = 0; i < pairs->dict->n; i++)
		{
			if (!srm_jinja_dict_set(eval, dict, pairs->dict->keys[i], pairs->dict->values[i]))
				return false;
		}
		return true;
	}
	items = srm_jinja_iterate(eval, pairs);
	for (size_t i = 0; items != NULL && i < items->n; i++)
	{
		const JinjaList *pair = srm_jinja_iterate(eval, &items->items[i]);

		if (pair == NULL)
			return false;
		if (pair->n != 2)
			return srm_jinja_fail(eval, "a dict requires pairs");
		if (!srm_jinja_dict_set(eval, dict, pair->items[0], pair->items[1]))
			return false;
	}
	return items != NULL;
}

/* variant: what type the dict is given as */
static bool
global_dict(JinjaCall *call, JinjaValue *result)
{
	const JinjaArguments *arguments = call->arguments;
	JinjaDict  *dict = srm_jinja_dict_new(call->eval, 0);
	JinjaValue	named = {.type = JINJA_DICT, .dict = arguments->named};

	if (dict == NULL)
		return false;
	if (arguments->positional->n > 1)
		return srm_jinja_fail(call->eval, "\"%s\" has too many arguments", call->builtin->name);
	if (arguments->positional->n == 1 &&
		!add_pairs(call->eval, dict, &arguments->positional->items[0]))
		return false;
	*result = (JinjaValue) {.type = (JinjaType) call->builtin->variant, .dict = dict};
	return add_pairs(call->eval, dict, &named);
}

static bool
global_raise_exception(JinjaCall *call, JinjaValue *result)
{
	JinjaString *words = srm_jinja_to_flat(call->eval, &call->argv[0]);

	*result = srm_jinja_none();
	if (words == NULL)
		return false;
	srm_fail(call->eval->status, SRM_INVALID_ARGUMENT,
			 "chat template does not accept the messages: %.*s",
			 (int) (words->length < 400 ? words->length : 400), words->data);
	return srm_fail_detail(call->eval->status, "It says so at line %d.", call->eval->line);
}

/* "2024-07-26" as midnight of that day. */
static bool
read_date(const char *date, struct tm *tm)
{
	int			length = 0;
	int			month;
	int			day;

	memset(tm, 0, sizeof(*tm));
	if (strspn(date, "0123456789-") != strlen(date) ||
		sscanf(date, "%4d-%2d-%2d%n", &tm->tm_year, &tm->tm_mon, &tm->tm_mday, &length) != 3 ||
		length != 10 || date[length] != '\0' || tm->tm_year < 1970)
		return false;
	tm->tm_year -= 1900;
	month = --tm->tm_mon;
	day = tm->tm_mday;
	/* Sets the day of the week and of the year, and moves a 31st of June to July */
	return timegm(tm) != (time_t) -1 && tm->tm_mon == month && tm->tm_mday == day;
}

bool
srm_template_date_valid(const char *date)
{
	struct tm	tm;

	return read_date(date, &tm);
}

/* Replaces what Python adds to, or has otherwise than, C's strftime(). */
static bool
expand_format(JinjaCall *call, const JinjaString *format, char *out, size_t size)
{
	size_t		n = 0;

	for (size_t i = 0; i < format->length; i++)
	{
		char		c = format->data[i];
		char		next = i + 1 < format->length ? format->data[i + 1] : '\0';

		if (n + 8 >= size)
			return srm_jinja_fail(call->eval, "format of \"strftime_now\" is too long");
		if (c == '%' && (next == 'z' || next == 'Z'))
			i++;				/* the date has no time zone */
		else if (c == '%' && next == 'f')
		{
			memcpy(out + n, "000000", 6);
			n += 6;
			i++;
		}
		else if (c == '%' && strchr("aAbBcCdDeFgGhHIjklmMnprRStTuUVwWxXyY%-", next) == NULL)
			return srm_jinja_unsupported(call->eval, "\"%%%c\" in \"strftime_now\"", next);
		else
		{
			out[n++] = c;
			if (c == '%' && next == '%')
				out[n++] = format->data[++i];
		}
	}
	out[n] = '\0';
	return true;
}

static bool
global_strftime_now(JinjaCall *call, JinjaValue *result)
{
	JinjaString *format = srm_jinja_arg_string(call, 0);
	char		expanded[256];
	char		text[1024];
	size_t		length;
	struct tm	tm;

	if (format == NULL || !expand_format(call, format, expanded, sizeof(expanded)))
		return false;
	if (!read_date(call->eval->date, &tm))
	{
		srm_fail(call->eval->status, SRM_INVALID_ARGUMENT, "invalid date for chat templates: \"%.40s\"",
				 call->eval->date);
		return srm_fail_detail(call->eval->status, "A date is written like \"2024-07-26\".");
	}
	length = strftime(text, sizeof(text), expanded, &tm);
	return srm_jinja_give_string(srm_jinja_string_copy(call->eval, text, length, SRM_FROM_TEMPLATE), result);
}

static const JinjaBuiltin globals[] = {
	{"dict", global_dict, NULL, 0, JINJA_DICT},
	{"namespace", global_dict, NULL, 0, JINJA_NAMESPACE},
	{"raise_exception", global_raise_exception, "message", 1, 0},
	{"range", global_range, "start stop step", 1, 0},
	{"strftime_now", global_strftime_now, "format", 1, 0},
};

const JinjaBuiltin *
srm_jinja_global(const char *name)
{
	return srm_jinja_builtin_find(globals, sizeof(globals) / sizeof(globals[0]), name);
}
