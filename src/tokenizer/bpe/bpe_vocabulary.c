/*-------------------------------------------------------------------------
 *
 * bpe_vocabulary.c
 *	  The tokens of a byte-level vocabulary and their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/bpe/bpe_vocabulary.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"

#define EMPTY	UINT32_MAX		/* a slot without a token */

bool
srm_vocabulary_read_id(const SrmJson *json, int32_t *id)
{
	int32_t		value = 0;

	if (json == NULL || json->type != SRM_JSON_NUMBER)
		return false;
	for (const char *c = json->text; *c != '\0'; c++)
	{
		if (*c < '0' || *c > '9')
			return false;
		value = value * 10 + (*c - '0');
		if (value > SRM_MAX_TOKEN_ID)
			return false;
	}
	*id = value;
	return true;
}

/* One token of the file, and its id. */
typedef struct Entry
{
	const char *token;			/* ends in NUL */
	size_t		length;
	int32_t		id;
} Entry;

/* A member of an object, "token": id. */
static bool
read_member(const SrmJson *json, Entry *entry, SrmStatus *status)
{
	entry->token = json->key;
	entry->length = strlen(json->key);
	if (srm_vocabulary_read_id(json, &entry->id))
		return true;
	srm_fail(status, SRM_INVALID_MODEL, "invalid id of token \"%s\" in tokenizer", json->key);
	return srm_fail_detail(status, "An id is an integer between 0 and %d.", SRM_MAX_TOKEN_ID);
}

/* An item of a list, ["token", score]. */
static bool
read_item(const SrmJson *json, int32_t index, Entry *entry, SrmStatus *status)
{
	if (json->type != SRM_JSON_ARRAY || json->n != 2 || json->child->type != SRM_JSON_STRING ||
		json->child->next->type != SRM_JSON_NUMBER || index > SRM_MAX_TOKEN_ID)
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid vocabulary of tokenizer");
		return srm_fail_detail(status, "Entry %d is not a token and a score.", index);
	}
	entry->token = json->child->text;
	entry->length = json->child->n;
	entry->id = index;
	return true;
}

static bool
read_entry(const SrmJson *parent, const SrmJson *child, int32_t index, Entry *entry,
		   SrmStatus *status)
{
	return parent->type == SRM_JSON_OBJECT ? read_member(child, entry, status) :
		read_item(child, index, entry, status);
}

/* Finds the size of all the tables before any of them is made. */
static bool
measure(SrmVocabulary *vocabulary, const SrmJson *json, SrmStatus *status)
{
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		Entry		entry;

		if (!read_entry(json, child, vocabulary->n_tokens, &entry, status))
			return false;
		if (entry.id >= vocabulary->n_ids)
			vocabulary->n_ids = entry.id + 1;
		if (entry.length > vocabulary->longest)
			vocabulary->longest = entry.length;
		vocabulary->n_bytes += (uint32_t) entry.length + 1;
		vocabulary->n_tokens++;
	}
	return true;
}

/* ---- the hash table ---- */

static uint64_t
hash_token(const char *token, size_t length)
{
	return srm_hash_key(token, length) * UINT64_C(0xBF58476D1CE4E5B9);
}

/* The part of a hash that a slot keeps: not the one that says where to begin. */
static uint32_t
hash_tag(uint64_t hash)
{
	return (uint32_t) hash & ~SRM_ID_MASK;
}

static bool
is_token(const SrmVocabulary *vocabulary, int32_t id, const char *token, size_t length)
{
	size_t		its_length;
	const char *its = srm_vocabulary_token(vocabulary, id, &its_length);

	return its != NULL && its_length == length && memcmp(its, token, length) == 0;
}

/*
 * The slot of a token, or the empty one where it belongs; n_slots for a token
 * that a table without an empty slot, which we never make, does not have.
 */
static uint32_t
find_slot(const SrmVocabulary *vocabulary, uint64_t hash, uint32_t tag, const char *token,
		  size_t length)
{
	uint32_t	i = srm_table_first(vocabulary->n_slots, hash);

	for (uint32_t n = 0; n < vocabulary->n_slots; n++)
	{
		uint32_t	slot = vocabulary->slots[i];

		if (slot == EMPTY ||
			((slot & ~SRM_ID_MASK) == tag &&
			 is_token(vocabulary, (int32_t) (slot & SRM_ID_MASK), token, length)))
			return i;
		i = i + 1 == vocabulary->n_slots ? 0 : i + 1;
	}
	return vocabulary->n_slots;
}

static int32_t
slot_id(const SrmVocabulary *vocabulary, uint32_t i)
{
	if (i == vocabulary->n_slots || vocabulary->slots[i] == EMPTY)
		return -1;
	return (int32_t) (vocabulary->slots[i] & SRM_ID_MASK);
}

uint64_t
srm_vocabulary_prepare(const SrmVocabulary *vocabulary, const char *token, size_t length)
{
	uint64_t	hash = hash_token(token, length);

	__builtin_prefetch(&vocabulary->slots[srm_table_first(vocabulary->n_slots, hash)]);
	return hash;
}

int32_t
srm_vocabulary_find_prepared(const SrmVocabulary *vocabulary, uint64_t hash,
							 const char *token, size_t length)
{
	return slot_id(vocabulary, find_slot(vocabulary, hash, hash_tag(hash), token, length));
}

int32_t
srm_vocabulary_find(const SrmVocabulary *vocabulary, const char *token, size_t length)
{
	return srm_vocabulary_find_prepared(vocabulary, hash_token(token, length), token, length);
}

/* The slot stays taken, lest those behind it be missed, with the tag turned around. */
void
srm_vocabulary_hide(SrmVocabulary *vocabulary, int32_t id)
{
	size_t		length = 0;
	const char *token = srm_vocabulary_token(vocabulary, id, &length);
	uint64_t	hash = hash_token(token, length);
	uint32_t	slot = find_slot(vocabulary, hash, hash_tag(hash), token, length);

	if (slot_id(vocabulary, slot) == id)
		vocabulary->slots[slot] ^= ~SRM_ID_MASK;
}

int32_t
srm_vocabulary_find_any(const SrmVocabulary *vocabulary, const char *token, size_t length)
{
	uint64_t	hash = hash_token(token, length);
	int32_t		id = srm_vocabulary_find_prepared(vocabulary, hash, token, length);

	if (id >= 0)
		return id;
	return slot_id(vocabulary, find_slot(vocabulary, hash, ~hash_tag(hash) & ~SRM_ID_MASK,
										 token, length));
}

int32_t
srm_vocabulary_find_byte(const SrmVocabulary *vocabulary, int byte)
{
	char		token[8];
	int			length = snprintf(token, sizeof(token), "<0x%02X>", byte & 0xFF);

	return srm_vocabulary_find_any(vocabulary, token, (size_t) length);
}

/* ---- loading ---- */

static bool
create_tables(SrmVocabulary *vocabulary, SrmArena *arena, SrmStatus *status)
{
	size_t		n_ids = (size_t) vocabulary->n_ids;

	vocabulary->n_slots = srm_table_slots((size_t) vocabulary->n_tokens);
	vocabulary->slots = srm_arena_alloc(arena, vocabulary->n_slots * sizeof(uint32_t), status);
	vocabulary->offsets = srm_arena_array(arena, n_ids + 1, sizeof(uint32_t), status);
	vocabulary->bytes = srm_arena_alloc(arena, vocabulary->n_bytes, status);
	if (status->code != SRM_OK)
		return false;
	memset(vocabulary->slots, 0xFF, vocabulary->n_slots * sizeof(uint32_t));
	return true;
}

/* The id was that of an earlier entry, too, which is looked for again. */
static bool
fail_duplicate_id(const SrmJson *json, const Entry *entry, SrmStatus *status)
{
	Entry		first = {.id = -1};
	int32_t		index = 0;

	for (const SrmJson *child = json->child; first.id != entry->id; child = child->next)
		if (!read_entry(json, child, index++, &first, status))
			return false;
	srm_fail(status, SRM_INVALID_MODEL, "duplicate id in vocabulary of tokenizer");
	return srm_fail_detail(status, "Tokens \"%s\" and \"%s\" have the id %d.",
						   first.token, entry->token, entry->id);
}

/* Finds where each token begins: first how long it is, then the sums. */
static bool
place_tokens(SrmVocabulary *vocabulary, const SrmJson *json, SrmStatus *status)
{
	uint32_t   *offsets = vocabulary->offsets;
	int32_t		index = 0;

	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		Entry		entry;

		if (!read_entry(json, child, index++, &entry, status))
			return false;
		if (offsets[entry.id + 1] != 0)
			return fail_duplicate_id(json, &entry, status);
		offsets[entry.id + 1] = (uint32_t) entry.length + 1;
	}
	for (int32_t id = 0; id < vocabulary->n_ids; id++)
		offsets[id + 1] += offsets[id];
	return true;
}

static bool
add_token(SrmVocabulary *vocabulary, const Entry *entry, SrmStatus *status)
{
	uint64_t	hash = hash_token(entry->token, entry->length);
	uint32_t	slot = find_slot(vocabulary, hash, hash_tag(hash), entry->token, entry->length);

	if (vocabulary->slots[slot] != EMPTY)
		return srm_fail(status, SRM_INVALID_MODEL,
						"duplicate token \"%s\" in vocabulary of tokenizer", entry->token);
	vocabulary->slots[slot] = hash_tag(hash) | (uint32_t) entry->id;
	memcpy(vocabulary->bytes + vocabulary->offsets[entry->id], entry->token, entry->length + 1);
	return true;
}

static bool
load(SrmVocabulary *vocabulary, const SrmJson *json, SrmJsonType type, SrmArena *arena,
	 SrmStatus *status)
{
	int32_t		index = 0;

	memset(vocabulary, 0, sizeof(SrmVocabulary));
	if (json == NULL || json->type != type || json->child == NULL)
		return srm_fail(status, SRM_INVALID_MODEL, "tokenizer has no vocabulary");
	if (!measure(vocabulary, json, status) || !create_tables(vocabulary, arena, status) ||
		!place_tokens(vocabulary, json, status))
		return false;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		Entry		entry;

		if (!read_entry(json, child, index++, &entry, status) ||
			!add_token(vocabulary, &entry, status))
			return false;
	}
	return true;
}

bool
srm_vocabulary_load(SrmVocabulary *vocabulary, const SrmJson *json, SrmArena *arena,
					SrmStatus *status)
{
	return load(vocabulary, json, SRM_JSON_OBJECT, arena, status) || srm_fail_key(status, "vocab");
}

bool
srm_vocabulary_load_list(SrmVocabulary *vocabulary, const SrmJson *json, SrmArena *arena,
						 SrmStatus *status)
{
	return load(vocabulary, json, SRM_JSON_ARRAY, arena, status) || srm_fail_key(status, "vocab");
}

/*
 * The printable character of a byte: itself where Latin-1 prints it, or else
 * the next one from U+0100 on.  This is the table of GPT-2.
 */
uint32_t
srm_byte_level_character(unsigned char byte)
{
	if (byte <= 0x20)
		return 0x100 + byte;
	if (byte <= 0x7E)
		return byte;
	if (byte <= 0xA0)
		return 0x100 + 0x21 + (byte - 0x7F);
	if (byte == 0xAD)
		return 0x100 + 0x43;
	return byte;
}

size_t
srm_byte_level_write(const char *bytes, size_t length, char *out)
{
	size_t		n = 0;

	for (size_t i = 0; i < length; i++)
		n += srm_utf8_encode(srm_byte_level_character((unsigned char) bytes[i]), out + n);
	return n;
}
