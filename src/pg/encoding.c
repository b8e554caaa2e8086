/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  Text of the database to the engine's UTF-8 and back, and positions in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/utf8.h"
#include "pg/call.h"
#include "pg/encoding.h"

#define SHOWN_CHARACTERS	40		/* of a text, in a message */

SrmText
srm_text_of_bytes(const char *data, size_t length)
{
	SrmText		result = {data, length};
	char	   *converted;

	if (length == 0)
		return result;
	/* Only checks where the database has no encoding */
	converted = pg_server_to_any(data, (int) length, PG_UTF8);
	if (converted != data)
	{
		result.data = converted;
		result.length = strlen(converted);
	}
	return result;
}

SrmText
srm_text_of_datum(Datum datum)
{
	text	   *value = DatumGetTextPP(datum);

	return srm_text_of_bytes(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

char *
srm_cstring_of_datum(Datum datum)
{
	SrmText		value = srm_text_of_datum(datum);

	return pnstrdup(value.data, value.length);
}

Datum
srm_datum_of_utf8(const char *data, size_t length)
{
	char	   *converted;

	if (length == 0)
		return PointerGetDatum(cstring_to_text_with_len("", 0));
	converted = pg_any_to_server(data, (int) length, PG_UTF8);
	if (converted != data)
		return PointerGetDatum(cstring_to_text(converted));
	return PointerGetDatum(cstring_to_text_with_len(data, (int) length));
}

/* Appends a character in the database's encoding, or its number. */
static void
append_shown(StringInfo shown, Oid conversion, const char *character, int size)
{
	unsigned char converted[MAX_CONVERSION_GROWTH * 4 + 1];
	size_t		offset = 0;

	if (size == 1)
		appendStringInfoChar(shown, *character);
	else if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, GetDatabaseEncoding(),
										   (unsigned char *) unconstify(char *, character), size,
										   converted, sizeof(converted), true) == size)
		appendStringInfoString(shown, (const char *) converted);
	else
		appendStringInfo(shown, "\\u%04X", srm_utf8_next(character, (size_t) size, &offset));
}

Datum
srm_datum_of_utf8_shown(const char *data, size_t length)
{
	int			encoding = GetDatabaseEncoding();
	StringInfoData shown;
	Oid			conversion;
	size_t		size;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || !srm_utf8_valid(data, length))
		return srm_datum_of_utf8(data, length);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return srm_datum_of_utf8(data, length);
	initStringInfo(&shown);
	for (size_t i = 0; i < length; i += size)
	{
		size = srm_utf8_size((unsigned char) data[i]);
		append_shown(&shown, conversion, data + i, (int) size);
	}
	return PointerGetDatum(cstring_to_text_with_len(shown.data, shown.len));
}

char *
srm_text_beginning(const char *data, size_t length)
{
	size_t		end = 0;
	char	   *beginning;

	for (int n = 0; n < SHOWN_CHARACTERS && end < length; n++)
	{
		end++;
		while (end < length && srm_utf8_is_continuation((unsigned char) data[end]))
			end++;
	}
	beginning = psprintf("%.*s%s", (int) end, data, end < length ? "..." : "");
	for (char *c = beginning; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == '\x7f')
			*c = ' ';
	return unconstify(char *, srm_call_text(beginning));
}

void
srm_positions_init(SrmPositions *positions, const char *data, size_t length)
{
	positions->data = data;
	positions->length = length;
	positions->offset = 0;
	positions->characters = 0;
}

int32
srm_positions_before(SrmPositions *positions, size_t offset)
{
	const char *data = positions->data;

	while (offset < positions->length && offset > 0 &&
		   srm_utf8_is_continuation((unsigned char) data[offset]))
		offset--;
	/* A token may start again at the character that the one before ended in */
	while (positions->offset > offset)
		positions->characters -= !srm_utf8_is_continuation((unsigned char) data[--positions->offset]);
	positions->characters += srm_utf8_count(data + positions->offset, offset - positions->offset);
	positions->offset = offset;
	return (int32) positions->characters;
}

void
srm_positions_range(SrmPositions *positions, SrmRange bytes, Datum *ends)
{
	size_t		end = bytes.end;

	ends[0] = Int32GetDatum(srm_positions_before(positions, bytes.start) + 1);
	while (end < positions->length &&
		   srm_utf8_is_continuation((unsigned char) positions->data[end]))
		end++;
	ends[1] = Int32GetDatum(srm_positions_before(positions, end));
}

void
srm_positions_sentence(SrmPositions *positions, const SrmSentence *sentence, size_t i, Datum *values)
{
	values[0] = Int32GetDatum((int32) i + 1);
	srm_positions_range(positions, (SrmRange) {sentence->start, sentence->end}, &values[1]);
	values[3] = srm_datum_of_utf8(positions->data + sentence->start, sentence->end - sentence->start);
}

bool
srm_utf8_can_be_datum(const char *name)
{
	int			encoding = GetDatabaseEncoding();
	int			length = (int) strlen(name);
	unsigned char *room;
	Oid			conversion;

	if (!srm_utf8_valid(name, (size_t) length))
		return false;
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return true;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	room = palloc((size_t) length * MAX_CONVERSION_GROWTH + 1);
	return OidIsValid(conversion) &&
		pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding, (unsigned char *) unconstify(char *, name),
									  length, room, length * MAX_CONVERSION_GROWTH + 1, true) == length;
}
