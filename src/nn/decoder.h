/*-------------------------------------------------------------------------
 *
 * decoder.h
 *	  One transformer decoder, driven by a description.
 *
 * What architectures differ in is data here: a weight that is NULL is a step
 * that is left out.  Nothing here knows the name of a model.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_H
#define SRM_DECODER_H

#include "base/arena.h"
#include "kernel/matrix.h"

typedef enum SrmRopeType
{
	SRM_ROPE_DEFAULT,
	SRM_ROPE_LINEAR,
	SRM_ROPE_LLAMA3,
	SRM_ROPE_YARN,
	SRM_ROPE_LONGROPE
} SrmRopeType;

/* Rotary position, as transformers' modeling_rope_utils computes it. */
typedef struct SrmRope
{
	SrmRopeType type;
	double		theta;
	double		factor;
	double		low_freq_factor;	/* llama3 */
	double		high_freq_factor;
	double		original_max_positions; /* llama3, yarn */
	double		beta_fast;		/* yarn */
	double		beta_slow;
	double		attention_factor;	/* yarn, longrope: scale of cos and sin; 1 elsewhere */
	bool		truncate;		/* yarn: bounds of the ramp are whole numbers */
	const float *factors;		/* longrope: (head_dim / 2), of the wave lengths */
} SrmRope;

/* Of the gate of a feed-forward step; Phi(x) is approximated by tanh as in transformers. */
typedef enum SrmActivation
{
	SRM_ACTIVATION_SILU,		/* x sigmoid(x) */
	SRM_ACTIVATION_GELU_TANH	/* x Phi(x) */
} SrmActivation;

/*
 * Linear maps are (outputs, inputs); vectors are f32.  A norm whose checkpoint
 * stores the distance from one (Gemma) has the one added here already.
 */
typedef struct SrmLayer
{
	size_t		window;			/* tokens that a token sees, itself included; 0: all */
	const float *attention_norm;	/* (dim) */
	SrmMatrix	query;			/* (n_heads * head_dim, dim) */
	SrmMatrix	key;			/* (n_kv_heads * head_dim, dim) */
	SrmMatrix	value;			/* (n_kv_heads * head_dim, dim) */
	SrmMatrix	output;			/* (dim, n_heads * head_dim) */
	const float *query_bias;	/* (n_heads * head_dim) or NULL */
	const float *key_bias;		/* (n_kv_heads * head_dim) or NULL */
	const float *value_bias;	/* (n_kv_heads * head_dim) or NULL */
	const float *output_bias;	/* (dim) or NULL */
	const float *query_norm;	/* (head_dim) or NULL: RMSNorm of each head before rope */
	const float *key_norm;		/* (head_dim) or NULL */
	const float *post_attention_norm;	/* (dim) or NULL: of what attention adds */
	const float *ffn_norm;		/* (dim) */
	SrmMatrix	gate;			/* (ffn_dim, dim) */
	SrmMatrix	up;				/* (ffn_dim, dim) */
	SrmMatrix	down;			/* (dim, ffn_dim) */
	const float *gate_bias;		/* (ffn_dim) or NULL */
	const float *up_bias;		/* (ffn_dim) or NULL */
	const float *down_bias;		/* (dim) or NULL */
	const float *post_ffn_norm; /* (dim) or NULL: of what the feed-forward step adds */
} SrmLayer;

typedef struct SrmDecoder
{
	size_t		n_layers;
	size_t		dim;
	size_t		n_heads;
	size_t		n_kv_heads;		/* divides n_heads */
	size_t		head_dim;		/* even */
	size_t		ffn_dim;
	size_t		vocab_size;
	float		norm_eps;
	float		embedding_scale;	/* 0: embeddings are used as they are */
	float		attention_scale;	/* of query * key; 0: 1 / sqrt(head_dim) */
	float		attention_softcap;	/* s becomes cap * tanh(s / cap); 0: it stays s */
	SrmActivation activation;
	SrmRope		rope;
	SrmMatrix	embedding;		/* (vocab_size, dim) */
	SrmLayer   *layers;			/* (n_layers) */
	const float *final_norm;	/* (dim) */
} SrmDecoder;

/*
 * Keys (after rope) and values of the tokens of a prompt, in f32:
 * 2 * n_layers * n_tokens * n_kv_heads * head_dim * 4 bytes.
 */
typedef struct SrmCache SrmCache;

/* Empty; room for capacity tokens comes with the first use. */
extern SrmCache *srm_cache_create(const SrmDecoder *decoder, SrmStatus *status);
extern void srm_cache_free(SrmCache *cache);	/* NULL is allowed */
extern size_t srm_cache_tokens(const SrmCache *cache);
extern size_t srm_cache_bytes(const SrmCache *cache);

/* Forgets all but the first n tokens. */
extern void srm_cache_truncate(SrmCache *cache, size_t n_tokens);

/* Tokens that follow each other, and whose hidden states are wanted. */
typedef struct SrmSequence
{
	const int32_t *tokens;		/* (n_tokens) */
	size_t		n_tokens;
	const uint32_t *wanted;		/* (n_wanted) ascending indexes into tokens */
	size_t		n_wanted;
	float	   *hidden;			/* (n_wanted, dim) gets the final-norm hidden states of those */
} SrmSequence;

/*
 * One pass over the rest of a prompt and n_sequences texts that follow it.
 *
 * The prompt goes on where the cache's tokens end, and its keys and values are added to the
 * cache; NULL where the cache has all of it.  Each of the sequences goes on where the
 * prompt ends: it attends to the cache's tokens, the prompt, and itself, and knows
 * nothing of the others.  After a failure the cache is as it was before.  cache may be
 * NULL where there is no prompt: no tokens before.
 *
 * A sequence gets the same bits whatever the number of threads, the sequences beside it, and
 * the number of the prompt's tokens that were in the cache; that is, as far
 * as products and attention give each row the same bits whatever rows are beside it.
 *
 * Temporary memory is bounded by O(rows * dim), and freed on return; rows are the
 * tokens of the prompt and all sequences.  Stop is asked at least
 * once a layer, and within long layers once a panel of work of about 50 ms.
 * Token ids must be below vocab_size: SRM_INVALID_MODEL if not.
 */
extern bool srm_decoder_forward_batch(const SrmDecoder *decoder, SrmCache *cache,
									  const SrmSequence *prompt,
									  const SrmSequence *sequences, size_t n_sequences,
									  int n_threads, const SrmStop *stop, SrmStatus *status);

/*
 * The same for one text of n_tokens tokens: the prompt with keep, a sequence
 * behind it without.
 */
extern bool srm_decoder_forward(const SrmDecoder *decoder, SrmCache *cache, bool keep,
								const int32_t *tokens, size_t n_tokens,
								const uint32_t *wanted, size_t n_wanted,
								float *hidden, int n_threads,
								const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_DECODER_H */
