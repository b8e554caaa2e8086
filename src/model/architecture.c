/*-------------------------------------------------------------------------
 *
 * architecture.c
 *	  What the model architectures differ in, as a table.
 *
 *-------------------------------------------------------------------------
 */
#include "model/architecture.h"

#include <stdio.h>
#include <string.h>

#define FIELD(field)	offsetof(SrmLayer, field)

/* Llama's names, which most others took over. */
static const SrmLayerTensor llama_layer[] = {
	{"input_layernorm.weight", SRM_STEP_ALWAYS, SRM_SIZE_DIM, SRM_SIZE_NONE, FIELD(attention_norm)},
	{"self_attn.q_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_QUERY, SRM_SIZE_DIM, FIELD(query)},
	{"self_attn.k_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_KEY, SRM_SIZE_DIM, FIELD(key)},
	{"self_attn.v_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_KEY, SRM_SIZE_DIM, FIELD(value)},
	{"self_attn.o_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_DIM, SRM_SIZE_QUERY, FIELD(output)},
	{"self_attn.q_proj.bias", SRM_STEP_QKV_BIAS, SRM_SIZE_QUERY, SRM_SIZE_NONE, FIELD(query_bias)},
	{"self_attn.k_proj.bias", SRM_STEP_QKV_BIAS, SRM_SIZE_KEY, SRM_SIZE_NONE, FIELD(key_bias)},
	{"self_attn.v_proj.bias", SRM_STEP_QKV_BIAS, SRM_SIZE_KEY, SRM_SIZE_NONE, FIELD(value_bias)},
	{"self_attn.o_proj.bias", SRM_STEP_OUTPUT_BIAS, SRM_SIZE_DIM, SRM_SIZE_NONE, FIELD(output_bias)},
	{"self_attn.q_norm.weight", SRM_STEP_HEAD_NORM, SRM_SIZE_HEAD, SRM_SIZE_NONE, FIELD(query_norm)},
	{"self_attn.k_norm.weight", SRM_STEP_HEAD_NORM, SRM_SIZE_HEAD, SRM_SIZE_NONE, FIELD(key_norm)},
	{"post_attention_layernorm.weight", SRM_STEP_ALWAYS, SRM_SIZE_DIM, SRM_SIZE_NONE, FIELD(ffn_norm)},
	{"mlp.gate_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_FFN, SRM_SIZE_DIM, FIELD(gate)},
	{"mlp.up_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_FFN, SRM_SIZE_DIM, FIELD(up)},
	{"mlp.down_proj.weight", SRM_STEP_ALWAYS, SRM_SIZE_DIM, SRM_SIZE_FFN, FIELD(down)},
	{"mlp.gate_proj.bias", SRM_STEP_MLP_BIAS, SRM_SIZE_FFN, SRM_SIZE_NONE, FIELD(gate_bias)},
	{"mlp.up_proj.bias", SRM_STEP_MLP_BIAS, SRM_SIZE_FFN, SRM_SIZE_NONE, FIELD(up_bias)},
	{"mlp.down_proj.bias", SRM_STEP_MLP_BIAS, SRM_SIZE_DIM, SRM_SIZE_NONE, FIELD(down_bias)},
	{NULL, SRM_STEP_ALWAYS, SRM_SIZE_NONE, SRM_SIZE_NONE, 0}
};

#define LLAMA_NAMES \
	.embedding = "model.embed_tokens.weight", \
	.layer_prefix = "model.layers.", \
	.layer_tensors = llama_layer, \
	.final_norm = "model.norm.weight"

static const SrmArchitecture architectures[] = {
	{
		.name = "LlamaForSequenceClassification", LLAMA_NAMES,
		.steps = {
			[SRM_STEP_ALWAYS] = "",
			[SRM_STEP_QKV_BIAS] = "attention_bias",
			[SRM_STEP_OUTPUT_BIAS] = "attention_bias",
			[SRM_STEP_MLP_BIAS] = "mlp_bias"
		},
		.max_positions = 2048
	},
	{
		.name = "Qwen2ForSequenceClassification", LLAMA_NAMES,
		.steps = {
			[SRM_STEP_ALWAYS] = "",
			[SRM_STEP_QKV_BIAS] = ""
		},
		.max_positions = 32768
	},
	{
		.name = "Qwen3ForSequenceClassification", LLAMA_NAMES,
		.steps = {
			[SRM_STEP_ALWAYS] = "",
			[SRM_STEP_QKV_BIAS] = "attention_bias",
			[SRM_STEP_OUTPUT_BIAS] = "attention_bias",
			[SRM_STEP_HEAD_NORM] = ""
		},
		.head_dim = 128,
		.max_positions = 32768
	},
	{.name = NULL}
};

const SrmArchitecture *
srm_architecture_find(const char *name)
{
	for (const SrmArchitecture *row = architectures; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

void
srm_architecture_list(char *list, size_t size)
{
	size_t		length = 0;

	list[0] = '\0';
	for (const SrmArchitecture *row = architectures; row->name != NULL; row++)
	{
		int			n = snprintf(list + length, size - length, "%s%s",
								 length == 0 ? "" : ", ", row->name);

		if (n < 0 || (size_t) n >= size - length)
			return;
		length += (size_t) n;
	}
}
