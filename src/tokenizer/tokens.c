/*-------------------------------------------------------------------------
 *
 * tokens.c
 *	  Lists of tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokens.h"

bool
srm_tokens_add(SrmTokens *tokens, SrmToken token, SrmArena *arena, SrmStatus *status)
{
	if (!srm_arena_reserve(arena, &tokens->items, &tokens->capacity, tokens->n + 1, sizeof(SrmToken), status))
		return false;
	tokens->items[tokens->n++] = token;
	return true;
}
