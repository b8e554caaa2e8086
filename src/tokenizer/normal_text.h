/*-------------------------------------------------------------------------
 *
 * normal_text.h
 *	  A text that was changed, and where each of its bytes came from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_NORMAL_TEXT_H
#define SRM_NORMAL_TEXT_H

#include "base/arena.h"
#include "tokenizer/tokens.h"

/*
 * A part of the original text, changed.  Byte i comes from the bytes
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

/* The bytes of the original that hold the characters of bytes [start, end), start < end. */
extern SrmRange srm_normal_text_range(const SrmNormalText *text, size_t start, size_t end);

/* Bytes [start, end) of a text as a text of their own, with the same origins. */
extern SrmNormalText srm_normal_text_slice(const SrmNormalText *text, size_t start, size_t end);

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

/* Makes room for so many bytes in all. */
extern bool srm_normal_writer_reserve(SrmNormalWriter *writer, size_t length, SrmStatus *status);

/* Appends bytes that all have one origin. */
extern bool srm_normal_writer_put(SrmNormalWriter *writer, const char *bytes, size_t length,
								  SrmRange origin, SrmStatus *status);

/* Appends bytes [start, end) of a text, each with its own origin. */
extern bool srm_normal_writer_copy(SrmNormalWriter *writer, const SrmNormalText *text,
								   size_t start, size_t end, SrmStatus *status);

/*
 * Appends a character that stands for the next `taken` characters of a text
 * from *offset on, which is moved behind them; it has the origin of the first
 * of them.  One that stands for none goes to the character before it.
 */
extern bool srm_normal_writer_replace(SrmNormalWriter *writer, const SrmNormalText *text,
									  size_t *offset, uint32_t code, uint32_t taken,
									  SrmStatus *status);

/* Puts what was written in the place of the text. */
extern void srm_normal_writer_finish(const SrmNormalWriter *writer, SrmNormalText *text);

#endif							/* SRM_NORMAL_TEXT_H */
