/*-------------------------------------------------------------------------
 *
 * tokenizer.h
 *	  Tokens of a text, as the tokenizers library makes them.
 *
 * Reads tokenizer.json.  A part of it that is not supported is an error that
 * names the part, never a silent difference.  Ids and offsets are those of
 * tokenizers 0.23.3 for all code points of the Unicode release that ICU has;
 * younger ones are unassigned here but may be letters, numbers or cased there.
 * Truncation and padding that a file asks for are not applied.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TOKENIZER_H
#define SRM_TOKENIZER_H

#include "tokenizer/special_tokens.h"
#include "tokenizer/tokens.h"

typedef struct SrmTokenizer SrmTokenizer;

/*
 * Loads the contents of a tokenizer.json, with what other files say about its
 * special tokens, or NULL; none of them need outlive the call.
 * Memory comes from the arena, which the tokenizer must not outlive; what
 * lies outside it (ICU's objects) goes with srm_tokenizer_free().  One
 * tokenizer serves one thread at a time.
 */
extern SrmTokenizer *srm_tokenizer_load(const char *json, size_t length,
										const SrmSpecialTokens *special,
										SrmArena *arena, SrmStatus *status);
extern void srm_tokenizer_free(SrmTokenizer *tokenizer);	/* NULL is allowed */

/*
 * The same in two steps, for tokenizers whose tables lie in a file.  The first one
 * makes an image of a tokenizer.json, in the arena; the second one uses an
 * image where it is, aligned to 64 bytes, until the tokenizer is freed.
 *
 * An image of any bytes is safe; NULL, with SRM_INVALID_MODEL, for one that is
 * damaged.  An image that is damaged later may give wrong tokens.
 */
extern const char *srm_tokenizer_pack(const char *json, size_t length,
									  const SrmSpecialTokens *special, SrmArena *arena,
									  size_t *size, SrmStatus *status);
extern SrmTokenizer *srm_tokenizer_open(const void *image, size_t size, SrmArena *arena,
										SrmStatus *status);

/*
 * Appends the tokens of valid UTF-8, less than 2^31 bytes, to tokens, which
 * may start as {NULL, 0, 0} and grows in the arena.  Special tokens are
 * recognized only where they lie within one of the ranges, which are sorted
 * and do not overlap; elsewhere their text is plain text.  Added tokens that are not
 * special are recognized everywhere.  No post-processor is applied: what a
 * model needs around a text, its chat template writes.
 */
extern bool srm_tokenizer_encode(SrmTokenizer *tokenizer, const char *text, size_t length,
								 const SrmRange *special, size_t n_special,
								 SrmArena *arena, SrmTokens *tokens,
								 const SrmStop *stop, SrmStatus *status);

/*
 * The same for bytes [part.start, part.end) of a text alone; ranges and tokens
 * count from the start of the text, where some tokenizers put a space.
 */
extern bool srm_tokenizer_encode_part(SrmTokenizer *tokenizer, const char *text, SrmRange part,
									  const SrmRange *special, size_t n_special,
									  SrmArena *arena, SrmTokens *tokens,
									  const SrmStop *stop, SrmStatus *status);

/* The id of a token as the vocabulary or the added tokens write it, or -1. */
extern int32_t srm_tokenizer_find(const SrmTokenizer *tokenizer, const char *token);

/*
 * The token as the vocabulary writes it (byte-level tokens in their printable
 * form), not terminated by NUL; NULL for an id that has none.
 */
extern const char *srm_tokenizer_token(const SrmTokenizer *tokenizer, int32_t id,
									   size_t *length);

/* One more than the highest id. */
extern int32_t srm_tokenizer_n_ids(const SrmTokenizer *tokenizer);

#endif							/* SRM_TOKENIZER_H */
