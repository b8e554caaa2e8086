/*-------------------------------------------------------------------------
 *
 * score.c
 *	  The corridor from a conversation to a scored response.
 *
 * read_responses(), near the end, shows the whole way of the responses of one
 * pass; srm_readings_fit() decides which go together.
 *
 *-------------------------------------------------------------------------
 */
#include "score/readings.h"

#include <math.h>
#include <string.h>

#include "base/sizes.h"
#include "reward/aggregator.h"
#include "score/memo.h"
#include "score/values.h"

static bool
needs_tokens(const SrmScoreCall *call)
{
	return call->options->want_tokens ||
		call->options->aggregation == SRM_AGGREGATE_TOKEN_MEAN;
}

/* Whether the states of all tokens behind the prompt are wanted. */
static bool
needs_states(const SrmScoreCall *call)
{
	return needs_tokens(call) || call->scorer->model->head.pools_mean;
}

static bool
collect_ids(const SrmScoreCall *call, SrmReading *reading)
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
choose_tokens(const SrmScoreCall *call, SrmReading *reading)
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
allocate_results(const SrmScoreCall *call, SrmReading *reading)
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
join_messages(const SrmScoreCall *call, const SrmScoreRequest *request)
{
	if (request->n_messages > 0)
		memcpy(call->messages, request->messages, request->n_messages * sizeof(SrmMessage));
	call->messages[request->n_messages] = *request->response;
	return request->n_messages + 1;
}

/* The layout, unless srm_scorer_check() has left it. */
static bool
lay_out(const SrmScoreCall *call, SrmReading *reading, size_t n_messages)
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
begin_reading(const SrmScoreCall *call, SrmReading *reading, size_t n_messages)
{
	return lay_out(call, reading, n_messages) &&
		collect_ids(call, reading) &&
		choose_tokens(call, reading) &&
		allocate_results(call, reading);
}

/* In single precision, in which they are given away. */
static bool
check_finite(const double *values, size_t n, SrmStatus *status)
{
	for (size_t i = 0; i < n; i++)
	{
		if (isfinite((float) values[i]))
			continue;
		if (isfinite(values[i]))
		{
			srm_fail(status, SRM_INVALID_MODEL, "model gives a value beyond single precision");
			return srm_fail_detail(status, "It is %g.", values[i]);
		}
		srm_fail(status, SRM_INVALID_MODEL, "model gives a value that is not finite");
		return srm_fail_hint(status, "Check that the weights were copied completely, and that they are finite.");
	}
	return true;
}

/* Values of states (n, dim); a gate reads the first of the prompt's states. */
static bool
read_values(const SrmScoreCall *call, const SrmReading *reading, double *values, const float *states, size_t n)
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
read_boundaries(const SrmScoreCall *call, SrmReading *reading)
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
read_tokens(const SrmScoreCall *call, SrmReading *reading)
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

static bool
reward_tokens(SrmReading *reading, SrmStatus *status)
{
	double		before = reading->values[0];

	for (size_t i = 0; i < reading->scored->n_token_rewards; i++)
	{
		double	   *reward = &reading->scored->tokens[i].reward;

		*reward = reading->token_values[i] - before;
		if (!check_finite(reward, 1, status))
			return false;
		before = reading->token_values[i];
	}
	return true;
}

/* Known before the pass, so that nobody waits for an error. */
static bool
check_aggregation(const SrmScoreCall *call)
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
attend(const SrmScoreCall *call, SrmReading *reading)
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
aggregate(const SrmScoreCall *call, SrmReading *reading)
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
		return check_finite(scored->rewards, n + 1, call->status);
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
	return check_finite(scored->rewards, n + 1, call->status) && check_finite(&scored->score, 1, call->status);
}

/* The second half of the way: from hidden states to the score. */
static bool
finish_reading(const SrmScoreCall *call, SrmReading *reading)
{
	if (!read_boundaries(call, reading) ||
		(needs_tokens(call) && !read_tokens(call, reading)) ||
		!aggregate(call, reading))
		return false;
	if (call->options->want_tokens && !reward_tokens(reading, call->status))
		return false;
	if (call->options->cache_bytes > 0)
		srm_memo_put(call->scorer->memo, &reading->key, reading->scored);
	return true;
}

/* Makes a request the one at hand, whose failures are its own; whether it has not failed. */
static bool
turn_to(SrmScoreCall *call, size_t number)
{
	call->scorer->at = number;
	call->status = &call->requests[number].status;
	return call->status->code == SRM_OK;
}

/* Whether the call goes on after a failure of the request at hand. */
static bool
goes_on(const SrmScoreCall *call)
{
	return !call->needs_all && call->status->code != SRM_STOPPED;
}

/* After a failure that may be due to any of them, each by itself. */
static bool
run_one_by_one(SrmScoreCall *call, const SrmReadings *batch)
{
	for (size_t i = 0; i < batch->n; i++)
	{
		SrmReading	alone;
		SrmReadPrompt prompt;
		SrmReadings	one = {.readings = &alone,.prompts = &prompt};

		(void) turn_to(call, batch->readings[i].number);
		srm_readings_add(call, &one, &batch->readings[i]);
		if (srm_readings_run(call, &one))
			batch->prompts[batch->readings[i].prompt_number].text.hidden = prompt.text.hidden;
		else if (!goes_on(call))
			return false;
	}
	return true;
}

/* The responses of a batch through the decoder; a failure is that of the request, where the call goes on. */
static bool
run_batch(SrmScoreCall *call, SrmReadings *batch)
{
	(void) turn_to(call, batch->readings[0].number);
	call->scorer->at = SIZE_MAX;
	if (srm_readings_run(call, batch))
		return true;
	if (batch->n == 1 || call->status->code == SRM_STOPPED)
		return goes_on(call);
	srm_status_init(call->status);
	return run_one_by_one(call, batch);
}

/* The responses of a batch, from tokens to results; empties it. */
static bool
read_responses(SrmScoreCall *call, SrmReadings *batch)
{
	if (batch->n == 0)
		return true;
	if (!run_batch(call, batch))
		return false;
	for (size_t i = 0; i < batch->n; i++)
	{
		SrmReading *reading = &batch->readings[i];

		reading->prompt.hidden = batch->prompts[reading->prompt_number].text.hidden;
		if (turn_to(call, reading->number) && !finish_reading(call, reading) && !goes_on(call))
			return false;
	}
	srm_readings_clear(batch);
	return true;
}

/* Puts a response with those that wait, or finds its result at once. */
static bool
add_response(SrmScoreCall *call, SrmReadings *batch, size_t number)
{
	SrmScoreRequest *request = &call->requests[number];
	SrmReading	reading = {.scored = &request->scored,.number = number};
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
	if (!srm_readings_fit(call, batch, &reading) && !read_responses(call, batch))
		return false;
	srm_readings_add(call, batch, &reading);
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
score_requests(SrmScoreCall *call, SrmReadings *batch, size_t n)
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
allocate_batch(SrmScoreCall *call, SrmReadings *batch, size_t n, SrmStatus *status)
{
	size_t		n_waiting = srm_smaller(n, SRM_MAX_READINGS);
	size_t		n_messages = 0;

	for (size_t i = 0; i < n; i++)
		n_messages = call->requests[i].n_messages > n_messages ? call->requests[i].n_messages : n_messages;
	call->messages = srm_arena_array(call->arena, n_messages + 1, sizeof(SrmMessage), status);
	call->twins = srm_arena_array(call->arena, n, sizeof(size_t), status);
	batch->readings = srm_arena_array(call->arena, n_waiting, sizeof(SrmReading), status);
	batch->prompts = srm_arena_array(call->arena, n_waiting, sizeof(SrmReadPrompt), status);
	return status->code == SRM_OK;
}

static bool
run_call(SrmScoreCall *call, size_t n, SrmStatus *status)
{
	SrmScorer  *scorer = call->scorer;
	size_t		cache_bytes = call->options->cache_bytes;
	SrmReadings	batch = {0};
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
srm_scorer_score_requests(SrmScorer *scorer, SrmScoreRequest *requests, size_t n, bool needs_all,
						  const SrmScoreOptions *options, SrmArena *arena, const SrmStop *stop, SrmStatus *status)
{
	SrmScoreCall		call = {.scorer = scorer,.requests = requests,.options = options,.needs_all = needs_all,.arena = arena,.stop = stop};

	return run_call(&call, n, status);
}

bool
srm_scorer_score_responses(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
						   const SrmMessage *responses, size_t n_responses,
						   const SrmScoreOptions *options, SrmArena *arena,
						   SrmScored *scored, const SrmStop *stop, SrmStatus *status)
{
	SrmScoreRequest *requests = srm_arena_array(arena, n_responses, sizeof(SrmScoreRequest), status);

	if (requests == NULL)
		return false;
	for (size_t i = 0; i < n_responses; i++)
		requests[i] = (SrmScoreRequest) {.messages = messages,.n_messages = n_messages,.response = &responses[i]};
	if (!srm_scorer_score_requests(scorer, requests, n_responses, true, options, arena, stop, status))
		return false;
	for (size_t i = 0; i < n_responses; i++)
		scored[i] = requests[i].scored;
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
