/*-------------------------------------------------------------------------
 *
 * hostile_texts.h
 *	  Texts in which a rule of segmentation could look back or ahead too far.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_HOSTILE_TEXTS_H
#define SRM_HOSTILE_TEXTS_H

#include <stdlib.h>
#include <string.h>

/* What is repeated. */
static const char *const hostile_parts[] = {
	".", "a.b.c. ", "a.b.c.", "\"", "“", "'", "😀", "👩‍👧", "\n", " ", "\t", "\r\n", "你好", "你好。", "1. ", "1) ", "(a) ", ")",
	".) ", "**", "**a** ", "`", "` ", "`a` ", "```\n", "$$", "$$\n", "$a.$ ", "\\[", "\\[\n", "| a | b |\n", "a | b\n---|---\n",
	"… ", ". . . ", "!?", "? ", "Dr. ", "U.S. ", "J. ", "• ", "- ", "> ", ".[1]", ". [1] ", "http://a.b/c?d ", "สวัสดี", "e\xCC\x81",
	"a ", "A. ", "= 3! ", "<", "<think>", "</think>", "{\"a\": 1}, ", "word.11 12 ", "6 p.m. ", "a:", ": ", "Step 1. ", "a < b\n", "\xE2\x80\xAA",
	"It. a) ", "word.The ", "word. . . . The ", " :) A", "の\n家"
};

#define N_HOSTILE	(sizeof(hostile_parts) / sizeof(hostile_parts[0]))

/* At most length bytes of whole parts; to be freed. */
static inline char *
make_hostile(const char *part, size_t length)
{
	size_t		size = strlen(part);
	char	   *text = malloc(length + 1);

	length -= length % size;
	for (size_t at = 0; text != NULL && at < length; at += size)
		memcpy(text + at, part, size);
	if (text != NULL)
		text[length] = '\0';
	return text;
}

#endif							/* SRM_HOSTILE_TEXTS_H */
