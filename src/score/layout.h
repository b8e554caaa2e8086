/*-------------------------------------------------------------------------
 *
 * layout.h
 *	  A conversation as the model reads it: tokens, and where sentences end.
 *
 * The response is the content of the last message.  Its sentences are cut in
 * the text that the caller passed; the chat template may trim that text or
 * put it anywhere, and positions lead back all the same.  What a template
 * writes of the message's other keys behind the content, such as calls of
 * tools, is one more sentence, empty and at the content's end.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_LAYOUT_H
#define SRM_LAYOUT_H

#include "model/model.h"
#include "score/lengths.h"
#include "segment/segment.h"

typedef enum SrmBoundary
{
	SRM_BOUNDARY_OFFSET,		/* values are read at tokens of the text */
	SRM_BOUNDARY_MARKER,		/* values are read at inserted marker tokens */
	SRM_BOUNDARY_STEP			/* the same, with markers behind sentences alone */
} SrmBoundary;

typedef enum SrmTruncation
{
	SRM_TRUNCATION_ERROR,		/* too long is an error */
	SRM_TRUNCATION_PROMPT,		/* the prompt loses its beginning */
	SRM_TRUNCATION_RESPONSE		/* the response loses its end */
} SrmTruncation;

typedef struct SrmLayoutOptions
{
	SrmBoundary boundary;
	SrmTruncation truncation;
	size_t		max_tokens;
	SrmSegmenter *segmenter;
	SrmLengths	lengths;		/* of sentences that it cuts */
	const SrmSentences *given;	/* in place of them; they tile the response's content */
	const char *date;			/* what the chat template takes for today; NULL: the model's */
	const char *variables;		/* a JSON object of the template's; NULL or "": none but the model's */
} SrmLayoutOptions;

/*
 * Tokens [0, n_prompt) come before the response and form a block of their
 * own.  Sentence i, 1 <= i <= n, is sentences[i - 1] and is read at token
 * boundaries[i]; t_0 is the last token of the prompt, if it has any.  For a cross-encoder all tokens
 * are one block, without a prompt, and the response is one sentence, which is read at the first token.
 */
typedef struct SrmLayout
{
	SrmRendered rendered;
	SrmTokens	tokens;			/* offsets are bytes of the rendered text */
	size_t		n_prompt;
	size_t		n_first;		/* tokens of the first type; 0: all of them */
	size_t		n_tail;			/* tokens behind the response's, at the end */
	size_t		n;				/* sentences that are read */
	size_t		n_sentences;	/* n, and those cut off with the response's end */
	SrmSentence *sentences;		/* (n_sentences) bytes of the response; they tile it */
	uint32_t   *boundaries;		/* (n + 1) tokens; [0] is n_prompt - 1 */
	size_t		gate;			/* the token that the model's gate reads, SIZE_MAX: none */
	bool		truncated;
} SrmLayout;

/* "offset", "marker", "step"; false for another name. */
extern bool srm_boundary_find(const char *name, SrmBoundary *boundary);
extern const char *srm_boundary_name(SrmBoundary boundary);
extern bool srm_truncation_find(const char *name, SrmTruncation *truncation);

/* Only renders: what srm_layout() reads, with no markers.  Of the options, the date and the variables count. */
extern bool srm_layout_render(const SrmModel *model, const SrmMessage *messages,
							  size_t n_messages, const SrmLayoutOptions *options, SrmArena *arena,
							  SrmRendered *rendered, const SrmStop *stop,
							  SrmStatus *status);

/*
 * Lays out a conversation of at least one message, all in the arena.  An
 * empty response is SRM_INVALID_ARGUMENT, too many tokens are
 * SRM_LIMIT_EXCEEDED.
 */
extern bool srm_layout(const SrmModel *model, const SrmMessage *messages, size_t n_messages,
					   const SrmLayoutOptions *options, SrmArena *arena,
					   SrmLayout *layout, const SrmStop *stop, SrmStatus *status);

/*
 * Bytes [start, end) of the response that a token shows, empty for a token
 * that shows none of it (the template's, a marker).
 */
extern SrmRange srm_layout_response_bytes(const SrmLayout *layout, size_t response_message,
										  const SrmToken *token);

#endif							/* SRM_LAYOUT_H */
