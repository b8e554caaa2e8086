/*-------------------------------------------------------------------------
 *
 * readings.c
 *	  Responses on their way through the decoder, side by side.
 *
 *-------------------------------------------------------------------------
 */
#include "score/readings.h"

#include <string.h>

/*
 * Responses to one prompt go into one pass up to so many tokens: more do not make products
 * faster, but take memory.  Texts that share nothing go up to fewer, whose states stay in a processor's caches: with
 * 1024, rows of 100 tokens were a tenth slower than alone.
 */
#define MAX_ROWS		1024
#define MAX_MIXED_ROWS	256
#define MAX_PROMPT_TOKENS	4096	/* of prompts that are not the same; their keys lie in memory, layer by layer */

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
	{
		const SrmReading *reading = &batch->readings[i];
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

/*
 * Whether a response may go into the pass of those that wait.  A prompt that all of them share may have any length.
 */
bool
srm_readings_fit(const SrmScoreCall *call, const SrmReadings *batch, const SrmReading *reading)
{
	size_t		n_rows = batch->n_rows + reading->layout.tokens.n - reading->layout.n_prompt;

	if (batch->n == 0)
		return true;
	if (batch->n == SRM_MAX_READINGS || batch->readings[0].prompt.rope_length != reading->prompt.rope_length)
		return false;
	if (find_prompt(batch, reading) < batch->n_prompts)
		return batch->n_prompts == 1 && reading->prompt.n_tokens > 0 ? n_rows <= MAX_ROWS :
			n_rows + batch->n_prompt_rows <= MAX_MIXED_ROWS;
	return (batch->n_prompt_tokens > 0) == (reading->prompt.n_tokens > 0) &&
		batch->n_prompt_tokens + reading->prompt.n_tokens <= MAX_PROMPT_TOKENS &&
		n_rows + batch->n_prompt_rows + count_prompt_rows(call, batch, reading) <= MAX_MIXED_ROWS;
}

void
srm_readings_add(const SrmScoreCall *call, SrmReadings *batch, const SrmReading *reading)
{
	SrmReading *added = &batch->readings[batch->n++];

	*added = *reading;
	added->prompt_number = find_prompt(batch, reading);
	batch->n_rows += reading->layout.tokens.n - reading->layout.n_prompt;
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
	batch->n = batch->n_rows = batch->n_prompts = batch->n_prompt_rows = batch->n_prompt_tokens = 0;
}

