/*-------------------------------------------------------------------------
 *
 * config_layers.c
 *	  What layers differ in, and the scales of their steps, as config.json
 *	  says it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_reader.h"

#include <math.h>
#include <string.h>

#include "model/config.h"

#define DEFAULT_WINDOW_LAYERS	28
#define DEFAULT_NO_ROPE_PERIOD	4
#define DEFAULT_ATTENTION_SCALAR	256.0

/* The size of windows to both sides, of which half lies ahead; *window gets what a token sees up to itself. */
static bool
read_half_window(SrmConfigReader *reader, size_t *window)
{
	const SrmArchitecture *row = reader->config->architecture;

	if (srm_json_member(reader->root, "sliding_window") != NULL)
		return srm_config_fail_support(reader, "attention with", "sliding_window");
	if (!srm_config_get_size(reader, row->window_key, MAX_POSITIONS, row->window, window))
		return false;
	*window = *window / 2 + 1;
	return true;
}

/* The size of windows: 0 for none. */
static bool
read_window_size(SrmConfigReader *reader, size_t *window)
{
	const SrmArchitecture *row = reader->config->architecture;
	int64_t		size = (int64_t) row->window;
	bool		is_used = row->window_rule != SRM_WINDOW_NONE;

	if (row->window_key != NULL)
		return read_half_window(reader, window);
	*window = 0;
	if (row->window_rule == SRM_WINDOW_NONE)
		return true;
	if ((row->window_rule == SRM_WINDOW_UPPER || row->window_rule == SRM_WINDOW_WITHOUT_ROPE) &&
		!srm_json_get_bool(reader->root, "use_sliding_window", false, &is_used, reader->status))
		return false;
	if (srm_json_has_member(reader->root, "sliding_window"))
		size = 0;
	if (!srm_json_get_int(reader->root, "sliding_window", 1, MAX_POSITIONS, size, &size,
						  reader->status))
		return false;
	*window = is_used ? (size_t) size : 0;
	return true;
}

/* What the rule says where the file does not list the layers' types. */
static bool
has_window(const SrmConfig *config, size_t layer, size_t first_layer, size_t period)
{
	switch (config->architecture->window_rule)
	{
		case SRM_WINDOW_NONE:
			return false;
		case SRM_WINDOW_ALL:
			return true;
		case SRM_WINDOW_UPPER:
			return layer >= first_layer;
		case SRM_WINDOW_PERIODIC:
			return (layer + 1) % period != 0;
		case SRM_WINDOW_BETWEEN:
			return layer % period != 0;
		case SRM_WINDOW_WITHOUT_ROPE:
			return config->layers[layer].rope == SRM_ROPE_NONE;
	}
	return false;
}

/* One type of "layer_types"; those that all have their own rule by layers are listed there. */
static bool
read_layer_type(SrmConfigReader *reader, const SrmJson *type, size_t window, size_t *layer_window)
{
	const char *name = srm_json_string(type);

	*layer_window = 0;
	if (name != NULL && strcmp(name, "full_attention") == 0)
		return true;
	if (name == NULL || strcmp(name, "sliding_attention") != 0 ||
		reader->config->architecture->window_rule == SRM_WINDOW_NONE)
	{
		srm_config_fail_support(reader, "layer type", name == NULL ? "" : name);
		return srm_fail_key(reader->status, "layer_types");
	}
	if (window == 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"layers of type \"sliding_attention\" have no \"sliding_window\"");
	*layer_window = window;
	return true;
}

static bool
read_windows(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	const SrmArchitecture *row = config->architecture;
	const SrmJson *types = srm_json_member(reader->root, "layer_types");
	const SrmJson *type = types == NULL ? NULL : types->child;
	size_t		n = config->decoder.n_layers;
	size_t		window;
	size_t		period = row->window_period;
	int64_t		first_layer;

	if (!read_window_size(reader, &window) ||
		(row->window_rule == SRM_WINDOW_PERIODIC &&
		 !srm_config_get_size(reader, "sliding_window_pattern", MAX_LAYERS, period, &period)) ||
		(row->window_rule == SRM_WINDOW_BETWEEN &&
		 !srm_config_get_size(reader, "global_attn_every_n_layers", MAX_LAYERS, period, &period)) ||
		!srm_json_get_int(reader->root, "max_window_layers", 0, MAX_LAYERS, DEFAULT_WINDOW_LAYERS,
						  &first_layer, reader->status))
		return false;
	if (types != NULL && (types->type != SRM_JSON_ARRAY || types->n != n))
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"layer_types\" is not a list of all layers");

	/* Where all layers have the window, transformers does not look at the list */
	if (row->window_rule == SRM_WINDOW_ALL)
		type = NULL;
	for (size_t i = 0; i < n; i++, type = type == NULL ? NULL : type->next)
	{
		if (type != NULL && !read_layer_type(reader, type, window, &config->layers[i].window))
			return false;
		if (type == NULL)
			config->layers[i].window = has_window(config, i, (size_t) first_layer, period) ? window : 0;
	}
	return true;
}

/* A number for each layer: 0 where it has no rotary position. */
static bool
read_layers_without_rope(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	const SrmJson *list = srm_json_member(reader->root, "no_rope_layers");
	const SrmJson *item = list == NULL ? NULL : list->child;
	size_t		n = config->decoder.n_layers;
	size_t		period;

	if (!config->architecture->may_lack_rope)
		return true;
	if (!srm_config_get_size(reader, "no_rope_layer_interval", MAX_LAYERS, DEFAULT_NO_ROPE_PERIOD, &period))
		return false;
	for (size_t i = 0; i < n; i++, item = item == NULL ? NULL : item->next)
	{
		double		has_rope = (i + 1) % period != 0;

		if (list != NULL && (list->type != SRM_JSON_ARRAY || !srm_json_number(item, &has_rope)))
			return srm_fail(reader->status, SRM_INVALID_MODEL, "\"no_rope_layers\" is not a list of numbers for all layers");
		config->layers[i].rope = has_rope != 0 ? SRM_ROPE_MAIN : SRM_ROPE_NONE;
	}
	return true;
}

/* Layers with a window, whose rotary position is another one. */
static void
mark_local_ropes(SrmConfig *config)
{
	for (size_t i = 0; i < config->decoder.n_layers && config->architecture->has_local_rope; i++)
		if (config->layers[i].window > 0)
			config->layers[i].rope = SRM_ROPE_LOCAL;
}

/* Factors that are one elsewhere. */
static bool
read_multipliers(SrmConfigReader *reader)
{
	SrmDecoder *decoder = &reader->config->decoder;
	double		embedding;
	double		residual;
	double		attention;

	if (!reader->config->architecture->has_multipliers)
		return true;
	if (!srm_config_get_positive(reader, reader->root, "embedding_multiplier", 1, &embedding) ||
		!srm_config_get_positive(reader, reader->root, "residual_multiplier", 1, &residual) ||
		!srm_config_get_positive(reader, reader->root, "attention_multiplier", 1, &attention))
		return false;
	decoder->embedding_scale = embedding == 1 ? 0 : (float) embedding;
	decoder->residual_scale = residual == 1 ? 0 : (float) residual;
	decoder->attention_scale = (float) attention;
	return true;
}

/* Scale and cap of the products of queries and keys. */
static bool
read_attention(SrmConfigReader *reader)
{
	SrmDecoder *decoder = &reader->config->decoder;
	double		cap = srm_json_has_member(reader->root, "attn_logit_softcapping") ? 0 : reader->config->architecture->softcap;
	double		scalar;

	if (!reader->config->architecture->caps_attention)
		return true;
	if (!srm_json_get_double(reader->root, "attn_logit_softcapping", cap, &cap, reader->status) ||
		!srm_config_get_positive(reader, reader->root, "query_pre_attn_scalar",
								 DEFAULT_ATTENTION_SCALAR, &scalar))
		return false;
	if (cap < 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"attn_logit_softcapping\" must not be negative");
	decoder->attention_softcap = (float) cap;
	decoder->attention_scale = (float) (1 / sqrt(scalar));
	return true;
}

/* Whether feed-forward networks stand beside attention. */
static bool
read_order(SrmConfigReader *reader)
{
	const char *key = reader->config->architecture->parallel_key;
	bool	   *is_parallel = &reader->config->decoder.is_parallel;

	*is_parallel = key != NULL;
	return key == NULL || key[0] == '\0' || srm_json_get_bool(reader->root, key, true, is_parallel, reader->status);
}

/* Whether embeddings have learned positions and types of tokens. */
static bool
find_positions(SrmConfigReader *reader, bool *has_positions)
{
	SrmConfig  *config = reader->config;
	int64_t		n_types = 1;

	*has_positions = config->architecture->positions != NULL;
	if (config->architecture->may_lack_positions &&
		(!srm_json_get_bool(reader->root, "position_biased_input", true, has_positions, reader->status) ||
		 !srm_json_get_int(reader->root, "type_vocab_size", 0, MAX_DIM, 0, &n_types, reader->status)))
		return false;
	config->has_token_types = config->architecture->token_types != NULL && n_types > 0;
	return true;
}

/* Learned positions, of which the first ones may belong to padding. */
static bool
read_positions(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	SrmDecoder *decoder = &config->decoder;
	const char *kind;
	bool		has_positions;
	bool		is_decoder;
	int64_t		pad_id;

	if (!find_positions(reader, &has_positions))
		return false;
	if (!has_positions)
		return true;
	if (!srm_json_get_string(reader->root, "position_embedding_type", "absolute", &kind, reader->status) ||
		!srm_json_get_bool(reader->root, "is_decoder", false, &is_decoder, reader->status) ||
		!srm_json_get_int(reader->root, "pad_token_id", 0, MAX_VOCAB_SIZE, 1, &pad_id, reader->status))
		return false;
	if (strcmp(kind, "absolute") != 0)
		return srm_config_fail_support(reader, "\"position_embedding_type\"", kind);
	if (is_decoder)
		return srm_fail(reader->status, SRM_NOT_SUPPORTED, "an encoder with \"is_decoder\" is not supported");
	decoder->n_positions = config->max_tokens;
	decoder->first_position = config->architecture->counts_from_pad ? (size_t) pad_id + 1 : 0;
	if (decoder->first_position >= decoder->n_positions)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"max_position_embeddings\" leaves no position behind \"pad_token_id\"");
	config->max_tokens -= decoder->first_position;
	return true;
}

/*
 * How far ahead layers see.  wtpsplit shares "lookahead" out among all layers, or among the first
 * "lookahead_split_layers", behind which attention is causal; null and what is absent is no limit.
 */
static bool
read_ahead(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	int64_t		n_layers = (int64_t) config->decoder.n_layers;
	int64_t		ahead = -1;
	int64_t		split = -1;

	if (config->architecture->limits_ahead &&
		(!srm_json_get_int(reader->root, "lookahead", 0, MAX_POSITIONS, -1, &ahead, reader->status) ||
		 !srm_json_get_int(reader->root, "lookahead_split_layers", 1, n_layers, -1, &split, reader->status)))
		return false;
	if (ahead >= 0)
		ahead /= split > 0 ? split : n_layers;
	for (int64_t i = 0; i < n_layers && config->architecture->sees_all; i++)
	{
		config->layers[i].ahead = ahead < 0 ? SRM_AHEAD_ALL : (size_t) ahead;
		if (config->layers[i].window > 0)
			config->layers[i].ahead = config->layers[i].window - 1;
		if (split > 0 && i >= split)
			config->layers[i].ahead = 0;
	}
	return true;
}

bool
srm_config_read_layers(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;

	config->layers = srm_arena_array(reader->arena, config->decoder.n_layers, sizeof(SrmLayer), reader->status);
	if (config->layers == NULL || !read_layers_without_rope(reader) || !read_windows(reader) ||
		!read_multipliers(reader) || !read_attention(reader))
		return false;
	mark_local_ropes(config);
	for (size_t i = 0; i < config->decoder.n_layers && config->architecture->has_no_rope; i++)
		config->layers[i].rope = SRM_ROPE_NONE;
	return read_ahead(reader) && read_order(reader) && read_positions(reader) &&
		srm_config_read_relative(reader) && srm_config_read_experts(reader);
}
