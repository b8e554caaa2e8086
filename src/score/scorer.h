/*-------------------------------------------------------------------------
 *
 * scorer.h
 *	  An opened model, ready to score: the corridor from a conversation to a
 *	  scored response (score.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORER_H
#define SRM_SCORER_H

#include "score/scored.h"

typedef struct SrmScorer
{
	SrmModel   *model;
	SrmAggregation aggregation; /* the model's own */
	SrmBoundary boundary;
	SrmTruncation truncation;
	struct SrmPrompt *prompt;	/* states of the last prompt */
	struct SrmMemo *memo;		/* the last results, and layouts */
	size_t		at;				/* the response that the last call failed at; SIZE_MAX: at none of them */
	bool		at_prompt;		/* whether what comes before that response is too long by itself */
	uint64_t	n_layouts;		/* conversations that were laid out, since it was opened */
	uint64_t	n_passes;		/* through the decoder */
	uint64_t	n_computed;		/* tokens that went through it */
	SrmSegmenter *segmenter;	/* the last one, by its name and its locale */
	char	   *segmenter_name;
	char	   *locale;
} SrmScorer;

/* options as for srm_model_open() */
extern SrmScorer *srm_scorer_open(const char *directory, const SrmModelOptions *options,
								  const SrmStop *stop, SrmStatus *status);
extern void srm_scorer_close(SrmScorer *scorer);	/* NULL is allowed */

/* Bytes that this process alone holds. */
extern size_t srm_scorer_private_bytes(const SrmScorer *scorer);

/* What the model itself says, for callers to change. */
extern void srm_scorer_defaults(const SrmScorer *scorer, SrmScoreOptions *options);

/*
 * Scores the last of n_messages > 0 messages.  What the calls before have
 * left is used: the result, if it was the same conversation with the same
 * options, and the states of the prompt's beginning, if they are there.  The same
 * conversation gets the same bits with and without them.
 */
extern bool srm_scorer_score(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
							 const SrmScoreOptions *options, SrmArena *arena,
							 SrmScored *scored, const SrmStop *stop, SrmStatus *status);

/* One of the conversations that are scored together. */
typedef struct SrmScoreRequest
{
	const SrmMessage *messages; /* (n_messages) before the response */
	size_t		n_messages;
	const SrmMessage *response;
	SrmScored	scored;			/* what srm_scorer_score() gives; */
	SrmStatus	status;			/* or why it gives nothing */
} SrmScoreRequest;

/*
 * Scores n conversations.  Short ones run side by side, in passes of a bounded number of tokens, and
 * those with the same prompt share it; each gets the bits that it would get alone, and a failure is that of
 * its own request.  False, with the status set, where all are at an end: the model cannot do what the options say, or
 * a stop; with needs_all at the first failure, which scorer->at says of whom it is.
 */
extern bool srm_scorer_score_requests(SrmScorer *scorer, SrmScoreRequest *requests, size_t n, bool needs_all,
									  const SrmScoreOptions *options, SrmArena *arena,
									  const SrmStop *stop, SrmStatus *status);

/*
 * The same of responses, each the last message behind the same n_messages
 * before it, of which all are to succeed: the first failure ends the call.
 */
extern bool srm_scorer_score_responses(SrmScorer *scorer,
									   const SrmMessage *messages, size_t n_messages,
									   const SrmMessage *responses, size_t n_responses,
									   const SrmScoreOptions *options, SrmArena *arena,
									   SrmScored *scored, const SrmStop *stop,
									   SrmStatus *status);

/*
 * Whether a conversation can be scored, as far as that shows before the decoder runs.  Its
 * layout is kept for the score that may follow.
 */
extern bool srm_scorer_check(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
							 const SrmScoreOptions *options, SrmArena *arena,
							 const SrmStop *stop, SrmStatus *status);

/* The layout alone: what the model would read. */
extern bool srm_scorer_layout(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
							  const SrmScoreOptions *options, SrmArena *arena,
							  SrmLayout *layout, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_SCORER_H */
