/*-------------------------------------------------------------------------
 *
 * tokens.c
 *	  Lists of tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokens.h"

#define FIRST_CAPACITY	64

bool
srm_tokens_add(SrmTokens *tokens, SrmToken token, SrmArena *arena, SrmStatus *status)
{
	if (tokens->n == tokens->capacity)
	{
		size_t		capacity = tokens->capacity == 0 ? FIRST_CAPACITY : 2 * tokens->capacity;
		SrmToken   *items = srm_arena_grow(arena, tokens->items, tokens->n, capacity, sizeof(SrmToken), status);

		if (items == NULL)
			return false;
		tokens->items = items;
		tokens->capacity = capacity;
	}
	tokens->items[tokens->n++] = token;
	return true;
}
