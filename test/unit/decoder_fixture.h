/*-------------------------------------------------------------------------
 *
 * decoder_fixture.h
 *	  What tests of the decoder have in common: causal models of all shapes, and tokens.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_FIXTURE_H
#define SRM_DECODER_FIXTURE_H

#include "arena_fixture.h"

#include "forward_text.h"
#include "nn/decoder.h"
#include "plain_decoder.h"
#include "random_decoder.h"

#define MAX_TOKENS	700

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

static const RandomShape shapes[] = {
	/* one head for each */
	{.n_layers = 2, .dim = 32, .n_heads = 4, .n_kv_heads = 4, .head_dim = 8, .ffn_dim = 48,
	.vocab_size = 50, .dtype = SRM_F32, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}},
	/* grouped queries, biases, heads wider than dim / n_heads */
	{.n_layers = 3, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 16, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_BF16, .with_biases = true,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 1000000}},
	/* one key for all heads, norms of heads */
	{.n_layers = 2, .dim = 40, .n_heads = 5, .n_kv_heads = 1, .head_dim = 4, .ffn_dim = 33,
		.vocab_size = 50, .dtype = SRM_F16, .with_head_norms = true,
	.rope = {.type = SRM_ROPE_LINEAR, .theta = 10000, .factor = 4}},
	/* all at once */
	{.n_layers = 2, .dim = 16, .n_heads = 6, .n_kv_heads = 3, .head_dim = 10, .ffn_dim = 20,
		.vocab_size = 50, .dtype = SRM_F32, .with_biases = true, .with_head_norms = true,
		.rope = {.type = SRM_ROPE_LLAMA3, .theta = 500, .factor = 8, .low_freq_factor = 1,
	.high_freq_factor = 4, .original_max_positions = 64}},
	/* one layer, one head, the narrowest */
	{.n_layers = 1, .dim = 4, .n_heads = 1, .n_kv_heads = 1, .head_dim = 2, .ffn_dim = 4,
	.vocab_size = 3, .dtype = SRM_BF16, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}},
	/* panels that have an edge */
	{.n_layers = 2, .dim = 260, .n_heads = 4, .n_kv_heads = 2, .head_dim = 80, .ffn_dim = 300,
		.vocab_size = 50, .dtype = SRM_F32, .with_head_norms = true,
		.rope = {.type = SRM_ROPE_YARN, .theta = 10000, .factor = 4, .original_max_positions = 32,
	.beta_fast = 32, .beta_slow = 1, .attention_factor = 1.1, .truncate = true}},
	/* a sliding window, in all layers (Mistral) */
	{.n_layers = 2, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_BF16, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000},
	.window = 37, .window_step = 1},
	/* the narrowest window, one key for all heads, scaled embeddings, the other activation (Gemma) */
	{.n_layers = 2, .dim = 24, .n_heads = 3, .n_kv_heads = 1, .head_dim = 16, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000},
		.window = 1, .window_step = 2, .embedding_scale = 4.8989797f,
	.activation = SRM_ACTIVATION_GELU_TANH},
	/* caps that bite, norms behind steps, a window longer than tiles in every other layer (Gemma 2) */
	{.n_layers = 3, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F16, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000},
		.window = 130, .window_step = 2, .embedding_scale = 4.8989797f, .attention_scale = 0.5f,
		.attention_softcap = 1.5f, .activation = SRM_ACTIVATION_GELU_TANH,
	.with_post_norms = true},
	/* norms behind steps alone, and of all heads together (OLMo 2) */
	{.n_layers = 2, .dim = 24, .n_heads = 6, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_BF16, .with_head_norms = true, .head_norm = SRM_HEAD_NORM_WHOLE,
		.without_input_norms = true, .with_post_norms = true,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 500}},
	/* layers with two kinds of rotary position, and with none (Gemma 3, SmolLM3); scaled steps (Granite) */
	{.n_layers = 4, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 1000},
	.window = 30, .window_step = 2, .with_local_rope = true, .rope_step = 3, .residual_scale = 0.3f},
	/* layer norms, a norm for each head, neighbours turned, steps side by side (Command R) */
	{.n_layers = 2, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_BF16, .norm_kind = SRM_NORM_LAYER, .with_head_norms = true,
		.head_norm = SRM_HEAD_NORM_OWN, .is_parallel = true,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000, .is_interleaved = true}},
	/* the same with biases, no gate, and a part of the heads turned (GPT-NeoX) */
	{.n_layers = 2, .dim = 24, .n_heads = 2, .n_kv_heads = 2, .head_dim = 16, .ffn_dim = 300,
		.vocab_size = 50, .dtype = SRM_F32, .norm_kind = SRM_NORM_LAYER, .with_biases = true, .with_norm_biases = true,
		.without_gate = true, .is_parallel = true, .activation = SRM_ACTIVATION_GELU,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000, .dim = 6}},
	/* experts in every other layer (Mixtral, Qwen3) */
	{.n_layers = 3, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 20,
		.vocab_size = 50, .dtype = SRM_BF16, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000},
	.n_experts = 7, .n_experts_used = 2, .expert_dim = 40, .normalizes_experts = true},
	/* with a step that all tokens take (Qwen2) */
	{.n_layers = 2, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000},
	.n_experts = 5, .n_experts_used = 3, .expert_dim = 17, .shared_dim = 50},
	/* heads packed into one tensor (InternLM2), wave lengths scaled one by one (Phi-3) */
	{.n_layers = 2, .dim = 24, .n_heads = 6, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .with_biases = true,
		.rope = {.type = SRM_ROPE_LONGROPE, .theta = 10000, .attention_factor = 1.2,
	.factors = (const float[]) {1.0f, 1.1f, 2.5f, 40.0f}}, .fused = true}
};

#define N_SHAPES	(sizeof(shapes) / sizeof(shapes[0]))

/* The greatest difference, relative to values above 1; infinite where one is NaN. */
static inline double
distance(const float *a, const double *b, size_t n)
{
	double		greatest = 0;

	for (size_t i = 0; i < n; i++)
	{
		double		difference = fabs(a[i] - b[i]) / fmax(1, fabs(b[i]));

		if (!(difference <= greatest))
			greatest = isnan(difference) ? INFINITY : difference;
	}
	return greatest;
}

static int32_t tokens[MAX_TOKENS];
static uint32_t all_tokens[MAX_TOKENS];

static inline void
fill_tokens(size_t vocab_size)
{
	for (size_t i = 0; i < MAX_TOKENS; i++)
	{
		tokens[i] = (int32_t) ((i * i * 7 + i * 3 + 1) % vocab_size);
		all_tokens[i] = (uint32_t) i;
	}
}

/* Runs tokens first .. first + n - 1 and wants all of them. */
static inline void
run_block(const SrmDecoder *decoder, SrmCache *cache, size_t first, size_t n,
		  float *hidden, int n_threads)
{
	assert_true(forward_text(decoder, cache, cache != NULL, tokens + first, n, all_tokens, n,
									hidden + first * decoder->dim, n_threads, NULL, &status));
}

#endif							/* SRM_DECODER_FIXTURE_H */
