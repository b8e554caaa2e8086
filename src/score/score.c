/*-------------------------------------------------------------------------
 *
 * score.c
 *	  The corridor from a conversation to a scored response.
 *
 * read_responses(), near the end, shows the whole way of the responses of one
 * pass; fits() decides which go together.
 *
 *-------------------------------------------------------------------------
 */
#include "score/scorer.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "reward/aggregator.h"
#include "score/memo.h"
#include "score/prompt.h"
#include "score/values.h"

/*
 * Responses go into one pass up to so many tokens, with their prompts where these are not the same: more do
 * not make products faster, but take memory.
 */
#define MAX_ROWS		1024
#define MAX_READINGS	256
#define MAX_PROMPT_TOKENS	4096	/* of prompts that are not the same; their keys lie in memory, layer by layer */

/* What the requests of one call have in common. */
typedef struct Call
{
	SrmScorer  *scorer;
	SrmScoreRequest *requests;
	size_t	   *twins;			/* for each, the first that asks for the same */
	const SrmScoreOptions *options;
	bool		needs_all;		/* the first failure ends the call */
	SrmMessage *messages;		/* room for those of any request */
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;			/* of the request at hand */
} Call;

/* A prompt of a pass. */
typedef struct Prompt
{
	SrmPromptText text;
	SrmPromptRest rest;			/* behind what the one before it, or the cache, has in common with it */
} Prompt;

/* One response on its way. */
typedef struct Reading
{
	SrmMemoKey	key;
	SrmLayout	layout;
	int32_t    *ids;			/* (layout.tokens.n) */
	SrmPromptText prompt;		/* without hidden states; */
	size_t		prompt_number;	/* of the batch's, which has them */
	uint32_t   *wanted;			/* (n_wanted) tokens of the response's block to read */
	size_t		n_wanted;
	float	   *states;			/* (n_wanted, dim) theirs */
	float	   *hidden;			/* (n + 1, dim) at the boundaries */
	double	   *values;			/* v (n + 1) at the boundaries */
	double	   *token_values;	/* (n_token_rewards) at the response's tokens */
	SrmScored  *scored;
	size_t		number;			/* of the request */
} Reading;

/* Responses that go through the decoder together: they have the same angles. */
typedef struct Batch
{
	Reading    *readings;		/* (n) */
	size_t		n;
	size_t		n_rows;			/* tokens behind prompts */
	Prompt	   *prompts;		/* (n_prompts) of which no two are the same */
	size_t		n_prompts;
	size_t		n_prompt_rows;	/* tokens of prompts that are to be computed, */
	size_t		n_prompt_tokens;	/* and all of them */
} Batch;

static bool
needs_tokens(const Call *call)
{
	return call->options->want_tokens ||
		call->options->aggregation == SRM_AGGREGATE_TOKEN_MEAN;
}

/* Whether the states of all tokens behind the prompt are wanted. */
static bool
needs_states(const Call *call)
{
	return needs_tokens(call) || call->scorer->model->head.pools_mean;
}

static bool
collect_ids(const Call *call, Reading *reading)
{
	const SrmTokens *tokens = &reading->layout.tokens;

	reading->ids = srm_arena_array(call->arena, tokens->n, sizeof(int32_t), call->status);
	if (reading->ids == NULL)
		return false;
	for (size_t i = 0; i < tokens->n; i++)
		reading->ids[i] = tokens->items[i].id;
	reading->prompt = (SrmPromptText) {
		.tokens = reading->ids,.n_tokens = reading->layout.n_prompt,
		.rope_length = srm_decoder_rope_length(&call->scorer->model->decoder, tokens->n)
	};
	return true;
}

/*
 * Decides which tokens are read: of the prompt the one that the model's gate reads
 * and the last, and of the response's block the boundaries, or all of them where the rewards of
 * tokens are asked for.
 */
static bool
choose_tokens(const Call *call, Reading *reading)
{
	const SrmLayout *layout = &reading->layout;
	SrmPromptText *prompt = &reading->prompt;
	size_t		n_block = layout->tokens.n - layout->n_prompt;
	bool		all = needs_states(call);

	if (layout->gate < layout->n_prompt && layout->gate != layout->n_prompt - 1)
		prompt->read[prompt->n_read++] = (uint32_t) layout->gate;
	if (layout->n_prompt > 0)
		prompt->read[prompt->n_read++] = (uint32_t) layout->n_prompt - 1;
	reading->n_wanted = all ? n_block : layout->n;
	reading->wanted = srm_arena_array(call->arena, reading->n_wanted, sizeof(uint32_t), call->status);
	if (reading->wanted == NULL)
		return false;
	for (size_t i = 0; i < reading->n_wanted; i++)
		reading->wanted[i] = all ? (uint32_t) i :
			layout->boundaries[i + 1] - (uint32_t) layout->n_prompt;
	return true;
}

static bool
allocate_results(const Call *call, Reading *reading)
{
	size_t		n = reading->layout.n;
	size_t		dim = call->scorer->model->decoder.dim;
	SrmScored  *scored = reading->scored;

	scored->n = n;
	scored->n_sentences = reading->layout.n_sentences;
	scored->sentences = reading->layout.sentences;
	scored->n_tokens = reading->layout.tokens.n;
	scored->truncated = reading->layout.truncated;
	reading->states = srm_arena_array(call->arena, reading->n_wanted * dim, sizeof(float), call->status);
	reading->hidden = srm_arena_array(call->arena, (n + 1) * dim, sizeof(float), call->status);
	reading->values = srm_arena_array(call->arena, n + 1, sizeof(double), call->status);
	scored->rewards = srm_arena_array(call->arena, n + 1, sizeof(double), call->status);
	scored->weights = srm_arena_array(call->arena, n + 1, sizeof(double), call->status);
	return call->status->code == SRM_OK;
}

/* The messages of a request with the response, which are as many as the result says. */
static size_t
join_messages(const Call *call, const SrmScoreRequest *request)
{
	if (request->n_messages > 0)
		memcpy(call->messages, request->messages, request->n_messages * sizeof(SrmMessage));
	call->messages[request->n_messages] = *request->response;
	return request->n_messages + 1;
}

/* The layout, unless srm_scorer_check() has left it. */
static bool
lay_out(const Call *call, Reading *reading, size_t n_messages)
{
	bool		found;

	return srm_memo_take_layout(call->scorer->memo, &reading->key, call->arena, &reading->layout,
								&found, call->status) &&
		(found ||
		 srm_scorer_layout(call->scorer, call->messages, n_messages, call->options,
						   call->arena, &reading->layout, call->stop, call->status));
}

/* The first half of the way: all that comes before the decoder. */
static bool
begin_reading(const Call *call, Reading *reading, size_t n_messages)
{
	return lay_out(call, reading, n_messages) &&
		collect_ids(call, reading) &&
		choose_tokens(call, reading) &&
		allocate_results(call, reading);
}

/* The prompt before number, or that of the cache, of which the scorer may know nothing. */
static const SrmPromptText *
prompt_before(const Call *call, const Batch *batch, size_t number)
{
	return number > 0 ? &batch->prompts[number - 1].text : &call->scorer->prompt->text;
}

/* The sequence of a prompt: what is not there of its states. */
static bool
list_prompt(const Call *call, Batch *batch, size_t number, SrmSequence *sequences)
{
	Prompt	   *prompt = &batch->prompts[number];
	SrmPromptText *text = &prompt->text;
	SrmPromptRest *rest = &prompt->rest;
	size_t		dim = call->scorer->model->decoder.dim;

	srm_prompt_compare(rest, text, prompt_before(call, batch, number));
	text->hidden = srm_arena_array(call->arena, SRM_MAX_READ * dim, sizeof(float), call->status);
	if (text->hidden == NULL)
		return false;
	sequences[number] = (SrmSequence) {
		.tokens = text->tokens + rest->n_common,.n_tokens = text->n_tokens - rest->n_common,
		.wanted = rest->wanted,.n_wanted = text->n_read - rest->n_read_before,
		.hidden = text->hidden + rest->n_read_before * dim,
		.n_common = rest->n_common,.common = number > 0 ? &sequences[number - 1] : NULL,
		.is_kept = text->n_tokens > 0 && number + 1 == batch->n_prompts,.rope_length = text->rope_length
	};
	return true;
}

/* All prompts, and behind them all responses. */
static SrmSequence *
list_sequences(const Call *call, Batch *batch)
{
	SrmSequence *sequences = srm_arena_array(call->arena, batch->n_prompts + batch->n, sizeof(SrmSequence), call->status);

	if (sequences == NULL)
		return NULL;
	for (size_t i = 0; i < batch->n_prompts; i++)
		if (!list_prompt(call, batch, i, sequences))
			return NULL;
	for (size_t i = 0; i < batch->n; i++)
	{
		const Reading *reading = &batch->readings[i];
		size_t		n_prompt = reading->layout.n_prompt;

		/* A template may put nothing before the response: no state, value 0 */
		sequences[batch->n_prompts + i] = (SrmSequence) {
			.tokens = reading->ids + n_prompt,.n_tokens = reading->layout.tokens.n - n_prompt,
			.wanted = reading->wanted,.n_wanted = reading->n_wanted,.n_first = reading->layout.n_first,
			.hidden = reading->states,.past = n_prompt > 0 ? &sequences[reading->prompt_number] : NULL,
			.rope_length = reading->prompt.rope_length
		};
	}
	return sequences;
}

/* The prompts' hidden states that were there, and the last one for the next call. */
static void
end_prompts(const Call *call, Batch *batch)
{
	SrmScorer  *scorer = call->scorer;
	const SrmPromptText *last = &batch->prompts[batch->n_prompts - 1].text;

	for (size_t i = 0; i < batch->n_prompts; i++)
		srm_prompt_take_hidden(&batch->prompts[i].text, &batch->prompts[i].rest,
							   prompt_before(call, batch, i), scorer->model->decoder.dim);
	if (last->n_tokens > 0)
		srm_prompt_keep(scorer->prompt, last);
}

/* One pass: what is not there of the prompts' states, and the responses behind them. */
static bool
run_decoder(const Call *call, Batch *batch)
{
	SrmScorer  *scorer = call->scorer;
	bool		has_prompt = batch->prompts[batch->n_prompts - 1].text.n_tokens > 0;
	SrmSequence *sequences = list_sequences(call, batch);
	size_t		n_sequences = batch->n_prompts + batch->n;
	bool		done;

	if (sequences == NULL ||
		!srm_prompt_reserve(scorer->prompt, batch->prompts[batch->n_prompts - 1].text.n_tokens, call->status))
		return false;
	done = srm_decoder_forward_batch(&scorer->model->decoder, has_prompt ? scorer->prompt->cache : NULL, sequences,
									 n_sequences, call->options->n_threads, call->stop, call->status);
	srm_model_release(scorer->model);
	if (!done)
	{
		srm_prompt_shorten(scorer->prompt);
		return false;
	}
	end_prompts(call, batch);
	scorer->n_passes++;
	for (size_t i = 0; i < n_sequences; i++)
		scorer->n_computed += sequences[i].n_tokens;
	return true;
}

static bool
check_finite(const double *values, size_t n, SrmStatus *status)
{
	for (size_t i = 0; i < n; i++)
	{
		if (isfinite(values[i]))
			continue;
		srm_fail(status, SRM_INVALID_MODEL, "model gives a value that is not finite");
		return srm_fail_hint(status, "Check that the weights were copied completely, and that they are finite.");
	}
	return true;
}

/* Values of states (n, dim); a gate reads the first of the prompt's states. */
static bool
read_values(const Call *call, const Reading *reading, double *values, const float *states, size_t n)
{
	bool		has_gate = reading->layout.gate < reading->layout.n_prompt;

	return srm_model_values(values, states, has_gate ? reading->prompt.hidden : NULL,
							call->scorer->model, n, call->arena, call->status);
}

/* mean (dim) = that of states (n, dim) */
static void
pool_states(float *mean, const float *states, size_t n, size_t dim)
{
	for (size_t i = 0; i < dim; i++)
	{
		double		sum = 0.0;

		for (size_t row = 0; row < n; row++)
			sum += states[row * dim + i];
		mean[i] = (float) (sum / (double) n);
	}
}

/*
 * Hidden states and values at the boundaries.  states (n_wanted, dim) are
 * those of the response's block.
 */
static bool
read_boundaries(const Call *call, Reading *reading)
{
	const SrmLayout *layout = &reading->layout;
	size_t		dim = call->scorer->model->decoder.dim;
	bool		all = needs_states(call);

	if (layout->n_prompt > 0)
		memcpy(reading->hidden, reading->prompt.hidden + (reading->prompt.n_read - 1) * dim, dim * sizeof(float));
	for (size_t i = 1; i <= layout->n; i++)
	{
		size_t		row = all ? layout->boundaries[i] - layout->n_prompt : i - 1;

		memcpy(reading->hidden + i * dim, reading->states + row * dim, dim * sizeof(float));
	}
	if (call->scorer->model->head.pools_mean)
		pool_states(reading->hidden + dim, reading->states, reading->n_wanted, dim);
	if (!read_values(call, reading, reading->values, reading->hidden, layout->n + 1))
		return false;
	if (layout->n_prompt == 0)
		reading->values[0] = 0.0;
	return check_finite(reading->values, layout->n + 1, call->status);
}

/*
 * Values at the tokens that show some of the response.  The last of a
 * sentence has the value at the sentence's boundary, be that a marker, so
 * that the rewards of its tokens add up to the sentence's.
 */
static bool
read_tokens(const Call *call, Reading *reading)
{
	const SrmLayout *layout = &reading->layout;
	SrmScored  *scored = reading->scored;
	double	   *values;
	size_t		n = 0;
	size_t		sentence = 1;

	scored->tokens = srm_arena_array(call->arena, reading->n_wanted, sizeof(SrmTokenReward), call->status);
	reading->token_values = srm_arena_array(call->arena, reading->n_wanted, sizeof(double), call->status);
	values = srm_arena_array(call->arena, reading->n_wanted, sizeof(double), call->status);
	if (scored->tokens == NULL || reading->token_values == NULL || values == NULL ||
		!read_values(call, reading, values, reading->states, reading->n_wanted))
		return false;
	for (size_t i = 0; i < reading->n_wanted; i++)
	{
		const SrmToken *token = &layout->tokens.items[layout->n_prompt + i];
		SrmRange	bytes = srm_layout_response_bytes(layout, call->requests[reading->number].n_messages, token);

		if (bytes.start < bytes.end)
		{
			reading->token_values[n] = values[i];
			scored->tokens[n++] = (SrmTokenReward) {.id = token->id,.bytes = bytes};
		}
		if (n > 0 && sentence <= layout->n && layout->n_prompt + i == layout->boundaries[sentence])
			reading->token_values[n - 1] = reading->values[sentence++];
	}
	scored->n_token_rewards = n;
	return check_finite(reading->token_values, n, call->status);
}

static void
reward_tokens(Reading *reading)
{
	double		before = reading->values[0];

	for (size_t i = 0; i < reading->scored->n_token_rewards; i++)
	{
		reading->scored->tokens[i].reward = reading->token_values[i] - before;
		before = reading->token_values[i];
	}
}

/* Known before the pass, so that nobody waits for an error. */
static bool
check_aggregation(const Call *call)
{
	if (call->scorer->model->head.is_of_steps &&
		(needs_tokens(call) || call->options->aggregation == SRM_AGGREGATE_ATTENTION))
		return srm_fail(call->status, SRM_INVALID_ARGUMENT,
						"model rewards steps, not tokens, and does not weigh them");
	if (call->scorer->model->head.is_of_pairs && needs_tokens(call))
		return srm_fail(call->status, SRM_INVALID_ARGUMENT, "model rewards a response as a whole, not its tokens");
	if (call->options->aggregation != SRM_AGGREGATE_ATTENTION ||
		call->scorer->model->attention.dim > 0)
		return true;
	srm_fail(call->status, SRM_INVALID_ARGUMENT, "model has no weights for aggregation by attention");
	return srm_fail_hint(call->status, "Set \"srm.aggregation\" to another value.");
}

static bool
attend(const Call *call, Reading *reading)
{
	const SrmModel *model = call->scorer->model;
	const SrmModelAttention *attention = &model->attention;
	SrmAggregator aggregator = {
		model->decoder.dim, attention->dim,
		attention->query_weight, attention->query_bias,
		attention->key_weight, attention->key_bias
	};

	return srm_aggregator_forward(reading->scored->weights, reading->hidden, &aggregator,
								  reading->layout.n, call->arena, call->status);
}

/* From values to rewards, weights and the score. */
static bool
aggregate(const Call *call, Reading *reading)
{
	SrmScored  *scored = reading->scored;
	SrmAggregation aggregation = call->options->aggregation;
	size_t		n = reading->layout.n;
	bool		of_steps = call->scorer->model->head.is_of_steps;

	if (of_steps)
		srm_step_rewards_forward(scored->rewards, reading->values, n);
	else
		srm_rewards_forward(scored->rewards, reading->values, n);
	if (aggregation == SRM_AGGREGATE_TOKEN_MEAN)
	{
		if (scored->n_token_rewards == 0)
			return srm_fail(call->status, SRM_INVALID_ARGUMENT, "response has no tokens");
		scored->weights = NULL;
		scored->score = srm_mean_forward(reading->token_values, scored->n_token_rewards);
		return true;
	}
	if (aggregation == SRM_AGGREGATE_ATTENTION)
	{
		if (!attend(call, reading))
			return false;
	}
	else if (of_steps)
		srm_step_weights_forward(scored->weights, scored->rewards, aggregation, n);
	else
		srm_weights_forward(scored->weights, scored->rewards, aggregation, n);
	scored->score = srm_score_forward(scored->weights, scored->rewards, n);
	return check_finite(&scored->score, 1, call->status);
}

/* The second half of the way: from hidden states to the score. */
static bool
finish_reading(const Call *call, Reading *reading)
{
	if (!read_boundaries(call, reading) ||
		(needs_tokens(call) && !read_tokens(call, reading)) ||
		!aggregate(call, reading))
		return false;
	if (call->options->want_tokens)
		reward_tokens(reading);
	if (call->options->cache_bytes > 0)
		srm_memo_put(call->scorer->memo, &reading->key, reading->scored);
	return true;
}

static void
empty_batch(Batch *batch)
{
	memset(batch->readings, 0, batch->n * sizeof(Reading));
	batch->n = batch->n_rows = batch->n_prompts = batch->n_prompt_rows = batch->n_prompt_tokens = 0;
}

/* Makes a request the one at hand, whose failures are its own; whether it has not failed. */
static bool
turn_to(Call *call, size_t number)
{
	call->scorer->at = number;
	call->status = &call->requests[number].status;
	return call->status->code == SRM_OK;
}

/* Whether the call goes on after a failure of the request at hand. */
static bool
goes_on(const Call *call)
{
	return !call->needs_all && call->status->code != SRM_STOPPED;
}

static void add_to_batch(const Call *call, Batch *batch, const Reading *reading);

/* After a failure that may be due to any of them, each by itself. */
static bool
run_one_by_one(Call *call, const Batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
	{
		Reading		alone;
		Prompt		prompt;
		Batch		one = {.readings = &alone,.prompts = &prompt};

		(void) turn_to(call, batch->readings[i].number);
		add_to_batch(call, &one, &batch->readings[i]);
		if (run_decoder(call, &one))
			batch->prompts[batch->readings[i].prompt_number].text.hidden = prompt.text.hidden;
		else if (!goes_on(call))
			return false;
	}
	return true;
}

/* The responses of a batch through the decoder; a failure is that of the request, where the call goes on. */
static bool
run_batch(Call *call, Batch *batch)
{
	(void) turn_to(call, batch->readings[0].number);
	call->scorer->at = SIZE_MAX;
	if (run_decoder(call, batch))
		return true;
	if (batch->n == 1 || !goes_on(call))
		return goes_on(call);
	srm_status_init(call->status);
	return run_one_by_one(call, batch);
}

/* The responses of a batch, from tokens to results; empties it. */
static bool
read_responses(Call *call, Batch *batch)
{
	if (batch->n == 0)
		return true;
	if (!run_batch(call, batch))
		return false;
	for (size_t i = 0; i < batch->n; i++)
	{
		Reading    *reading = &batch->readings[i];

		reading->prompt.hidden = batch->prompts[reading->prompt_number].text.hidden;
		if (turn_to(call, reading->number) && !finish_reading(call, reading) && !goes_on(call))
			return false;
	}
	empty_batch(batch);
	return true;
}

/* Whether they are one, with the same tokens read. */
static bool
same_prompt(const SrmPromptText *a, const SrmPromptText *b)
{
	return a->n_tokens == b->n_tokens && a->n_read == b->n_read &&
		memcmp(a->read, b->read, sizeof(a->read)) == 0 &&
		memcmp(a->tokens, b->tokens, a->n_tokens * sizeof(int32_t)) == 0;
}

/* The number of a reading's prompt, or n_prompts. */
static size_t
find_prompt(const Batch *batch, const Reading *reading)
{
	size_t		i = batch->n_prompts;

	/* That of the last one, most often */
	while (i > 0)
		if (same_prompt(&batch->prompts[--i].text, &reading->prompt))
			return i;
	return batch->n_prompts;
}

/* Tokens of a reading's prompt that come to those of the batch. */
static size_t
count_prompt_rows(const Call *call, const Batch *batch, const Reading *reading)
{
	SrmPromptRest rest;

	srm_prompt_compare(&rest, &reading->prompt, prompt_before(call, batch, batch->n_prompts));
	return reading->prompt.n_tokens - rest.n_common;
}

/*
 * Whether a response may go into the pass of those that wait.  A prompt that all of them share may have any length.
 */
static bool
fits(const Call *call, const Batch *batch, const Reading *reading)
{
	size_t		n_rows = batch->n_rows + reading->layout.tokens.n - reading->layout.n_prompt;

	if (batch->n == 0)
		return true;
	if (batch->n == MAX_READINGS || batch->readings[0].prompt.rope_length != reading->prompt.rope_length)
		return false;
	if (find_prompt(batch, reading) < batch->n_prompts)
		return n_rows + (batch->n_prompts > 1 ? batch->n_prompt_rows : 0) <= MAX_ROWS;
	return (batch->n_prompt_tokens > 0) == (reading->prompt.n_tokens > 0) &&
		batch->n_prompt_tokens + reading->prompt.n_tokens <= MAX_PROMPT_TOKENS &&
		n_rows + batch->n_prompt_rows + count_prompt_rows(call, batch, reading) <= MAX_ROWS;
}

static void
add_to_batch(const Call *call, Batch *batch, const Reading *reading)
{
	Reading    *added = &batch->readings[batch->n++];

	*added = *reading;
	added->prompt_number = find_prompt(batch, reading);
	batch->n_rows += reading->layout.tokens.n - reading->layout.n_prompt;
	if (added->prompt_number < batch->n_prompts)
		return;
	batch->n_prompt_rows += count_prompt_rows(call, batch, reading);
	batch->n_prompt_tokens += reading->prompt.n_tokens;
	batch->prompts[batch->n_prompts++].text = reading->prompt;
}

/* Puts a response with those that wait, or finds its result at once. */
static bool
add_response(Call *call, Batch *batch, size_t number)
{
	SrmScoreRequest *request = &call->requests[number];
	Reading		reading = {.scored = &request->scored,.number = number};
	size_t		n_messages = join_messages(call, request);
	bool		found = false;

	(void) turn_to(call, number);
	memset(&request->scored, 0, sizeof(SrmScored));
	if (call->options->cache_bytes > 0 &&
		(!srm_memo_key(&reading.key, call->messages, n_messages, call->options, call->arena, call->status) ||
		 !srm_memo_get(call->scorer->memo, &reading.key, call->arena, &request->scored, &found, call->status)))
		return goes_on(call);
	if (found)
		return true;
	if (!begin_reading(call, &reading, n_messages))
		return goes_on(call);
	if (!fits(call, batch, &reading) && !read_responses(call, batch))
		return false;
	add_to_batch(call, batch, &reading);
	return true;
}

static bool
same_conversation(const SrmScoreRequest *a, const SrmScoreRequest *b)
{
	bool		same = a->response->content_length == b->response->content_length &&
		a->n_messages == b->n_messages && srm_message_equal(a->response, b->response);

	for (size_t i = 0; same && a->messages != b->messages && i < a->n_messages; i++)
		same = srm_message_equal(&a->messages[i], &b->messages[i]);
	return same;
}

/* The first request that is the same, or number itself. */
static size_t
find_twin(const SrmScoreRequest *requests, size_t number)
{
	size_t		i = 0;

	while (i < number && !same_conversation(&requests[i], &requests[number]))
		i++;
	return i;
}

static bool
score_requests(Call *call, Batch *batch, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		call->twins[i] = find_twin(call->requests, i);
		if (call->twins[i] == i && !add_response(call, batch, i))
			return false;
	}
	if (!read_responses(call, batch))
		return false;
	for (size_t i = 0; i < n; i++)
	{
		SrmScoreRequest *request = &call->requests[i];
		const SrmScoreRequest *twin = &call->requests[call->twins[i]];

		if (twin == request)
			continue;
		request->status = twin->status;
		if (turn_to(call, i) && !srm_scored_copy(&request->scored, &twin->scored, call->arena, call->status) &&
			!goes_on(call))
			return false;
	}
	return true;
}

/* Room for what waits, and for the messages of any request. */
static bool
allocate_batch(Call *call, Batch *batch, size_t n, SrmStatus *status)
{
	size_t		n_waiting = srm_smaller(n, MAX_READINGS);
	size_t		n_messages = 0;

	for (size_t i = 0; i < n; i++)
		n_messages = call->requests[i].n_messages > n_messages ? call->requests[i].n_messages : n_messages;
	call->messages = srm_arena_array(call->arena, n_messages + 1, sizeof(SrmMessage), status);
	call->twins = srm_arena_array(call->arena, n, sizeof(size_t), status);
	batch->readings = srm_arena_array(call->arena, n_waiting, sizeof(Reading), status);
	batch->prompts = srm_arena_array(call->arena, n_waiting, sizeof(Prompt), status);
	return status->code == SRM_OK;
}

static bool
run_call(Call *call, size_t n, SrmStatus *status)
{
	SrmScorer  *scorer = call->scorer;
	size_t		cache_bytes = call->options->cache_bytes;
	Batch		batch = {0};
	bool		done;

	scorer->at = SIZE_MAX;
	call->status = status;
	if (!check_aggregation(call) || !allocate_batch(call, &batch, n, status))
		return false;
	for (size_t i = 0; i < n; i++)
		srm_status_init(&call->requests[i].status);
	/* What is above the limit is left from calls with another one */
	srm_prompt_trim(scorer->prompt, &scorer->model->decoder, cache_bytes);
	done = score_requests(call, &batch, n);
	if (!done)
		*status = *call->status;
	srm_prompt_trim(scorer->prompt, &scorer->model->decoder, cache_bytes);
	if (cache_bytes == 0)
		srm_memo_clear(scorer->memo);
	return done;
}

bool
srm_scorer_score_requests(SrmScorer *scorer, SrmScoreRequest *requests, size_t n, const SrmScoreOptions *options,
						  SrmArena *arena, const SrmStop *stop, SrmStatus *status)
{
	Call		call = {.scorer = scorer,.requests = requests,.options = options,.arena = arena,.stop = stop};

	return run_call(&call, n, status);
}

bool
srm_scorer_score_responses(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
						   const SrmMessage *responses, size_t n_responses,
						   const SrmScoreOptions *options, SrmArena *arena,
						   SrmScored *scored, const SrmStop *stop, SrmStatus *status)
{
	Call		call = {.scorer = scorer,.options = options,.needs_all = true,.arena = arena,.stop = stop};

	call.requests = srm_arena_array(arena, n_responses, sizeof(SrmScoreRequest), status);
	if (call.requests == NULL)
		return false;
	for (size_t i = 0; i < n_responses; i++)
		call.requests[i] = (SrmScoreRequest) {.messages = messages,.n_messages = n_messages,.response = &responses[i]};
	if (!run_call(&call, n_responses, status))
		return false;
	for (size_t i = 0; i < n_responses; i++)
		scored[i] = call.requests[i].scored;
	return true;
}

bool
srm_scorer_score(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
				 const SrmScoreOptions *options, SrmArena *arena,
				 SrmScored *scored, const SrmStop *stop, SrmStatus *status)
{
	return srm_scorer_score_responses(scorer, messages, n_messages - 1,
									  &messages[n_messages - 1], 1, options, arena,
									  scored, stop, status);
}

bool
srm_scorer_check(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
				 const SrmScoreOptions *options, SrmArena *arena, const SrmStop *stop,
				 SrmStatus *status)
{
	SrmMemoKey	key = {0};
	SrmLayout	layout;

	if (options->cache_bytes > 0 && !srm_memo_key(&key, messages, n_messages, options, arena, status))
		return false;
	if (srm_memo_has(scorer->memo, &key))
		return true;
	if (!srm_scorer_layout(scorer, messages, n_messages, options, arena, &layout, stop, status))
		return false;
	srm_memo_put_layout(scorer->memo, &key, &layout);
	return true;
}
