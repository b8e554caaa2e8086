/*-------------------------------------------------------------------------
 *
 * decoder.c
 *	  One transformer decoder, driven by a description.
 *
 * A block runs through a layer in chunks: the buffers of a feed-forward network
 * are those of a chunk and stay in a processor's caches, and its products leave off soon
 * enough for a stop.  A chunk attends to the keys of those before it.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/decoder.h"

#include <string.h>

#include "base/sizes.h"
#include "nn/activation.h"
#include "nn/attention.h"
#include "nn/decoder_pass.h"
#include "nn/experts.h"
#include "kernel/linear.h"
#include "nn/norm.h"
#include "nn/rope.h"

#define ROWS_PER_TASK	16

/* Rows of a residual stream; at most chunk_rows within a layer. */
typedef struct Chunk
{
	SrmPass    *pass;
	const float *hidden;		/* (n, dim) */
	float	   *middle;			/* (n, dim) behind attention; may be hidden */
	float	   *next;			/* (n, dim) behind the feed-forward network; may be hidden */
	const uint32_t *rows;		/* (n): which rows of the pass, ascending */
	const uint32_t *index;		/* (n): theirs */
	size_t		n;
	size_t		first;			/* of the rows, or of those wanted in the last layer */
} Chunk;

/* Rows of a chunk are shared out; the arithmetic of each is its own. */
static bool
run_rows(Chunk *chunk, SrmTask task)
{
	SrmPass    *pass = chunk->pass;

	return srm_threads_run_or_stop(pass->threads, (chunk->n + ROWS_PER_TASK - 1) / ROWS_PER_TASK,
								   task, chunk, pass->stop, pass->status);
}

static size_t
task_rows(const Chunk *chunk, size_t task)
{
	return srm_smaller(chunk->n - task * ROWS_PER_TASK, ROWS_PER_TASK);
}

/* row (dim) += more */
static void
add_row(float *row, const float *more, size_t dim)
{
	for (size_t i = 0; i < dim; i++)
		row[i] += more[i];
}

/* Its embedding in the residual stream, of a row of the pass. */
static void
read_embedding(const SrmPass *pass, size_t i)
{
	const SrmDecoder *decoder = pass->decoder;
	size_t		position = decoder->first_position + pass->first_position + pass->position[i];
	float	   *row = pass->hidden + i * decoder->dim;

	srm_matrix_read(&decoder->embedding, (size_t) pass->tokens[i] * decoder->dim, decoder->dim, row);
	if (decoder->embedding_scale != 0)
		for (size_t i = 0; i < decoder->dim; i++)
			row[i] *= decoder->embedding_scale;
	if (decoder->token_types != NULL)
		add_row(row, decoder->token_types + pass->type[i] * decoder->dim, decoder->dim);
	if (decoder->positions != NULL)
		add_row(row, decoder->positions + position * decoder->dim, decoder->dim);
	srm_decoder_norm_forward(row, row, decoder->embedding_norm, decoder->embedding_norm_bias, decoder, 1, decoder->dim);
}

/* The embeddings of tokens, and what depends on positions alone. */
static void
start_rows(void *arg, size_t task, int thread)
{
	SrmPass    *pass = arg;
	const SrmDecoder *decoder = pass->decoder;
	size_t		first = task * ROWS_PER_TASK;
	size_t		half = decoder->head_dim / 2;

	(void) thread;
	for (int i = 0; i < SRM_N_ROPES && first < pass->n_positions; i++)
		if (srm_decoder_uses_rope(decoder, i))
			srm_rope_table(pass->cosines[i] + first * half, pass->sines[i] + first * half, pass->frequencies[i],
						   &decoder->ropes[i], decoder->head_dim, pass->first_position + first,
						   srm_smaller(ROWS_PER_TASK, pass->n_positions - first));
	for (size_t i = first; i < srm_smaller(first + ROWS_PER_TASK, pass->n_rows); i++)
		read_embedding(pass, i);
}

/* out = norm(hidden) of one row */
static void
read_norm(void *arg, size_t row, float *out)
{
	const Chunk *chunk = arg;
	const SrmDecoder *decoder = chunk->pass->decoder;
	const SrmLayer *layer = chunk->pass->layer;

	srm_decoder_norm_forward(out, chunk->hidden + row * decoder->dim, layer->attention_norm,
							 layer->attention_norm_bias, decoder, 1, decoder->dim);
}

/*
 * out (dim) = hidden + change, or hidden + norm(change) or norm(hidden + change) where the layer has such a
 * norm; kept, if not NULL, gets change as it was before.  A scale applies to what is added.
 */
static void
add_change(const SrmDecoder *decoder, float *out, const float *hidden, float *change, float *kept,
		   const float *norm, const float *bias)
{
	if (norm != NULL && kept != NULL)
		memcpy(kept, change, decoder->dim * sizeof(float));
	if (!decoder->post_norms_sum)
		srm_decoder_norm_forward(change, change, norm, bias, decoder, 1, decoder->dim);
	for (size_t i = 0; i < decoder->dim && decoder->residual_scale != 0; i++)
		change[i] *= decoder->residual_scale;
	for (size_t i = 0; i < decoder->dim; i++)
		out[i] = hidden[i] + change[i];
	if (decoder->post_norms_sum)
		srm_decoder_norm_forward(out, out, norm, bias, decoder, 1, decoder->dim);
}

/* A row of a state of the layer at work on the tape, or NULL. */
static float *
kept_row(const Chunk *chunk, float *state, size_t row)
{
	return state == NULL ? NULL : state + (chunk->first + row) * chunk->pass->decoder->dim;
}

/* next = middle + change */
static void
add_rows(void *arg, size_t task, int thread)
{
	const Chunk *chunk = arg;
	const SrmPass *pass = chunk->pass;
	size_t		dim = pass->decoder->dim;
	size_t		first = task * ROWS_PER_TASK;
	float	   *kept = pass->tape == NULL ? NULL : pass->tape->states[pass->layer_number].ffn_out;

	(void) thread;
	for (size_t i = first; i < first + task_rows(chunk, task); i++)
		add_change(pass->decoder, chunk->next + i * dim, chunk->middle + i * dim, pass->change + i * dim,
				   kept_row(chunk, kept, i), pass->layer->post_ffn_norm, pass->layer->post_ffn_norm_bias);
}

/* middle = hidden + change, and out = norm(middle), or norm(hidden); they may be one */
static void
add_and_read_norm(void *arg, size_t row, float *out)
{
	const Chunk *chunk = arg;
	const SrmPass *pass = chunk->pass;
	const SrmDecoder *decoder = pass->decoder;
	size_t		start = row * decoder->dim;
	const SrmLayer *layer = pass->layer;
	float	   *kept = pass->tape == NULL ? NULL : pass->tape->states[pass->layer_number].attention_out;

	if (decoder->is_parallel)
		srm_decoder_norm_forward(out, chunk->hidden + start, layer->ffn_norm, layer->ffn_norm_bias, decoder, 1, decoder->dim);
	add_change(decoder, chunk->middle + start, chunk->hidden + start, pass->change + start,
			   kept_row(chunk, kept, row), layer->post_attention_norm, layer->post_attention_norm_bias);
	if (!decoder->is_parallel)
		srm_decoder_norm_forward(out, chunk->middle + start, layer->ffn_norm, layer->ffn_norm_bias, decoder, 1, decoder->dim);
}

/* normed = the norm of what a chunk adds up to, for experts */
static void
norm_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < first + task_rows(chunk, task); i++)
		add_and_read_norm(chunk, i, chunk->pass->normed + i * chunk->pass->decoder->dim);
}

/* out = activation(gate) * up, or activation(up) */
static void
read_gated(void *arg, size_t row, float *out)
{
	const Chunk *chunk = arg;
	const SrmDecoder *decoder = chunk->pass->decoder;
	size_t		width = chunk->pass->layer->up.rows;
	size_t		start = row * width;

	srm_gate_forward(out, chunk->pass->layer->gate.rows == 0 ? NULL : chunk->pass->gate + start,
					 chunk->pass->up + start, decoder->activation, width);
}

/* Norms heads (n_heads, head_dim) in place. */
static void
norm_heads(const SrmDecoder *decoder, float *heads, const float *norm, size_t n_heads)
{
	size_t		n_normed = decoder->head_norm == SRM_HEAD_NORM_WHOLE ? 1 : n_heads;
	size_t		width = n_heads * decoder->head_dim / n_normed;

	if (decoder->head_norm != SRM_HEAD_NORM_OWN)
		srm_decoder_norm_forward(heads, heads, norm, NULL, decoder, n_normed, width);
	else
		for (size_t i = 0; i < n_heads && norm != NULL; i++)
			srm_decoder_norm_forward(heads + i * width, heads + i * width, norm + i * width, NULL, decoder, 1, width);
}

/*
 * Norms the heads of one row where the layer says so, and turns them; raw, if
 * not NULL, gets them as they were before.
 */
static void
turn_heads(SrmPass *pass, float *heads, float *raw, const float *norm, size_t n_heads, size_t row)
{
	const SrmDecoder *decoder = pass->decoder;
	size_t		head_dim = decoder->head_dim;
	size_t		start = pass->position[row] * (head_dim / 2);
	SrmRopeNumber rope = pass->layer->rope;

	if (norm != NULL && raw != NULL)
		memcpy(raw, heads, n_heads * head_dim * sizeof(float));
	norm_heads(decoder, heads, norm, n_heads);
	if (rope != SRM_ROPE_NONE)
		srm_rope_forward(heads, pass->cosines[rope] + start, pass->sines[rope] + start, &decoder->ropes[rope], n_heads, head_dim);
}

static void
turn_queries(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	SrmPass    *pass = chunk->pass;
	size_t		q_dim = pass->decoder->n_heads * pass->decoder->head_dim;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < first + task_rows(chunk, task); i++)
		turn_heads(pass, pass->queries + i * q_dim,
				   pass->raw_queries == NULL ? NULL : pass->raw_queries + i * q_dim, pass->layer->query_norm, pass->decoder->n_heads, chunk->rows[i]);
}

/* Turns the keys of a band, and puts them and the values where attention reads them. */
static void
keep_band(void *arg, size_t number, int thread)
{
	Chunk	   *chunk = arg;
	SrmPass    *pass = chunk->pass;
	const SrmKeyBand *band = &pass->bands[number];
	size_t		width = pass->decoder->n_kv_heads * pass->decoder->head_dim;
	size_t		start = band->first * width;

	(void) thread;
	for (size_t i = 0; i < band->n; i++)
		turn_heads(pass, pass->keys + start + i * width,
				   pass->raw_keys == NULL ? NULL : pass->raw_keys + start + i * width, pass->layer->key_norm,
				   pass->decoder->n_kv_heads, chunk->rows[band->first + i]);
	srm_keys_write(band->keys, band->token, band->n, pass->keys + start, pass->values + start);
}

/* Where the keys of a block lie from own_first on, with the layer at work. */
static SrmKeys *
keys_of(SrmPass *pass, const SrmBlock *block)
{
	return block == pass->kept ? &pass->cache->layers[pass->layer_number] : &pass->own;
}

/*
 * Puts the keys that a block has in common with another, or with the cache, before
 * its own, so that attention finds those of a text, or those behind its past, in one place.
 */
static void
join_beginning(SrmPass *pass, const SrmBlock *block)
{
	SrmKeys    *keys = keys_of(pass, block);
	size_t		n = block->sequence->n_common;

	if (block->common != NULL)
		srm_keys_copy(keys, block->own_first, keys_of(pass, block->common), block->common->own_first, n);
	else if (block != pass->kept && n > 0)
		srm_keys_copy(keys, block->own_first, &pass->cache->layers[pass->layer_number], 0, n);
	if (block->sequence->n_tokens == 0)
		srm_keys_truncate(keys, block->own_first + n);
}

/* Those of the cache, before a block that is kept writes there. */
static void
join_cache(SrmPass *pass)
{
	pass->n_joined = 0;
	for (size_t i = 0; i < pass->n_blocks; i++)
		if (pass->blocks[i].sequence->n_common > 0 && pass->blocks[i].common == NULL)
			join_beginning(pass, &pass->blocks[i]);
}

/* Those of other blocks, for the blocks that a chunk of all rows begins, once all keys up to its end are written. */
static void
join_texts(const Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	size_t		end = chunk->first + chunk->n;

	for (; pass->n_joined < pass->n_blocks; pass->n_joined++)
	{
		const SrmBlock *block = &pass->blocks[pass->n_joined];

		if (block->first >= end && end < pass->n_rows)
			break;
		if (block->common != NULL)
			join_beginning(pass, block);
	}
}

/* Cuts a chunk of all rows of the pass into bands. */
static void
cut_into_bands(const Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	const SrmBlock *block = pass->blocks;

	pass->n_bands = 0;
	for (size_t first = 0; first < chunk->n;)
	{
		SrmKeyBand *band = &pass->bands[pass->n_bands++];
		size_t		left;

		while (chunk->rows[first] >= block->first + block->sequence->n_tokens)
			block++;
		left = block->first + block->sequence->n_tokens - chunk->rows[first];
		band->first = first;
		band->keys = keys_of(pass, block);
		band->token = block->own_first + chunk->index[first];
		band->n = srm_smaller(srm_smaller(left, chunk->n - first), SRM_PANEL - band->token % SRM_PANEL);
		first += band->n;
	}
}

/* Products of a chunk's keys, those of all rows, with the queries of distances. */
static bool
relate_keys(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	SrmDistances *distances = &pass->distances;

	return !pass->decoder->relative.by_key ||
		srm_distances_multiply(distances->by_key + chunk->first * pass->decoder->n_heads * distances->width, distances,
							   &distances->queries, pass->keys, chunk->n, pass->threads, pass->stop, pass->status);
}

/* The same of its queries with the keys of distances. */
static bool
relate_queries(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	SrmDistances *distances = &pass->distances;

	return !pass->decoder->relative.by_query ||
		srm_distances_multiply(distances->by_query, distances, &distances->keys, pass->queries, chunk->n,
							   pass->threads, pass->stop, pass->status);
}

/* Cuts a chunk of all rows into bands, and puts their keys and values where attention reads them. */
static bool
keep_chunk(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;

	cut_into_bands(chunk);
	if (!srm_threads_run_or_stop(pass->threads, pass->n_bands, keep_band, chunk, pass->stop, pass->status))
		return false;
	join_texts(chunk);
	return relate_keys(chunk);
}

/* Keys and values of a chunk of all rows, from its hidden states, and its queries where they are wanted. */
static bool
project_chunk(Chunk *chunk, bool with_queries)
{
	SrmPass    *pass = chunk->pass;
	const SrmLayer *layer = pass->layer;
	SrmRowSource source = {read_norm, chunk};
	SrmLinear	maps[] = {
		{pass->keys, NULL, &layer->key, layer->key_bias},
		{pass->values, NULL, &layer->value, layer->value_bias},
		{pass->queries, NULL, &layer->query, layer->query_bias}
	};

	return srm_linears_forward_from(maps, with_queries ? 3 : 2, chunk->n, &source, pass->threads,
									pass->stop, pass->status) &&
		keep_chunk(chunk) &&
		(!with_queries || run_rows(chunk, turn_queries));
}

/* Queries of a chunk whose keys are there already. */
static bool
project_queries(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	SrmRowSource source = {read_norm, chunk};
	SrmLinear	map = {pass->queries, NULL, &pass->layer->query, pass->layer->query_bias};

	return srm_linears_forward_from(&map, 1, chunk->n, &source, pass->threads,
									pass->stop, pass->status) &&
		run_rows(chunk, turn_queries);
}

/*
 * What the rows of a block attend to.  Tokens of one that begins a text count from the
 * text's first one, so that it does not matter how many of them were there;
 * those of one that goes on from it count from the first one behind it.
 */
static SrmAttention
attention_of(SrmPass *pass, const SrmBlock *block)
{
	const SrmDecoder *decoder = pass->decoder;
	SrmAttention attention = {
		.n_heads = decoder->n_heads,.scale = decoder->attention_scale,
		.softcap = decoder->attention_softcap,.window = pass->layer->window,
		.ahead = pass->layer->ahead,.n_own = block->sequence->n_tokens,
		.n_past = block->past == NULL ? 0 : block->past->end,
		.own = keys_of(pass, block),.own_first = block->own_first
	};

	if (attention.n_past > 0)
	{
		attention.past = keys_of(pass, block->past);
		attention.past_first = block->past->own_first;
	}
	if (decoder->relative.span > 0)
		attention.distances = &pass->distances;
	if (decoder->relative.by_key)
		attention.by_key = pass->distances.by_key + block->first * decoder->n_heads * pass->distances.width;
	return attention;
}

/* attended = what the queries of a chunk see, block by block */
static bool
attend_chunk(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	size_t		q_dim = pass->decoder->n_heads * pass->decoder->head_dim;
	const SrmBlock *block = pass->blocks;
	size_t		end;

	for (size_t first = 0; first < chunk->n; first = end)
	{
		SrmAttention attention;

		while (chunk->rows[first] >= block->first + block->sequence->n_tokens)
			block++;
		for (end = first; end < chunk->n;)
			if (chunk->rows[end] < block->first + block->sequence->n_tokens)
				end++;
			else
				break;
		attention = attention_of(pass, block);
		if (pass->logs != NULL)
			attention.logs = pass->logs + first * pass->decoder->n_heads;
		if (pass->decoder->relative.by_query)
			attention.by_query = pass->distances.by_query + first * pass->decoder->n_heads * pass->distances.width;
		if (!srm_attention_forward(pass->attended + first * q_dim, pass->queries + first * q_dim,
								   &attention, chunk->index + first, end - first,
								   pass->threads, pass->stop, pass->status))
			return false;
	}
	return true;
}

/* change = the output map of what the queries of a chunk see */
static bool
map_attended(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	SrmLinear	map = {pass->change, pass->attended, &pass->layer->output, pass->layer->output_bias};

	return srm_linears_forward(&map, 1, chunk->n, pass->threads, pass->stop, pass->status);
}

/* Adds that to the residual stream, and change = the feed-forward network from there. */
static bool
feed_forward(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	const SrmLayer *layer = pass->layer;
	SrmRowSource normed = {add_and_read_norm, chunk};
	SrmRowSource gated = {read_gated, chunk};
	SrmLinear	maps[2] = {
		{pass->gate, NULL, &layer->gate, layer->gate_bias},
		{pass->up, NULL, &layer->up, layer->up_bias}
	};
	int			n_gates = layer->gate.rows == 0 ? 0 : 1;
	SrmLinear	down = {pass->change, NULL, &layer->down, layer->down_bias};

	if (layer->n_experts > 0)
		return run_rows(chunk, norm_rows) && srm_experts_forward(pass, chunk->n);
	return srm_linears_forward_from(maps + 1 - n_gates, 1 + n_gates, chunk->n, &normed, pass->threads, pass->stop, pass->status) &&
		srm_linears_forward_from(&down, 1, chunk->n, &gated, pass->threads, pass->stop, pass->status);
}

/* The rest of a layer, once the queries of a chunk and the keys up to it are there. */
static bool
finish_chunk(Chunk *chunk)
{
	return relate_queries(chunk) && attend_chunk(chunk) && map_attended(chunk) && feed_forward(chunk) &&
		run_rows(chunk, add_rows);
}

/* Lets what a chunk makes of all its rows lie on the tape. */
static void
write_rows_to_tape(SrmPass *pass, size_t first)
{
	const SrmLayerStates *states = &pass->tape->states[pass->layer_number];
	size_t		start = first * pass->decoder->n_kv_heads * pass->decoder->head_dim;

	pass->keys = states->keys + start;
	pass->values = states->values + start;
	pass->raw_keys = states->raw_keys == NULL ? NULL : states->raw_keys + start;
}

/* The same of its active rows. */
static void
write_active_to_tape(SrmPass *pass, size_t first)
{
	const SrmLayerStates *states = &pass->tape->states[pass->layer_number];
	size_t		start = first * pass->decoder->n_heads * pass->decoder->head_dim;

	pass->queries = states->queries + start;
	pass->raw_queries = states->raw_queries == NULL ? NULL : states->raw_queries + start;
	pass->attended = states->attended + start;
	pass->logs = states->logs + first * pass->decoder->n_heads;
	pass->gate = states->gate + first * pass->decoder->ffn_dim;
	pass->up = states->up + first * pass->decoder->ffn_dim;
}

/* Up to as many rows of a pass as go through a layer at once, from row first of n_rows on. */
static Chunk
make_chunk(SrmPass *pass, float *hidden, const uint32_t *rows, const uint32_t *index, size_t first, size_t n_rows)
{
	size_t		start = first * pass->decoder->dim;
	Chunk		chunk = {
		.pass = pass,.first = first,
		.hidden = hidden + start,.middle = hidden + start,.next = hidden + start,
		.rows = rows + first,.index = index + first,
		.n = srm_smaller(n_rows - first, pass->chunk_rows)
	};

	if (pass->tape != NULL)
	{
		chunk.middle = pass->tape->states[pass->layer_number].middle + start;
		chunk.next = pass->tape->inputs[pass->layer_number + 1] + start;
	}
	return chunk;
}

/* The chunk of the pass from a row on. */
static Chunk
chunk_of(SrmPass *pass, size_t first)
{
	if (pass->tape != NULL)
		write_rows_to_tape(pass, first);
	return make_chunk(pass, pass->hidden, pass->rows, pass->index, first, pass->n_rows);
}

/* The same of the tokens wanted. */
static Chunk
wanted_chunk_of(SrmPass *pass, size_t first)
{
	if (pass->tape != NULL)
		write_active_to_tape(pass, first);
	return make_chunk(pass, pass->wanted_hidden, pass->wanted_rows, pass->wanted_index, first, pass->n_wanted);
}

static bool
start_pass(SrmPass *pass)
{
	size_t		n_rows = pass->n_rows > pass->n_positions ? pass->n_rows : pass->n_positions;
	size_t		n_wanted = 0;

	for (size_t i = 0; i < pass->n_blocks; i++)
	{
		const SrmBlock *block = &pass->blocks[i];

		srm_pass_number_rows(pass, block);
		for (size_t j = 0; j < block->sequence->n_wanted; j++)
		{
			size_t		row = block->first + block->sequence->wanted[j];

			pass->wanted_rows[n_wanted] = (uint32_t) row;
			pass->wanted_index[n_wanted++] = pass->index[row];
		}
	}
	for (int i = 0; i < SRM_N_ROPES; i++)
		if (srm_decoder_uses_rope(pass->decoder, i))
			srm_rope_frequencies(pass->frequencies[i], &pass->decoder->ropes[i], pass->decoder->head_dim, pass->rope_length);
	return srm_threads_run_or_stop(pass->threads, srm_divide_up(n_rows, ROWS_PER_TASK), start_rows, pass,
								   pass->stop, pass->status);
}

/* Keys and values of all rows. */
static bool
project_keys(SrmPass *pass)
{
	for (size_t first = 0; first < pass->n_rows; first += pass->chunk_rows)
	{
		Chunk		chunk = chunk_of(pass, first);

		if (!project_chunk(&chunk, false))
			return false;
	}
	return true;
}

static bool
forward_layer(SrmPass *pass)
{
	bool		looks_ahead = pass->layer->ahead > 0;

	if (looks_ahead && !project_keys(pass))
		return false;
	for (size_t first = 0; first < pass->n_rows; first += pass->chunk_rows)
	{
		Chunk		chunk = chunk_of(pass, first);

		if (pass->tape != NULL)
			write_active_to_tape(pass, first);
		if (!(looks_ahead ? project_queries(&chunk) : project_chunk(&chunk, true)) || !finish_chunk(&chunk))
			return false;
	}
	return true;
}

/*
 * In the last layer other tokens matter by their keys and values alone.
 * wanted_hidden gets the residual stream of those wanted.
 */
static bool
forward_last_layer(SrmPass *pass)
{
	size_t		dim = pass->decoder->dim;

	if (!project_keys(pass))
		return false;
	for (size_t i = 0; i < pass->n_wanted; i++)
		memcpy(pass->wanted_hidden + i * dim, pass->hidden + pass->wanted_rows[i] * dim,
			   dim * sizeof(float));
	for (size_t first = 0; first < pass->n_wanted; first += pass->chunk_rows)
	{
		Chunk		chunk = wanted_chunk_of(pass, first);

		if (!project_queries(&chunk) || !finish_chunk(&chunk))
			return false;
	}
	return true;
}

/* Makes a layer the one at work. */
static bool
enter_layer(SrmPass *pass, size_t number)
{
	pass->layer_number = number;
	pass->layer = &pass->decoder->layers[number];
	pass->own = srm_decoder_keys(pass->decoder, pass->layer);
	if (pass->own_capacity > 0)
		srm_keys_place(&pass->own, pass->own_memory, pass->own_capacity);
	join_cache(pass);
	if (pass->decoder->relative.span > 0 &&
		!srm_distances_enter(&pass->distances, pass->decoder, pass->layer, pass->threads, pass->stop, pass->status))
		return false;
	if (pass->tape == NULL)
		return true;
	pass->hidden = pass->tape->inputs[number];
	return srm_pass_pack_layer(pass);
}

static bool
check_cache(const SrmDecoder *decoder, const SrmCache *cache, SrmStatus *status)
{
	if (decoder->n_layers == 0)
		return srm_fail(status, SRM_INTERNAL, "decoder has no layers");
	if (cache != NULL && (cache->n_layers != decoder->n_layers ||
						  cache->layers[0].n_heads != decoder->n_kv_heads ||
						  cache->layers[0].head_dim != decoder->head_dim))
		return srm_fail(status, SRM_INTERNAL, "cache belongs to another decoder");
	return true;
}

static bool
run_pass(SrmPass *pass, size_t first_layer, size_t end_layer)
{
	size_t		n_layers = pass->decoder->n_layers;

	if (pass->tape != NULL)
		pass->hidden = pass->tape->inputs[0];
	if (!start_pass(pass))
		return false;
	for (size_t i = first_layer; i < end_layer; i++)
		if (!enter_layer(pass, i) || !(i + 1 < n_layers ? forward_layer(pass) : forward_last_layer(pass)))
			return false;
	if (end_layer == n_layers)
		srm_pass_give_hidden(pass);
	return true;
}

/* Tokens of the cache that stay as they are, whatever the pass writes there. */
static size_t
tokens_that_stay(const SrmPass *pass)
{
	size_t		n = pass->cache->n_tokens;

	for (const SrmBlock *block = pass->kept; block != NULL; block = block->common)
		n = srm_smaller(n, block->sequence->n_common);
	return n;
}

/* Runs the blocks of a pass with what they need for it. */
static bool
run_blocks(SrmPass *pass, SrmArena *arena, int n_threads)
{
	bool		done;

	if (pass->n_rows == 0)
		return true;
	if (pass->kept != NULL && !srm_cache_reserve(pass->cache, pass->kept->end, pass->status))
		return false;
	pass->threads = srm_threads_start(n_threads, pass->status);
	done = pass->threads != NULL && srm_pass_allocate(pass, arena) &&
		run_pass(pass, 0, pass->decoder->n_layers);
	srm_threads_end(pass->threads);
	srm_pass_free(pass);
	if (pass->kept != NULL && done)
		pass->cache->n_tokens = pass->kept->end;
	else if (pass->kept != NULL)
		srm_cache_truncate(pass->cache, tokens_that_stay(pass));
	return done;
}

bool
srm_decoder_forward_batch(const SrmDecoder *decoder, SrmCache *cache, const SrmSequence *sequences,
						  size_t n_sequences, int n_threads, const SrmStop *stop, SrmStatus *status)
{
	SrmPass		pass = {.decoder = decoder,.stop = stop,.status = status,.cache = cache};
	SrmArena   *arena;
	bool		done;

	if (!check_cache(decoder, cache, status))
		return false;
	arena = srm_arena_create(status);
	done = arena != NULL && srm_pass_add_blocks(&pass, sequences, n_sequences, arena) &&
		run_blocks(&pass, arena, n_threads);
	srm_arena_free(arena);
	return done;
}

bool
srm_decoder_forward_tape(const SrmDecoder *decoder, const SrmTape *tape, size_t first_layer, size_t n_layers,
						 const SrmSequence *sequences, size_t n_sequences, SrmThreads *threads,
						 const SrmStop *stop, SrmStatus *status)
{
	SrmPass		pass = {.decoder = decoder,.tape = tape,.threads = threads,.stop = stop,.status = status};
	SrmArena   *arena = srm_arena_create(status);
	bool		done;

	if (arena == NULL)
		return false;
	done = srm_pass_add_blocks(&pass, sequences, n_sequences, arena) &&
		(pass.n_rows == 0 ||
		 (srm_pass_allocate(&pass, arena) && run_pass(&pass, first_layer, first_layer + n_layers)));
	srm_pass_free(&pass);
	srm_arena_free(arena);
	return done;
}
