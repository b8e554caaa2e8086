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

#include "base/json.h"

/* Beyond all that is published, and small enough that no product overflows. */
#define MAX_LAYERS			1024
#define MAX_DIM				65536
#define MAX_HEADS			1024
#define MAX_HEAD_DIM		1024
#define MAX_FFN_DIM			(1 << 20)
#define MAX_VOCAB_SIZE		(1 << 23)
#define MAX_POSITIONS		(1 << 30)
#define MAX_NAME_LENGTH		64
#define MAX_MARKER_LENGTH	256

#define DEFAULT_NORM_EPS	1e-6
#define DEFAULT_ROPE_THETA	10000.0

typedef struct Reader
{
	const SrmJson *root;
	SrmConfig  *config;
	SrmArena   *arena;
	SrmStatus  *status;
} Reader;

/* A whole number from 1 on; a fallback of 0 means that it must be given. */
static bool
get_size(Reader *reader, const char *key, size_t maximum, size_t fallback, size_t *value)
{
	int64_t		number;

	if (!srm_json_get_int(reader->root, key, 1, (int64_t) maximum, (int64_t) fallback,
						  &number, reader->status))
		return false;
	if (number == 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"%s\" is missing in the model's configuration", key);
	*value = (size_t) number;
	return true;
}

/* A number above 0; a fallback of 0 means that it must be given. */
static bool
get_positive(Reader *reader, const SrmJson *object, const char *key, double fallback,
			 double *value)
{
	if (!srm_json_get_double(object, key, fallback, value, reader->status))
		return false;
	if (*value > 0)
		return true;
	srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"%s\"", key);
	return srm_fail_detail(reader->status, "It is missing or not positive.");
}

static bool
fail_support(Reader *reader, const char *what, const char *value)
{
	return srm_fail(reader->status, SRM_NOT_SUPPORTED, "%s \"%s\" is not supported", what, value);
}

static bool
read_architecture(Reader *reader)
{
	const SrmJson *list = srm_json_member(reader->root, "architectures");
	const char *name = srm_json_string(list == NULL ? NULL : list->child);
	char		known[400];

	if (name == NULL)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"architectures\" is missing in the model's configuration");
	reader->config->architecture = srm_architecture_find(name);
	if (reader->config->architecture != NULL)
		return true;
	fail_support(reader, "model architecture", name);
	srm_architecture_list(known, sizeof(known));
	return srm_fail_detail(reader->status, "Supported are %s.", known);
}

static bool
read_heads(Reader *reader, SrmDecoder *decoder)
{
	const SrmArchitecture *row = reader->config->architecture;
	size_t		head_dim = row->head_dim;

	if (!get_size(reader, "num_attention_heads", MAX_HEADS, 0, &decoder->n_heads) ||
		!get_size(reader, "num_key_value_heads", MAX_HEADS, decoder->n_heads,
				  &decoder->n_kv_heads))
		return false;
	if (head_dim == 0)
		head_dim = decoder->dim / decoder->n_heads;
	if (!get_size(reader, "head_dim", MAX_HEAD_DIM, head_dim, &decoder->head_dim))
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
read_sizes(Reader *reader)
{
	SrmConfig  *config = reader->config;
	SrmDecoder *decoder = &config->decoder;
	double		eps;

	if (!get_size(reader, "num_hidden_layers", MAX_LAYERS, 0, &decoder->n_layers) ||
		!get_size(reader, "hidden_size", MAX_DIM, 0, &decoder->dim) ||
		!get_size(reader, "intermediate_size", MAX_FFN_DIM, 0, &decoder->ffn_dim) ||
		!get_size(reader, "vocab_size", MAX_VOCAB_SIZE, 0, &decoder->vocab_size) ||
		!get_size(reader, "max_position_embeddings", MAX_POSITIONS,
				  config->architecture->max_positions, &config->max_tokens) ||
		!get_positive(reader, reader->root, "rms_norm_eps", DEFAULT_NORM_EPS, &eps))
		return false;
	decoder->norm_eps = (float) eps;
	return read_heads(reader, decoder);
}

/* Settings that turn on the steps which a row of the table leaves open. */
static bool
read_steps(Reader *reader)
{
	for (int i = 0; i < SRM_N_STEPS; i++)
	{
		const char *key = reader->config->architecture->steps[i];
		bool	   *step = &reader->config->steps[i];

		*step = key != NULL;
		if (key != NULL && key[0] != '\0' &&
			!srm_json_get_bool(reader->root, key, false, step, reader->status))
			return false;
	}
	return true;
}

static double
yarn_scale(double factor, double mscale)
{
	return factor <= 1 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* Where a zero stands for "not given" this follows Python's idea of truth. */
static bool
read_yarn(Reader *reader, const SrmJson *json, SrmRope *rope)
{
	double		ratio = (double) reader->config->max_tokens / rope->original_max_positions;
	double		mscale;
	double		mscale_all_dim;
	double		scale;

	if (!get_positive(reader, json, "factor", ratio, &rope->factor) ||
		!srm_json_get_double(json, "mscale", 0, &mscale, reader->status) ||
		!srm_json_get_double(json, "mscale_all_dim", 0, &mscale_all_dim, reader->status) ||
		!srm_json_get_double(json, "beta_fast", 0, &rope->beta_fast, reader->status) ||
		!srm_json_get_double(json, "beta_slow", 0, &rope->beta_slow, reader->status) ||
		!srm_json_get_bool(json, "truncate", true, &rope->truncate, reader->status))
		return false;
	rope->beta_fast = rope->beta_fast == 0 ? 32 : rope->beta_fast;
	rope->beta_slow = rope->beta_slow == 0 ? 1 : rope->beta_slow;
	if (rope->beta_fast < 0 || rope->beta_slow < 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"beta_fast\" and \"beta_slow\" must be positive");
	scale = yarn_scale(rope->factor, 1);
	if (mscale != 0 && mscale_all_dim != 0)
		scale = yarn_scale(rope->factor, mscale) / yarn_scale(rope->factor, mscale_all_dim);
	return get_positive(reader, json, "attention_factor", scale, &rope->attention_factor);
}

static bool
read_llama3(Reader *reader, const SrmJson *json, SrmRope *rope)
{
	if (!get_positive(reader, json, "factor", 0, &rope->factor) ||
		!get_positive(reader, json, "low_freq_factor", 0, &rope->low_freq_factor) ||
		!get_positive(reader, json, "high_freq_factor", 0, &rope->high_freq_factor))
		return false;
	if (rope->high_freq_factor > rope->low_freq_factor)
		return true;
	return srm_fail(reader->status, SRM_INVALID_MODEL,
					"\"high_freq_factor\" must be greater than \"low_freq_factor\"");
}

static bool
read_rope_type(Reader *reader, const SrmJson *json, SrmRope *rope)
{
	const char *type;

	if (!srm_json_get_string(json, "type", "default", &type, reader->status) ||
		!srm_json_get_string(json, "rope_type", type, &type, reader->status))
		return false;
	rope->factor = 1;
	rope->attention_factor = 1;
	if (strcmp(type, "default") == 0)
	{
		rope->type = SRM_ROPE_DEFAULT;
		return true;
	}
	if (strcmp(type, "linear") == 0)
	{
		rope->type = SRM_ROPE_LINEAR;
		return get_positive(reader, json, "factor", 0, &rope->factor);
	}
	if (strcmp(type, "llama3") == 0)
	{
		rope->type = SRM_ROPE_LLAMA3;
		return read_llama3(reader, json, rope);
	}
	if (strcmp(type, "yarn") == 0)
	{
		rope->type = SRM_ROPE_YARN;
		return read_yarn(reader, json, rope);
	}
	return fail_support(reader, "rotary position of type", type);
}

/* Rotary position of a part of the head, or by the type of a layer, is for other models. */
static bool
check_rope(Reader *reader, const SrmJson *json)
{
	double		outer;
	double		part;

	if (json != NULL && json->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"the rotary parameters of the model are not an object");
	for (const SrmJson *child = json == NULL ? NULL : json->child; child != NULL; child = child->next)
		if (child->type == SRM_JSON_OBJECT)
			return fail_support(reader, "rotary position by type of layer, such as", child->key);
	if (!srm_json_get_double(reader->root, "partial_rotary_factor", 1, &outer, reader->status) ||
		!srm_json_get_double(json, "partial_rotary_factor", outer, &part, reader->status))
		return false;
	if (part != 1)
		return srm_fail(reader->status, SRM_NOT_SUPPORTED,
						"\"partial_rotary_factor\" other than 1 is not supported");
	return true;
}

/* "rope_scaling" of older files comes before "rope_parameters", as in transformers. */
static bool
read_rope(Reader *reader)
{
	SrmRope    *rope = &reader->config->decoder.rope;
	const SrmJson *json = srm_json_member(reader->root, "rope_scaling");
	size_t		positions = reader->config->max_tokens;
	double		number;

	if (json == NULL || json->n == 0)
		json = srm_json_member(reader->root, "rope_parameters");
	if (!check_rope(reader, json) ||
		!get_positive(reader, reader->root, "rope_theta", DEFAULT_ROPE_THETA, &rope->theta) ||
		!get_positive(reader, json, "rope_theta", rope->theta, &rope->theta) ||
		!get_positive(reader, json, "original_max_position_embeddings", (double) positions,
					  &number) ||
		!get_positive(reader, reader->root, "original_max_position_embeddings", number,
					  &rope->original_max_positions))
		return false;
	if (rope->theta <= 1)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"rope_theta\" must be greater than 1");
	return read_rope_type(reader, json, rope);
}

/* Names up to three labels in the error's detail. */
static bool
fail_labels(Reader *reader, const SrmJson *labels, size_t n)
{
	char		names[3][64] = {"", "", ""};
	int			i = 0;

	srm_fail(reader->status, SRM_NOT_SUPPORTED,
			 "a model with %zu labels is not supported", n);
	if (labels == NULL)
		return srm_fail_detail(reader->status, "A reward model has one label.");
	for (const SrmJson *label = labels->child; label != NULL && i < 3; label = label->next)
	{
		const char *name = srm_json_string(label);

		snprintf(names[i], sizeof(names[i]), "%s\"%.40s\"", i == 0 ? "" : ", ",
				 name == NULL ? label->key : name);
		i++;
	}
	return srm_fail_detail(reader->status,
						   "A reward model has one label; the labels here are %s%s%s%s.",
						   names[0], names[1], names[2], n > 3 ? ", and others" : "");
}

static bool
check_labels(Reader *reader)
{
	const SrmJson *labels = srm_json_member(reader->root, "id2label");
	size_t		n = 1;

	if (!get_size(reader, "num_labels", MAX_DIM, 1, &n))
		return false;
	if (labels != NULL && labels->type == SRM_JSON_OBJECT)
		n = labels->n;
	return n == 1 || fail_labels(reader, labels, n);
}

/* What would change the numbers, and the decoder does not do. */
static bool
check_supported(Reader *reader)
{
	const SrmJson *quantization = srm_json_member(reader->root, "quantization_config");
	const SrmJson *layers = srm_json_member(reader->root, "layer_types");
	const char *activation;
	const char *method;
	bool		has_window;
	bool		is_causal;

	if (!srm_json_get_string(reader->root, "hidden_act", "silu", &activation, reader->status) ||
		!srm_json_get_bool(reader->root, "use_sliding_window", false, &has_window, reader->status) ||
		!srm_json_get_bool(reader->root, "is_causal", true, &is_causal, reader->status))
		return false;
	if (strcmp(activation, "silu") != 0 && strcmp(activation, "swish") != 0)
		return fail_support(reader, "activation", activation);
	if (has_window)
		return fail_support(reader, "attention with", "use_sliding_window");
	if (!is_causal)
		return srm_fail(reader->status, SRM_NOT_SUPPORTED,
						"attention that is not causal is not supported");
	for (const SrmJson *type = layers == NULL ? NULL : layers->child; type != NULL; type = type->next)
	{
		const char *name = srm_json_string(type);

		if (name == NULL || strcmp(name, "full_attention") != 0)
			return fail_support(reader, "layer type", name == NULL ? "" : name);
	}
	if (quantization == NULL)
		return true;
	method = srm_json_string(srm_json_member(quantization, "quant_method"));
	return fail_support(reader, "quantization", method == NULL ? "" : method);
}

/* A string of a bounded length, kept in the arena; a NULL fallback stays NULL. */
static bool
keep_string(Reader *reader, const SrmJson *object, const char *key, const char *fallback,
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
read_scale(Reader *reader, const SrmJson *json, SrmModelSettings *settings)
{
	bool		has_mean = srm_json_member(json, "mean") != NULL;
	bool		has_std = srm_json_member(json, "std") != NULL;

	settings->has_scale = has_std;
	settings->std = 1;
	if (has_mean != has_std)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"mean\" and \"std\" must be given together");
	return srm_json_get_double(json, "mean", 0, &settings->mean, reader->status) &&
		get_positive(reader, json, "std", 1, &settings->std);
}

static bool
read_settings(Reader *reader)
{
	const SrmJson *json = srm_json_member(reader->root, "srm");
	SrmModelSettings *settings = &reader->config->settings;
	int64_t		dim;

	if (json != NULL && json->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"srm\" is not an object");
	if (!keep_string(reader, json, "aggregation", "last", MAX_NAME_LENGTH, &settings->aggregation) ||
		!keep_string(reader, json, "boundary", "offset", MAX_NAME_LENGTH, &settings->boundary) ||
		!keep_string(reader, json, "marker_token", NULL, MAX_MARKER_LENGTH, &settings->marker_token) ||
		!keep_string(reader, json, "segmenter", "icu", MAX_NAME_LENGTH, &settings->segmenter) ||
		!keep_string(reader, json, "locale", "", MAX_NAME_LENGTH, &settings->locale) ||
		!srm_json_get_int(json, "attention_dim", 1, MAX_DIM, 0, &dim, reader->status))
		return false;
	reader->config->attention_dim = (size_t) dim;
	if (strcmp(settings->boundary, "marker") == 0 && settings->marker_token == NULL)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"marker_token\" is missing for boundaries of kind \"marker\"");
	return read_scale(reader, json, settings);
}

bool
srm_config_read(SrmConfig *config, const char *path, const char *json, size_t length,
				SrmArena *arena, SrmStatus *status)
{
	Reader		reader = {.config = config,.arena = arena,.status = status};
	SrmArena   *scratch = srm_arena_create(status);
	char		what[256];
	bool		done;

	memset(config, 0, sizeof(SrmConfig));
	snprintf(what, sizeof(what), "file \"%s\"", path);
	if (scratch == NULL)
		return false;
	reader.root = srm_json_parse(json, length, what, scratch, status);
	done = reader.root != NULL && read_architecture(&reader) && check_labels(&reader) &&
		check_supported(&reader) && read_sizes(&reader) && read_steps(&reader) &&
		read_rope(&reader) && read_settings(&reader);
	if (reader.root != NULL && !done)
		srm_fail_hint(status, "Check file \"%s\".", path);
	srm_arena_free(scratch);
	return done;
}
