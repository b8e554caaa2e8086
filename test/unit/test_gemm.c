/*-------------------------------------------------------------------------
 *
 * test_gemm.c
 *	  Tests of packed weights and of the products with them.
 *
 *-------------------------------------------------------------------------
 */
#include "arena_fixture.h"

#include "kernel/kernels.h"
#include "kernel/linear.h"
#include "kernel/pack.h"
#include "products.h"
#include "random_decoder.h"

static const SrmCompute all_kinds[] = {SRM_COMPUTE_F32, SRM_COMPUTE_BF16, SRM_COMPUTE_INT8, SRM_COMPUTE_W8};
static const SrmPacking all_packings[] = {SRM_PACKING_F32, SRM_PACKING_BF16, SRM_PACKING_INT8, SRM_PACKING_W8};

#define N_KINDS	(sizeof(all_kinds) / sizeof(all_kinds[0]))

/* packed weights */

static void *
pack(const SrmMatrix *w, SrmPacking packing)
{
	size_t		size = srm_pack_bytes(packing, w->rows, w->cols);
	void	   *packed = allocate(size);

	assert_int_equal(size % 64, 0);
	memset(packed, 0xFF, size);
	srm_pack_rows(packed, w, packing, 0, w->rows);
	return packed;
}

/* What a row may lose: nothing in f32, half a unit of bfloat, half a step of 1 / 127. */
static float
packing_error(SrmPacking packing, float value, float greatest)
{
	if (packing == SRM_PACKING_F32)
		return 0.0f;
	return packing == SRM_PACKING_BF16 ? fabsf(value) / 256 : greatest / 127 * 0.50001f;
}

static void
check_pack(size_t rows, size_t cols, SrmDtype dtype, SrmPacking packing)
{
	RandomState random = {.arena = arena, .seed = rows * 7 + cols};
	SrmMatrix	w = random_matrix(&random, rows, cols, dtype);
	void	   *packed = pack(&w, packing);
	float	   *row = allocate(cols * sizeof(float));

	for (size_t i = 0; i < rows; i++)
	{
		size_t		width = packing == SRM_PACKING_W8 ? SRM_SCALE_COLS : cols;	/* that share a scale */

		srm_matrix_read(&w, i * cols, cols, row);
		for (size_t j = 0; j < cols; j++)
		{
			float		greatest = 0;

			for (size_t k = j / width * width; k < cols && k < (j / width + 1) * width; k++)
				greatest = fmaxf(greatest, fabsf(row[k]));
			assert_true(fabsf(read_packed(packed, packing, cols, i, j) - row[j]) <=
						packing_error(packing, row[j], greatest));
		}
	}
	for (size_t i = rows; i % SRM_PANEL != 0; i++)
		for (size_t j = 0; j < cols; j++)
			assert_true(read_packed(packed, packing, cols, i, j) == 0.0f);
}

/* every element is found again, at all edges; bf16 takes bfloats and f32 anything as it is */
static void
test_pack(void **state)
{
	static const size_t sizes[][2] = {{1, 1}, {1, 70}, {31, 15}, {32, 16}, {33, 17}, {70, 300}, {64, 257}};

	(void) state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t kind = 0; kind < N_KINDS; kind++)
		{
			check_pack(sizes[i][0], sizes[i][1], SRM_F32, all_packings[kind]);
			check_pack(sizes[i][0], sizes[i][1], SRM_F16, all_packings[kind]);
			check_pack(sizes[i][0], sizes[i][1], SRM_BF16, all_packings[kind]);
		}
}

/* bfloats and 8-bit values are taken over exactly */
static void
test_pack_exactly(void **state)
{
	RandomState random = {.arena = arena, .seed = 8};
	SrmMatrix	bfloats = random_matrix(&random, 37, 45, SRM_BF16);
	SrmMatrix	bytes = random_matrix(&random, 37, 45, SRM_INT8);
	const void *packed_bfloats = pack(&bfloats, SRM_PACKING_BF16);
	SrmMatrix	groups = random_matrix(&random, 37, 145, SRM_W8);
	const void *packed_bytes = pack(&bytes, SRM_PACKING_INT8);
	const void *packed_groups = pack(&groups, SRM_PACKING_W8);

	(void) state;
	for (size_t i = 0; i < 37; i++)
		for (size_t j = 0; j < 45; j++)
		{
			float		bfloat;
			float		byte;

			srm_matrix_read(&bfloats, i * 45 + j, 1, &bfloat);
			srm_matrix_read(&bytes, i * 45 + j, 1, &byte);
			assert_true(read_packed(packed_bfloats, SRM_PACKING_BF16, 45, i, j) == bfloat);
			assert_true(read_packed(packed_bytes, SRM_PACKING_INT8, 45, i, j) == byte);
		}
	for (size_t i = 0; i < 37; i++)
		for (size_t j = 0; j < 145; j++)
		{
			float		byte;

			srm_matrix_read(&groups, i * 145 + j, 1, &byte);
			assert_true(read_packed(packed_groups, SRM_PACKING_W8, 145, i, j) == byte);
		}
}

/* pieces give the same bytes as the whole */
static void
test_pack_rows(void **state)
{
	RandomState random = {.arena = arena, .seed = 9};
	SrmMatrix	w = random_matrix(&random, 101, 77, SRM_BF16);

	(void) state;
	for (size_t kind = 0; kind < N_KINDS; kind++)
	{
		size_t		size = srm_pack_bytes(all_packings[kind], 101, 77);
		void	   *whole = pack(&w, all_packings[kind]);
		void	   *pieces = allocate(size);

		memset(pieces, 0x55, size);
		srm_pack_rows(pieces, &w, all_packings[kind], 96, 5);
		srm_pack_rows(pieces, &w, all_packings[kind], 0, 32);
		srm_pack_rows(pieces, &w, all_packings[kind], 32, 64);
		assert_memory_equal(whole, pieces, size);
	}
}

/* what is not finite does not become a number, what is zero stays zero */
static void
test_pack_extremes(void **state)
{
	static const float values[] = {NAN, INFINITY, -INFINITY, 3e38f, 0.0f, 1e-42f};

	(void) state;
	for (size_t kind = 0; kind < N_KINDS; kind++)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		{
			float		data[3] = {0.0f, values[i], 0.0f};
			SrmMatrix	w = {.data = data, .dtype = SRM_F32, .rows = 1, .cols = 3};
			void	   *packed = pack(&w, all_packings[kind]);
			float		value = read_packed(packed, all_packings[kind], 3, 0, 1);

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
	assert_int_equal(srm_pack_bytes(SRM_PACKING_F32, 33, 17), 2 * 32 * 32 * 4);
	assert_int_equal(srm_pack_bytes(SRM_PACKING_BF16, 33, 17), 2 * 32 * 16 * 4);
	assert_int_equal(srm_pack_bytes(SRM_PACKING_INT8, 33, 65), 2 * (32 * 32 * 4 + 256));
	assert_int_equal(srm_pack_bytes(SRM_PACKING_W8, 33, 65), 2 * (32 * 32 * 4 + 256));
	assert_int_equal(srm_pack_bytes(SRM_PACKING_W8, 33, 64), 2 * (32 * 16 * 4 + 128));
	assert_int_equal(srm_pack_bytes(SRM_PACKING_F32, SIZE_MAX, 64), 0);
	assert_int_equal(srm_pack_bytes(SRM_PACKING_W8, 1, SIZE_MAX), 0);
	assert_int_equal(srm_pack_bytes(SRM_PACKING_F32, 1, SIZE_MAX), 0);
	assert_int_equal(srm_pack_bytes(SRM_PACKING_INT8, SIZE_MAX / 2, SIZE_MAX), 0);
	for (size_t kind = 0; kind < N_KINDS; kind++)
		assert_int_equal(strncmp(srm_packing_name(all_packings[kind]),
								 srm_compute_name(all_kinds[kind]),
								 strlen(srm_compute_name(all_kinds[kind]))), 0);
}

/* products */

typedef struct Product
{
	size_t		m;
	SrmMatrix	w;				/* packed */
	float	   *bias;			/* or NULL */
	float	   *x;				/* (m, w.cols) */
	float	   *out;			/* (m, w.rows) */
} Product;

static Product
random_product(size_t m, size_t rows, size_t cols, SrmCompute compute, uint64_t seed)
{
	RandomState random = {.arena = arena, .seed = seed * 2 + 1};
	Product		product = {.m = m};

	product.w = random_matrix(&random, rows, cols, SRM_F32);
	product.bias = seed % 2 == 0 ? NULL : random_vector(&random, rows, 0.0f, 1.0f);
	product.x = random_vector(&random, m * cols, 0.0f, 1.0f);
	product.out = allocate(m * rows * sizeof(float));
	pack_matrix(&product.w, compute, arena);
	return product;
}

static void
multiply(const Product *product, int n_threads)
{
	SrmThreads *threads = srm_threads_start(n_threads, &status);
	SrmLinear	map = {product->out, product->x, &product->w, product->bias};

	assert_non_null(threads);
	memset(product->out, 0xFF, product->m * product->w.rows * sizeof(float));
	assert_true(srm_linears_forward(&map, 1, product->m, threads, NULL, &status));
	srm_threads_end(threads);
}

/* What arithmetic sees of a value. */
static double
rounded(SrmCompute compute, float value)
{
	SrmMatrix	one = {.data = &value, .dtype = SRM_F32, .rows = 1, .cols = 1};
	uint32_t	packed[SRM_PANEL * SRM_LANES_UNIT];

	if (compute != SRM_COMPUTE_BF16)
		return value;
	srm_pack_rows(packed, &one, SRM_PACKING_BF16, 0, one.rows);
	return read_packed(packed, SRM_PACKING_BF16, 1, 0, 0);
}

/*
 * How far an output may be from the sum of n products of size 1 * sqrt(3 / n): some
 * units in the last place of f32; in int8, half a step of the row at each product.
 */
static double
product_error(const Product *product, size_t row, size_t col)
{
	double		error = 4e-6;
	float		greatest = 0;

	if (product->w.compute != SRM_COMPUTE_INT8)
		return error;
	for (size_t k = 0; k < product->w.cols; k++)
		greatest = fmaxf(greatest, fabsf(product->x[row * product->w.cols + k]));
	for (size_t k = 0; k < product->w.cols; k++)
		error += 0.5001 * greatest / 127 *
			fabs(read_packed(product->w.packed, SRM_PACKING_INT8, product->w.cols, col, k));
	return error;
}

/* Against sums in double of what was packed. */
static void
check_product(const Product *product)
{
	const SrmMatrix *w = &product->w;

	for (size_t i = 0; i < product->m; i++)
		for (size_t j = 0; j < w->rows; j++)
		{
			double		sum = product->bias == NULL ? 0 : product->bias[j];

			for (size_t k = 0; k < w->cols; k++)
				sum += rounded(w->compute, product->x[i * w->cols + k]) *
					read_packed(w->packed, w->packing, w->cols, j, k);
			assert_true(fabs(product->out[i * w->rows + j] - sum) <= product_error(product, i, j));
		}
}

/* Runs a check with each set of kernels that the processor has. */
static void
with_each_set(void (*check) (SrmCompute compute))
{
	const SrmKernels *kept = srm_kernels;

	assert_string_equal(srm_kernels_at(0)->name, "portable");
	for (size_t i = 0; srm_kernels_at(i) != NULL; i++)
		for (size_t kind = 0; kind < 3; kind++)
		{
			srm_kernels = srm_kernels_at(i);
			check(all_kinds[kind]);
		}
	srm_kernels = kept;
}

/* OpenBLAS, where it is installed, gives a row of a tile the bits that it has alone, for any numbers of rows and lanes */
static void
test_openblas(void **state)
{
	static const size_t lanes[] = {16, 48, 512, 528, 1040, 2064};
	enum
	{
		MOST = 2064
	};
	RandomState random = {.arena = arena, .seed = 3};
	float	   *x = random_vector(&random, SRM_OPENBLAS_ROWS * MOST, 0.0f, 1.0f);
	float	   *panel = random_vector(&random, SRM_PANEL * MOST, 0.0f, 1.0f);
	float		out[SRM_OPENBLAS_ROWS][SRM_PANEL];
	float		alone[SRM_OPENBLAS_ROWS][SRM_PANEL];

	(void) state;
	if (!srm_openblas_is_used())
		skip();
	for (size_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		for (size_t m = 1; m <= SRM_OPENBLAS_ROWS; m++)
		{
			SrmTile		tile = {
				.out = out[0], .out_stride = SRM_PANEL, .x = (const char *) x, .x_stride = MOST * sizeof(float),
				.panel = panel, .lanes = lanes[i], .m = m, .n = SRM_PANEL
			};

			srm_multiply_f32_openblas(&tile);
			tile.out = alone[m - 1];
			tile.x += (m - 1) * tile.x_stride;
			tile.m = 1;
			srm_multiply_f32_openblas(&tile);
			assert_memory_equal(out, alone, m * sizeof(out[0]));
		}
}

static void
check_sizes(SrmCompute compute)
{
	static const size_t sizes[][3] = {
		{1, 1, 1}, {2, 31, 3}, {3, 32, 16}, {4, 33, 64}, {5, 64, 17}, {6, 65, 65}, {7, 70, 5},
		{8, 7, 127}, {9, 48, 70}, {10, 17, 33}, {11, 16, 130}, {12, 15, 1}, {13, 70, 70},
		{25, 40, 31}, {70, 33, 67}, {2, 5, 2100}, {3, 34, 5000}
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		Product		product = random_product(sizes[i][0], sizes[i][1], sizes[i][2], compute, i);

		multiply(&product, 1);
		check_product(&product);
	}
}

/* products agree with plain sums at all edges of tiles, panels, lanes and blocks */
static void
test_products(void **state)
{
	(void) state;
	with_each_set(check_sizes);
}

/* A row keeps its bits whatever rows stand beside it, in whatever order, with any threads. */
static void
check_rows(SrmCompute compute)
{
	Product		all = random_product(70, 75, 1500, compute, 4);
	size_t		rows = all.w.rows;
	size_t		cols = all.w.cols;
	float	   *first = allocate(all.m * rows * sizeof(float));
	Product		part = all;

	multiply(&all, 1);
	memcpy(first, all.out, all.m * rows * sizeof(float));
	for (int n_threads = 2; n_threads <= 3; n_threads++)
	{
		multiply(&all, n_threads);
		assert_memory_equal(all.out, first, all.m * rows * sizeof(float));
	}
	part.out = allocate(all.m * rows * sizeof(float));
	for (size_t start = 0; start < all.m; start += 9)
		for (part.m = 1; part.m <= 26 && start + part.m <= all.m; part.m += 1 + part.m / 5)
		{
			part.x = all.x + start * cols;
			multiply(&part, 1);
			assert_memory_equal(part.out, first + start * rows, part.m * rows * sizeof(float));
		}
	part.m = all.m;
	part.x = allocate(all.m * cols * sizeof(float));
	for (size_t i = 0; i < all.m; i++)
		memcpy(part.x + i * cols, all.x + (all.m - 1 - i) * cols, cols * sizeof(float));
	multiply(&part, 2);
	for (size_t i = 0; i < all.m; i++)
		assert_memory_equal(part.out + i * rows, first + (all.m - 1 - i) * rows, rows * sizeof(float));
}

static void
test_rows(void **state)
{
	(void) state;
	with_each_set(check_rows);
}

static void
read_row(void *arg, size_t row, float *out)
{
	const Product *product = arg;

	memcpy(out, product->x + row * product->w.cols, product->w.cols * sizeof(float));
}

/* Rows that a source makes where they are needed give the bits of those that lie there, for two kinds at once. */
static void
check_source(SrmCompute compute)
{
	for (size_t kind = 0; kind < 3; kind++)
	{
		Product		one = random_product(21, 40, 533, compute, 6);
		Product		other = random_product(21, 33, 533, all_kinds[kind], 7);
		size_t		bytes = one.m * one.w.rows * sizeof(float);
		size_t		other_bytes = one.m * other.w.rows * sizeof(float);
		float	   *out = allocate(bytes);
		float	   *other_out = allocate(other_bytes);
		SrmRowSource source = {read_row, &one};
		SrmLinear	maps[2] = {{out, NULL, &one.w, one.bias}, {other_out, NULL, &other.w, other.bias}};
		SrmThreads *threads = srm_threads_start(2, &status);

		assert_non_null(threads);
		other.x = one.x;
		multiply(&one, 1);
		multiply(&other, 1);
		/* What a pass before left in the memory of packed rows */
		memset(srm_threads_shared(threads, 1 << 20, &status), 0xFF, 1 << 20);
		assert_true(srm_linears_forward_from(maps, 2, one.m, &source, threads, NULL, &status));
		srm_threads_end(threads);
		assert_memory_equal(out, one.out, bytes);
		assert_memory_equal(other_out, other.out, other_bytes);
	}
}

static void
test_source(void **state)
{
	(void) state;
	with_each_set(check_source);
}

/* Lanes taken part by part give the bits of all at once, at all edges, with a bias and without. */
static void
check_parts(SrmCompute compute)
{
	static const size_t sizes[][3] = {{1, 1, 513}, {13, 33, 1024}, {7, 70, 1025}, {25, 48, 2100}, {12, 90, 1536}};
	const SrmKernels *set = srm_kernels;
	SrmKernels	changed = *set;

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]) && set->part_lanes > 0; i++)
	{
		const size_t *size = sizes[i / 2];
		Product		product = random_product(size[0], size[1], size[2], compute, i);
		size_t		bytes = size[0] * size[1] * sizeof(float);
		float	   *whole = allocate(bytes);

		srm_kernels = &changed;
		changed.part_lanes = 0;
		multiply(&product, 1);
		memcpy(whole, product.out, bytes);
		for (changed.part_lanes = SRM_LANES_BLOCK; changed.part_lanes <= 2 * SRM_LANES_BLOCK; changed.part_lanes *= 2)
		{
			multiply(&product, 2);
			assert_memory_equal(product.out, whole, bytes);
		}
	}
	srm_kernels = set;
}

static void
test_parts(void **state)
{
	(void) state;
	assert_int_not_equal(srm_kernels_portable.part_lanes, 0);
	with_each_set(check_parts);
}

/* a weight that is not packed gives the same bits as one packed for f32 */
static void
test_unpacked(void **state)
{
	Product		product = random_product(20, 70, 700, SRM_COMPUTE_F32, 3);
	float	   *first = allocate(product.m * product.w.rows * sizeof(float));

	(void) state;
	multiply(&product, 1);
	memcpy(first, product.out, product.m * product.w.rows * sizeof(float));
	product.w.packed = NULL;
	multiply(&product, 2);
	assert_memory_equal(product.out, first, product.m * product.w.rows * sizeof(float));
}

/* Weights of a dtype wait for f32 in a smaller packing, and give the bits of those that are not packed. */
static void
check_unpacked_from(SrmDtype dtype, size_t rows, size_t cols)
{
	RandomState random = {.arena = arena, .seed = rows + cols};
	Product		product = random_product(45, rows, cols, SRM_COMPUTE_F32, rows);
	size_t		size = product.m * rows * sizeof(float);
	float	   *plain = allocate(size);

	product.w = random_matrix(&random, rows, cols, dtype);
	multiply(&product, 1);
	memcpy(plain, product.out, size);
	product.w.packing = srm_packing_for(SRM_COMPUTE_F32, dtype);
	assert_int_not_equal(product.w.packing, SRM_PACKING_F32);
	product.w.packed = pack(&product.w, product.w.packing);
	for (int n_threads = 1; n_threads <= 3; n_threads++)
	{
		multiply(&product, n_threads);
		assert_memory_equal(product.out, plain, size);
	}
}

static void
check_packings(SrmCompute compute)
{
	static const size_t shapes[][2] = {{1, 1}, {32, 64}, {70, 700}, {33, 65}, {96, 15}};

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]) && compute == SRM_COMPUTE_F32; i++)
	{
		check_unpacked_from(SRM_BF16, shapes[i][0], shapes[i][1]);
		check_unpacked_from(SRM_INT8, shapes[i][0], shapes[i][1]);
		check_unpacked_from(SRM_W8, shapes[i][0], shapes[i][1]);
	}
}

static void
test_packings(void **state)
{
	(void) state;
	assert_int_equal(srm_packing_for(SRM_COMPUTE_F32, SRM_F16), SRM_PACKING_F32);
	assert_int_equal(srm_packing_for(SRM_COMPUTE_BF16, SRM_INT8), SRM_PACKING_BF16);
	with_each_set(check_packings);
}

static void
check_not_finite(SrmCompute compute)
{
	static const float values[] = {NAN, INFINITY, -INFINITY};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
	{
		Product		product = random_product(14, 40, 70, compute, 6);
		float	   *weights = (float *) (uintptr_t) product.w.data;

		product.x[3 * 70 + 69] = values[i];
		weights[7 * 70 + 2] = values[i];
		pack_matrix(&product.w, compute, arena);
		multiply(&product, 1);
		for (size_t row = 0; row < product.m; row++)
			for (size_t col = 0; col < product.w.rows; col++)
				assert_int_equal(!isfinite(product.out[row * 40 + col]), row == 3 || col == 7);
	}
}

/* what is not finite reaches its row and column, and no other */
static void
test_not_finite(void **state)
{
	(void) state;
	with_each_set(check_not_finite);
}

/* Some values a thousand times the others: each output keeps the precision of the others. */
static void
check_outliers(SrmCompute compute)
{
	Product		product = random_product(13, 70, 600, compute, 5);
	double		error = compute == SRM_COMPUTE_INT8 ? 0.05 : 4e-3;

	if (compute == SRM_COMPUTE_F32)
		return;
	for (size_t i = 0; i < product.m; i++)
		for (size_t j = 0; j < i + 8; j++)
			product.x[i * 600 + (j * 97 + i) % 600] = (j % 2 == 0 ? 1000.0f : -700.0f) + (float) j;
	multiply(&product, 1);
	for (size_t i = 0; i < product.m; i++)
		for (size_t j = 0; j < product.w.rows; j++)
		{
			double		sum = product.bias[j];
			double		size = 0;

			for (size_t k = 0; k < 600; k++)
			{
				double		value = rounded(compute, product.x[i * 600 + k]) *
					read_packed(product.w.packed, product.w.packing, 600, j, k);

				sum += value;
				size += fabs(value);
			}
			/* 16 outliers have room */
			if (compute == SRM_COMPUTE_BF16 || i + 8 <= SRM_MAX_OUTLIERS)
				assert_true(fabs(product.out[i * 70 + j] - sum) <= error + 1e-6 * size);
			else
				assert_true(fabs(product.out[i * 70 + j] - sum) <= 0.01 * size);
		}
}

static void
test_outliers(void **state)
{
	(void) state;
	with_each_set(check_outliers);
}

/* Sums of bytes are exact, and what follows is rounded alike: all sets give the same bits. */
static void
test_sets_agree(void **state)
{
	static const size_t sizes[][3] = {{30, 70, 3000}, {12, 32, 64}, {5, 7, 2100}, {7, 33, 1}, {11, 95, 130}, {33, 40, 700}};
	const SrmKernels *kept = srm_kernels;

	(void) state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		const size_t *size = sizes[i / 2];
		Product		product = random_product(size[0], size[1], size[2], SRM_COMPUTE_INT8, i);
		float	   *first = allocate(size[0] * size[1] * sizeof(float));

		/* Rows with no outliers, with some, and with too many */
		for (size_t j = 0; j < size[0] * size[2]; j += 1 + j / 4)
			product.x[j] *= 1000.0f;
		for (size_t set = 0; srm_kernels_at(set) != NULL; set++)
		{
			srm_kernels = srm_kernels_at(set);
			multiply(&product, 1);
			if (set == 0)
				memcpy(first, product.out, size[0] * size[1] * sizeof(float));
			assert_memory_equal(product.out, first, size[0] * size[1] * sizeof(float));
		}
	}
	srm_kernels = kept;
}

/* Weights of files may be -128, the one byte without an opposite; sets agree, and sums are right. */
static void
test_least_weights(void **state)
{
	RandomState random = {.arena = arena, .seed = 12};
	const SrmKernels *kept = srm_kernels;
	Product		product = {.m = 13};

	(void) state;
	product.w = random_matrix(&random, 70, 1100, SRM_INT8);
	for (size_t i = 0; i < 70 * 1100; i++)
		((int8_t *) (uintptr_t) product.w.data)[i] = i % 3 == 0 ? 127 : -128;
	for (size_t i = 0; i < 70; i++)
		((float *) (uintptr_t) product.w.scales)[i] = 0.5f;
	product.x = allocate(13 * 1100 * sizeof(float));
	product.out = allocate(13 * 70 * sizeof(float));
	for (size_t i = 0; i < 13 * 1100; i++)
		product.x[i] = i / 1100 % 2 == 0 ? 127.0f : i % 2 == 0 ? -127.0f : 127.0f;
	pack_matrix(&product.w, SRM_COMPUTE_INT8, arena);
	for (size_t set = 0; srm_kernels_at(set) != NULL; set++)
	{
		srm_kernels = srm_kernels_at(set);
		multiply(&product, 1);
		for (size_t i = 0; i < 13; i++)
			for (size_t j = 0; j < 70; j++)
			{
				double		sum = 0;

				for (size_t k = 0; k < 1100; k++)
					sum += (double) product.x[i * 1100 + k] * (((j * 1100 + k) % 3 == 0 ? 127 : -128) * 0.5);
				assert_true(fabs(product.out[i * 70 + j] - sum) <= fabs(sum) * 1e-5 + 1e-3);
			}
	}
	srm_kernels = kept;
}

/* The greatest bytes there are: a product that keeps sums of two in 16 bits cuts them off. */
static void
check_greatest(SrmCompute compute)
{
	Product		product = random_product(13, 70, 5000, compute, 2);

	for (size_t i = 0; i < product.m * 5000; i++)
		product.x[i] = i % 5 == 4 ? -2.0f : 2.0f;
	for (size_t i = 0; i < 70 * 5000; i++)
		((float *) (uintptr_t) product.w.data)[i] = i / 5000 % 2 == 0 ? 0.5f : -0.5f;
	pack_matrix(&product.w, compute, arena);
	multiply(&product, 1);
	for (size_t i = 0; i < product.m * 70; i++)
		assert_true(fabsf(product.out[i] - (i % 70 % 2 == 0 ? 3000.0f : -3000.0f)) < 0.01f);
}

static void
test_greatest(void **state)
{
	(void) state;
	with_each_set(check_greatest);
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
		TEST(test_openblas),
		TEST(test_products),
		TEST(test_rows),
		TEST(test_parts),
		TEST(test_source),
		TEST(test_unpacked),
		TEST(test_packings),
		TEST(test_not_finite),
		TEST(test_outliers),
		TEST(test_sets_agree),
		TEST(test_least_weights),
		TEST(test_greatest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
