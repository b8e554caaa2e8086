/*-------------------------------------------------------------------------
 *
 * bpe.c
 *	  Byte-pair encoding: one word to its tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "text/bpe.h"

#include <string.h>

/* Up to here the quadratic way is the faster one. */
#define SHORT_WORD		24

static bool
fail_part(const char *part, SrmStatus *status)
{
	srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer with %s is not supported", part);
	return srm_fail_hint(status, "Byte-level BPE tokenizers, such as those of GPT-2, Llama 3 and Qwen, are supported.");
}

/* Refuses what would change the tokens but is not there in byte-level BPE. */
static bool
check_options(const SrmJson *model, SrmStatus *status)
{
	const SrmJson *type = srm_json_member(model, "type");
	const SrmJson *merges = srm_json_member(model, "merges");
	const char *prefix;
	const char *suffix;
	bool		fallback;
	double		dropout;

	if (model == NULL || model->type != SRM_JSON_OBJECT)
		return srm_fail(status, SRM_INVALID_MODEL, "tokenizer has no model");
	/* Files of before 2021 have no type, but only BPE has merges */
	if (type == NULL ? merges == NULL :
		srm_json_string(type) == NULL || strcmp(type->text, "BPE") != 0)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer model \"%s\" is not supported",
				 srm_json_string(type) == NULL ? "" : type->text);
		return srm_fail_hint(status, "Byte-level BPE tokenizers, such as those of GPT-2, Llama 3 and Qwen, are supported.");
	}
	if (!srm_json_get_bool(model, "byte_fallback", false, &fallback, status) ||
		!srm_json_get_double(model, "dropout", 0.0, &dropout, status) ||
		!srm_json_get_string(model, "continuing_subword_prefix", "", &prefix, status) ||
		!srm_json_get_string(model, "end_of_word_suffix", "", &suffix, status))
		return false;
	if (fallback)
		return fail_part("byte_fallback", status);
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

/*
 * Looks up the bytes.  The tokenizers library drops a byte that has neither a
 * token nor a stand-in without a word; text that vanishes is refused here.
 */
static bool
find_bytes(SrmBpe *bpe, const char *unknown, SrmStatus *status)
{
	bpe->unknown_id = unknown == NULL ? -1 :
		srm_vocabulary_find(&bpe->vocabulary, unknown, strlen(unknown));
	for (int i = 0; i < 256; i++)
	{
		char		byte = (char) i;
		char		out[2];
		size_t		length = srm_byte_level_write(&byte, 1, out);

		bpe->byte_ids[i] = srm_vocabulary_find(&bpe->vocabulary, out, length);
		if (bpe->byte_ids[i] < 0 && bpe->unknown_id < 0 && is_text_byte(i))
		{
			srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer without a token for every byte is not supported");
			return srm_fail_detail(status, "The vocabulary lacks byte 0x%02X and an unknown token.", i);
		}
	}
	return true;
}

bool
srm_bpe_load(SrmBpe *bpe, const SrmJson *model, SrmArena *arena, SrmStatus *status)
{
	const char *unknown;

	return check_options(model, status) &&
		srm_json_get_bool(model, "ignore_merges", false, &bpe->ignore_merges, status) &&
		srm_json_get_bool(model, "fuse_unk", false, &bpe->fuse_unknown, status) &&
		srm_json_get_string(model, "unk_token", NULL, &unknown, status) &&
		srm_vocabulary_load(&bpe->vocabulary, srm_json_member(model, "vocab"), arena, status) &&
		srm_merges_load(&bpe->merges, srm_json_member(model, "merges"), &bpe->vocabulary,
						arena, status) &&
		srm_word_cache_init(&bpe->cache, arena, status) &&
		find_bytes(bpe, unknown, status);
}

/* One symbol a byte. */
static void
split_bytes(const SrmBpe *bpe, const char *text, size_t length, SrmWord *word)
{
	bool		was_unknown = false;

	word->n = 0;
	for (size_t i = 0; i < length; i++)
	{
		int32_t		id = bpe->byte_ids[(unsigned char) text[i]];
		bool		is_unknown = id < 0;

		if (is_unknown && was_unknown && bpe->fuse_unknown)
			word->symbols[word->n - 1].length++;
		else
		{
			word->symbols[word->n].id = is_unknown ? bpe->unknown_id : id;
			word->symbols[word->n].length = 1;
			word->n++;
		}
		was_unknown = is_unknown;
	}
}

/* The id of a word that is a token as it stands, or -1. */
static int32_t
find_whole(const SrmBpe *bpe, const char *text, size_t length, SrmWord *word,
		   SrmStatus *status)
{
	if (length > bpe->vocabulary.longest)
		return -1;
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
	split_bytes(bpe, text, length, word);
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
