/*-------------------------------------------------------------------------
 *
 * test_decoder.c
 *	  Tests of the decoder: its plain twin, blocks, threads, stops.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include "../kernels_environment.h"
#include "forward_text.h"
#include "nn/decoder.h"
#include "plain_decoder.h"
#include "random_decoder.h"

#define MAX_TOKENS	700

/* The greatest difference, relative to values above 1; infinite where one is NaN. */
static double
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

typedef struct StopAfter
{
	int			n_left;
	int			n_asked;
} StopAfter;

static bool
stop_after(void *arg)
{
	StopAfter  *stop = arg;

	stop->n_asked++;
	return stop->n_left-- <= 0;
}

static const SrmRope default_rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000};

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
	.factors = (const float[]) {1.0f, 1.1f, 2.5f, 40.0f}}, .packed = true}
};

#define N_SHAPES	(sizeof(shapes) / sizeof(shapes[0]))

/* Not causal: what follows a token changes its state. */
static const RandomShape encoder_shapes[] = {
	/* learned positions, norms behind the sum, no gate (BERT) */
	{.n_layers = 2, .dim = 24, .n_heads = 3, .n_kv_heads = 3, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .norm_kind = SRM_NORM_LAYER, .with_biases = true, .with_norm_biases = true,
		.without_input_norms = true, .with_post_norms = true, .post_norms_sum = true, .without_gate = true,
		.activation = SRM_ACTIVATION_GELU, .ahead = SRM_AHEAD_ALL, .first_position = 2,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}, .rope_step = 1},
	/* a window to both sides, a gate (ModernBERT) */
	{.n_layers = 3, .dim = 24, .n_heads = 4, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_BF16, .norm_kind = SRM_NORM_LAYER, .activation = SRM_ACTIVATION_GELU,
		.ahead = 20, .window = 21, .window_step = 2, .with_local_rope = true,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}},
	/* relative positions in buckets, of both kinds (DeBERTa) */
	{.n_layers = 2, .dim = 24, .n_heads = 3, .n_kv_heads = 3, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_BF16, .norm_kind = SRM_NORM_LAYER, .with_biases = true, .with_norm_biases = true,
		.without_input_norms = true, .with_post_norms = true, .post_norms_sum = true, .without_gate = true,
		.activation = SRM_ACTIVATION_GELU, .ahead = SRM_AHEAD_ALL, .attention_scale = 0.2f,
		.relative = {.span = 40, .n_buckets = 40, .max_distance = 150, .by_query = true, .by_key = true},
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}, .rope_step = 1},
	/* positions of one kind, without buckets, nearer than texts are long */
	{.n_layers = 2, .dim = 24, .n_heads = 2, .n_kv_heads = 2, .head_dim = 8, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .ahead = SRM_AHEAD_ALL,
		.relative = {.span = 70, .max_distance = 70, .by_key = true},
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}, .rope_step = 1},
	/* a few tokens ahead of all there are before (a segmenter) */
	{.n_layers = 2, .dim = 24, .n_heads = 2, .n_kv_heads = 1, .head_dim = 16, .ffn_dim = 40,
		.vocab_size = 50, .dtype = SRM_F32, .ahead = 1,
	.rope = {.type = SRM_ROPE_DEFAULT, .theta = 10000}},
};

/* rows of distances, as transformers' make_log_bucket_position() gives them */
static void
test_relative_rows(void **state)
{
	static const struct
	{
		SrmRelative relative;
		int64_t		distance;
		size_t		row;
	}			cases[] = {
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 0, 256},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 128, 384},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 129, 385},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 130, 386},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 132, 387},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, -132, 125},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 511, 511},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, -511, 1},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, -1000, 0},
		{{.span = 256,.n_buckets = 256,.max_distance = 512}, 1000, 511},
		{{.span = 64,.n_buckets = 64,.max_distance = 1024}, 130, 109},
		{{.span = 20,.max_distance = 20}, 19, 39},
		{{.span = 20,.max_distance = 20}, 20, 39},
		{{.span = 20,.max_distance = 20}, -20, 0},
		{{.span = 20,.max_distance = 20}, -21, 0},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(srm_relative_row(&cases[i].relative, cases[i].distance), cases[i].row);
}

static int32_t tokens[MAX_TOKENS];
static uint32_t all_tokens[MAX_TOKENS];

static void
fill_tokens(size_t vocab_size)
{
	for (size_t i = 0; i < MAX_TOKENS; i++)
	{
		tokens[i] = (int32_t) ((i * i * 7 + i * 3 + 1) % vocab_size);
		all_tokens[i] = (uint32_t) i;
	}
}

/* Runs tokens first .. first + n - 1 and wants all of them. */
static void
run_block(const SrmDecoder *decoder, SrmCache *cache, size_t first, size_t n,
		  float *hidden, int n_threads)
{
	assert_true(forward_text(decoder, cache, cache != NULL, tokens + first, n, all_tokens, n,
									hidden + first * decoder->dim, n_threads, NULL, &status));
}

/* Copies the rows of a matrix to where they lie together. */
static void
unpack_rows(SrmMatrix *matrix)
{
	size_t		size = matrix->cols * srm_dtype_size(matrix->dtype);
	char	   *rows = allocate(matrix->rows * size);

	for (size_t i = 0; i < matrix->rows; i++)
		memcpy(rows + i * size, (const char *) matrix->data +
			   (i / matrix->run * matrix->stride + i % matrix->run) * size, size);
	matrix->data = rows;
	matrix->run = 0;
}

/* all shapes agree with the plain twin, at lengths around the edges of tiles */
static void
test_decoder_plain(void **state)
{
	static const size_t lengths[] = {1, 2, 5, 31, 63, 64, 65, 100, 127, 128, 129, 200};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		double	   *expected = allocate(200 * decoder->dim * sizeof(double));
		float	   *hidden = allocate(200 * decoder->dim * sizeof(float));

		/* Attention is causal, so the longest text holds the others */
		fill_tokens(decoder->vocab_size);
		plain_decoder_forward(expected, decoder, tokens, 200);
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++)
		{
			run_block(decoder, NULL, 0, lengths[j], hidden, 1);
			assert_true(distance(hidden, expected, lengths[j] * decoder->dim) < 3e-5);
		}
	}
}

/* so do those that look ahead; each length has states of its own, with any number of threads, and no prompt can be kept */
static void
test_decoder_ahead(void **state)
{
	static const size_t lengths[] = {1, 2, 31, 64, 65, 129, 257, 300, MAX_TOKENS};

	(void) state;
	for (size_t i = 0; i < sizeof(encoder_shapes) / sizeof(encoder_shapes[0]); i++)
	{
		SrmDecoder *decoder = random_decoder(&encoder_shapes[i], i, arena);
		double	   *expected = allocate(MAX_TOKENS * decoder->dim * sizeof(double));
		float	   *hidden = allocate(MAX_TOKENS * decoder->dim * sizeof(float));
		SrmCache   *cache = srm_cache_create(decoder, &status);

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < sizeof(lengths) / sizeof(lengths[0]); j++)
			for (int n_threads = 1; n_threads <= 2; n_threads++)
			{
				plain_decoder_forward(expected, decoder, tokens, lengths[j]);
				run_block(decoder, NULL, 0, lengths[j], hidden, n_threads);
				assert_true(distance(hidden, expected, lengths[j] * decoder->dim) < 3e-5);
			}
		assert_false(forward_text(decoder, cache, true, tokens, 5, all_tokens, 5, hidden, 1, NULL, &status));
		assert_int_equal(status.code, SRM_INTERNAL);
		srm_status_init(&status);
		srm_cache_free(cache);
	}
}

/* The root of the mean square of the differences; the final norm makes states of size 1. */
static double
mean_distance(const float *a, const double *b, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sqrt(sum / (double) n);
}

/*
 * weights packed for f32 change nothing; bfloats cost what roundings of 2^-9 in
 * each product do, and bytes what steps of 1 / 127 of the greatest do, through all layers
 */
static void
test_decoder_compute(void **state)
{
	static const double limits[] = {1e-5, 0.04, 0.12, 0.06};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		double	   *expected = allocate(150 * decoder->dim * sizeof(double));
		float	   *hidden = allocate(150 * decoder->dim * sizeof(float));
		float	   *first = allocate(150 * decoder->dim * sizeof(float));

		fill_tokens(decoder->vocab_size);
		plain_decoder_forward(expected, decoder, tokens, 150);
		run_block(decoder, NULL, 0, 150, first, 1);
		for (int kind = SRM_COMPUTE_F32; kind < SRM_N_COMPUTES; kind++)
		{
			pack_decoder(decoder, (SrmCompute) kind, arena);
			run_block(decoder, NULL, 0, 150, hidden, 2);
			assert_true(mean_distance(hidden, expected, 150 * decoder->dim) < limits[kind]);
			if (kind == SRM_COMPUTE_F32)
				assert_memory_equal(hidden, first, 150 * decoder->dim * sizeof(float));
		}
	}
}

/* so does a text of more than one chunk, and one with part of it in the cache */
static void
test_decoder_plain_long(void **state)
{
	RandomShape shape = shapes[1];
	SrmDecoder *decoder = random_decoder(&shape, 77, arena);
	SrmCache   *cache = srm_cache_create(decoder, &status);
	double	   *expected = allocate(MAX_TOKENS * decoder->dim * sizeof(double));
	float	   *hidden = allocate(MAX_TOKENS * decoder->dim * sizeof(float));

	(void) state;
	fill_tokens(decoder->vocab_size);
	plain_decoder_forward(expected, decoder, tokens, MAX_TOKENS);
	run_block(decoder, NULL, 0, MAX_TOKENS, hidden, 2);
	assert_true(distance(hidden, expected, MAX_TOKENS * decoder->dim) < 3e-5);
	run_block(decoder, cache, 0, 131, hidden, 1);
	run_block(decoder, cache, 131, MAX_TOKENS - 131, hidden, 1);
	assert_true(distance(hidden, expected, MAX_TOKENS * decoder->dim) < 3e-5);
	srm_cache_free(cache);
}

/* wherever a text is cut into blocks, the hidden states stay, bit by bit */
static void
test_decoder_blocks(void **state)
{
	static const size_t cuts[][2] = {
		{1, 2}, {1, 199}, {63, 64}, {64, 128}, {65, 66}, {127, 129}, {128, 192}, {129, 130}, {199, 199}
	};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		double	   *expected = allocate(200 * decoder->dim * sizeof(double));
		float	   *hidden = allocate(200 * decoder->dim * sizeof(float));
		float	   *uncut = allocate(200 * decoder->dim * sizeof(float));
		SrmCache   *cache = srm_cache_create(decoder, &status);

		fill_tokens(decoder->vocab_size);
		plain_decoder_forward(expected, decoder, tokens, 200);
		run_block(decoder, cache, 0, 200, uncut, 1);
		for (size_t j = 0; j < sizeof(cuts) / sizeof(cuts[0]); j++)
		{
			memset(hidden, 0xFF, 200 * decoder->dim * sizeof(float));
			srm_cache_truncate(cache, 0);
			run_block(decoder, cache, 0, cuts[j][0], hidden, 1);
			run_block(decoder, cache, cuts[j][0], cuts[j][1] - cuts[j][0], hidden, 1);
			run_block(decoder, cache, cuts[j][1], 200 - cuts[j][1], hidden, 1);
			assert_int_equal(cache->n_tokens, 200);
			assert_true(distance(hidden, expected, 200 * decoder->dim) < 3e-5);
			assert_memory_equal(hidden, uncut, 200 * decoder->dim * sizeof(float));
		}
		srm_cache_free(cache);
	}
}

/* rows that lie apart in a packed tensor give the bits that they give together */
static void
test_decoder_packed(void **state)
{
	static const SrmDtype dtypes[] = {SRM_F32, SRM_F16, SRM_BF16};

	(void) state;
	for (size_t i = 0; i < 3; i++)
	{
		RandomShape shape = shapes[N_SHAPES - 1];
		SrmDecoder *decoder;
		float	   *expected = allocate(100 * shape.dim * sizeof(float));
		float	   *hidden = allocate(100 * shape.dim * sizeof(float));

		shape.dtype = dtypes[i];
		decoder = random_decoder(&shape, i, arena);
		fill_tokens(decoder->vocab_size);
		run_block(decoder, NULL, 0, 100, expected, 1);
		for (size_t j = 0; j < decoder->n_layers; j++)
		{
			unpack_rows(&decoder->layers[j].query);
			unpack_rows(&decoder->layers[j].key);
			unpack_rows(&decoder->layers[j].value);
		}
		run_block(decoder, NULL, 0, 100, hidden, 2);
		assert_memory_equal(hidden, expected, 100 * shape.dim * sizeof(float));
	}
}

#define N_TEXTS		5
#define N_PROMPT	70

/* Texts behind tokens 0 .. N_PROMPT - 1; each starts at another token. */
static const size_t text_lengths[N_TEXTS] = {17, 1, 100, 64, 5};

static void
make_texts(SrmSequence texts[N_TEXTS], size_t dim)
{
	for (size_t i = 0; i < N_TEXTS; i++)
		texts[i] = (SrmSequence) {
			.tokens = tokens + N_PROMPT + 7 * i,.n_tokens = text_lengths[i],
			.wanted = all_tokens,.n_wanted = text_lengths[i],
			.hidden = allocate(text_lengths[i] * dim * sizeof(float))
		};
}

/* Prompt and text in one piece through the plain twin. */
static void
check_text(const SrmDecoder *decoder, const SrmSequence *text)
{
	int32_t		whole[N_PROMPT + 100];
	double	   *expected = allocate((N_PROMPT + 100) * decoder->dim * sizeof(double));

	memcpy(whole, tokens, N_PROMPT * sizeof(int32_t));
	memcpy(whole + N_PROMPT, text->tokens, text->n_tokens * sizeof(int32_t));
	plain_decoder_forward(expected, decoder, whole, N_PROMPT + text->n_tokens);
	assert_true(distance(text->hidden, expected + N_PROMPT * decoder->dim,
						 text->n_tokens * decoder->dim) < 3e-5);
}

/* The same text alone behind the prompt, which is in the cache. */
static void
check_alone(const SrmDecoder *decoder, SrmCache *cache, const SrmSequence *text)
{
	float	   *hidden = allocate(text->n_tokens * decoder->dim * sizeof(float));

	assert_true(forward_text(decoder, cache, false, text->tokens, text->n_tokens, text->wanted, text->n_wanted,
							 hidden, 1, NULL, &status));
	assert_memory_equal(text->hidden, hidden, text->n_tokens * decoder->dim * sizeof(float));
}

/*
 * texts behind one prompt, in one pass, do not see each other, however much
 * of the prompt is there, and get the bits that they have alone
 */
static void
test_decoder_batch(void **state)
{
	static const size_t cached[] = {0, 1, 64, 69, N_PROMPT};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		float	   *hidden = allocate(N_PROMPT * decoder->dim * sizeof(float));
		SrmSequence texts[1 + N_TEXTS];

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < sizeof(cached) / sizeof(cached[0]); j++)
		{
			SrmCache   *cache = srm_cache_create(decoder, &status);
			size_t		n_left = N_PROMPT - cached[j];

			texts[0] = (SrmSequence) {.tokens = tokens + cached[j],.n_tokens = n_left,.wanted = all_tokens,
				.n_wanted = n_left,.hidden = hidden,.n_common = cached[j],.is_kept = true};
			make_texts(texts + 1, decoder->dim);
			for (size_t k = 1; k <= N_TEXTS; k++)
				texts[k].past = &texts[0];
			run_block(decoder, cache, 0, cached[j], hidden, 1);
			assert_true(srm_decoder_forward_batch(decoder, cache, texts, N_TEXTS + 1, (int) j % 3 + 1, NULL, &status));
			assert_int_equal(cache->n_tokens, N_PROMPT);
			for (size_t k = 1; k <= N_TEXTS; k++)
			{
				check_text(decoder, &texts[k]);
				check_alone(decoder, cache, &texts[k]);
			}
			srm_cache_free(cache);
		}
	}
}

/* Prompts of which each begins as the one before it does, with so many of its tokens. */
static const size_t prompt_lengths[N_TEXTS] = {70, 40, 33, 90, 257};
static const size_t common_lengths[N_TEXTS] = {0, 17, 33, 16, 89};

typedef struct Texts
{
	int32_t		prompts[N_TEXTS][300];
	SrmSequence sequences[2 * N_TEXTS]; /* each prompt, and a text behind it */
} Texts;

/* The cache has n_cached tokens of the first prompt; the last one is kept. */
static void
make_prompts(Texts *made, const SrmDecoder *decoder, size_t n_cached)
{
	SrmSequence texts[N_TEXTS];

	make_texts(texts, decoder->dim);
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		size_t		n_common = i == 0 ? n_cached : common_lengths[i];
		size_t		n = prompt_lengths[i] - n_common;

		memcpy(made->prompts[i], tokens + 11 * i, prompt_lengths[i] * sizeof(int32_t));
		if (i > 0)
			memcpy(made->prompts[i], made->prompts[i - 1], n_common * sizeof(int32_t));
		made->sequences[2 * i] = (SrmSequence) {
			.tokens = made->prompts[i] + n_common,.n_tokens = n,.wanted = all_tokens,.n_wanted = n,
			.hidden = allocate(n * decoder->dim * sizeof(float)),
			.n_common = n_common,.common = i == 0 ? NULL : &made->sequences[2 * i - 2],.is_kept = i == N_TEXTS - 1
		};
		texts[i].past = &made->sequences[2 * i];
		made->sequences[2 * i + 1] = texts[i];
	}
}

/* Each prompt and text has the bits that it has alone, and the cache those of the last prompt. */
static void
check_prompts(const Texts *made, const SrmDecoder *decoder, SrmCache *last)
{
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		const SrmSequence *prompt = &made->sequences[2 * i];
		SrmCache   *cache = srm_cache_create(decoder, &status);
		float	   *hidden = allocate(prompt_lengths[i] * decoder->dim * sizeof(float));

		assert_true(forward_text(decoder, cache, true, made->prompts[i], prompt_lengths[i], all_tokens,
								 prompt_lengths[i], hidden, 1, NULL, &status));
		assert_memory_equal(prompt->hidden, hidden + prompt->n_common * decoder->dim,
							prompt->n_tokens * decoder->dim * sizeof(float));
		check_alone(decoder, cache, &made->sequences[2 * i + 1]);
		if (i == N_TEXTS - 1)
			check_alone(decoder, last, &made->sequences[2 * i + 1]);
		srm_cache_free(cache);
	}
}

static bool
stop_later(void *arg)
{
	int		   *left = arg;

	return (*left)-- <= 0;
}

/* A pass that was stopped leaves what all prompts begin with, whose states are as good as before. */
static void
check_stopped(const Texts *made, const SrmDecoder *decoder, SrmCache *cache)
{
	for (int n = 0; n < 40; n += 3)
	{
		int			left = n;
		SrmStop		stop = {stop_later, &left, NULL};
		size_t		n_before = cache->n_tokens;

		if (srm_decoder_forward_batch(decoder, cache, made->sequences, 2 * N_TEXTS, 1, &stop, &status))
			return;
		assert_int_equal(status.code, SRM_STOPPED);
		srm_status_init(&status);
		assert_int_equal(cache->n_tokens, n_before < 16 ? n_before : 16);
		assert_true(forward_text(decoder, cache, true, made->prompts[0] + cache->n_tokens, n_before - cache->n_tokens,
								 NULL, 0, NULL, 1, NULL, &status));
	}
}

/*
 * texts behind prompts of their own, which begin alike, get the bits that they have alone in one pass,
 * however much of the first prompt is in the cache
 */
static void
test_decoder_prompts(void **state)
{
	static const size_t cached[] = {0, 5, 32, 70};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		float	   *hidden = allocate(70 * decoder->dim * sizeof(float));

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < sizeof(cached) / sizeof(cached[0]); j++)
		{
			SrmCache   *cache = srm_cache_create(decoder, &status);
			Texts	   *made = allocate(sizeof(Texts));

			if (cached[j] > 0)
				run_block(decoder, cache, 0, cached[j], hidden, 1);
			make_prompts(made, decoder, cached[j]);
			check_stopped(made, decoder, cache);
			assert_true(srm_decoder_forward_batch(decoder, cache, made->sequences, 2 * N_TEXTS, (int) j % 3 + 1, NULL, &status));
			assert_int_equal(cache->n_tokens, prompt_lengths[N_TEXTS - 1]);
			check_prompts(made, decoder, cache);
			srm_cache_free(cache);
		}
	}
}

/* What texts behind one prompt have of one before them, which is named; the first has nothing, and some nothing of their own. */
static const struct
{
	size_t		before;
	size_t		n_common;
	size_t		n;
}			alike[] = {
	{0, 0, 300}, {0, 0, 9}, {0, 1, 9}, {0, 15, 1}, {0, 16, 40}, {0, 17, 9}, {0, 100, 290}, {0, 255, 9}, {0, 256, 9}, {0, 257, 9},
	{0, 299, 9}, {0, 300, 9}, {0, 300, 0}, {9, 262, 7}, {12, 280, 3}, {6, 356, 5}
};

#define N_ALIKE		(sizeof(alike) / sizeof(alike[0]))

/* All tokens of such a text behind the prompt. */
static void
write_alike(int32_t *text, size_t number)
{
	size_t		n_common = alike[number].n_common;

	if (number > 0)
		write_alike(text, alike[number].before);
	memcpy(text + n_common, tokens + N_PROMPT + (number == 0 ? 0 : 130 + 7 * number), alike[number].n * sizeof(int32_t));
}

/* Each has the bits that it has alone, from its first token on. */
static void
check_alike(const SrmDecoder *decoder, SrmCache *cache, const SrmSequence *texts)
{
	for (size_t i = 0; i < N_ALIKE; i++)
	{
		size_t		n = alike[i].n_common + alike[i].n;
		int32_t    *text = allocate(400 * sizeof(int32_t));
		float	   *hidden = allocate(n * decoder->dim * sizeof(float));

		write_alike(text, i);
		assert_true(forward_text(decoder, cache, false, text, n, all_tokens, n, hidden, 1, NULL, &status));
		assert_memory_equal(texts[i].hidden, hidden + alike[i].n_common * decoder->dim, alike[i].n * decoder->dim * sizeof(float));
	}
}

/* texts that go on from a prompt with the same tokens get the bits that they have alone, from the first one that is theirs */
static void
test_decoder_alike(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		SrmCache   *cache = srm_cache_create(decoder, &status);
		SrmSequence texts[1 + N_ALIKE] = {{.tokens = tokens,.n_tokens = N_PROMPT,.is_kept = true}};

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < N_ALIKE; j++)
		{
			int32_t    *text = allocate(400 * sizeof(int32_t));

			write_alike(text, j);
			texts[j + 1] = (SrmSequence) {
				.tokens = text + alike[j].n_common,.n_tokens = alike[j].n,.wanted = all_tokens,.n_wanted = alike[j].n,
				.hidden = allocate(alike[j].n * decoder->dim * sizeof(float)),.past = &texts[0],
				.n_common = alike[j].n_common,.common = j == 0 ? NULL : &texts[1 + alike[j].before]
			};
		}
		assert_true(srm_decoder_forward_batch(decoder, cache, texts, 1 + N_ALIKE, (int) i % 3 + 1, NULL, &status));
		assert_int_equal(cache->n_tokens, N_PROMPT);
		check_alike(decoder, cache, texts + 1);
		srm_cache_free(cache);
	}
}

/* what is in common with a text behind another prompt, or is longer than it, is refused, and so is that of the cache behind a prompt */
static void
test_decoder_alike_refused(void **state)
{
	SrmDecoder *decoder = random_decoder(&shapes[0], 0, arena);
	SrmCache   *cache = srm_cache_create(decoder, &status);
	SrmSequence texts[4] = {
		{.tokens = tokens,.n_tokens = 20},
		{.tokens = tokens,.n_tokens = 30,.is_kept = true},
		{.tokens = tokens,.n_tokens = 10,.past = &texts[0]},
		{.tokens = tokens,.n_tokens = 5,.past = &texts[0],.n_common = 10,.common = &texts[2]}
	};

	(void) state;
	fill_tokens(decoder->vocab_size);
	assert_true(srm_decoder_forward_batch(decoder, cache, texts, 4, 1, NULL, &status));
	for (int i = 0; i < 4; i++)
	{
		texts[3].past = i == 0 ? &texts[1] : i == 3 ? NULL : &texts[0];
		texts[3].common = i == 2 ? NULL : &texts[2];
		texts[3].n_common = i == 1 ? 11 : 10;
		assert_false(srm_decoder_forward_batch(decoder, cache, texts, 4, 1, NULL, &status));
		assert_int_equal(status.code, SRM_INTERNAL);
		assert_string_equal(status.message, "the beginning of a text is not there");
		srm_status_init(&status);
	}
	srm_cache_free(cache);
}

/* the same blocks give the same bits, with any threads, cache and history */
static void
test_decoder_same_bits(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		size_t		size = 170 * decoder->dim * sizeof(float);
		float	   *first = allocate(size);
		float	   *hidden = allocate(size + 64);
		SrmCache   *kept = srm_cache_create(decoder, &status);

		fill_tokens(decoder->vocab_size);
		run_block(decoder, kept, 0, 70, first, 1);
		assert_true(forward_text(decoder, kept, false, tokens + 70, 100, all_tokens, 100,
										first + 70 * decoder->dim, 1, NULL, &status));
		assert_int_equal(kept->n_tokens, 70);
		for (int run = 0; run < 6; run++)
		{
			/* The prompt kept from the first run, or computed again; out at odd places */
			SrmCache   *cache = run % 2 == 0 ? kept : srm_cache_create(decoder, &status);
			float	   *out = hidden + run;
			int			n_threads = run % 3 + 1;

			memset(hidden, 0xFF, size + 64);
			if (cache != kept)
				run_block(decoder, cache, 0, 70, out, n_threads);
			else
				memcpy(out, first, 70 * decoder->dim * sizeof(float));
			assert_true(forward_text(decoder, cache, false, tokens + 70, 100, all_tokens, 100,
											out + 70 * decoder->dim, n_threads, NULL, &status));
			assert_memory_equal(out, first, size);
			if (cache != kept)
				srm_cache_free(cache);
		}
		srm_cache_free(kept);
	}
}

/* the tokens wanted are the rows that all tokens would have given */
static void
test_decoder_wanted(void **state)
{
	static const uint32_t wanted[] = {0, 3, 64, 65, 90, 149};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		size_t		dim = decoder->dim;
		SrmCache   *cache = srm_cache_create(decoder, &status);
		double	   *expected = allocate(150 * dim * sizeof(double));
		float	   *hidden = allocate(6 * dim * sizeof(float));

		fill_tokens(decoder->vocab_size);
		plain_decoder_forward(expected, decoder, tokens, 150);
		assert_true(forward_text(decoder, NULL, true, tokens, 150, wanted, 6, hidden, 1, NULL, &status));
		for (size_t j = 0; j < 6; j++)
			assert_true(distance(hidden + j * dim, expected + wanted[j] * dim, dim) < 3e-5);

		/* A prompt may be wanted for its keys and values alone */
		assert_true(forward_text(decoder, cache, true, tokens, 100, NULL, 0, NULL, 1, NULL, &status));
		assert_true(forward_text(decoder, cache, true, tokens + 100, 50, &wanted[1], 1, hidden, 1, NULL, &status));
		assert_true(distance(hidden, expected + 103 * dim, dim) < 3e-5);
		assert_int_equal(cache->n_tokens, 150);
		assert_in_range(srm_cache_bytes(cache), 150 * 2 * decoder->n_layers * 4, SIZE_MAX);
		srm_cache_free(cache);
	}
}

/* wherever a stop comes, the call ends and the cache is as it was */
static void
test_decoder_stop(void **state)
{
	SrmDecoder *decoder = random_decoder(&shapes[3], 1, arena);
	SrmCache   *cache = srm_cache_create(decoder, &status);
	float	   *first = allocate(200 * decoder->dim * sizeof(float));
	float	   *hidden = allocate(200 * decoder->dim * sizeof(float));
	StopAfter	count = {.n_left = 1000000};
	SrmStop		stop = {stop_after, &count, NULL};
	int			n_asked;

	(void) state;
	fill_tokens(decoder->vocab_size);
	run_block(decoder, cache, 0, 50, first, 1);
	assert_true(forward_text(decoder, cache, true, tokens + 50, 100, all_tokens, 100,
									first, 1, &stop, &status));
	srm_cache_truncate(cache, 50);
	n_asked = count.n_asked;
	assert_in_range(n_asked, 10 * (int) decoder->n_layers, 1000000);
	for (int i = 0; i < n_asked; i += 1 + i / 20)
	{
		int			n_threads = i % 3 + 1;
		bool		done;

		/* With more threads the caller has fewer tasks, and asks less often */
		count.n_left = i;
		done = forward_text(decoder, cache, true, tokens + 50, 100, all_tokens, 100,
								   hidden, n_threads, &stop, &status);
		assert_int_equal(status.code, done ? SRM_OK : SRM_STOPPED);
		assert_int_equal(cache->n_tokens, done ? 150 : 50);
		assert_false(done && n_threads == 1);
		srm_cache_truncate(cache, 50);
		srm_status_init(&status);
	}
	run_block(decoder, cache, 50, 100, hidden - 50 * decoder->dim, 1);
	assert_memory_equal(hidden, first, 100 * decoder->dim * sizeof(float));
	srm_cache_free(cache);
}

static void
check_refused(const SrmDecoder *decoder, SrmCache *cache, const uint32_t *wanted, size_t n_wanted,
			  SrmCode code)
{
	float	   *hidden = allocate(8 * decoder->dim * sizeof(float));

	assert_false(forward_text(decoder, cache, true, tokens, 8, wanted, n_wanted, hidden, 1, NULL, &status));
	assert_int_equal(status.code, code);
	srm_status_init(&status);
}

/* tokens without an embedding, and calls that make no sense, are refused */
static void
test_decoder_refused(void **state)
{
	static const uint32_t beyond[] = {1, 8};
	static const uint32_t twice[] = {1, 1};
	SrmDecoder *decoder = random_decoder(&shapes[0], 1, arena);
	SrmDecoder *other = random_decoder(&shapes[1], 1, arena);
	SrmCache   *cache = srm_cache_create(decoder, &status);
	SrmCache   *foreign = srm_cache_create(other, &status);

	(void) state;
	fill_tokens(decoder->vocab_size);
	tokens[7] = 50;
	check_refused(decoder, cache, all_tokens, 1, SRM_INVALID_MODEL);
	tokens[7] = -1;
	check_refused(decoder, cache, all_tokens, 1, SRM_INVALID_MODEL);
	tokens[7] = INT32_MAX;
	check_refused(decoder, cache, all_tokens, 1, SRM_INVALID_MODEL);
	tokens[7] = 49;
	check_refused(decoder, cache, beyond, 2, SRM_INTERNAL);
	check_refused(decoder, cache, twice, 2, SRM_INTERNAL);
	check_refused(decoder, foreign, all_tokens, 1, SRM_INTERNAL);
	assert_int_equal(cache->n_tokens, 0);
	assert_true(forward_text(decoder, cache, true, tokens, 0, NULL, 0, NULL, 1, NULL, &status));
	srm_cache_free(cache);
	srm_cache_free(foreign);
}

/* Puts values that no trained model has all over a decoder. */
static void
damage_weights(SrmDecoder *decoder, float value)
{
	for (size_t i = 0; i < decoder->n_layers; i++)
	{
		SrmLayer   *layer = &decoder->layers[i];
		const SrmMatrix *matrices[] = {&layer->query, &layer->key, &layer->value,
		&layer->output, &layer->gate, &layer->up, &layer->down};

		for (size_t j = 0; j < 7; j++)
			((float *) matrices[j]->data)[j * 3] = value;
		((float *) layer->ffn_norm)[1] = value;
	}
}

/* weights that are not finite spoil the result and nothing else */
static void
test_decoder_not_finite(void **state)
{
	static const float values[] = {NAN, INFINITY, -INFINITY, 3e38f};
	float	   *hidden = allocate(150 * shapes[3].dim * sizeof(float));

	(void) state;
	fill_tokens(50);
	for (size_t i = 0; i < 4; i++)
		for (int n_threads = 1; n_threads <= 2; n_threads++)
		{
			SrmDecoder *decoder = random_decoder(&shapes[3], 9, arena);

			damage_weights(decoder, values[i]);
			run_block(decoder, NULL, 0, 150, hidden, n_threads);
			assert_true(isnan(hidden[149 * decoder->dim]));
		}
}

/* a rope no model has, such as one of NaN, spoils the result and nothing else */
static void
test_decoder_strange_rope(void **state)
{
	float	   *hidden = allocate(20 * shapes[0].dim * sizeof(float));

	(void) state;
	fill_tokens(50);
	for (int type = SRM_ROPE_DEFAULT; type <= SRM_ROPE_LONGROPE; type++)
		for (int i = 0; i < 3; i++)
		{
			RandomShape shape = shapes[0];

			shape.rope = default_rope;
			shape.rope.type = (SrmRopeType) type;
			shape.rope.factors = (const float[]) {0, NAN, INFINITY, 1e-30f};
			shape.rope.theta = i == 0 ? 0 : i == 1 ? NAN : 1e308;
			run_block(random_decoder(&shape, 1, arena), NULL, 0, 20, hidden, 1);
		}
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_decoder_plain),
		TEST(test_decoder_plain_long),
		TEST(test_decoder_compute),
		TEST(test_decoder_blocks),
		TEST(test_decoder_packed),
		TEST(test_decoder_ahead),
		TEST(test_relative_rows),
		TEST(test_decoder_batch),
		TEST(test_decoder_prompts),
		TEST(test_decoder_alike),
		TEST(test_decoder_alike_refused),
		TEST(test_decoder_same_bits),
		TEST(test_decoder_wanted),
		TEST(test_decoder_stop),
		TEST(test_decoder_refused),
		TEST(test_decoder_not_finite),
		TEST(test_decoder_strange_rope),
	};

	choose_kernels_of_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
