/*-------------------------------------------------------------------------
 *
 * tokenizer_fixture.h
 *	  Tokenizers of test/data/tokenizer, and small ones made of parts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TOKENIZER_FIXTURE_H
#define SRM_TOKENIZER_FIXTURE_H

#include "arena_fixture.h"

#include "base/utf8.h"
#include "tokenizer/bpe/bpe.h"
#include "tokenizer/tokenizer.h"

#define FOLDER	"test/data/tokenizer/"

/* ---- the reference ---- */

static inline char *
read_text_file(const char *path, size_t *length)
{
	FILE	   *file = fopen(path, "rb");
	char	   *text = srm_arena_alloc(arena, 1 << 20, &status);

	if (file == NULL)
		fail_msg("cannot open %s", path);
	*length = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	text[*length] = '\0';
	return text;
}

static inline SrmTokenizer *
load_named(const char *name)
{
	char		path[256];
	size_t		length;
	char	   *json;
	SrmTokenizer *tokenizer;

	snprintf(path, sizeof(path), FOLDER "%s.json", name);
	json = read_text_file(path, &length);
	tokenizer = srm_tokenizer_load(json, length, NULL, arena, &status);
	if (tokenizer == NULL)
		fail_msg("%s: %s (%s)", path, status.message, status.detail);
	return tokenizer;
}

/* The image of a named one, in memory that may be written to. */
static inline char *
pack_named(const char *name, size_t *size)
{
	char		path[256];
	size_t		length;
	const char *image;
	char	   *json;

	snprintf(path, sizeof(path), FOLDER "%s.json", name);
	json = read_text_file(path, &length);
	image = srm_tokenizer_pack(json, length, NULL, arena, size, &status);
	if (image == NULL)
		fail_msg("%s: %s (%s)", path, status.message, status.detail);
	return (char *) image;
}

static inline SrmTokenizer *
open_image(const char *image, size_t size)
{
	SrmTokenizer *tokenizer = srm_tokenizer_open(image, size, arena, &status);

	if (tokenizer == NULL)
		fail_msg("%s (%s)", status.message, status.detail);
	return tokenizer;
}

static inline SrmTokens
encode(SrmTokenizer *tokenizer, const char *text, size_t length, const SrmRange *special,
	   size_t n_special)
{
	SrmTokens	tokens = {NULL, 0, 0};

	if (!srm_tokenizer_encode(tokenizer, text, length, special, n_special, arena, &tokens,
							  NULL, &status))
		fail_msg("%s (%s)", status.message, status.detail);
	return tokens;
}

/* ---- small tokenizers ---- */

/* A tokenizer.json made of parts; NULL stands for a part that is right. */
typedef struct Parts
{
	const char *added_tokens;
	const char *normalizer;
	const char *pre_tokenizer;
	const char *options;		/* of the model, each with a comma behind it */
	const char *vocab;			/* the whole object */
	const char *more_vocab;		/* behind the 256 bytes, each with a comma before it */
	const char *merges;
} Parts;

#define BYTE_LEVEL \
	"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,\"use_regex\":true}"

static inline const char *
or_else(const char *part, const char *other)
{
	return part == NULL ? other : part;
}

/* The printable forms of all bytes, with the bytes as ids. */
static inline char *
byte_vocab(const char *more)
{
	char	   *out = srm_arena_alloc(arena, 8192 + strlen(more), &status);
	size_t		n = 0;

	for (int i = 0; i < 256; i++)
	{
		char		byte = (char) i;

		n += (size_t) sprintf(out + n, "%c\"%s", i == 0 ? '{' : ',',
							  byte == '"' || byte == '\\' ? "\\" : "");
		n += srm_byte_level_write(&byte, 1, out + n);
		n += (size_t) sprintf(out + n, "\":%d", i);
	}
	sprintf(out + n, "%s}", more);
	return out;
}

static inline char *
make_json(const Parts *parts)
{
	const char *vocab = parts->vocab != NULL ? parts->vocab :
		byte_vocab(or_else(parts->more_vocab, ",\"he\":256,\"ll\":257"));
	const char *merges = or_else(parts->merges, "[\"h e\",[\"l\",\"l\"]]");
	const char *added = or_else(parts->added_tokens, "[]");
	const char *normalizer = or_else(parts->normalizer, "null");
	const char *pretokenizer = or_else(parts->pre_tokenizer, BYTE_LEVEL);
	const char *options = or_else(parts->options, "");
	size_t		size = strlen(vocab) + strlen(merges) + strlen(added) + strlen(normalizer) +
		strlen(pretokenizer) + strlen(options) + 256;
	char	   *json = srm_arena_alloc(arena, size, &status);

	snprintf(json, size, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,"
			 "\"added_tokens\":%s,\"normalizer\":%s,\"pre_tokenizer\":%s,"
			 "\"post_processor\":{\"type\":\"?\"},\"decoder\":7,"
			 "\"model\":{\"type\":\"BPE\",%s\"vocab\":%s,\"merges\":%s}}",
			 added, normalizer, pretokenizer, options, vocab, merges);
	return json;
}

static inline SrmTokenizer *
load_parts(const Parts *parts)
{
	char	   *json = make_json(parts);
	SrmTokenizer *tokenizer = srm_tokenizer_load(json, strlen(json), NULL, arena, &status);

	if (tokenizer == NULL)
		fail_msg("%s (%s)", status.message, status.detail);
	return tokenizer;
}

/* Loading fails with a code, and a message or detail that holds a text. */
static inline void
expect_refusal(const Parts *parts, SrmCode code, const char *text)
{
	char	   *json = make_json(parts);
	SrmTokenizer *tokenizer = srm_tokenizer_load(json, strlen(json), NULL, arena, &status);

	if (tokenizer != NULL || status.code != code ||
		(strstr(status.message, text) == NULL && strstr(status.detail, text) == NULL))
		fail_msg("not refused for \"%s\": %d, %s (%s)", text, status.code, status.message,
				 status.detail);
	srm_status_init(&status);
}

#define ADDED(id, content, more) \
	"{\"id\":" #id ",\"content\":\"" content "\"" more "}"
#define SPECIAL \
	",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true"

#define SPLIT(pattern) \
	"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" \
	pattern "\"},\"behavior\":\"Isolated\",\"invert\":false}," BYTE_LEVEL "]}"

#endif							/* SRM_TOKENIZER_FIXTURE_H */
