/*-------------------------------------------------------------------------
 *
 * readings.c
 *	  Responses on their way through the decoder, side by side.
 *
 *-------------------------------------------------------------------------
 */
#include "score/readings.h"

#include <string.h>

#include "base/sizes.h"

/*
 * Responses to one prompt go into one pass up to so many tokens: more do not make products
 * faster, but take memory.  Texts that share nothing go up to fewer, whose states stay in a processor's caches: with
 * 1024, rows of 100 tokens were a tenth slower than alone.
 */
#define MAX_ROWS		1024
#define MAX_MIXED_ROWS	256
#define MAX_PROMPT_TOKENS	4096	/* of prompts that are not the same; their keys lie in memory, layer by layer, */
#define MAX_RESPONSE_TOKENS	4096	/* and so do those of responses, with what they have in common */

/* The prompt before number, or that of the cache, of which the scorer may know nothing. */
static const SrmPromptText *
prompt_before(const SrmScoreCall *call, const SrmReadings *batch, size_t number)
{
	return number > 0 ? &batch->prompts[number - 1].text : &call->scorer->prompt->text;
}

/* The sequence of a prompt: what is not there of its states. */
static bool
list_prompt(const SrmScoreCall *call, SrmReadings *batch, size_t number, SrmSequence *sequences)
{
	SrmReadPrompt *prompt = &batch->prompts[number];
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

/* The sequence of a response, behind its prompt and what it has in common with one before it. */
static bool
list_response(const SrmScoreCall *call, const SrmReadings *batch, size_t number, SrmSequence *sequences)
{
	const SrmReading *reading = &batch->readings[number];
	const SrmReadRest *rest = &reading->rest;
	SrmSequence *responses = sequences + batch->n_prompts;
	size_t		n_prompt = reading->layout.n_prompt;
	size_t		start = n_prompt + rest->n_common;
	size_t		n_wanted = reading->n_wanted - rest->n_read_before;
	uint32_t   *wanted = srm_arena_array(call->arena, n_wanted, sizeof(uint32_t), call->status);

	if (wanted == NULL)
		return false;
	for (size_t i = 0; i < n_wanted; i++)
		wanted[i] = reading->wanted[rest->n_read_before + i] - (uint32_t) rest->n_common;
	/* A template may put nothing before the response: no state, value 0 */
	responses[number] = (SrmSequence) {
		.tokens = reading->ids + start,.n_tokens = reading->layout.tokens.n - start,
		.wanted = wanted,.n_wanted = n_wanted,.n_first = reading->layout.n_first,
		.hidden = reading->states + rest->n_read_before * call->scorer->model->decoder.dim,
		.past = n_prompt > 0 ? &sequences[reading->prompt_number] : NULL,
		.n_common = rest->n_common,.common = rest->n_common > 0 ? &responses[rest->before] : NULL,
		.rope_length = reading->prompt.rope_length
	};
	return true;
}

/* All prompts, and behind them all responses. */
static SrmSequence *
list_sequences(const SrmScoreCall *call, SrmReadings *batch)
{
	SrmSequence *sequences = srm_arena_array(call->arena, batch->n_prompts + batch->n, sizeof(SrmSequence), call->status);

	if (sequences == NULL)
		return NULL;
	for (size_t i = 0; i < batch->n_prompts; i++)
		if (!list_prompt(call, batch, i, sequences))
			return NULL;
	for (size_t i = 0; i < batch->n; i++)
		if (!list_response(call, batch, i, sequences))
			return NULL;
	return sequences;
}

/* The prompts' hidden states that were there, and the last one for the next call. */
static void
end_prompts(const SrmScoreCall *call, SrmReadings *batch)
{
	SrmScorer  *scorer = call->scorer;
	const SrmPromptText *last = &batch->prompts[batch->n_prompts - 1].text;

	for (size_t i = 0; i < batch->n_prompts; i++)
		srm_prompt_take_hidden(&batch->prompts[i].text, &batch->prompts[i].rest,
							   prompt_before(call, batch, i), scorer->model->decoder.dim);
	if (last->n_tokens > 0)
		srm_prompt_keep(scorer->prompt, last);
}

/* The states that a response has from the one before it. */
static void
take_states(const SrmReadings *batch, const SrmReading *reading, size_t dim)
{
	const SrmReading *before = &batch->readings[reading->rest.before];
	size_t		from = 0;

	for (size_t i = 0; i < reading->rest.n_read_before; i++)
	{
		while (before->wanted[from] < reading->wanted[i])
			from++;
		memcpy(reading->states + i * dim, before->states + from * dim, dim * sizeof(float));
	}
}

/* One pass: what is not there of the prompts' states, and the responses behind them. */
bool
srm_readings_run(const SrmScoreCall *call, SrmReadings *batch)
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
	for (size_t i = 0; i < batch->n; i++)
		take_states(batch, &batch->readings[i], scorer->model->decoder.dim);
	scorer->n_passes++;
	for (size_t i = 0; i < n_sequences; i++)
		scorer->n_computed += sequences[i].n_tokens;
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
find_prompt(const SrmReadings *batch, const SrmReading *reading)
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
count_prompt_rows(const SrmScoreCall *call, const SrmReadings *batch, const SrmReading *reading)
{
	SrmPromptRest rest;

	srm_prompt_compare(&rest, &reading->prompt, prompt_before(call, batch, batch->n_prompts));
	return reading->prompt.n_tokens - rest.n_common;
}

/* Tokens of a reading behind its prompt. */
static size_t
count_tokens(const SrmReading *reading)
{
	return reading->layout.tokens.n - reading->layout.n_prompt;
}

/*
 * What two responses to one prompt begin with.  A token that is to be read, but was not
 * in the one before, is left, and so are those behind it.
 */
static SrmReadRest
compare_responses(const SrmReading *reading, const SrmReading *before)
{
	const int32_t *ids = reading->ids + reading->layout.n_prompt;
	const int32_t *others = before->ids + reading->layout.n_prompt;
	size_t		most = srm_smaller(count_tokens(reading), count_tokens(before));
	size_t		from = 0;
	SrmReadRest rest = {0};

	while (rest.n_common < most && ids[rest.n_common] == others[rest.n_common])
		rest.n_common++;
	for (size_t i = 0; i < reading->n_wanted && reading->wanted[i] < rest.n_common; i++)
	{
		while (from < before->n_wanted && before->wanted[from] < reading->wanted[i])
			from++;
		if (from < before->n_wanted && before->wanted[from] == reading->wanted[i])
			rest.n_read_before++;
		else
			rest.n_common = reading->wanted[i];
	}
	return rest;
}

/* What is left of a response behind the longest beginning that it has in common with one that waits. */
static SrmReadRest
find_rest(const SrmScoreCall *call, const SrmReadings *batch, const SrmReading *reading, size_t prompt_number)
{
	SrmReadRest longest = {0};

	/* Where tokens see those behind them, or are of two types, states depend on more than what comes before */
	if (srm_decoder_looks_ahead(&call->scorer->model->decoder) || reading->layout.n_first > 0)
		return longest;
	for (size_t i = 0; i < batch->n; i++)
	{
		SrmReadRest rest;

		if (batch->readings[i].prompt_number != prompt_number ||
			batch->readings[i].prompt.rope_length != reading->prompt.rope_length)
			continue;
		rest = compare_responses(reading, &batch->readings[i]);
		rest.before = i;
		if (rest.n_common > longest.n_common)
			longest = rest;
	}
	return longest;
}

/*
 * Whether a response may go into the pass of those that wait.  A prompt that all of them share may have any length.
 * A response that has half of its tokens from one before it saves as much as it takes: it goes along where the
 * pass is not too long without it, and with a single one in any case.
 */
bool
srm_readings_fit(const SrmScoreCall *call, const SrmReadings *batch, const SrmReading *reading)
{
	size_t		number = find_prompt(batch, reading);
	SrmReadRest rest = find_rest(call, batch, reading, number);
	size_t		n = count_tokens(reading);
	bool		saves_half = rest.n_common > 0 && rest.n_common >= n - rest.n_common;
	size_t		n_rows = batch->n_rows + (saves_half ? 0 : n - rest.n_common);

	if (batch->n == 0 || (batch->n == 1 && saves_half))
		return true;
	if (batch->n == SRM_MAX_READINGS || batch->readings[0].prompt.rope_length != reading->prompt.rope_length ||
		batch->n_tokens + n > MAX_RESPONSE_TOKENS)
		return false;
	if (number < batch->n_prompts)
		return batch->n_prompts == 1 && reading->prompt.n_tokens > 0 ? n_rows <= MAX_ROWS :
			n_rows + batch->n_prompt_rows <= MAX_MIXED_ROWS;
	return (batch->n_prompt_tokens > 0) == (reading->prompt.n_tokens > 0) &&
		batch->n_prompt_tokens + reading->prompt.n_tokens <= MAX_PROMPT_TOKENS &&
		n_rows + batch->n_prompt_rows + count_prompt_rows(call, batch, reading) <= MAX_MIXED_ROWS;
}

void
srm_readings_add(const SrmScoreCall *call, SrmReadings *batch, const SrmReading *reading)
{
	SrmReading *added = &batch->readings[batch->n];

	*added = *reading;
	added->prompt_number = find_prompt(batch, reading);
	added->rest = find_rest(call, batch, reading, added->prompt_number);
	batch->n++;
	batch->n_rows += count_tokens(reading) - added->rest.n_common;
	batch->n_tokens += count_tokens(reading);
	if (added->prompt_number < batch->n_prompts)
		return;
	batch->n_prompt_rows += count_prompt_rows(call, batch, reading);
	batch->n_prompt_tokens += reading->prompt.n_tokens;
	batch->prompts[batch->n_prompts++].text = reading->prompt;
}

void
srm_readings_clear(SrmReadings *batch)
{
	memset(batch->readings, 0, batch->n * sizeof(SrmReading));
	batch->n = batch->n_rows = batch->n_tokens = batch->n_prompts = batch->n_prompt_rows = batch->n_prompt_tokens = 0;
}
