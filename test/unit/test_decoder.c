/*-------------------------------------------------------------------------
 *
 * test_decoder.c
 *	  Tests of the decoder: its plain twin, blocks, threads, stops.
 *
 *-------------------------------------------------------------------------
 */
#include "decoder_fixture.h"

#include "../kernels_environment.h"
#include "../median.h"
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

/* Copies the rows of a matrix to where they lie together. */
static void
unpack_rows(SrmMatrix *matrix)
{
	size_t		size = matrix->cols * srm_dtype_size(matrix->dtype);
	char	   *rows = allocate(matrix->rows * size);

	for (size_t i = 0; i < matrix->rows; i++)
		memcpy(rows + i * size, (const char *) matrix->data +
			   (i / matrix->band * matrix->stride + i % matrix->band) * size, size);
	matrix->data = rows;
	matrix->band = 0;
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

/* The distance of the token in the middle: of tokens that other experts take, it knows nothing. */
static double
median_distance(const float *a, const double *b, size_t n_tokens, size_t dim)
{
	double	   *distances = allocate(n_tokens * sizeof(double));

	for (size_t i = 0; i < n_tokens; i++)
		distances[i] = mean_distance(a + i * dim, b + i * dim, dim);
	return median(distances, n_tokens);
}

/*
 * weights packed for f32 change nothing; bfloats cost what roundings of 2^-9 in
 * each product do, and bytes what steps of 1 / 127 of the greatest do, through all layers.  A token that
 * is as near to another expert may be rounded to that one, on some processors and not on others.
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
			if (kind != SRM_COMPUTE_F32 && shapes[i].n_experts > 0)
				assert_true(median_distance(hidden, expected, 150, decoder->dim) < limits[kind] / 2);
			else
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

/* rows that lie apart in a fused tensor give the bits that they give together */
static void
test_decoder_fused(void **state)
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_decoder_plain),
		TEST(test_decoder_plain_long),
		TEST(test_decoder_compute),
		TEST(test_decoder_blocks),
		TEST(test_decoder_fused),
		TEST(test_decoder_ahead),
		TEST(test_relative_rows),
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
