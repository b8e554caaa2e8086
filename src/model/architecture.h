/*-------------------------------------------------------------------------
 *
 * architecture.h
 *	  What the model architectures differ in, as a table.
 *
 * An architecture is a row; the decoder knows none of their names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ARCHITECTURE_H
#define SRM_ARCHITECTURE_H

#include "nn/layer.h"

/* What layers of not every model have. */
typedef enum SrmFeature
{
	SRM_FEATURE_ALWAYS,
	SRM_FEATURE_QKV_BIAS,
	SRM_FEATURE_OUTPUT_BIAS,
	SRM_FEATURE_MLP_BIAS,
	SRM_FEATURE_HEAD_NORM,
	SRM_FEATURE_NORM_BIAS,
	SRM_N_FEATURES
} SrmFeature;

/*
 * Several maps in one tensor: the rows of one behind those of another, or so
 * for each key head (its queries, its key, its value, and then the next).
 */
typedef struct SrmFusion
{
	const SrmSize *sizes;		/* rows of the maps; ends with SRM_SIZE_NONE */
	bool		by_key_head;
} SrmFusion;

/* Which layers have a tensor. */
typedef enum SrmLayerKind
{
	SRM_LAYER_ANY,
	SRM_LAYER_DENSE,			/* those without experts */
	SRM_LAYER_SPARSE
} SrmLayerKind;

/* Names of the tensors of experts, behind a layer's number, and what there is where config.json is silent. */
typedef struct SrmExpertNames
{
	const char *router;			/* (experts, dim) */
	const char *prefix;			/* before the number of one, a dot, and its map */
	const char *gate;
	const char *up;
	const char *down;
	const char *shared_gate;	/* (1, dim); NULL: there is no step that all tokens take besides */
	bool		has_settings;	/* of layers, sizes and weights; else all layers have experts, whose weights are normalised */
	size_t		n;
	size_t		n_used;
	size_t		dim;
	size_t		shared_dim;
} SrmExpertNames;

/* The tensor of a weight of a layer. */
typedef struct SrmLayerTensor
{
	const char *name;			/* behind the layer's number; NULL ends a list */
	SrmWeightNumber weight;
	SrmFeature	feature;
	const SrmFusion *fusion;	/* NULL: the tensor holds nothing else */
	int			part;			/* which of the fused maps it is */
	size_t		first_layer;	/* those before have none */
	SrmLayerKind kind;
} SrmLayerTensor;

/* Which layers see a window only. */
typedef enum SrmWindowRule
{
	SRM_WINDOW_NONE,
	SRM_WINDOW_ALL,				/* all of them */
	SRM_WINDOW_UPPER,			/* with "use_sliding_window", from "max_window_layers" on */
	SRM_WINDOW_PERIODIC,		/* all but each that "sliding_window_pattern" counts up to */
	SRM_WINDOW_BETWEEN,			/* all but the first, and each "global_attn_every_n_layers" from there */
	SRM_WINDOW_WITHOUT_ROPE		/* with "use_sliding_window", those without rotary position */
} SrmWindowRule;

typedef struct SrmArchitecture
{
	/*
	 * Class names begin with the family ("LlamaForSequenceClassification");
	 * other classes are told by the "model_type" of config.json.
	 */
	const char *family;			/* NULL ends the table */
	const char *model_type;

	const char *prefix;			/* NULL: "model." */

	/* Names of tensors, behind the prefix where the checkpoint has that */
	const char *embedding;		/* (vocab_size, dim) */
	const char *layer_prefix;	/* before the number of a layer, a dot, and its tensor */
	const SrmLayerTensor *layer_tensors;
	const SrmExpertNames *experts;	/* or NULL */
	const char *final_norm;		/* (dim) or NULL, as all that follow */
	const char *final_norm_bias;
	const char *positions;		/* (max_position_embeddings, dim) */
	const char *token_types;	/* ("type_vocab_size", dim) */
	const char *embedding_norm;
	const char *embedding_norm_bias;
	const char *relative;		/* embeddings of relative positions: (2 * span, dim) */
	const char *relative_norm;
	const char *relative_norm_bias;

	/* Which of them there are: "" always, NULL never, or the setting that tells */
	const char *features[SRM_N_FEATURES];

	const char *activation_key; /* in config.json */
	const char *norm_eps_key;	/* NULL: "rms_norm_eps" */
	const char *theta_key;		/* NULL: "rope_theta" */
	const char *rotary_part_key;	/* NULL: "partial_rotary_factor", where a part of heads may be turned at all */
	const char *parallel_key;	/* feed-forward networks stand beside attention; "": always; NULL: never */
	bool		gelu_is_tanh;	/* "gelu" stands for its approximation */
	bool		norms_from_one; /* checkpoints store the norms' weights less one */
	bool		scales_embedding;	/* by the root of dim */
	bool		caps_attention; /* "attn_logit_softcapping", "query_pre_attn_scalar" */
	bool		has_attention_bias; /* where the file does not say it */
	bool		has_multipliers;	/* of embeddings, attention, and what steps add */
	bool		may_lack_rope;	/* "no_rope_layers", "no_rope_layer_interval" */
	bool		has_local_rope; /* layers with a window have a rotary position of their own */
	const char *local_theta_key;	/* of that, in older files */
	bool		scales_local_rope;	/* "rope_scaling" is of those layers, too */
	SrmNormKind norm_kind;
	SrmHeadNorm head_norm;
	bool		post_norms_sum; /* as in SrmDecoder */
	bool		ropes_interleave;	/* as in SrmRope */
	bool		has_no_rope;
	bool		sees_all;		/* attention is not causal */
	bool		limits_ahead;	/* where "lookahead" is given, or "lookahead_split_layers" */
	bool		may_lack_positions; /* "position_biased_input", "type_vocab_size" */
	bool		counts_from_pad;	/* the first position is behind "pad_token_id" */
	const char *pair_template;	/* how a prompt and a response are put side by side, as a chat template; or NULL */
	bool		types_pairs;	/* the response and what follows it has the second token type */
	const char *head[2];		/* maps that give the value; or NULL */
	const char *head_norm_name; /* a norm between them, behind the activation; or NULL */
	const char *head_activation_key;	/* of that; NULL: it is tanh */
	const char *head_activation;	/* where the file is silent */
	const char *pooling_key;	/* which state the head reads; NULL: the first token's */
	const char *token_head;		/* a map that gives labels of tokens; or NULL */
	bool		is_segmenter;	/* label 0 of a token tells whether a sentence ends with it */
	SrmWindowRule window_rule;
	const char *window_key;		/* of its size to both sides together; NULL: "sliding_window", to one */
	const char *gate_pattern;	/* see SrmModelSettings; NULL: models say it themselves */

	/* What transformers takes where config.json is silent */
	const char *activation;
	size_t		head_dim;		/* 0: dim / n_heads */
	size_t		n_kv_heads;		/* 0: n_heads */
	size_t		max_positions;
	double		norm_eps;
	double		rope_theta;		/* 0: 10000 */
	double		local_theta;
	double		rotary_part;	/* 0: heads are turned whole, and a part of them never */
	double		softcap;
	size_t		window;			/* 0: none */
	size_t		window_period;
} SrmArchitecture;

/* The row for a class name and a "model_type", which may be NULL; or NULL. */
extern const SrmArchitecture *srm_architecture_find(const char *name, const char *model_type);

/* The families of all architectures, as a list for a message. */
extern void srm_architecture_list(char *list, size_t size);

/* Rows of a map within a tensor that fuses several. */
typedef struct SrmFusedRows
{
	size_t		total;			/* of the tensor */
	size_t		first;
	size_t		band;			/* as in SrmMatrix; 0: the rows lie together */
	size_t		stride;
} SrmFusedRows;

/* Where the rows of a map or vector of a layer lie in its tensor. */
extern SrmFusedRows srm_architecture_rows(const SrmDecoder *decoder, const SrmLayerTensor *tensor);

#endif							/* SRM_ARCHITECTURE_H */
