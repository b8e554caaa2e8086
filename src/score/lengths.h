/*-------------------------------------------------------------------------
 *
 * lengths.h
 *	  Sentences that are neither too short nor too long, in tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_LENGTHS_H
#define SRM_LENGTHS_H

#include "model/model.h"
#include "segment/segment.h"
#include "tokenizer/tokenizer.h"

/* Tokens of a sentence; 0: no limit. */
typedef struct SrmLengths
{
	size_t		min;
	size_t		max;
} SrmLengths;

/* What a model says of its sentences. */
static inline SrmLengths
srm_model_lengths(const SrmModel *model)
{
	return (SrmLengths) {model->settings.min_sentence_tokens, model->settings.max_sentence_tokens};
}

/*
 * Joins and cuts sentences, which tile a text of valid UTF-8 and go on to do so.
 * Tokens are those of the text alone.
 *
 * A sentence of fewer than min tokens joins the one behind it or, where that
 * gives more than max or there is none, the one before; where neither can be, it
 * stays.  One of more than max tokens is cut at the last line end that leaves a
 * quarter of max on both sides, or else at such a place behind a terminator, a
 * colon, semicolon or dash, a comma, a word, or at last within one.  No
 * piece has more than max tokens, but for white space behind it, and for a character
 * that is more itself.
 */
extern bool srm_sentences_limit(SrmSentences *sentences, SrmLengths lengths,
								const char *text, size_t length, SrmTokenizer *tokenizer,
								SrmArena *arena, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_LENGTHS_H */
