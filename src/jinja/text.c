/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Text manipulation that filters and string methods share.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/text.h"

#include <string.h>

#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include "base/utf8.h"

/* A code point's special case mapping has at most three code points. */
#define MAX_MAPPED	8

/*
 * Writes the upper (or title) or lower case of one code point to out, which
 * has room for MAX_MAPPED * 4 bytes; returns how many bytes.
 */
static size_t
map_code(uint32_t code, JinjaCase how, char *out)
{
	UChar		from[2];
	UChar		to[MAX_MAPPED];
	int32_t		n = 0;
	int32_t		n_to;
	size_t		length = 0;
	UErrorCode	error = U_ZERO_ERROR;

	if (code < 0x80)
	{
		code = how == JINJA_LOWER ? (uint32_t) u_tolower((UChar32) code) : (uint32_t) u_toupper((UChar32) code);
		out[0] = (char) code;
		return 1;
	}
	U16_APPEND_UNSAFE(from, n, code);
	if (how == JINJA_LOWER)
		n_to = u_strToLower(to, MAX_MAPPED, from, n, "", &error);
	else if (how == JINJA_UPPER)
		n_to = u_strToUpper(to, MAX_MAPPED, from, n, "", &error);
	else
		n_to = u_strToTitle(to, MAX_MAPPED, from, n, NULL, "", &error);
	if (U_FAILURE(error) || n_to > MAX_MAPPED)
		return srm_utf8_encode(code, out);
	for (int32_t i = 0; i < n_to;)
	{
		UChar32		mapped;

		U16_NEXT(to, i, n_to, mapped);
		length += srm_utf8_encode((uint32_t) mapped, out + length);
	}
	return length;
}

static bool
is_cased(uint32_t code)
{
	return u_hasBinaryProperty((UChar32) code, UCHAR_CASED);
}

/* Whether a sigma before next ends a word: a cased letter before it and none after. */
static bool
is_final_sigma(const JinjaString *string, size_t next, bool after_cased)
{
	while (after_cased && next < string->length)
	{
		uint32_t	code = srm_utf8_next(string->data, string->length, &next);

		if (!u_hasBinaryProperty((UChar32) code, UCHAR_CASE_IGNORABLE))
			return !is_cased(code);
	}
	return after_cased;
}

/* Whether the title filter starts a word after this. */
static bool
splits_words(uint32_t code)
{
	return code == '-' || code == '(' || code == '{' || code == '[' || code == '<' ||
		srm_jinja_is_space(code);
}

/* How a character's case changes, by what comes before it. */
static JinjaCase
case_at(JinjaCase how, size_t at, bool after_cased, bool word_start)
{
	switch (how)
	{
		case JINJA_CAPITALIZE:
			return at == 0 ? JINJA_TITLE : JINJA_LOWER;
		case JINJA_TITLE:
			return after_cased ? JINJA_LOWER : JINJA_TITLE;
		case JINJA_TITLE_FILTER:
			return word_start ? JINJA_UPPER : JINJA_LOWER;
		default:
			return how;
	}
}

JinjaString *
srm_jinja_change_case(JinjaEval *eval, const JinjaString *string, JinjaCase how)
{
	SrmOrigin	origin = srm_jinja_origin(string);
	JinjaBuilder builder;
	bool		after_cased = false;
	bool		after_letter = false;	/* the same, but for what case ignores */
	bool		word_start = true;
	size_t		at = 0;

	srm_jinja_builder_init(&builder);
	if (!srm_jinja_charge(eval, string->length))
		return NULL;
	while (at < string->length)
	{
		size_t		next = at;
		uint32_t	code = srm_utf8_next(string->data, string->length, &next);
		JinjaCase	change = case_at(how, at, after_cased, word_start);
		char		mapped[MAX_MAPPED * 4];
		size_t		length = map_code(code, change, mapped);

		if (code == 0x3A3 && change == JINJA_LOWER &&
			is_final_sigma(string, next, after_letter))
			length = srm_utf8_encode(0x3C2, mapped);
		if (!srm_jinja_builder_add(eval, &builder, mapped, length, origin))
			return NULL;
		after_cased = is_cased(code);
		if (!u_hasBinaryProperty((UChar32) code, UCHAR_CASE_IGNORABLE))
			after_letter = after_cased;
		word_start = splits_words(code);
		at = next;
	}
	return srm_jinja_builder_finish(eval, &builder);
}

bool
srm_jinja_is_case(const JinjaString *string, JinjaCase how)
{
	bool		found = false;
	size_t		at = 0;

	while (at < string->length)
	{
		uint32_t	code = srm_utf8_next(string->data, string->length, &at);

		if (u_charType((UChar32) code) == U_TITLECASE_LETTER ||
			u_hasBinaryProperty((UChar32) code, how == JINJA_UPPER ? UCHAR_LOWERCASE : UCHAR_UPPERCASE))
			return false;
		found = found || is_cased(code);
	}
	return found;
}

static bool
is_stripped(uint32_t code, const JinjaString *chars)
{
	size_t		at = 0;

	if (chars == NULL)
		return srm_jinja_is_space(code);
	while (at < chars->length)
	{
		if (srm_utf8_next(chars->data, chars->length, &at) == code)
			return true;
	}
	return false;
}

JinjaString *
srm_jinja_strip(JinjaEval *eval, const JinjaString *string, const JinjaString *chars, bool left,
				bool right)
{
	size_t		start = 0;
	size_t		end = string->length;

	while (left && start < end)
	{
		size_t		next = start;

		if (!is_stripped(srm_utf8_next(string->data, end, &next), chars))
			break;
		start = next;
		if (!srm_jinja_charge(eval, chars == NULL ? 0 : chars->length / 8 + 1))
			return NULL;
	}
	while (right && end > start)
	{
		size_t		at = end - 1;
		size_t		next;

		while (at > start && srm_utf8_is_continuation((unsigned char) string->data[at]))
			at--;
		next = at;
		if (!is_stripped(srm_utf8_next(string->data, end, &next), chars))
			break;
		end = at;
		if (!srm_jinja_charge(eval, chars == NULL ? 0 : chars->length / 8 + 1))
			return NULL;
	}
	if (!srm_jinja_charge_bytes(eval, string->length - (end - start)))
		return NULL;
	return srm_jinja_substring(eval, string, start, end - start);
}

/* Where old is next replaced; an empty one stands before each character and at the end. */
static size_t
find_old(const JinjaString *string, const JinjaString *old, size_t at, bool first)
{
	if (old->length > 0)
		return srm_jinja_find(string, old, at);
	if (first)
		return 0;
	if (at >= string->length)
		return SIZE_MAX;
	return at + srm_utf8_size((unsigned char) string->data[at]);
}

JinjaString *
srm_jinja_replace(JinjaEval *eval, const JinjaString *string, const JinjaString *old,
				  const JinjaString *new, int64_t limit)
{
	JinjaBuilder builder;
	size_t		at = 0;

	srm_jinja_builder_init(&builder);
	for (int64_t n = 0; limit < 0 || n < limit; n++)
	{
		size_t		found = find_old(string, old, at, n == 0);

		if (found == SIZE_MAX)
			break;
		if (!srm_jinja_charge(eval, 1) ||
			!srm_jinja_builder_slice(eval, &builder, string, at, found - at) ||
			!srm_jinja_builder_slice(eval, &builder, new, 0, new->length))
			return NULL;
		at = found + old->length;
	}
	if (!srm_jinja_builder_slice(eval, &builder, string, at, string->length - at))
		return NULL;
	return srm_jinja_builder_finish(eval, &builder);
}

static bool
append_part(JinjaEval *eval, JinjaList *list, const JinjaString *string, size_t start,
			size_t length)
{
	JinjaString *part = srm_jinja_substring(eval, string, start, length);

	return part != NULL && srm_jinja_charge(eval, 1) &&
		srm_jinja_list_append(eval, list, srm_jinja_string(part));
}

/* The end of the word, or of the white space, that starts at at. */
static size_t
skip_class(const JinjaString *string, size_t at, bool space)
{
	while (at < string->length)
	{
		size_t		next = at;

		if (srm_jinja_is_space(srm_utf8_next(string->data, string->length, &next)) != space)
			break;
		at = next;
	}
	return at;
}

static JinjaList *
split_words(JinjaEval *eval, const JinjaString *string, int64_t limit)
{
	JinjaList  *list = srm_jinja_list_new(eval, 0);
	size_t		at = skip_class(string, 0, true);

	for (int64_t n = 0; list != NULL && at < string->length; n++)
	{
		size_t		end = skip_class(string, at, false);

		if (limit >= 0 && n == limit)
			end = string->length;	/* with the white space at its end */
		if (!append_part(eval, list, string, at, end - at))
			return NULL;
		at = skip_class(string, end, true);
	}
	return list;
}

JinjaList *
srm_jinja_split(JinjaEval *eval, const JinjaString *string, const JinjaString *separator,
				int64_t limit)
{
	JinjaList  *list;
	size_t		at = 0;

	if (!srm_jinja_charge_bytes(eval, string->length))
		return NULL;
	if (separator == NULL)
		return split_words(eval, string, limit);
	if (separator->length == 0)
	{
		srm_jinja_fail(eval, "cannot split by an empty separator");
		return NULL;
	}
	list = srm_jinja_list_new(eval, 0);
	for (int64_t n = 0; list != NULL && (limit < 0 || n < limit); n++)
	{
		size_t		found = srm_jinja_find(string, separator, at);

		if (found == SIZE_MAX)
			break;
		if (!append_part(eval, list, string, at, found - at))
			return NULL;
		at = found + separator->length;
	}
	if (list == NULL || !append_part(eval, list, string, at, string->length - at))
		return NULL;
	return list;
}

size_t
srm_jinja_find_last(const JinjaString *string, const JinjaString *needle, size_t end)
{
	for (size_t at = end; at >= needle->length; at--)
	{
		size_t		start = at - needle->length;

		if (memcmp(string->data + start, needle->data, needle->length) == 0)
			return start;
	}
	return SIZE_MAX;
}

/* rsplit(): from the right, which matters with a limit only. */
JinjaList *
srm_jinja_split_right(JinjaEval *eval, const JinjaString *string, const JinjaString *separator,
					  int64_t limit)
{
	JinjaList  *list;
	size_t		end = string->length;

	if (limit < 0)
		return srm_jinja_split(eval, string, separator, limit);
	if (separator == NULL || separator->length == 0)
	{
		srm_jinja_unsupported(eval, "\"rsplit\" with a limit but without a separator");
		return NULL;
	}
	list = srm_jinja_list_new(eval, 0);
	if (list == NULL || !srm_jinja_charge_bytes(eval, string->length * separator->length))
		return NULL;
	for (int64_t n = 0; n < limit; n++)
	{
		size_t		found = srm_jinja_find_last(string, separator, end);

		if (found == SIZE_MAX)
			break;
		if (!append_part(eval, list, string, found + separator->length,
						 end - found - separator->length))
			return NULL;
		end = found;
	}
	if (!append_part(eval, list, string, 0, end))
		return NULL;
	for (size_t i = 0; i < list->n / 2; i++)
	{
		JinjaValue	item = list->items[i];

		list->items[i] = list->items[list->n - 1 - i];
		list->items[list->n - 1 - i] = item;
	}
	return list;
}

static bool
is_line_break(uint32_t code)
{
	return (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
		code == 0x2028 || code == 0x2029;
}

JinjaList *
srm_jinja_split_lines(JinjaEval *eval, const JinjaString *string, bool keep_ends)
{
	JinjaList  *list = srm_jinja_list_new(eval, 0);
	size_t		start = 0;
	size_t		at = 0;

	if (!srm_jinja_charge_bytes(eval, string->length * 8))
		return NULL;
	while (list != NULL && at < string->length)
	{
		size_t		end = at;
		uint32_t	code = srm_utf8_next(string->data, string->length, &at);

		if (!is_line_break(code))
			continue;
		if (code == '\r' && at < string->length && string->data[at] == '\n')
			at++;
		if (!append_part(eval, list, string, start, (keep_ends ? at : end) - start))
			return NULL;
		start = at;
	}
	if (list != NULL && start < string->length &&
		!append_part(eval, list, string, start, string->length - start))
		return NULL;
	return list;
}

JinjaString *
srm_jinja_join(JinjaEval *eval, const JinjaList *items, JinjaString *separator)
{
	JinjaBuilder builder;

	srm_jinja_builder_init(&builder);
	for (size_t i = 0; i < items->n; i++)
	{
		JinjaString *string = srm_jinja_to_string(eval, &items->items[i]);

		if (string == NULL || !srm_jinja_charge(eval, 1))
			return NULL;
		if ((i > 0 && !srm_jinja_builder_string(eval, &builder, separator)) ||
			!srm_jinja_builder_string(eval, &builder, string))
			return NULL;
	}
	return srm_jinja_builder_finish(eval, &builder);
}
