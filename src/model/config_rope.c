/*-------------------------------------------------------------------------
 *
 * config_rope.c
 *	  Rotary position, as config.json says it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_reader.h"

#include <math.h>
#include <string.h>

#include "model/config.h"

#define DEFAULT_ROPE_THETA	10000.0
#define FULL_ATTENTION		"full_attention"	/* types of layers */
#define WINDOW_ATTENTION	"sliding_attention"

static double
yarn_scale(double factor, double mscale)
{
	return factor <= 1 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* Where a zero stands for "not given" this follows Python's idea of truth. */
static bool
read_yarn(SrmConfigReader *reader, const SrmJson *json, SrmRope *rope)
{
	double		ratio = (double) reader->config->max_tokens / rope->original_max_positions;
	double		mscale;
	double		mscale_all_dim;
	double		scale;

	if (!srm_config_get_positive(reader, json, "factor", ratio, &rope->factor) ||
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
	return srm_config_get_positive(reader, json, "attention_factor", scale, &rope->attention_factor);
}

static bool
read_llama3(SrmConfigReader *reader, const SrmJson *json, SrmRope *rope)
{
	if (!srm_config_get_positive(reader, json, "factor", 0, &rope->factor) ||
		!srm_config_get_positive(reader, json, "low_freq_factor", 0, &rope->low_freq_factor) ||
		!srm_config_get_positive(reader, json, "high_freq_factor", 0, &rope->high_freq_factor))
		return false;
	if (rope->high_freq_factor > rope->low_freq_factor)
		return true;
	return srm_fail(reader->status, SRM_INVALID_MODEL,
					"\"high_freq_factor\" must be greater than \"low_freq_factor\"");
}

/* A factor for each wave, in the arena. */
static bool
read_wave_factors(SrmConfigReader *reader, const SrmJson *json, const char *key, size_t n, const float **factors)
{
	const SrmJson *list = srm_json_member(json, key);
	float	   *values = srm_arena_array(reader->arena, n, sizeof(float), reader->status);
	size_t		i = 0;

	if (values == NULL)
		return false;
	for (const SrmJson *item = list == NULL ? NULL : list->child; item != NULL && i < n; item = item->next)
	{
		double		number;

		if (!srm_json_number(item, &number) || !(number > 0))
			break;
		values[i++] = (float) number;
	}
	*factors = values;
	if (i == n && list->n == n && list->type == SRM_JSON_ARRAY)
		return true;
	srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"%s\"", key);
	return srm_fail_detail(reader->status, "Expected %zu positive numbers, half as many as elements of a head are turned.", n);
}

/* Texts up to the original length have one set of factors, longer ones another. */
static bool
read_longrope(SrmConfigReader *reader, const SrmJson *json, SrmRope *rope)
{
	size_t		n_factors = srm_rope_width(rope, reader->config->decoder.head_dim) / 2;
	double		max_tokens = (double) reader->config->max_tokens;
	double		ratio = max_tokens / rope->original_max_positions;
	double		scale;

	if (rope->original_max_positions <= 1)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"original_max_position_embeddings\" must be greater than 1");
	if (!srm_config_get_positive(reader, json, "factor", ratio, &rope->factor) ||
		!read_wave_factors(reader, json, "short_factor", n_factors, &rope->factors) ||
		(max_tokens > rope->original_max_positions &&
		 !read_wave_factors(reader, json, "long_factor", n_factors, &rope->long_factors)))
		return false;
	scale = rope->factor <= 1 ? 1 :
		sqrt(1 + log(rope->factor) / log(rope->original_max_positions));
	return srm_config_get_positive(reader, json, "attention_factor", scale, &rope->attention_factor);
}

/* Texts longer than the model's positions are what it is for; as many as the factor says. */
static bool
read_dynamic(SrmConfigReader *reader, const SrmJson *json, SrmRope *rope)
{
	SrmConfig  *config = reader->config;

	rope->type = SRM_ROPE_DYNAMIC;
	rope->original_max_positions = (double) config->max_tokens;
	if (!srm_config_get_positive(reader, json, "factor", 0, &rope->factor))
		return false;
	if (srm_rope_width(rope, config->decoder.head_dim) < 4)
		return srm_fail(reader->status, SRM_NOT_SUPPORTED, "rotary position of type \"dynamic\" that turns 2 elements of a head is not supported");
	if (rope->factor > 1)
		config->max_tokens = (size_t) fmin(rope->original_max_positions * rope->factor, MAX_POSITIONS);
	return true;
}

static bool
read_rope_type(SrmConfigReader *reader, const SrmJson *json, SrmRope *rope)
{
	const char *type;

	if (!srm_json_get_string(json, "type", "default", &type, reader->status) ||
		!srm_json_get_string(json, "rope_type", type, &type, reader->status))
		return false;
	rope->factor = 1;
	rope->attention_factor = 1;
	if (strcmp(type, "dynamic") == 0)
		return read_dynamic(reader, json, rope);
	if (strcmp(type, "default") == 0)
	{
		rope->type = SRM_ROPE_DEFAULT;
		return true;
	}
	if (strcmp(type, "linear") == 0)
	{
		rope->type = SRM_ROPE_LINEAR;
		return srm_config_get_positive(reader, json, "factor", 0, &rope->factor);
	}
	if (strcmp(type, "llama3") == 0)
	{
		rope->type = SRM_ROPE_LLAMA3;
		return read_llama3(reader, json, rope);
	}
	if (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0)
	{
		rope->type = SRM_ROPE_LONGROPE;
		return read_longrope(reader, json, rope);
	}
	if (strcmp(type, "yarn") == 0)
	{
		rope->type = SRM_ROPE_YARN;
		return read_yarn(reader, json, rope);
	}
	srm_config_fail_support(reader, "rotary position of type", type);
	return srm_fail_key(reader->status, srm_json_member(json, "rope_type") == NULL ? "type" : "rope_type");
}

static bool
is_same_json(const SrmJson *a, const SrmJson *b)
{
	const SrmJson *x = a->child;
	const SrmJson *y = b->child;

	if (a->type != b->type || a->n != b->n ||
		(a->text != NULL && strcmp(a->text, b->text) != 0))
		return false;
	for (; x != NULL && y != NULL; x = x->next, y = y->next)
		if ((x->key != NULL && strcmp(x->key, y->key) != 0) || !is_same_json(x, y))
			return false;
	return x == NULL && y == NULL;
}

/* Parameters by the type of a layer are fine as long as all types have the same. */
static bool
find_rope(SrmConfigReader *reader, const char *key, const SrmJson **json)
{
	const SrmJson *list = *json;
	const SrmJson *first = NULL;

	if (list != NULL && list->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"%s\" is not an object", key);
	for (const SrmJson *child = list == NULL ? NULL : list->child; child != NULL; child = child->next)
	{
		if (child->type != SRM_JSON_OBJECT)
			continue;
		if (first != NULL && !is_same_json(first, child))
		{
			srm_config_fail_support(reader, "rotary position by type of layer, such as", child->key);
			return srm_fail_key(reader->status, key);
		}
		first = child;
		*json = child;
	}
	return true;
}

/* Which elements of a head are turned, and how they are paired; some models turn the first ones only. */
static bool
read_pairs(SrmConfigReader *reader, const SrmJson *json, SrmRope *rope)
{
	const SrmArchitecture *row = reader->config->architecture;
	const char *key = row->rotary_part_key == NULL ? "partial_rotary_factor" : row->rotary_part_key;
	double		part = row->rotary_part == 0 ? 1 : row->rotary_part;

	if (!srm_json_get_double(reader->root, key, part, &part, reader->status) ||
		!srm_json_get_double(json, "partial_rotary_factor", part, &part, reader->status))
		return false;
	if (row->rotary_part == 0 && part != 1)
		return srm_fail(reader->status, SRM_NOT_SUPPORTED,
						"\"partial_rotary_factor\" other than 1 is not supported");
	rope->is_interleaved = row->ropes_interleave;
	if (part == 1)
		return true;
	if (!(part > 0 && part < 1))
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"%s\" must be greater than 0, and at most 1", key);
	rope->dim = (size_t) ((double) reader->config->decoder.head_dim * part);
	if (rope->dim == 0 || rope->dim % 2 != 0)
		return srm_fail(reader->status, SRM_NOT_SUPPORTED, "\"%s\" that turns %zu elements of a head is not supported",
						key, rope->dim);
	return true;
}

/* One rotary position; json is the object of its parameters, theta what it has where that does not say. */
static bool
read_rope(SrmConfigReader *reader, const SrmJson *json, double theta, SrmRope *rope)
{
	double		number;

	if (!read_pairs(reader, json, rope) ||
		!srm_config_get_positive(reader, json, "rope_theta", theta, &rope->theta) ||
		!srm_config_get_positive(reader, json, "original_max_position_embeddings",
								 (double) reader->config->max_tokens, &number) ||
		!srm_config_get_positive(reader, reader->root, "original_max_position_embeddings", number,
								 &rope->original_max_positions))
		return false;
	if (rope->theta <= 1)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"rope_theta\" must be greater than 1");
	return read_rope_type(reader, json, rope);
}

/* The parameters for a type of layers, where the file has them by type. */
static const SrmJson *
find_rope_of_type(const SrmConfigReader *reader, const char *type)
{
	const SrmJson *json = srm_json_member(srm_json_member(reader->root, "rope_parameters"), type);

	return json != NULL && json->type == SRM_JSON_OBJECT ? json : NULL;
}

/* Older files scale the rotary position of layers without a window, or of all, in "rope_scaling". */
static bool
read_ropes_by_type(SrmConfigReader *reader, double theta)
{
	const SrmArchitecture *row = reader->config->architecture;
	SrmRope    *ropes = reader->config->decoder.ropes;
	const SrmJson *scaling = srm_json_member(reader->root, "rope_scaling");
	const SrmJson *local = find_rope_of_type(reader, WINDOW_ATTENTION);
	double		local_theta = row->local_theta;

	/* transformers takes one that is null for that of the other layers */
	if (row->scales_local_rope && srm_json_has_member(reader->root, row->local_theta_key))
		local_theta = theta;
	if (!srm_config_get_positive(reader, reader->root, row->local_theta_key, local_theta, &local_theta))
		return false;
	if (scaling != NULL && scaling->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"rope_scaling\" is not an object");
	if (scaling == NULL || scaling->n == 0)
		scaling = find_rope_of_type(reader, FULL_ATTENTION);
	else if (row->scales_local_rope)
		local = scaling;
	return read_rope(reader, scaling, theta, &ropes[SRM_ROPE_MAIN]) &&
		read_rope(reader, local, local_theta, &ropes[SRM_ROPE_LOCAL]);
}

bool
srm_config_read_rope(SrmConfigReader *reader)
{
	const SrmArchitecture *row = reader->config->architecture;
	const char *key = "rope_scaling";
	const SrmJson *json = srm_json_member(reader->root, key);
	double		theta = row->rope_theta == 0 ? DEFAULT_ROPE_THETA : row->rope_theta;

	if (row->has_no_rope)
		return true;
	if (!srm_config_get_positive(reader, reader->root, row->theta_key == NULL ? "rope_theta" : row->theta_key, theta, &theta))
		return false;
	if (row->has_local_rope)
		return read_ropes_by_type(reader, theta);
	if (json == NULL || json->n == 0)
	{
		key = "rope_parameters";
		json = srm_json_member(reader->root, key);
	}
	return find_rope(reader, key, &json) && read_rope(reader, json, theta, &reader->config->decoder.ropes[SRM_ROPE_MAIN]);
}
