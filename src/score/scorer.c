/*-------------------------------------------------------------------------
 *
 * scorer.c
 *	  An opened model, ready to score.
 *
 *-------------------------------------------------------------------------
 */
#include "score/scorer.h"

#include <stdlib.h>
#include <string.h>

#include "score/memo.h"
#include "score/prompt.h"

/*
 * Where tokens see what is behind them, the states of a prompt change with the response, and the value at a
 * sentence's end is of the whole text: no difference of two values is the reward of what lies between.  A
 * cross-encoder has one value of both.
 */
static bool
check_causal(const SrmModel *model, SrmStatus *status)
{
	if (!srm_decoder_looks_ahead(&model->decoder) || model->head.is_of_pairs)
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED, "a model of architecture \"%s\" cannot score", model->architecture);
	srm_fail_detail(status, "Its attention is not causal, and its head is not that of a cross-encoder.");
	return srm_fail_hint(status, "Use a model whose backbone is a decoder, or a cross-encoder.");
}

static bool
check_kind(const SrmModel *model, SrmStatus *status)
{
	if (!srm_model_is_segmenter(model))
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED, "a model of architecture \"%s\" cannot score", model->architecture);
	srm_fail_detail(status, "It is a segmenter: it finds where sentences end.");
	return srm_fail_hint(status, "Name it behind \"sat:\" in \"srm.segmenter\", and a reward model to score.");
}

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
	if (!srm_truncation_find(settings->truncation, &scorer->truncation))
		return srm_fail(status, SRM_NOT_SUPPORTED, "truncation \"%s\" of the model is not supported",
						settings->truncation);
	if (!srm_segmenter_known(settings->segmenter))
		return srm_fail(status, SRM_NOT_SUPPORTED, "segmenter \"%s\" of the model is not supported",
						settings->segmenter);
	if (scorer->boundary != SRM_BOUNDARY_OFFSET && scorer->model->head.is_of_pairs)
		return srm_fail(status, SRM_NOT_SUPPORTED, "boundary kind \"%s\" of a cross-encoder is not supported",
						settings->boundary);
	/* The model's digest would not tell when that one is replaced */
	if (!srm_segmenter_is_pinned(settings->segmenter))
	{
		srm_fail(status, SRM_INVALID_MODEL, "segmenter \"%s\" of the model lacks its digest", settings->segmenter);
		return srm_fail_hint(status, "Write \"sat:NAME@DIGEST\" into config.json, with all digits that srm_models() shows, or leave it out and set \"srm.segmenter\".");
	}
	if (scorer->boundary != SRM_BOUNDARY_OFFSET && scorer->model->marker_id < 0)
		return srm_fail(status, SRM_INVALID_MODEL, "model with boundaries by marker has no marker token");
	return true;
}

SrmScorer *
srm_scorer_open(const char *directory, const SrmModelOptions *options, const SrmStop *stop,
				SrmStatus *status)
{
	SrmScorer  *scorer = srm_calloc(1, sizeof(SrmScorer), status);

	if (scorer == NULL)
		return NULL;
	scorer->model = srm_model_open(directory, options, stop, status);
	if (scorer->model != NULL)
		scorer->prompt = srm_prompt_create(&scorer->model->decoder, status);
	if (scorer->prompt != NULL)
		scorer->memo = srm_memo_create(status);
	if (scorer->memo != NULL && check_kind(scorer->model, status) && check_causal(scorer->model, status) &&
		resolve_settings(scorer, status))
		return scorer;
	srm_scorer_close(scorer);
	return NULL;
}

void
srm_scorer_close(SrmScorer *scorer)
{
	if (scorer == NULL)
		return;
	srm_segmenter_free(scorer->segmenter);
	free(scorer->segmenter_name);
	free(scorer->locale);
	srm_memo_free(scorer->memo);
	srm_prompt_free(scorer->prompt);
	srm_model_close(scorer->model);
	free(scorer);
}

size_t
srm_scorer_private_bytes(const SrmScorer *scorer)
{
	return srm_model_private_bytes(scorer->model) + srm_prompt_bytes(scorer->prompt) +
		srm_memo_bytes(scorer->memo);
}

void
srm_scorer_defaults(const SrmScorer *scorer, SrmScoreOptions *options)
{
	options->aggregation = scorer->aggregation;
	options->segmenter = scorer->model->settings.segmenter;
	options->locale = scorer->model->settings.locale;
	options->lengths = srm_model_lengths(scorer->model);
	options->splitter = NULL;
	options->given = NULL;
	options->date = scorer->model->settings.template_date;
	options->variables = "";
	options->max_tokens = scorer->model->max_tokens;
	options->truncation = scorer->truncation;
	options->n_threads = 1;
	options->cache_bytes = SIZE_MAX;
	options->want_tokens = false;
}

static bool
keep_text(char **kept, const char *text, SrmStatus *status)
{
	free(*kept);
	*kept = strdup(text);
	return *kept != NULL || srm_fail_memory(status, strlen(text) + 1);
}

/* The segmenter of a name and a locale; the last one is kept. */
static SrmSegmenter *
find_segmenter(SrmScorer *scorer, const char *name, const char *locale, SrmStatus *status)
{
	if (scorer->segmenter != NULL && strcmp(scorer->segmenter_name, name) == 0 &&
		strcmp(scorer->locale, locale) == 0)
		return scorer->segmenter;
	srm_segmenter_free(scorer->segmenter);
	scorer->segmenter = NULL;
	if (keep_text(&scorer->segmenter_name, name, status) &&
		keep_text(&scorer->locale, locale, status))
		scorer->segmenter = srm_segmenter_open(name, locale, status);
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
		.date = options->date,
		.variables = options->variables,
		.lengths = options->lengths,
		.given = options->given
	};

	scorer->at_prompt = false;
	scorer->n_layouts++;
	if (options->given == NULL)
	{
		layout_options.segmenter = find_segmenter(scorer, options->segmenter, options->locale, status);
		if (layout_options.segmenter == NULL)
			return false;
		srm_segmenter_set_splitter(layout_options.segmenter, options->splitter);
	}
	if (srm_layout(scorer->model, messages, n_messages, &layout_options, arena, layout, stop, status))
		return true;
	scorer->at_prompt = status->code == SRM_LIMIT_EXCEEDED && layout->n_prompt >= options->max_tokens;
	return false;
}
