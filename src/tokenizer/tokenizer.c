/*-------------------------------------------------------------------------
 *
 * tokenizer.c
 *	  Tokens of a text, as the tokenizers library makes them.
 *
 * A text goes through the same rooms as there: tokens that are searched for
 * in the raw text, normalization, tokens that are searched for after it,
 * pre-tokenization, and the merges of each word.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "base/json_write.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe/bpe.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/tokenizer_image.h"
#include "tokenizer/unigram.h"
#include "tokenizer/wordpiece.h"

#define WORDS_PER_STOP	4096

struct SrmTokenizer
{
	SrmTokenizerKind kind;
	SrmBpe		bpe;
	SrmUnigram	unigram;
	SrmWordPiece wordpiece;
	SrmVocabulary *vocabulary;	/* of the model */
	SrmNormalizer *normalizer;
	SrmPretokenizer *pretokenizer;
	SrmAddedTokens added;
};

/* One call of srm_tokenizer_encode(). */
typedef struct Encoder
{
	SrmTokenizer *tokenizer;
	const SrmRange *special;
	size_t		n_special;
	SrmArena   *scratch;
	SrmArena   *arena;			/* of the result */
	SrmTokens  *tokens;
	const SrmStop *stop;
	SrmStatus  *status;
	SrmSplitWork split;
	SrmWord		word;
	SrmUnigramWord unigram_word;
	SrmWordPieceWord wordpiece_word;
} Encoder;

/* ---- loading ---- */

static bool
check_version(const SrmJson *json, SrmStatus *status)
{
	const char *version = srm_json_string(srm_json_member(json, "version"));

	if (json->type != SRM_JSON_OBJECT)
		return srm_fail(status, SRM_INVALID_MODEL, "file \"tokenizer.json\" holds no object");
	if (srm_json_member(json, "version") == NULL)
		return true;
	if (version != NULL && strcmp(version, "1.0") == 0)
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer version \"%s\" is not supported",
			 version == NULL ? "" : version);
	return srm_fail_key(status, "version");
}

/* Takes a vocabulary for that of the tokenizer. */
static void
use_vocabulary(SrmTokenizer *tokenizer, SrmTokenizerKind kind)
{
	tokenizer->kind = kind;
	tokenizer->vocabulary = kind == SRM_TOKENIZER_UNIGRAM ? &tokenizer->unigram.vocabulary :
		kind == SRM_TOKENIZER_WORDPIECE ? &tokenizer->wordpiece.vocabulary :
		&tokenizer->bpe.vocabulary;
}

static bool
load_model(SrmTokenizer *tokenizer, const SrmJson *model, SrmArena *arena, SrmStatus *status)
{
	const SrmJson *type = srm_json_member(model, "type");
	const char *name = srm_json_string(type);
	bool		byte_level = srm_pretokenizer_is_byte_level(tokenizer->pretokenizer);
	bool		by_characters = false;

	if (model == NULL || model->type != SRM_JSON_OBJECT)
		return srm_fail(status, SRM_INVALID_MODEL, "tokenizer has no \"model\"");
	/* Files of before 2021 have no type, but only BPE has merges */
	if (type == NULL ? srm_json_member(model, "merges") != NULL :
		name != NULL && strcmp(name, "BPE") == 0)
	{
		use_vocabulary(tokenizer, SRM_TOKENIZER_BPE);
		return srm_bpe_load(&tokenizer->bpe, model, byte_level, arena, status);
	}
	if (name != NULL && strcmp(name, "Unigram") == 0)
	{
		use_vocabulary(tokenizer, SRM_TOKENIZER_UNIGRAM);
		by_characters = true;
		if (!byte_level)
			return srm_unigram_load(&tokenizer->unigram, model, arena, status);
	}
	else if (name != NULL && strcmp(name, "WordPiece") == 0)
	{
		use_vocabulary(tokenizer, SRM_TOKENIZER_WORDPIECE);
		by_characters = true;
		if (!byte_level)
			return srm_wordpiece_load(&tokenizer->wordpiece, model, arena, status);
	}
	srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer model \"%s\"%s is not supported",
			 name == NULL ? "" : name, by_characters ? " with pre-tokenizer \"ByteLevel\"" : "");
	srm_fail_detail(status, "It is the \"type\" of \"model\" in file \"tokenizer.json\".");
	return srm_fail_hint(status, "Supported are BPE, by bytes or by characters, Unigram and WordPiece.");
}

/* The model of an image: its tables, and the rest of the JSON. */
static bool
use_tables(SrmTokenizer *tokenizer, const SrmTokenizerTables *tables, const SrmJson *model,
		   SrmArena *arena, SrmStatus *status)
{
	bool		byte_level = srm_pretokenizer_is_byte_level(tokenizer->pretokenizer);

	use_vocabulary(tokenizer, tables->kind);
	if (tables->kind == SRM_TOKENIZER_WORDPIECE)
	{
		tokenizer->wordpiece.vocabulary = tables->vocabulary;
		return srm_wordpiece_load_options(&tokenizer->wordpiece, model, arena, status);
	}
	if (tables->kind == SRM_TOKENIZER_BPE)
	{
		tokenizer->bpe.vocabulary = tables->vocabulary;
		tokenizer->bpe.merges = tables->merges;
		return srm_bpe_load_options(&tokenizer->bpe, model, byte_level, arena, status);
	}
	tokenizer->unigram.vocabulary = tables->vocabulary;
	tokenizer->unigram.unknown_score = tables->unknown_score;
	tokenizer->unigram.scores = tables->scores;
	tokenizer->unigram.longest = tables->longest;
	return srm_unigram_load_options(&tokenizer->unigram, model, status);
}

/*
 * Special tokens are found by the search for added tokens alone.  Many a
 * vocabulary has them among its words; there a user's text could reach them.
 */
static bool
hide_special_tokens(SrmTokenizer *tokenizer, SrmArena *scratch, SrmStatus *status)
{
	SrmVocabulary *vocabulary = tokenizer->vocabulary;
	bool	   *is_hidden = srm_arena_array(scratch, (size_t) vocabulary->n_ids, sizeof(bool), status);
	bool		any = false;

	if (is_hidden == NULL)
		return false;
	for (int32_t i = 0; i < tokenizer->added.n; i++)
	{
		const SrmAddedToken *token = &tokenizer->added.tokens[i];
		size_t		length;

		if (!token->is_special || srm_vocabulary_token(vocabulary, token->id, &length) == NULL)
			continue;
		srm_vocabulary_hide(vocabulary, token->id);
		is_hidden[token->id] = any = true;
	}
	if (any && tokenizer->kind == SRM_TOKENIZER_BPE)
		srm_merges_hide(&tokenizer->bpe.merges, is_hidden);
	return true;
}

/*
 * tables are those of an image, or NULL where the JSON has them; the added tokens
 * of an image are all there.  What becomes of
 * tokens later, by post-processor and decoder, is no part of encoding.
 */
static bool
load_parts(SrmTokenizer *tokenizer, SrmJson *json, const SrmTokenizerTables *tables,
		   const SrmSpecialTokens *special, SrmArena *arena, SrmArena *scratch, SrmStatus *status)
{
	const SrmJson *model = srm_json_member(json, "model");

	if (!check_version(json, status))
		return false;
	tokenizer->pretokenizer = srm_pretokenizer_load(srm_json_member(json, "pre_tokenizer"),
													arena, status);
	if (tokenizer->pretokenizer == NULL)
		return srm_fail_key(status, "pre_tokenizer");
	if (!(tables == NULL ? load_model(tokenizer, model, arena, status) :
		  use_tables(tokenizer, tables, model, arena, status)))
		return false;
	tokenizer->normalizer = srm_normalizer_load(srm_json_member(json, "normalizer"),
												arena, status);
	if (tokenizer->normalizer == NULL)
		return srm_fail_key(status, "normalizer");
	return (special == NULL ||
			srm_special_tokens_merge(special, json, tokenizer->vocabulary, scratch, status)) &&
		(srm_added_tokens_load(&tokenizer->added, srm_json_member(json, "added_tokens"),
							   tokenizer->vocabulary, tokenizer->normalizer, arena, status) ||
		 srm_fail_key(status, "added_tokens")) &&
		(tables != NULL || hide_special_tokens(tokenizer, scratch, status));
}

/* Takes the JSON, and leaves the tree of it in scratch. */
static SrmTokenizer *
load_json(const char *json, size_t length, const SrmTokenizerTables *tables,
		  const SrmSpecialTokens *special, SrmArena *arena, SrmArena *scratch, SrmJson **tree,
		  SrmStatus *status)
{
	SrmTokenizer *tokenizer = srm_arena_array(arena, 1, sizeof(SrmTokenizer), status);

	if (tokenizer == NULL)
		return NULL;
	*tree = srm_json_parse(json, length, "file \"tokenizer.json\"", scratch, status);
	if (*tree != NULL && load_parts(tokenizer, *tree, tables, special, arena, scratch, status))
		return tokenizer;
	srm_tokenizer_free(tokenizer);
	return NULL;
}

/* The tree of the JSON, which goes at once, takes many times the room of what is kept of it. */
static SrmTokenizer *
load_apart(const char *json, size_t length, const SrmTokenizerTables *tables,
		   const SrmSpecialTokens *special, SrmArena *arena, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	SrmTokenizer *tokenizer = NULL;
	SrmJson    *tree;

	if (scratch != NULL)
		tokenizer = load_json(json, length, tables, special, arena, scratch, &tree, status);
	srm_arena_free(scratch);
	return tokenizer;
}

SrmTokenizer *
srm_tokenizer_load(const char *json, size_t length, const SrmSpecialTokens *special,
				   SrmArena *arena, SrmStatus *status)
{
	return load_apart(json, length, NULL, special, arena, status);
}

/* Takes out of the JSON what an image has in its tables, and what nobody reads. */
static bool
write_settings(SrmBuffer *settings, SrmJson *json, SrmArena *scratch, SrmStatus *status)
{
	SrmJson    *model = (SrmJson *) srm_json_member(json, "model");

	return srm_json_set(model, "vocab", NULL, scratch, status) &&
		srm_json_set(model, "merges", NULL, scratch, status) &&
		srm_json_set(json, "post_processor", NULL, scratch, status) &&
		srm_json_set(json, "decoder", NULL, scratch, status) &&
		srm_buffer_init(settings, scratch, 0, status) &&
		srm_json_write(settings, json, status);
}

static const char *
make_image(const SrmTokenizer *tokenizer, SrmJson *json, SrmArena *scratch, SrmArena *arena,
		   size_t *size, SrmStatus *status)
{
	SrmBuffer	settings;
	SrmTokenizerTables tables = {
		.kind = tokenizer->kind,
		.vocabulary = *tokenizer->vocabulary,
		.merges = tokenizer->bpe.merges,
		.unknown_score = tokenizer->unigram.unknown_score,
		.scores = tokenizer->unigram.scores,
		.longest = tokenizer->unigram.longest
	};

	if (!write_settings(&settings, json, scratch, status))
		return NULL;
	tables.settings = settings.data;
	tables.n_settings = settings.length;
	return srm_tokenizer_image_make(&tables, arena, size, status);
}

const char *
srm_tokenizer_pack(const char *json, size_t length, const SrmSpecialTokens *special,
				   SrmArena *arena, size_t *size, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	SrmTokenizer *tokenizer = NULL;
	SrmJson    *tree;
	const char *image = NULL;

	if (scratch != NULL)
		tokenizer = load_json(json, length, NULL, special, scratch, scratch, &tree, status);
	if (tokenizer != NULL)
		image = make_image(tokenizer, tree, scratch, arena, size, status);
	srm_tokenizer_free(tokenizer);
	srm_arena_free(scratch);
	return image;
}

SrmTokenizer *
srm_tokenizer_open(const void *image, size_t size, SrmArena *arena, SrmStatus *status)
{
	SrmTokenizerTables tables;

	if (srm_tokenizer_image_read(image, size, &tables))
		return load_apart(tables.settings, tables.n_settings, &tables, NULL, arena, status);
	srm_fail(status, SRM_INVALID_MODEL, "invalid image of a tokenizer");
	return NULL;
}

void
srm_tokenizer_free(SrmTokenizer *tokenizer)
{
	if (tokenizer == NULL)
		return;
	srm_pretokenizer_free(tokenizer->pretokenizer);
	srm_normalizer_free(tokenizer->normalizer);
	tokenizer->pretokenizer = NULL;
	tokenizer->normalizer = NULL;
}

/* ---- encoding ---- */

static bool
add_token(Encoder *encoder, int32_t id, SrmRange range)
{
	return srm_tokens_add(encoder->tokens, (SrmToken) {id, range.start, range.end}, encoder->arena,
						  encoder->status);
}

/* Tokens of a piece, which have their places in it. */
static bool
add_tokens(Encoder *encoder, const SrmNormalText *text, SrmRange piece, const SrmTokens *found)
{
	for (size_t i = 0; i < found->n; i++)
	{
		const SrmToken *token = &found->items[i];

		if (!add_token(encoder, token->id,
					   srm_normal_text_range(text, piece.start + token->start,
											 piece.start + token->end)))
			return false;
	}
	return true;
}

static bool
encode_by_unigram(Encoder *encoder, const SrmNormalText *text, SrmRange piece)
{
	return srm_unigram_encode(&encoder->tokenizer->unigram, text->text + piece.start,
							  piece.end - piece.start, &encoder->unigram_word,
							  encoder->stop, encoder->status) &&
		add_tokens(encoder, text, piece, &encoder->unigram_word.tokens);
}

static bool
encode_by_wordpiece(Encoder *encoder, const SrmNormalText *text, SrmRange piece)
{
	return srm_wordpiece_encode(&encoder->tokenizer->wordpiece, text->text + piece.start,
								piece.end - piece.start, &encoder->wordpiece_word,
								encoder->stop, encoder->status) &&
		add_tokens(encoder, text, piece, &encoder->wordpiece_word.tokens);
}

static bool
encode_by_bpe(Encoder *encoder, const SrmNormalText *text, SrmRange piece)
{
	SrmWord    *word = &encoder->word;
	size_t		start = piece.start;

	if (!srm_bpe_encode(&encoder->tokenizer->bpe, text->text + piece.start,
						piece.end - piece.start, word, encoder->stop, encoder->status))
		return false;
	for (size_t i = 0; i < word->n; i++)
	{
		size_t		end = start + word->symbols[i].length;

		if (!add_token(encoder, word->symbols[i].id, srm_normal_text_range(text, start, end)))
			return false;
		start = end;
	}
	return true;
}

static bool
encode_word(Encoder *encoder, const SrmNormalText *text, SrmRange piece)
{
	switch (encoder->tokenizer->kind)
	{
		case SRM_TOKENIZER_UNIGRAM:
			return encode_by_unigram(encoder, text, piece);
		case SRM_TOKENIZER_WORDPIECE:
			return encode_by_wordpiece(encoder, text, piece);
		default:
			return encode_by_bpe(encoder, text, piece);
	}
}

static bool
encode_words(Encoder *encoder, SrmNormalText text)
{
	SrmSplitWork *split = &encoder->split;

	if (text.length == 0)
		return true;
	if (!srm_pretokenizer_split(encoder->tokenizer->pretokenizer, &text, split,
								encoder->stop, encoder->status))
		return false;
	for (size_t i = 0; i < split->pieces.n; i++)
	{
		if (i % WORDS_PER_STOP == 0 && !srm_continue(encoder->stop, encoder->status))
			return false;
		if (!encode_word(encoder, &text, split->pieces.items[i]))
			return false;
	}
	return true;
}

/*
 * Encodes a text in which one of the two sets of added tokens is searched
 * for: those of raw text first, and in what lies between them the others.
 */
static bool
encode_text(Encoder *encoder, SrmNormalText text, bool is_raw)
{
	SrmTokenizer *tokenizer = encoder->tokenizer;
	const SrmAddedToken *token;
	SrmTokenSearch search = {
		.set = is_raw ? &tokenizer->added.raw : &tokenizer->added.normalized,
		.text = &text,
		.special = encoder->special,
		.n_special = encoder->n_special,
		.stop = encoder->stop,
		.status = encoder->status
	};

	if (text.length == 0)
		return true;
	if (!is_raw && !srm_normalizer_apply(tokenizer->normalizer, &text, encoder->scratch,
										 encoder->stop, encoder->status))
		return false;
	do
	{
		size_t		start = search.end;
		SrmRange	range = {(uint32_t) text.length, (uint32_t) text.length};
		SrmNormalText part;

		token = srm_token_search_next(&search, &range);
		if (encoder->status->code != SRM_OK)
			return false;
		if (range.start > start)
		{
			part = srm_normal_text_slice(&text, start, range.start);
			if (!(is_raw ? encode_text(encoder, part, false) : encode_words(encoder, part)))
				return false;
		}
		if (token != NULL && range.start < range.end &&
			!add_token(encoder, token->id,
					   srm_normal_text_range(&text, range.start, range.end)))
			return false;
		if (!srm_continue(encoder->stop, encoder->status))
			return false;
	} while (token != NULL);
	return true;
}

bool
srm_tokenizer_encode(SrmTokenizer *tokenizer, const char *text, size_t length,
					 const SrmRange *special, size_t n_special,
					 SrmArena *arena, SrmTokens *tokens,
					 const SrmStop *stop, SrmStatus *status)
{
	SrmRange	whole = {0, (uint32_t) length};

	if (length > INT32_MAX)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "text is too long");
		return srm_fail_detail(status, "It has %zu bytes, the limit is %d.", length, INT32_MAX);
	}
	return srm_tokenizer_encode_part(tokenizer, text, whole, special, n_special, arena, tokens,
									 stop, status);
}

bool
srm_tokenizer_encode_part(SrmTokenizer *tokenizer, const char *text, SrmRange part,
						  const SrmRange *special, size_t n_special,
						  SrmArena *arena, SrmTokens *tokens,
						  const SrmStop *stop, SrmStatus *status)
{
	SrmNormalText piece = {
		.text = text + part.start,.length = part.end - part.start,.shift = part.start
	};
	SrmArena   *scratch;
	bool		done;

	scratch = srm_arena_create(status);
	if (scratch == NULL)
		return false;
	{
		Encoder		encoder = {
			.tokenizer = tokenizer,
			.special = special,
			.n_special = n_special,
			.scratch = scratch,
			.arena = arena,
			.tokens = tokens,
			.stop = stop,
			.status = status,
			.split = {.arena = scratch},
			.word = {.arena = scratch},
			.unigram_word = {.arena = scratch},
			.wordpiece_word = {.arena = scratch}
		};

		done = encode_text(&encoder, piece, true);
	}
	srm_arena_free(scratch);
	return done;
}

/* ---- the vocabulary ---- */

int32_t
srm_tokenizer_find(const SrmTokenizer *tokenizer, const char *token)
{
	int32_t		index = srm_map_get(&tokenizer->added.by_content, token, strlen(token));

	return index >= 0 ? tokenizer->added.tokens[index].id :
		srm_vocabulary_find(tokenizer->vocabulary, token, strlen(token));
}

const char *
srm_tokenizer_token(const SrmTokenizer *tokenizer, int32_t id, size_t *length)
{
	const char *word = srm_vocabulary_token(tokenizer->vocabulary, id, length);
	const SrmAddedToken *token;

	if (word != NULL)
		return word;
	token = srm_added_tokens_find(&tokenizer->added, id);
	if (token == NULL)
		return NULL;
	*length = token->length;
	return token->content;
}

int32_t
srm_tokenizer_n_ids(const SrmTokenizer *tokenizer)
{
	return tokenizer->vocabulary->n_ids > tokenizer->added.n_ids ?
		tokenizer->vocabulary->n_ids : tokenizer->added.n_ids;
}
