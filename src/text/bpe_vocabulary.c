/*-------------------------------------------------------------------------
 *
 * bpe_vocabulary.c
 *	  The tokens of a byte-level vocabulary and their ids.
 *
 *-------------------------------------------------------------------------
 */
#include "text/bpe_vocabulary.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

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
measure(SrmVocabulary *vocabulary, const SrmJson *json, size_t *n_bytes,
		SrmStatus *status)
{
	*n_bytes = 0;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		Entry		entry;

		if (!read_entry(json, child, vocabulary->n_tokens, &entry, status))
			return false;
		if (entry.id >= vocabulary->n_ids)
			vocabulary->n_ids = entry.id + 1;
		if (entry.length > vocabulary->longest)
			vocabulary->longest = entry.length;
		*n_bytes += entry.length + 1;
		vocabulary->n_tokens++;
	}
	return true;
}

/* ---- the hash table ---- */

static uint64_t
hash_token(const char *token, size_t length)
{
	uint64_t	hash = length;

	while (length > 0)
	{
		uint64_t	part = 0;
		size_t		size = length < 8 ? length : 8;

		memcpy(&part, token, size);
		hash = (hash ^ part) * UINT64_C(0x9E3779B97F4A7C15);
		hash ^= hash >> 29;
		token += size;
		length -= size;
	}
	return hash * UINT64_C(0xBF58476D1CE4E5B9);
}

/* The slot of a token, or the empty one where it belongs. */
static SrmVocabularySlot *
find_slot(const SrmVocabulary *vocabulary, uint64_t hash, const char *token, size_t length)
{
	uint32_t	tag = (uint32_t) hash;
	size_t		i = (hash >> 32) & vocabulary->mask;

	for (;; i = (i + 1) & vocabulary->mask)
	{
		SrmVocabularySlot *slot = &vocabulary->slots[i];

		if (slot->id < 0 ||
			(slot->tag == tag && vocabulary->lengths[slot->id] == length &&
			 memcmp(vocabulary->tokens[slot->id], token, length) == 0))
			return slot;
	}
}

uint64_t
srm_vocabulary_prepare(const SrmVocabulary *vocabulary, const char *token, size_t length)
{
	uint64_t	hash = hash_token(token, length);

	__builtin_prefetch(&vocabulary->slots[(hash >> 32) & vocabulary->mask]);
	return hash;
}

int32_t
srm_vocabulary_find_prepared(const SrmVocabulary *vocabulary, uint64_t hash,
							 const char *token, size_t length)
{
	return find_slot(vocabulary, hash, token, length)->id;
}

int32_t
srm_vocabulary_find(const SrmVocabulary *vocabulary, const char *token, size_t length)
{
	return find_slot(vocabulary, hash_token(token, length), token, length)->id;
}

/* The slot stays taken, lest those behind it be missed, but its tag fits no token. */
void
srm_vocabulary_hide(SrmVocabulary *vocabulary, int32_t id)
{
	size_t		length = vocabulary->lengths[id];
	const char *token = vocabulary->tokens[id];
	SrmVocabularySlot *slot = find_slot(vocabulary, hash_token(token, length), token, length);

	if (slot->id == id)
		slot->tag = ~slot->tag;
}

int32_t
srm_vocabulary_find_byte(const SrmVocabulary *vocabulary, int byte)
{
	char		token[8];
	int			length = snprintf(token, sizeof(token), "<0x%02X>", byte & 0xFF);

	return srm_vocabulary_find(vocabulary, token, (size_t) length);
}

static bool
create_slots(SrmVocabulary *vocabulary, SrmArena *arena, SrmStatus *status)
{
	size_t		n_slots = 16;

	while (n_slots / 3 * 2 < (size_t) vocabulary->n_tokens)
		n_slots *= 2;
	vocabulary->mask = n_slots - 1;
	vocabulary->slots = srm_arena_alloc(arena, n_slots * sizeof(SrmVocabularySlot), status);
	if (vocabulary->slots == NULL)
		return false;
	memset(vocabulary->slots, 0xFF, n_slots * sizeof(SrmVocabularySlot));
	return true;
}

/* ---- loading ---- */

static bool
add_token(SrmVocabulary *vocabulary, const char *token, size_t length, int32_t id,
		  SrmStatus *status)
{
	uint64_t	hash = hash_token(token, length);
	SrmVocabularySlot *slot = find_slot(vocabulary, hash, token, length);

	if (vocabulary->tokens[id] != NULL)
	{
		srm_fail(status, SRM_INVALID_MODEL, "duplicate id in vocabulary of tokenizer");
		return srm_fail_detail(status, "Tokens \"%s\" and \"%s\" have the id %d.",
							   vocabulary->tokens[id], token, id);
	}
	if (slot->id >= 0)
		return srm_fail(status, SRM_INVALID_MODEL,
						"duplicate token \"%s\" in vocabulary of tokenizer", token);
	slot->tag = (uint32_t) hash;
	slot->id = id;
	vocabulary->tokens[id] = token;
	vocabulary->lengths[id] = (uint32_t) length;
	return true;
}

static bool
load(SrmVocabulary *vocabulary, const SrmJson *json, SrmJsonType type, SrmArena *arena,
	 SrmStatus *status)
{
	size_t		n_bytes;
	char	   *strings;
	int32_t		index = 0;

	memset(vocabulary, 0, sizeof(SrmVocabulary));
	if (json == NULL || json->type != type || json->child == NULL)
		return srm_fail(status, SRM_INVALID_MODEL, "tokenizer has no vocabulary");
	if (!measure(vocabulary, json, &n_bytes, status))
		return false;
	strings = srm_arena_alloc(arena, n_bytes, status);
	vocabulary->tokens = srm_arena_array(arena, vocabulary->n_ids, sizeof(char *), status);
	vocabulary->lengths = srm_arena_array(arena, vocabulary->n_ids, sizeof(uint32_t), status);
	if (strings == NULL || vocabulary->tokens == NULL || vocabulary->lengths == NULL ||
		!create_slots(vocabulary, arena, status))
		return false;
	for (const SrmJson *child = json->child; child != NULL; child = child->next)
	{
		Entry		entry;

		if (!read_entry(json, child, index++, &entry, status))
			return false;
		memcpy(strings, entry.token, entry.length + 1);
		if (!add_token(vocabulary, strings, entry.length, entry.id, status))
			return false;
		strings += entry.length + 1;
	}
	return true;
}

bool
srm_vocabulary_load(SrmVocabulary *vocabulary, const SrmJson *json, SrmArena *arena,
					SrmStatus *status)
{
	return load(vocabulary, json, SRM_JSON_OBJECT, arena, status);
}

bool
srm_vocabulary_load_list(SrmVocabulary *vocabulary, const SrmJson *json, SrmArena *arena,
						 SrmStatus *status)
{
	return load(vocabulary, json, SRM_JSON_ARRAY, arena, status);
}

/*
 * The printable character of a byte: itself where Latin-1 prints it, or else
 * the next one from U+0100 on.  This is the table of GPT-2.
 */
static uint32_t
byte_character(unsigned char byte)
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
		n += srm_utf8_encode(byte_character((unsigned char) bytes[i]), out + n);
	return n;
}
