/*-------------------------------------------------------------------------
 *
 * bpe_vocabulary.h
 *	  The tokens of a vocabulary and their ids.
 *
 * Tokens are kept as the file writes them.  In byte-level vocabularies each
 * byte of the text stands as one printable character, such as U+0120 for a
 * space; in those of SentencePiece U+2581 stands for a space.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_BPE_VOCABULARY_H
#define SRM_BPE_VOCABULARY_H

#include "base/json.h"

/* Bounds the table from ids to tokens, whatever a file says. */
#define SRM_MAX_TOKEN_ID	((1 << 22) - 1)

/* A place for a token; the tag is a part of its hash. */
typedef struct SrmVocabularySlot
{
	uint32_t	tag;
	int32_t		id;				/* -1: empty */
} SrmVocabularySlot;

typedef struct SrmVocabulary
{
	SrmVocabularySlot *slots;	/* (mask + 1), at most two thirds of them used */
	size_t		mask;
	const char **tokens;		/* (n_ids), NULL for an id without a token */
	uint32_t   *lengths;		/* (n_ids) */
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

/* From now on the token is not found any more; its id keeps it. */
extern void srm_vocabulary_hide(SrmVocabulary *vocabulary, int32_t id);

/* The token of a byte as SentencePiece writes it, such as "<0x0A>", or -1. */
extern int32_t srm_vocabulary_find_byte(const SrmVocabulary *vocabulary, int byte);

/* The value of a number that is an id; false for anything else. */
extern bool srm_vocabulary_read_id(const SrmJson *json, int32_t *id);

/*
 * Writes the printable form of bytes, at most 2 * length bytes, and returns
 * its length.
 */
extern size_t srm_byte_level_write(const char *bytes, size_t length, char *out);

#endif							/* SRM_BPE_VOCABULARY_H */
