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

/* The tensor of a weight, and where there is one only with a feature, or that fuses several. */
#define TENSOR(file_name, number)	{.name = file_name, .weight = SRM_WEIGHT_ ## number}
#define OPTION(file_name, which, number) \
	{.name = file_name, .weight = SRM_WEIGHT_ ## number, .feature = SRM_FEATURE_ ## which}
#define PART(file_name, number, fused_as, place) \
	{.name = file_name, .weight = SRM_WEIGHT_ ## number, .fusion = &fused_as, .part = place}
#define OPTION_PART(file_name, which, number, fused_as, place) \
	{.name = file_name, .weight = SRM_WEIGHT_ ## number, .feature = SRM_FEATURE_ ## which, \
		.fusion = &fused_as, .part = place}
/* Query, key and value in one tensor, and their biases in one */
#define QKV_PARTS(file_name, fused_as) \
	PART(file_name, QUERY, fused_as, 0), \
	PART(file_name, KEY, fused_as, 1), \
	PART(file_name, VALUE, fused_as, 2)
#define QKV_BIAS_PARTS(file_name, fused_as) \
	OPTION_PART(file_name, QKV_BIAS, QUERY_BIAS, fused_as, 0), \
	OPTION_PART(file_name, QKV_BIAS, KEY_BIAS, fused_as, 1), \
	OPTION_PART(file_name, QKV_BIAS, VALUE_BIAS, fused_as, 2)
#define END_OF_LIST	{.name = NULL}

/* Llama's names, which most others took over. */
#define LLAMA_PROJECTIONS \
	TENSOR("self_attn.q_proj.weight", QUERY), \
	TENSOR("self_attn.k_proj.weight", KEY), \
	TENSOR("self_attn.v_proj.weight", VALUE), \
	TENSOR("self_attn.o_proj.weight", OUTPUT), \
	OPTION("self_attn.q_proj.bias", QKV_BIAS, QUERY_BIAS), \
	OPTION("self_attn.k_proj.bias", QKV_BIAS, KEY_BIAS), \
	OPTION("self_attn.v_proj.bias", QKV_BIAS, VALUE_BIAS), \
	OPTION("self_attn.o_proj.bias", OUTPUT_BIAS, OUTPUT_BIAS), \
	OPTION("self_attn.q_norm.weight", HEAD_NORM, QUERY_NORM), \
	OPTION("self_attn.k_norm.weight", HEAD_NORM, KEY_NORM)
#define LLAMA_ATTENTION \
	TENSOR("input_layernorm.weight", ATTENTION_NORM), \
	LLAMA_PROJECTIONS
#define LLAMA_FEED_FORWARD \
	TENSOR("mlp.gate_proj.weight", GATE), \
	TENSOR("mlp.up_proj.weight", UP), \
	TENSOR("mlp.down_proj.weight", DOWN), \
	OPTION("mlp.gate_proj.bias", MLP_BIAS, GATE_BIAS), \
	OPTION("mlp.up_proj.bias", MLP_BIAS, UP_BIAS), \
	OPTION("mlp.down_proj.bias", MLP_BIAS, DOWN_BIAS)

static const SrmLayerTensor llama_layer[] = {
	LLAMA_ATTENTION,
	TENSOR("post_attention_layernorm.weight", FFN_NORM),
	LLAMA_FEED_FORWARD,
	END_OF_LIST
};

/* The same name as Llama's for another norm, and two that Llama does not have */
static const SrmLayerTensor gemma2_layer[] = {
	LLAMA_ATTENTION,
	TENSOR("post_attention_layernorm.weight", POST_ATTENTION_NORM),
	TENSOR("pre_feedforward_layernorm.weight", FFN_NORM),
	LLAMA_FEED_FORWARD,
	TENSOR("post_feedforward_layernorm.weight", POST_FFN_NORM),
	END_OF_LIST
};

/* Norms stand behind the steps only. */
static const SrmLayerTensor olmo2_layer[] = {
	LLAMA_PROJECTIONS,
	TENSOR("post_attention_layernorm.weight", POST_ATTENTION_NORM),
	LLAMA_FEED_FORWARD,
	TENSOR("post_feedforward_layernorm.weight", POST_FFN_NORM),
	END_OF_LIST
};

static const SrmSize query_key_value[] = {SRM_SIZE_QUERY, SRM_SIZE_KEY, SRM_SIZE_KEY, SRM_SIZE_NONE};
static const SrmSize gate_up[] = {SRM_SIZE_FFN, SRM_SIZE_FFN, SRM_SIZE_NONE};
static const SrmFusion by_map = {query_key_value, false};
static const SrmFusion gate_before_up = {gate_up, false};

static const SrmLayerTensor phi3_layer[] = {
	TENSOR("input_layernorm.weight", ATTENTION_NORM),
	QKV_PARTS("self_attn.qkv_proj.weight", by_map),
	TENSOR("self_attn.o_proj.weight", OUTPUT),
	TENSOR("post_attention_layernorm.weight", FFN_NORM),
	PART("mlp.gate_up_proj.weight", GATE, gate_before_up, 0),
	PART("mlp.gate_up_proj.weight", UP, gate_before_up, 1),
	TENSOR("mlp.down_proj.weight", DOWN),
	END_OF_LIST
};

static const SrmFusion by_key_head = {query_key_value, true};

/* One norm is read by attention and by the feed-forward network. */
static const SrmLayerTensor cohere_layer[] = {
	LLAMA_ATTENTION,
	TENSOR("input_layernorm.weight", FFN_NORM),
	LLAMA_FEED_FORWARD,
	END_OF_LIST
};

/* A map, or a norm, with its bias. */
#define PAIR(name, number) \
	TENSOR(name ".weight", number), \
	TENSOR(name ".bias", number ## _BIAS)

static const SrmLayerTensor neox_layer[] = {
	PAIR("input_layernorm", ATTENTION_NORM),
	QKV_PARTS("attention.query_key_value.weight", by_key_head),
	QKV_BIAS_PARTS("attention.query_key_value.bias", by_key_head),
	TENSOR("attention.dense.weight", OUTPUT),
	OPTION("attention.dense.bias", OUTPUT_BIAS, OUTPUT_BIAS),
	PAIR("post_attention_layernorm", FFN_NORM),
	PAIR("mlp.dense_h_to_4h", UP),
	PAIR("mlp.dense_4h_to_h", DOWN),
	END_OF_LIST
};

static const SrmLayerTensor bert_layer[] = {
	PAIR("attention.self.query", QUERY),
	PAIR("attention.self.key", KEY),
	PAIR("attention.self.value", VALUE),
	PAIR("attention.output.dense", OUTPUT),
	PAIR("attention.output.LayerNorm", POST_ATTENTION_NORM),
	PAIR("intermediate.dense", UP),
	PAIR("output.dense", DOWN),
	PAIR("output.LayerNorm", POST_FFN_NORM),
	END_OF_LIST
};

static const SrmLayerTensor deberta_layer[] = {
	PAIR("attention.self.query_proj", QUERY),
	PAIR("attention.self.key_proj", KEY),
	PAIR("attention.self.value_proj", VALUE),
	PAIR("attention.output.dense", OUTPUT),
	PAIR("attention.output.LayerNorm", POST_ATTENTION_NORM),
	PAIR("intermediate.dense", UP),
	PAIR("output.dense", DOWN),
	PAIR("output.LayerNorm", POST_FFN_NORM),
	END_OF_LIST
};

/* The embeddings are normed, so that the first layer needs no norm of its own. */
static const SrmLayerTensor modernbert_layer[] = {
	{.name = "attn_norm.weight", .weight = SRM_WEIGHT_ATTENTION_NORM, .first_layer = 1},
	{.name = "attn_norm.bias", .weight = SRM_WEIGHT_ATTENTION_NORM_BIAS, .feature = SRM_FEATURE_NORM_BIAS, .first_layer = 1},
	QKV_PARTS("attn.Wqkv.weight", by_map),
	QKV_BIAS_PARTS("attn.Wqkv.bias", by_map),
	TENSOR("attn.Wo.weight", OUTPUT),
	OPTION("attn.Wo.bias", OUTPUT_BIAS, OUTPUT_BIAS),
	TENSOR("mlp_norm.weight", FFN_NORM),
	OPTION("mlp_norm.bias", NORM_BIAS, FFN_NORM_BIAS),
	PART("mlp.Wi.weight", GATE, gate_before_up, 0),
	PART("mlp.Wi.weight", UP, gate_before_up, 1),
	OPTION_PART("mlp.Wi.bias", MLP_BIAS, GATE_BIAS, gate_before_up, 0),
	OPTION_PART("mlp.Wi.bias", MLP_BIAS, UP_BIAS, gate_before_up, 1),
	TENSOR("mlp.Wo.weight", DOWN),
	OPTION("mlp.Wo.bias", MLP_BIAS, DOWN_BIAS),
	END_OF_LIST
};

/* A tensor of layers with experts, or of those without. */
#define OF_KIND(file_name, which, number) \
	{.name = file_name, .weight = SRM_WEIGHT_ ## number, .kind = SRM_LAYER_ ## which}

static const SrmLayerTensor mixtral_layer[] = {
	LLAMA_ATTENTION,
	TENSOR("post_attention_layernorm.weight", FFN_NORM),
	END_OF_LIST
};

static const SrmExpertNames mixtral_experts = {
	.router = "block_sparse_moe.gate.weight", .prefix = "block_sparse_moe.experts.",
	.gate = "w1.weight", .up = "w3.weight", .down = "w2.weight", .n = 8, .n_used = 2
};

/* The step that all tokens take stands where layers without experts have theirs. */
static const SrmLayerTensor qwen_moe_layer[] = {
	LLAMA_ATTENTION,
	TENSOR("post_attention_layernorm.weight", FFN_NORM),
	OF_KIND("mlp.gate_proj.weight", DENSE, GATE),
	OF_KIND("mlp.up_proj.weight", DENSE, UP),
	OF_KIND("mlp.down_proj.weight", DENSE, DOWN),
	OF_KIND("mlp.shared_expert.gate_proj.weight", SPARSE, GATE),
	OF_KIND("mlp.shared_expert.up_proj.weight", SPARSE, UP),
	OF_KIND("mlp.shared_expert.down_proj.weight", SPARSE, DOWN),
	END_OF_LIST
};

#define QWEN_EXPERTS \
	.router = "mlp.gate.weight", .prefix = "mlp.experts.", .has_settings = true, \
	.gate = "gate_proj.weight", .up = "up_proj.weight", .down = "down_proj.weight"

static const SrmExpertNames qwen2_experts = {
	QWEN_EXPERTS, .shared_gate = "mlp.shared_expert_gate.weight", .n = 60, .n_used = 4, .dim = 1408, .shared_dim = 5632
};
static const SrmExpertNames qwen3_experts = {QWEN_EXPERTS, .n = 128, .n_used = 8, .dim = 768};

static const SrmLayerTensor internlm2_layer[] = {
	TENSOR("attention_norm.weight", ATTENTION_NORM),
	QKV_PARTS("attention.wqkv.weight", by_key_head),
	TENSOR("attention.wo.weight", OUTPUT),
	QKV_BIAS_PARTS("attention.wqkv.bias", by_key_head),
	OPTION("attention.wo.bias", OUTPUT_BIAS, OUTPUT_BIAS),
	TENSOR("ffn_norm.weight", FFN_NORM),
	TENSOR("feed_forward.w1.weight", GATE),
	TENSOR("feed_forward.w3.weight", UP),
	TENSOR("feed_forward.w2.weight", DOWN),
	END_OF_LIST
};

#define LLAMA_NAMES \
	.embedding = "embed_tokens.weight", \
	.layer_prefix = "layers.", \
	.final_norm = "norm.weight"
/* Biases of all four maps of attention */
#define ATTENTION_BIAS \
	[SRM_FEATURE_QKV_BIAS] = "attention_bias", [SRM_FEATURE_OUTPUT_BIAS] = "attention_bias"
#define ALWAYS	[SRM_FEATURE_ALWAYS] = ""
#define LLAMA_FEATURES \
	.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_MLP_BIAS] = "mlp_bias"}
#define OLMO2_FEATURES \
	.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_HEAD_NORM] = ""}
#define SILU	.activation_key = "hidden_act", .activation = "silu"

/* What BERT and its successors have in common. */
#define BERT_NAMES \
	.embedding = "embeddings.word_embeddings.weight", .layer_prefix = "encoder.layer.", \
	.positions = "embeddings.position_embeddings.weight", \
	.token_types = "embeddings.token_type_embeddings.weight", \
	.embedding_norm = "embeddings.LayerNorm.weight", .embedding_norm_bias = "embeddings.LayerNorm.bias"

#define ENCODER_LAYERS \
	.features = {ALWAYS, [SRM_FEATURE_NORM_BIAS] = ""}, \
	.activation_key = "hidden_act", .activation = "gelu", .norm_eps_key = "layer_norm_eps", \
	.norm_kind = SRM_NORM_LAYER, .post_norms_sum = true, .has_no_rope = true, .sees_all = true, \
	.max_positions = 512
#define BERT_LAYERS \
	.layer_tensors = bert_layer, ENCODER_LAYERS, .norm_eps = 1e-12

#define PAIR_TEMPLATE(between) \
	"{% if messages | length != 2 %}" \
	"{{ raise_exception('the model reads one prompt and one response') }}" \
	"{% endif %}" \
	"{{ cls_token }}{{ messages[0]['content'] }}" between "{{ messages[1]['content'] }}{{ sep_token }}"

#define ROBERTA_PAIRS \
	.counts_from_pad = true, .pair_template = PAIR_TEMPLATE("{{ sep_token }}{{ sep_token }}"), \
	.head = {"classifier.dense", "classifier.out_proj"}

static const SrmArchitecture architectures[] = {
	{
		.family = "Llama", .model_type = "llama",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		LLAMA_FEATURES,
		.gate_pattern = "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
		SILU, .max_positions = 2048, .norm_eps = 1e-6
	},
	{
		.family = "Mistral", .model_type = "mistral",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		.features = {ALWAYS},
		.window_rule = SRM_WINDOW_ALL, .window = 4096,
		SILU, .n_kv_heads = 8, .max_positions = 131072, .norm_eps = 1e-6
	},
	{
		.family = "Qwen2", .model_type = "qwen2",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		.features = {ALWAYS, [SRM_FEATURE_QKV_BIAS] = ""},
		.window_rule = SRM_WINDOW_UPPER, .window = 4096,
		SILU, .n_kv_heads = 32, .max_positions = 32768, .norm_eps = 1e-6
	},
	{
		.family = "Qwen3", .model_type = "qwen3",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_HEAD_NORM] = ""},
		.window_rule = SRM_WINDOW_UPPER, .window = 4096,
		SILU, .head_dim = 128, .n_kv_heads = 32, .max_positions = 32768, .norm_eps = 1e-6
	},
	{
		.family = "Mixtral", .model_type = "mixtral",
		LLAMA_NAMES, .layer_tensors = mixtral_layer, .experts = &mixtral_experts,
		.features = {ALWAYS},
		.window_rule = SRM_WINDOW_ALL,
		SILU, .rope_theta = 1000000, .n_kv_heads = 8, .max_positions = 131072, .norm_eps = 1e-5
	},
	{
		.family = "Qwen2Moe", .model_type = "qwen2_moe",
		LLAMA_NAMES, .layer_tensors = qwen_moe_layer, .experts = &qwen2_experts,
		.features = {ALWAYS, [SRM_FEATURE_QKV_BIAS] = "qkv_bias"},
		.has_attention_bias = true,
		SILU, .n_kv_heads = 16, .max_positions = 32768, .norm_eps = 1e-6
	},
	{
		.family = "Qwen3Moe", .model_type = "qwen3_moe",
		LLAMA_NAMES, .layer_tensors = qwen_moe_layer, .experts = &qwen3_experts,
		.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_HEAD_NORM] = ""},
		SILU, .n_kv_heads = 4, .max_positions = 32768, .norm_eps = 1e-6
	},
	{
		.family = "Gemma", .model_type = "gemma",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		.features = {ALWAYS, ATTENTION_BIAS},
		.activation_key = "hidden_act", .activation = "gelu_pytorch_tanh",
		.gelu_is_tanh = true, .norms_from_one = true, .scales_embedding = true,
		.head_dim = 256, .n_kv_heads = 16, .max_positions = 8192, .norm_eps = 1e-6
	},
	{
		.family = "Gemma2", .model_type = "gemma2",
		LLAMA_NAMES, .layer_tensors = gemma2_layer,
		.features = {ALWAYS, ATTENTION_BIAS},
		.activation_key = "hidden_activation", .activation = "gelu_pytorch_tanh",
		.norms_from_one = true, .scales_embedding = true, .caps_attention = true,
		.softcap = 50, .window_rule = SRM_WINDOW_PERIODIC, .window_period = 2, .window = 4096,
		.gate_pattern = "<end_of_turn>\n<start_of_turn>model\n",
		.head_dim = 256, .n_kv_heads = 4, .max_positions = 8192, .norm_eps = 1e-6
	},
	{
		.family = "Gemma3Text", .model_type = "gemma3_text",
		LLAMA_NAMES, .layer_tensors = gemma2_layer,
		.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_HEAD_NORM] = ""},
		.activation_key = "hidden_activation", .activation = "gelu_pytorch_tanh",
		.norms_from_one = true, .scales_embedding = true, .caps_attention = true,
		.has_local_rope = true, .local_theta_key = "rope_local_base_freq", .rope_theta = 1000000, .local_theta = 10000,
		.window_rule = SRM_WINDOW_PERIODIC, .window_period = 6, .window = 4096,
		.gate_pattern = "<end_of_turn>\n<start_of_turn>model\n",
		.head_dim = 256, .n_kv_heads = 4, .max_positions = 131072, .norm_eps = 1e-6
	},
	{
		.family = "Olmo2", .model_type = "olmo2",
		LLAMA_NAMES, .layer_tensors = olmo2_layer,
		OLMO2_FEATURES,
		SILU, .head_norm = SRM_HEAD_NORM_WHOLE, .max_positions = 2048, .norm_eps = 1e-5
	},
	{
		.family = "Olmo3", .model_type = "olmo3",
		LLAMA_NAMES, .layer_tensors = olmo2_layer,
		OLMO2_FEATURES,
		.has_local_rope = true, .local_theta_key = "rope_theta", .rope_theta = 500000, .local_theta = 500000,
		.window_rule = SRM_WINDOW_PERIODIC, .window_period = 4, .window = 4096,
		SILU, .head_norm = SRM_HEAD_NORM_WHOLE, .max_positions = 2048, .norm_eps = 1e-5
	},
	{
		.family = "Granite", .model_type = "granite",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		LLAMA_FEATURES, .has_multipliers = true,
		SILU, .max_positions = 2048, .norm_eps = 1e-6
	},
	{
		.family = "SmolLM3", .model_type = "smollm3",
		LLAMA_NAMES, .layer_tensors = llama_layer,
		LLAMA_FEATURES, .may_lack_rope = true, .rope_theta = 2000000,
		.window_rule = SRM_WINDOW_WITHOUT_ROPE,
		SILU, .n_kv_heads = 4, .max_positions = 32768, .norm_eps = 1e-6
	},
	{
		.family = "Phi3", .model_type = "phi3",
		LLAMA_NAMES, .layer_tensors = phi3_layer,
		.features = {ALWAYS},
		.window_rule = SRM_WINDOW_ALL,
		SILU, .rotary_part = 1, .max_positions = 4096, .norm_eps = 1e-5
	},
	{
		.family = "InternLM2", .model_type = "internlm2",
		.embedding = "tok_embeddings.weight", .layer_prefix = "layers.",
		.layer_tensors = internlm2_layer, .final_norm = "norm.weight",
		.features = {ALWAYS, [SRM_FEATURE_QKV_BIAS] = "bias", [SRM_FEATURE_OUTPUT_BIAS] = "bias"},
		SILU, .max_positions = 2048, .norm_eps = 1e-6
	},
	{
		.family = "Cohere", .model_type = "cohere",
		LLAMA_NAMES, .layer_tensors = cohere_layer,
		.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_HEAD_NORM] = "use_qk_norm"},
		.norm_eps_key = "layer_norm_eps", .parallel_key = "",
		.norm_kind = SRM_NORM_LAYER, .head_norm = SRM_HEAD_NORM_OWN, .ropes_interleave = true,
		SILU, .rope_theta = 500000, .max_positions = 8192, .norm_eps = 1e-5
	},
	{
		.family = "GPTNeoX", .model_type = "gpt_neox", .prefix = "gpt_neox.",
		.embedding = "embed_in.weight", .layer_prefix = "layers.", .layer_tensors = neox_layer,
		.final_norm = "final_layer_norm.weight", .final_norm_bias = "final_layer_norm.bias",
		.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_NORM_BIAS] = ""},
		.has_attention_bias = true,
		.activation_key = "hidden_act", .activation = "gelu", .norm_eps_key = "layer_norm_eps",
		.theta_key = "rotary_emb_base", .rotary_part_key = "rotary_pct", .rotary_part = 0.25,
		.parallel_key = "use_parallel_residual", .norm_kind = SRM_NORM_LAYER,
		.max_positions = 2048, .norm_eps = 1e-5
	},
	{
		.family = "Bert", .model_type = "bert", .prefix = "bert.",
		BERT_NAMES, BERT_LAYERS,
		.pair_template = PAIR_TEMPLATE("{{ sep_token }}"), .types_pairs = true,
		.head = {"bert.pooler.dense", "classifier"}
	},
	{
		.family = "Roberta", .model_type = "roberta", .prefix = "roberta.",
		BERT_NAMES, BERT_LAYERS, ROBERTA_PAIRS
	},
	{
		.family = "XLMRoberta", .model_type = "xlm-roberta", .prefix = "roberta.",
		BERT_NAMES, BERT_LAYERS, ROBERTA_PAIRS
	},
	{
		.family = "DebertaV2", .model_type = "deberta-v2", .prefix = "deberta.",
		BERT_NAMES, .layer_tensors = deberta_layer, ENCODER_LAYERS, .norm_eps = 1e-7,
		.may_lack_positions = true, .relative = "encoder.rel_embeddings.weight",
		.relative_norm = "encoder.LayerNorm.weight", .relative_norm_bias = "encoder.LayerNorm.bias",
		.pair_template = PAIR_TEMPLATE("{{ sep_token }}"), .types_pairs = true,
		.head = {"pooler.dense", "classifier"},
		.head_activation_key = "pooler_hidden_act", .head_activation = "gelu"
	},
	{
		.family = "ModernBert", .model_type = "modernbert",
		.embedding = "embeddings.tok_embeddings.weight", .layer_prefix = "layers.", .layer_tensors = modernbert_layer,
		.embedding_norm = "embeddings.norm.weight", .embedding_norm_bias = "embeddings.norm.bias",
		.final_norm = "final_norm.weight", .final_norm_bias = "final_norm.bias",
		.features = {ALWAYS, ATTENTION_BIAS, [SRM_FEATURE_MLP_BIAS] = "mlp_bias", [SRM_FEATURE_NORM_BIAS] = "norm_bias"},
		.activation_key = "hidden_activation", .activation = "gelu", .norm_eps_key = "norm_eps",
		.norm_kind = SRM_NORM_LAYER, .sees_all = true,
		.theta_key = "global_rope_theta", .rope_theta = 160000,
		.has_local_rope = true, .local_theta_key = "local_rope_theta", .local_theta = 10000, .scales_local_rope = true,
		.window_rule = SRM_WINDOW_BETWEEN, .window_period = 3, .window_key = "local_attention", .window = 128,
		.pair_template = PAIR_TEMPLATE("{{ sep_token }}"),
		.head = {"head.dense", "classifier"}, .head_norm_name = "head.norm",
		.head_activation_key = "classifier_activation", .head_activation = "gelu", .pooling_key = "classifier_pooling",
		.max_positions = 8192, .norm_eps = 1e-5
	},
	{
		/* SaT, of wtpsplit */
		.family = "SubwordXLM", .model_type = "xlm-token", .prefix = "roberta.",
		BERT_NAMES, BERT_LAYERS, .counts_from_pad = true,
		.token_head = "classifier", .limits_ahead = true, .is_segmenter = true
	},
	{.family = NULL}
};

/* Whether what follows the family in a class name says what the class is for. */
static bool
is_class_of(const char *name, const char *family)
{
	size_t		length = strlen(family);
	const char *rest = name + length;

	return strncmp(name, family, length) == 0 &&
		(strncmp(rest, "For", 3) == 0 || strncmp(rest, "Model", 5) == 0 ||
		 strncmp(rest, "Reward", 6) == 0);
}

const SrmArchitecture *
srm_architecture_find(const char *name, const char *model_type)
{
	for (const SrmArchitecture *row = architectures; row->family != NULL; row++)
		if (is_class_of(name, row->family))
			return row;
	for (const SrmArchitecture *row = architectures; row->family != NULL; row++)
		if (model_type != NULL && strcmp(model_type, row->model_type) == 0)
			return row;
	return NULL;
}

void
srm_architecture_list(char *list, size_t size)
{
	size_t		length = 0;

	list[0] = '\0';
	for (const SrmArchitecture *row = architectures; row->family != NULL; row++)
	{
		int			n = snprintf(list + length, size - length, "%s%s",
								 length == 0 ? "" : ", ", row->family);

		if (n < 0 || (size_t) n >= size - length)
			return;
		length += (size_t) n;
	}
}

SrmFusedRows
srm_architecture_rows(const SrmDecoder *decoder, const SrmLayerTensor *tensor)
{
	const SrmFusion *fusion = tensor->fusion;
	size_t		n_rows = srm_weight_rows(decoder, tensor->weight);
	size_t		n_groups = fusion != NULL && fusion->by_key_head ? decoder->n_kv_heads : 1;
	SrmFusedRows rows = {0};

	if (fusion == NULL)
		return (SrmFusedRows) {.total = n_rows};
	for (int i = 0; fusion->sizes[i] != SRM_SIZE_NONE; i++)
	{
		size_t		size = srm_size_of(decoder, fusion->sizes[i]);

		if (i < tensor->part)
			rows.first += size / n_groups;
		rows.total += size;
	}
	if (n_groups == 1)
		return rows;
	rows.band = n_rows / n_groups;
	rows.stride = rows.total / n_groups;
	return rows;
}
