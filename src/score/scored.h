/*-------------------------------------------------------------------------
 *
 * scored.h
 *	  What is asked of a scorer, and what it gives.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SCORED_H
#define SRM_SCORED_H

#include "reward/reward.h"
#include "score/layout.h"

/* What a caller may set; srm_scorer_defaults() gives the model's own. */
typedef struct SrmScoreOptions
{
	SrmAggregation aggregation;
	const char *segmenter;
	const char *locale;
	const SrmSplitter *splitter;	/* of a segmenter that has a model; else NULL */
	SrmLengths	lengths;		/* of sentences that the segmenter cuts */
	const SrmSentences *given;	/* the caller's own, which tile the one response; NULL: by the segmenter */
	const char *date;			/* what the chat template takes for today */
	const char *variables;		/* a JSON object of the chat template's, besides the model's; "": none */
	size_t		max_tokens;
	SrmTruncation truncation;
	int			n_threads;
	size_t		cache_bytes;	/* prompt states above this size are not kept; 0: nothing is */
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

#endif							/* SRM_SCORED_H */
