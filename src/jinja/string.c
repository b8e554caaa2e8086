/*-------------------------------------------------------------------------
 *
 * string.c
 *	  Strings that know where each of their bytes came from.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/value.h"

#include <string.h>

#include "base/utf8.h"

void
srm_jinja_string_init(JinjaString *string, const char *data, size_t length, SrmOrigin origin)
{
	memset(string, 0, sizeof(*string));
	string->data = data;
	string->length = length;
	string->fragment.length = (uint32_t) length;
	string->fragment.origin = origin;
	string->fragments = &string->fragment;
	string->n_fragments = length > 0;
}

JinjaString *
srm_jinja_string_new(JinjaEval *eval, const char *data, size_t length, SrmOrigin origin)
{
	JinjaString *string = srm_jinja_alloc(eval, 1, sizeof(JinjaString));

	if (string != NULL)
		srm_jinja_string_init(string, data, length, origin);
	return string;
}

JinjaString *
srm_jinja_string_copy(JinjaEval *eval, const char *data, size_t length, SrmOrigin origin)
{
	char	   *copy = srm_jinja_alloc(eval, length + 1, 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, data, length);
	return srm_jinja_string_new(eval, copy, length, origin);
}

bool
srm_jinja_text(JinjaEval *eval, const char *text, JinjaValue *result)
{
	*result = srm_jinja_string(srm_jinja_string_new(eval, text, strlen(text), SRM_FROM_TEMPLATE));
	return result->string != NULL;
}

static bool
check_length(JinjaEval *eval, size_t a, size_t b)
{
	if (a <= eval->text_limit && b <= eval->text_limit - a)
		return true;
	srm_fail(eval->status, SRM_LIMIT_EXCEEDED, "chat template makes too long a text at line %d",
			 eval->line);
	return srm_fail_detail(eval->status, "The limit is %zu bytes.", eval->text_limit);
}

JinjaString *
srm_jinja_concat(JinjaEval *eval, JinjaString *a, JinjaString *b)
{
	JinjaString *string;

	if (a->length == 0)
		return b;
	if (b->length == 0)
		return a;
	if (!check_length(eval, a->length, b->length))
		return NULL;
	string = srm_jinja_alloc(eval, 1, sizeof(JinjaString));
	if (string == NULL)
		return NULL;
	string->length = a->length + b->length;
	string->n_fragments = a->n_fragments + b->n_fragments;
	string->left = a;
	string->right = b;
	return string;
}

/*
 * The nodes still to be visited are kept in a list, since a string that grew
 * in a loop is as deep as the loop was long.
 */
typedef struct Pending
{
	JinjaString *string;
	struct Pending *next;
} Pending;

static bool
flatten_into(JinjaEval *eval, JinjaBuilder *builder, JinjaString *string)
{
	Pending    *free_list = NULL;
	Pending    *pending = NULL;

	for (;;)
	{
		Pending    *done;

		while (string->data == NULL)
		{
			Pending    *node = free_list;

			if (node != NULL)
				free_list = node->next;
			else if ((node = srm_jinja_alloc(eval, 1, sizeof(Pending))) == NULL)
				return false;
			node->string = string->right;
			node->next = pending;
			pending = node;
			string = string->left;
			if (!srm_jinja_charge(eval, 1))
				return false;
		}
		if (!srm_jinja_builder_slice(eval, builder, string, 0, string->length))
			return false;
		if (pending == NULL)
			return true;
		done = pending;
		pending = done->next;
		string = done->string;
		done->next = free_list;
		free_list = done;
	}
}

bool
srm_jinja_flatten(JinjaEval *eval, JinjaString *string)
{
	JinjaBuilder builder;
	JinjaString *flat;

	if (string->data != NULL)
		return true;
	srm_jinja_builder_init(&builder);
	if (!flatten_into(eval, &builder, string))
		return false;
	flat = srm_jinja_builder_finish(eval, &builder);
	if (flat == NULL)
		return false;
	*string = *flat;
	if (string->n_fragments <= 1)
		string->fragments = &string->fragment;
	return true;
}

SrmOrigin
srm_jinja_origin(const JinjaString *string)
{
	for (size_t i = 0; i < string->n_fragments; i++)
	{
		if (string->fragments[i].origin != SRM_FROM_TEMPLATE)
			return SRM_FROM_USER;
	}
	return SRM_FROM_TEMPLATE;
}

/* The fragment that holds byte at, which is less than the length. */
static size_t
find_fragment(const JinjaString *string, size_t at)
{
	size_t		low = 0;
	size_t		high = string->n_fragments;

	while (high - low > 1)
	{
		size_t		middle = low + (high - low) / 2;

		if (string->fragments[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The part of a fragment within [start, end), counted from start. */
static SrmFragment
clip_fragment(const SrmFragment *fragment, size_t start, size_t end)
{
	size_t		first = fragment->start > start ? fragment->start : start;
	size_t		last = (size_t) fragment->start + fragment->length < end ? (size_t) fragment->start + fragment->length : end;
	SrmFragment	clipped = *fragment;

	clipped.start = (uint32_t) (first - start);
	clipped.length = (uint32_t) (last - first);
	if (fragment->origin == SRM_FROM_CONTENT)
		clipped.offset += (uint32_t) (first - fragment->start);
	return clipped;
}

JinjaString *
srm_jinja_substring(JinjaEval *eval, const JinjaString *string, size_t start, size_t length)
{
	JinjaString *part = srm_jinja_string_new(eval, string->data + start, length,
											 SRM_FROM_TEMPLATE);
	size_t		first;
	size_t		last;
	SrmFragment *fragments;

	if (part == NULL || length == 0)
		return part;
	first = find_fragment(string, start);
	last = find_fragment(string, start + length - 1);
	if (first == last)
	{
		part->fragment = clip_fragment(&string->fragments[first], start, start + length);
		return part;
	}
	fragments = srm_jinja_alloc(eval, last - first + 1, sizeof(SrmFragment));
	if (fragments == NULL || !srm_jinja_charge(eval, last - first))
		return NULL;
	for (size_t i = first; i <= last; i++)
		fragments[i - first] = clip_fragment(&string->fragments[i], start, start + length);
	part->fragments = fragments;
	part->n_fragments = last - first + 1;
	return part;
}

size_t
srm_jinja_byte_offset(const JinjaString *string, size_t index)
{
	size_t		at = 0;

	while (index-- > 0 && at < string->length)
		at += srm_utf8_size((unsigned char) string->data[at]);
	return at;
}

static int64_t
clamp(int64_t value, int64_t low, int64_t high)
{
	return value < low ? low : value > high ? high : value;
}

void
srm_jinja_slice_bounds(int64_t n, const int64_t *start, const int64_t *stop, int64_t step,
					   int64_t *first, int64_t *end)
{
	int64_t		low = step > 0 ? 0 : -1;
	int64_t		high = step > 0 ? n : n - 1;

	*first = step > 0 ? low : high;
	*end = step > 0 ? high : low;
	if (start != NULL)
		*first = clamp(*start < 0 ? *start + n : *start, low, high);
	if (stop != NULL)
		*end = clamp(*stop < 0 ? *stop + n : *stop, low, high);
}

/* Characters first, first + step, ... before end, of which bytes tells the places. */
static JinjaString *
pick_characters(JinjaEval *eval, const JinjaString *string, int64_t n, int64_t first,
				int64_t end, int64_t step)
{
	uint32_t   *bytes = srm_jinja_alloc(eval, (size_t) n + 1, sizeof(uint32_t));
	JinjaBuilder builder;
	size_t		at = 0;

	if (bytes == NULL || !srm_jinja_charge(eval, (size_t) n))
		return NULL;
	for (int64_t i = 0; i < n; i++)
	{
		bytes[i] = (uint32_t) at;
		at += srm_utf8_size((unsigned char) string->data[at]);
	}
	bytes[n] = (uint32_t) string->length;
	srm_jinja_builder_init(&builder);
	for (int64_t i = first; step > 0 ? i < end : i > end;)
	{
		if (!srm_jinja_builder_slice(eval, &builder, string, bytes[i], bytes[i + 1] - bytes[i]))
			return NULL;
		if (step > 0 ? step >= end - i : step <= end - i)
			break;
		i += step;
	}
	return srm_jinja_builder_finish(eval, &builder);
}

JinjaString *
srm_jinja_string_slice(JinjaEval *eval, JinjaString *string, const int64_t *start,
					   const int64_t *stop, int64_t step)
{
	int64_t		n;
	int64_t		first;
	int64_t		end;
	size_t		from;
	size_t		to;

	if (!srm_jinja_flatten(eval, string) || !srm_jinja_charge_bytes(eval, string->length))
		return NULL;
	n = (int64_t) srm_utf8_count(string->data, string->length);
	srm_jinja_slice_bounds(n, start, stop, step, &first, &end);
	if (step != 1)
		return pick_characters(eval, string, n, first, end, step);
	if (first >= end)
		return srm_jinja_string_new(eval, "", 0, SRM_FROM_TEMPLATE);
	from = (size_t) first;
	to = (size_t) end;
	if ((size_t) n != string->length)
	{
		from = srm_jinja_byte_offset(string, from);
		to = end == n ? string->length : srm_jinja_byte_offset(string, to);
	}
	return srm_jinja_substring(eval, string, from, to - from);
}

size_t
srm_jinja_find(const JinjaString *string, const JinjaString *needle, size_t from)
{
	const char *found;

	if (from > string->length)
		return SIZE_MAX;
	found = memmem(string->data + from, string->length - from, needle->data, needle->length);
	return found == NULL ? SIZE_MAX : (size_t) (found - string->data);
}

bool
srm_jinja_is_space(uint32_t code)
{
	return (code >= 0x1C && code <= 0x1F) || srm_utf8_is_white_space(code);
}

void
srm_jinja_builder_init(JinjaBuilder *builder)
{
	memset(builder, 0, sizeof(*builder));
}

static bool
reserve_bytes(JinjaEval *eval, JinjaBuilder *builder, size_t length)
{
	size_t		capacity = builder->capacity == 0 ? 64 : builder->capacity;
	char	   *data;

	if (!check_length(eval, builder->length, length))
		return false;
	while (capacity <= builder->length + length)
		capacity *= 2;
	if (capacity == builder->capacity)
		return true;
	data = srm_jinja_alloc(eval, capacity, 1);
	if (data == NULL)
		return false;
	if (builder->length > 0)
		memcpy(data, builder->data, builder->length);
	builder->data = data;
	builder->capacity = capacity;
	return true;
}

/* Whether fragment goes on where last ends. */
static bool
continues(const SrmFragment *last, const SrmFragment *fragment)
{
	if (last->origin != fragment->origin)
		return false;
	return fragment->origin != SRM_FROM_CONTENT ||
		(last->message == fragment->message && last->offset + last->length == fragment->offset);
}

static bool
add_fragment(JinjaEval *eval, JinjaBuilder *builder, const SrmFragment *fragment)
{
	SrmFragment *last = builder->n_fragments == 0 ? NULL : &builder->fragments[builder->n_fragments - 1];

	if (last != NULL && continues(last, fragment))
	{
		last->length += fragment->length;
		return true;
	}
	if (builder->n_fragments == builder->fragments_capacity)
	{
		size_t		capacity = builder->fragments_capacity == 0 ? 4 : builder->fragments_capacity * 2;
		SrmFragment *fragments = srm_jinja_alloc(eval, capacity, sizeof(SrmFragment));

		if (fragments == NULL)
			return false;
		if (builder->n_fragments > 0)
			memcpy(fragments, builder->fragments, builder->n_fragments * sizeof(SrmFragment));
		builder->fragments = fragments;
		builder->fragments_capacity = capacity;
	}
	builder->fragments[builder->n_fragments++] = *fragment;
	return true;
}

bool
srm_jinja_builder_add(JinjaEval *eval, JinjaBuilder *builder, const char *data, size_t length,
					  SrmOrigin origin)
{
	JinjaString string;

	srm_jinja_string_init(&string, data, length, origin);
	return srm_jinja_builder_slice(eval, builder, &string, 0, length);
}

bool
srm_jinja_builder_text(JinjaEval *eval, JinjaBuilder *builder, const char *text)
{
	return srm_jinja_builder_add(eval, builder, text, strlen(text), SRM_FROM_TEMPLATE);
}

bool
srm_jinja_builder_string(JinjaEval *eval, JinjaBuilder *builder, JinjaString *string)
{
	if (!srm_jinja_flatten(eval, string))
		return false;
	return srm_jinja_builder_slice(eval, builder, string, 0, string->length);
}

bool
srm_jinja_builder_slice(JinjaEval *eval, JinjaBuilder *builder, const JinjaString *string,
						size_t start, size_t length)
{
	if (length == 0)
		return true;
	if (!reserve_bytes(eval, builder, length) || !srm_jinja_charge_bytes(eval, length))
		return false;
	for (size_t i = find_fragment(string, start); i < string->n_fragments; i++)
	{
		SrmFragment	fragment;

		if (string->fragments[i].start >= start + length)
			break;
		fragment = clip_fragment(&string->fragments[i], start, start + length);
		fragment.start += (uint32_t) builder->length;
		if (!add_fragment(eval, builder, &fragment))
			return false;
	}
	memcpy(builder->data + builder->length, string->data + start, length);
	builder->length += length;
	return true;
}

JinjaString *
srm_jinja_builder_finish(JinjaEval *eval, JinjaBuilder *builder)
{
	JinjaString *string = srm_jinja_string_new(eval, builder->length == 0 ? "" : builder->data,
											   builder->length, SRM_FROM_TEMPLATE);

	if (string == NULL)
		return NULL;
	string->n_fragments = builder->n_fragments;
	if (builder->n_fragments == 1)
		string->fragment = builder->fragments[0];
	else if (builder->n_fragments > 1)
		string->fragments = builder->fragments;
	return string;
}
