/*-------------------------------------------------------------------------
 *
 * test_gemm.c
 *	  Tests of packed weights and of the products with them.
 *
 *-------------------------------------------------------------------------
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nn/pack.h"
#include "random_decoder.h"

static SrmArena *arena;
static SrmStatus status;

static const SrmCompute all_kinds[] = {SRM_COMPUTE_F32, SRM_COMPUTE_BF16, SRM_COMPUTE_INT8};

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

static void *
allocate(size_t size)
{
	void	   *memory = srm_arena_alloc(arena, size, &status);

	assert_non_null(memory);
	return memory;
}

/* packed weights */

static void *
pack(const SrmMatrix *w, SrmCompute compute)
{
	size_t		size = srm_pack_bytes(compute, w->rows, w->cols);
	void	   *packed = allocate(size);

	assert_int_equal(size % 64, 0);
	memset(packed, 0xFF, size);
	srm_pack(packed, w, compute);
	return packed;
}

/* What a row may lose: nothing in f32, half a unit of bfloat, half a step of 1 / 127. */
static float
packing_error(SrmCompute compute, float value, float greatest)
{
	if (compute == SRM_COMPUTE_F32)
		return 0.0f;
	return compute == SRM_COMPUTE_BF16 ? fabsf(value) / 256 : greatest / 127 * 0.50001f;
}

static void
check_pack(size_t rows, size_t cols, SrmDtype dtype, SrmCompute compute)
{
	RandomState random = {.arena = arena, .seed = rows * 7 + cols};
	SrmMatrix	w = random_matrix(&random, rows, cols, dtype);
	void	   *packed = pack(&w, compute);
	float	   *row = allocate(cols * sizeof(float));

	for (size_t i = 0; i < rows; i++)
	{
		float		greatest = 0;

		srm_matrix_read(&w, i * cols, cols, row);
		for (size_t j = 0; j < cols; j++)
			greatest = fmaxf(greatest, fabsf(row[j]));
		for (size_t j = 0; j < cols; j++)
			assert_true(fabsf(srm_pack_read(packed, compute, cols, i, j) - row[j]) <=
						packing_error(compute, row[j], greatest));
	}
	for (size_t i = rows; i % SRM_PANEL != 0; i++)
		for (size_t j = 0; j < cols; j++)
			assert_true(srm_pack_read(packed, compute, cols, i, j) == 0.0f);
}

/* every element is found again, at all edges; bf16 takes bfloats and f32 anything as it is */
static void
test_pack(void **state)
{
	static const size_t sizes[][2] = {{1, 1}, {1, 70}, {31, 15}, {32, 16}, {33, 17}, {70, 300}, {64, 257}};

	(void) state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t kind = 0; kind < 3; kind++)
		{
			check_pack(sizes[i][0], sizes[i][1], SRM_F32, all_kinds[kind]);
			check_pack(sizes[i][0], sizes[i][1], SRM_F16, all_kinds[kind]);
			check_pack(sizes[i][0], sizes[i][1], SRM_BF16, all_kinds[kind]);
		}
}

/* bfloats and 8-bit values are taken over exactly */
static void
test_pack_exactly(void **state)
{
	RandomState random = {.arena = arena, .seed = 8};
	SrmMatrix	bfloats = random_matrix(&random, 37, 45, SRM_BF16);
	SrmMatrix	bytes = random_matrix(&random, 37, 45, SRM_INT8);
	const void *packed_bfloats = pack(&bfloats, SRM_COMPUTE_BF16);
	const void *packed_bytes = pack(&bytes, SRM_COMPUTE_INT8);

	(void) state;
	for (size_t i = 0; i < 37; i++)
		for (size_t j = 0; j < 45; j++)
		{
			float		bfloat;
			float		byte;

			srm_matrix_read(&bfloats, i * 45 + j, 1, &bfloat);
			srm_matrix_read(&bytes, i * 45 + j, 1, &byte);
			assert_true(srm_pack_read(packed_bfloats, SRM_COMPUTE_BF16, 45, i, j) == bfloat);
			assert_true(srm_pack_read(packed_bytes, SRM_COMPUTE_INT8, 45, i, j) == byte);
		}
}

/* pieces give the same bytes as the whole */
static void
test_pack_rows(void **state)
{
	RandomState random = {.arena = arena, .seed = 9};
	SrmMatrix	w = random_matrix(&random, 101, 77, SRM_BF16);

	(void) state;
	for (size_t kind = 0; kind < 3; kind++)
	{
		size_t		size = srm_pack_bytes(all_kinds[kind], 101, 77);
		void	   *whole = pack(&w, all_kinds[kind]);
		void	   *pieces = allocate(size);

		memset(pieces, 0x55, size);
		srm_pack_rows(pieces, &w, all_kinds[kind], 96, 5);
		srm_pack_rows(pieces, &w, all_kinds[kind], 0, 32);
		srm_pack_rows(pieces, &w, all_kinds[kind], 32, 64);
		assert_memory_equal(whole, pieces, size);
	}
}

/* what is not finite does not become a number, what is zero stays zero */
static void
test_pack_extremes(void **state)
{
	static const float values[] = {NAN, INFINITY, -INFINITY, 3e38f, 0.0f, 1e-42f};

	(void) state;
	for (size_t kind = 0; kind < 3; kind++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		{
			float		data[3] = {0.0f, values[i], 0.0f};
			SrmMatrix	w = {.data = data, .dtype = SRM_F32, .rows = 1, .cols = 3};
			void	   *packed = pack(&w, all_kinds[kind]);
			float		value = srm_pack_read(packed, all_kinds[kind], 3, 0, 1);

			if (isfinite(values[i]))
				assert_true(fabsf(value - values[i]) <= fabsf(values[i]) / 200 + 1e-41f);
			else
				assert_false(isfinite(value));
		}
	assert_int_equal(srm_bf16_of_float(1.00390625f), 0x3F80);	/* ties go to even */
	assert_int_equal(srm_bf16_of_float(1.01171875f), 0x3F82);
	assert_int_equal(srm_bf16_of_float(-1.0039064f), 0xBF81);
	assert_int_equal(srm_bf16_of_float(3.4e38f), 0x7F80);
}

/* sizes that do not fit are no sizes */
static void
test_pack_sizes(void **state)
{
	(void) state;
	assert_int_equal(srm_pack_bytes(SRM_COMPUTE_F32, 33, 17), 2 * 32 * 32 * 4);
	assert_int_equal(srm_pack_bytes(SRM_COMPUTE_BF16, 33, 17), 2 * 32 * 16 * 4);
	assert_int_equal(srm_pack_bytes(SRM_COMPUTE_INT8, 33, 65), 2 * (32 * 32 * 4 + 256));
	assert_int_equal(srm_pack_bytes(SRM_COMPUTE_F32, SIZE_MAX, 64), 0);
	assert_int_equal(srm_pack_bytes(SRM_COMPUTE_F32, 1, SIZE_MAX), 0);
	assert_int_equal(srm_pack_bytes(SRM_COMPUTE_INT8, SIZE_MAX / 2, SIZE_MAX), 0);
	for (size_t kind = 0; kind < 3; kind++)
		assert_int_equal(strncmp(srm_pack_layout(all_kinds[kind]),
								 srm_compute_name(all_kinds[kind]),
								 strlen(srm_compute_name(all_kinds[kind]))), 0);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pack),
		TEST(test_pack_exactly),
		TEST(test_pack_rows),
		TEST(test_pack_extremes),
		TEST(test_pack_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
