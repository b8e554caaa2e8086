/*-------------------------------------------------------------------------
 *
 * config_relative.c
 *	  Relative positions, as config.json says it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_reader.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "model/config.h"

#define MAX_SPAN			(1 << 20)
#define MAX_ROWS_PER_DIM	64	/* of embeddings, for each element of a head: products with them stay O(dim) for each token */

/* One of the kinds of products; case does not matter in a text that lists them. */
static bool
take_kind(SrmConfigReader *reader, const char *kind, size_t length)
{
	SrmRelative *relative = &reader->config->decoder.relative;

	while (length > 0 && *kind == ' ')
	{
		kind++;
		length--;
	}
	while (length > 0 && kind[length - 1] == ' ')
		length--;
	if (length == 3 && strncasecmp(kind, "c2p", 3) == 0)
		relative->by_query = true;
	else if (length == 3 && strncasecmp(kind, "p2c", 3) == 0)
		relative->by_key = true;
	else
	{
		srm_fail(reader->status, SRM_NOT_SUPPORTED, "attention with positions of kind \"%.*s\" is not supported",
				 length < 40 ? (int) length : 40, kind);
		return srm_fail_key(reader->status, "pos_att_type");
	}
	return true;
}

static bool
fail_kinds(SrmConfigReader *reader)
{
	return srm_fail(reader->status, SRM_INVALID_MODEL, "\"pos_att_type\" is not a list of strings");
}

/* "pos_att_type": a list, or a text with bars between. */
static bool
read_kinds(SrmConfigReader *reader)
{
	const SrmJson *kinds = srm_json_member(reader->root, "pos_att_type");
	const char *text = srm_json_string(kinds);

	if (kinds == NULL)
		return true;
	if (text == NULL && kinds->type != SRM_JSON_ARRAY)
		return fail_kinds(reader);
	for (const SrmJson *kind = text == NULL ? kinds->child : NULL; kind != NULL; kind = kind->next)
	{
		if (srm_json_string(kind) == NULL)
			return fail_kinds(reader);
		if (!take_kind(reader, kind->text, kind->n))
			return false;
	}
	while (text != NULL)
	{
		size_t		length = strcspn(text, "|");

		if (!take_kind(reader, text, length))
			return false;
		text = text[length] == '|' ? text + length + 1 : NULL;
	}
	return true;
}

/* How many embeddings there are, and which distances share them. */
static bool
read_span(SrmConfigReader *reader)
{
	SrmRelative *relative = &reader->config->decoder.relative;
	int64_t		n_buckets;
	int64_t		longest;

	if (!srm_json_get_int(reader->root, "position_buckets", -1, MAX_SPAN, -1, &n_buckets, reader->status) ||
		!srm_json_get_int(reader->root, "max_relative_positions", -1, MAX_SPAN, -1, &longest, reader->status))
		return false;
	if (longest < 1)
		longest = (int64_t) reader->config->max_tokens;
	relative->span = (size_t) (n_buckets > 0 ? n_buckets : longest);
	relative->n_buckets = n_buckets > 0 ? (size_t) n_buckets : 0;
	relative->max_distance = (size_t) longest;
	if (relative->span > MAX_SPAN || n_buckets == 1 || (n_buckets > 0 && longest - 1 <= n_buckets / 2))
	{
		srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"position_buckets\" or \"max_relative_positions\"");
		return srm_fail_detail(reader->status, "They are %lld and %lld; more than half of the buckets must be nearer than the farthest position.",
							   (long long) n_buckets, (long long) longest);
	}
	if (2 * relative->span > MAX_ROWS_PER_DIM * reader->config->decoder.head_dim)
	{
		srm_fail(reader->status, SRM_NOT_SUPPORTED, "%zu relative positions are not supported", 2 * relative->span);
		srm_fail_detail(reader->status, "The limit is %zu for heads of this size.",
						MAX_ROWS_PER_DIM * reader->config->decoder.head_dim);
		return srm_fail_key(reader->status, n_buckets > 0 ? "position_buckets" : "max_relative_positions");
	}
	return true;
}

static bool
refuse(SrmConfigReader *reader, const char *what, const char *key)
{
	srm_fail(reader->status, SRM_NOT_SUPPORTED, "%s is not supported", what);
	return srm_fail_key(reader->status, key);
}

/* Steps that published models have, or may have, beside these. */
static bool
check_others(SrmConfigReader *reader)
{
	const SrmDecoder *decoder = &reader->config->decoder;
	size_t		size;
	int64_t		kernel;

	if (!srm_json_get_int(reader->root, "conv_kernel_size", 0, MAX_DIM, 0, &kernel, reader->status) ||
		!srm_config_get_size(reader, "embedding_size", MAX_DIM, decoder->dim, &size))
		return false;
	if (kernel > 0)
		return refuse(reader, "a convolution behind the first layer", "conv_kernel_size");
	if (size != decoder->dim)
		return refuse(reader, "an embedding of another size than \"hidden_size\"", "embedding_size");
	if (!srm_config_get_size(reader, "attention_head_size", MAX_DIM, decoder->head_dim, &size))
		return false;
	if (size != decoder->head_dim)
		return refuse(reader, "heads of another size than \"head_dim\"", "attention_head_size");
	return true;
}

/* "norm_rel_ebd": names with bars between, of which one means something. */
static bool
read_norm(SrmConfigReader *reader)
{
	const char *norm;

	if (!srm_json_get_string(reader->root, "norm_rel_ebd", "none", &norm, reader->status))
		return false;
	reader->config->norms_relative = strcasecmp(norm, "layer_norm") == 0;
	if (reader->config->norms_relative || strcasecmp(norm, "none") == 0)
		return true;
	srm_config_fail_support(reader, "norm of relative positions", norm);
	return srm_fail_key(reader->status, "norm_rel_ebd");
}

bool
srm_config_read_relative(SrmConfigReader *reader)
{
	SrmDecoder *decoder = &reader->config->decoder;
	SrmRelative *relative = &decoder->relative;
	bool		is_relative;
	bool		shares_maps;

	if (reader->config->architecture->relative == NULL)
		return true;
	if (!check_others(reader) || !read_kinds(reader) ||
		!srm_json_get_bool(reader->root, "relative_attention", false, &is_relative, reader->status) ||
		!srm_json_get_bool(reader->root, "share_att_key", false, &shares_maps, reader->status))
		return false;
	if (decoder->n_kv_heads != decoder->n_heads)
		return refuse(reader, "attention to positions with fewer heads of keys than of queries", "num_key_value_heads");
	/* Each kind takes its share of the scale, be there positions or not */
	decoder->attention_scale = 1.0f / sqrtf((float) decoder->head_dim *
											(float) (1 + relative->by_query + relative->by_key));
	if (!is_relative || (!relative->by_query && !relative->by_key))
	{
		relative->by_query = relative->by_key = false;
		return true;
	}
	if (!shares_maps)
		return refuse(reader, "attention to positions by maps of their own", "share_att_key");
	return read_span(reader) && read_norm(reader);
}
