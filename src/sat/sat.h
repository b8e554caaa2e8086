/*-------------------------------------------------------------------------
 *
 * sat.h
 *	  Sentences by a model: SaT ("segment any text"), as wtpsplit applies it.
 *
 * The model reads a text in chunks that overlap, and gives each token a number, the
 * logit of the probability that a sentence ends with it; what several chunks say of a token is
 * averaged.  Line ends vanish in its tokens: who cares for them cuts there besides.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SAT_H
#define SRM_SAT_H

#include "model/model.h"
#include "segment/segment.h"

typedef struct SrmSat SrmSat;

/*
 * Opens the directory of a segmenter, as srm_model_open(); NULL, with the status set, also for a
 * model that is none.  One serves one thread at a time.
 */
extern SrmSat *srm_sat_open(const char *directory, const SrmModelOptions *options, const SrmStop *stop,
							SrmStatus *status);
extern void srm_sat_close(SrmSat *sat); /* NULL is allowed */

/* The model behind it, which lives as long. */
extern const SrmModel *srm_sat_model(const SrmSat *sat);

/* How to cut. */
typedef struct SrmSatOptions
{
	double		threshold;		/* a sentence ends where the probability is above it */
	size_t		stride;			/* tokens from one chunk to the next, at least 1 */
	int			n_threads;
} SrmSatOptions;

/* What the model's configuration says, and what is usual where it says nothing. */
extern void srm_sat_defaults(const SrmSat *sat, SrmSatOptions *options);

/*
 * The tokens of a text of valid UTF-8, less than 2^31 bytes, and their logits (tokens->n), in the
 * arena.  What a chunk needs besides is given back at once: memory grows with the tokens alone.
 */
extern bool srm_sat_logits(SrmSat *sat, const char *text, size_t length, const SrmSatOptions *options,
						   SrmArena *arena, SrmTokens *tokens, double **logits,
						   const SrmStop *stop, SrmStatus *status);

/*
 * What a segmenter of ours asks for ends of sentences; sat and options must stay as long as it
 * does.  A cut lies behind the last character of a token.
 */
typedef struct SrmSatSplitter
{
	SrmSplitter splitter;
	SrmSat	   *sat;
	SrmSatOptions options;
} SrmSatSplitter;

/* Makes a splitter of a segmenter; there is nothing to be freed. */
extern void srm_sat_splitter_init(SrmSatSplitter *splitter, SrmSat *sat, const SrmSatOptions *options);

#endif							/* SRM_SAT_H */
