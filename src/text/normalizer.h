/*-------------------------------------------------------------------------
 *
 * normalizer.h
 *	  Unicode normalization that remembers where each byte came from.
 *
 * The tokenizers library normalizes by the tables of Unicode 9.0; so do we,
 * by leaving alone what is younger, so that tokens do not depend on the
 * release of ICU.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORMALIZER_H
#define SRM_NORMALIZER_H

#include "base/json.h"
#include "text/tokenizer.h"

typedef struct SrmNormalizer SrmNormalizer;

/*
 * A part of the original text, normalized.  Byte i comes from the bytes
 * [starts[i], ends[i]) of the original: the whole character that it is
 * part of or was made from; of a composed character only the first of those
 * it was made from, as the tokenizers library has it.  starts and ends are
 * NULL where the text is not changed, and then byte i is byte shift + i of
 * the original.
 */
typedef struct SrmNormalText
{
	const char *text;
	size_t		length;
	const uint32_t *starts;		/* (length) or NULL */
	const uint32_t *ends;		/* (length) or NULL */
	uint32_t	shift;
} SrmNormalText;

/* Reads the object "normalizer" of a tokenizer.json, or NULL. */
extern SrmNormalizer *srm_normalizer_load(const SrmJson *json, SrmArena *arena,
										  SrmStatus *status);

/* Normalizes text in its place; what is new lies in the arena. */
extern bool srm_normalizer_apply(const SrmNormalizer *normalizer, SrmNormalText *text,
								 SrmArena *arena, SrmStatus *status);

/* The bytes of the original that hold the characters of bytes [start, end), start < end. */
extern SrmRange srm_normal_text_range(const SrmNormalText *text, size_t start, size_t end);

/*
 * Appends to a text that grows, made of pieces of others, with the origin of
 * each byte.  text, starts and ends have room for capacity.
 */
typedef struct SrmNormalWriter
{
	SrmArena   *arena;
	char	   *text;
	uint32_t   *starts;
	uint32_t   *ends;
	size_t		n;
	size_t		capacity;
} SrmNormalWriter;

extern bool srm_normal_writer_put(SrmNormalWriter *writer, const char *bytes, size_t length,
								  SrmRange origin, SrmStatus *status);

#endif							/* SRM_NORMALIZER_H */
