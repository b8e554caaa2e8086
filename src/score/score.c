/*-------------------------------------------------------------------------
 *
 * score.c
 *	  The corridor from a conversation to a scored response.
 *
 * read_responses(), near the end, shows the whole way of the responses of one
 * pass; srm_scorer_score_responses() decides which go together.
 *
 *-------------------------------------------------------------------------
 */
#include "score/scorer.h"

#include <math.h>
#include <string.h>

#include "reward/aggregator.h"
#include "score/memo.h"
#include "score/prompt.h"
#include "score/values.h"

/*
 * Responses go into one pass up to so many tokens: more do not make products
 * faster, but take memory.
 */
#define MAX_ROWS		1024
#define MAX_READINGS	256

/* What the responses of one call have in common. */
typedef struct Call
{
	SrmScorer  *scorer;
	const SrmScoreOptions *options;
	SrmMessage *messages;		/* (n_messages), the last is the response at hand */
	size_t		n_messages;
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;
} Call;

/* One response on its way. */
typedef struct Reading
{
	SrmMemoKey	key;
	SrmLayout	layout;
	int32_t    *ids;			/* (layout.tokens.n) */
	size_t		rope_length;	/* of them */
	uint32_t	read_prompt[SRM_MAX_READ];	/* (n_read_prompt) tokens of the prompt to read */
	size_t		n_read_prompt;
	uint32_t   *wanted;			/* (n_wanted) tokens of the response's block to read */
	size_t		n_wanted;
	float	   *states;			/* (n_wanted, dim) theirs */
	float	   *hidden;			/* (n + 1, dim) at the boundaries */
	double	   *values;			/* v (n + 1) at the boundaries */
	double	   *token_values;	/* (n_token_rewards) at the response's tokens */
	SrmScored  *scored;
	size_t		number;			/* of the responses of the call */
} Reading;

/* Responses that go through the decoder together: they have the same prompt, and the same angles. */
typedef struct Batch
{
	Reading    *readings;		/* (n) */
	size_t		n;
	size_t		n_rows;			/* tokens behind the prompt */
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
	reading->rope_length = srm_decoder_rope_length(&call->scorer->model->decoder, tokens->n);
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
	size_t		n_block = layout->tokens.n - layout->n_prompt;
	bool		all = needs_states(call);

	if (layout->gate < layout->n_prompt && layout->gate != layout->n_prompt - 1)
		reading->read_prompt[reading->n_read_prompt++] = (uint32_t) layout->gate;
	if (layout->n_prompt > 0)
		reading->read_prompt[reading->n_read_prompt++] = (uint32_t) layout->n_prompt - 1;
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

/* The layout, unless srm_scorer_check() has left it. */
static bool
lay_out(const Call *call, Reading *reading)
{
	bool		found;

	return srm_memo_take_layout(call->scorer->memo, &reading->key, call->arena, &reading->layout,
								&found, call->status) &&
		(found ||
		 srm_scorer_layout(call->scorer, call->messages, call->n_messages, call->options,
						   call->arena, &reading->layout, call->stop, call->status));
}

/* The first half of the way: all that comes before the decoder. */
static bool
begin_reading(const Call *call, Reading *reading)
{
	return lay_out(call, reading) &&
		collect_ids(call, reading) &&
		choose_tokens(call, reading) &&
		allocate_results(call, reading);
}

/* One pass: what is not there of the prompt's states, and the responses behind it. */
static bool
run_pass(const Call *call, const Batch *batch, const SrmSequence *rest)
{
	SrmScorer  *scorer = call->scorer;
	bool		has_prompt = rest->tokens != NULL;
	SrmSequence *texts = srm_arena_array(call->arena, batch->n, sizeof(SrmSequence), call->status);
	bool		done;

	if (texts == NULL)
		return false;
	for (size_t i = 0; i < batch->n; i++)
	{
		const Reading *reading = &batch->readings[i];
		size_t		n_prompt = reading->layout.n_prompt;

		texts[i] = (SrmSequence) {
			.tokens = reading->ids + n_prompt,.n_tokens = reading->layout.tokens.n - n_prompt,
			.wanted = reading->wanted,.n_wanted = reading->n_wanted,.n_first = reading->layout.n_first,
			.hidden = reading->states,.rope_length = reading->rope_length
		};
	}
	/* A template may put nothing before the response: no state, value 0 */
	done = srm_decoder_forward_batch(&scorer->model->decoder,
									 has_prompt ? scorer->prompt->cache : NULL,
									 rest->n_tokens > 0 ? rest : NULL, texts, batch->n,
									 call->options->n_threads, call->stop, call->status);
	srm_model_release(scorer->model);
	if (!done)
		return false;
	scorer->n_passes++;
	scorer->n_computed += rest->n_tokens + batch->n_rows;
	return true;
}

/* Runs the responses, with the prompt that they share. */
static bool
run_decoder(const Call *call, const Batch *batch)
{
	SrmPrompt  *prompt = call->scorer->prompt;
	const Reading *first = &batch->readings[0];
	SrmPromptRest rest = {
		.tokens = first->ids,.n_tokens = first->layout.n_prompt,.rope_length = first->rope_length,
		.read = first->read_prompt,.n_read = first->n_read_prompt
	};
	SrmSequence sequence = {0};

	if (rest.n_tokens == 0)
		return run_pass(call, batch, &sequence);
	if (!srm_prompt_begin(prompt, &rest, call->status))
		return false;
	sequence.tokens = rest.tokens + rest.n_common;
	sequence.n_tokens = rest.n_tokens - rest.n_common;
	sequence.wanted = rest.wanted;
	sequence.n_wanted = rest.n_read - rest.n_read_before;
	sequence.hidden = srm_arena_array(call->arena, SRM_MAX_READ * prompt->dim, sizeof(float),
									  call->status);
	if (sequence.hidden == NULL || !run_pass(call, batch, &sequence))
		return false;
	srm_prompt_end(prompt, &rest, sequence.hidden);
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
	const SrmScorer *scorer = call->scorer;
	bool		has_gate = reading->layout.gate < reading->layout.n_prompt;

	return srm_model_values(values, states, has_gate ? scorer->prompt->hidden : NULL,
							scorer->model, n, call->arena, call->status);
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
		memcpy(reading->hidden, call->scorer->prompt->hidden + (reading->n_read_prompt - 1) * dim, dim * sizeof(float));
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
		SrmRange	bytes = srm_layout_response_bytes(layout, call->n_messages - 1, token);

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

/* The responses of a batch, from tokens to results; empties it. */
static bool
read_responses(const Call *call, Batch *batch)
{
	size_t		n = batch->n;

	call->scorer->at = SIZE_MAX;
	if (n == 0)
		return true;
	if (!run_decoder(call, batch))
		return false;
	for (size_t i = 0; i < n; i++)
	{
		call->scorer->at = batch->readings[i].number;
		if (!finish_reading(call, &batch->readings[i]))
			return false;
	}
	memset(batch->readings, 0, n * sizeof(Reading));
	batch->n = batch->n_rows = 0;
	return true;
}

/* Whether a response may go into the pass of those that wait. */
static bool
fits(const Batch *batch, const Reading *reading)
{
	const Reading *first = &batch->readings[0];
	size_t		n_prompt = reading->layout.n_prompt;

	if (batch->n == 0)
		return true;
	return batch->n < MAX_READINGS && first->layout.n_prompt == n_prompt &&
		first->rope_length == reading->rope_length &&
		batch->n_rows + reading->layout.tokens.n - n_prompt <= MAX_ROWS &&
		first->n_read_prompt == reading->n_read_prompt &&
		memcmp(first->read_prompt, reading->read_prompt, sizeof(reading->read_prompt)) == 0 &&
		memcmp(first->ids, reading->ids, n_prompt * sizeof(int32_t)) == 0;
}

/* Puts a response with those that wait, or finds its result at once. */
static bool
add_response(Call *call, Batch *batch, const SrmMessage *response, size_t number, SrmScored *scored)
{
	Reading		reading = {.scored = scored,.number = number};
	bool		found = false;

	call->scorer->at = number;
	call->messages[call->n_messages - 1] = *response;
	memset(scored, 0, sizeof(SrmScored));
	if (call->options->cache_bytes > 0 &&
		(!srm_memo_key(&reading.key, call->messages, call->n_messages, call->options,
					   call->arena, call->status) ||
		 !srm_memo_get(call->scorer->memo, &reading.key, call->arena, scored, &found, call->status)))
		return false;
	if (found)
		return true;
	if (!begin_reading(call, &reading) ||
		(!fits(batch, &reading) && !read_responses(call, batch)))
		return false;
	batch->readings[batch->n++] = reading;
	batch->n_rows += reading.layout.tokens.n - reading.layout.n_prompt;
	return true;
}

/* The first response that is the same, or number itself. */
static size_t
find_twin(const SrmMessage *responses, size_t number)
{
	size_t		i = 0;

	while (i < number && !srm_message_equal(&responses[i], &responses[number]))
		i++;
	return i;
}

static bool
score_responses(Call *call, Batch *batch, const SrmMessage *responses, size_t n_responses,
				SrmScored *scored)
{
	for (size_t i = 0; i < n_responses; i++)
		if (find_twin(responses, i) == i &&
			!add_response(call, batch, &responses[i], i, &scored[i]))
			return false;
	if (!read_responses(call, batch))
		return false;
	for (size_t i = 0; i < n_responses; i++)
	{
		size_t		twin = find_twin(responses, i);

		if (twin != i &&
			!srm_scored_copy(&scored[i], &scored[twin], call->arena, call->status))
			return false;
	}
	return true;
}

bool
srm_scorer_score_responses(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
						   const SrmMessage *responses, size_t n_responses,
						   const SrmScoreOptions *options, SrmArena *arena,
						   SrmScored *scored, const SrmStop *stop, SrmStatus *status)
{
	Call		call = {
		.scorer = scorer,.options = options,.n_messages = n_messages + 1,
		.arena = arena,.stop = stop,.status = status
	};
	Batch		batch = {0};
	bool		done;

	scorer->at = SIZE_MAX;
	if (!check_aggregation(&call))
		return false;
	call.messages = srm_arena_array(arena, n_messages + 1, sizeof(SrmMessage), status);
	batch.readings = srm_arena_array(arena, n_responses < MAX_READINGS ? n_responses : MAX_READINGS,
									 sizeof(Reading), status);
	if (call.messages == NULL || batch.readings == NULL)
		return false;
	if (n_messages > 0)
		memcpy(call.messages, messages, n_messages * sizeof(SrmMessage));
	/* What is above the limit is left from calls with another one */
	srm_prompt_trim(scorer->prompt, &scorer->model->decoder, options->cache_bytes);
	done = score_responses(&call, &batch, responses, n_responses, scored);
	srm_prompt_trim(scorer->prompt, &scorer->model->decoder, options->cache_bytes);
	if (options->cache_bytes == 0)
		srm_memo_clear(scorer->memo);
	return done;
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
