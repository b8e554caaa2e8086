/*-------------------------------------------------------------------------
 *
 * decoder_pass.h
 *	  What one pass of the decoder works on, and its memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_DECODER_PASS_H
#define SRM_DECODER_PASS_H

#include "base/arena.h"
#include "kernel/threads.h"
#include "nn/cache.h"
#include "nn/relative.h"
#include "nn/sequence.h"
#include "nn/tape.h"

/* Rows of the pass that are one sequence. */
typedef struct SrmBlock
{
	const SrmSequence *sequence;
	size_t		first;			/* row of the pass */
	size_t		own_first;		/* where its keys begin in the pass's own; those of one that is kept, in the cache */
	size_t		position;		/* of its first token, and */
	size_t		end;			/* of the one behind its last */
	const struct SrmBlock *past;	/* whose text it goes on, or NULL */
	const struct SrmBlock *common;	/* that has the tokens in common before its own, or NULL */
} SrmBlock;

/* Rows of a chunk whose keys lie in one panel. */
typedef struct SrmKeyBand
{
	size_t		first;			/* of the chunk */
	size_t		n;
	SrmKeys    *keys;
	size_t		token;			/* of keys */
} SrmKeyBand;

typedef struct SrmPass
{
	const SrmDecoder *decoder;
	SrmThreads *threads;
	const SrmStop *stop;
	SrmStatus  *status;
	const SrmTape *tape;		/* or NULL */
	void	   *memory;			/* of the workspace, for what follows */

	SrmCache   *cache;			/* NULL: no tokens before */
	SrmBlock   *blocks;			/* (n_blocks) */
	size_t		n_blocks;
	const SrmBlock *kept;		/* that goes to the cache; or NULL */
	size_t		n_rows;			/* of all blocks */
	size_t		first_position; /* of all tokens */
	size_t		n_positions;	/* from there on */
	size_t		rope_length;	/* of the texts */
	size_t		n_wanted;
	size_t		chunk_rows;		/* at most, of a chunk */
	size_t		own_capacity;	/* tokens of own */
	size_t		n_experts;		/* the most of a layer */

	float	   *frequencies[SRM_N_ROPES];	/* (head_dim / 2) */
	float	   *hidden;			/* (n_rows, dim): the residual stream */
	int32_t    *tokens;			/* (n_rows) */
	uint32_t   *rows;			/* (n_rows): 0, 1, 2 ... */
	uint32_t   *index;			/* (n_rows): as attention counts, see attention_of() */
	uint32_t   *position;		/* (n_rows): less first_position */
	uint32_t   *type;			/* (n_rows): of tokens; NULL where they have none */
	float	   *cosines[SRM_N_ROPES];	/* (n_positions, head_dim / 2); none where no layer has it */
	float	   *sines[SRM_N_ROPES];
	SrmKeys		own;			/* of the layer at work and blocks that are not kept */
	float	   *own_memory;
	SrmDistances distances;		/* where the decoder has relative positions */

	/* Of the tokens wanted, in the order of rows */
	float	   *wanted_hidden;	/* (n_wanted, dim) */
	uint32_t   *wanted_rows;	/* (n_wanted) */
	uint32_t   *wanted_index;	/* (n_wanted) */

	/* Of a chunk; with a tape all but change lie there */
	float	   *keys;			/* (rows, kv_dim) */
	float	   *values;			/* (rows, kv_dim) */
	SrmKeyBand *bands;			/* (n_bands), of all rows in order */
	size_t		n_bands;
	float	   *queries;		/* (rows, q_dim) */
	float	   *attended;		/* (rows, q_dim) */
	float	   *gate;			/* (rows, ffn_dim) */
	float	   *up;				/* (rows, ffn_dim) */
	float	   *change;			/* (rows, dim) */
	float	   *raw_keys;		/* (rows, kv_dim) before their norm, and so on: NULL without a tape */
	float	   *raw_queries;
	float	   *logs;

	/* Of a chunk in a layer with experts, each with a place for those that a row takes; see nn/experts.h */
	float	   *normed;			/* (rows, dim) what they read */
	float	   *expert_out;		/* (rows, dim) of one at a time */
	float	   *expert_weights; /* (rows, n_experts_used) */
	uint32_t   *expert_numbers; /* (rows, n_experts_used) */
	uint32_t   *expert_slots;	/* (rows * n_experts_used) places in both, by the expert */
	uint32_t   *expert_starts;	/* (n_experts + 2) */

	/* Of the layer at work */
	size_t		layer_number;
	const SrmLayer *layer;
	size_t		n_joined;		/* blocks whose keys have those before them */
	SrmLayer	packed_layer;	/* with a tape */
} SrmPass;

/* Takes sequences, once they are checked. */
extern bool srm_pass_add_blocks(SrmPass *pass, const SrmSequence *sequences, size_t n_sequences, SrmArena *arena);

/* All memory of a pass whose blocks and threads are known, and how long its chunks are. */
extern bool srm_pass_allocate(SrmPass *pass, SrmArena *arena);
extern void srm_pass_free(SrmPass *pass);

/* Fills in what is known of a block's rows before the first layer: tokens, places, types. */
extern void srm_pass_number_rows(SrmPass *pass, const SrmBlock *block);

/* Hands the states wanted, behind the final norm, out to the sequences that want them. */
extern void srm_pass_give_hidden(const SrmPass *pass);

/* Makes the layer at work one whose matrices are packed, on the tape. */
extern bool srm_pass_pack_layer(SrmPass *pass);

#endif							/* SRM_DECODER_PASS_H */
