/*-------------------------------------------------------------------------
 *
 * sat.c
 *	  Sentences by a model: SaT.
 *
 * Frohmann et al., "Segment Any Text", arXiv 2406.16678.  Chunks and their averages are those of
 * wtpsplit 2.2, which adds up in float16 where this does in double.
 *
 *-------------------------------------------------------------------------
 */
#include "sat/sat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sizes.h"
#include "nn/decoder.h"
#include "reward/reward.h"

/* Around each chunk, as XLM-R's tokenizer has them */
#define FIRST_TOKEN		"<s>"
#define LAST_TOKEN		"</s>"
#define N_AROUND		2

#define MAX_BLOCK		510		/* tokens of a chunk besides those, whatever a model has room for: wtpsplit's */
#define CHUNKS_AT_ONCE	4		/* whose states are in memory: 2048 rows of them */

struct SrmSat
{
	SrmModel   *model;
	int32_t		first_id;
	int32_t		last_id;
};

/* A text on its way through the model. */
typedef struct Reading
{
	const SrmSat *sat;
	const SrmTokens *tokens;
	size_t		block;			/* tokens of a chunk, without those around it */
	size_t		stride;
	int			n_threads;
	double	   *sums;			/* (tokens->n) of logits */
	uint32_t   *counts;			/* (tokens->n) chunks that they are of */
	int32_t    *ids;			/* (CHUNKS_AT_ONCE, block + N_AROUND) */
	uint32_t   *wanted;			/* (block): 1, 2 ... */
	float	   *hidden;			/* (CHUNKS_AT_ONCE, block, dim) */
	double	   *logits;			/* (block) */
	const SrmStop *stop;
	SrmStatus  *status;
} Reading;

static bool
find_token(const SrmSat *sat, const char *token, int32_t *id, SrmStatus *status)
{
	*id = srm_tokenizer_find(sat->model->tokenizer, token);
	if (*id >= 0)
		return true;
	return srm_fail(status, SRM_INVALID_MODEL, "tokenizer of segmenter \"%s\" has no token \"%s\"",
					sat->model->directory, token);
}

/* Has the model what is needed here? */
static bool
check_model(SrmSat *sat, SrmStatus *status)
{
	const SrmModel *model = sat->model;

	if (!srm_model_is_segmenter(model))
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "a model of architecture \"%s\" is no segmenter", model->architecture);
		return srm_fail_detail(status, "Segmenters are models of class \"SubwordXLMForTokenClassification\", as wtpsplit publishes them.");
	}
	if (model->max_tokens <= N_AROUND)
		return srm_fail(status, SRM_INVALID_MODEL, "segmenter \"%s\" has no room for a text", model->directory);
	return find_token(sat, FIRST_TOKEN, &sat->first_id, status) &&
		find_token(sat, LAST_TOKEN, &sat->last_id, status);
}

SrmSat *
srm_sat_open(const char *directory, const SrmModelOptions *options, const SrmStop *stop, SrmStatus *status)
{
	SrmSat	   *sat = srm_calloc(1, sizeof(SrmSat), status);

	if (sat == NULL)
		return NULL;
	sat->model = srm_model_open(directory, options, stop, status);
	if (sat->model != NULL && check_model(sat, status))
		return sat;
	srm_sat_close(sat);
	return NULL;
}

void
srm_sat_close(SrmSat *sat)
{
	if (sat == NULL)
		return;
	srm_model_close(sat->model);
	free(sat);
}

const SrmModel *
srm_sat_model(const SrmSat *sat)
{
	return sat->model;
}

void
srm_sat_defaults(const SrmSat *sat, SrmSatOptions *options)
{
	options->threshold = sat->model->settings.threshold;
	options->stride = sat->model->settings.stride;
	options->n_threads = 1;
}

/* Memory of chunks, which is that of a short text at most where the text is long. */
static bool
allocate_reading(Reading *reading, SrmArena *arena, SrmArena *scratch)
{
	size_t		n = reading->tokens->n;
	size_t		dim = reading->sat->model->decoder.dim;

	reading->sums = srm_arena_array(arena, n, sizeof(double), reading->status);
	reading->counts = srm_arena_array(scratch, n, sizeof(uint32_t), reading->status);
	reading->ids = srm_arena_array(scratch, CHUNKS_AT_ONCE * (reading->block + N_AROUND), sizeof(int32_t),
								   reading->status);
	reading->wanted = srm_arena_array(scratch, reading->block, sizeof(uint32_t), reading->status);
	reading->hidden = srm_arena_array(scratch, CHUNKS_AT_ONCE * reading->block * dim, sizeof(float),
									  reading->status);
	reading->logits = srm_arena_array(scratch, reading->block, sizeof(double), reading->status);
	if (reading->status->code != SRM_OK)
		return false;
	for (size_t i = 0; i < reading->block; i++)
		reading->wanted[i] = (uint32_t) i + 1;
	return true;
}

/* Chunk number i of a pass, which begins at a token. */
static SrmSequence
fill_chunk(Reading *reading, size_t i, size_t start)
{
	const SrmSat *sat = reading->sat;
	int32_t    *ids = reading->ids + i * (reading->block + N_AROUND);

	ids[0] = sat->first_id;
	for (size_t k = 0; k < reading->block; k++)
		ids[k + 1] = reading->tokens->items[start + k].id;
	ids[reading->block + 1] = sat->last_id;
	return (SrmSequence) {
		.tokens = ids,.n_tokens = reading->block + N_AROUND,.wanted = reading->wanted,.n_wanted = reading->block,
		.hidden = reading->hidden + i * reading->block * sat->model->decoder.dim
	};
}

static bool
add_logits(Reading *reading, const SrmSequence *chunk, size_t start)
{
	const SrmModel *model = reading->sat->model;
	SrmValueHead head = {.dim = model->decoder.dim,.weight = model->value_weight,.bias = model->value_bias};

	srm_values_forward(reading->logits, chunk->hidden, &head, reading->block);
	for (size_t k = 0; k < reading->block; k++)
	{
		if (!isfinite(reading->logits[k]))
		{
			srm_fail(reading->status, SRM_INVALID_MODEL, "segmenter gives a value that is not finite");
			return srm_fail_hint(reading->status, "Check that the weights were copied completely, and that they are finite.");
		}
		reading->sums[start + k] += reading->logits[k];
		reading->counts[start + k]++;
	}
	return true;
}

/* All chunks: the last one ends with the text, and overlaps the one before it as far as need be. */
static bool
read_chunks(Reading *reading)
{
	size_t		n = reading->tokens->n;
	SrmSequence chunks[CHUNKS_AT_ONCE];
	size_t		starts[CHUNKS_AT_ONCE];
	size_t		next = 0;
	bool		is_last = false;

	while (!is_last)
	{
		size_t		n_chunks = 0;

		while (n_chunks < CHUNKS_AT_ONCE && !is_last)
		{
			is_last = next + reading->block >= n;
			starts[n_chunks] = is_last ? n - reading->block : next;
			chunks[n_chunks] = fill_chunk(reading, n_chunks, starts[n_chunks]);
			next += reading->stride;
			n_chunks++;
		}
		if (!srm_decoder_forward_batch(&reading->sat->model->decoder, NULL, chunks, n_chunks,
									   reading->n_threads, reading->stop, reading->status))
			return false;
		for (size_t i = 0; i < n_chunks; i++)
			if (!add_logits(reading, &chunks[i], starts[i]))
				return false;
	}
	for (size_t i = 0; i < n; i++)
		reading->sums[i] /= reading->counts[i];
	return true;
}

bool
srm_sat_logits(SrmSat *sat, const char *text, size_t length, const SrmSatOptions *options, SrmArena *arena,
			   SrmTokens *tokens, double **logits, const SrmStop *stop, SrmStatus *status)
{
	Reading		reading = {.sat = sat,.tokens = tokens,.n_threads = options->n_threads,.stop = stop,.status = status};
	SrmArena   *scratch;
	bool		done;

	*tokens = (SrmTokens) {NULL, 0, 0};
	*logits = NULL;
	if (!srm_tokenizer_encode(sat->model->tokenizer, text, length, NULL, 0, arena, tokens, stop, status))
		return false;
	if (tokens->n == 0)
		return true;
	reading.block = srm_smaller(srm_smaller(tokens->n, MAX_BLOCK), sat->model->max_tokens - N_AROUND);
	/* Beyond a chunk's length, tokens would be passed over */
	reading.stride = srm_smaller(options->stride, reading.block);
	scratch = srm_arena_create(status);
	done = scratch != NULL && allocate_reading(&reading, arena, scratch) && read_chunks(&reading);
	*logits = reading.sums;
	srm_arena_free(scratch);
	srm_model_release(sat->model);
	return done;
}

/* SrmSplitter: the ends of tokens whose probability is above the threshold. */
static bool
split(void *arg, const char *text, size_t length, SrmArena *arena, SrmEnds *ends, const SrmStop *stop,
	  SrmStatus *status)
{
	const SrmSatSplitter *splitter = arg;
	double		least = log(splitter->options.threshold / (1 - splitter->options.threshold));
	SrmTokens	tokens;
	double	   *logits;

	if (!srm_sat_logits(splitter->sat, text, length, &splitter->options, arena, &tokens, &logits, stop, status))
		return false;
	ends->n = 0;
	ends->items = srm_arena_array(arena, tokens.n, sizeof(uint32_t), status);
	if (ends->items == NULL)
		return false;
	for (size_t i = 0; i < tokens.n; i++)
	{
		/* Of several tokens that end with a character, the last one speaks for it */
		if (i + 1 < tokens.n && tokens.items[i + 1].end == tokens.items[i].end)
			continue;
		if (logits[i] > least)
			ends->items[ends->n++] = tokens.items[i].end;
	}
	return true;
}

void
srm_sat_splitter_init(SrmSatSplitter *splitter, SrmSat *sat, const SrmSatOptions *options)
{
	splitter->splitter = (SrmSplitter) {.split = split,.arg = splitter};
	splitter->sat = sat;
	splitter->options = *options;
}
