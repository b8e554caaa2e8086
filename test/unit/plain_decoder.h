/*-------------------------------------------------------------------------
 *
 * plain_decoder.h
 *	  The plain twin of the decoder, for tests.
 *
 * The text of a paper turned into loops: one sequence, no cache, no tiles,
 * all sums in double.  Only weights, rope frequencies and the rows of distances come from the
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
#include "nn/relative.h"
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
plain_norm_row(double *out, const double *x, const float *weight, const float *bias, const SrmDecoder *decoder,
			   size_t dim)
{
	double		mean = 0;
	double		sum = 0;

	for (size_t j = 0; j < dim && decoder->norm_kind == SRM_NORM_LAYER; j++)
		mean += x[j] / (double) dim;
	for (size_t j = 0; j < dim; j++)
		sum += (x[j] - mean) * (x[j] - mean);
	for (size_t j = 0; j < dim; j++)
		out[j] = (x[j] - mean) / sqrt(sum / (double) dim + decoder->norm_eps) * weight[j] + (bias == NULL ? 0 : bias[j]);
}

static inline void
plain_norm(double *out, const double *x, const float *weight, const float *bias, const SrmDecoder *decoder,
		   size_t n, size_t dim)
{
	if (weight == NULL)
		memmove(out, x, n * dim * sizeof(double));
	for (size_t i = 0; weight != NULL && i < n; i++)
		plain_norm_row(out + i * dim, x + i * dim, weight, bias, decoder, dim);
}

/* heads (n_tokens, n_heads, head_dim) */
static inline void
plain_norm_heads(double *heads, const float *weight, const SrmDecoder *decoder, size_t n_tokens, size_t n_heads)
{
	size_t		head_dim = decoder->head_dim;

	if (decoder->head_norm == SRM_HEAD_NORM_WHOLE)
		plain_norm(heads, heads, weight, NULL, decoder, n_tokens, n_heads * head_dim);
	else if (weight != NULL)
		for (size_t i = 0; i < n_tokens * n_heads; i++)
			plain_norm_row(heads + i * head_dim, heads + i * head_dim,
						   decoder->head_norm == SRM_HEAD_NORM_OWN ? weight + i % n_heads * head_dim : weight,
						   NULL, decoder, head_dim);
}

/* heads (n_tokens, n_heads, head_dim) */
static inline void
plain_rope(double *heads, const SrmRope *rope, size_t n_tokens, size_t n_heads, size_t head_dim)
{
	size_t		half = srm_rope_width(rope, head_dim) / 2;
	float	   *frequencies = malloc((half + 1) * sizeof(float));
	double		scale = rope->type == SRM_ROPE_YARN || rope->type == SRM_ROPE_LONGROPE ?
		rope->attention_factor : 1;

	if (frequencies == NULL)
		abort();
	srm_rope_frequencies(frequencies, rope, head_dim, 0);
	for (size_t t = 0; t < n_tokens; t++)
		for (size_t h = 0; h < n_heads; h++)
			for (size_t j = 0; j < half; j++)
			{
				double	   *head = heads + (t * n_heads + h) * head_dim;
				double	   *first = head + (rope->is_interleaved ? 2 * j : j);
				double	   *second = head + (rope->is_interleaved ? 2 * j + 1 : j + half);
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

/* Keys and queries of all relative positions in a layer, (2 * span, n_heads, head_dim); NULL without any. */
typedef struct PlainRelative
{
	double	   *keys;
	double	   *queries;
} PlainRelative;

static inline PlainRelative
plain_relative(const SrmDecoder *decoder, const SrmLayer *layer)
{
	size_t		n = 2 * decoder->relative.span;
	PlainRelative relative = {NULL, NULL};
	double	   *rows;

	if (n == 0)
		return relative;
	rows = plain_zeros(n * decoder->dim);
	for (size_t i = 0; i < n * decoder->dim; i++)
		rows[i] = decoder->relative.embedding[i];
	relative.keys = plain_zeros(n * layer->key.rows);
	relative.queries = plain_zeros(n * layer->query.rows);
	plain_linear(relative.keys, rows, &layer->key, layer->key_bias, n);
	plain_linear(relative.queries, rows, &layer->query, layer->query_bias, n);
	free(rows);
	return relative;
}

/* What the distance of two tokens adds to their score */
static inline double
plain_distance_score(const double *query, const double *key, const PlainRelative *relative, const SrmDecoder *decoder,
					 int64_t distance, size_t head)
{
	size_t		row = srm_relative_row(&decoder->relative, distance);
	size_t		start = (row * decoder->n_heads + head) * decoder->head_dim;
	double		score = 0;

	if (decoder->relative.by_query)
		score += plain_dot(query, relative->keys + start, decoder->head_dim);
	if (decoder->relative.by_key)
		score += plain_dot(key, relative->queries + start, decoder->head_dim);
	return score * (decoder->attention_scale == 0 ? 1 / sqrt((double) decoder->head_dim) : decoder->attention_scale);
}

static inline void
plain_attention(double *out, const double *queries, const double *keys, const double *values, const PlainRelative *relative,
				const SrmDecoder *decoder, size_t window, size_t ahead, size_t n_tokens)
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
			size_t		end = ahead >= n_tokens - t ? n_tokens : t + 1 + ahead;
			double		greatest = -INFINITY;
			double		sum = 0;

			for (size_t s = first; s < end; s++)
			{
				const double *key = keys + (s * n_kv_heads + kv) * head_dim;

				weights[s] = plain_attention_score(query, key, decoder);
				if (relative->keys != NULL)
					weights[s] += plain_distance_score(query, key, relative, decoder, (int64_t) t - (int64_t) s, h);
				greatest = fmax(greatest, weights[s]);
			}
			for (size_t s = first; s < end; s++)
			{
				weights[s] = exp(weights[s] - greatest);
				sum += weights[s];
			}
			for (size_t s = first; s < end; s++)
				for (size_t j = 0; j < head_dim; j++)
					gathered[j] += weights[s] / sum * values[(s * n_kv_heads + kv) * head_dim + j];
		}
	free(weights);
}

/* hidden (n, dim) += change, normed or scaled; or the sum is normed */
static inline void
plain_add(double *hidden, double *change, const float *norm, const float *bias, const SrmDecoder *decoder, size_t n)
{
	if (!decoder->post_norms_sum)
		plain_norm(change, change, norm, bias, decoder, n, decoder->dim);
	for (size_t i = 0; i < n * decoder->dim; i++)
		hidden[i] += change[i] * (decoder->residual_scale == 0 ? 1 : decoder->residual_scale);
	if (decoder->post_norms_sum)
		plain_norm(hidden, hidden, norm, bias, decoder, n, decoder->dim);
}

static inline void
plain_attention_step(double *hidden, const SrmDecoder *decoder, const SrmLayer *layer, size_t n)
{
	size_t		dim = decoder->dim;
	size_t		q_dim = decoder->n_heads * decoder->head_dim;
	size_t		kv_dim = decoder->n_kv_heads * decoder->head_dim;
	double	   *normed = plain_zeros(n * dim);
	double	   *queries = plain_zeros(n * q_dim);
	double	   *keys = plain_zeros(n * kv_dim);
	double	   *values = plain_zeros(n * kv_dim);
	double	   *gathered = plain_zeros(n * q_dim);
	PlainRelative relative = plain_relative(decoder, layer);

	plain_norm(normed, hidden, layer->attention_norm, layer->attention_norm_bias, decoder, n, dim);
	plain_linear(queries, normed, &layer->query, layer->query_bias, n);
	plain_linear(keys, normed, &layer->key, layer->key_bias, n);
	plain_linear(values, normed, &layer->value, layer->value_bias, n);
	plain_norm_heads(queries, layer->query_norm, decoder, n, decoder->n_heads);
	plain_norm_heads(keys, layer->key_norm, decoder, n, decoder->n_kv_heads);
	if (layer->rope != SRM_ROPE_NONE)
	{
		plain_rope(queries, &decoder->ropes[layer->rope], n, decoder->n_heads, decoder->head_dim);
		plain_rope(keys, &decoder->ropes[layer->rope], n, decoder->n_kv_heads, decoder->head_dim);
	}
	plain_attention(gathered, queries, keys, values, &relative, decoder, layer->window, layer->ahead, n);
	plain_linear(normed, gathered, &layer->output, layer->output_bias, n);
	plain_add(hidden, normed, layer->post_attention_norm, layer->post_attention_norm_bias, decoder, n);
	free(normed);
	free(queries);
	free(keys);
	free(values);
	free(gathered);
	free(relative.keys);
	free(relative.queries);
}

static inline double
plain_activation(double x, SrmActivation activation)
{
	if (activation == SRM_ACTIVATION_SILU)
		return x / (1 + exp(-x));
	if (activation == SRM_ACTIVATION_GELU)
		return x / 2 * (1 + erf(x / sqrt(2)));
	return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
}

/* out (dim) += weight * the feed-forward network of those maps */
static inline void
plain_gated(double *out, const double *input, const SrmMatrix *gate, const SrmMatrix *up, const SrmMatrix *down,
			const SrmDecoder *decoder, double weight)
{
	double	   *x = plain_zeros(up->rows);
	double	   *y = plain_zeros(up->rows);
	double	   *z = plain_zeros(decoder->dim);

	plain_linear(x, input, gate, NULL, 1);
	plain_linear(y, input, up, NULL, 1);
	for (size_t i = 0; i < up->rows; i++)
		x[i] = plain_activation(x[i], decoder->activation) * y[i];
	plain_linear(z, x, down, NULL, 1);
	for (size_t i = 0; i < decoder->dim; i++)
		out[i] += weight * z[i];
	free(x);
	free(y);
	free(z);
}

/* out (dim), which is 0, = what a token takes of a layer's experts, and what all tokens take */
static inline void
plain_experts(double *out, const double *input, const SrmDecoder *decoder, const SrmLayer *layer)
{
	size_t		dim = decoder->dim;
	double	   *shares = plain_zeros(layer->n_experts);
	double		all = 0;
	double		taken = 0;

	for (size_t e = 0; e < layer->n_experts; e++)
	{
		for (size_t i = 0; i < dim; i++)
			shares[e] += layer->router[e * dim + i] * input[i];
		shares[e] = exp(shares[e]);
		all += shares[e];
	}
	/* An expert is used where fewer than that many have a greater share */
	for (int pass = 0; pass < 2; pass++)
		for (size_t e = 0; e < layer->n_experts; e++)
		{
			size_t		n_above = 0;

			for (size_t other = 0; other < layer->n_experts; other++)
				n_above += shares[other] > shares[e];
			if (n_above >= decoder->n_experts_used)
				continue;
			if (pass == 0)
				taken += shares[e];
			else
				plain_gated(out, input, &layer->experts[e].gate, &layer->experts[e].up, &layer->experts[e].down,
							decoder, shares[e] / (decoder->normalizes_experts ? taken : all));
		}
	if (layer->shared_gate != NULL)
	{
		double		x = 0;

		for (size_t i = 0; i < dim; i++)
			x += layer->shared_gate[i] * input[i];
		plain_gated(out, input, &layer->gate, &layer->up, &layer->down, decoder, 1 / (1 + exp(-x)));
	}
	free(shares);
}

static inline void
plain_feed_forward_step(double *hidden, const double *input, const SrmDecoder *decoder, const SrmLayer *layer, size_t n)
{
	double	   *normed = plain_zeros(n * decoder->dim);
	double	   *gate = plain_zeros(n * decoder->ffn_dim);
	double	   *up = plain_zeros(n * decoder->ffn_dim);

	plain_norm(normed, input, layer->ffn_norm, layer->ffn_norm_bias, decoder, n, decoder->dim);
	if (layer->n_experts > 0)
	{
		double	   *change = plain_zeros(n * decoder->dim);

		for (size_t i = 0; i < n; i++)
			plain_experts(change + i * decoder->dim, normed + i * decoder->dim, decoder, layer);
		plain_add(hidden, change, layer->post_ffn_norm, layer->post_ffn_norm_bias, decoder, n);
		free(change);
		free(normed);
		free(gate);
		free(up);
		return;
	}
	plain_linear(gate, normed, &layer->gate, layer->gate_bias, n);
	plain_linear(up, normed, &layer->up, layer->up_bias, n);
	for (size_t i = 0; i < n * decoder->ffn_dim; i++)
		gate[i] = layer->gate.rows == 0 ? plain_activation(up[i], decoder->activation) :
			plain_activation(gate[i], decoder->activation) * up[i];
	plain_linear(normed, gate, &layer->down, layer->down_bias, n);
	plain_add(hidden, normed, layer->post_ffn_norm, layer->post_ffn_norm_bias, decoder, n);
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
	double	   *before = plain_zeros(n * dim);

	if (row == NULL)
		abort();
	for (size_t t = 0; t < n; t++)
	{
		srm_matrix_read(&decoder->embedding, (size_t) tokens[t] * dim, dim, row);
		for (size_t j = 0; j < dim; j++)
			out[t * dim + j] = row[j] * (decoder->embedding_scale == 0 ? 1 : decoder->embedding_scale);
		for (size_t j = 0; j < dim && decoder->positions != NULL; j++)
			out[t * dim + j] += decoder->positions[(decoder->first_position + t) * dim + j] + decoder->token_types[j];
	}
	free(row);
	plain_norm(out, out, decoder->embedding_norm, decoder->embedding_norm_bias, decoder, n, dim);
	for (size_t i = 0; i < decoder->n_layers; i++)
	{
		memcpy(before, out, n * dim * sizeof(double));
		plain_attention_step(out, decoder, &decoder->layers[i], n);
		plain_feed_forward_step(out, decoder->is_parallel ? before : out, decoder, &decoder->layers[i], n);
	}
	free(before);
	plain_norm(out, out, decoder->final_norm, decoder->final_norm_bias, decoder, n, dim);
}

#endif							/* SRM_PLAIN_DECODER_H */
