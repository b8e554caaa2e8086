/*-------------------------------------------------------------------------
 *
 * config.c
 *	  What config.json says.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "jinja/template.h"
#include "kernel/pack.h"
#include "model/adapter.h"
#include "model/config_reader.h"

/* Beyond all that is published, and small enough that no product overflows. */
#define MAX_HEADS			1024
#define MAX_HEAD_DIM		1024
#define MAX_FFN_DIM			(1 << 20)
#define MAX_SENTENCE_TOKENS	(1 << 20)
#define MAX_PAIRS			((int64_t) 1 << 53)	/* beyond are no whole numbers */
#define MAX_NAME_LENGTH		64
#define MAX_SEGMENTER_LENGTH	1024	/* a pattern, or a model's name with its digest */
#define MAX_MARKER_LENGTH	256
#define MAX_TEMPLATE_LENGTH	(1024 * 1024)

#define DEFAULT_STRIDE			256 /* half of what a chunk holds */
#define STEP_TOKEN				"<extra_0>" /* of Qwen2.5-Math-PRM */

static bool
read_architecture(SrmConfigReader *reader)
{
	const SrmJson *list = srm_json_member(reader->root, "architectures");
	const char *name = srm_json_string(list == NULL ? NULL : list->child);
	const char *model_type = srm_json_string(srm_json_member(reader->root, "model_type"));
	SrmConfig  *config = reader->config;
	bool		has_class = name != NULL;
	char		known[400];

	if (name == NULL && list != NULL && list->n > 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"architectures\"");
	if (name == NULL && model_type == NULL)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"architectures\" is missing in the model's configuration, and so is \"model_type\"");
	config->architecture = srm_architecture_find(name == NULL ? "" : name, model_type);
	/* As transformers' AutoModelForSequenceClassification goes by the type alone */
	if (name == NULL && config->architecture != NULL)
	{
		snprintf(known, sizeof(known), "%sForSequenceClassification", config->architecture->family);
		name = known;
	}
	name = name == NULL ? model_type : name;
	config->name = srm_arena_string(reader->arena, name, strlen(name), reader->status);
	if (config->architecture != NULL)
		return config->name != NULL;
	srm_config_fail_support(reader, "model architecture", name);
	srm_architecture_list(known, sizeof(known));
	srm_fail_detail(reader->status, "Supported are the families %s.", known);
	return srm_fail_key(reader->status, has_class ? "architectures" : "model_type");
}

static bool
read_heads(SrmConfigReader *reader, SrmDecoder *decoder)
{
	const SrmArchitecture *row = reader->config->architecture;
	size_t		head_dim = row->head_dim;

	if (!srm_config_get_size(reader, "num_attention_heads", MAX_HEADS, 0, &decoder->n_heads) ||
		!srm_config_get_size(reader, "num_key_value_heads", MAX_HEADS,
				  row->n_kv_heads == 0 ? decoder->n_heads : row->n_kv_heads, &decoder->n_kv_heads))
		return false;
	if (head_dim == 0)
		head_dim = decoder->dim / decoder->n_heads;
	if (!srm_config_get_size(reader, "head_dim", MAX_HEAD_DIM, head_dim, &decoder->head_dim))
		return false;
	if (decoder->n_heads % decoder->n_kv_heads != 0)
	{
		srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"num_key_value_heads\"");
		return srm_fail_detail(reader->status, "It is %zu, which does not divide the %zu heads.",
							   decoder->n_kv_heads, decoder->n_heads);
	}
	if (decoder->head_dim % 2 != 0)
	{
		srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"head_dim\"");
		return srm_fail_detail(reader->status, "It is %zu, and must be even.", decoder->head_dim);
	}
	return true;
}

static bool
read_sizes(SrmConfigReader *reader)
{
	SrmConfig  *config = reader->config;
	const SrmArchitecture *row = config->architecture;
	SrmDecoder *decoder = &config->decoder;
	double		eps;

	if (!srm_config_get_size(reader, "num_hidden_layers", MAX_LAYERS, 0, &decoder->n_layers) ||
		!srm_config_get_size(reader, "hidden_size", MAX_DIM, 0, &decoder->dim) ||
		!srm_config_get_size(reader, "intermediate_size", MAX_FFN_DIM, 0, &decoder->ffn_dim) ||
		!srm_config_get_size(reader, "vocab_size", MAX_VOCAB_SIZE, 0, &decoder->vocab_size) ||
		!srm_config_get_size(reader, "max_position_embeddings", MAX_POSITIONS,
				  config->architecture->max_positions, &config->max_tokens) ||
		!srm_config_get_positive(reader, reader->root, row->norm_eps_key == NULL ? "rms_norm_eps" : row->norm_eps_key,
								 row->norm_eps, &eps))
		return false;
	decoder->norm_eps = (float) eps;
	if (config->architecture->scales_embedding)
		decoder->embedding_scale = (float) sqrt((double) decoder->dim);
	decoder->norm_kind = row->norm_kind;
	decoder->head_norm = row->head_norm;
	decoder->post_norms_sum = row->post_norms_sum;
	return read_heads(reader, decoder);
}

/* Settings that turn on the features which a row of the table leaves open. */
static bool
read_features(SrmConfigReader *reader)
{
	bool		is_default = reader->config->architecture->has_attention_bias;

	for (int i = 0; i < SRM_N_FEATURES; i++)
	{
		const char *key = reader->config->architecture->features[i];
		bool	   *is_on = &reader->config->features[i];

		*is_on = key != NULL;
		if (key != NULL && key[0] != '\0' &&
			!srm_json_get_bool(reader->root, key, is_default && (i == SRM_FEATURE_QKV_BIAS || i == SRM_FEATURE_OUTPUT_BIAS),
							   is_on, reader->status))
			return false;
	}
	return true;
}

static bool
read_activation(SrmConfigReader *reader)
{
	static const char *const silu[] = {"silu", "swish", NULL};
	static const char *const gelu_tanh[] = {"gelu_pytorch_tanh", "gelu_new", "gelu_fast",
	"gelu_python_tanh", NULL};
	static const char *const gelu[] = {"gelu", "gelu_python", NULL};
	const SrmArchitecture *row = reader->config->architecture;
	const char *name;

	if (!srm_json_get_string(reader->root, row->activation_key, row->activation, &name,
							 reader->status))
		return false;
	if (row->gelu_is_tanh && strcmp(name, "gelu") == 0)
		name = gelu_tanh[0];
	for (int i = 0; silu[i] != NULL; i++)
		if (strcmp(name, silu[i]) == 0)
			return true;
	for (int i = 0; gelu_tanh[i] != NULL; i++)
		if (strcmp(name, gelu_tanh[i]) == 0)
		{
			reader->config->decoder.activation = SRM_ACTIVATION_GELU_TANH;
			return true;
		}
	for (int i = 0; gelu[i] != NULL; i++)
		if (strcmp(name, gelu[i]) == 0)
		{
			reader->config->decoder.activation = SRM_ACTIVATION_GELU;
			return true;
		}
	srm_config_fail_support(reader, "activation", name);
	return srm_fail_key(reader->status, row->activation_key);
}

/* What would change the numbers, and the decoder does not do. */
static bool
check_supported(SrmConfigReader *reader)
{
	const SrmJson *quantization = srm_json_member(reader->root, "quantization_config");
	bool		windows_unknown = reader->config->architecture->window_rule == SRM_WINDOW_NONE;
	const char *method;
	bool		has_windows;
	bool		is_causal;
	bool		is_bidirectional;

	if (!srm_json_get_bool(reader->root, "use_sliding_window", false, &has_windows, reader->status) ||
		!srm_json_get_bool(reader->root, "is_causal", true, &is_causal, reader->status) ||
		!srm_json_get_bool(reader->root, "use_bidirectional_attention", false, &is_bidirectional,
						   reader->status))
		return false;
	if (has_windows && windows_unknown)
		return srm_config_fail_support(reader, "attention with", "use_sliding_window");
	if (!is_causal || is_bidirectional)
	{
		srm_fail(reader->status, SRM_NOT_SUPPORTED, "attention that is not causal is not supported");
		return srm_fail_key(reader->status, is_causal ? "use_bidirectional_attention" : "is_causal");
	}
	/* Our own, whose tensors the binding checks; the description is for others */
	if (quantization == NULL ||
		srm_json_member(srm_json_member(reader->root, "srm"), "quantization") != NULL)
		return true;
	method = srm_json_string(srm_json_member(quantization, "quant_method"));
	/* Its first releases wrote no name */
	if (method == NULL && (srm_json_member(quantization, "load_in_8bit") != NULL ||
						   srm_json_member(quantization, "load_in_4bit") != NULL))
		method = "bitsandbytes";
	srm_config_fail_support(reader, "quantization", method == NULL ? "" : method);
	return srm_fail_key(reader->status, "quantization_config");
}

/* A string of a bounded length, kept in the arena; a NULL fallback stays NULL. */
static bool
keep_string(SrmConfigReader *reader, const SrmJson *object, const char *key, const char *fallback,
			size_t maximum, const char **value)
{
	const char *text;

	if (!srm_json_get_string(object, key, fallback, &text, reader->status))
		return false;
	if (text != NULL && strlen(text) > maximum)
	{
		srm_fail(reader->status, SRM_INVALID_MODEL, "value of \"%s\" is too long", key);
		return srm_fail_detail(reader->status, "It has %zu bytes, the limit is %zu.",
							   strlen(text), maximum);
	}
	*value = text == NULL ? NULL :
		srm_arena_string(reader->arena, text, strlen(text), reader->status);
	return text == NULL || *value != NULL;
}

static bool
read_scale(SrmConfigReader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	bool		has_mean = srm_json_member(json, "mean") != NULL;
	bool		has_std = srm_json_member(json, "std") != NULL;

	settings->has_scale = has_std;
	settings->std = 1;
	/* OpenRLHF writes them beside "normalize_reward", which its server follows */
	if (!has_mean && !has_std)
	{
		bool		normalizes;

		if (!srm_json_get_bool(reader->root, "normalize_reward", false, &normalizes, reader->status))
			return false;
		if (!normalizes || srm_json_member(reader->root, "mean") == NULL || srm_json_member(reader->root, "std") == NULL)
			return true;
		json = reader->root;
		has_mean = has_std = settings->has_scale = true;
	}
	if (has_mean != has_std)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"mean\" and \"std\" must be given together");
	return srm_json_get_double(json, "mean", 0, &settings->mean, reader->status) &&
		srm_config_get_positive(reader, json, "std", 1, &settings->std);
}

/* "compute": which arithmetic the model asks for. */
static bool
read_compute(SrmConfigReader *reader, const SrmJson *json, SrmComputeChoice *choice)
{
	const char *name;

	if (!srm_json_get_string(json, "compute", "auto", &name, reader->status))
		return false;
	*choice = SRM_CHOICE_AUTO;
	if (strcmp(name, "auto") == 0)
		return true;
	for (SrmCompute compute = SRM_COMPUTE_F32; compute < SRM_N_COMPUTES; compute++)
		if (strcmp(name, srm_compute_name(compute)) == 0)
		{
			*choice = (SrmComputeChoice) compute;
			return true;
		}
	srm_fail(reader->status, SRM_NOT_SUPPORTED, "arithmetic \"%s\" of the model is not supported", name);
	return srm_fail_detail(reader->status, "\"compute\" is \"auto\", \"f32\", \"bf16\", \"int8\" or \"w8\".");
}

/* What stands in for the tokenizer's chat template, and its calendar. */
static bool
read_template(SrmConfigReader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	if (!keep_string(reader, json, "chat_template", NULL, MAX_TEMPLATE_LENGTH,
					 &settings->chat_template) ||
		!keep_string(reader, json, "template_date", SRM_TEMPLATE_DATE, MAX_NAME_LENGTH,
					 &settings->template_date))
		return false;
	if (srm_template_date_valid(settings->template_date))
		return true;
	srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"template_date\": \"%s\"",
			 settings->template_date);
	return srm_fail_detail(reader->status, "A date is written like \"" SRM_TEMPLATE_DATE "\".");
}

/* "template_variables": an object, kept as text. */
static bool
read_variables(SrmConfigReader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	const SrmJson *variables = srm_json_member(json, "template_variables");
	SrmBuffer	text;

	if (variables == NULL)
		return true;
	if (!srm_buffer_init(&text, reader->arena, MAX_TEMPLATE_LENGTH, reader->status) ||
		!srm_json_write(&text, variables, reader->status))
		return false;
	settings->template_variables = text.data;
	if (srm_template_variables_check(text.data, reader->arena, reader->status))
		return true;
	reader->status->code = SRM_INVALID_MODEL;
	return srm_fail_detail(reader->status, "They are in \"template_variables\" of the object \"srm\".");
}

/* "response_roles": a list of names. */
static bool
read_roles(SrmConfigReader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	const SrmJson *list = srm_json_member(json, "response_roles");
	size_t		n = list == NULL ? 0 : list->n;

	if (list == NULL)
		return true;
	settings->response_roles = srm_arena_array(reader->arena, n, sizeof(char *), reader->status);
	if (settings->response_roles == NULL)
		return false;
	for (const SrmJson *item = list->child; item != NULL && list->type == SRM_JSON_ARRAY; item = item->next)
	{
		const char *role = srm_json_string(item);

		if (role == NULL)
			break;
		role = srm_arena_string(reader->arena, role, strlen(role), reader->status);
		if (role == NULL)
			return false;
		settings->response_roles[settings->n_response_roles++] = role;
	}
	return settings->n_response_roles == n && list->type == SRM_JSON_ARRAY ? true :
		srm_fail(reader->status, SRM_INVALID_MODEL, "\"response_roles\" is not a list of strings");
}

/* "max_tokens": fewer than the model could read; positions are those of the model all the same. */
static bool
read_longest(SrmConfigReader *reader, const SrmJson *json)
{
	size_t	   *longest = &reader->config->max_tokens;
	int64_t		max_tokens;

	if (!srm_json_get_int(json, "max_tokens", SRM_MIN_MAX_TOKENS, (int64_t) *longest, (int64_t) *longest,
						  &max_tokens, reader->status))
		return false;
	*longest = (size_t) max_tokens;
	return true;
}

static bool
read_lengths(SrmConfigReader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	int64_t		min;
	int64_t		max;

	if (!srm_json_get_int(json, "min_sentence_tokens", 0, MAX_SENTENCE_TOKENS, 0, &min, reader->status) ||
		!srm_json_get_int(json, "max_sentence_tokens", 0, MAX_SENTENCE_TOKENS, 0, &max, reader->status))
		return false;
	settings->min_sentence_tokens = (size_t) min;
	settings->max_sentence_tokens = (size_t) max;
	return true;
}

/* "agreement": what srm_quantize() has measured. */
static bool
read_agreement(SrmConfigReader *reader, const SrmJson *json, SrmAgreement *agreement)
{
	const SrmJson *object = srm_json_member(json, "agreement");
	int64_t		n_pairs;
	int64_t		n_flips;

	if (object == NULL)
		return true;
	if (object->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"agreement\" is not an object");
	if (!srm_json_get_int(object, "pairs", 1, MAX_PAIRS, 0, &n_pairs, reader->status) ||
		!srm_json_get_int(object, "flips", 0, n_pairs, 0, &n_flips, reader->status) ||
		!srm_json_get_double(object, "rank_correlation", 0, &agreement->rank_correlation, reader->status) ||
		!srm_json_get_double(object, "largest_difference", 0, &agreement->largest_difference, reader->status))
		return false;
	agreement->n_pairs = (size_t) n_pairs;
	agreement->n_flips = (size_t) n_flips;
	return true;
}

/*
 * Of a segmenter.  Published ones say no threshold: wtpsplit takes these numbers by the model's name,
 * "sm" and "no-limited-lookahead"; the first have one label, and the others no "lookahead".
 */
static bool
read_segmentation(SrmConfigReader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	double		usual = srm_json_member(reader->root, "lookahead") == NULL ? 0.01 : 0.025;
	int64_t		stride;

	if (!reader->config->architecture->is_segmenter)
		return true;
	if (reader->config->labels.n == 1)
		usual = 0.25;
	if (!srm_config_get_positive(reader, json, "threshold", usual, &settings->threshold) ||
		!srm_json_get_int(json, "stride", 1, MAX_POSITIONS, DEFAULT_STRIDE, &stride, reader->status))
		return false;
	settings->stride = (size_t) stride;
	return settings->threshold < 1 ? true :
		srm_fail(reader->status, SRM_INVALID_MODEL, "\"threshold\" is not a probability");
}

static bool
read_settings(SrmConfigReader *reader)
{
	const SrmJson *json = srm_json_member(reader->root, "srm");
	SrmModelSettings *settings = &reader->config->settings;
	bool		is_of_steps = reader->config->head.is_of_steps;
	int64_t		dim;

	if (json != NULL && json->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"srm\" is not an object");
	if (!keep_string(reader, json, "aggregation", is_of_steps ? "min" : "last", MAX_NAME_LENGTH,
					 &settings->aggregation) ||
		!keep_string(reader, json, "boundary", is_of_steps ? "step" : "offset", MAX_NAME_LENGTH,
					 &settings->boundary) ||
		!keep_string(reader, json, "marker_token", is_of_steps ? STEP_TOKEN : NULL,
					 MAX_MARKER_LENGTH, &settings->marker_token) ||
		!keep_string(reader, json, "marker_layout", SRM_MARKER_LAYOUT_PAPER, MAX_NAME_LENGTH,
					 &settings->marker_layout) ||
		!keep_string(reader, json, "gate_pattern", reader->config->architecture->gate_pattern,
					 MAX_MARKER_LENGTH, &settings->gate_pattern) ||
		!keep_string(reader, json, "segmenter", "icu", MAX_SEGMENTER_LENGTH, &settings->segmenter) ||
		!keep_string(reader, json, "locale", "", MAX_NAME_LENGTH, &settings->locale) ||
		!read_lengths(reader, json, settings) ||
		!read_segmentation(reader, json, settings) ||
		!keep_string(reader, json, "truncation", "error", MAX_NAME_LENGTH, &settings->truncation) ||
		!read_longest(reader, json) ||
		!read_template(reader, json, settings) ||
		!read_variables(reader, json, settings) ||
		!read_roles(reader, json, settings) ||
		!keep_string(reader, json, "quantization", NULL, MAX_NAME_LENGTH, &settings->quantization) ||
		!read_agreement(reader, json, &settings->agreement) ||
		!read_compute(reader, json, &settings->compute_choice) ||
		!srm_json_get_int(json, "attention_dim", 1, MAX_DIM, 0, &dim, reader->status))
		return false;
	if (strcmp(settings->marker_layout, SRM_MARKER_LAYOUT_PAPER) != 0 &&
		strcmp(settings->marker_layout, SRM_MARKER_LAYOUT_0_1) != 0)
	{
		srm_config_fail_support(reader, "layout of markers", settings->marker_layout);
		return srm_fail_key(reader->status, "marker_layout");
	}
	if (settings->quantization != NULL && strcmp(settings->quantization, "int8") != 0 && strcmp(settings->quantization, "w8") != 0)
	{
		srm_config_fail_support(reader, "quantization", settings->quantization);
		return srm_fail_key(reader->status, "quantization");
	}
	reader->config->attention_dim = (size_t) dim;
	if (strcmp(settings->boundary, "offset") != 0 && settings->marker_token == NULL)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"marker_token\" is missing for boundaries of kind \"%s\"", settings->boundary);
	return read_scale(reader, json, settings);
}

/* path is for messages. */
static bool
read_tree(SrmConfig *config, const char *path, const SrmJson *root, SrmArena *arena, SrmStatus *status)
{
	SrmConfigReader reader = {.root = root,.config = config,.arena = arena,.status = status};

	memset(config, 0, sizeof(SrmConfig));
	return (read_architecture(&reader) && srm_config_read_labels(&reader) &&
			srm_config_read_head(&reader) &&
			check_supported(&reader) && read_activation(&reader) && read_sizes(&reader) &&
			srm_config_read_layers(&reader) && read_features(&reader) &&
			srm_config_read_rope(&reader) && read_settings(&reader)) ||
		srm_fail_place(status, path);
}

static SrmJson *
parse_file(const char *path, const char *json, size_t length, SrmArena *arena, SrmStatus *status)
{
	char		what[256];

	snprintf(what, sizeof(what), "file \"%s\"", path);
	return srm_json_parse(json, length, what, arena, status);
}

bool
srm_config_read(SrmConfig *config, const char *path, const char *json, size_t length,
				SrmArena *arena, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	const SrmJson *root = scratch == NULL ? NULL : parse_file(path, json, length, scratch, status);
	bool		done = root != NULL && read_tree(config, path, root, arena, status);

	srm_arena_free(scratch);
	return done;
}

/* A copy of a member, since a node has one parent. */
static bool
copy_member(SrmJson *object, const SrmJson *member, SrmArena *arena, SrmStatus *status)
{
	SrmJson    *copy = srm_arena_array(arena, 1, sizeof(SrmJson), status);

	if (copy == NULL)
		return false;
	*copy = *member;
	copy->next = NULL;
	return srm_json_set(object, member->key, copy, arena, status);
}

/* The members of "srm" that an adapter gives, over those of its base; a scale of the base's scores is not its own. */
static bool
lay_settings(SrmJson *root, const SrmAdapterConfig *adapter, SrmArena *arena, SrmStatus *status)
{
	SrmJson    *settings = (SrmJson *) srm_json_member(root, "srm");

	if (settings == NULL)
	{
		settings = srm_json_make(SRM_JSON_OBJECT, arena, status);
		if (settings == NULL || !srm_json_set(root, "srm", settings, arena, status))
			return false;
	}
	if (settings->type != SRM_JSON_OBJECT)
		return true;			/* whoever reads it says so */
	if (!srm_json_set(settings, "mean", NULL, arena, status) ||
		!srm_json_set(settings, "std", NULL, arena, status) ||
		(adapter->saves_score && !(srm_json_set(settings, "label", NULL, arena, status) &&
								   srm_json_set(settings, "minus", NULL, arena, status))))
		return false;
	for (const SrmJson *member = adapter->settings == NULL ? NULL : adapter->settings->child; member != NULL;
		 member = member->next)
		if (strcmp(member->key, "base") != 0 && !copy_member(settings, member, arena, status))
			return false;
	return true;
}

/* The class that peft puts around a base for sequence classification. */
static bool
set_class(SrmJson *root, SrmArena *arena, SrmStatus *status)
{
	const char *type = srm_json_string(srm_json_member(root, "model_type"));
	const SrmArchitecture *row = srm_architecture_find("", type);
	SrmJson    *classes = srm_json_make(SRM_JSON_ARRAY, arena, status);
	SrmJson    *name;
	char		text[MAX_NAME_LENGTH];

	if (row == NULL || classes == NULL)
		return classes != NULL;
	snprintf(text, sizeof(text), "%sForSequenceClassification", row->family);
	name = srm_json_make_string(text, arena, status);
	if (name == NULL)
		return false;
	srm_json_append(classes, name);
	return srm_json_set(root, "architectures", classes, arena, status);
}

/* What an adapter says about the model, over what its base does. */
static bool
lay_adapter(SrmJson *root, const SrmAdapterConfig *adapter, SrmArena *arena, SrmStatus *status)
{
	if (!lay_settings(root, adapter, arena, status) ||
		(adapter->is_classifier && !set_class(root, arena, status)))
		return false;
	return !adapter->saves_score || (srm_json_set(root, "num_labels", NULL, arena, status) &&
									 srm_json_set(root, "id2label", NULL, arena, status));
}

SrmJson *
srm_config_tree(SrmModelFiles *files, const char **path, SrmArena *arena, SrmStatus *status)
{
	SrmContents contents;
	SrmJson    *root;

	if (!srm_files_read(srm_files_of_model(files), SRM_CONFIG_FILE, false, SRM_MAX_CONFIG_SIZE, arena, &contents, status))
		return NULL;
	if (path != NULL)
		*path = contents.path;
	root = parse_file(contents.path, contents.data, contents.size, arena, status);
	if (root != NULL && root->type != SRM_JSON_OBJECT)
	{
		srm_fail(status, SRM_INVALID_MODEL, "file \"%s\" is not a JSON object", contents.path);
		return NULL;
	}
	return root == NULL || files->adapter == NULL || lay_adapter(root, files->adapter, arena, status) ? root : NULL;
}

bool
srm_config_open(SrmConfig *config, SrmModelFiles *files, SrmArena *arena, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	const char *path;
	const SrmJson *root = scratch == NULL ? NULL : srm_config_tree(files, &path, scratch, status);
	bool		done = root != NULL && read_tree(config, path, root, arena, status);

	srm_arena_free(scratch);
	return done;
}
