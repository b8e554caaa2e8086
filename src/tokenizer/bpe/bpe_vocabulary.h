/*-------------------------------------------------------------------------
 *
 * bpe_vocabulary.h
 *	  The tokens of a vocabulary and their ids.
 *
 * Tokens are kept as the file writes them.  In byte-level vocabularies each
 * byte of the text stands as one printable character, such as U+0120 for a
 * space; in those of SentencePiece U+2581 stands for a space.
 *
 * The tables hold no pointers, and whatever numbers stand in them a search
 * ends and stays within them: they may lie in a file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_VOCABULARY_H
#define SRM_BPE_VOCABULARY_H

#include "base/json.h"

/*
 * Tables give an id 22 bits of 32; the two highest numbers stand for what is
 * no id.  This also bounds the table from ids to tokens, whatever a file says.
 */
#define SRM_ID_BITS			22
#define SRM_ID_MASK			((UINT32_C(1) << SRM_ID_BITS) - 1)
#define SRM_MAX_TOKEN_ID	((1 << SRM_ID_BITS) - 3)

typedef struct SrmVocabulary
{
	uint32_t   *slots;			/* (n_slots) ids below 10 bits of the token's hash */
	uint32_t   *offsets;		/* (n_ids + 1) where tokens begin; two the same: no token */
	char	   *bytes;			/* (n_bytes) tokens in the order of ids, a NUL behind each */
	uint32_t	n_slots;
	uint32_t	n_bytes;
	int32_t		n_ids;			/* one more than the highest id */
	int32_t		n_tokens;
	size_t		longest;		/* bytes */
} SrmVocabulary;

/* Reads the object from tokens to ids; copies what it needs to the arena. */
extern bool srm_vocabulary_load(SrmVocabulary *vocabulary, const SrmJson *json,
								SrmArena *arena, SrmStatus *status);

/* Reads a list of [token, score] instead, whose place is the id. */
extern bool srm_vocabulary_load_list(SrmVocabulary *vocabulary, const SrmJson *json,
									 SrmArena *arena, SrmStatus *status);

/* The token of an id, NULL where it has none or where there is no such id. */
static inline const char *
srm_vocabulary_token(const SrmVocabulary *vocabulary, int32_t id, size_t *length)
{
	uint32_t	start;
	uint32_t	end;

	if (id < 0 || id >= vocabulary->n_ids)
		return NULL;
	start = vocabulary->offsets[id];
	end = vocabulary->offsets[id + 1];
	if (start >= end || end > vocabulary->n_bytes)
		return NULL;
	*length = end - start - 1;
	return vocabulary->bytes + start;
}

/* The number of slots for n entries: a search looks at few of them. */
static inline uint32_t
srm_table_slots(size_t n)
{
	return (uint32_t) (n / 4 * 7 + 16);
}

/* The slot where the search for a hash begins, which the high half decides. */
static inline uint32_t
srm_table_first(uint32_t n_slots, uint64_t hash)
{
	return (uint32_t) (((hash >> 32) * n_slots) >> 32);
}

/* The id of a token, or -1. */
extern int32_t srm_vocabulary_find(const SrmVocabulary *vocabulary, const char *token,
								   size_t length);

/*
 * The same in two steps.  The slot is fetched from memory from the first one
 * on, so that a caller who looks up many tokens waits but once.
 */
extern uint64_t srm_vocabulary_prepare(const SrmVocabulary *vocabulary, const char *token,
									   size_t length);
extern int32_t srm_vocabulary_find_prepared(const SrmVocabulary *vocabulary, uint64_t hash,
											const char *token, size_t length);

/* From now on the token is not found any more, but by the function below; its id keeps it. */
extern void srm_vocabulary_hide(SrmVocabulary *vocabulary, int32_t id);

/* The same as srm_vocabulary_find(), with what is hidden. */
extern int32_t srm_vocabulary_find_any(const SrmVocabulary *vocabulary, const char *token,
									   size_t length);

/* The token of a byte as SentencePiece writes it, such as "<0x0A>", hidden or not, or -1. */
extern int32_t srm_vocabulary_find_byte(const SrmVocabulary *vocabulary, int byte);

/* The value of a number that is an id; false for anything else. */
extern bool srm_vocabulary_read_id(const SrmJson *json, int32_t *id);

/* The printable character that stands for a byte. */
extern uint32_t srm_byte_level_character(unsigned char byte);

/*
 * Writes the printable form of bytes, at most 2 * length bytes, and returns
 * its length.
 */
extern size_t srm_byte_level_write(const char *bytes, size_t length, char *out);

#endif							/* SRM_BPE_VOCABULARY_H */
