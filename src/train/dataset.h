/*-------------------------------------------------------------------------
 *
 * dataset.h
 *	  Preference pairs as tokens, and batches of them.
 *
 * A pair is the tokens that its two conversations begin with, and what each of them goes on
 * with.  The beginning is the longest that both share, but no longer than the
 * prompt.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DATASET_H
#define SRM_DATASET_H

#include "train/decoder_train.h"
#include "reward/gradient.h"
#include "train/train.h"

/* One of the two: its tokens behind the shared ones, and what is read of it. */
typedef struct SrmEnding
{
	int32_t    *tokens;			/* (n_tokens) */
	uint32_t	n_tokens;
	uint32_t   *reads;			/* (n_reads) tokens of the whole conversation, ascending */
	uint32_t	n_reads;		/* sentences + 1, or the tokens whose values count */
} SrmEnding;

typedef struct SrmPair
{
	int32_t    *shared;			/* (n_shared) */
	uint32_t	n_shared;
	SrmEnding	endings[2];		/* chosen, rejected */
	double		margin;
	double		weight;
	uint64_t	row;			/* the caller's number */
	uint64_t	prompt_hash;
	float	   *states;			/* (reads of both, dim) of SRM_TRAIN_HEAD; NULL otherwise */
} SrmPair;

typedef struct SrmDataset
{
	SrmArena   *arena;
	SrmPair    *pairs;			/* (n) */
	size_t		n;
	size_t		capacity;
	size_t		n_skipped;
	uint32_t   *train;			/* (n_train) indexes, once they are split */
	size_t		n_train;
	uint32_t   *held_out;		/* (n_held_out) */
	size_t		n_held_out;
} SrmDataset;

/* Reads conversations as the run wants them. */
typedef struct SrmPairReader
{
	const SrmModel *model;
	SrmLayoutOptions layout;	/* max_tokens without a bound: pairs are cut here */
	SrmAggregation aggregation;
	size_t		max_tokens;
	SrmTrainLong too_long;
	double		margin;			/* of pairs that have none */
	SrmArena   *scratch;
} SrmPairReader;

/* Without pairs; NULL, with the status set, where memory is short. */
extern SrmDataset *srm_dataset_create(SrmStatus *status);
extern void srm_dataset_free(SrmDataset *dataset);	/* NULL is allowed */

/* Tokenizes a pair and adds it, or counts it as skipped; errors name its row. */
extern bool srm_dataset_add(SrmDataset *dataset, const SrmTrainPair *pair, const SrmPairReader *reader,
							const SrmStop *stop, SrmStatus *status);

/* Splits by the hash of the prompt: the same prompt is never on both sides. */
extern bool srm_dataset_split(SrmDataset *dataset, double held_out, uint64_t seed, SrmStatus *status);

/* A hash of all that training sees of the pairs. */
extern uint64_t srm_dataset_hash(const SrmDataset *dataset, uint64_t hash);

/* Rows that a pair takes in a batch, and tokens of its two conversations. */
extern size_t srm_pair_rows(const SrmPair *pair);
extern size_t srm_pair_tokens(const SrmPair *pair);

/* A batch for the decoder, and the responses for the head: two for each pair, in order. */
typedef struct SrmPairBatch
{
	SrmTrainBatch batch;
	SrmResponse *responses;		/* (2 * n_pairs) */
	size_t		n_pairs;
} SrmPairBatch;

/* Builds the batch of some pairs, in the arena. */
extern bool srm_pair_batch(SrmPairBatch *batch, const SrmPair *const *pairs, size_t n_pairs,
						   SrmAggregation aggregation, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_DATASET_H */
