/*-------------------------------------------------------------------------
 *
 * memo.h
 *	  The last conversations that were scored, with their results, or that were
 *	  laid out to be scored.
 *
 * A statement that asks for the score of a text in its list, its condition
 * and its order, or for score and sentence rewards, computes it once; and one that
 * asks first whether it can be scored tokenizes it once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MEMO_H
#define SRM_MEMO_H

#include "score/scored.h"

typedef struct SrmMemo SrmMemo;

/* Empty; clear forgets all results, and bytes is what they take. */
extern SrmMemo *srm_memo_create(SrmStatus *status);
extern void srm_memo_free(SrmMemo *memo);	/* NULL is allowed */
extern size_t srm_memo_bytes(const SrmMemo *memo);
extern void srm_memo_clear(SrmMemo *memo);

/* All that a result depends on, model aside, as bytes in an arena. */
typedef struct SrmMemoKey
{
	char	   *bytes;			/* (length); NULL: too long to be kept */
	size_t		length;
	bool		want_tokens;	/* a result with token rewards serves who wants none */
} SrmMemoKey;

/* The key of a conversation with options, in the arena; false, with the status set, where memory is short. */
extern bool srm_memo_key(SrmMemoKey *key, const SrmMessage *messages, size_t n_messages,
						 const SrmScoreOptions *options, SrmArena *arena, SrmStatus *status);

/* Copies a result to the arena; *found is whether there is one. */
extern bool srm_memo_get(SrmMemo *memo, const SrmMemoKey *key, SrmArena *arena,
						 SrmScored *scored, bool *found, SrmStatus *status);

/* Keeps a result in place of the oldest; where memory is short it is not kept. */
extern void srm_memo_put(SrmMemo *memo, const SrmMemoKey *key, const SrmScored *scored);

/* Whether the memo has a result, or a layout, of that key. */
extern bool srm_memo_has(const SrmMemo *memo, const SrmMemoKey *key);

/* Keeps a layout, as a result is kept. */
extern void srm_memo_put_layout(SrmMemo *memo, const SrmMemoKey *key, const SrmLayout *layout);

/* Copies a layout to the arena, and forgets it: the result will take its place. */
extern bool srm_memo_take_layout(SrmMemo *memo, const SrmMemoKey *key, SrmArena *arena,
								 SrmLayout *layout, bool *found, SrmStatus *status);

/* A copy of a result, all of it in the arena. */
extern bool srm_scored_copy(SrmScored *copy, const SrmScored *scored, SrmArena *arena,
							SrmStatus *status);

#endif							/* SRM_MEMO_H */
