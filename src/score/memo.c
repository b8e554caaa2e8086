/*-------------------------------------------------------------------------
 *
 * memo.c
 *	  The last conversations that were scored, with their results, or that were
 *	  laid out to be scored.
 *
 *-------------------------------------------------------------------------
 */
#include "score/memo.h"

#include <stdlib.h>
#include <string.h>

#define N_ENTRIES	16
#define MAX_KEY		((size_t) 128 * 1024)
#define MAX_ENTRY	((size_t) 256 * 1024)	/* larger ones give their memory back */

typedef struct Entry
{
	SrmArena   *arena;			/* of key and result; NULL: never used */
	SrmMemoKey	key;			/* bytes NULL: empty */
	bool		is_layout;		/* or a result */
	SrmScored	scored;
	SrmLayout	layout;
	uint64_t	last_use;
} Entry;

struct SrmMemo
{
	Entry		entries[N_ENTRIES];
	uint64_t	n_uses;
};

SrmMemo *
srm_memo_create(SrmStatus *status)
{
	return srm_calloc(1, sizeof(SrmMemo), status);
}

static void
clear_entry(Entry *entry)
{
	srm_arena_free(entry->arena);
	memset(entry, 0, sizeof(Entry));
}

void
srm_memo_clear(SrmMemo *memo)
{
	for (int i = 0; i < N_ENTRIES; i++)
		clear_entry(&memo->entries[i]);
}

void
srm_memo_free(SrmMemo *memo)
{
	if (memo == NULL)
		return;
	srm_memo_clear(memo);
	free(memo);
}

size_t
srm_memo_bytes(const SrmMemo *memo)
{
	size_t		bytes = sizeof(SrmMemo);

	for (int i = 0; i < N_ENTRIES; i++)
		bytes += srm_arena_used(memo->entries[i].arena);
	return bytes;
}

/* ---- keys ---- */

static char *
append(char *out, const void *bytes, size_t length)
{
	memcpy(out, bytes, length);
	return out + length;
}

/* Each text behind its length, so that no two conversations look the same. */
static char *
append_text(char *out, const char *text, size_t length)
{
	out = append(out, &length, sizeof(length));
	return append(out, text, length);
}

static const char *
json_of(const SrmMessage *message)
{
	return message->json == NULL ? "" : message->json;
}

/* Bytes of the caller's own sentences, in which no two are alike. */
static size_t
measure_given(const SrmScoreOptions *options)
{
	return options->given == NULL ? 0 : options->given->n * sizeof(SrmSentence);
}

static size_t
measure_key(const SrmMessage *messages, size_t n_messages, const SrmScoreOptions *options)
{
	size_t		length = sizeof(uint64_t) + sizeof(options->aggregation) + sizeof(options->lengths) + sizeof(options->max_tokens) +
		sizeof(options->truncation) + 5 * sizeof(size_t) + strlen(options->segmenter) +
		strlen(options->locale) + measure_given(options) +
		strlen(options->date) + strlen(options->variables);

	for (size_t i = 0; i < n_messages && length <= MAX_KEY; i++)
	{
		if (messages[i].content_length > MAX_KEY)
			return MAX_KEY + 1;
		length += 3 * sizeof(size_t) + strlen(messages[i].role) + messages[i].content_length +
			strlen(json_of(&messages[i]));
	}
	return length;
}

bool
srm_memo_key(SrmMemoKey *key, const SrmMessage *messages, size_t n_messages,
			 const SrmScoreOptions *options, SrmArena *arena, SrmStatus *status)
{
	uint64_t	splitter = options->splitter == NULL ? 0 : options->splitter->version;
	char	   *out;

	memset(key, 0, sizeof(SrmMemoKey));
	key->length = measure_key(messages, n_messages, options);
	if (key->length > MAX_KEY)
		return true;
	out = key->bytes = srm_arena_alloc(arena, key->length, status);
	if (out == NULL)
		return false;
	out = append(out, &options->aggregation, sizeof(options->aggregation));
	out = append(out, &options->max_tokens, sizeof(options->max_tokens));
	out = append(out, &options->truncation, sizeof(options->truncation));
	out = append(out, &options->lengths, sizeof(options->lengths));
	out = append(out, &splitter, sizeof(splitter));
	out = append_text(out, options->segmenter, strlen(options->segmenter));
	out = append_text(out, options->locale, strlen(options->locale));
	out = append_text(out, options->given == NULL ? "" : (const char *) options->given->items,
					  measure_given(options));
	out = append_text(out, options->date, strlen(options->date));
	out = append_text(out, options->variables, strlen(options->variables));
	for (size_t i = 0; i < n_messages; i++)
	{
		out = append_text(out, messages[i].role, strlen(messages[i].role));
		out = append_text(out, messages[i].content, messages[i].content_length);
		out = append_text(out, json_of(&messages[i]), strlen(json_of(&messages[i])));
	}
	key->want_tokens = options->want_tokens;
	return true;
}

/* ---- results ---- */

/* A copy of n elements in the arena; NULL stays NULL. */
static bool
copy_array(void *copy, const void *array, size_t n, size_t size, SrmArena *arena,
		   SrmStatus *status)
{
	void	  **out = copy;

	if (array == NULL)
	{
		*out = NULL;
		return true;
	}
	*out = srm_arena_alloc(arena, n * size, status);
	if (*out == NULL)
		return false;
	memcpy(*out, array, n * size);
	return true;
}

bool
srm_scored_copy(SrmScored *copy, const SrmScored *scored, SrmArena *arena, SrmStatus *status)
{
	*copy = *scored;
	return copy_array(&copy->sentences, scored->sentences, scored->n_sentences,
					  sizeof(SrmSentence), arena, status) &&
		copy_array(&copy->rewards, scored->rewards, scored->n + 1, sizeof(double), arena, status) &&
		copy_array(&copy->weights, scored->weights, scored->n + 1, sizeof(double), arena, status) &&
		copy_array(&copy->tokens, scored->tokens, scored->n_token_rewards,
				   sizeof(SrmTokenReward), arena, status);
}

static bool
copy_layout(SrmLayout *copy, const SrmLayout *layout, SrmArena *arena, SrmStatus *status)
{
	*copy = *layout;
	copy->tokens.capacity = layout->tokens.n;
	return copy_array(&copy->rendered.text, layout->rendered.text, layout->rendered.length + 1, 1, arena, status) &&
		copy_array(&copy->rendered.fragments, layout->rendered.fragments, layout->rendered.n_fragments,
				   sizeof(SrmFragment), arena, status) &&
		copy_array(&copy->tokens.items, layout->tokens.items, layout->tokens.n, sizeof(SrmToken), arena, status) &&
		copy_array(&copy->sentences, layout->sentences, layout->n_sentences, sizeof(SrmSentence), arena, status) &&
		copy_array(&copy->boundaries, layout->boundaries, layout->n + 1, sizeof(uint32_t), arena, status);
}

static bool
has_key(const Entry *entry, const SrmMemoKey *key)
{
	return entry->key.bytes != NULL && entry->key.length == key->length &&
		memcmp(entry->key.bytes, key->bytes, key->length) == 0;
}

/* Token rewards are no matter to a layout. */
static bool
serves(const Entry *entry, const SrmMemoKey *key)
{
	return !entry->is_layout && entry->key.want_tokens >= key->want_tokens && has_key(entry, key);
}

bool
srm_memo_has(const SrmMemo *memo, const SrmMemoKey *key)
{
	for (int i = 0; i < N_ENTRIES && key->bytes != NULL; i++)
		if (has_key(&memo->entries[i], key))
			return true;
	return false;
}

bool
srm_memo_get(SrmMemo *memo, const SrmMemoKey *key, SrmArena *arena, SrmScored *scored,
			 bool *found, SrmStatus *status)
{
	*found = false;
	for (int i = 0; i < N_ENTRIES && key->bytes != NULL && !*found; i++)
	{
		Entry	   *entry = &memo->entries[i];

		if (!serves(entry, key))
			continue;
		entry->last_use = ++memo->n_uses;
		*found = true;
		if (!srm_scored_copy(scored, &entry->scored, arena, status))
			return false;
	}
	return true;
}

/* The entry that was not used for the longest time, emptied. */
static Entry *
take_entry(SrmMemo *memo, SrmStatus *status)
{
	Entry	   *oldest = &memo->entries[0];

	for (int i = 1; i < N_ENTRIES; i++)
		if (memo->entries[i].last_use < oldest->last_use)
			oldest = &memo->entries[i];
	oldest->key.bytes = NULL;
	if (srm_arena_used(oldest->arena) > MAX_ENTRY)
		clear_entry(oldest);
	if (oldest->arena == NULL)
		oldest->arena = srm_arena_create(status);
	else
		srm_arena_reset(oldest->arena);
	return oldest->arena == NULL ? NULL : oldest;
}

/* A new entry with the key, or NULL. */
static Entry *
add_entry(SrmMemo *memo, const SrmMemoKey *key, SrmStatus *status)
{
	Entry	   *entry = key->bytes == NULL ? NULL : take_entry(memo, status);
	char	   *bytes = entry == NULL ? NULL : srm_arena_alloc(entry->arena, key->length, status);

	if (bytes == NULL)
		return NULL;
	memcpy(bytes, key->bytes, key->length);
	entry->key = *key;
	entry->key.bytes = bytes;
	entry->last_use = ++memo->n_uses;
	return entry;
}

void
srm_memo_put(SrmMemo *memo, const SrmMemoKey *key, const SrmScored *scored)
{
	SrmStatus	status;
	Entry	   *entry;

	srm_status_init(&status);
	entry = add_entry(memo, key, &status);
	if (entry == NULL)
		return;
	entry->is_layout = false;
	if (!srm_scored_copy(&entry->scored, scored, entry->arena, &status))
		entry->key.bytes = NULL;
}

void
srm_memo_put_layout(SrmMemo *memo, const SrmMemoKey *key, const SrmLayout *layout)
{
	SrmStatus	status;
	Entry	   *entry;

	srm_status_init(&status);
	entry = add_entry(memo, key, &status);
	if (entry == NULL)
		return;
	entry->is_layout = true;
	if (!copy_layout(&entry->layout, layout, entry->arena, &status))
		entry->key.bytes = NULL;
}

bool
srm_memo_take_layout(SrmMemo *memo, const SrmMemoKey *key, SrmArena *arena, SrmLayout *layout,
					 bool *found, SrmStatus *status)
{
	*found = false;
	for (int i = 0; i < N_ENTRIES && key->bytes != NULL && !*found; i++)
	{
		Entry	   *entry = &memo->entries[i];

		if (!entry->is_layout || !has_key(entry, key))
			continue;
		*found = true;
		if (!copy_layout(layout, &entry->layout, arena, status))
			return false;
		entry->key.bytes = NULL;
		entry->last_use = 0;
	}
	return true;
}
