/*-------------------------------------------------------------------------
 *
 * tokens.h
 *	  Tokens, and the bytes of a text that they stand for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TOKENS_H
#define SRM_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

/*
 * Bytes [start, end) of the text that was encoded, as the tokenizers library
 * reports them: always whole characters, so that tokens that share a
 * character of several bytes have it in common.  What normalization made of
 * several characters has only the first of them.
 */
typedef struct SrmToken
{
	int32_t		id;
	uint32_t	start;
	uint32_t	end;
} SrmToken;

typedef struct SrmTokens
{
	SrmToken   *items;			/* (n), room for capacity */
	size_t		n;
	size_t		capacity;
} SrmTokens;

/* Adds a token behind the others; the list lies in the arena. */
extern bool srm_tokens_add(SrmTokens *tokens, SrmToken token, SrmArena *arena, SrmStatus *status);

/* Bytes [start, end). */
typedef struct SrmRange
{
	uint32_t	start;
	uint32_t	end;
} SrmRange;

#endif							/* SRM_TOKENS_H */
