/*-------------------------------------------------------------------------
 *
 * scorer.h
 *	  An opened model, ready to score: the corridor from a conversation to a
 *	  scored response.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORER_H
#define SRM_SCORER_H

#include "reward/reward.h"
#include "score/layout.h"

typedef struct SrmScorer
{
	SrmModel   *model;
	SrmAggregation aggregation; /* the model's own */
	SrmBoundary boundary;
	struct SrmPrompt *prompt;	/* states of the last prompt */
	SrmSegmenter *segmenter;	/* of the last locale */
	char	   *locale;
} SrmScorer;

/* What a caller may set; srm_scorer_defaults() gives the model's own. */
typedef struct SrmScoreOptions
{
	SrmAggregation aggregation;
	const char *locale;
	size_t		max_tokens;
	SrmTruncation truncation;
	int			n_threads;
	size_t		cache_bytes;	/* prompt states above this size are not kept */
	bool		want_tokens;	/* token rewards, too */
} SrmScoreOptions;

/* A token that shows some of the response. */
typedef struct SrmTokenReward
{
	int32_t		id;
	SrmRange	bytes;			/* of the response */
	double		reward;			/* value here less value at the token before */
} SrmTokenReward;

/* A scored response; all of it lies in the caller's arena. */
typedef struct SrmScored
{
	double		score;			/* R */
	size_t		n;				/* sentences that were read */
	size_t		n_sentences;	/* and those that truncation cut off */
	SrmSentence *sentences;		/* (n_sentences) bytes of the response */
	double	   *rewards;		/* c (n + 1): [0] is the prompt's value */
	double	   *weights;		/* a (n + 1); NULL where the aggregation has none */
	size_t		n_tokens;
	bool		truncated;
	SrmTokenReward *tokens;		/* (n_token_rewards) if wanted */
	size_t		n_token_rewards;
} SrmScored;

extern SrmScorer *srm_scorer_open(const char *directory, const SrmStop *stop,
								  SrmStatus *status);
extern void srm_scorer_close(SrmScorer *scorer);	/* NULL is allowed */

/* Bytes that this process alone holds. */
extern size_t srm_scorer_private_bytes(const SrmScorer *scorer);

extern void srm_scorer_defaults(const SrmScorer *scorer, SrmScoreOptions *options);

/*
 * Scores the last of n_messages > 0 messages.  The messages before it and the
 * text around it are computed as a block of their own, whose states are kept
 * for the next call with the same block: the same conversation gets the same
 * bits with and without them.
 */
extern bool srm_scorer_score(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
							 const SrmScoreOptions *options, SrmArena *arena,
							 SrmScored *scored, const SrmStop *stop, SrmStatus *status);

/* The layout alone: what the model would read. */
extern bool srm_scorer_layout(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
							  const SrmScoreOptions *options, SrmArena *arena,
							  SrmLayout *layout, const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_SCORER_H */
