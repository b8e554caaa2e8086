/*-------------------------------------------------------------------------
 *
 * stack.c
 *	  Small stacks of dense layers, for heads that are more than one map.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/stack.h"

#include <math.h>

/* As torch defines them */
#define SELU_SCALE	1.0507009873554804934193349852946
#define SELU_ALPHA	1.6732632423543772848170429916717

/* M_SQRT2 is no part of C */
#define SQRT_2		1.41421356237309504880

size_t
srm_stack_outputs(const SrmStack *stack)
{
	return stack->layers[stack->n - 1].weight.rows;
}

size_t
srm_stack_inputs(const SrmStack *stack)
{
	return stack->layers[0].weight.cols;
}

/* out (n, w.rows) = x (n, w.cols) * w^T + bias; row (w.cols) is scratch */
static void
map_rows(double *out, const double *x, const SrmMatrix *w, const float *bias, size_t n, float *row)
{
	for (size_t j = 0; j < w->rows; j++)
	{
		srm_matrix_read(w, j * w->cols, w->cols, row);
		for (size_t i = 0; i < n; i++)
		{
			double		sum = bias == NULL ? 0.0 : bias[j];

			for (size_t k = 0; k < w->cols; k++)
				sum += (double) row[k] * x[i * w->cols + k];
			out[i * w->rows + j] = sum;
		}
	}
}

static double
activate(double x, SrmStackActivation activation)
{
	switch (activation)
	{
		case SRM_STACK_RELU:
			/* NaN stays NaN */
			return x < 0.0 ? 0.0 : x;
		case SRM_STACK_SELU:
			return SELU_SCALE * (x > 0.0 ? x : SELU_ALPHA * expm1(x));
		case SRM_STACK_TANH:
			return tanh(x);
		case SRM_STACK_GELU:
			return x / 2 * (1 + erf(x / SQRT_2));
	}
	return x;
}

/* x (n) = its layer norm */
static void
norm_row(double *x, const SrmDense *layer, size_t n)
{
	double		sum = 0.0;
	double		squares = 0.0;
	double		mean;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	mean = sum / (double) n;
	for (size_t i = 0; i < n; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	for (size_t i = 0; i < n; i++)
		x[i] = (x[i] - mean) / sqrt(squares / (double) n + layer->norm_eps) * layer->norm[i] +
			(layer->norm_bias == NULL ? 0.0 : layer->norm_bias[i]);
}

static void
activate_rows(double *x, const SrmDense *layer, SrmStackActivation activation, size_t n)
{
	size_t		width = layer->weight.rows;

	for (size_t i = 0; i < n; i++)
	{
		for (size_t j = 0; j < width; j++)
		{
			double	   *y = &x[i * width + j];

			*y = activate(*y, activation);
			if (layer->scale != NULL)
				*y = *y * layer->scale[j] + layer->shift[j];
		}
		if (layer->norm != NULL)
			norm_row(x + i * width, layer, width);
	}
}

/* The widest row of anything in the stack. */
static size_t
widest(const SrmStack *stack)
{
	size_t		width = 0;

	for (size_t i = 0; i < stack->n; i++)
	{
		width = stack->layers[i].weight.rows > width ? stack->layers[i].weight.rows : width;
		width = stack->layers[i].weight.cols > width ? stack->layers[i].weight.cols : width;
	}
	return width;
}

bool
srm_stack_forward(double *out, const float *x, const SrmStack *stack, size_t n,
				  SrmArena *arena, SrmStatus *status)
{
	size_t		width = widest(stack);
	double	   *from = srm_arena_array(arena, n * width, sizeof(double), status);
	double	   *to = srm_arena_array(arena, n * width, sizeof(double), status);
	float	   *row = srm_arena_array(arena, width, sizeof(float), status);

	if (from == NULL || to == NULL || row == NULL)
		return false;
	for (size_t i = 0; i < n * srm_stack_inputs(stack); i++)
		from[i] = x[i];
	for (size_t i = 0; i < stack->n; i++)
	{
		const SrmDense *layer = &stack->layers[i];
		bool		is_last = i + 1 == stack->n;
		double	   *result = is_last ? out : to;

		map_rows(result, from, &layer->weight, layer->bias, n, row);
		if (!is_last)
			activate_rows(result, layer, stack->activation, n);
		to = from;
		from = result;
	}
	return true;
}

/* x (n) = softmax(x / temperature) */
static void
softmax(double *x, size_t n, double temperature)
{
	double		highest = x[0];
	double		sum = 0.0;

	for (size_t i = 1; i < n; i++)
		highest = x[i] > highest ? x[i] : highest;
	for (size_t i = 0; i < n; i++)
	{
		x[i] = exp((x[i] - highest) / temperature);
		sum += x[i];
	}
	for (size_t i = 0; i < n; i++)
		x[i] /= sum;
}

bool
srm_gate_weights_forward(double *out, const float *x, const SrmGate *gate, size_t n,
						 SrmArena *arena, SrmStatus *status)
{
	size_t		width = srm_stack_outputs(&gate->stack);

	if (!srm_stack_forward(out, x, &gate->stack, n, arena, status))
		return false;
	for (size_t i = 0; i < n && gate->is_softmax; i++)
	{
		softmax(out + i * width, width, gate->temperature);
		for (size_t j = 0; j < width; j++)
			out[i * width + j] *= gate->scale;
	}
	return true;
}
