/*-------------------------------------------------------------------------
 *
 * dataset.c
 *	  Preference pairs as tokens, and batches of them.
 *
 *-------------------------------------------------------------------------
 */
#include "train/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "train/random.h"

#define SHOWN_BYTES		60		/* of a response, in a message */

/* A pair in work: both conversations laid out. */
typedef struct Draft
{
	const SrmTrainPair *pair;
	const SrmPairReader *reader;
	SrmLayout	layouts[2];
	SrmArena   *arena;			/* of the dataset */
	const SrmStop *stop;
	SrmStatus  *status;
} Draft;

SrmDataset *
srm_dataset_create(SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmDataset *dataset;

	if (arena == NULL)
		return NULL;
	dataset = srm_arena_array(arena, 1, sizeof(SrmDataset), status);
	if (dataset == NULL)
		srm_arena_free(arena);
	else
		dataset->arena = arena;
	return dataset;
}

void
srm_dataset_free(SrmDataset *dataset)
{
	if (dataset != NULL)
		srm_arena_free(dataset->arena);
}

static const SrmMessage *
response_of(const Draft *draft, int number)
{
	return number == 0 ? &draft->pair->chosen : &draft->pair->rejected;
}

/* Adds to a failure which response it is about. */
static bool
name_response(const Draft *draft, int number, const char *detail)
{
	const SrmMessage *response = response_of(draft, number);
	size_t		length = srm_utf8_clip(response->content, response->content_length, SHOWN_BYTES);

	return srm_fail_detail(draft->status, "%s%sIt is response \"%s\" of the pair of row %llu, \"%.*s%s\".", detail,
						   detail[0] == '\0' ? "" : " ", number == 0 ? "chosen" : "rejected",
						   (unsigned long long) draft->pair->row, (int) length, response->content,
						   length < response->content_length ? "..." : "");
}

/* An error of the layout, with the response that it is about. */
static bool
fail_row(const Draft *draft, int number, const SrmStatus *found)
{
	SrmStatus	kept = *found;

	srm_status_init(draft->status);
	srm_fail(draft->status, kept.code, "%s", kept.message);
	if (kept.code == SRM_STOPPED || kept.code == SRM_OUT_OF_MEMORY)
		return false;
	name_response(draft, number, kept.detail);
	if (kept.hint[0] != '\0')
		srm_fail_hint(draft->status, "%s", kept.hint);
	return false;
}

static bool
lay_out(Draft *draft, int number)
{
	const SrmTrainPair *pair = draft->pair;
	SrmArena   *scratch = draft->reader->scratch;
	size_t		n = pair->n_prompt;
	SrmStatus	status;
	SrmMessage *messages;

	srm_status_init(&status);
	messages = srm_arena_array(scratch, n + 1, sizeof(SrmMessage), &status);
	if (messages != NULL)
	{
		memcpy(messages, pair->prompt, n * sizeof(SrmMessage));
		messages[n] = *response_of(draft, number);
	}
	if (messages == NULL ||
		!srm_layout(draft->reader->model, messages, n + 1, &draft->reader->layout, scratch,
					&draft->layouts[number], draft->stop, &status))
		return fail_row(draft, number, &status);
	if (draft->layouts[number].n_prompt > 0)
		return true;
	srm_fail(&status, SRM_NOT_SUPPORTED, "chat template puts nothing before the response");
	return fail_row(draft, number, &status);
}

typedef enum Fit
{
	FIT_OK,
	FIT_SKIP,
	FIT_ERROR
} Fit;

/* How many tokens both prompts lose at their beginning. */
static Fit
fit_pair(const Draft *draft, size_t *excess)
{
	const SrmPairReader *reader = draft->reader;
	const SrmLayout *layouts = draft->layouts;
	int			number = layouts[0].tokens.n > layouts[1].tokens.n ? 0 : 1;
	size_t		longest = layouts[number].tokens.n;
	char		detail[100];
	size_t		prompt = layouts[0].n_prompt < layouts[1].n_prompt ? layouts[0].n_prompt : layouts[1].n_prompt;

	*excess = longest > reader->max_tokens ? longest - reader->max_tokens : 0;
	if (*excess == 0)
		return FIT_OK;
	if (reader->too_long == SRM_TRAIN_LONG_TRUNCATE)
		return *excess < prompt ? FIT_OK : FIT_SKIP;
	if (reader->too_long == SRM_TRAIN_LONG_SKIP)
		return FIT_SKIP;
	srm_fail(draft->status, SRM_LIMIT_EXCEEDED, "pair has too many tokens");
	snprintf(detail, sizeof(detail), "The conversation has %zu tokens; the limit is %zu.", longest, reader->max_tokens);
	name_response(draft, number, detail);
	return FIT_ERROR;
}

/* Tokens at the start of both prompts that are the same, from excess on. */
static size_t
count_shared(const Draft *draft, size_t excess)
{
	const SrmLayout *layouts = draft->layouts;
	size_t		limit = layouts[0].n_prompt < layouts[1].n_prompt ? layouts[0].n_prompt : layouts[1].n_prompt;
	size_t		n = excess;

	while (n < limit && layouts[0].tokens.items[n].id == layouts[1].tokens.items[n].id)
		n++;
	return n - excess;
}

static bool
same_tokens(const Draft *draft)
{
	const SrmTokens *a = &draft->layouts[0].tokens;
	const SrmTokens *b = &draft->layouts[1].tokens;

	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].id != b->items[i].id)
			return false;
	return true;
}

/*
 * Tokens whose values make up a score by token_mean, as in scoring: those
 * that show some of the response, with the last of a sentence read at its boundary.
 */
static size_t
collect_tokens(const Draft *draft, const SrmLayout *layout, uint32_t *reads)
{
	size_t		message = draft->pair->n_prompt;
	size_t		n = 0;
	size_t		sentence = 1;

	for (size_t i = layout->n_prompt; i < layout->tokens.n; i++)
	{
		SrmRange	bytes = srm_layout_response_bytes(layout, message, &layout->tokens.items[i]);

		if (bytes.start < bytes.end)
			reads[n++] = (uint32_t) i;
		if (n > 0 && sentence <= layout->n && layout->boundaries[sentence] == i)
		{
			reads[n - 1] = (uint32_t) i;
			sentence++;
		}
	}
	return n;
}

static size_t
collect_reads(const Draft *draft, const SrmLayout *layout, uint32_t *reads)
{
	if (draft->reader->aggregation == SRM_AGGREGATE_TOKEN_MEAN)
		return collect_tokens(draft, layout, reads);
	if (draft->reader->aggregation == SRM_AGGREGATE_LAST)
	{
		reads[0] = layout->boundaries[layout->n];
		return 1;
	}
	memcpy(reads, layout->boundaries, (layout->n + 1) * sizeof(uint32_t));
	return layout->n + 1;
}

static bool
fill_ending(const Draft *draft, SrmEnding *ending, int number, size_t excess, size_t n_shared)
{
	const SrmLayout *layout = &draft->layouts[number];
	size_t		start = excess + n_shared;
	uint32_t   *reads = srm_arena_array(draft->reader->scratch, layout->tokens.n, sizeof(uint32_t),
										draft->status);

	if (reads == NULL)
		return false;
	ending->n_tokens = (uint32_t) (layout->tokens.n - start);
	ending->n_reads = (uint32_t) collect_reads(draft, layout, reads);
	ending->tokens = srm_arena_array(draft->arena, ending->n_tokens, sizeof(int32_t), draft->status);
	ending->reads = srm_arena_array(draft->arena, ending->n_reads, sizeof(uint32_t), draft->status);
	if (ending->tokens == NULL || ending->reads == NULL)
		return false;
	for (size_t i = 0; i < ending->n_tokens; i++)
		ending->tokens[i] = layout->tokens.items[start + i].id;
	for (size_t i = 0; i < ending->n_reads; i++)
		ending->reads[i] = reads[i] - (uint32_t) excess;
	return true;
}

static uint64_t
hash_prompt(const SrmTrainPair *pair)
{
	uint64_t	hash = pair->n_prompt;

	for (size_t i = 0; i < pair->n_prompt; i++)
	{
		hash = srm_hash_words(hash, pair->prompt[i].role, strlen(pair->prompt[i].role));
		hash = srm_hash_words(hash, pair->prompt[i].content, pair->prompt[i].content_length);
		if (pair->prompt[i].json != NULL)
			hash = srm_hash_words(hash, pair->prompt[i].json, strlen(pair->prompt[i].json));
	}
	return hash;
}

static bool
fill_pair(const Draft *draft, SrmPair *pair, size_t excess)
{
	size_t		n_shared = count_shared(draft, excess);

	memset(pair, 0, sizeof(SrmPair));
	pair->margin = draft->pair->has_margin ? draft->pair->margin : draft->reader->margin;
	pair->weight = draft->pair->weight;
	pair->row = draft->pair->row;
	pair->prompt_hash = hash_prompt(draft->pair);
	pair->n_shared = (uint32_t) n_shared;
	pair->shared = srm_arena_array(draft->arena, n_shared, sizeof(int32_t), draft->status);
	if (pair->shared == NULL)
		return false;
	for (size_t i = 0; i < n_shared; i++)
		pair->shared[i] = draft->layouts[0].tokens.items[excess + i].id;
	return fill_ending(draft, &pair->endings[0], 0, excess, n_shared) &&
		fill_ending(draft, &pair->endings[1], 1, excess, n_shared);
}

static bool
reserve_pair(SrmDataset *dataset, SrmStatus *status)
{
	size_t		capacity = dataset->capacity * 2 + 64;
	SrmPair    *pairs;

	if (dataset->n < dataset->capacity)
		return true;
	pairs = srm_arena_grow(dataset->arena, dataset->pairs, dataset->n, capacity, sizeof(SrmPair), status);
	if (pairs == NULL)
		return false;
	dataset->pairs = pairs;
	dataset->capacity = capacity;
	return true;
}

bool
srm_dataset_add(SrmDataset *dataset, const SrmTrainPair *pair, const SrmPairReader *reader,
				const SrmStop *stop, SrmStatus *status)
{
	Draft		draft = {.pair = pair,.reader = reader,.arena = dataset->arena,.stop = stop,.status = status};
	size_t		excess;
	Fit			fit;

	/* Scratch of the pair before goes, without giving memory back each time */
	srm_arena_reset(reader->scratch);
	if (!lay_out(&draft, 0) || !lay_out(&draft, 1))
		return false;
	fit = fit_pair(&draft, &excess);
	if (fit == FIT_ERROR)
		return false;
	if (fit == FIT_SKIP || same_tokens(&draft))
	{
		dataset->n_skipped++;
		return true;
	}
	if (!reserve_pair(dataset, status) || !fill_pair(&draft, &dataset->pairs[dataset->n], excess))
		return false;
	/* A response of which no token shows anything has no mean */
	if (dataset->pairs[dataset->n].endings[0].n_reads == 0 || dataset->pairs[dataset->n].endings[1].n_reads == 0)
		dataset->n_skipped++;
	else
		dataset->n++;
	return true;
}

bool
srm_dataset_split(SrmDataset *dataset, double held_out, uint64_t seed, SrmStatus *status)
{
	dataset->train = srm_arena_array(dataset->arena, dataset->n, sizeof(uint32_t), status);
	dataset->held_out = srm_arena_array(dataset->arena, dataset->n, sizeof(uint32_t), status);
	dataset->n_train = dataset->n_held_out = 0;
	if (dataset->train == NULL || dataset->held_out == NULL)
		return false;
	for (size_t i = 0; i < dataset->n; i++)
	{
		SrmRandom	random = srm_random_start(seed, SRM_RANDOM_SPLIT, dataset->pairs[i].prompt_hash);

		if (srm_random_uniform(&random) < held_out)
			dataset->held_out[dataset->n_held_out++] = (uint32_t) i;
		else
			dataset->train[dataset->n_train++] = (uint32_t) i;
	}
	return true;
}

uint64_t
srm_dataset_hash(const SrmDataset *dataset, uint64_t hash)
{
	for (size_t i = 0; i < dataset->n; i++)
	{
		const SrmPair *pair = &dataset->pairs[i];
		const double numbers[] = {pair->margin, pair->weight};

		hash = srm_hash_words(hash, numbers, sizeof(numbers));
		hash = srm_hash_words(hash, &pair->prompt_hash, sizeof(uint64_t));
		hash = srm_hash_words(hash, pair->shared, pair->n_shared * sizeof(int32_t));
		for (int j = 0; j < 2; j++)
		{
			hash = srm_hash_words(hash, pair->endings[j].tokens, pair->endings[j].n_tokens * sizeof(int32_t));
			hash = srm_hash_words(hash, pair->endings[j].reads, pair->endings[j].n_reads * sizeof(uint32_t));
		}
	}
	return hash;
}

size_t
srm_pair_rows(const SrmPair *pair)
{
	return (size_t) pair->n_shared + pair->endings[0].n_tokens + pair->endings[1].n_tokens;
}

size_t
srm_pair_tokens(const SrmPair *pair)
{
	return srm_pair_rows(pair) + pair->n_shared;
}

/* A batch in the making. */
typedef struct Builder
{
	SrmPairBatch *out;
	int32_t    *tokens;
	SrmTree    *trees;
	uint32_t   *wanted;
	SrmAggregation aggregation;
	SrmArena   *arena;
	SrmStatus  *status;
} Builder;

static SrmBranch *
add_segment(Builder *builder, const int32_t *tokens, size_t n, size_t n_past)
{
	SrmTrainBatch *batch = &builder->out->batch;
	SrmBranch *segment = &batch->segments[batch->n_segments++];

	*segment = (SrmBranch) {.first = batch->n_rows,.n = n,.n_past = n_past};
	memcpy(builder->tokens + batch->n_rows, tokens, n * sizeof(int32_t));
	batch->n_rows += n;
	return segment;
}

/* Wants a row, which comes behind all others so far; returns its number among those wanted. */
static uint32_t
want_row(Builder *builder, size_t row)
{
	SrmTrainBatch *batch = &builder->out->batch;

	builder->wanted[batch->n_wanted] = (uint32_t) row;
	return (uint32_t) batch->n_wanted++;
}

/* Rows that the head reads of one ending; prompt_row is t_0 if that is among the shared ones. */
static bool
add_reads(Builder *builder, const SrmEnding *ending, const SrmBranch *segment, uint32_t prompt_row,
		  SrmResponse *response)
{
	uint32_t   *rows = srm_arena_array(builder->arena, ending->n_reads, sizeof(uint32_t), builder->status);

	if (rows == NULL)
		return false;
	for (size_t i = 0; i < ending->n_reads; i++)
		rows[i] = ending->reads[i] < segment->n_past ? prompt_row :
			want_row(builder, segment->first + ending->reads[i] - segment->n_past);
	memset(response, 0, sizeof(SrmResponse));
	if (builder->aggregation == SRM_AGGREGATE_TOKEN_MEAN || builder->aggregation == SRM_AGGREGATE_LAST)
	{
		response->token_rows = rows;
		response->n_tokens = ending->n_reads;
		return true;
	}
	response->prompt_row = rows[0];
	response->boundary_rows = rows + 1;
	response->n = ending->n_reads - 1;
	return true;
}

/* Whether one of the endings is read in what both share: t_0 alone can be there. */
static bool
reads_shared(const SrmPair *pair)
{
	return pair->endings[0].reads[0] < pair->n_shared || pair->endings[1].reads[0] < pair->n_shared;
}

static bool
add_pair(Builder *builder, const SrmPair *pair, SrmResponse *responses)
{
	SrmTrainBatch *batch = &builder->out->batch;
	SrmTree    *tree = NULL;
	uint32_t	prompt_row = 0;

	if (pair->n_shared > 0)
	{
		SrmBranch *segment = add_segment(builder, pair->shared, pair->n_shared, 0);

		tree = &builder->trees[batch->n_trees++];
		*tree = (SrmTree) {segment, 1};
		if (reads_shared(pair))
			prompt_row = want_row(builder, segment->first + pair->n_shared - 1);
	}
	for (int i = 0; i < 2; i++)
	{
		const SrmEnding *ending = &pair->endings[i];
		SrmBranch *segment = add_segment(builder, ending->tokens, ending->n_tokens, pair->n_shared);

		if (tree != NULL)
			tree->n_segments++;
		else
			builder->trees[batch->n_trees++] = (SrmTree) {segment, 1};
		if (!add_reads(builder, ending, segment, prompt_row, &responses[i]))
			return false;
	}
	return true;
}

bool
srm_pair_batch(SrmPairBatch *out, const SrmPair *const *pairs, size_t n_pairs,
			   SrmAggregation aggregation, SrmArena *arena, SrmStatus *status)
{
	Builder		builder = {.out = out,.aggregation = aggregation,.arena = arena,.status = status};
	size_t		n_rows = 0;
	size_t		n_reads = 0;

	for (size_t i = 0; i < n_pairs; i++)
	{
		n_rows += srm_pair_rows(pairs[i]);
		n_reads += 1 + pairs[i]->endings[0].n_reads + pairs[i]->endings[1].n_reads;
	}
	memset(out, 0, sizeof(SrmPairBatch));
	builder.tokens = srm_arena_array(arena, n_rows, sizeof(int32_t), status);
	builder.wanted = srm_arena_array(arena, n_reads, sizeof(uint32_t), status);
	builder.trees = srm_arena_array(arena, 2 * n_pairs, sizeof(SrmTree), status);
	out->batch.segments = srm_arena_array(arena, 3 * n_pairs, sizeof(SrmBranch), status);
	out->responses = srm_arena_array(arena, 2 * n_pairs, sizeof(SrmResponse), status);
	if (status->code != SRM_OK)
		return false;
	out->batch.tokens = builder.tokens;
	out->batch.trees = builder.trees;
	out->batch.wanted = builder.wanted;
	out->n_pairs = n_pairs;
	for (size_t i = 0; i < n_pairs; i++)
		if (!add_pair(&builder, pairs[i], out->responses + 2 * i))
			return false;
	return true;
}
