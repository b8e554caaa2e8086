/*-------------------------------------------------------------------------
 *
 * test_attention.c
 *	  Tests of attention, with each set of kernels that the processor has.
 *
 *-------------------------------------------------------------------------
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn/attention.h"
#include "nn/kernels.h"
#include "random_decoder.h"

static SrmArena *arena;
static SrmStatus status;

static int
setup(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void) state;
	srm_arena_free(arena);
	return 0;
}

/* A block of n tokens behind n_past others, and what comes out. */
typedef struct Case
{
	SrmAttention attention;
	size_t		n;
	float	   *queries;		/* (n, n_heads * head_dim) */
	uint32_t   *index;			/* (n): 0, 1, 2 ... */
	float	   *out;
} Case;

static void *
allocate(size_t size)
{
	void	   *memory = srm_arena_alloc(arena, size, &status);

	assert_non_null(memory);
	return memory;
}

static Case
random_case(SrmAttention shape, size_t n, uint64_t seed)
{
	RandomState random = {.arena = arena, .seed = seed * 2 + 1};
	size_t		q_dim = shape.n_heads * shape.head_dim;
	size_t		kv_dim = shape.n_kv_heads * shape.head_dim;
	Case		result = {.attention = shape, .n = n};

	result.attention.past_keys = random_vector(&random, shape.n_past * kv_dim, 0.0f, 1.0f);
	result.attention.past_values = random_vector(&random, shape.n_past * kv_dim, 0.0f, 1.0f);
	result.attention.keys = random_vector(&random, n * kv_dim, 0.0f, 1.0f);
	result.attention.values = random_vector(&random, n * kv_dim, 0.0f, 1.0f);
	result.queries = random_vector(&random, n * q_dim, 0.0f, 4.0f);
	result.index = allocate(n * sizeof(uint32_t));
	for (size_t i = 0; i < n; i++)
		result.index[i] = (uint32_t) i;
	result.out = allocate(n * q_dim * sizeof(float));
	memset(result.out, 0xFF, n * q_dim * sizeof(float));
	return result;
}

static void
attend(const Case *c, int n_threads)
{
	SrmThreads *threads = srm_threads_start(n_threads, &status);

	assert_non_null(threads);
	assert_true(srm_attention_forward(c->out, c->queries, &c->attention, c->index, c->n,
									  threads, NULL, &status));
	srm_threads_end(threads);
}

/* Keys or values of a head at a position, which counts the past. */
static const float *
row_at(const Case *c, bool values, size_t position, size_t head)
{
	const SrmAttention *a = &c->attention;
	const float *past = values ? a->past_values : a->past_keys;
	const float *block = values ? a->values : a->keys;
	const float *row = position < a->n_past ? past + position * a->n_kv_heads * a->head_dim :
		block + (position - a->n_past) * a->n_kv_heads * a->head_dim;

	return row + head * a->head_dim;
}

/* One head of one token, from the definition and in double. */
static void
plain_attention(double *out, const Case *c, size_t row, size_t head)
{
	const SrmAttention *a = &c->attention;
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
	const SrmAttention *a = &c->attention;
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
	SrmAttention shape;
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
with_each_set(void (*check) (SrmAttention shape, size_t n))
{
	const SrmKernels *kept = srm_kernels;

	for (size_t set = 0; srm_kernels_at(set) != NULL; set++)
		for (size_t i = 0; i < N_CASES; i++)
			for (int kind = SRM_COMPUTE_F32; kind <= SRM_COMPUTE_BF16; kind++)
			{
				SrmAttention shape = cases[i].shape;

				shape.compute = (SrmCompute) kind;
				srm_kernels = srm_kernels_at(set);
				check(shape, cases[i].n);
			}
	srm_kernels = kept;
}

static void
check_values(SrmAttention shape, size_t n)
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
check_rows(SrmAttention shape, size_t n)
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
	SrmAttention shape = {.n_heads = 2, .n_kv_heads = 1, .head_dim = 16};

	(void) state;
	for (size_t set = 0; srm_kernels_at(set) != NULL; set++)
	{
		const SrmKernels *kept = srm_kernels;
		Case		c = random_case(shape, 300, 3);

		srm_kernels = srm_kernels_at(set);
		((float *) (uintptr_t) c.attention.keys)[270 * 16 + 3] = NAN;
		attend(&c, 1);
		srm_kernels = kept;
		for (size_t i = 0; i < 300 * 32; i++)
			assert_int_equal(isnan(c.out[i]), i >= 270 * 32);
	}
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_rows),
		TEST(test_not_finite),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
