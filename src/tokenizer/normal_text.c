/*-------------------------------------------------------------------------
 *
 * normal_text.c
 *	  A text that was changed, and where each of its bytes came from.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/normal_text.h"

#include <string.h>

#include "base/utf8.h"

SrmRange
srm_normal_text_range(const SrmNormalText *text, size_t start, size_t end)
{
	SrmRange	range;

	if (text->starts != NULL)
	{
		range.start = text->starts[start];
		range.end = text->ends[end - 1];
		return range;
	}
	while (start > 0 && srm_utf8_is_continuation((unsigned char) text->text[start]))
		start--;
	while (end < text->length && srm_utf8_is_continuation((unsigned char) text->text[end]))
		end++;
	range.start = text->shift + (uint32_t) start;
	range.end = text->shift + (uint32_t) end;
	return range;
}

SrmNormalText
srm_normal_text_slice(const SrmNormalText *text, size_t start, size_t end)
{
	SrmNormalText part = *text;

	part.text += start;
	part.length = end - start;
	if (text->starts != NULL)
	{
		part.starts += start;
		part.ends += start;
	}
	else
		part.shift += (uint32_t) start;
	return part;
}

bool
srm_normal_writer_reserve(SrmNormalWriter *writer, size_t length, SrmStatus *status)
{
	size_t		capacity = writer->capacity == 0 ? 256 : writer->capacity;
	char	   *text;
	uint32_t   *starts;
	uint32_t   *ends;

	if (length <= writer->capacity)
		return true;
	while (capacity < length)
		capacity *= 2;
	if (capacity > UINT32_MAX)
		return srm_fail(status, SRM_LIMIT_EXCEEDED, "normalized text is too long");
	text = srm_arena_grow(writer->arena, writer->text, writer->n, capacity, 1, status);
	starts = srm_arena_grow(writer->arena, writer->starts, writer->n, capacity,
							sizeof(uint32_t), status);
	ends = srm_arena_grow(writer->arena, writer->ends, writer->n, capacity,
						  sizeof(uint32_t), status);
	if (text == NULL || starts == NULL || ends == NULL)
		return false;
	writer->text = text;
	writer->starts = starts;
	writer->ends = ends;
	writer->capacity = capacity;
	return true;
}

bool
srm_normal_writer_put(SrmNormalWriter *writer, const char *bytes, size_t length,
					  SrmRange origin, SrmStatus *status)
{
	if (!srm_normal_writer_reserve(writer, writer->n + length, status))
		return false;
	memcpy(writer->text + writer->n, bytes, length);
	for (size_t i = 0; i < length; i++)
	{
		writer->starts[writer->n + i] = origin.start;
		writer->ends[writer->n + i] = origin.end;
	}
	writer->n += length;
	return true;
}

bool
srm_normal_writer_copy(SrmNormalWriter *writer, const SrmNormalText *text,
					   size_t start, size_t end, SrmStatus *status)
{
	if (!srm_normal_writer_reserve(writer, writer->n + (end - start), status))
		return false;
	for (size_t at = start; at < end; at++)
	{
		SrmRange	origin = srm_normal_text_range(text, at, at + 1);

		writer->text[writer->n] = text->text[at];
		writer->starts[writer->n] = origin.start;
		writer->ends[writer->n] = origin.end;
		writer->n++;
	}
	return true;
}

bool
srm_normal_writer_replace(SrmNormalWriter *writer, const SrmNormalText *text,
						  size_t *offset, uint32_t code, uint32_t taken, SrmStatus *status)
{
	size_t		from = taken == 0 && *offset > 0 ? *offset - 1 : *offset;
	SrmRange	origin = srm_normal_text_range(text, from, from + 1);
	char		bytes[4];
	size_t		length = srm_utf8_encode(code, bytes);

	for (uint32_t i = 0; i < taken; i++)
		*offset += srm_utf8_size((unsigned char) text->text[*offset]);
	return srm_normal_writer_put(writer, bytes, length, origin, status);
}

void
srm_normal_writer_finish(const SrmNormalWriter *writer, SrmNormalText *text)
{
	text->text = writer->text;
	text->length = writer->n;
	text->starts = writer->starts;
	text->ends = writer->ends;
}
