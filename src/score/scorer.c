/*-------------------------------------------------------------------------
 *
 * scorer.c
 *	  An opened model, ready to score: the corridor from a conversation to a
 *	  scored response.
 *
 * srm_scorer_score(), at the end, shows the whole way.
 *
 *-------------------------------------------------------------------------
 */
#include "score/scorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/prompt.h"

/* One response on its way. */
typedef struct Pass
{
	SrmScorer  *scorer;
	const SrmScoreOptions *options;
	size_t		message;		/* index of the response */
	SrmLayout	layout;
	int32_t    *ids;			/* (layout.tokens.n) */
	uint32_t   *wanted;			/* (n_wanted) tokens of the response's block to read */
	size_t		n_wanted;
	float	   *hidden;			/* (n + 1, dim) at the boundaries */
	double	   *values;			/* v (n + 1) at the boundaries */
	double	   *token_values;	/* (n_token_rewards) at the response's tokens */
	SrmScored  *scored;
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;
} Pass;

/* What the model's settings name must exist here. */
static bool
resolve_settings(SrmScorer *scorer, SrmStatus *status)
{
	const SrmModelSettings *settings = &scorer->model->settings;

	if (!srm_aggregation_find(settings->aggregation, &scorer->aggregation))
		return srm_fail(status, SRM_NOT_SUPPORTED, "aggregation \"%s\" of the model is not supported",
						settings->aggregation);
	if (!srm_boundary_find(settings->boundary, &scorer->boundary))
		return srm_fail(status, SRM_NOT_SUPPORTED, "boundary kind \"%s\" of the model is not supported",
						settings->boundary);
	if (strcmp(settings->segmenter, "icu") != 0)
		return srm_fail(status, SRM_NOT_SUPPORTED, "segmenter \"%s\" of the model is not supported",
						settings->segmenter);
	if (scorer->boundary == SRM_BOUNDARY_MARKER && scorer->model->marker_id < 0)
		return srm_fail(status, SRM_INVALID_MODEL, "model with boundaries by marker has no marker token");
	return true;
}

SrmScorer *
srm_scorer_open(const char *directory, const SrmStop *stop, SrmStatus *status)
{
	SrmScorer  *scorer = calloc(1, sizeof(SrmScorer));

	if (scorer == NULL)
	{
		srm_fail_memory(status, sizeof(SrmScorer));
		return NULL;
	}
	scorer->model = srm_model_open(directory, stop, status);
	if (scorer->model != NULL)
		scorer->prompt = srm_prompt_create(&scorer->model->decoder, status);
	if (scorer->prompt == NULL || !resolve_settings(scorer, status))
	{
		srm_scorer_close(scorer);
		return NULL;
	}
	return scorer;
}

void
srm_scorer_close(SrmScorer *scorer)
{
	if (scorer == NULL)
		return;
	srm_segmenter_free(scorer->segmenter);
	free(scorer->locale);
	srm_prompt_free(scorer->prompt);
	srm_model_close(scorer->model);
	free(scorer);
}

size_t
srm_scorer_private_bytes(const SrmScorer *scorer)
{
	return srm_model_private_bytes(scorer->model) + srm_prompt_bytes(scorer->prompt);
}

void
srm_scorer_defaults(const SrmScorer *scorer, SrmScoreOptions *options)
{
	options->aggregation = scorer->aggregation;
	options->locale = scorer->model->settings.locale;
	options->max_tokens = scorer->model->max_tokens;
	options->truncation = SRM_TRUNCATION_ERROR;
	options->n_threads = 1;
	options->cache_bytes = SIZE_MAX;
	options->want_tokens = false;
}

/* The segmenter of a locale; the last one is kept. */
static SrmSegmenter *
find_segmenter(SrmScorer *scorer, const char *locale, SrmStatus *status)
{
	char	   *copy;

	if (scorer->segmenter != NULL && strcmp(scorer->locale, locale) == 0)
		return scorer->segmenter;
	copy = strdup(locale);
	if (copy == NULL)
	{
		srm_fail_memory(status, strlen(locale) + 1);
		return NULL;
	}
	srm_segmenter_free(scorer->segmenter);
	free(scorer->locale);
	scorer->locale = copy;
	scorer->segmenter = srm_segmenter_open(locale, status);
	return scorer->segmenter;
}

bool
srm_scorer_layout(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
				  const SrmScoreOptions *options, SrmArena *arena,
				  SrmLayout *layout, const SrmStop *stop, SrmStatus *status)
{
	SrmLayoutOptions layout_options = {
		.boundary = scorer->boundary,
		.truncation = options->truncation,
		.max_tokens = options->max_tokens,
		.segmenter = find_segmenter(scorer, options->locale, status)
	};

	return layout_options.segmenter != NULL &&
		srm_layout(scorer->model, messages, n_messages, &layout_options, arena,
				   layout, stop, status);
}

static bool
collect_ids(Pass *pass)
{
	const SrmTokens *tokens = &pass->layout.tokens;

	pass->ids = srm_arena_array(pass->arena, tokens->n, sizeof(int32_t), pass->status);
	if (pass->ids == NULL)
		return false;
	for (size_t i = 0; i < tokens->n; i++)
		pass->ids[i] = tokens->items[i].id;
	return true;
}

static bool
needs_tokens(const Pass *pass)
{
	return pass->options->want_tokens ||
		pass->options->aggregation == SRM_AGGREGATE_TOKEN_MEAN;
}

/*
 * Decides which tokens of the response's block are read: the boundaries, or
 * all of them where the rewards of tokens are asked for.
 */
static bool
choose_tokens(Pass *pass)
{
	const SrmLayout *layout = &pass->layout;
	size_t		n_block = layout->tokens.n - layout->n_prompt;
	bool		all = needs_tokens(pass);

	pass->n_wanted = all ? n_block : layout->n;
	pass->wanted = srm_arena_array(pass->arena, pass->n_wanted, sizeof(uint32_t), pass->status);
	if (pass->wanted == NULL)
		return false;
	for (size_t i = 0; i < pass->n_wanted; i++)
		pass->wanted[i] = all ? (uint32_t) i :
			layout->boundaries[i + 1] - (uint32_t) layout->n_prompt;
	return true;
}

/* Two blocks: the prompt, whose states may be there already, and the response. */
static bool
run_decoder(Pass *pass, float *states)
{
	SrmPrompt  *prompt = pass->scorer->prompt;
	const SrmDecoder *decoder = &pass->scorer->model->decoder;
	size_t		n_prompt = pass->layout.n_prompt;
	bool		has_prompt = n_prompt > 0;

	/* A template may put nothing before the response: no state, value 0 */
	if (has_prompt && !srm_prompt_prepare(prompt, decoder, pass->ids, n_prompt,
										  pass->options->n_threads, pass->stop, pass->status))
		return false;
	return srm_decoder_forward(decoder, has_prompt ? prompt->cache : NULL, false,
							   pass->ids + n_prompt, pass->layout.tokens.n - n_prompt,
							   pass->wanted, pass->n_wanted, states,
							   pass->options->n_threads, pass->stop, pass->status);
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

/*
 * Hidden states and values at the boundaries.  states (n_wanted, dim) are
 * those of the response's block.
 */
static bool
read_boundaries(Pass *pass, const float *states)
{
	const SrmLayout *layout = &pass->layout;
	const SrmModel *model = pass->scorer->model;
	const SrmValueHead head = {model->decoder.dim, model->value_weight, model->value_bias};
	size_t		dim = head.dim;
	bool		all = needs_tokens(pass);

	if (layout->n_prompt > 0)
		memcpy(pass->hidden, pass->scorer->prompt->hidden, dim * sizeof(float));
	for (size_t i = 1; i <= layout->n; i++)
	{
		size_t		row = all ? layout->boundaries[i] - layout->n_prompt : i - 1;

		memcpy(pass->hidden + i * dim, states + row * dim, dim * sizeof(float));
	}
	srm_values_forward(pass->values, pass->hidden, &head, layout->n + 1);
	if (layout->n_prompt == 0)
		pass->values[0] = 0.0;
	return check_finite(pass->values, layout->n + 1, pass->status);
}

/*
 * Values at the tokens that show some of the response.  The last of a
 * sentence has the value at the sentence's boundary, be that a marker, so
 * that the rewards of its tokens add up to the sentence's.
 */
static bool
read_tokens(Pass *pass, const float *states)
{
	const SrmLayout *layout = &pass->layout;
	const SrmModel *model = pass->scorer->model;
	const SrmValueHead head = {model->decoder.dim, model->value_weight, model->value_bias};
	SrmScored  *scored = pass->scored;
	size_t		n = 0;
	size_t		sentence = 1;

	scored->tokens = srm_arena_array(pass->arena, pass->n_wanted, sizeof(SrmTokenReward), pass->status);
	pass->token_values = srm_arena_array(pass->arena, pass->n_wanted, sizeof(double), pass->status);
	if (scored->tokens == NULL || pass->token_values == NULL)
		return false;
	for (size_t i = 0; i < pass->n_wanted; i++)
	{
		const SrmToken *token = &layout->tokens.items[layout->n_prompt + i];
		SrmRange	bytes = srm_layout_response_bytes(layout, pass->message, token);

		if (bytes.start < bytes.end)
		{
			srm_values_forward(&pass->token_values[n], states + i * head.dim, &head, 1);
			scored->tokens[n++] = (SrmTokenReward) {.id = token->id,.bytes = bytes};
		}
		if (n > 0 && sentence <= layout->n && layout->n_prompt + i == layout->boundaries[sentence])
			pass->token_values[n - 1] = pass->values[sentence++];
	}
	scored->n_token_rewards = n;
	return check_finite(pass->token_values, n, pass->status);
}

static void
reward_tokens(Pass *pass)
{
	double		before = pass->values[0];

	for (size_t i = 0; i < pass->scored->n_token_rewards; i++)
	{
		pass->scored->tokens[i].reward = pass->token_values[i] - before;
		before = pass->token_values[i];
	}
}

/* Known before the pass, so that nobody waits for an error. */
static bool
check_aggregation(const Pass *pass)
{
	if (pass->options->aggregation != SRM_AGGREGATE_ATTENTION ||
		pass->scorer->model->attention.dim > 0)
		return true;
	srm_fail(pass->status, SRM_INVALID_ARGUMENT, "model has no weights for aggregation by attention");
	return srm_fail_hint(pass->status, "Set \"srm.aggregation\" to another value.");
}

static bool
attend(Pass *pass)
{
	const SrmModel *model = pass->scorer->model;
	const SrmModelAttention *attention = &model->attention;
	SrmAggregator aggregator = {
		model->decoder.dim, attention->dim,
		attention->query_weight, attention->query_bias,
		attention->key_weight, attention->key_bias
	};

	return srm_aggregator_forward(pass->scored->weights, pass->hidden, &aggregator,
								  pass->layout.n, pass->arena, pass->status);
}

/* From values to rewards, weights and the score. */
static bool
aggregate(Pass *pass)
{
	SrmScored  *scored = pass->scored;
	SrmAggregation aggregation = pass->options->aggregation;
	size_t		n = pass->layout.n;

	srm_rewards_forward(scored->rewards, pass->values, n);
	if (aggregation == SRM_AGGREGATE_TOKEN_MEAN)
	{
		if (scored->n_token_rewards == 0)
			return srm_fail(pass->status, SRM_INVALID_ARGUMENT, "response has no tokens");
		scored->weights = NULL;
		scored->score = srm_mean_forward(pass->token_values, scored->n_token_rewards);
		return true;
	}
	if (aggregation == SRM_AGGREGATE_ATTENTION)
	{
		if (!attend(pass))
			return false;
	}
	else
		srm_weights_forward(scored->weights, scored->rewards, aggregation, n);
	scored->score = srm_score_forward(scored->weights, scored->rewards, n);
	return check_finite(&scored->score, 1, pass->status);
}

static bool
allocate_results(Pass *pass, float **states)
{
	size_t		n = pass->layout.n;
	size_t		dim = pass->scorer->model->decoder.dim;
	SrmScored  *scored = pass->scored;

	scored->n = n;
	scored->n_sentences = pass->layout.n_sentences;
	scored->sentences = pass->layout.sentences;
	scored->n_tokens = pass->layout.tokens.n;
	scored->truncated = pass->layout.truncated;
	*states = srm_arena_array(pass->arena, pass->n_wanted * dim, sizeof(float), pass->status);
	pass->hidden = srm_arena_array(pass->arena, (n + 1) * dim, sizeof(float), pass->status);
	pass->values = srm_arena_array(pass->arena, n + 1, sizeof(double), pass->status);
	scored->rewards = srm_arena_array(pass->arena, n + 1, sizeof(double), pass->status);
	scored->weights = srm_arena_array(pass->arena, n + 1, sizeof(double), pass->status);
	return pass->status->code == SRM_OK;
}

bool
srm_scorer_score(SrmScorer *scorer, const SrmMessage *messages, size_t n_messages,
				 const SrmScoreOptions *options, SrmArena *arena,
				 SrmScored *scored, const SrmStop *stop, SrmStatus *status)
{
	Pass		pass = {
		.scorer = scorer,.options = options,.message = n_messages - 1,
		.scored = scored,.arena = arena,.stop = stop,.status = status
	};
	float	   *states;
	bool		done;

	memset(scored, 0, sizeof(SrmScored));
	done = check_aggregation(&pass) &&
		srm_products_init(status) &&
		srm_scorer_layout(scorer, messages, n_messages, options, arena,
						  &pass.layout, stop, status) &&
		collect_ids(&pass) &&
		choose_tokens(&pass) &&
		allocate_results(&pass, &states) &&
		run_decoder(&pass, states) &&
		read_boundaries(&pass, states) &&
		(!needs_tokens(&pass) || read_tokens(&pass, states)) &&
		aggregate(&pass);
	if (done && options->want_tokens)
		reward_tokens(&pass);
	srm_prompt_trim(scorer->prompt, &scorer->model->decoder, options->cache_bytes);
	return done;
}
