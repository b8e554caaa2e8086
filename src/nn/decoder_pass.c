/*-------------------------------------------------------------------------
 *
 * decoder_pass.c
 *	  What one pass of the decoder works on, and its memory.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/decoder_pass.h"

#include <stdint.h>

#include "base/sizes.h"
#include "kernel/kernels.h"
#include "kernel/pack.h"
#include "kernel/workspace.h"
#include "nn/norm.h"

#define ROWS_PER_THREAD	128
#define MAX_ROWS		512		/* of a chunk */
#define MAX_BYTES		(SIZE_MAX / 4)
#define BUFFER_GAP		320
#define N_BUFFERS		12
#define N_DISTANCE_BUFFERS	6		/* with relative positions */
#define N_ATTENTION_BUFFERS	4
#define N_STEP_BUFFERS	2
#define MAX_TOKENS		((size_t) 1 << 24)	/* positions are exact as float */

static bool
check_tokens(const SrmDecoder *decoder, const int32_t *tokens, size_t n_tokens, SrmStatus *status)
{
	for (size_t i = 0; i < n_tokens; i++)
		if (tokens[i] < 0 || (size_t) tokens[i] >= decoder->vocab_size)
		{
			srm_fail(status, SRM_INVALID_MODEL, "token %d is not in the model's embedding",
					 (int) tokens[i]);
			return srm_fail_detail(status, "The embedding has %zu rows.", decoder->vocab_size);
		}
	return true;
}

static bool
check_sequence(const SrmDecoder *decoder, const SrmSequence *sequence, SrmStatus *status)
{
	const uint32_t *wanted = sequence->wanted;

	for (size_t i = 0; i < sequence->n_wanted; i++)
		if (wanted[i] >= sequence->n_tokens || (i > 0 && wanted[i] <= wanted[i - 1]))
			return srm_fail(status, SRM_INTERNAL, "wanted tokens do not ascend within the block");
	return check_tokens(decoder, sequence->tokens, sequence->n_tokens, status);
}

/* How many tokens there are that a sequence may have before its own, behind its past if it has one. */
static size_t
count_before(const SrmPass *pass, const SrmBlock *past, const SrmBlock *common)
{
	if (common != NULL)
		return common->past != past ? 0 : common->end - (past == NULL ? 0 : past->end);
	return past == NULL && pass->cache != NULL ? pass->cache->n_tokens : 0;
}

/* Whether what comes before a sequence is there. */
static bool
check_beginning(const SrmPass *pass, const SrmSequence *sequence, const SrmBlock *past, const SrmBlock *common)
{
	bool		has_beginning = past != NULL || sequence->n_common > 0 || sequence->is_kept;

	if (srm_decoder_looks_ahead(pass->decoder) && has_beginning && pass->tape == NULL)
		return srm_fail(pass->status, SRM_INTERNAL, "the tokens of a prompt see those behind it");
	if (past != NULL && (past->past != NULL || sequence->is_kept))
		return srm_fail(pass->status, SRM_INTERNAL, "a sequence goes on from another that has tokens before it");
	if (sequence->is_kept && (pass->cache == NULL || pass->kept != NULL))
		return srm_fail(pass->status, SRM_INTERNAL, "no cache to keep a prompt in");
	if (sequence->n_common > count_before(pass, past, common))
		return srm_fail(pass->status, SRM_INTERNAL, "the beginning of a text is not there");
	return true;
}

/* Appends a sequence to the rows of the pass. */
static bool
add_block(SrmPass *pass, const SrmSequence *sequence, const SrmBlock *past, const SrmBlock *common)
{
	SrmBlock   *block = &pass->blocks[pass->n_blocks];
	size_t		n = sequence->n_tokens;
	size_t		position = (past == NULL ? 0 : past->end) + sequence->n_common;
	size_t		limit = pass->decoder->positions == NULL ? MAX_TOKENS :
		srm_smaller(MAX_TOKENS, pass->decoder->n_positions - pass->decoder->first_position);

	if (!check_beginning(pass, sequence, past, common) || !check_sequence(pass->decoder, sequence, pass->status))
		return false;
	if (n > limit || pass->n_rows > MAX_TOKENS - n || position > limit - n)
		return srm_fail(pass->status, SRM_LIMIT_EXCEEDED, "text has more than %zu tokens", limit);
	*block = (SrmBlock) {
		.sequence = sequence,.first = pass->n_rows,.own_first = sequence->is_kept ? 0 : pass->own_capacity,
		.position = position,.end = position + n,.past = past,.common = common
	};
	pass->n_blocks++;
	pass->n_rows += n;
	pass->n_wanted += sequence->n_wanted;
	if (sequence->is_kept)
		pass->kept = block;
	else
		pass->own_capacity += srm_keys_capacity(sequence->n_common + n);
	return true;
}

/* From the first position of all blocks to the last. */
static void
find_positions(SrmPass *pass)
{
	size_t		end = 0;

	pass->first_position = SIZE_MAX;
	for (size_t i = 0; i < pass->n_blocks; i++)
	{
		pass->first_position = srm_smaller(pass->first_position, pass->blocks[i].position);
		end = end < pass->blocks[i].end ? pass->blocks[i].end : end;
	}
	pass->n_positions = pass->n_blocks == 0 ? 0 : end - pass->first_position;
}

bool
srm_pass_add_blocks(SrmPass *pass, const SrmSequence *sequences, size_t n_sequences, SrmArena *arena)
{
	pass->n_experts = srm_decoder_most_experts(pass->decoder);
	pass->rope_length = n_sequences > 0 ? sequences[0].rope_length : 0;
	pass->blocks = srm_arena_array(arena, n_sequences, sizeof(SrmBlock), pass->status);
	if (pass->blocks == NULL)
		return false;
	for (size_t i = 0; i < n_sequences; i++)
	{
		const SrmSequence *past = sequences[i].past;
		const SrmSequence *common = sequences[i].common;

		if (!add_block(pass, &sequences[i], past == NULL ? NULL : &pass->blocks[past - sequences],
					   common == NULL ? NULL : &pass->blocks[common - sequences]))
			return false;
	}
	find_positions(pass);
	return true;
}

/* What rows of a chunk take of experts. */
static bool
allocate_choices(SrmPass *pass, SrmArena *arena)
{
	size_t		n = pass->chunk_rows * pass->decoder->n_experts_used;

	pass->expert_weights = srm_arena_array(arena, n, sizeof(float), pass->status);
	pass->expert_numbers = srm_arena_array(arena, n, sizeof(uint32_t), pass->status);
	pass->expert_slots = srm_arena_array(arena, n, sizeof(uint32_t), pass->status);
	pass->expert_starts = srm_arena_array(arena, pass->n_experts + 2, sizeof(uint32_t), pass->status);
	return pass->status->code == SRM_OK;
}

static bool
allocate_indexes(SrmPass *pass, SrmArena *arena)
{
	size_t		bytes = pass->n_rows * sizeof(uint32_t);

	pass->tokens = srm_arena_alloc(arena, bytes, pass->status);
	pass->rows = srm_arena_alloc(arena, bytes, pass->status);
	pass->index = srm_arena_alloc(arena, bytes, pass->status);
	pass->position = srm_arena_alloc(arena, bytes, pass->status);
	if (pass->decoder->token_types != NULL)
		pass->type = srm_arena_alloc(arena, bytes, pass->status);
	pass->wanted_rows = srm_arena_alloc(arena, pass->n_wanted * sizeof(uint32_t), pass->status);
	pass->wanted_index = srm_arena_alloc(arena, pass->n_wanted * sizeof(uint32_t), pass->status);
	/* A panel of each block and chunk may begin or end within */
	pass->bands = srm_arena_array(arena, pass->chunk_rows / SRM_PANEL + 2 + 2 * srm_smaller(pass->n_blocks, pass->chunk_rows),
									 sizeof(SrmKeyBand), pass->status);
	return pass->status->code == SRM_OK && (pass->n_experts == 0 || allocate_choices(pass, arena));
}

/* A buffer of rows, padded so that two buffers do not begin at the same place of a page. */
typedef struct Buffer
{
	float	  **rows;
	size_t		n;
	size_t		width;
} Buffer;

/* Bytes of a buffer, or more than there are where its size does not fit. */
static size_t
buffer_bytes(const Buffer *buffer)
{
	if (buffer->width > 0 && buffer->n > MAX_BYTES / sizeof(float) / buffer->width)
		return MAX_BYTES;
	return ((buffer->n * buffer->width * sizeof(float) + 63) & ~(size_t) 63) + BUFFER_GAP;
}

/* Lets buffers lie in memory from start on, unless that is NULL; where they end, at most MAX_BYTES. */
static size_t
lay_out_buffers(char *memory, size_t start, const Buffer *buffers, size_t n_buffers)
{
	for (size_t i = 0; i < n_buffers; i++)
	{
		if (memory != NULL)
			*buffers[i].rows = (float *) (void *) (memory + start);
		start += srm_smaller(buffer_bytes(&buffers[i]), MAX_BYTES - start);
	}
	return start;
}

/*
 * All buffers in one piece of the workspace.  Those of attention and those of the
 * feed-forward network behind it lie in the same place: a chunk has no use for the
 * first once it writes to the second.
 */
static bool
place_buffers(SrmPass *pass, const Buffer *buffers, size_t n_buffers, const Buffer *attention, const Buffer *step)
{
	size_t		start = lay_out_buffers(NULL, 0, buffers, n_buffers);
	size_t		attention_end = lay_out_buffers(NULL, start, attention, N_ATTENTION_BUFFERS);
	size_t		step_end = lay_out_buffers(NULL, start, step, N_STEP_BUFFERS);
	size_t		total = attention_end > step_end ? attention_end : step_end;

	pass->memory = srm_workspace_alloc(total < MAX_BYTES ? total : SIZE_MAX, pass->status);
	if (pass->memory == NULL)
		return false;
	(void) lay_out_buffers(pass->memory, 0, buffers, n_buffers);
	(void) lay_out_buffers(pass->memory, start, attention, N_ATTENTION_BUFFERS);
	(void) lay_out_buffers(pass->memory, start, step, N_STEP_BUFFERS);
	return true;
}

/* The keys and values of one layer, at most. */
static size_t
own_floats(const SrmPass *pass)
{
	size_t		bytes = 0;

	for (size_t i = 0; pass->own_capacity > 0 && i < pass->decoder->n_layers; i++)
	{
		SrmKeys		keys = srm_decoder_keys(pass->decoder, &pass->decoder->layers[i]);
		size_t		size = srm_keys_bytes(&keys, pass->own_capacity);

		bytes = size == 0 || size > bytes ? size : bytes;
		if (size == 0)
			return MAX_BYTES;
	}
	return bytes / sizeof(float);
}

/* What distances take, all in rows of floats. */
static bool
place_distances(SrmPass *pass, size_t chunk_rows, SrmArena *arena, Buffer *buffers)
{
	const SrmDecoder *decoder = pass->decoder;
	SrmDistances *distances = &pass->distances;
	size_t		q_dim = decoder->n_heads * decoder->head_dim;
	size_t		packed;

	if (!srm_distances_begin(distances, decoder, pass->n_positions, arena, pass->status))
		return false;
	packed = srm_distances_bytes(distances, decoder) / sizeof(float);
	buffers[0] = (Buffer) {&distances->key_rows, distances->n, q_dim};
	buffers[1] = (Buffer) {&distances->query_rows, distances->n, q_dim};
	buffers[2] = (Buffer) {&distances->key_memory, 1, packed};
	buffers[3] = (Buffer) {&distances->query_memory, 1, packed};
	buffers[4] = (Buffer) {&distances->by_query, decoder->relative.by_query ? chunk_rows : 0, decoder->n_heads * distances->width};
	buffers[5] = (Buffer) {&distances->by_key, decoder->relative.by_key ? pass->n_rows : 0, decoder->n_heads * distances->width};
	return true;
}

/* Rows that go through a layer at a time, at most. */
static size_t
count_chunk_rows(const SrmPass *pass)
{
	size_t		rows = ROWS_PER_THREAD * (size_t) srm_threads_count(pass->threads);

	return srm_smaller(MAX_ROWS, rows < srm_kernels->chunk_rows ? srm_kernels->chunk_rows : rows);
}

bool
srm_pass_allocate(SrmPass *pass, SrmArena *arena)
{
	const SrmDecoder *decoder = pass->decoder;
	size_t		n = pass->n_rows;
	size_t		most = count_chunk_rows(pass);
	size_t		rows = srm_smaller(n, most);
	size_t		kept = pass->tape == NULL ? rows : 0;	/* of what is on the tape otherwise */
	size_t		q_dim = decoder->n_heads * decoder->head_dim;
	size_t		kv_dim = decoder->n_kv_heads * decoder->head_dim;
	size_t		half = decoder->head_dim / 2;
	size_t		ffn_dim = srm_decoder_widest_step(decoder);
	size_t		main = srm_decoder_uses_rope(decoder, SRM_ROPE_MAIN) ? pass->n_positions : 0;
	size_t		local = srm_decoder_uses_rope(decoder, SRM_ROPE_LOCAL) ? pass->n_positions : 0;
	Buffer		buffers[N_BUFFERS + N_DISTANCE_BUFFERS] = {
		{&pass->frequencies[SRM_ROPE_MAIN], 1, half},
		{&pass->frequencies[SRM_ROPE_LOCAL], 1, half},
		{&pass->hidden, pass->tape == NULL ? n : 0, decoder->dim},
		{&pass->wanted_hidden, pass->n_wanted, decoder->dim},
		{&pass->cosines[SRM_ROPE_MAIN], main, half},
		{&pass->sines[SRM_ROPE_MAIN], main, half},
		{&pass->cosines[SRM_ROPE_LOCAL], local, half},
		{&pass->sines[SRM_ROPE_LOCAL], local, half},
		{&pass->change, rows, decoder->dim},
		{&pass->own_memory, 1, own_floats(pass)},
		{&pass->normed, pass->n_experts > 0 ? rows : 0, decoder->dim},
		{&pass->expert_out, pass->n_experts > 0 ? rows : 0, decoder->dim}
	};
	const Buffer attention[N_ATTENTION_BUFFERS] = {
		{&pass->queries, kept, q_dim}, {&pass->attended, kept, q_dim},
		{&pass->keys, kept, kv_dim}, {&pass->values, kept, kv_dim}
	};
	const Buffer step[N_STEP_BUFFERS] = {{&pass->gate, kept, ffn_dim}, {&pass->up, kept, ffn_dim}};

	pass->chunk_rows = most;
	if (decoder->relative.span > 0 && !place_distances(pass, rows, arena, buffers + N_BUFFERS))
		return false;
	return place_buffers(pass, buffers, N_BUFFERS + (decoder->relative.span > 0 ? N_DISTANCE_BUFFERS : 0),
						 attention, step) &&
		allocate_indexes(pass, arena);
}

void
srm_pass_free(SrmPass *pass)
{
	srm_workspace_free(pass->memory);
}

/* Packs a panel of one of the layer's matrices. */
static void
pack_panel(void *arg, size_t task, int thread)
{
	const SrmPass *pass = arg;
	int			i = 0;

	(void) thread;
	for (;; i++)
	{
		size_t		n = srm_weight_is_matrix(i) ?
			srm_divide_up(srm_weight_matrix(pass->layer, i)->rows, SRM_PANEL) : 0;

		if (task < n)
			break;
		task -= n;
	}
	srm_pack_panel((char *) pass->tape->packed[i] +
				   task * srm_pack_panel_bytes(SRM_PACKING_F32, srm_weight_matrix(pass->layer, i)->cols),
				   srm_weight_matrix(&pass->decoder->layers[pass->layer_number], i), SRM_PACKING_F32, task);
}

/* They change from step to step. */
bool
srm_pass_pack_layer(SrmPass *pass)
{
	size_t		n_panels = 0;

	pass->packed_layer = *pass->layer;
	pass->layer = &pass->packed_layer;
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
		if (srm_weight_is_matrix(i))
		{
			SrmMatrix  *matrix = srm_weight_matrix(&pass->packed_layer, i);

			matrix->packed = pass->tape->packed[i];
			matrix->compute = SRM_COMPUTE_F32;
			matrix->packing = SRM_PACKING_F32;
			n_panels += srm_divide_up(matrix->rows, SRM_PANEL);
		}
	return srm_threads_run_or_stop(pass->threads, n_panels, pack_panel, pass, pass->stop, pass->status);
}

void
srm_pass_number_rows(SrmPass *pass, const SrmBlock *block)
{
	const SrmSequence *sequence = block->sequence;

	for (size_t i = 0; i < sequence->n_tokens; i++)
	{
		size_t		row = block->first + i;

		pass->tokens[row] = sequence->tokens[i];
		pass->rows[row] = (uint32_t) row;
		pass->index[row] = (uint32_t) (sequence->n_common + i);
		pass->position[row] = (uint32_t) (block->position + i - pass->first_position);
		if (pass->type != NULL)
			pass->type[row] = sequence->n_first > 0 && i >= sequence->n_first && pass->decoder->n_token_types > 1;
	}
}

void
srm_pass_give_hidden(const SrmPass *pass)
{
	const SrmDecoder *decoder = pass->decoder;
	const float *hidden = pass->tape == NULL ? pass->wanted_hidden : pass->tape->inputs[decoder->n_layers];

	for (size_t i = 0; i < pass->n_blocks; i++)
	{
		const SrmSequence *sequence = pass->blocks[i].sequence;

		if (sequence->hidden != NULL)
			srm_decoder_norm_forward(sequence->hidden, hidden, decoder->final_norm, decoder->final_norm_bias,
									 decoder, sequence->n_wanted, decoder->dim);
		hidden += sequence->n_wanted * decoder->dim;
	}
}
