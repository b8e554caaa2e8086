/*-------------------------------------------------------------------------
 *
 * layer.h
 *	  What a transformer is made of: a description, its weights, and the one
 *	  list of a layer's weights.
 *
 * What architectures differ in is data here: a weight that is NULL is a step
 * that is left out.  Nothing here knows the name of a model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_LAYER_H
#define SRM_LAYER_H

#include <stdbool.h>

#include <stdint.h>

#include "kernel/matrix.h"

typedef enum SrmRopeType
{
	SRM_ROPE_DEFAULT,
	SRM_ROPE_LINEAR,
	SRM_ROPE_LLAMA3,
	SRM_ROPE_YARN,
	SRM_ROPE_LONGROPE,
	SRM_ROPE_DYNAMIC
} SrmRopeType;

/* Rotary position, as transformers' modeling_rope_utils computes it. */
typedef struct SrmRope
{
	SrmRopeType type;
	double		theta;
	double		factor;
	double		low_freq_factor;	/* llama3 */
	double		high_freq_factor;
	double		original_max_positions; /* llama3, yarn; longrope, dynamic: longer texts have other frequencies */
	double		beta_fast;		/* yarn */
	double		beta_slow;
	double		attention_factor;	/* yarn, longrope: scale of cos and sin; 1 elsewhere */
	bool		truncate;		/* yarn: bounds of the ramp are whole numbers */
	const float *factors;		/* longrope: (head_dim / 2), of the wave lengths, */
	const float *long_factors;	/* and those of longer texts; NULL where the model takes none */
	size_t		dim;			/* elements of a head that are turned, the first ones; 0: all */
	bool		is_interleaved; /* neighbours are pairs, not the halves of what is turned */
} SrmRope;

static inline size_t
srm_rope_width(const SrmRope *rope, size_t head_dim)
{
	return rope->dim == 0 ? head_dim : rope->dim;
}

/* Which rotary position a layer has. */
typedef enum SrmRopeNumber
{
	SRM_ROPE_MAIN,
	SRM_ROPE_LOCAL,				/* of layers with a window, where these have their own */
	SRM_N_ROPES,
	SRM_ROPE_NONE = SRM_N_ROPES
} SrmRopeNumber;

/* Relative positions, which attention reads beside the tokens; see nn/relative.h. */
typedef struct SrmRelative
{
	size_t		span;			/* 0: there are none */
	const float *embedding;		/* (2 * span, dim), normed; row span is that of a token itself */
	size_t		n_buckets;		/* beyond half of them distances share rows; 0: each has its own */
	size_t		max_distance;	/* the first for which there is no other bucket */
	bool		by_query;		/* queries are multiplied with the keys of distances, */
	bool		by_key;			/* and keys with their queries; there is one of both */
} SrmRelative;

/* Of a feed-forward network. */
typedef enum SrmActivation
{
	SRM_ACTIVATION_SILU,		/* x sigmoid(x) */
	SRM_ACTIVATION_GELU_TANH,	/* x Phi(x), approximated by tanh as in transformers */
	SRM_ACTIVATION_GELU			/* x Phi(x) */
} SrmActivation;

typedef enum SrmNormKind
{
	SRM_NORM_RMS,				/* x / sqrt(mean(x^2) + eps) */
	SRM_NORM_LAYER				/* the same of what is left once the mean is taken off */
} SrmNormKind;

#define SRM_AHEAD_ALL	(SIZE_MAX / 2)	/* sees all tokens behind it */

/* Whose the weights of the norms of queries and keys are. */
typedef enum SrmHeadNorm
{
	SRM_HEAD_NORM_SHARED,		/* each head is normed, with the weights of all */
	SRM_HEAD_NORM_OWN,			/* each has its own */
	SRM_HEAD_NORM_WHOLE			/* all heads of a token are normed together */
} SrmHeadNorm;

/* One of several feed-forward networks, of which each token takes a few; see nn/experts.h. */
typedef struct SrmExpert
{
	SrmMatrix	gate;			/* (expert_dim, dim) */
	SrmMatrix	up;
	SrmMatrix	down;			/* (dim, expert_dim) */
} SrmExpert;

/*
 * Linear maps are (outputs, inputs); vectors are f32.  A norm whose checkpoint
 * stores the distance from one (Gemma) has the one added here already.  Shapes
 * stand in the list below.
 */
typedef struct SrmLayer
{
	size_t		window;			/* tokens up to itself that a token sees; 0: all */
	size_t		ahead;			/* tokens behind it that it sees; 0: attention is causal */
	SrmRopeNumber rope;
	const float *attention_norm;	/* or NULL: attention reads the residual stream */
	const float *attention_norm_bias;	/* biases may be NULL */
	SrmMatrix	query;
	SrmMatrix	key;
	SrmMatrix	value;
	SrmMatrix	output;
	const float *query_bias;
	const float *key_bias;
	const float *value_bias;
	const float *output_bias;
	const float *query_norm;	/* or NULL: RMSNorm of the heads before rope, see SrmHeadNorm */
	const float *key_norm;
	const float *post_attention_norm;	/* or NULL: of what attention adds, see post_norms_sum */
	const float *post_attention_norm_bias;
	const float *ffn_norm;		/* or NULL */
	const float *ffn_norm_bias;
	SrmMatrix	gate;			/* no rows: up goes through the activation itself */
	SrmMatrix	up;
	SrmMatrix	down;
	const float *gate_bias;
	const float *up_bias;
	const float *down_bias;
	const float *post_ffn_norm; /* or NULL: of what the feed-forward network adds */
	const float *post_ffn_norm_bias;
	size_t		n_experts;		/* 0: the feed-forward network is gate, up and down; else these are what all tokens
								 * take besides, where they have rows */
	const float *router;		/* (n_experts, dim) */
	const float *shared_gate;	/* (dim) of what all tokens take; NULL where there is none */
	SrmExpert  *experts;		/* (n_experts) */
} SrmLayer;

typedef struct SrmDecoder
{
	size_t		n_layers;
	size_t		dim;
	size_t		n_heads;
	size_t		n_kv_heads;		/* divides n_heads */
	size_t		head_dim;		/* even */
	size_t		ffn_dim;
	size_t		n_experts_used; /* of each token, in layers that have experts */
	bool		normalizes_experts; /* their weights add up to one */
	size_t		expert_dim;		/* of the feed-forward network of one; */
	size_t		shared_dim;		/* and of the one that all tokens take besides; 0: there is none */
	size_t		vocab_size;
	float		norm_eps;
	float		embedding_scale;	/* 0: embeddings are used as they are */
	float		residual_scale; /* of what steps add to the residual stream; 0: it is added as it is */
	float		attention_scale;	/* of query * key; 0: 1 / sqrt(head_dim) */
	float		attention_softcap;	/* s becomes cap * tanh(s / cap); 0: it stays s */
	SrmActivation activation;
	SrmNormKind norm_kind;
	SrmHeadNorm head_norm;
	bool		post_norms_sum; /* norms behind steps are of the residual stream with what they added */
	bool		is_parallel;	/* the feed-forward network reads the stream from before attention */
	SrmRope		ropes[SRM_N_ROPES];
	SrmRelative relative;		/* with as many heads of keys as of queries */
	SrmMatrix	embedding;		/* (vocab_size, dim) */
	const float *positions;		/* (n_positions, dim) learned, added to embeddings; or NULL */
	size_t		n_positions;
	size_t		first_position; /* the row of a text's first token */
	const float *token_types;	/* (n_token_types, dim) added to embeddings, see SrmSequence; or NULL */
	size_t		n_token_types;
	const float *embedding_norm;	/* (dim) or NULL */
	const float *embedding_norm_bias;
	SrmLayer   *layers;			/* (n_layers) */
	const float *final_norm;	/* (dim) or NULL */
	const float *final_norm_bias;
} SrmDecoder;

/* Sizes that the shapes of weights are made of. */
typedef enum SrmSize
{
	SRM_SIZE_NONE,				/* no such dimension: the weight is a vector */
	SRM_SIZE_DIM,
	SRM_SIZE_QUERY,				/* n_heads * head_dim */
	SRM_SIZE_KEY,				/* n_kv_heads * head_dim */
	SRM_SIZE_QUERY_NORM,		/* head_dim, or that of all heads: see SrmHeadNorm */
	SRM_SIZE_KEY_NORM,
	SRM_SIZE_FFN
} SrmSize;

typedef enum SrmRole
{
	SRM_ROLE_PRODUCT,			/* a matrix */
	SRM_ROLE_RESIDUAL,			/* one whose product is added to the residual stream */
	SRM_ROLE_BIAS,
	SRM_ROLE_NORM
} SrmRole;

/*
 * The weights of a layer: name, member, role, rows, columns, and a matrix's name in
 * peft.  Prepared files and checkpoints hold them in this order.
 */
#define SRM_WEIGHT_LIST(WEIGHT) \
	WEIGHT(ATTENTION_NORM, attention_norm, NORM, DIM, NONE, NULL) \
	WEIGHT(ATTENTION_NORM_BIAS, attention_norm_bias, BIAS, DIM, NONE, NULL) \
	WEIGHT(QUERY, query, PRODUCT, QUERY, DIM, "q_proj") \
	WEIGHT(KEY, key, PRODUCT, KEY, DIM, "k_proj") \
	WEIGHT(VALUE, value, PRODUCT, KEY, DIM, "v_proj") \
	WEIGHT(OUTPUT, output, RESIDUAL, DIM, QUERY, "o_proj") \
	WEIGHT(QUERY_BIAS, query_bias, BIAS, QUERY, NONE, NULL) \
	WEIGHT(KEY_BIAS, key_bias, BIAS, KEY, NONE, NULL) \
	WEIGHT(VALUE_BIAS, value_bias, BIAS, KEY, NONE, NULL) \
	WEIGHT(OUTPUT_BIAS, output_bias, BIAS, DIM, NONE, NULL) \
	WEIGHT(QUERY_NORM, query_norm, NORM, QUERY_NORM, NONE, NULL) \
	WEIGHT(KEY_NORM, key_norm, NORM, KEY_NORM, NONE, NULL) \
	WEIGHT(POST_ATTENTION_NORM, post_attention_norm, NORM, DIM, NONE, NULL) \
	WEIGHT(POST_ATTENTION_NORM_BIAS, post_attention_norm_bias, BIAS, DIM, NONE, NULL) \
	WEIGHT(FFN_NORM, ffn_norm, NORM, DIM, NONE, NULL) \
	WEIGHT(FFN_NORM_BIAS, ffn_norm_bias, BIAS, DIM, NONE, NULL) \
	WEIGHT(GATE, gate, PRODUCT, FFN, DIM, "gate_proj") \
	WEIGHT(UP, up, PRODUCT, FFN, DIM, "up_proj") \
	WEIGHT(DOWN, down, RESIDUAL, DIM, FFN, "down_proj") \
	WEIGHT(GATE_BIAS, gate_bias, BIAS, FFN, NONE, NULL) \
	WEIGHT(UP_BIAS, up_bias, BIAS, FFN, NONE, NULL) \
	WEIGHT(DOWN_BIAS, down_bias, BIAS, DIM, NONE, NULL) \
	WEIGHT(POST_FFN_NORM, post_ffn_norm, NORM, DIM, NONE, NULL) \
	WEIGHT(POST_FFN_NORM_BIAS, post_ffn_norm_bias, BIAS, DIM, NONE, NULL)

/* A weight's place in the list. */
typedef enum SrmWeightNumber
{
#define WEIGHT(name, member, role, rows, cols, peft) SRM_WEIGHT_ ## name,
	SRM_WEIGHT_LIST(WEIGHT)
#undef WEIGHT
	SRM_N_WEIGHTS
} SrmWeightNumber;

typedef struct SrmWeight
{
	SrmRole		role;
	SrmSize		rows;
	SrmSize		cols;			/* SRM_SIZE_NONE: a vector */
	size_t		offset;			/* in SrmLayer: of an SrmMatrix, or a const float * */
	const char *peft;			/* "q_proj"; NULL where peft does not adapt it */
} SrmWeight;

extern const SrmWeight srm_layer_weights[SRM_N_WEIGHTS];

/* Whether any layer sees tokens behind the one at hand. */
extern bool srm_decoder_looks_ahead(const SrmDecoder *decoder);

/*
 * What of a text's length rotary position depends on: 0 up to the original length, and everywhere in most models.
 * Texts of one such length, and none of different ones, have the same frequencies.
 */
extern size_t srm_decoder_rope_length(const SrmDecoder *decoder, size_t n_tokens);

/* The longest text for which that is 0; SIZE_MAX: all of them. */
extern size_t srm_decoder_plain_tokens(const SrmDecoder *decoder);

/* The most experts of a layer. */
extern size_t srm_decoder_most_experts(const SrmDecoder *decoder);

/* The widest feed-forward network. */
extern size_t srm_decoder_widest_step(const SrmDecoder *decoder);

/* Whether any layer has that rotary position. */
extern bool srm_decoder_uses_rope(const SrmDecoder *decoder, int number);

/* A size in numbers; 0 for SRM_SIZE_NONE. */
extern size_t srm_size_of(const SrmDecoder *decoder, SrmSize size);

/* Rows of a matrix, or the length of a vector. */
extern size_t srm_weight_rows(const SrmDecoder *decoder, SrmWeightNumber number);

static inline bool
srm_weight_is_matrix(SrmWeightNumber number)
{
	return srm_layer_weights[number].cols != SRM_SIZE_NONE;
}

/* The place of a weight, which is a matrix. */
static inline SrmMatrix *
srm_weight_matrix(const SrmLayer *layer, SrmWeightNumber number)
{
	return (SrmMatrix *) ((char *) layer + srm_layer_weights[number].offset);
}

/* The place of a weight, which is a vector. */
static inline const float **
srm_weight_vector(const SrmLayer *layer, SrmWeightNumber number)
{
	return (const float **) ((char *) layer + srm_layer_weights[number].offset);
}

#endif							/* SRM_LAYER_H */
