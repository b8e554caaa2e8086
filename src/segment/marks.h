/*-------------------------------------------------------------------------
 *
 * marks.h
 *	  Marks of more than one character: notes, tags, faces, ends of formulas.
 *
 * Each function looks at a position and returns the end of the mark that
 * stands there, or the position itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SEGMENT_MARKS_H
#define SRM_SEGMENT_MARKS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum SrmTag
{
	SRM_TAG_OPENS,				/* <think>: belongs to what follows */
	SRM_TAG_CLOSES,				/* </think>: belongs to what it ends */
	SRM_TAG_BREAKS				/* <br>: the same */
} SrmTag;

/* [1] [2,3] [4-6] [^2] ^[1]^ <sup>1</sup> and the same in brackets of CJK */
extern size_t srm_skip_note(const char *text, size_t at, size_t end);

/*
 * The bare numbers of notes behind the period of a word or bracket, of a text
 * that starts at start: "in a consultation.11 12 Take"
 */
extern size_t srm_skip_bare_note(const char *text, size_t start, size_t at, size_t end);

/* ",,": how typewriters open a quotation in Dutch and German, with a space that may follow */
extern size_t srm_skip_low_quote(const char *text, size_t at, size_t end);

/* A face made of ASCII: ":)", ";-D" */
extern size_t srm_skip_face(const char *text, size_t at, size_t end);

/* The mark that ends a formula, before white space: $ \) \] */
extern size_t srm_skip_formula_end(const char *text, size_t at, size_t end);

/* A tag around a part of a response, which starts at a "<" */
extern size_t srm_skip_tag(const char *text, size_t at, size_t end, SrmTag *tag);

#endif							/* SRM_SEGMENT_MARKS_H */
