/*-------------------------------------------------------------------------
 *
 * bpe.c
 *	  Byte-pair encoding: one word to its tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/bpe/bpe.h"

#include <string.h>

#include "base/utf8.h"

/* Up to here the quadratic way is the faster one. */
#define SHORT_WORD		24

static bool
fail_part(const char *part, SrmStatus *status)
{
	return srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer with \"%s\" is not supported", part);
}

/* Refuses what would change the tokens but is not there in the models we know. */
static bool
check_options(const SrmJson *model, SrmStatus *status)
{
	const char *prefix;
	const char *suffix;
	double		dropout;

	if (!srm_json_get_double(model, "dropout", 0.0, &dropout, status) ||
		!srm_json_get_string(model, "continuing_subword_prefix", "", &prefix, status) ||
		!srm_json_get_string(model, "end_of_word_suffix", "", &suffix, status))
		return false;
	if (dropout != 0.0)
		return fail_part("dropout", status);
	if (prefix[0] != '\0')
		return fail_part("continuing_subword_prefix", status);
	if (suffix[0] != '\0')
		return fail_part("end_of_word_suffix", status);
	return true;
}

/* Whether the byte occurs in UTF-8. */
static bool
is_text_byte(int byte)
{
	return byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);
}

/* The token of a byte: its printable form, or as byte_fallback writes it. */
static int32_t
find_byte(const SrmBpe *bpe, int byte)
{
	char		c = (char) byte;
	char		token[8];
	size_t		length;

	if (!bpe->byte_level)
		return srm_vocabulary_find_byte(&bpe->vocabulary, byte);
	length = srm_byte_level_write(&c, 1, token);
	return srm_vocabulary_find_any(&bpe->vocabulary, token, length);
}

/*
 * Looks up the bytes.  Vocabularies of bytes lack some that hardly any text has
 * (those of SmolLM2 lack 0x04), and may have nothing in their stead: such a
 * byte is dropped, as by the tokenizers library.
 */
static bool
find_bytes(SrmBpe *bpe, const char *unknown, SrmStatus *status)
{
	bpe->unknown_id = unknown == NULL ? -1 :
		srm_vocabulary_find_any(&bpe->vocabulary, unknown, strlen(unknown));
	if (!bpe->byte_level && !bpe->byte_fallback)
	{
		if (bpe->unknown_id >= 0)
			return true;
		srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer with neither byte_fallback nor an unknown token is not supported");
		return srm_fail_key(status, "unk_token");
	}
	for (int i = 0; i < 256; i++)
	{
		bpe->byte_ids[i] = find_byte(bpe, i);
		/* A stand-in and byte_fallback do not go together: it would come too late */
		if (bpe->byte_ids[i] < 0 && bpe->byte_fallback && is_text_byte(i))
		{
			srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer without a token for every byte is not supported");
			return srm_fail_detail(status, "The vocabulary, \"vocab\", lacks byte 0x%02X.", i);
		}
	}
	return true;
}

bool
srm_bpe_load(SrmBpe *bpe, const SrmJson *model, bool byte_level, SrmArena *arena,
			 SrmStatus *status)
{
	return check_options(model, status) &&
		srm_vocabulary_load(&bpe->vocabulary, srm_json_member(model, "vocab"), arena, status) &&
		(srm_merges_load(&bpe->merges, srm_json_member(model, "merges"), &bpe->vocabulary,
						 arena, status) ||
		 srm_fail_key(status, "merges")) &&
		srm_bpe_load_options(bpe, model, byte_level, arena, status);
}

bool
srm_bpe_load_options(SrmBpe *bpe, const SrmJson *model, bool byte_level, SrmArena *arena,
					 SrmStatus *status)
{
	const char *unknown;

	bpe->byte_level = byte_level;
	return check_options(model, status) &&
		srm_json_get_bool(model, "ignore_merges", false, &bpe->ignore_merges, status) &&
		srm_json_get_bool(model, "fuse_unk", false, &bpe->fuse_unknown, status) &&
		srm_json_get_bool(model, "byte_fallback", false, &bpe->byte_fallback, status) &&
		srm_json_get_string(model, "unk_token", NULL, &unknown, status) &&
		srm_word_cache_init(&bpe->cache, arena, status) &&
		find_bytes(bpe, unknown, status);
}

static void
add_symbol(SrmWord *word, int32_t id, size_t length)
{
	word->symbols[word->n].id = id;
	word->symbols[word->n].length = (uint32_t) length;
	word->n++;
}

/* The stand-in for some bytes, which may join that of the bytes before. */
static void
add_unknown(const SrmBpe *bpe, SrmWord *word, size_t length, bool was_unknown)
{
	if (was_unknown && bpe->fuse_unknown)
		word->symbols[word->n - 1].length += (uint32_t) length;
	else
		add_symbol(word, bpe->unknown_id, length);
}

/*
 * One symbol a byte.  A byte that is dropped counts as one of the symbol before
 * it, or behind it at the start.
 */
static void
split_bytes(const SrmBpe *bpe, const char *text, size_t length, SrmWord *word)
{
	bool		was_unknown = false;
	size_t		n_dropped = 0;	/* at the start */

	word->n = 0;
	for (size_t i = 0; i < length; i++)
	{
		int32_t		id = bpe->byte_ids[(unsigned char) text[i]];

		if (id >= 0)
			add_symbol(word, id, 1);
		else if (bpe->unknown_id >= 0)
			add_unknown(bpe, word, 1, was_unknown);
		else if (word->n > 0)
			word->symbols[word->n - 1].length++;
		else
			n_dropped++;
		was_unknown = id < 0;
	}
	if (word->n > 0)
		word->symbols[0].length += (uint32_t) n_dropped;
}

/* One symbol a character, or one a byte of a character that is no token. */
static void
split_characters(const SrmBpe *bpe, const char *text, size_t length, SrmWord *word)
{
	bool		was_unknown = false;
	size_t		size;

	word->n = 0;
	for (size_t i = 0; i < length; i += size)
	{
		int32_t		id;

		size = srm_utf8_size((unsigned char) text[i]);
		id = srm_vocabulary_find(&bpe->vocabulary, text + i, size);
		if (id >= 0)
			add_symbol(word, id, size);
		else if (!bpe->byte_fallback)
			add_unknown(bpe, word, size, was_unknown);
		else
			for (size_t k = 0; k < size; k++)
				add_symbol(word, bpe->byte_ids[(unsigned char) text[i + k]], 1);
		was_unknown = id < 0;
	}
}

/* The id of a word that is a token as it stands, or -1. */
static int32_t
find_whole(const SrmBpe *bpe, const char *text, size_t length, SrmWord *word,
		   SrmStatus *status)
{
	if (length > bpe->vocabulary.longest)
		return -1;
	if (!bpe->byte_level)
		return srm_vocabulary_find(&bpe->vocabulary, text, length);
	if (word->printable == NULL)
		word->printable = srm_arena_alloc(word->arena, 2 * bpe->vocabulary.longest, status);
	if (word->printable == NULL)
		return -1;
	length = srm_byte_level_write(text, length, word->printable);
	return srm_vocabulary_find(&bpe->vocabulary, word->printable, length);
}

static bool
encode_new(SrmBpe *bpe, const char *text, size_t length, SrmWord *word,
		   const SrmStop *stop, SrmStatus *status)
{
	int32_t		whole = bpe->ignore_merges ? find_whole(bpe, text, length, word, status) : -1;

	if (status->code != SRM_OK)
		return false;
	if (whole >= 0)
	{
		word->symbols[0].id = whole;
		word->symbols[0].length = (uint32_t) length;
		word->n = 1;
		return true;
	}
	if (bpe->byte_level)
		split_bytes(bpe, text, length, word);
	else
		split_characters(bpe, text, length, word);
	if (word->n > SHORT_WORD)
		return srm_bpe_merge_long(&bpe->merges, word, stop, status);
	srm_bpe_merge_short(&bpe->merges, word);
	return true;
}

static void
keep_word(SrmCachedWord *slot, const char *text, size_t length, const SrmWord *word)
{
	if (word->n > SRM_CACHED_TOKENS)
		return;
	slot->length = (uint8_t) length;
	slot->n = (uint8_t) word->n;
	memcpy(slot->word, text, length);
	for (size_t i = 0; i < word->n; i++)
	{
		slot->ids[i] = word->symbols[i].id;
		slot->lengths[i] = (uint8_t) word->symbols[i].length;
	}
}

bool
srm_bpe_encode(SrmBpe *bpe, const char *text, size_t length, SrmWord *word,
			   const SrmStop *stop, SrmStatus *status)
{
	SrmCachedWord *slot;

	if (!srm_word_reserve(word, length, status))
		return false;
	if (length > SRM_CACHED_BYTES)
		return encode_new(bpe, text, length, word, stop, status);
	slot = srm_word_cache_slot(&bpe->cache, text, length);
	if (srm_word_cache_holds(slot, text, length))
	{
		for (size_t i = 0; i < slot->n; i++)
		{
			word->symbols[i].id = slot->ids[i];
			word->symbols[i].length = slot->lengths[i];
		}
		word->n = slot->n;
		return true;
	}
	if (!encode_new(bpe, text, length, word, stop, status))
		return false;
	keep_word(slot, text, length, word);
	return true;
}
