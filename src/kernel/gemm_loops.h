/*-------------------------------------------------------------------------
 *
 * gemm_loops.h
 *	  Tiles of products and packing of rows, in plain C.
 *
 * Included like kernels_loops.h, by each set of kernels for the processors that it is
 * for.  Their vectors hold N_FLOATS floats.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GEMM_LOOPS_H
#define SRM_GEMM_LOOPS_H

#include <math.h>
#include <stdbool.h>

#include "base/words.h"
#include "kernel/gemm.h"
#include "kernel/kernels_loops.h"
#include "kernel/pack.h"

#define STRIP			3		/* rows at a time, */
#define STRIP_VECTORS	4		/* with so many vectors each: 12 of 16 registers */
#define STRIP_COLS		(STRIP_VECTORS * N_FLOATS)
#define OUTLIER_LIMIT	12.0f	/* times the mean magnitude of a row */

#ifndef N_FLOATS
#define N_FLOATS		8		/* in a vector */
#endif

typedef float Floats __attribute__((vector_size(4 * N_FLOATS)));
typedef float LooseFloats __attribute__((vector_size(4 * N_FLOATS), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * N_FLOATS), may_alias));

/* Rows of a tile are worked on in strips, and the panel in pieces of STRIP_COLS columns. */

#define BROADCAST_BITS(value)	((Ints) {0} + (int32_t) (value))

INLINE int32_t
read_lane(const char *x)
{
	int32_t		value;

	memcpy(&value, x, sizeof(value));
	return value;
}

INLINE void
add_lane_f32(Floats *sums, const char *x, const Ints *w)
{
	Floats		a = (Floats) BROADCAST_BITS(read_lane(x));

	for (int i = 0; i < STRIP_VECTORS; i++)
		sums[i] += a * (Floats) w[i];
}

/* A pair of bfloats: the first is the lower half of a lane. */
INLINE void
add_lane_bf16(Floats *sums, const char *x, const Ints *w)
{
	Ints		a = BROADCAST_BITS(read_lane(x));
	Ints		upper = BROADCAST_BITS(0xFFFF0000);

	for (int i = 0; i < STRIP_VECTORS; i++)
		sums[i] += (Floats) (a << 16) * (Floats) (w[i] << 16);
	for (int i = 0; i < STRIP_VECTORS; i++)
		sums[i] += (Floats) (a & upper) * (Floats) (w[i] & upper);
}

/*
 * What a part of the tile fetches a lane, for what will be read next: the first part does it for
 * all, and the others their own rows, which costs nothing.
 */
INLINE const char *
choose_prefetch(const SrmTile *tile, bool is_first, size_t *step)
{
	bool		fetches = is_first && tile->prefetch_step > 0;

	*step = fetches ? tile->prefetch_step : 0;
	return fetches ? tile->prefetch : tile->x;
}

/* sums += STRIP_COLS columns of a row of out */
INLINE void
add_sums_before(Floats *sums, const float *out)
{
	const LooseFloats *before = (const LooseFloats *) out;

	for (int i = 0; i < STRIP_VECTORS; i++)
		sums[i] += before[i];
}

/* The same of out = sums + bias, or sums alone where there is none or more are to come */
INLINE void
write_sums(float *out, const Floats *sums, const float *bias)
{
	LooseFloats *place = (LooseFloats *) out;

	for (int i = 0; i < STRIP_VECTORS; i++)
		place[i] = bias == NULL ? sums[i] : sums[i] + ((const LooseFloats *) bias)[i];
}

/* Where a strip has got to: lanes of its first row, of the panel, and what is fetched meanwhile */
typedef struct StripPlace
{
	const char *x;
	const char *w;
	const char *prefetch;
	size_t		prefetch_step;
} StripPlace;

/* sums (rows, STRIP_VECTORS) = the next n lanes of rows of x, which lie x_stride apart, times the panel */
INLINE void
sum_lanes(Floats (*sums)[STRIP_VECTORS], StripPlace *place, size_t x_stride, size_t n,
		  SrmCompute compute, const int rows)
{
	const char *x = place->x;
	const char *w = place->w;
	const char *prefetch = place->prefetch;

	for (int r = 0; r < rows; r++)
		for (int i = 0; i < STRIP_VECTORS; i++)
			sums[r][i] = (Floats) {0};
	for (; n > 0; n--)
	{
		/* The panel is aligned to 64 bytes */
		const Ints *weights = (const Ints *) (const void *) w;

		__builtin_prefetch(prefetch);
#pragma GCC unroll 3
		for (int r = 0; r < rows; r++)
			if (compute == SRM_COMPUTE_F32)
				add_lane_f32(sums[r], x + (size_t) r * x_stride, weights);
			else
				add_lane_bf16(sums[r], x + (size_t) r * x_stride, weights);
		x += sizeof(float);
		w += SRM_PANEL * sizeof(float);
		prefetch += place->prefetch_step;
	}
	place->x = x;
	place->w = w;
	place->prefetch = prefetch;
}

/* rows rows of the tile from row on, and STRIP_COLS columns of out from column first on */
INLINE void
multiply_strip(const SrmTile *tile, SrmCompute compute, const int rows, size_t row, size_t first)
{
	StripPlace	place = {
		.x = tile->x + row * tile->x_stride, .w = (const char *) tile->panel + first * sizeof(float)
	};
	float	   *out = tile->out + row * tile->out_stride + first;
	const float *bias = tile->bias == NULL || tile->is_part ? NULL : tile->bias + first;
	size_t		left = tile->lanes;
	size_t		n = left < SRM_LANES_BLOCK ? left : SRM_LANES_BLOCK;
	Floats		totals[STRIP][STRIP_VECTORS];

	place.prefetch = choose_prefetch(tile, row == 0 && first == 0, &place.prefetch_step);
	/* Most narrow models have one block, whose sums are the totals */
	sum_lanes(totals, &place, tile->x_stride, n, compute, rows);
	for (int r = 0; tile->adds && r < rows; r++)
		add_sums_before(totals[r], out + (size_t) r * tile->out_stride);
	while ((left -= n) > 0)
	{
		Floats		sums[STRIP][STRIP_VECTORS];

		n = left < SRM_LANES_BLOCK ? left : SRM_LANES_BLOCK;
		sum_lanes(sums, &place, tile->x_stride, n, compute, rows);
		for (int r = 0; r < rows; r++)
			for (int i = 0; i < STRIP_VECTORS; i++)
				totals[r][i] += sums[r][i];
	}
	for (int r = 0; r < rows; r++)
		write_sums(out + (size_t) r * tile->out_stride, totals[r], bias);
}

/* Strips as equal as can be, since one of a row waits for its own sums. */
INLINE void
multiply_strips(const SrmTile *tile, SrmCompute compute)
{
	for (size_t first = 0; first < tile->n; first += STRIP_COLS)
	{
		size_t		row = 0;

		for (size_t left = (tile->m + STRIP - 1) / STRIP; left > 0; left--)
		{
			size_t		height = (tile->m - row + left - 1) / left;

			switch (height)
			{
				case 1:
					multiply_strip(tile, compute, 1, row, first);
					break;
				case 2:
					multiply_strip(tile, compute, 2, row, first);
					break;
				default:
					multiply_strip(tile, compute, 3, row, first);
			}
			row += height;
		}
	}
}

/* STRIP rows at most of a tile that has fewer columns than its strips: by way of a whole one. */
INLINE void
multiply_narrow_strip(const SrmTile *tile, SrmCompute compute)
{
	float		out[STRIP * SRM_PANEL] = {0};
	float		bias[SRM_PANEL] = {0};
	SrmTile		whole = *tile;

	whole.out = out;
	whole.out_stride = SRM_PANEL;
	whole.n = (tile->n + STRIP_COLS - 1) / STRIP_COLS * STRIP_COLS;
	if (tile->bias != NULL)
		whole.bias = memcpy(bias, tile->bias, tile->n * sizeof(float));
	for (size_t row = 0; tile->adds && row < tile->m; row++)
		srm_copy_words(out + row * SRM_PANEL, tile->out + row * tile->out_stride, tile->n);
	multiply_strips(&whole, compute);
	for (size_t row = 0; row < tile->m; row++)
		srm_copy_words(tile->out + row * tile->out_stride, out + row * SRM_PANEL, tile->n);
}

static __attribute__((noinline)) void
multiply_narrow_strips(const SrmTile *tile, SrmCompute compute)
{
	SrmTile		strip = *tile;

	for (size_t row = 0; row < tile->m; row += STRIP)
	{
		strip.m = tile->m - row < STRIP ? tile->m - row : STRIP;
		multiply_narrow_strip(&strip, compute);
		strip.out += STRIP * tile->out_stride;
		strip.x += STRIP * tile->x_stride;
		strip.prefetch_step = 0;
	}
}

static inline void
multiply_f32(const SrmTile *tile)
{
	if (tile->n % STRIP_COLS == 0)
		multiply_strips(tile, SRM_COMPUTE_F32);
	else
		multiply_narrow_strips(tile, SRM_COMPUTE_F32);
}

static inline void
multiply_bf16(const SrmTile *tile)
{
	if (tile->n % STRIP_COLS == 0)
		multiply_strips(tile, SRM_COMPUTE_BF16);
	else
		multiply_narrow_strips(tile, SRM_COMPUTE_BF16);
}

/* What follows the lanes of an int8 panel. */
INLINE const float *
panel_scales(const SrmTile *tile)
{
	return (const float *) (const void *) ((const char *) tile->panel + tile->lanes * SRM_PANEL * 4);
}

INLINE const int32_t *
panel_sums(const SrmTile *tile)
{
	return (const int32_t *) (const void *) (panel_scales(tile) + SRM_PANEL);
}

INLINE const SrmRowScale *
row_scale(const SrmTile *tile, size_t row)
{
	return (const SrmRowScale *) (const void *) (tile->x + row * tile->x_stride + tile->lanes * 4);
}

/*
 * One row of out from exact sums: the offset of the bytes taken off, what the
 * outliers lack added, scaled.
 */
INLINE void
finish_row_int8(const SrmTile *tile, size_t row, const int32_t *sums)
{
	const SrmRowScale *x = row_scale(tile, row);
	float	   *out = tile->out + row * tile->out_stride;
	float		rests[SRM_PANEL] = {0};
	float		values[SRM_PANEL];

	for (uint32_t i = 0; i < x->n_outliers; i++)
	{
		const int8_t *w = (const int8_t *) tile->panel + (size_t) (x->outliers[i].col / 4) * SRM_PANEL * 4 +
			x->outliers[i].col % 4;
		float		rest = x->outliers[i].rest;

		for (size_t c = 0; c < SRM_PANEL; c++)
			rests[c] += rest * (float) w[c * 4];
	}
	for (size_t c = 0; c < SRM_PANEL; c++)
		values[c] = (x->scale * (float) (int32_t) ((uint32_t) sums[c] - 128 * (uint32_t) panel_sums(tile)[c]) +
					 rests[c]) * panel_scales(tile)[c];
	for (size_t c = 0; c < tile->n; c++)
		out[c] = values[c] + (tile->bias == NULL ? 0.0f : tile->bias[c]);
}

static inline void
multiply_int8(const SrmTile *tile)
{
	for (size_t row = 0; row < tile->m; row++)
	{
		const uint8_t *x = (const uint8_t *) tile->x + row * tile->x_stride;
		const int8_t *w = tile->panel;
		int32_t		sums[SRM_PANEL] = {0};

		for (size_t k = 0; k < tile->lanes; k++, x += 4, w += SRM_PANEL * 4)
			for (size_t c = 0; c < SRM_PANEL; c++)
				sums[c] += x[0] * w[4 * c] + x[1] * w[4 * c + 1] + x[2] * w[4 * c + 2] + x[3] * w[4 * c + 3];
		finish_row_int8(tile, row, sums);
	}
}

/* packing */

static inline void
transpose(void *panel, const void *rows)
{
	for (size_t lane = 0; lane < SRM_LANES_UNIT; lane++)
		for (size_t row = 0; row < SRM_PANEL; row++)
			memcpy((char *) panel + (lane * SRM_PANEL + row) * 4,
				   (const char *) rows + (row * SRM_LANES_UNIT + lane) * 4, 4);
}

static inline void
pair_rows(uint32_t *out, const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (uint32_t) srm_bf16_of_float(a[i]) | (uint32_t) srm_bf16_of_float(b[i]) << 16;
}

static inline void
pack_row_f32(void *out, const float *x, size_t n)
{
	size_t		lanes = srm_pack_lanes(SRM_PACKING_F32, n);

	memcpy(out, x, n * sizeof(float));
	memset((float *) out + n, 0, (lanes - n) * sizeof(float));
}

static inline void
pack_row_bf16(void *out, const float *x, size_t n)
{
	uint16_t   *values = out;
	size_t		lanes = srm_pack_lanes(SRM_PACKING_BF16, n);

	for (size_t i = 0; i < n; i++)
		values[i] = srm_bf16_of_float(x[i]);
	memset(values + n, 0, (2 * lanes - n) * sizeof(uint16_t));
}

/*
 * The sum and the greatest of the magnitudes; NaN where a value is not finite.
 * All sets add up in this order, for a sum decides what is an outlier: four blocks side by
 * side, then the four to one another.
 */
INLINE void
measure_row(const float *x, size_t n, float *sum, float *greatest)
{
	float		sums[4][LANES] = {{0}};
	float		maxima[LANES] = {0};
	size_t		i = 0;

	for (; i + 4 * LANES <= n; i += 4 * LANES)
		for (int block = 0; block < 4; block++)
			for (int j = 0; j < LANES; j++)
			{
				float		magnitude = fabsf(x[i + block * LANES + j]);

				sums[block][j] += magnitude;
				maxima[j] = magnitude > maxima[j] ? magnitude : maxima[j];
			}
	for (int j = 0; i + j < n; j++)
	{
		float		magnitude = fabsf(x[i + j]);

		sums[j / LANES][j % LANES] += magnitude;
		maxima[j % LANES] = magnitude > maxima[j % LANES] ? magnitude : maxima[j % LANES];
	}
	for (int j = 0; j < LANES; j++)
		sums[0][j] = (sums[0][j] + sums[1][j]) + (sums[2][j] + sums[3][j]);
	for (int j = 1; j < LANES; j++)
		maxima[0] = maxima[j] > maxima[0] ? maxima[j] : maxima[0];
	*sum = add_lanes(sums[0]);
	*greatest = maxima[0];
}

/* The greatest magnitude up to limit, and how many are above. */
INLINE float
count_above(const float *x, size_t n, float limit, size_t *n_above)
{
	float		greatest = 0.0f;

	*n_above = 0;
	for (size_t i = 0; i < n; i++)
	{
		float		magnitude = fabsf(x[i]);

		*n_above += magnitude > limit;
		greatest = magnitude <= limit && magnitude > greatest ? magnitude : greatest;
	}
	return greatest;
}

/* The same, and the columns of those above in cols (SRM_MAX_OUTLIERS), as many as have room. */
INLINE float
list_above(uint32_t *cols, const float *x, size_t n, float limit, size_t *n_above)
{
	float		greatest = count_above(x, n, limit, n_above);
	size_t		i = 0;

	for (size_t found = 0; found < *n_above && found < SRM_MAX_OUTLIERS; i++)
		if (fabsf(x[i]) > limit)
			cols[found++] = (uint32_t) i;
	return greatest;
}

/* Bytes of n values that are scaled; what is beyond 127 steps is cut off. */
INLINE void
quantize_row(uint8_t *out, const float *x, size_t n, float inverse)
{
	for (size_t i = 0; i < n; i++)
	{
		float		steps = x[i] * inverse;

		steps = steps < -127.0f ? -127.0f : steps > 127.0f ? 127.0f : steps;
		/* Adding 1.5 * 2^23 rounds; the low byte is then the number itself */
		out[i] = (uint8_t) (bits_of_float(steps + 12582912.0f) ^ 0x80);
	}
}

typedef float (*ListAbove) (uint32_t *cols, const float *x, size_t n, float limit, size_t *n_above);

/* Lowers greatest to the greatest value that is none of the outliers, and lists these. */
INLINE void
take_outliers(SrmRowScale *scale, const float *x, size_t n, float limit, float *greatest, ListAbove list)
{
	uint32_t	cols[SRM_MAX_OUTLIERS];
	size_t		n_above;

	*greatest = list(cols, x, n, limit, &n_above);
	while (n_above > SRM_MAX_OUTLIERS)
	{
		limit *= 2;
		*greatest = list(cols, x, n, limit, &n_above);
	}
	scale->n_outliers = (uint32_t) n_above;
	for (size_t i = 0; i < n_above; i++)
	{
		scale->outliers[i].col = cols[i];
		scale->outliers[i].rest = x[cols[i]];
	}
}

/*
 * What follows the lanes of a row whose magnitudes have a sum and a maximum;
 * returns the steps in a unit.
 */
INLINE float
find_row_scale(SrmRowScale *scale, const float *x, size_t n, float sum, float greatest, ListAbove list)
{
	float		limit = OUTLIER_LIMIT / (float) n * sum;

	scale->n_outliers = 0;
	if (greatest > limit && isfinite(limit))
		take_outliers(scale, x, n, limit, &greatest, list);

	/* Smaller steps have no inverse; sum * 0 is NaN where a value is not finite */
	greatest = greatest < 1e-30f ? 0.0f : greatest;
	scale->scale = greatest / 127.0f + sum * 0.0f;
	return greatest > 0 && isfinite(greatest) ? 127.0f / greatest : 0.0f;
}

/* Takes off the outliers what their bytes stand for, rounded once on any processor. */
INLINE void
finish_outliers(SrmRowScale *scale, const uint8_t *values)
{
	for (uint32_t i = 0; i < scale->n_outliers; i++)
		scale->outliers[i].rest = fmaf(-scale->scale, (float) ((int) values[scale->outliers[i].col] - 128),
									   scale->outliers[i].rest);
}

static inline void
pack_row_int8(void *out, const float *x, size_t n)
{
	size_t		lanes = srm_pack_lanes(SRM_PACKING_INT8, n);
	uint8_t    *values = out;
	SrmRowScale *scale = (SrmRowScale *) (void *) (values + lanes * 4);
	float		sum;
	float		greatest;

	measure_row(x, n, &sum, &greatest);
	quantize_row(values, x, n, find_row_scale(scale, x, n, sum, greatest, list_above));
	memset(values + n, 128, lanes * 4 - n);
	finish_outliers(scale, values);
}

/* Panels of other packings as floats */

#define PANEL_PARTS		(SRM_PANEL / N_FLOATS)

static inline void
unpack_bf16(float *panel, const void *packed, size_t lanes, size_t packed_lanes)
{
	Ints	   *out = (Ints *) (void *) panel;
	const Ints *in = packed;

	(void) packed_lanes;
	for (size_t k = 0; k < lanes; k += 2, in += PANEL_PARTS, out += 2 * PANEL_PARTS)
		for (int part = 0; part < PANEL_PARTS; part++)
		{
			out[part] = in[part] << 16;
			out[PANEL_PARTS + part] = in[part] & BROADCAST_BITS(0xFFFF0000);
		}
}

/* The same products as srm_matrix_read() forms */
static inline void
unpack_int8(float *panel, const void *packed, size_t lanes, size_t packed_lanes)
{
	Floats	   *out = (Floats *) (void *) panel;
	const Ints *in = packed;
	const Floats *scales = (const Floats *) (const void *) (in + packed_lanes * PANEL_PARTS);

	for (size_t k = 0; k < lanes; k += 4, in += PANEL_PARTS)
		for (int col = 0; col < 4; col++, out += PANEL_PARTS)
			for (int part = 0; part < PANEL_PARTS; part++)
				out[part] = __builtin_convertvector(in[part] << (24 - 8 * col) >> 24, Floats) * scales[part];
}

/* As unpack_int8(), with scales for each SRM_SCALE_COLS columns, which are as many lanes of panel. */
static inline void
unpack_w8(float *panel, const void *packed, size_t lanes, size_t packed_lanes)
{
	Floats	   *out = (Floats *) (void *) panel;
	const Ints *in = packed;
	const Floats *scales = (const Floats *) (const void *) (in + packed_lanes * PANEL_PARTS);

	for (size_t start = 0; start < lanes; start += SRM_SCALE_COLS, scales += PANEL_PARTS)
		for (size_t k = start; k < lanes && k < start + SRM_SCALE_COLS; k += 4, in += PANEL_PARTS)
			for (int col = 0; col < 4; col++, out += PANEL_PARTS)
				for (int part = 0; part < PANEL_PARTS; part++)
					out[part] = __builtin_convertvector(in[part] << (24 - 8 * col) >> 24, Floats) * scales[part];
}

#endif							/* SRM_GEMM_LOOPS_H */
