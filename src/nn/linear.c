/*-------------------------------------------------------------------------
 *
 * linear.c
 *	  Products of activations with weights, in panels.
 *
 * A panel is some rows of the weights; a task is the product of at most ROWS
 * rows of x with one panel, computed by one thread.  Panels depend on the shape of the
 * weights alone, hence so do the sums.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/linear.h"

#include <limits.h>

#include "nn/blas.h"

#define ROWS				512
#define MAX_PANEL_ROWS		256
#define MIN_PANEL_ROWS		16
#define MAX_PANEL_ELEMENTS	((size_t) 1024 * 1024)

typedef struct LinearTask
{
	const SrmLinear *maps;
	size_t		first_task[SRM_MAX_LINEARS + 1];
	size_t		m;
	SrmThreads *threads;
} LinearTask;

/* Rows in a panel: a converted one is to stay in a processor's caches. */
static size_t
panel_rows(const SrmMatrix *w)
{
	size_t		n = MAX_PANEL_ROWS;

	while (n > MIN_PANEL_ROWS && n * w->cols > MAX_PANEL_ELEMENTS)
		n /= 2;
	return n;
}

static size_t
n_panels(const SrmMatrix *w)
{
	return (w->rows + panel_rows(w) - 1) / panel_rows(w);
}

static size_t
n_row_blocks(size_t m)
{
	return (m + ROWS - 1) / ROWS;
}

/* Whether some panel cannot be used where it lies. */
static bool
needs_copies(const SrmMatrix *w)
{
	return w->dtype != SRM_F32 || (w->run != 0 && w->run % panel_rows(w) != 0);
}

/* Rows first .. first + n - 1 of the weights: in place, or copied into scratch as f32. */
static const float *
read_panel(const SrmMatrix *w, size_t first, size_t n, float *scratch)
{
	if (w->dtype == SRM_F32 && srm_matrix_run(w, first) >= n)
		return (const float *) w->data + srm_matrix_row(w, first) * w->cols;
	srm_matrix_read(w, first * w->cols, n * w->cols, scratch);
	return scratch;
}

static void
add_bias(float *out, size_t stride, const float *bias, size_t m, size_t n)
{
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++)
			out[i * stride + j] += bias[j];
}

static void
forward_panel(void *arg, size_t task, int thread)
{
	LinearTask *linear = arg;
	const SrmLinear *map = linear->maps;
	const SrmMatrix *w;
	const float *panel;
	float	   *out;
	size_t		number = 0;
	size_t		first_w;
	size_t		n;
	size_t		first_x;
	size_t		m;

	while (task >= linear->first_task[number + 1])
		number++;
	map += number;
	w = map->w;
	task -= linear->first_task[number];

	first_w = task % n_panels(w) * panel_rows(w);
	n = w->rows - first_w < panel_rows(w) ? w->rows - first_w : panel_rows(w);
	first_x = task / n_panels(w) * ROWS;
	m = linear->m - first_x < ROWS ? linear->m - first_x : ROWS;

	panel = read_panel(w, first_w, n, srm_threads_scratch(linear->threads, thread));
	out = map->out + first_x * w->rows + first_w;
	srm_blas_product_transposed(out, w->rows, map->x + first_x * w->cols, w->cols,
								panel, w->cols, m, n, w->cols, 1.0f);
	if (map->bias != NULL)
		add_bias(out, w->rows, map->bias + first_w, m, n);
}

/* Scratch for the panels that have to be copied. */
static bool
reserve_panels(const SrmLinear *maps, size_t n_maps, SrmThreads *threads, SrmStatus *status)
{
	size_t		size = 0;

	for (size_t i = 0; i < n_maps; i++)
	{
		const SrmMatrix *w = maps[i].w;
		size_t		needed = panel_rows(w) * w->cols * sizeof(float);

		if (needs_copies(w) && needed > size)
			size = needed;
	}
	return srm_threads_reserve(threads, size, status);
}

bool
srm_linears_forward(const SrmLinear *maps, size_t n_maps, size_t m,
					SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	LinearTask	linear = {.maps = maps, .m = m, .threads = threads};

	for (size_t i = 0; i < n_maps; i++)
	{
		const SrmMatrix *w = maps[i].w;

		/* The library counts in int */
		if (w->rows > INT_MAX || w->cols > INT_MAX)
			return srm_fail(status, SRM_LIMIT_EXCEEDED, "a matrix of %zu x %zu is too large",
							w->rows, w->cols);
		linear.first_task[i + 1] = linear.first_task[i] + n_panels(w) * n_row_blocks(m);
	}
	return reserve_panels(maps, n_maps, threads, status) &&
		srm_threads_run_or_stop(threads, linear.first_task[n_maps], forward_panel,
								&linear, stop, status);
}

bool
srm_linear_forward(float *out, const float *x, const SrmMatrix *w, const float *bias,
				   size_t m, SrmThreads *threads, SrmStatus *status)
{
	SrmLinear	map = {.out = out, .x = x, .w = w, .bias = bias};

	return srm_products_init(status) &&
		srm_linears_forward(&map, 1, m, threads, NULL, status);
}

void
srm_linear_forward_plain(float *out, const float *x, const SrmMatrix *w,
						 const float *bias, size_t m)
{
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < w->rows; j++)
		{
			double		sum = bias == NULL ? 0 : bias[j];

			for (size_t l = 0; l < w->cols; l++)
			{
				float		weight;

				srm_matrix_read(w, j * w->cols + l, 1, &weight);
				sum += (double) weight * x[i * w->cols + l];
			}
			out[i * w->rows + j] = (float) sum;
		}
}
