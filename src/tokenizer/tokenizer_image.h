/*-------------------------------------------------------------------------
 *
 * tokenizer_image.h
 *	  The large tables of a tokenizer as one piece of memory, for a file that
 *	  all processes map.
 *
 * What is small stays JSON, and is read and checked as that of any file.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TOKENIZER_IMAGE_H
#define SRM_TOKENIZER_IMAGE_H

#include "tokenizer/bpe/bpe_merges.h"
#include "tokenizer/bpe/bpe_vocabulary.h"

typedef enum SrmTokenizerKind
{
	SRM_TOKENIZER_BPE,
	SRM_TOKENIZER_UNIGRAM,
	SRM_TOKENIZER_WORDPIECE
} SrmTokenizerKind;

typedef struct SrmTokenizerTables
{
	SrmTokenizerKind kind;
	SrmVocabulary vocabulary;	/* special tokens are hidden already */
	SrmMerges	merges;			/* of BPE */
	double		unknown_score;	/* of Unigram, as the next two */
	double	   *scores;			/* (n_ids) */
	uint16_t   *longest;		/* (65536) */
	const char *settings;		/* (n_settings) the tokenizer.json without the tables; ends in NUL */
	size_t		n_settings;
} SrmTokenizerTables;

/* The tables in one piece, in the arena; NULL, with the status set, where they do not fit. */
extern const char *srm_tokenizer_image_make(const SrmTokenizerTables *tables, SrmArena *arena,
											size_t *size, SrmStatus *status);

/*
 * The tables of an image, which lie in it; data is aligned to 64 bytes.  False for
 * what is no image, or is damaged.  All bytes are read for that.
 *
 * An image that is damaged later gives wrong tokens, and no wrong addresses.
 */
extern bool srm_tokenizer_image_read(const void *data, size_t size, SrmTokenizerTables *tables);

#endif							/* SRM_TOKENIZER_IMAGE_H */
