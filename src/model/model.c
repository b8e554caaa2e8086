/*-------------------------------------------------------------------------
 *
 * model.c
 *	  A model directory, opened.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model.h"

#include <string.h>

#include "model/bind.h"
#include "model/chat.h"
#include "model/config.h"
#include "model/directory.h"
#include "model/prepared.h"
#include "model/prepared_tokenizer.h"
#include "model/weights.h"

#define CONFIG_FILE			"config.json"
#define MAX_CONFIG_SIZE		((size_t) 1024 * 1024)
#define MIN_RELEASED		((size_t) 64 * 1024 * 1024)

static bool
read_config(SrmConfig *config, SrmModelFiles *files, SrmArena *arena, SrmArena *scratch,
			SrmStatus *status)
{
	SrmContents contents;

	return srm_files_read(files, CONFIG_FILE, false, MAX_CONFIG_SIZE, scratch, &contents, status) &&
		srm_config_read(config, contents.path, contents.data, contents.size, arena, status);
}

static bool
read_weights(SrmModel *model, const SrmConfig *config, SrmArena *scratch, const SrmStop *stop,
			 SrmStatus *status)
{
	SrmWeights	weights;

	if (!srm_weights_open(&weights, model->files, scratch, stop, status) ||
		!srm_continue(stop, status) ||
		!srm_bind(model, config, &weights, status))
		return false;
	model->architecture = config->name;
	model->settings = config->settings;
	model->reward_token_id = (int32_t) config->head.reward_token_id;
	model->pad_id = (int32_t) config->head.pad_id;
	model->max_tokens = config->max_tokens;
	model->dtype = srm_dtype_name(weights.dtype);
	model->n_parameters = weights.n_parameters;
	model->mapped_bytes = model->files->mapped_bytes;
	return true;
}

/* Whether the text of a token gives other tokens where it is a user's. */
static bool
is_special(SrmModel *model, const char *token, int32_t id, SrmArena *scratch,
		   const SrmStop *stop, SrmStatus *status)
{
	SrmTokens	tokens = {NULL, 0, 0};

	return srm_tokenizer_encode(model->tokenizer, token, strlen(token), NULL, 0, scratch,
								&tokens, stop, status) &&
		!(tokens.n == 1 && tokens.items[0].id == id);
}

/* A marker that a user's text could contain would shift the sentences. */
static bool
find_marker(SrmModel *model, SrmArena *scratch, const SrmStop *stop, SrmStatus *status)
{
	const char *token = model->settings.marker_token;

	model->marker_id = -1;
	if (token == NULL)
		return true;
	model->marker_id = srm_tokenizer_find(model->tokenizer, token);
	if (model->marker_id >= 0 &&
		is_special(model, token, model->marker_id, scratch, stop, status))
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "marker token \"%s\" is not a special token of the model's tokenizer",
			 token);
	return false;
}

/* The tokens that a gate is read at, which the template writes before a response. */
static bool
find_gate_tokens(SrmModel *model, SrmArena *scratch, const SrmStop *stop, SrmStatus *status)
{
	const char *pattern = model->settings.gate_pattern;
	SrmModelHead *head = &model->head;
	SrmTokens	tokens = {NULL, 0, 0};
	int32_t    *ids;
	SrmRange	all = {0, 0};

	if (!head->gate.is_softmax)
		return true;
	if (pattern == NULL || pattern[0] == '\0')
		return srm_fail(status, SRM_INVALID_MODEL, "\"gate_pattern\" is missing for a model with a gate");
	all.end = (uint32_t) strlen(pattern);
	if (!srm_tokenizer_encode(model->tokenizer, pattern, all.end, &all, 1, scratch, &tokens, stop,
							  status))
		return false;
	ids = srm_arena_array(model->arena, tokens.n, sizeof(int32_t), status);
	for (size_t i = 0; ids != NULL && i < tokens.n; i++)
		ids[i] = tokens.items[i].id;
	head->gate_tokens = ids;
	head->n_gate_tokens = tokens.n;
	return ids != NULL;
}

/* A token that ends conversations must have an embedding. */
static bool
check_reward_token(const SrmModel *model, SrmStatus *status)
{
	if (model->reward_token_id < 0 || (size_t) model->reward_token_id < model->decoder.vocab_size)
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "\"reward_token_id\" is not in the model's embedding");
	return srm_fail_detail(status, "It is %d, but the embedding has %zu rows.",
						   (int) model->reward_token_id, model->decoder.vocab_size);
}

static bool
read_tokenizer(SrmModel *model, const SrmModelOptions *options, SrmArena *scratch,
			   const SrmStop *stop, SrmStatus *status)
{
	SrmTokenizerFiles files;
	int32_t		n_ids;

	if (!srm_tokenizer_files_read(&files, model->files, model->decoder.vocab_size, scratch, status) ||
		!srm_prepared_tokenizer(model, &files, options, stop, status))
		return false;
	n_ids = srm_tokenizer_n_ids(model->tokenizer);
	if ((size_t) n_ids > model->decoder.vocab_size)
	{
		srm_fail(status, SRM_INVALID_MODEL, "tokenizer and weights of model \"%s\" do not fit",
				 model->directory);
		return srm_fail_detail(status, "The tokenizer has %d tokens, but the embedding has %zu.",
							   (int) n_ids, model->decoder.vocab_size);
	}
	return find_marker(model, scratch, stop, status) &&
		find_gate_tokens(model, scratch, stop, status) && check_reward_token(model, status) &&
		srm_chat_read(model, &files, status);
}

/* A directory that is replaced meanwhile could give the parts of two models. */
static bool
check_unchanged(const SrmModel *model, SrmStatus *status)
{
	if (!srm_files_changed(model->files))
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "model directory \"%s\" was changed while it was read",
			 model->directory);
	return srm_fail_hint(status, "Try again.");
}

static bool
fill_model(SrmModel *model, const char *directory, const SrmModelOptions *options,
		   SrmArena *scratch, const SrmStop *stop, SrmStatus *status)
{
	SrmConfig	config;

	model->files = srm_files_create(directory, model->arena, status);
	if (model->files == NULL)
		return false;
	model->directory = model->files->directory;
	return read_config(&config, model->files, model->arena, scratch, status) &&
		read_weights(model, &config, scratch, stop, status) &&
		read_tokenizer(model, options, scratch, stop, status) &&
		(options == NULL || options->compute == SRM_COMPUTE_PLAIN ||
		 srm_prepared_open(model, options, stop, status)) &&
		check_unchanged(model, status);
}

/* The model itself lies in its arena. */
static SrmModel *
create_model(SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmModel   *model;

	if (arena == NULL)
		return NULL;
	model = srm_arena_array(arena, 1, sizeof(SrmModel), status);
	if (model == NULL)
		srm_arena_free(arena);
	else
		model->arena = arena;
	return model;
}

SrmModel *
srm_model_open(const char *directory, const SrmModelOptions *options, const SrmStop *stop,
			   SrmStatus *status)
{
	SrmModel   *model = create_model(status);
	SrmArena   *scratch = srm_arena_create(status);
	bool		done;

	if (model != NULL)
		model->is_base = options != NULL && options->base;
	done = model != NULL && scratch != NULL &&
		fill_model(model, directory, options, scratch, stop, status);
	srm_arena_free(scratch);
	if (done)
		return model;
	srm_model_close(model);
	return NULL;
}

bool
srm_model_set_marker(SrmModel *model, const char *token, const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	bool		done;

	model->settings.marker_token = srm_arena_string(model->arena, token, strlen(token), status);
	done = scratch != NULL && model->settings.marker_token != NULL &&
		find_marker(model, scratch, stop, status);
	srm_arena_free(scratch);
	return done;
}

void
srm_model_close(SrmModel *model)
{
	if (model == NULL)
		return;
	srm_tokenizer_free(model->tokenizer);
	srm_prepared_close(model);
	srm_files_close(model->files);
	srm_arena_free(model->arena);
}

size_t
srm_model_private_bytes(const SrmModel *model)
{
	return srm_arena_used(model->arena);
}

void
srm_model_release(const SrmModel *model)
{
	if (model->prepared.compute != NULL && model->files->mapped_bytes >= MIN_RELEASED)
		srm_files_release(model->files);
}

bool
srm_model_changed(const SrmModel *model)
{
	return srm_files_changed(model->files);
}

static bool
summarize(SrmModelFiles *files, SrmArena *arena, SrmArena *scratch, SrmModelSummary *summary,
		  SrmStatus *status)
{
	SrmConfig	config;
	SrmWeights	weights;

	if (!read_config(&config, files, arena, scratch, status) ||
		!srm_weights_open(&weights, files, scratch, NULL, status))
		return false;
	summary->architecture = config.name;
	summary->dtype = srm_dtype_name(weights.dtype);
	summary->n_parameters = weights.n_parameters;
	summary->max_tokens = config.max_tokens;
	summary->settings = config.settings;
	return true;
}

bool
srm_model_summarize(const char *directory, SrmArena *arena, SrmModelSummary *summary,
					SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	SrmModelFiles *files = NULL;
	bool		done;

	memset(summary, 0, sizeof(SrmModelSummary));
	if (scratch != NULL)
		files = srm_files_create(directory, scratch, status);
	done = files != NULL && summarize(files, arena, scratch, summary, status);
	srm_files_close(files);
	srm_arena_free(scratch);
	return done;
}
