/*-------------------------------------------------------------------------
 *
 * train_loops.h
 *	  The loops of training in kernels.h, in plain C with vectors of the compiler.
 *
 * Each set of kernels includes this once, and has it compiled for the
 * processors that it is for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_LOOPS_H
#define SRM_TRAIN_LOOPS_H

#include <math.h>

#include "kernel/kernels.h"
#include "kernel/kernels_loops.h"

#define DEPTH		128			/* a panel of it stays in the first-level cache */

/*
 * A tile of a product is TILE_ROWS by SRM_PANEL sums.  TILE_VECTORS vectors of WIDTH floats
 * of each row are summed at a time: as many as the registers hold.
 */
#ifndef WIDTH
#define WIDTH			4
#define TILE_ROWS		3
#define TILE_VECTORS	4
#endif
#define N_VECTORS	(SRM_PANEL / WIDTH)

typedef float TrainVector __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));

/* n values of each of width columns, side by side in a panel */
static inline void
pack_across(float *panel, const float *b, size_t n_stride, size_t width, size_t n)
{
	size_t		p = 0;

#ifdef TRANSPOSE
	for (; width == SRM_PANEL && p + SRM_LANES_UNIT <= n; p += SRM_LANES_UNIT)
	{
		_Alignas(64) float columns[SRM_PANEL * SRM_LANES_UNIT];

		for (size_t j = 0; j < SRM_PANEL; j++)
			memcpy(columns + j * SRM_LANES_UNIT, b + j * n_stride + p, SRM_LANES_UNIT * sizeof(float));
		TRANSPOSE(panel + p * SRM_PANEL, columns);
	}
#endif
	for (size_t j = 0; j < width; j++)
		for (size_t i = p; i < n; i++)
			panel[i * SRM_PANEL + j] = b[j * n_stride + i];
}

static inline void
pack_columns(float *panels, const float *b, size_t k_stride, size_t n_stride, size_t n, size_t k)
{
	for (size_t first = 0; first < n; first += SRM_PANEL)
	{
		float	   *panel = panels + first * k;
		size_t		width = n - first < SRM_PANEL ? n - first : SRM_PANEL;

		if (width < SRM_PANEL)
			memset(panel, 0, k * SRM_PANEL * sizeof(float));
		if (n_stride == 1 && width == SRM_PANEL)
			for (size_t p = 0; p < k; p++)
				memcpy(panel + p * SRM_PANEL, b + p * k_stride + first, SRM_PANEL * sizeof(float));
		else if (k_stride == 1)
			pack_across(panel, b + first * n_stride, n_stride, width, k);
		else
			for (size_t j = 0; j < width; j++)
			{
				const float *column = b + (first + j) * n_stride;

				for (size_t p = 0; p < k; p++)
					panel[p * SRM_PANEL + j] = column[p * k_stride];
			}
	}
}

/* out (rows, TILE_VECTORS vectors) = a (rows, k) * columns of a panel; rows is known to the compiler */
INLINE void
multiply_tile_part(float *out, size_t out_stride, const float *a, size_t row, size_t step,
				   const float *panel, size_t k, bool add, const int rows)
{
	TrainVector sums[TILE_ROWS][TILE_VECTORS];

	for (int i = 0; i < rows; i++)
		for (int j = 0; j < TILE_VECTORS; j++)
			sums[i][j] = (TrainVector) {0};
	for (size_t p = 0; p < k; p++)
	{
		const TrainVector *b = (const TrainVector *) (panel + p * SRM_PANEL);

		for (int i = 0; i < rows; i++)
		{
			float		x = a[(size_t) i * row + p * step];

			for (int j = 0; j < TILE_VECTORS; j++)
				sums[i][j] += x * b[j];
		}
	}
	for (int i = 0; i < rows; i++)
	{
		TrainVector *place = (TrainVector *) (out + (size_t) i * out_stride);

		for (int j = 0; j < TILE_VECTORS; j++)
		{
			if (add)
				sums[i][j] += place[j];
			place[j] = sums[i][j];
		}
	}
}

/* out (rows, SRM_PANEL) = a (rows, k) * panel */
INLINE void
multiply_tile(float *out, size_t out_stride, const float *a, size_t row, size_t step,
			  const float *panel, size_t k, bool add, const int rows)
{
	for (int j = 0; j < SRM_PANEL; j += TILE_VECTORS * WIDTH)
		multiply_tile_part(out + j, out_stride, a, row, step, panel + j, k, add, rows);
}

#define TILE_CASE(n) \
	case n: \
		multiply_tile(out, out_stride, a, row, step, panel, k, add, n); \
		break

INLINE void
multiply_rows(float *out, size_t out_stride, const float *a, size_t row, size_t step,
			  const float *panel, size_t k, bool add, size_t rows)
{
	switch (rows)
	{
		TILE_CASE(1);
		TILE_CASE(2);
#if TILE_ROWS > 3
		TILE_CASE(3);
		TILE_CASE(4);
		TILE_CASE(5);
		TILE_CASE(6);
		TILE_CASE(7);
		TILE_CASE(8);
		TILE_CASE(9);
		TILE_CASE(10);
		TILE_CASE(11);
#endif
		default:
			multiply_tile(out, out_stride, a, row, step, panel, k, add, TILE_ROWS);
			break;
	}
}

/* Rows of one panel that is narrower than the others: by way of a tile. */
static void
multiply_narrow(float *out, size_t out_stride, const float *a, size_t row, size_t step,
				const float *panel, size_t k, bool add, size_t rows, size_t width)
{
	float		tile[TILE_ROWS * SRM_PANEL];

	multiply_rows(tile, SRM_PANEL, a, row, step, panel, k, false, rows);
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < width; j++)
		{
			float	   *place = out + i * out_stride + j;

			*place = add ? *place + tile[i * SRM_PANEL + j] : tile[i * SRM_PANEL + j];
		}
}

#define NARROW_ROWS	8

/* The same for NARROW_ROWS rows of one vector: the factors of adapters have no more columns, mostly. */
INLINE void
multiply_narrow_tile(float *out, size_t out_stride, const float *a, size_t row, size_t step,
					 const float *panel, size_t k, bool add, size_t width)
{
	TrainVector sums[NARROW_ROWS];

	for (int i = 0; i < NARROW_ROWS; i++)
		sums[i] = (TrainVector) {0};
	for (size_t p = 0; p < k; p++)
	{
		TrainVector b = *(const TrainVector *) (panel + p * SRM_PANEL);

		for (int i = 0; i < NARROW_ROWS; i++)
			sums[i] += a[(size_t) i * row + p * step] * b;
	}
	for (int i = 0; i < NARROW_ROWS; i++)
		for (size_t j = 0; j < width; j++)
		{
			float	   *place = out + (size_t) i * out_stride + j;

			*place = add ? *place + sums[i][j] : sums[i][j];
		}
}

/* All rows of one panel. */
INLINE void
multiply_panel(float *out, size_t out_stride, const float *a, size_t row, size_t step,
			   const float *panel, size_t m, size_t width, size_t k, bool add)
{
	size_t		first = 0;

	for (; width <= WIDTH && N_VECTORS > 1 && first + NARROW_ROWS <= m; first += NARROW_ROWS)
		multiply_narrow_tile(out + first * out_stride, out_stride, a + first * row, row, step, panel, k, add, width);
	for (size_t i = first; i < m; i += TILE_ROWS)
	{
		size_t		rows = m - i < TILE_ROWS ? m - i : TILE_ROWS;

		if (width == SRM_PANEL)
			multiply_rows(out + i * out_stride, out_stride, a + i * row, row, step, panel, k, add, rows);
		else
			multiply_narrow(out + i * out_stride, out_stride, a + i * row, row, step, panel, k, add,
							rows, width);
	}
}

static void
multiply_columns(float *out, size_t out_stride, const float *a, size_t row, size_t step,
				 const float *panels, size_t m, size_t n, size_t k, bool add)
{
	for (size_t start = 0; start < k; start += DEPTH)
	{
		size_t		depth = k - start < DEPTH ? k - start : DEPTH;

		for (size_t j = 0; j < n; j += SRM_PANEL)
		{
			const float *panel = panels + j * k + start * SRM_PANEL;
			size_t		width = n - j < SRM_PANEL ? n - j : SRM_PANEL;

			if (step == 1)
				multiply_panel(out + j, out_stride, a + start, row, 1, panel, m, width, depth, add);
			else
				multiply_panel(out + j, out_stride, a + start * step, row, step, panel, m, width, depth, add);
		}
		add = true;
	}
}

static inline float
dot(const float *x, const float *y, size_t n)
{
	float		lanes[LANES] = {0};
	size_t		i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			lanes[j] += x[i + j] * y[i + j];
	for (int j = 0; i + j < n; j++)
		lanes[j] += x[i + j] * y[i + j];
	return add_lanes(lanes);
}

static inline void
add(float *y, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] += x[i];
}

/*
 * With s = 1 / sqrt(mean(x^2) + eps), out = x s w; its gradient is
 * s (w dout) - x s^3 / n (w dout . x).
 */
static void
norm_backward(float *dx, float *dweight, const float *dout, const float *x,
			  const float *weight, float eps, size_t n, bool add)
{
	float		lanes[LANES] = {0};
	float		s = 1.0f / sqrtf(sum_squares(x, n) / (float) n + eps);
	float		shift;
	size_t		i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			lanes[j] += dout[i + j] * weight[i + j] * x[i + j];
	for (int j = 0; i + j < n; j++)
		lanes[j] += dout[i + j] * weight[i + j] * x[i + j];
	shift = add_lanes(lanes) * s * s * s / (float) n;
	for (i = 0; i < n; i++)
	{
		float		change = s * weight[i] * dout[i] - x[i] * shift;

		dx[i] = add ? dx[i] + change : change;
	}
	for (i = 0; i < n; i++)
		dweight[i] += dout[i] * x[i] * s;
}

static void
silu_backward(float *act, float *gate, float *up, const float *dact, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		float		x = gate[i];
		float		sigmoid = 1.0f / (1.0f + exp_clamped(-x));
		float		silu = x * sigmoid;

		act[i] = silu * up[i];
		gate[i] = dact[i] * up[i] * (sigmoid + silu * (1.0f - sigmoid));
		up[i] = dact[i] * silu;
	}
}

/* tanh(x) = 1 - 2 / (exp(2 x) + 1), within 1e-7 of it */
INLINE float
tanh_by_exp(float x)
{
	return 1.0f - 2.0f / (exp_clamped(2.0f * x) + 1.0f);
}

static void
gelu_tanh_backward(float *act, float *gate, float *up, const float *dact, size_t n)
{
	const float root = 0.79788456080286536f;	/* sqrt(2 / pi) */

	for (size_t i = 0; i < n; i++)
	{
		float		x = gate[i];
		float		t = tanh_by_exp(root * (x + 0.044715f * x * x * x));
		float		half = 0.5f * (1.0f + t);
		float		slope = half + 0.5f * x * (1.0f - t * t) * root * (1.0f + 3.0f * 0.044715f * x * x);

		act[i] = x * half * up[i];
		gate[i] = dact[i] * up[i] * slope;
		up[i] = dact[i] * x * half;
	}
}

static void
exp_shift(float *scores, float shift, size_t n)
{
	for (size_t i = 0; i < n; i++)
		scores[i] = exp_clamped(scores[i] - shift);
}

static void
softmax_backward(float *dscores, const float *p, float delta, float scale, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dscores[i] = p[i] * (dscores[i] - delta) * scale;
}

static void
adam(float *w, float *m, float *v, const float *g, const SrmAdamStep *step, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		float		slope = g[i] * step->scale;

		m[i] = step->beta1 * m[i] + (1.0f - step->beta1) * slope;
		v[i] = step->beta2 * v[i] + (1.0f - step->beta2) * slope * slope;
		w[i] -= step->decay * w[i] + step->rate * m[i] / (sqrtf(v[i]) * step->correction + step->epsilon);
	}
}

/* What a set of kernels has of them. */
#define TRAIN_LOOPS \
	.pack_columns = pack_columns, \
	.multiply_columns = multiply_columns, \
	.norm_backward = norm_backward, \
	.silu_backward = silu_backward, \
	.gelu_tanh_backward = gelu_tanh_backward, \
	.exp_shift = exp_shift, \
	.softmax_backward = softmax_backward, \
	.dot = dot, \
	.add = add, \
	.adam = adam

#endif							/* SRM_TRAIN_LOOPS_H */
