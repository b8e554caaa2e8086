/*-------------------------------------------------------------------------
 *
 * layer.c
 *	  The one list of a layer's weights.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/layer.h"

const SrmWeight srm_layer_weights[SRM_N_WEIGHTS] = {
#define WEIGHT(name, member, role, rows, cols, peft) \
	{SRM_ROLE_ ## role, SRM_SIZE_ ## rows, SRM_SIZE_ ## cols, offsetof(SrmLayer, member), peft},
	SRM_WEIGHT_LIST(WEIGHT)
#undef WEIGHT
};

bool
srm_decoder_looks_ahead(const SrmDecoder *decoder)
{
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (decoder->layers[i].ahead > 0)
			return true;
	return false;
}

/* The same of one rotary position. */
static size_t
rope_length(const SrmRope *rope, size_t n_tokens)
{
	if ((rope->type != SRM_ROPE_LONGROPE && rope->type != SRM_ROPE_DYNAMIC) ||
		(double) n_tokens <= rope->original_max_positions)
		return 0;
	return rope->type == SRM_ROPE_DYNAMIC ? n_tokens : (size_t) rope->original_max_positions + 1;
}

size_t
srm_decoder_rope_length(const SrmDecoder *decoder, size_t n_tokens)
{
	size_t		longest = 0;

	for (int i = 0; i < SRM_N_ROPES; i++)
	{
		size_t		length = srm_decoder_uses_rope(decoder, i) ? rope_length(&decoder->ropes[i], n_tokens) : 0;

		if (length > longest)
			longest = length;
	}
	return longest;
}

size_t
srm_decoder_plain_tokens(const SrmDecoder *decoder)
{
	size_t		shortest = SIZE_MAX;

	for (int i = 0; i < SRM_N_ROPES; i++)
	{
		const SrmRope *rope = &decoder->ropes[i];

		if (srm_decoder_uses_rope(decoder, i) && rope_length(rope, SIZE_MAX) > 0 &&
			rope->original_max_positions < (double) shortest)
			shortest = (size_t) rope->original_max_positions;
	}
	return shortest;
}

size_t
srm_decoder_most_experts(const SrmDecoder *decoder)
{
	size_t		most = 0;

	for (size_t i = 0; i < decoder->n_layers; i++)
		if (decoder->layers[i].n_experts > most)
			most = decoder->layers[i].n_experts;
	return most;
}

size_t
srm_decoder_widest_step(const SrmDecoder *decoder)
{
	size_t		widest = decoder->ffn_dim;

	widest = decoder->expert_dim > widest ? decoder->expert_dim : widest;
	return decoder->shared_dim > widest ? decoder->shared_dim : widest;
}

bool
srm_decoder_uses_rope(const SrmDecoder *decoder, int number)
{
	for (size_t i = 0; i < decoder->n_layers; i++)
		if (decoder->layers[i].rope == (SrmRopeNumber) number)
			return true;
	return false;
}

size_t
srm_size_of(const SrmDecoder *decoder, SrmSize size)
{
	bool		is_whole = decoder->head_norm != SRM_HEAD_NORM_SHARED;

	switch (size)
	{
		case SRM_SIZE_DIM:
			return decoder->dim;
		case SRM_SIZE_QUERY:
			return decoder->n_heads * decoder->head_dim;
		case SRM_SIZE_KEY:
			return decoder->n_kv_heads * decoder->head_dim;
		case SRM_SIZE_QUERY_NORM:
			return is_whole ? decoder->n_heads * decoder->head_dim : decoder->head_dim;
		case SRM_SIZE_KEY_NORM:
			return is_whole ? decoder->n_kv_heads * decoder->head_dim : decoder->head_dim;
		case SRM_SIZE_FFN:
			return decoder->ffn_dim;
		case SRM_SIZE_NONE:
			break;
	}
	return 0;
}

size_t
srm_weight_rows(const SrmDecoder *decoder, SrmWeightNumber number)
{
	return srm_size_of(decoder, srm_layer_weights[number].rows);
}
