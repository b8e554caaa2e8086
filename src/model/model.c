/*-------------------------------------------------------------------------
 *
 * model.c
 *	  A model directory, opened.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "files/directory.h"
#include "model/adapter_weights.h"
#include "model/bind.h"
#include "model/chat.h"
#include "model/config.h"
#include "model/prepared/prepared.h"
#include "model/prepared/prepared_format.h"
#include "model/prepared/prepared_tokenizer.h"
#include "model/weights.h"

#define MAX_ATTEMPTS		5		/* to open a model that is replaced again and again */
#define MIN_RELEASED		((size_t) 64 * 1024 * 1024)

/* Where weights stay as they are in the files, they are in memory. */
static bool
is_plain(const SrmModelOptions *options)
{
	return options == NULL || options->compute_choice == SRM_CHOICE_PLAIN;
}

/* Looks at the room before the first byte is read. */
static bool
load_plain(SrmModel *model, const SrmModelOptions *options, const SrmStop *stop, SrmStatus *status)
{
	return srm_prepared_check_memory(options, model->files->directory, srm_files_size(model->files), status) &&
		srm_files_load_all(model->files, stop, status);
}

/* What config.json says and the rest of the model does not bear out. */
static bool
fail_config(const SrmModel *model, SrmStatus *status)
{
	const char *directory = srm_files_of_model(model->files)->directory;
	char		path[1024];

	/* A missing tensor, say */
	if (strstr(status->message, directory) != NULL)
		return false;
	snprintf(path, sizeof(path), "%s/%s", directory, SRM_CONFIG_FILE);
	return srm_fail_place(status, path);
}

static bool
read_weights(SrmModel *model, const SrmModelOptions *options, const SrmStop *stop, SrmStatus *status)
{
	const SrmConfig *config = model->config;
	SrmWeights *weights = srm_arena_array(model->arena, 1, sizeof(SrmWeights), status);

	if (weights == NULL ||
		!srm_adapter_weights_open(weights, model->files, model->arena, stop, status) ||
		(is_plain(options) && !load_plain(model, options, stop, status)) ||
		!srm_continue(stop, status))
		return false;
	if (!srm_bind(model, config, weights, status))
		return fail_config(model, status);
	model->weights = weights;
	model->architecture = config->name;
	model->settings = config->settings;
	model->reward_token_id = (int32_t) config->head.reward_token_id;
	model->pad_id = (int32_t) config->head.pad_id;
	model->max_tokens = config->max_tokens;
	model->base = model->files->adapter == NULL ? NULL : model->files->adapter->base;
	model->dtype = srm_dtype_name(weights->dtype);
	model->n_parameters = weights->n_parameters;
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

/*
 * The token that ends a step: where a value is read is known without it, so that it may be one of
 * any text, such as a line's end; -1 where it is several.
 */
static bool
find_step_token(SrmModel *model, SrmArena *scratch, const SrmStop *stop, SrmStatus *status)
{
	const char *token = model->settings.marker_token;
	SrmTokens	tokens = {NULL, 0, 0};

	if (!srm_tokenizer_encode(model->tokenizer, token, strlen(token), NULL, 0, scratch, &tokens, stop, status))
		return false;
	model->marker_id = tokens.n == 1 ? tokens.items[0].id : -1;
	if (model->marker_id >= 0)
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "what ends a step, \"%s\", is not one token of the model's tokenizer", token);
	return srm_fail_key(status, "marker_token");
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
	if (model->head.is_of_steps)
		return find_step_token(model, scratch, stop, status);
	srm_fail(status, SRM_INVALID_MODEL, "marker token \"%s\" is not a special token of the model's tokenizer",
			 token);
	return srm_fail_key(status, "marker_token");
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

	if (!srm_tokenizer_files_read(&files, srm_files_of_tokenizer(model->files), model->decoder.vocab_size, scratch, status) ||
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
	return ((find_marker(model, scratch, stop, status) &&
			 find_gate_tokens(model, scratch, stop, status) && check_reward_token(model, status)) ||
			fail_config(model, status)) &&
		srm_chat_read(model, &files, status);
}

static size_t
count_mapped(const SrmPrepared *prepared)
{
	return (prepared->data == NULL ? 0 : prepared->bytes) + prepared->tokenizer_bytes;
}

static bool
fill_model(SrmModel *model, const char *directory, const SrmModelOptions *options,
		   SrmArena *scratch, const SrmStop *stop, SrmStatus *status)
{
	SrmConfig  *config = srm_arena_array(model->arena, 1, sizeof(SrmConfig), status);

	model->config = config;
	model->files = srm_adapter_open(directory, options == NULL ? NULL : options->path, model->arena, status);
	if (config == NULL || model->files == NULL)
		return false;
	model->directory = model->files->directory;
	if (!srm_config_open(config, model->files, model->arena, status) ||
		!read_weights(model, options, stop, status) ||
		!read_tokenizer(model, options, scratch, stop, status) ||
		(!is_plain(options) && !srm_prepared_open(model, options, stop, status)))
		return false;
	model->mapped_bytes = count_mapped(&model->prepared);
	return srm_files_check(model->files, status);
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

/* Whether a failure may be due to the model's being replaced: by two renames there is none between them. */
static bool
is_moved(const SrmModel *model, const SrmStatus *status)
{
	if (model->files == NULL)
		return status->code == SRM_FILE_ACCESS && status->errnum == ENOENT;
	return srm_files_changed(model->files) || srm_files_altered(model->files);
}

/* Opens what the path leads to now; moved tells whether to try again. */
static SrmModel *
try_open(const char *directory, const SrmModelOptions *options, const SrmStop *stop, bool *moved,
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
	*moved = model != NULL && is_moved(model, status);
	srm_model_close(model);
	return NULL;
}

SrmModel *
srm_model_open(const char *directory, const SrmModelOptions *options, const SrmStop *stop,
			   SrmStatus *status)
{
	SrmModel   *model = NULL;
	bool		again = status->code == SRM_OK;

	for (int attempt = 1; again; attempt++)
	{
		bool		moved = false;

		model = try_open(directory, options, stop, &moved, status);
		again = model == NULL && moved && attempt < MAX_ATTEMPTS && status->code != SRM_STOPPED;
		if (again)
			srm_status_init(status);
	}
	return model;
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

bool
srm_model_is_segmenter(const SrmModel *model)
{
	return model->config->architecture->is_segmenter;
}

size_t
srm_model_private_bytes(const SrmModel *model)
{
	return srm_arena_used(model->arena) +
		(model->prepared.compute_name == NULL ? srm_files_size(model->files) : 0);
}

void
srm_model_release(const SrmModel *model)
{
	const SrmMatrix *embedding = &model->decoder.embedding;
	size_t		size = srm_prepared_source_bytes(embedding);
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		rest = (page - (uintptr_t) embedding->data % page) % page;

	if (model->prepared.data != NULL && size >= MIN_RELEASED)
		(void) madvise((char *) embedding->data + rest, size - rest, MADV_DONTNEED);
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

	if (!srm_config_open(&config, files, arena, status) ||
		!srm_adapter_weights_open(&weights, files, scratch, NULL, status))
		return false;
	summary->architecture = config.name;
	summary->dtype = srm_dtype_name(weights.dtype);
	summary->n_parameters = weights.n_parameters;
	summary->max_tokens = config.max_tokens;
	summary->settings = config.settings;
	summary->is_segmenter = config.architecture->is_segmenter;
	return true;
}

bool
srm_model_summarize(const char *directory, const SrmModelPath *path, SrmArena *arena,
					SrmModelSummary *summary, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	SrmModelFiles *files = NULL;
	bool		done;

	memset(summary, 0, sizeof(SrmModelSummary));
	if (scratch != NULL)
		files = srm_adapter_open(directory, path, scratch, status);
	done = files != NULL && summarize(files, arena, scratch, summary, status);
	srm_files_close(files);
	srm_arena_free(scratch);
	return done;
}

const char *
srm_model_base_directory(const char *directory, const SrmModelPath *path, SrmArena *arena, SrmStatus *status)
{
	SrmModelFiles *files = srm_adapter_open(directory, path, arena, status);
	const char *base = files == NULL || files->base == NULL ? NULL : files->base->directory;

	srm_files_close(files);
	return base;
}
