/*-------------------------------------------------------------------------
 *
 * encoding.h
 *	  Text of the database to the engine's UTF-8 and back, and positions in it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ENCODING_H
#define SRM_ENCODING_H

#include "postgres.h"

#include "segment/segment.h"
#include "tokenizer/tokenizer.h"

/* UTF-8; data is not terminated by NUL, and may be the datum's own. */
typedef struct SrmText
{
	const char *data;
	size_t		length;
} SrmText;

/* Raises an error for bytes that are no valid text. */
extern SrmText srm_text_of_datum(Datum datum);
extern SrmText srm_text_of_bytes(const char *data, size_t length);

/* The same with a NUL behind it, palloc'd. */
extern char *srm_cstring_of_datum(Datum datum);

/* The first characters of UTF-8 for a message, in one line and in the database's encoding, palloc'd. */
extern char *srm_text_beginning(const char *data, size_t length);

/* Whether srm_datum_of_utf8() can make a text of a name: it is UTF-8, and the database's encoding has it all. */
extern bool srm_utf8_can_be_datum(const char *name);

/* A text datum of UTF-8. */
extern Datum srm_datum_of_utf8(const char *data, size_t length);

/* The same for show: characters that the database's encoding lacks become \u0120 and the like. */
extern Datum srm_datum_of_utf8_shown(const char *data, size_t length);

/*
 * Counts characters along a text whose offsets are asked in ascending order,
 * so that all positions together cost one pass.
 */
typedef struct SrmPositions
{
	const char *data;
	size_t		length;
	size_t		offset;			/* counted so far */
	int64		characters;		/* before offset */
} SrmPositions;

/* data (length), in UTF-8, must stay. */
extern void srm_positions_init(SrmPositions *positions, const char *data, size_t length);

/* Characters before a byte offset, which may lie inside a character (not counted). */
extern int32 srm_positions_before(SrmPositions *positions, size_t offset);

/*
 * ends (2) = the first and the last character, counted from 1, that bytes [start, end)
 * show some of, as integers of SQL.  Starts must come in ascending order.
 */
extern void srm_positions_range(SrmPositions *positions, SrmRange bytes, Datum *ends);

/* values (4) = what a row says of a sentence first: its number i + 1, where it begins and ends, its text. */
extern void srm_positions_sentence(SrmPositions *positions, const SrmSentence *sentence, size_t i, Datum *values);

#endif							/* SRM_ENCODING_H */
