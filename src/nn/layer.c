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

size_t
srm_size_of(const SrmDecoder *decoder, SrmSize size)
{
	switch (size)
	{
		case SRM_SIZE_DIM:
			return decoder->dim;
		case SRM_SIZE_QUERY:
			return decoder->n_heads * decoder->head_dim;
		case SRM_SIZE_KEY:
			return decoder->n_kv_heads * decoder->head_dim;
		case SRM_SIZE_HEAD:
			return decoder->head_dim;
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
