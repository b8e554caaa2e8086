/*-------------------------------------------------------------------------
 *
 * test_backward.c
 *	  The decoder's forward and backward in training: against the scoring
 *	  pass, against finite differences, and among themselves.
 *
 *-------------------------------------------------------------------------
 */
#include "../kernels_environment.h"
#include "testing.h"

#include "train/decoder_train.h"
#include "kernel/kernels.h"
#include "random_decoder.h"

#define MAX_TENSORS		64
#define MAX_ROWS		256

/* A weight of a decoder, and its gradient. */
typedef struct Tensor
{
	const char *name;
	float	   *w;
	float	   *g;
	size_t		n;
} Tensor;

/* A decoder, a decoder of gradients, and a batch of two trees and a lone conversation. */
typedef struct Fixture
{
	SrmArena   *arena;
	SrmStatus	status;
	SrmDecoder *decoder;
	SrmDecoder	gradient;
	Tensor		tensors[MAX_TENSORS];
	size_t		n_tensors;
	int32_t		tokens[MAX_ROWS];
	SrmBranch	segments[8];
	SrmTree		trees[4];
	uint32_t	wanted[MAX_ROWS];
	SrmTrainBatch batch;
	float	   *coefficients;	/* (n_wanted, dim): the loss is their product with the states */
	float	   *hidden;
	SrmThreads *threads;
} Fixture;

static const RandomShape plain_shape = {
	.n_layers = 2,.dim = 24,.n_heads = 4,.n_kv_heads = 4,.head_dim = 8,.ffn_dim = 40,
	.vocab_size = 50,.rope = {.type = SRM_ROPE_DEFAULT,.theta = 10000.0,.attention_factor = 1.0}
};

static const RandomShape grouped_shape = {
	.n_layers = 3,.dim = 40,.n_heads = 6,.n_kv_heads = 2,.head_dim = 6,.ffn_dim = 50,
	.vocab_size = 60,.with_biases = true,.with_head_norms = true,
	.rope = {.type = SRM_ROPE_DEFAULT,.theta = 500.0,.attention_factor = 1.0}
};

static const RandomShape gemma_shape = {
	.n_layers = 2,.dim = 32,.n_heads = 2,.n_kv_heads = 1,.head_dim = 36,.ffn_dim = 33,
	.vocab_size = 40,.rope = {.type = SRM_ROPE_DEFAULT,.theta = 10000.0,.attention_factor = 1.0},
	.window = 9,.window_step = 2,.embedding_scale = 5.5f,.attention_scale = 0.2f,
	.attention_softcap = 1.5f,.activation = SRM_ACTIVATION_GELU_TANH,.with_post_norms = true
};

/* Rotary position by the window, and a layer without any. */
static const RandomShape mixed_shape = {
	.n_layers = 3,.dim = 24,.n_heads = 4,.n_kv_heads = 2,.head_dim = 8,.ffn_dim = 40,
	.vocab_size = 50,.rope = {.type = SRM_ROPE_DEFAULT,.theta = 1000.0,.attention_factor = 1.0},
	.window = 9,.window_step = 2,.with_local_rope = true,.rope_step = 3
};

static void
add_tensor(Fixture *fixture, const char *name, const float *w, const float **gradient, size_t n)
{
	Tensor	   *tensor = &fixture->tensors[fixture->n_tensors];

	if (w == NULL)
		return;
	assert_true(fixture->n_tensors++ < MAX_TENSORS);
	tensor->name = name;
	tensor->w = (float *) w;
	tensor->n = n;
	tensor->g = srm_arena_array(fixture->arena, n, sizeof(float), &fixture->status);
	assert_non_null(tensor->g);
	*gradient = tensor->g;
}

static void
add_matrix(Fixture *fixture, const char *name, const SrmMatrix *w, SrmMatrix *gradient)
{
	const float *data;

	add_tensor(fixture, name, w->data, &data, w->rows * w->cols);
	*gradient = *w;
	gradient->data = data;
}

static void
add_layer(Fixture *fixture, const SrmLayer *layer, SrmLayer *gradient)
{
	static const char *const names[] = {
#define WEIGHT(name, member, role, rows, cols, peft) #member,
		SRM_WEIGHT_LIST(WEIGHT)
#undef WEIGHT
	};

	for (int i = 0; i < SRM_N_WEIGHTS; i++)
		if (srm_weight_is_matrix(i))
			add_matrix(fixture, names[i], srm_weight_matrix(layer, i), srm_weight_matrix(gradient, i));
		else
			add_tensor(fixture, names[i], *srm_weight_vector(layer, i), srm_weight_vector(gradient, i),
					   srm_weight_rows(fixture->decoder, i));
}

/* Tree of 30 + (60, 25), lone conversation of 70 rows, tree of 1 + (5, 7) */
static void
make_batch(Fixture *fixture)
{
	static const size_t lengths[][2] = {{30, 0}, {60, 30}, {25, 30}, {50, 0}, {1, 0}, {5, 1}, {7, 1}};
	static const size_t firsts[] = {0, 3, 4, 7};
	RandomState random = {.seed = 99};
	size_t		row = 0;

	for (size_t i = 0; i < 7; i++)
	{
		fixture->segments[i] = (SrmBranch) {.first = row,.n = lengths[i][0],.n_past = lengths[i][1]};
		row += lengths[i][0];
	}
	for (size_t i = 0; i < 3; i++)
		fixture->trees[i] = (SrmTree) {fixture->segments + firsts[i], firsts[i + 1] - firsts[i]};
	for (size_t i = 0; i < row; i++)
	{
		fixture->tokens[i] = (int32_t) ((random_float(&random) + 1.0f) * 0.4999f *
										(float) fixture->decoder->vocab_size);
		if (i % 7 == 2 || i == 29)
			fixture->wanted[fixture->batch.n_wanted++] = (uint32_t) i;
	}
	fixture->batch.tokens = fixture->tokens;
	fixture->batch.n_rows = row;
	fixture->batch.segments = fixture->segments;
	fixture->batch.n_segments = 7;
	fixture->batch.trees = fixture->trees;
	fixture->batch.n_trees = 3;
	fixture->batch.wanted = fixture->wanted;
}

static void
start(Fixture *fixture, const RandomShape *shape)
{
	RandomState random = {.seed = 5};
	size_t		n;

	memset(fixture, 0, sizeof(Fixture));
	srm_status_init(&fixture->status);
	fixture->arena = srm_arena_create(&fixture->status);
	random.arena = fixture->arena;
	fixture->decoder = random_decoder(shape, 7, fixture->arena);
	fixture->gradient = *fixture->decoder;
	fixture->gradient.layers = srm_arena_array(fixture->arena, shape->n_layers, sizeof(SrmLayer),
											   &fixture->status);
	add_matrix(fixture, "embedding", &fixture->decoder->embedding, &fixture->gradient.embedding);
	for (size_t i = 0; i < shape->n_layers; i++)
		add_layer(fixture, &fixture->decoder->layers[i], &fixture->gradient.layers[i]);
	add_tensor(fixture, "final_norm", fixture->decoder->final_norm, &fixture->gradient.final_norm, shape->dim);
	make_batch(fixture);
	n = fixture->batch.n_wanted * shape->dim;
	fixture->coefficients = random_vector(&random, n, 0.0f, 1.0f);
	fixture->hidden = random_vector(&random, n, 0.0f, 1.0f);
	fixture->threads = srm_threads_start(2, &fixture->status);
	assert_non_null(fixture->threads);
}

static void
end(Fixture *fixture)
{
	srm_threads_end(fixture->threads);
	srm_arena_free(fixture->arena);
}

static SrmDecoderTrain *
make_train(Fixture *fixture, bool recompute)
{
	SrmTrainSize size = {.n_rows = MAX_ROWS,.n_wanted = MAX_ROWS,.n_positions = 128,
		.n_tree_rows = MAX_ROWS,.backward = true,.recompute = recompute
	};
	SrmDecoderTrain *train = srm_decoder_train_create(fixture->decoder, &fixture->gradient, NULL, &size,
													  &fixture->status);

	assert_non_null(train);
	return train;
}

static double
run_forward(Fixture *fixture, SrmDecoderTrain *train)
{
	double		loss = 0.0;

	if (!srm_decoder_train_forward(train, fixture->hidden, &fixture->batch, true, fixture->threads, NULL,
								   &fixture->status))
		fail_msg("%s", fixture->status.message);
	for (size_t i = 0; i < fixture->batch.n_wanted * fixture->decoder->dim; i++)
		loss += (double) fixture->hidden[i] * fixture->coefficients[i];
	return loss;
}

static void
run_backward(Fixture *fixture, SrmDecoderTrain *train)
{
	for (size_t i = 0; i < fixture->n_tensors; i++)
		memset(fixture->tensors[i].g, 0, fixture->tensors[i].n * sizeof(float));
	run_forward(fixture, train);
	assert_true(srm_decoder_train_backward(train, fixture->coefficients, &fixture->batch, fixture->threads,
										   NULL, &fixture->status));
}

/* w += step * direction */
static void
move(Tensor *tensor, const float *direction, double step)
{
	for (size_t i = 0; i < tensor->n; i++)
		tensor->w[i] = (float) (tensor->w[i] + step * direction[i]);
}

/*
 * The slope of the loss along a direction of one tensor.  Two steps are mixed so that
 * the third derivative falls out; what is left is rounding, some 1e-4 of the loss over the step.
 */
static double
measure_slope(Fixture *fixture, SrmDecoderTrain *train, Tensor *tensor, const float *direction, double step)
{
	float	   *kept = malloc(tensor->n * sizeof(float));
	double		loss[4];
	static const double steps[] = {1.0, -1.0, 2.0, -2.0};

	memcpy(kept, tensor->w, tensor->n * sizeof(float));
	for (int i = 0; i < 4; i++)
	{
		move(tensor, direction, step * steps[i]);
		loss[i] = run_forward(fixture, train);
		memcpy(tensor->w, kept, tensor->n * sizeof(float));
	}
	free(kept);
	return (8.0 * (loss[0] - loss[1]) - (loss[2] - loss[3])) / (12.0 * step);
}

/* Along the gradient, where the slope is its norm, and along a random direction. */
static void
check_tensor(Fixture *fixture, SrmDecoderTrain *train, Tensor *tensor)
{
	RandomState random = {.seed = 3};
	float	   *direction = malloc(tensor->n * sizeof(float));
	double		norm = 0.0;
	double		product = 0.0;
	double		length = 0.0;
	double		slope;

	for (size_t i = 0; i < tensor->n; i++)
		norm += (double) tensor->g[i] * tensor->g[i];
	norm = sqrt(norm);
	if (!(norm > 1e-3))
		fail_msg("%s has no gradient", tensor->name);
	for (size_t i = 0; i < tensor->n; i++)
		direction[i] = (float) (tensor->g[i] / norm);
	slope = measure_slope(fixture, train, tensor, direction, 0.01);
	if (!(fabs(slope - norm) < 0.005 * norm))
		fail_msg("%s: slope %g along the gradient, whose norm is %g", tensor->name, slope, norm);

	for (size_t i = 0; i < tensor->n; i++)
	{
		direction[i] = random_float(&random);
		length += (double) direction[i] * direction[i];
	}
	for (size_t i = 0; i < tensor->n; i++)
	{
		direction[i] = (float) (direction[i] / sqrt(length));
		product += (double) direction[i] * tensor->g[i];
	}
	slope = measure_slope(fixture, train, tensor, direction, 0.01);
	if (!(fabs(slope - product) < 0.005 * norm))
		fail_msg("%s: slope %g along a direction, not %g", tensor->name, slope, product);
	free(direction);
}

static void
check_slopes(const RandomShape *shape)
{
	Fixture		fixture;
	SrmDecoderTrain *train;

	start(&fixture, shape);
	train = make_train(&fixture, false);
	run_backward(&fixture, train);
	for (size_t i = 0; i < fixture.n_tensors; i++)
		check_tensor(&fixture, train, &fixture.tensors[i]);
	srm_decoder_train_free(train);
	end(&fixture);
}

static void
test_slopes_plain(void **state)
{
	(void) state;
	check_slopes(&plain_shape);
}

static void
test_slopes_grouped(void **state)
{
	(void) state;
	check_slopes(&grouped_shape);
}

static void
test_slopes_gemma(void **state)
{
	(void) state;
	check_slopes(&gemma_shape);
	check_slopes(&mixed_shape);
}

/* Where a branch of a batch begins among those wanted, and how many it has there. */
static size_t
find_wanted(const Fixture *fixture, const SrmBranch *branch, uint32_t *wanted, size_t *n)
{
	size_t		first = 0;

	while (first < fixture->batch.n_wanted && fixture->wanted[first] < branch->first)
		first++;
	for (*n = 0; first + *n < fixture->batch.n_wanted; ++*n)
	{
		wanted[*n] = fixture->wanted[first + *n] - (uint32_t) branch->first;
		if (wanted[*n] >= branch->n)
			break;
	}
	return first;
}

/*
 * A branch as scoring computes it, with the beginning in a cache and packed
 * weights: the same bits.
 */
static void
check_branch(const Fixture *fixture, const SrmDecoder *packed, const SrmBranch *branch, const SrmTree *tree)
{
	SrmStatus	status;
	SrmCache   *cache;
	uint32_t	wanted[MAX_ROWS];
	float	   *hidden = malloc(MAX_ROWS * packed->dim * sizeof(float));
	SrmSequence sequences[2] = {
		{.tokens = fixture->tokens + tree->segments[0].first,.n_tokens = branch->n_past,.is_kept = true},
		{.tokens = fixture->tokens + branch->first,.n_tokens = branch->n,.wanted = wanted,.hidden = hidden}
	};
	size_t		first = find_wanted(fixture, branch, wanted, &sequences[1].n_wanted);
	bool		has_past = branch->n_past > 0;

	srm_status_init(&status);
	cache = srm_cache_create(packed, &status);
	assert_non_null(cache);
	sequences[1].past = has_past ? &sequences[0] : NULL;
	if (!srm_decoder_forward_batch(packed, cache, has_past ? sequences : sequences + 1, has_past ? 2 : 1, 1, NULL, &status))
		fail_msg("%s", status.message);
	assert_memory_equal(hidden, fixture->hidden + first * packed->dim, sequences[1].n_wanted * packed->dim * sizeof(float));
	srm_cache_free(cache);
	free(hidden);
}

static void
check_against_scoring(const RandomShape *shape)
{
	Fixture		fixture;
	SrmDecoderTrain *train;
	SrmDecoder	packed;

	start(&fixture, shape);
	train = make_train(&fixture, false);
	run_forward(&fixture, train);
	packed = *fixture.decoder;
	packed.layers = srm_arena_array(fixture.arena, shape->n_layers, sizeof(SrmLayer), &fixture.status);
	memcpy(packed.layers, fixture.decoder->layers, shape->n_layers * sizeof(SrmLayer));
	pack_decoder(&packed, SRM_COMPUTE_F32, fixture.arena);
	for (size_t i = 0; i < fixture.batch.n_segments; i++)
		check_branch(&fixture, &packed, &fixture.segments[i], &fixture.trees[i < 3 ? 0 : i < 4 ? 1 : 2]);
	srm_decoder_train_free(train);
	end(&fixture);
}

static void
test_against_scoring(void **state)
{
	(void) state;
	check_against_scoring(&plain_shape);
	check_against_scoring(&grouped_shape);
	check_against_scoring(&gemma_shape);
	check_against_scoring(&mixed_shape);
}

static float *
copy_gradients(const Fixture *fixture, size_t *n)
{
	float	   *copy;
	size_t		at = 0;

	*n = 0;
	for (size_t i = 0; i < fixture->n_tensors; i++)
		*n += fixture->tensors[i].n;
	copy = malloc(*n * sizeof(float));
	for (size_t i = 0; i < fixture->n_tensors; i++)
	{
		memcpy(copy + at, fixture->tensors[i].g, fixture->tensors[i].n * sizeof(float));
		at += fixture->tensors[i].n;
	}
	return copy;
}

/* Any number of threads, and states kept or computed again: the same bits. */
static void
test_same_bits(void **state)
{
	Fixture		fixture;
	float	   *expected = NULL;
	size_t		n;

	(void) state;
	start(&fixture, &grouped_shape);
	for (int i = 0; i < 4; i++)
	{
		SrmDecoderTrain *train = make_train(&fixture, i % 2 == 1);
		float	   *found;

		srm_threads_end(fixture.threads);
		fixture.threads = srm_threads_start(i < 2 ? 1 : 3, &fixture.status);
		run_backward(&fixture, train);
		found = copy_gradients(&fixture, &n);
		if (expected == NULL)
			expected = found;
		else
		{
			assert_memory_equal(found, expected, n * sizeof(float));
			free(found);
		}
		srm_decoder_train_free(train);
	}
	free(expected);
	end(&fixture);
}

/* Adapters of some matrices of a fixture. */
typedef struct Adapted
{
	SrmTrainAdapter adapters[4 * SRM_N_WEIGHTS];
	SrmDecoder	frozen;			/* gradients of nothing */
} Adapted;

#define RANK	5

/* layers: bits of those that have adapters, of the weights whose bits are set in weights. */
static void
adapt(Fixture *fixture, Adapted *adapted, unsigned layers, unsigned weights)
{
	RandomState random = {.arena = fixture->arena,.seed = 21};

	memset(adapted, 0, sizeof(Adapted));
	adapted->frozen = *fixture->decoder;
	adapted->frozen.embedding.data = NULL;
	adapted->frozen.final_norm = NULL;
	adapted->frozen.layers = srm_arena_array(fixture->arena, fixture->decoder->n_layers, sizeof(SrmLayer), &fixture->status);
	for (size_t i = 0; i < fixture->decoder->n_layers * SRM_N_WEIGHTS; i++)
	{
		SrmTrainAdapter *adapter = &adapted->adapters[i];
		const SrmMatrix *w = srm_weight_matrix(&fixture->decoder->layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS);

		if (!srm_weight_is_matrix(i % SRM_N_WEIGHTS) || !(layers >> i / SRM_N_WEIGHTS & 1) ||
			!(weights >> i % SRM_N_WEIGHTS & 1))
			continue;
		adapter->rank = RANK;
		adapter->scale = 1.75f;
		adapter->a = random_vector(&random, RANK * w->cols, 0.0f, 0.5f);
		adapter->b = random_vector(&random, w->rows * RANK, 0.0f, 0.5f);
		adapter->da = srm_arena_array(fixture->arena, RANK * w->cols, sizeof(float), &fixture->status);
		adapter->db = srm_arena_array(fixture->arena, w->rows * RANK, sizeof(float), &fixture->status);
	}
}

/* The gradients of all adapters, one behind the other; to be freed. */
static float *
run_adapted(Fixture *fixture, Adapted *adapted, bool is_frozen, bool recompute, size_t *n)
{
	SrmTrainSize size = {.n_rows = MAX_ROWS,.n_wanted = MAX_ROWS,.n_positions = 128,
		.n_tree_rows = MAX_ROWS,.backward = true,.recompute = recompute,.rank = RANK
	};
	SrmDecoderTrain *train = srm_decoder_train_create(fixture->decoder, is_frozen ? &adapted->frozen : &fixture->gradient,
													  adapted->adapters, &size, &fixture->status);
	float	   *all = NULL;

	assert_non_null(train);
	*n = 0;
	for (size_t i = 0; i < fixture->decoder->n_layers * SRM_N_WEIGHTS; i++)
	{
		const SrmTrainAdapter *adapter = &adapted->adapters[i];
		const SrmMatrix *w = srm_weight_matrix(&fixture->decoder->layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS);

		if (adapter->a == NULL)
			continue;
		memset(adapter->da, 0, RANK * w->cols * sizeof(float));
		memset(adapter->db, 0, w->rows * RANK * sizeof(float));
	}
	run_backward(fixture, train);
	for (size_t i = 0; i < fixture->decoder->n_layers * SRM_N_WEIGHTS; i++)
	{
		const SrmTrainAdapter *adapter = &adapted->adapters[i];
		const SrmMatrix *w = srm_weight_matrix(&fixture->decoder->layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS);
		size_t		count = RANK * (w->cols + w->rows);

		if (adapter->a == NULL)
			continue;
		all = realloc(all, (*n + count) * sizeof(float));
		memcpy(all + *n, adapter->da, RANK * w->cols * sizeof(float));
		memcpy(all + *n + RANK * w->cols, adapter->db, w->rows * RANK * sizeof(float));
		*n += count;
	}
	srm_decoder_train_free(train);
	return all;
}

/* da = scale * b^T dw and db = scale * dw a^T, from the gradient of what is adapted. */
static void
compare_factors(const SrmTrainAdapter *adapter, const SrmMatrix *dw)
{
	const float *d = dw->data;
	double		norm = 0.0;
	double		worst = 0.0;

	for (size_t k = 0; k < RANK; k++)
		for (size_t j = 0; j < dw->cols + dw->rows; j++)
		{
			double		sum = 0.0;
			double		found = j < dw->cols ? adapter->da[k * dw->cols + j] : adapter->db[(j - dw->cols) * RANK + k];

			for (size_t i = 0; i < (j < dw->cols ? dw->rows : dw->cols); i++)
				sum += j < dw->cols ? (double) adapter->b[i * RANK + k] * d[i * dw->cols + j] :
					(double) d[(j - dw->cols) * dw->cols + i] * adapter->a[k * dw->cols + i];
			sum *= adapter->scale;
			norm = fmax(norm, fabs(sum));
			worst = fmax(worst, fabs(sum - found));
		}
	if (!(norm > 1e-3 && worst < 1e-5 * norm))
		fail_msg("a gradient is off by %g of %g", worst, norm);
}

/* Where all has gradients, those of the adapters follow from those of what they adapt. */
static void
test_adapters(void **state)
{
	static const RandomShape *const shapes[] = {&plain_shape, &grouped_shape, &gemma_shape};

	(void) state;
	for (int shape = 0; shape < 3; shape++)
	{
		Fixture		fixture;
		Adapted		adapted;
		size_t		n;

		start(&fixture, shapes[shape]);
		adapt(&fixture, &adapted, ~0u, ~0u);
		free(run_adapted(&fixture, &adapted, false, false, &n));
		for (size_t i = 0; i < fixture.decoder->n_layers * SRM_N_WEIGHTS; i++)
			if (srm_weight_is_matrix(i % SRM_N_WEIGHTS))
				compare_factors(&adapted.adapters[i],
								srm_weight_matrix(&fixture.gradient.layers[i / SRM_N_WEIGHTS], i % SRM_N_WEIGHTS));
		end(&fixture);
	}
}

/*
 * Where the rest is frozen they have the same bits: whatever is adapted, from wherever on, with
 * states kept or computed again.
 */
static void
test_frozen(void **state)
{
	static const struct
	{
		unsigned	layers;
		unsigned	weights;
	}			cases[] = {
		{7, ~0u}, {1, ~0u}, {6, ~0u}, {4, ~0u}, {3, 1u << SRM_WEIGHT_DOWN}, {2, 1u << SRM_WEIGHT_UP},
		{1, 1u << SRM_WEIGHT_OUTPUT}, {1, 1u << SRM_WEIGHT_QUERY | 1u << SRM_WEIGHT_VALUE}, {4, 1u << SRM_WEIGHT_KEY},
		{4, 1u << SRM_WEIGHT_QUERY}, {4, 1u << SRM_WEIGHT_GATE | 1u << SRM_WEIGHT_OUTPUT}
	};

	(void) state;
	for (size_t i = 0; i < 4 * sizeof(cases) / sizeof(cases[0]); i++)
	{
		Fixture		fixture;
		Adapted		adapted;
		size_t		n;
		size_t		n_frozen;
		float	   *expected;
		float	   *found;

		start(&fixture, i % 2 == 0 ? &grouped_shape : &gemma_shape);
		/* The second has two layers */
		adapt(&fixture, &adapted, cases[i / 4].layers >> (i % 2 == 1 && cases[i / 4].layers == 4), cases[i / 4].weights);
		expected = run_adapted(&fixture, &adapted, false, false, &n);
		found = run_adapted(&fixture, &adapted, true, i / 2 % 2 == 1, &n_frozen);
		assert_true(n > 0 && n == n_frozen);
		assert_memory_equal(found, expected, n * sizeof(float));
		for (size_t k = 0; k < n; k++)
			assert_true(isfinite(found[k]));
		free(found);
		free(expected);
		end(&fixture);
	}
}

/* A forward pass alone needs less memory and gives the same states. */
static void
test_forward_alone(void **state)
{
	Fixture		fixture;
	SrmTrainSize size = {.n_rows = MAX_ROWS,.n_wanted = MAX_ROWS,.n_positions = 128,.n_tree_rows = MAX_ROWS};
	SrmDecoderTrain *train;
	float	   *expected;
	size_t		bytes;

	(void) state;
	start(&fixture, &gemma_shape);
	bytes = fixture.batch.n_wanted * gemma_shape.dim * sizeof(float);
	train = make_train(&fixture, false);
	run_forward(&fixture, train);
	srm_decoder_train_free(train);
	expected = malloc(bytes);
	memcpy(expected, fixture.hidden, bytes);

	train = srm_decoder_train_create(fixture.decoder, NULL, NULL, &size, &fixture.status);
	assert_non_null(train);
	assert_true(srm_decoder_train_forward(train, fixture.hidden, &fixture.batch, false, fixture.threads, NULL,
										  &fixture.status));
	assert_memory_equal(fixture.hidden, expected, bytes);
	assert_false(srm_decoder_train_backward(train, fixture.coefficients, &fixture.batch, fixture.threads, NULL,
											&fixture.status));
	srm_decoder_train_free(train);
	free(expected);
	end(&fixture);
}

/* Products of all shapes, with edges, and element strides of all kinds; against sums in double. */
static void
check_products(const SrmKernels *kernels)
{
	static const size_t sizes[] = {1, 2, 8, 11, 12, 13, 31, 33, 64, 130, 300};
	enum
	{
		N_SIZES = sizeof(sizes) / sizeof(sizes[0]), MAX = 300
	};
	RandomState random = {.seed = 11};
	float	   *a = malloc(MAX * MAX * sizeof(float));
	float	   *b = malloc(MAX * MAX * sizeof(float));
	float	   *out = malloc(MAX * MAX * sizeof(float));
	float	   *panels = malloc(srm_panel_floats(MAX, MAX) * sizeof(float));

	for (size_t i = 0; i < MAX * MAX; i++)
	{
		a[i] = random_float(&random);
		b[i] = random_float(&random);
	}
	for (size_t number = 0; number < N_SIZES * N_SIZES * N_SIZES; number += 7)
	{
		size_t		m = sizes[number % N_SIZES];
		size_t		n = sizes[number / N_SIZES % N_SIZES];
		size_t		k = sizes[number / N_SIZES / N_SIZES];
		bool		across = number % 2 == 0;
		bool		add = number % 3 == 0;

		for (size_t i = 0; i < MAX * MAX; i++)
			out[i] = 0.5f;
		kernels->pack_columns(panels, b, across ? 1 : MAX, across ? MAX : 1, n, k);
		kernels->multiply_columns(out, MAX, a, across ? MAX : 1, across ? 1 : MAX, panels, m, n, k, add);
		for (size_t i = 0; i < m; i++)
			for (size_t j = 0; j < n; j++)
			{
				double		sum = add ? 0.5 : 0.0;

				for (size_t p = 0; p < k; p++)
					sum += (double) a[across ? i * MAX + p : p * MAX + i] * b[across ? j * MAX + p : p * MAX + j];
				assert_close(out[i * MAX + j], sum, 1e-5);
			}
		/* Nothing is written outside */
		assert_true(n == MAX || out[n] == 0.5f);
		assert_true(m == MAX || out[m * MAX] == 0.5f);
	}
	free(a);
	free(b);
	free(out);
	free(panels);
}

static void
test_products(void **state)
{
	(void) state;
	for (size_t i = 0; srm_kernels_at(i) != NULL; i++)
		check_products(srm_kernels_at(i));
}

/* The sets of kernels agree within rounding. */
static void
test_kernels_agree(void **state)
{
	RandomState random = {.seed = 21};
	enum
	{
		N = 101
	};
	float		in[5][N];
	float		out[2][6][N];	/* of the plain set, and of another */
	float		stepped[2][6][N];

	(void) state;
	for (size_t i = 0; i < 5 * N; i++)
		in[i / N][i % N] = 3.0f * random_float(&random);
	for (size_t number = 0; srm_kernels_at(number) != NULL; number++)
	{
		const SrmKernels *kernels = srm_kernels_at(number);
		int			i = number > 0;
		SrmAdamStep step = {0.1f, 0.01f, 0.5f, 0.9f, 0.99f, 1.5f, 1e-8f};

		memcpy(out[i], in, sizeof(in));
		kernels->silu_backward(out[i][0], out[i][1], out[i][2], in[3], N);
		kernels->norm_backward(out[i][3], out[i][4], in[0], in[1], in[2], 1e-5f, N, true);
		memcpy(out[i][5], in[1], sizeof(in[1]));
		kernels->softmax_backward(out[i][5], in[2], 0.3f, 0.2f, N);
		for (int j = 0; j < N; j++)
			assert_close(out[i][5][j], (double) in[2][j] * (in[1][j] - 0.3) * 0.2, 1e-5);
		assert_close(kernels->dot(in[0], in[1], N), srm_kernels_at(0)->dot(in[0], in[1], N), 1e-5);
		for (int j = 0; j < 5 * N; j++)
			assert_close(out[i][j / N][j % N], out[0][j / N][j % N], 1e-5);

		memcpy(stepped[i], in, sizeof(in));
		memcpy(stepped[i][5], in[4], sizeof(in[4]));
		for (int j = 0; j < N; j++)
			stepped[i][2][j] = fabsf(in[2][j]);
		kernels->adam(stepped[i][0], stepped[i][1], stepped[i][2], in[3], &step, N);
		kernels->gelu_tanh_backward(stepped[i][3], stepped[i][4], stepped[i][5], in[0], N - 1);
		for (int j = 0; j < 6 * N; j++)
			assert_close(stepped[i][j / N][j % N], stepped[0][j / N][j % N], 1e-5);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_kernels_agree),
		cmocka_unit_test(test_against_scoring),
		cmocka_unit_test(test_slopes_plain),
		cmocka_unit_test(test_slopes_grouped),
		cmocka_unit_test(test_slopes_gemma),
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_adapters),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_forward_alone)
	};

	choose_kernels_of_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
