/*-------------------------------------------------------------------------
 *
 * test_attention.c
 *	  Tests of attention, with each set of kernels that the processor has.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include "nn/attention.h"
#include "kernel/kernels.h"
#include "random_decoder.h"

typedef struct Shape
{
	size_t		n_heads;
	size_t		n_kv_heads;
	size_t		head_dim;
	float		scale;
	float		softcap;
	size_t		window;
	SrmCompute	compute;
	size_t		n_past;
} Shape;

/* A block of n tokens behind n_past others, and what comes out. */
typedef struct Case
{
	Shape		shape;
	size_t		n;
	float	   *past_keys;		/* (n_past, n_kv_heads * head_dim) */
	float	   *past_values;
	float	   *keys;			/* (n, n_kv_heads * head_dim) */
	float	   *values;
	float	   *queries;		/* (n, n_heads * head_dim) */
	uint32_t   *index;			/* (n): 0, 1, 2 ... */
	float	   *out;
} Case;

static Case
random_case(Shape shape, size_t n, uint64_t seed)
{
	RandomState random = {.arena = arena, .seed = seed * 2 + 1};
	size_t		q_dim = shape.n_heads * shape.head_dim;
	size_t		kv_dim = shape.n_kv_heads * shape.head_dim;
	Case		result = {.shape = shape, .n = n};

	result.past_keys = random_vector(&random, shape.n_past * kv_dim, 0.0f, 1.0f);
	result.past_values = random_vector(&random, shape.n_past * kv_dim, 0.0f, 1.0f);
	result.keys = random_vector(&random, n * kv_dim, 0.0f, 1.0f);
	result.values = random_vector(&random, n * kv_dim, 0.0f, 1.0f);
	result.queries = random_vector(&random, n * q_dim, 0.0f, 4.0f);
	result.index = allocate(n * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		result.index[i] = (uint32_t) i;
	result.out = allocate(n * q_dim * sizeof(float));
	memset(result.out, 0xFF, n * q_dim * sizeof(float));
	return result;
}

/* n tokens where attention reads them, from first on, written in pieces; the memory has NaN in it. */
static SrmKeys
pack(const Shape *shape, size_t first, size_t n, const float *keys, const float *values)
{
	SrmKeys		packed = {
		.compute = srm_keys_compute(shape->compute), .n_heads = shape->n_kv_heads, .head_dim = shape->head_dim
	};
	size_t		capacity = srm_keys_capacity(first + n);
	size_t		bytes = srm_keys_bytes(&packed, capacity);
	size_t		width = shape->n_kv_heads * shape->head_dim;
	void	   *memory = (void *) (((uintptr_t) allocate(bytes + 64) + 63) & ~(uintptr_t) 63);

	memset(memory, 0xFF, bytes);
	srm_keys_place(&packed, memory, capacity);
	for (size_t start = 0; start < n;)
	{
		size_t		end = start + SRM_PANEL - (first + start) % SRM_PANEL;

		/* Some panels at once, others in two pieces, the first of which may end in half a lane */
		if (start % 64 < SRM_PANEL)
			end = start + 1 + start % 7 < end ? start + 1 + start % 7 : end;
		end = end < n ? end : n;
		srm_keys_write(&packed, first + start, end - start, keys + start * width, values + start * width);
		start = end;
	}
	return packed;
}

static void
attend(const Case *c, int n_threads)
{
	const Shape *shape = &c->shape;
	SrmThreads *threads = srm_threads_start(n_threads, &status);
	size_t		n_own = c->n == 0 ? 0 : (size_t) c->index[c->n - 1] + 1;
	SrmKeys		past = pack(shape, 0, shape->n_past, c->past_keys, c->past_values);
	SrmKeys		own = pack(shape, SRM_PANEL, n_own, c->keys, c->values);
	SrmAttention attention = {
		.n_heads = shape->n_heads, .scale = shape->scale, .softcap = shape->softcap, .window = shape->window,
		.n_past = shape->n_past, .past = &past, .own = &own, .own_first = SRM_PANEL
	};

	assert_non_null(threads);
	assert_true(srm_attention_forward(c->out, c->queries, &attention, c->index, c->n,
									  threads, NULL, &status));
	srm_threads_end(threads);
}

/* Keys or values of a head at a position, which counts the past. */
static const float *
row_at(const Case *c, bool values, size_t position, size_t head)
{
	const Shape *a = &c->shape;
	const float *past = values ? c->past_values : c->past_keys;
	const float *block = values ? c->values : c->keys;
	const float *row = position < a->n_past ? past + position * a->n_kv_heads * a->head_dim :
		block + (position - a->n_past) * a->n_kv_heads * a->head_dim;

	return row + head * a->head_dim;
}

/* One head of one token, from the definition and in double. */
static void
plain_attention(double *out, const Case *c, size_t row, size_t head)
{
	const Shape *a = &c->shape;
	const float *query = c->queries + (row * a->n_heads + head) * a->head_dim;
	size_t		kv_head = head / (a->n_heads / a->n_kv_heads);
	size_t		own = a->n_past + c->index[row];
	size_t		start = a->window == 0 || own < a->window ? 0 : own + 1 - a->window;
	double		sum = 0;

	memset(out, 0, a->head_dim * sizeof(double));
	for (size_t position = start; position <= own; position++)
	{
		double		score = 0;

		for (size_t i = 0; i < a->head_dim; i++)
			score += (double) query[i] * row_at(c, false, position, kv_head)[i];
		score *= a->scale > 0 ? a->scale : 1 / sqrt((double) a->head_dim);
		if (a->softcap > 0)
			score = a->softcap * tanh(score / a->softcap);
		sum += exp(score);
		for (size_t i = 0; i < a->head_dim; i++)
			out[i] += exp(score) * row_at(c, true, position, kv_head)[i];
	}
	for (size_t i = 0; i < a->head_dim; i++)
		out[i] /= sum;
}

/*
 * In f32, values up to 1 come out to some units in the last place; in bf16, scores of some
 * units are off by 2^-8 of a product's size, and weights by a few of these.
 */
static void
check_case(const Case *c)
{
	const Shape *a = &c->shape;
	double		tolerance = a->compute == SRM_COMPUTE_F32 ? 4e-6 : 2e-2;
	double	   *expected = allocate(a->head_dim * sizeof(double));

	for (size_t row = 0; row < c->n; row++)
		for (size_t head = 0; head < a->n_heads; head++)
		{
			plain_attention(expected, c, row, head);
			for (size_t i = 0; i < a->head_dim; i++)
				assert_true(fabs(c->out[(row * a->n_heads + head) * a->head_dim + i] - expected[i]) <= tolerance);
		}
}

/* heads, heads of keys, head size, scale, cap, window, kind, past; and n */
static const struct
{
	Shape		shape;
	size_t		n;
}			cases[] = {
	{{.n_heads = 1, .n_kv_heads = 1, .head_dim = 2}, 1},
	{{.n_heads = 2, .n_kv_heads = 1, .head_dim = 64}, 70},
	{{.n_heads = 4, .n_kv_heads = 4, .head_dim = 80, .n_past = 3}, 33},
	{{.n_heads = 6, .n_kv_heads = 2, .head_dim = 30, .n_past = 300, .scale = 0.3f}, 21},
	{{.n_heads = 2, .n_kv_heads = 1, .head_dim = 128, .softcap = 1.5f}, 290},
	{{.n_heads = 7, .n_kv_heads = 1, .head_dim = 16, .window = 5}, 40},
	{{.n_heads = 2, .n_kv_heads = 2, .head_dim = 34, .window = 20, .n_past = 270}, 300},
	{{.n_heads = 28, .n_kv_heads = 2, .head_dim = 8, .window = 400, .n_past = 256, .softcap = 3}, 5}
};

#define N_CASES		(sizeof(cases) / sizeof(cases[0]))

static void
with_each_set(void (*check) (Shape shape, size_t n))
{
	const SrmKernels *kept = srm_kernels;

	for (size_t set = 0; srm_kernels_at(set) != NULL; set++)
		for (size_t i = 0; i < N_CASES; i++)
			for (int kind = SRM_COMPUTE_F32; kind <= SRM_COMPUTE_BF16; kind++)
			{
				Shape		shape = cases[i].shape;

				shape.compute = (SrmCompute) kind;
				srm_kernels = srm_kernels_at(set);
				check(shape, cases[i].n);
			}
	srm_kernels = kept;
}

static void
check_values(Shape shape, size_t n)
{
	Case		c = random_case(shape, n, 1);

	attend(&c, 1);
	check_case(&c);
}

/* attention agrees with its definition */
static void
test_values(void **state)
{
	(void) state;
	with_each_set(check_values);
}

/* Some rows alone, or with threads: the bits of a row depend on its place alone. */
static void
check_rows(Shape shape, size_t n)
{
	Case		all = random_case(shape, n, 2);
	size_t		q_dim = shape.n_heads * shape.head_dim;
	float	   *first = allocate(n * q_dim * sizeof(float));
	Case		part = all;

	attend(&all, 1);
	memcpy(first, all.out, n * q_dim * sizeof(float));
	memset(all.out, 0xFF, n * q_dim * sizeof(float));
	attend(&all, 3);
	assert_memory_equal(all.out, first, n * q_dim * sizeof(float));
	for (size_t start = 0; start < n; start += 1 + n / 7)
	{
		part.n = n - start < 1 + start % 17 ? n - start : 1 + start % 17;
		part.queries = all.queries + start * q_dim;
		part.index = all.index + start;
		attend(&part, 2);
		assert_memory_equal(part.out, first + start * q_dim, part.n * q_dim * sizeof(float));
	}
}

static void
test_rows(void **state)
{
	(void) state;
	with_each_set(check_rows);
}

/* a value that is not a number reaches those who see it, and no token before it */
static void
test_not_finite(void **state)
{
	Shape		shape = {.n_heads = 2, .n_kv_heads = 1, .head_dim = 16};

	(void) state;
	for (size_t set = 0; srm_kernels_at(set) != NULL; set++)
	{
		const SrmKernels *kept = srm_kernels;
		Case		c = random_case(shape, 300, 3);

		srm_kernels = srm_kernels_at(set);
		c.keys[270 * 16 + 3] = NAN;
		attend(&c, 1);
		srm_kernels = kept;
		for (size_t i = 0; i < 300 * 32; i++)
			assert_int_equal(isnan(c.out[i]), i >= 270 * 32);
	}
}

/* The bits of a token's value in the first column of a head. */
static uint32_t
value_bits(const SrmKeys *keys, size_t head, size_t token)
{
	size_t		group = srm_pack_group(srm_packing_of(keys->compute));
	const char *panel = srm_value_panel_at(keys, head, 0, token / SRM_PANEL * SRM_PANEL);
	uint32_t	lane;

	memcpy(&lane, panel + token % SRM_PANEL / group * SRM_PANEL * 4, sizeof(lane));
	return group == 1 ? lane : lane >> 16 * (token % 2) & 0xFFFF;
}

/* what was truncated leaves no trace, not even as zero times NaN, and is written over */
static void
check_truncated(Shape shape, size_t n)
{
	Case		c = random_case(shape, n, 4);
	size_t		width = shape.n_kv_heads * shape.head_dim;
	SrmKeys		before = pack(&shape, 0, n, c.keys, c.values);
	SrmKeys		after = pack(&shape, 0, n, c.keys, c.values);
	size_t		bytes = srm_keys_bytes(&before, before.capacity);
	float	   *worthless = allocate(SRM_PANEL * width * sizeof(float));
	size_t		kept = n - n / 3 - 1;
	size_t		left = SRM_PANEL - kept % SRM_PANEL;

	memset(worthless, 0xFF, SRM_PANEL * width * sizeof(float));
	srm_keys_write(&after, kept, left, worthless, worthless);
	srm_keys_truncate(&after, kept);
	for (size_t token = kept; token % SRM_PANEL != 0; token++)
		assert_int_equal(value_bits(&after, shape.n_kv_heads - 1, token), 0);
	for (size_t start = kept; start < n; start += left)
	{
		left = SRM_PANEL - start % SRM_PANEL < n - start ? SRM_PANEL - start % SRM_PANEL : n - start;
		srm_keys_write(&after, start, left, c.keys + start * width, c.values + start * width);
	}
	/* Keys behind the last one are never read; values are */
	assert_memory_equal(after.values, before.values, bytes - (size_t) (before.values - before.keys));
}

static void
test_truncated(void **state)
{
	(void) state;
	with_each_set(check_truncated);
}

/* Keys and values of the first tokens of a whole panel, which may be fewer. */
static void
check_panel(const SrmKeys *a, size_t a_first, const SrmKeys *b, size_t b_first, size_t head, size_t n)
{
	size_t		n_lanes = srm_pack_lanes(srm_packing_of(a->compute), a->head_dim);
	size_t		bytes = SRM_PANEL / srm_pack_group(srm_packing_of(a->compute)) * SRM_PANEL * 4;

	for (size_t i = 0; i < n_lanes; i++)
		assert_memory_equal(srm_keys_panel(a, head, a_first) + i * SRM_PANEL * 4,
							srm_keys_panel(b, head, b_first) + i * SRM_PANEL * 4, n * 4);
	for (size_t number = 0; number < srm_value_panels(a); number++)
		assert_memory_equal(srm_value_panel_at(a, head, number, a_first), srm_value_panel_at(b, head, number, b_first), bytes);
}

/* a beginning that was copied before tokens that are there makes the keys that all of them make in a row */
static void
check_copied(Shape shape, size_t n)
{
	Case		c = random_case(shape, n, 4);
	size_t		width = shape.n_kv_heads * shape.head_dim;
	size_t		first = 2 * SRM_PANEL;
	SrmKeys		whole = pack(&shape, 0, n, c.keys, c.values);

	for (size_t n_common = 0; n_common < n; n_common += 1 + n_common / 3)
	{
		SrmKeys		joined = pack(&shape, first, n, c.keys, c.values);
		size_t		left;

		memset(joined.keys, 0xFF, srm_keys_bytes(&joined, joined.capacity));
		for (size_t start = n_common; start < n; start += left)
		{
			left = SRM_PANEL - start % SRM_PANEL < n - start ? SRM_PANEL - start % SRM_PANEL : n - start;
			srm_keys_write(&joined, first + start, left, c.keys + start * width, c.values + start * width);
		}
		srm_keys_copy(&joined, first, &whole, 0, n_common);
		for (size_t head = 0; head < shape.n_kv_heads; head++)
			for (size_t start = 0; start < n; start += SRM_PANEL)
				check_panel(&joined, first + start, &whole, start, head, n - start < SRM_PANEL ? n - start : SRM_PANEL);
	}
}

static void
test_copied(void **state)
{
	(void) state;
	with_each_set(check_copied);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_rows),
		TEST(test_not_finite),
		TEST(test_truncated),
		TEST(test_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
