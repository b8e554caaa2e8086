/*-------------------------------------------------------------------------
 *
 * encoding.c
 *	  Text of the database to the engine's UTF-8 and back, and positions in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/utf8.h"
#include "pg/compat.h"
#include "pg/encoding.h"

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
srm_positions_range(SrmPositions *positions, SrmRange bytes, int32 *first, int32 *last)
{
	size_t		end = bytes.end;

	*first = srm_positions_before(positions, bytes.start) + 1;
	while (end < positions->length &&
		   srm_utf8_is_continuation((unsigned char) positions->data[end]))
		end++;
	*last = srm_positions_before(positions, end);
}
