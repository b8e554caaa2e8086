/*-------------------------------------------------------------------------
 *
 * plain_decoder.h
 *	  The plain twin of the decoder, for tests.
 *
 * The text of a paper turned into loops: one sequence, no cache, no tiles,
 * all sums in double.  Only weights and rope frequencies come from the
 * library; these have tests of their own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PLAIN_DECODER_H
#define SRM_PLAIN_DECODER_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/decoder.h"
#include "nn/rope.h"

/* (n) zeros; freed by the caller */
static inline double *
plain_zeros(size_t n)
{
	double	   *values = calloc(n == 0 ? 1 : n, sizeof(double));

	if (values == NULL)
		abort();
	return values;
}

/* out (m, w.rows) = x (m, w.cols) * w^T + bias */
static inline void
plain_linear(double *out, const double *x, const SrmMatrix *w, const float *bias, size_t m)
{
	float	   *row = malloc(w->cols * sizeof(float));

	if (row == NULL)
		abort();
	for (size_t j = 0; j < w->rows; j++)
	{
		srm_matrix_read(w, j * w->cols, w->cols, row);
		for (size_t i = 0; i < m; i++)
		{
			double		sum = bias == NULL ? 0 : bias[j];

			for (size_t k = 0; k < w->cols; k++)
				sum += x[i * w->cols + k] * row[k];
			out[i * w->rows + j] = sum;
		}
	}
	free(row);
}

static inline void
plain_norm(double *out, const double *x, const float *weight, double eps, size_t n, size_t dim)
{
	if (weight == NULL)
		memmove(out, x, n * dim * sizeof(double));
	for (size_t i = 0; weight != NULL && i < n; i++)
	{
		double		sum = 0;

		for (size_t j = 0; j < dim; j++)
			sum += x[i * dim + j] * x[i * dim + j];
		for (size_t j = 0; j < dim; j++)
			out[i * dim + j] = x[i * dim + j] / sqrt(sum / (double) dim + eps) * weight[j];
	}
}

/* heads (n_tokens, n_heads, head_dim) */
static inline void
plain_rope(double *heads, const SrmRope *rope, size_t n_tokens, size_t n_heads, size_t head_dim)
{
	size_t		half = head_dim / 2;
	float	   *frequencies = malloc((half + 1) * sizeof(float));
	double		scale = rope->type == SRM_ROPE_YARN || rope->type == SRM_ROPE_LONGROPE ?
		rope->attention_factor : 1;

	if (frequencies == NULL)
		abort();
	srm_rope_frequencies(frequencies, rope, head_dim);
	for (size_t t = 0; t < n_tokens; t++)
		for (size_t h = 0; h < n_heads; h++)
			for (size_t j = 0; j < half; j++)
			{
				double	   *first = heads + (t * n_heads + h) * head_dim + j;
				double	   *second = first + half;
				double		angle = (double) t * frequencies[j];
				double		x = *first;
				double		y = *second;

				*first = (x * cos(angle) - y * sin(angle)) * scale;
				*second = (y * cos(angle) + x * sin(angle)) * scale;
			}
	free(frequencies);
}

static inline double
plain_dot(const double *x, const double *y, size_t n)
{
	double		sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i] * y[i];
	return sum;
}

/* The product of a query with a key, before the softmax */
static inline double
plain_attention_score(const double *query, const double *key, const SrmDecoder *decoder)
{
	double		scale = decoder->attention_scale == 0 ? 1 / sqrt((double) decoder->head_dim) :
		decoder->attention_scale;
	double		cap = decoder->attention_softcap;
	double		score = plain_dot(query, key, decoder->head_dim) * scale;

	return cap == 0 ? score : cap * tanh(score / cap);
}

static inline void
plain_attention(double *out, const double *queries, const double *keys, const double *values,
				const SrmDecoder *decoder, size_t window, size_t n_tokens)
{
	size_t		head_dim = decoder->head_dim;
	size_t		n_heads = decoder->n_heads;
	size_t		n_kv_heads = decoder->n_kv_heads;
	double	   *weights = plain_zeros(n_tokens);

	for (size_t t = 0; t < n_tokens; t++)
		for (size_t h = 0; h < n_heads; h++)
		{
			const double *query = queries + (t * n_heads + h) * head_dim;
			double	   *gathered = out + (t * n_heads + h) * head_dim;
			size_t		kv = h / (n_heads / n_kv_heads);
			size_t		first = window == 0 || t < window ? 0 : t + 1 - window;
			double		greatest = -INFINITY;
			double		sum = 0;

			for (size_t s = first; s <= t; s++)
			{
				weights[s] = plain_attention_score(query, keys + (s * n_kv_heads + kv) * head_dim,
												   decoder);
				greatest = fmax(greatest, weights[s]);
			}
			for (size_t s = first; s <= t; s++)
			{
				weights[s] = exp(weights[s] - greatest);
				sum += weights[s];
			}
			for (size_t s = first; s <= t; s++)
				for (size_t j = 0; j < head_dim; j++)
					gathered[j] += weights[s] / sum * values[(s * n_kv_heads + kv) * head_dim + j];
		}
	free(weights);
}

/* hidden (n, dim) += change, scaled */
static inline void
plain_add(double *hidden, const double *change, const SrmDecoder *decoder, size_t n)
{
	for (size_t i = 0; i < n * decoder->dim; i++)
		hidden[i] += change[i] * (decoder->residual_scale == 0 ? 1 : decoder->residual_scale);
}

static inline void
plain_attention_step(double *hidden, const SrmDecoder *decoder, const SrmLayer *layer, size_t n)
{
	size_t		dim = decoder->dim;
	size_t		q_dim = decoder->n_heads * decoder->head_dim;
	size_t		kv_dim = decoder->n_kv_heads * decoder->head_dim;
	size_t		q_width = decoder->head_norm == SRM_HEAD_NORM_WHOLE ? q_dim : decoder->head_dim;
	size_t		kv_width = decoder->head_norm == SRM_HEAD_NORM_WHOLE ? kv_dim : decoder->head_dim;
	double	   *normed = plain_zeros(n * dim);
	double	   *queries = plain_zeros(n * q_dim);
	double	   *keys = plain_zeros(n * kv_dim);
	double	   *values = plain_zeros(n * kv_dim);
	double	   *gathered = plain_zeros(n * q_dim);

	plain_norm(normed, hidden, layer->attention_norm, decoder->norm_eps, n, dim);
	plain_linear(queries, normed, &layer->query, layer->query_bias, n);
	plain_linear(keys, normed, &layer->key, layer->key_bias, n);
	plain_linear(values, normed, &layer->value, layer->value_bias, n);
	plain_norm(queries, queries, layer->query_norm, decoder->norm_eps, n * q_dim / q_width, q_width);
	plain_norm(keys, keys, layer->key_norm, decoder->norm_eps, n * kv_dim / kv_width, kv_width);
	if (layer->rope != SRM_ROPE_NONE)
	{
		plain_rope(queries, &decoder->ropes[layer->rope], n, decoder->n_heads, decoder->head_dim);
		plain_rope(keys, &decoder->ropes[layer->rope], n, decoder->n_kv_heads, decoder->head_dim);
	}
	plain_attention(gathered, queries, keys, values, decoder, layer->window, n);
	plain_linear(normed, gathered, &layer->output, layer->output_bias, n);
	plain_norm(normed, normed, layer->post_attention_norm, decoder->norm_eps, n, dim);
	plain_add(hidden, normed, decoder, n);
	free(normed);
	free(queries);
	free(keys);
	free(values);
	free(gathered);
}

static inline double
plain_activation(double x, SrmActivation activation)
{
	if (activation == SRM_ACTIVATION_SILU)
		return x / (1 + exp(-x));
	return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

static inline void
plain_feed_forward_step(double *hidden, const SrmDecoder *decoder, const SrmLayer *layer, size_t n)
{
	double	   *normed = plain_zeros(n * decoder->dim);
	double	   *gate = plain_zeros(n * decoder->ffn_dim);
	double	   *up = plain_zeros(n * decoder->ffn_dim);

	plain_norm(normed, hidden, layer->ffn_norm, decoder->norm_eps, n, decoder->dim);
	plain_linear(gate, normed, &layer->gate, layer->gate_bias, n);
	plain_linear(up, normed, &layer->up, layer->up_bias, n);
	for (size_t i = 0; i < n * decoder->ffn_dim; i++)
		gate[i] = plain_activation(gate[i], decoder->activation) * up[i];
	plain_linear(normed, gate, &layer->down, layer->down_bias, n);
	plain_norm(normed, normed, layer->post_ffn_norm, decoder->norm_eps, n, decoder->dim);
	plain_add(hidden, normed, decoder, n);
	free(normed);
	free(gate);
	free(up);
}

/* out (n, dim): the final-norm hidden states of all tokens */
static inline void
plain_decoder_forward(double *out, const SrmDecoder *decoder, const int32_t *tokens, size_t n)
{
	size_t		dim = decoder->dim;
	float	   *row = malloc(dim * sizeof(float));

	if (row == NULL)
		abort();
	for (size_t t = 0; t < n; t++)
	{
		srm_matrix_read(&decoder->embedding, (size_t) tokens[t] * dim, dim, row);
		for (size_t j = 0; j < dim; j++)
			out[t * dim + j] = row[j] * (decoder->embedding_scale == 0 ? 1 : decoder->embedding_scale);
	}
	free(row);
	for (size_t i = 0; i < decoder->n_layers; i++)
	{
		plain_attention_step(out, decoder, &decoder->layers[i], n);
		plain_feed_forward_step(out, decoder, &decoder->layers[i], n);
	}
	plain_norm(out, out, decoder->final_norm, decoder->norm_eps, n, dim);
}

#endif							/* SRM_PLAIN_DECODER_H */
