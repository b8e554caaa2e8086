/*-------------------------------------------------------------------------
 *
 * decoder.c
 *	  One transformer decoder, driven by a description.
 *
 * A block runs through a layer in chunks: the buffers of a feed-forward step
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
#include "kernel/linear.h"
#include "nn/norm.h"
#include "nn/rope.h"

#define ROWS_PER_TASK	16

/* Rows of a residual stream; at most chunk_rows within a layer. */
typedef struct Chunk
{
	SrmPass    *pass;
	float	   *hidden;			/* (n, dim) */
	const uint32_t *rows;		/* (n): which rows of the pass, ascending */
	const uint32_t *index;		/* (n): theirs */
	size_t		n;
	const float *weight;		/* of the norm */
	const float *post_norm;		/* weight of the norm of change, or NULL */
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

/* row (dim) = the embedding of a token */
static void
read_embedding(const SrmDecoder *decoder, int32_t token, float *row)
{
	srm_matrix_read(&decoder->embedding, (size_t) token * decoder->dim, decoder->dim, row);
	if (decoder->embedding_scale != 0)
		for (size_t i = 0; i < decoder->dim; i++)
			row[i] *= decoder->embedding_scale;
}

/* The embeddings of tokens, and what depends on their positions alone. */
static void
start_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	SrmPass    *pass = chunk->pass;
	const SrmDecoder *decoder = pass->decoder;
	size_t		first = task * ROWS_PER_TASK;
	size_t		n = task_rows(chunk, task);
	size_t		half = decoder->head_dim / 2;

	(void) thread;
	/* There are no more positions than rows */
	if (first < pass->n_positions)
		srm_rope_table(pass->cosines + first * half, pass->sines + first * half, pass->frequencies,
					   &decoder->rope, decoder->head_dim, pass->n_cached + first,
					   srm_smaller(n, pass->n_positions - first));
	for (size_t i = first; i < first + n; i++)
		read_embedding(decoder, pass->tokens[i], pass->hidden + i * decoder->dim);
}

/* out = norm(hidden) of one row */
static void
read_norm(void *arg, size_t row, float *out)
{
	const Chunk *chunk = arg;
	const SrmDecoder *decoder = chunk->pass->decoder;

	srm_norm_forward(out, chunk->hidden + row * decoder->dim, chunk->weight, decoder->norm_eps,
					 1, decoder->dim);
}

/* hidden += change, or norm(change) where the layer has such a norm, of one row */
static void
add_row(const Chunk *chunk, size_t row)
{
	size_t		dim = chunk->pass->decoder->dim;
	float	   *hidden = chunk->hidden + row * dim;
	float	   *change = chunk->pass->change + row * dim;

	if (chunk->post_norm != NULL)
		srm_norm_forward(change, change, chunk->post_norm, chunk->pass->decoder->norm_eps, 1, dim);
	for (size_t i = 0; i < dim; i++)
		hidden[i] += change[i];
}

static void
add_rows(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < first + task_rows(chunk, task); i++)
		add_row(chunk, i);
}

/* hidden += change, and out = norm(hidden) */
static void
add_and_read_norm(void *arg, size_t row, float *out)
{
	add_row(arg, row);
	read_norm(arg, row, out);
}

/* out = activation(gate) * up */
static void
read_gated(void *arg, size_t row, float *out)
{
	const Chunk *chunk = arg;
	const SrmDecoder *decoder = chunk->pass->decoder;
	size_t		start = row * decoder->ffn_dim;

	srm_gate_forward(out, chunk->pass->gate + start, chunk->pass->up + start, decoder->activation,
					 decoder->ffn_dim);
}

/* Norms the heads of one row where the layer says so, and turns them. */
static void
turn_heads(SrmPass *pass, float *heads, const float *norm, size_t n_heads, size_t row)
{
	size_t		head_dim = pass->decoder->head_dim;
	size_t		start = pass->position[row] * (head_dim / 2);

	if (norm != NULL)
		srm_norm_forward(heads, heads, norm, pass->decoder->norm_eps, n_heads, head_dim);
	srm_rope_forward(heads, pass->cosines + start, pass->sines + start, n_heads, head_dim);
}

static void
turn_queries(void *arg, size_t task, int thread)
{
	Chunk	   *chunk = arg;
	SrmPass    *pass = chunk->pass;
	size_t		first = task * ROWS_PER_TASK;

	(void) thread;
	for (size_t i = first; i < first + task_rows(chunk, task); i++)
		turn_heads(pass, pass->queries + i * pass->decoder->n_heads * pass->decoder->head_dim,
				   pass->layer->query_norm, pass->decoder->n_heads, chunk->rows[i]);
}

/* Turns the keys of a segment, and puts them and the values where attention reads them. */
static void
keep_segment(void *arg, size_t number, int thread)
{
	Chunk	   *chunk = arg;
	SrmPass    *pass = chunk->pass;
	const SrmSegment *segment = &pass->segments[number];
	size_t		width = pass->decoder->n_kv_heads * pass->decoder->head_dim;
	size_t		start = segment->first * width;

	(void) thread;
	for (size_t i = 0; i < segment->n; i++)
		turn_heads(pass, pass->keys + start + i * width, pass->layer->key_norm,
				   pass->decoder->n_kv_heads, chunk->rows[segment->first + i]);
	srm_keys_write(segment->keys, segment->token, segment->n, pass->keys + start, pass->values + start);
}

/* Where the keys of a block's token lie, with the layer at work. */
static SrmKeys *
keys_of(SrmPass *pass, const SrmBlock *block, size_t index, size_t *token)
{
	*token = (block->is_kept ? 0 : block->own_first) + index;
	return block->is_kept ? &pass->cache->layers[pass->layer_number] : &pass->own;
}

/* Cuts a chunk of all rows of the pass into segments. */
static void
cut_into_segments(const Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	const SrmBlock *block = pass->blocks;

	pass->n_segments = 0;
	for (size_t first = 0; first < chunk->n;)
	{
		SrmSegment *segment = &pass->segments[pass->n_segments++];
		size_t		left;

		while (chunk->rows[first] >= block->first + block->sequence->n_tokens)
			block++;
		left = block->first + block->sequence->n_tokens - chunk->rows[first];
		segment->first = first;
		segment->keys = keys_of(pass, block, chunk->index[first], &segment->token);
		segment->n = srm_smaller(srm_smaller(left, chunk->n - first), SRM_PANEL - segment->token % SRM_PANEL);
		first += segment->n;
	}
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

	chunk->weight = layer->attention_norm;
	cut_into_segments(chunk);
	return srm_linears_forward_from(maps, with_queries ? 3 : 2, chunk->n, &source, pass->threads,
									pass->stop, pass->status) &&
		srm_threads_run_or_stop(pass->threads, pass->n_segments, keep_segment, chunk,
								pass->stop, pass->status) &&
		(!with_queries || run_rows(chunk, turn_queries));
}

/* Queries of a chunk whose keys are there already. */
static bool
project_queries(Chunk *chunk)
{
	SrmPass    *pass = chunk->pass;
	SrmRowSource source = {read_norm, chunk};
	SrmLinear	map = {pass->queries, NULL, &pass->layer->query, pass->layer->query_bias};

	chunk->weight = pass->layer->attention_norm;
	return srm_linears_forward_from(&map, 1, chunk->n, &source, pass->threads,
									pass->stop, pass->status) &&
		run_rows(chunk, turn_queries);
}

/*
 * What the rows of a block attend to.  Tokens of the prompt count from the
 * cache's first one, so that it does not matter how many of them were there;
 * those of other sequences count from their own first one.
 */
static SrmAttention
attention_of(SrmPass *pass, const SrmBlock *block)
{
	const SrmDecoder *decoder = pass->decoder;
	SrmAttention attention = {
		.n_heads = decoder->n_heads,.scale = decoder->attention_scale,
		.softcap = decoder->attention_softcap,.window = pass->layer->window,
		.n_past = block->is_kept ? 0 : pass->n_cached + pass->n_kept
	};

	if (attention.n_past > 0)
		attention.past = &pass->cache->layers[pass->layer_number];
	attention.own = keys_of(pass, block, 0, &attention.own_first);
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

/* Adds that to the residual stream, and change = the feed-forward step from there. */
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
	SrmLinear	down = {pass->change, NULL, &layer->down, layer->down_bias};

	chunk->weight = layer->ffn_norm;
	chunk->post_norm = layer->post_attention_norm;
	return srm_linears_forward_from(maps, 2, chunk->n, &normed, pass->threads, pass->stop, pass->status) &&
		srm_linears_forward_from(&down, 1, chunk->n, &gated, pass->threads, pass->stop, pass->status);
}

/* The rest of a layer, once the queries of a chunk and the keys up to it are there. */
static bool
finish_chunk(Chunk *chunk)
{
	if (!attend_chunk(chunk) || !map_attended(chunk) || !feed_forward(chunk))
		return false;
	chunk->post_norm = chunk->pass->layer->post_ffn_norm;
	return run_rows(chunk, add_rows);
}

/* The chunk of the pass from a row on. */
static Chunk
chunk_of(SrmPass *pass, size_t first)
{
	Chunk		chunk = {
		.pass = pass,
		.hidden = pass->hidden + first * pass->decoder->dim,
		.rows = pass->rows + first,
		.index = pass->index + first,
		.n = srm_smaller(pass->n_rows - first, pass->chunk_rows)
	};

	return chunk;
}

/* The same of the tokens wanted. */
static Chunk
wanted_chunk_of(SrmPass *pass, size_t first)
{
	Chunk		chunk = {
		.pass = pass,
		.hidden = pass->wanted_hidden + first * pass->decoder->dim,
		.rows = pass->wanted_rows + first,
		.index = pass->wanted_index + first,
		.n = srm_smaller(pass->n_wanted - first, pass->chunk_rows)
	};

	return chunk;
}

/* Numbers the rows of a block. */
static void
number_rows(SrmPass *pass, const SrmBlock *block)
{
	const SrmSequence *sequence = block->sequence;

	for (size_t i = 0; i < sequence->n_tokens; i++)
	{
		size_t		row = block->first + i;

		pass->tokens[row] = sequence->tokens[i];
		pass->rows[row] = (uint32_t) row;
		pass->index[row] = (uint32_t) (block->is_kept ? pass->n_cached + i : i);
		pass->position[row] = (uint32_t) (block->is_kept ? i : pass->n_kept + i);
	}
}

static bool
start_pass(SrmPass *pass)
{
	Chunk		chunk = {.pass = pass, .n = pass->n_rows};
	size_t		n_wanted = 0;

	for (size_t i = 0; i < pass->n_blocks; i++)
	{
		const SrmBlock *block = &pass->blocks[i];

		number_rows(pass, block);
		for (size_t j = 0; j < block->sequence->n_wanted; j++)
		{
			size_t		row = block->first + block->sequence->wanted[j];

			pass->wanted_rows[n_wanted] = (uint32_t) row;
			pass->wanted_index[n_wanted++] = pass->index[row];
		}
	}
	srm_rope_frequencies(pass->frequencies, &pass->decoder->rope, pass->decoder->head_dim);
	return run_rows(&chunk, start_rows);
}

static bool
forward_layer(SrmPass *pass)
{
	for (size_t first = 0; first < pass->n_rows; first += pass->chunk_rows)
	{
		Chunk		chunk = chunk_of(pass, first);

		if (!project_chunk(&chunk, true) || !finish_chunk(&chunk))
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

	for (size_t first = 0; first < pass->n_rows; first += pass->chunk_rows)
	{
		Chunk		chunk = chunk_of(pass, first);

		if (!project_chunk(&chunk, false))
			return false;
	}
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
static void
enter_layer(SrmPass *pass, size_t number)
{
	pass->layer_number = number;
	pass->layer = &pass->decoder->layers[number];
	pass->own = srm_decoder_keys(pass->decoder, pass->layer);
	if (pass->own_capacity > 0)
		srm_keys_place(&pass->own, pass->own_memory, pass->own_capacity);
}

/* Hands the states wanted out to those who want them. */
static void
give_hidden(const SrmPass *pass)
{
	const float *hidden = pass->wanted_hidden;
	size_t		dim = pass->decoder->dim;

	for (size_t i = 0; i < pass->n_blocks; i++)
	{
		const SrmSequence *sequence = pass->blocks[i].sequence;

		if (sequence->n_wanted > 0)
			memcpy(sequence->hidden, hidden, sequence->n_wanted * dim * sizeof(float));
		hidden += sequence->n_wanted * dim;
	}
}

static bool
check_cache(const SrmDecoder *decoder, const SrmCache *cache, bool keep, SrmStatus *status)
{
	if (decoder->n_layers == 0)
		return srm_fail(status, SRM_INTERNAL, "decoder has no layers");
	if (cache == NULL && keep)
		return srm_fail(status, SRM_INTERNAL, "no cache to keep a prompt in");
	if (cache != NULL && (cache->n_layers != decoder->n_layers ||
						  cache->layers[0].n_heads != decoder->n_kv_heads ||
						  cache->layers[0].head_dim != decoder->head_dim))
		return srm_fail(status, SRM_INTERNAL, "cache belongs to another decoder");
	return true;
}

static bool
run_pass(SrmPass *pass)
{
	const SrmDecoder *decoder = pass->decoder;

	if (!start_pass(pass))
		return false;
	for (size_t i = 0; i + 1 < decoder->n_layers; i++)
	{
		enter_layer(pass, i);
		if (!forward_layer(pass))
			return false;
	}
	enter_layer(pass, decoder->n_layers - 1);
	if (!forward_last_layer(pass))
		return false;
	srm_norm_forward(pass->wanted_hidden, pass->wanted_hidden, decoder->final_norm,
					 decoder->norm_eps, pass->n_wanted, decoder->dim);
	give_hidden(pass);
	return true;
}

/* Runs the blocks of a pass with what they need for it. */
static bool
run_blocks(SrmPass *pass, SrmCache *cache, SrmArena *arena, int n_threads)
{
	bool		done;

	if (pass->n_rows == 0)
		return true;
	if (pass->n_kept > 0 &&
		!srm_cache_reserve(cache, pass->n_cached + pass->n_kept, pass->status))
		return false;
	pass->threads = srm_threads_start(n_threads, pass->status);
	done = pass->threads != NULL && srm_pass_allocate(pass, arena) && run_pass(pass);
	srm_threads_end(pass->threads);
	srm_pass_free(pass);
	if (done && pass->n_kept > 0)
		cache->n_tokens += pass->n_kept;
	return done;
}

bool
srm_decoder_forward_batch(const SrmDecoder *decoder, SrmCache *cache, const SrmSequence *prompt,
						  const SrmSequence *sequences, size_t n_sequences, int n_threads,
						  const SrmStop *stop, SrmStatus *status)
{
	SrmPass		pass = {.decoder = decoder,.stop = stop,.status = status,.cache = cache,
		.n_cached = cache == NULL ? 0 : cache->n_tokens
	};
	SrmArena   *arena;
	bool		done;

	if (!check_cache(decoder, cache, prompt != NULL, status))
		return false;
	arena = srm_arena_create(status);
	done = arena != NULL && srm_pass_add_blocks(&pass, prompt, sequences, n_sequences, arena) &&
		run_blocks(&pass, cache, arena, n_threads);
	srm_arena_free(arena);
	return done;
}

bool
srm_decoder_forward(const SrmDecoder *decoder, SrmCache *cache, bool keep,
					const int32_t *tokens, size_t n_tokens,
					const uint32_t *wanted, size_t n_wanted,
					float *hidden, int n_threads,
					const SrmStop *stop, SrmStatus *status)
{
	SrmSequence sequence = {tokens, n_tokens, wanted, n_wanted, hidden};

	keep = keep && cache != NULL;
	return srm_decoder_forward_batch(decoder, cache, keep ? &sequence : NULL, &sequence,
									 keep ? 0 : 1, n_threads, stop, status);
}
