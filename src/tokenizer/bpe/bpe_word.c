/*-------------------------------------------------------------------------
 *
 * bpe_word.c
 *	  Merging the symbols of one word.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/bpe/bpe.h"

#include <string.h>

#define NO_SYMBOL		UINT32_MAX
#define MERGES_PER_STOP	65536

bool
srm_word_reserve(SrmWord *word, size_t n, SrmStatus *status)
{
	size_t		capacity = word->capacity == 0 ? 256 : word->capacity;

	if (n <= word->capacity)
		return true;
	while (capacity < n)
		capacity *= 2;
	word->symbols = srm_arena_alloc(word->arena, capacity * sizeof(SrmSymbol), status);
	word->merges = srm_arena_alloc(word->arena, capacity * sizeof(SrmMerge), status);
	word->previous = srm_arena_alloc(word->arena, capacity * sizeof(uint32_t), status);
	word->next = srm_arena_alloc(word->arena, capacity * sizeof(uint32_t), status);
	word->heap = srm_arena_alloc(word->arena, 2 * capacity * sizeof(uint64_t), status);
	word->capacity = status->code == SRM_OK ? capacity : 0;
	return word->capacity > 0;
}

static void
find_merge(const SrmMerges *merges, SrmWord *word, size_t i)
{
	word->merges[i] = srm_merges_find(merges, word->symbols[i].id, word->symbols[i + 1].id);
}

/* The first one of the lowest rank; a rank of -1 is higher than all others. */
static size_t
lowest_merge(const SrmMerge *merges, size_t n)
{
	size_t		lowest = 0;

	for (size_t i = 1; i < n; i++)
		if ((uint32_t) merges[i].rank < (uint32_t) merges[lowest].rank)
			lowest = i;
	return lowest;
}

/* Joins a symbol with the next one; the merges on both sides are left to the caller. */
static void
merge_short_at(SrmWord *word, size_t at)
{
	SrmSymbol  *symbols = word->symbols;
	size_t		n_behind = word->n - at - 2;

	symbols[at].id = word->merges[at].id;
	symbols[at].length += symbols[at + 1].length;
	memmove(symbols + at + 1, symbols + at + 2, n_behind * sizeof(SrmSymbol));
	memmove(word->merges + at, word->merges + at + 1, n_behind * sizeof(SrmMerge));
	word->n--;
}

void
srm_bpe_merge_short(const SrmMerges *merges, SrmWord *word)
{
	for (size_t i = 0; i + 1 < word->n; i++)
		find_merge(merges, word, i);
	while (word->n > 1)
	{
		size_t		at = lowest_merge(word->merges, word->n - 1);

		if (word->merges[at].rank < 0)
			return;
		merge_short_at(word, at);
		if (at > 0)
			find_merge(merges, word, at - 1);
		if (at + 1 < word->n)
			find_merge(merges, word, at);
	}
}

/*
 * A heap of candidates, the lowest on top; each is the rank of a merge in the
 * high half and the position of its left symbol in the low half.
 */
static void
sift_down(uint64_t *heap, size_t n, size_t i)
{
	uint64_t	item = heap[i];

	for (;;)
	{
		size_t		child = 2 * i + 1;

		if (child >= n)
			break;
		if (child + 1 < n && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= item)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = item;
}

static void
push(uint64_t *heap, size_t *n, uint64_t item)
{
	size_t		i = (*n)++;

	while (i > 0 && heap[(i - 1) / 2] > item)
	{
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = item;
}

static uint64_t
pop(uint64_t *heap, size_t *n)
{
	uint64_t	top = heap[0];

	heap[0] = heap[--*n];
	if (*n > 0)
		sift_down(heap, *n, 0);
	return top;
}

static SrmMerge
merge_at(const SrmMerges *merges, const SrmWord *word, uint32_t at)
{
	uint32_t	next = word->next[at];

	return srm_merges_find(merges, word->symbols[at].id, word->symbols[next].id);
}

static void
push_candidate(const SrmMerges *merges, SrmWord *word, size_t *n, uint32_t at)
{
	SrmMerge	merge;

	if (at == NO_SYMBOL || word->next[at] == NO_SYMBOL)
		return;
	merge = merge_at(merges, word, at);
	if (merge.rank >= 0)
		push(word->heap, n, (uint64_t) merge.rank << 32 | at);
}

/* Links the symbols into a list and returns the number of candidates. */
static size_t
start_heap(const SrmMerges *merges, SrmWord *word)
{
	size_t		n = 0;

	for (size_t i = 0; i < word->n; i++)
	{
		word->previous[i] = i == 0 ? NO_SYMBOL : (uint32_t) i - 1;
		word->next[i] = i + 1 == word->n ? NO_SYMBOL : (uint32_t) i + 1;
	}
	for (size_t i = 0; i + 1 < word->n; i++)
	{
		SrmMerge	merge = merge_at(merges, word, (uint32_t) i);

		if (merge.rank >= 0)
			word->heap[n++] = (uint64_t) merge.rank << 32 | i;
	}
	for (size_t i = n / 2; i-- > 0;)
		sift_down(word->heap, n, i);
	return n;
}

/* Joins the symbol with its next one, which is left with length 0. */
static void
join(SrmWord *word, uint32_t at, int32_t id)
{
	uint32_t	gone = word->next[at];

	word->symbols[at].id = id;
	word->symbols[at].length += word->symbols[gone].length;
	word->symbols[gone].length = 0;
	word->next[at] = word->next[gone];
	if (word->next[at] != NO_SYMBOL)
		word->previous[word->next[at]] = at;
}

static void
remove_gone(SrmWord *word)
{
	size_t		n = 0;

	for (size_t i = 0; i < word->n; i++)
		if (word->symbols[i].length > 0)
			word->symbols[n++] = word->symbols[i];
	word->n = n;
}

bool
srm_bpe_merge_long(const SrmMerges *merges, SrmWord *word, const SrmStop *stop,
				   SrmStatus *status)
{
	size_t		n = start_heap(merges, word);
	size_t		n_popped = 0;

	/*
	 * A merge takes one candidate off the heap and puts at most two on it,
	 * and there are fewer merges than symbols: the heap never holds more than
	 * 2 * n.
	 */
	while (n > 0)
	{
		uint64_t	top = pop(word->heap, &n);
		uint32_t	at = (uint32_t) top;
		SrmMerge	merge;

		if (++n_popped % MERGES_PER_STOP == 0 && !srm_continue(stop, status))
			return false;
		if (word->symbols[at].length == 0 || word->next[at] == NO_SYMBOL)
			continue;
		/* The pair may have changed since */
		merge = merge_at(merges, word, at);
		if (merge.rank != (int32_t) (top >> 32))
			continue;
		join(word, at, merge.id);
		push_candidate(merges, word, &n, word->previous[at]);
		push_candidate(merges, word, &n, at);
	}
	remove_gone(word);
	return true;
}
