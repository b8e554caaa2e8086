/*-------------------------------------------------------------------------
 *
 * fuzz_tokenizer.c
 *	  Fuzzes the tokenizer: files, patterns, and texts.
 *
 * The first byte chooses.  A good corpus is test/data/tokenizer with such a
 * byte put before each file.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "tokenizer/normalizer_charsmap.h"
#include "tokenizer/pretokenizer_regex.h"
#include "tokenizer/tokenizer.h"

/* A tokenizer with something of everything, but of few tokens. */
static const char small[] =
"{\"added_tokens\":["
"{\"id\":4,\"content\":\"<s>\",\"special\":true,\"normalized\":false,\"lstrip\":true},"
"{\"id\":5,\"content\":\"a \",\"special\":false,\"normalized\":true,\"rstrip\":true},"
"{\"id\":6,\"content\":\"b\\u0301\",\"special\":true,\"normalized\":true,\"single_word\":true}],"
"\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFKD\"},{\"type\":\"NFC\"}]},"
"\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
"{\"type\":\"Digits\",\"individual_digits\":false},"
"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+|,\"},\"behavior\":\"MergedWithNext\",\"invert\":false},"
"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}]},"
"\"model\":{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":1,\"b\":2,\"ab\":3},"
"\"merges\":[\"a b\"]}}";

/* The same of SentencePiece's kind. */
static const char pieces[] =
"{\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true,\"normalized\":true}],"
"\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Nmt\"},{\"type\":\"Lowercase\"},"
"{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true},"
"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a*b|x*\"},\"content\":\"\xC3\xA9 \"},"
"{\"type\":\"Replace\",\"pattern\":{\"String\":\"e\"},\"content\":\"\"},{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"}]},"
"\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Punctuation\"},"
"{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"first\"},{\"type\":\"Whitespace\"}]},"
"\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,"
"\"vocab\":[[\"?\",0],[\"\xE2\x96\x81\",-1],[\"\xC3\xA9\",-2],[\"<s>\",0],[\"<0x61>\",-9],[\"ab\",-3.5]]}}";

static void
check(bool holds)
{
	if (!holds)
		abort();
}

/* Tokens lie in the text, in order, between characters. */
static void
encode(SrmTokenizer *tokenizer, const char *text, size_t length, SrmArena *arena)
{
	SrmTokens	tokens = {NULL, 0, 0};
	SrmRange	half = {0, (uint32_t) (length / 2)};
	SrmStatus	status;

	srm_status_init(&status);
	if (!srm_tokenizer_encode(tokenizer, text, length, &half, 1, arena, &tokens, NULL, &status))
	{
		check(status.code == SRM_LIMIT_EXCEEDED);
		return;
	}
	for (size_t i = 0; i < tokens.n; i++)
	{
		const SrmToken *token = &tokens.items[i];

		check(token->start < token->end && token->end <= length);
		check(!srm_utf8_is_continuation((unsigned char) text[token->start]));
		check(token->end == length || !srm_utf8_is_continuation((unsigned char) text[token->end]));
		check(token->id >= 0 && token->id < srm_tokenizer_n_ids(tokenizer));
	}
}

static void
fuzz_file(const char *data, size_t length, SrmArena *arena, SrmStatus *status)
{
	static const char text[] = "Hi <s> it's 12 \xC3\xA9\xCC\x81 \xE4\xBD\xA0\xF0\x9F\x98\x80\n\n ab";
	SrmTokenizer *tokenizer = srm_tokenizer_load(data, length, NULL, arena, status);

	check((tokenizer == NULL) == (status->code != SRM_OK));
	if (tokenizer != NULL)
		encode(tokenizer, text, sizeof(text) - 1, arena);
	srm_tokenizer_free(tokenizer);
}

static void
fuzz_pattern(const char *data, size_t length, SrmArena *arena, SrmStatus *status)
{
	char	   *pattern = srm_arena_string(arena, data, length, status);
	SrmRegex   *regex = NULL;
	SrmRange	match;
	bool		found = true;

	if (srm_utf8_valid(pattern, strlen(pattern)))
		regex = srm_regex_open(pattern, false, arena, status);
	if (regex == NULL)
		return;
	if (srm_regex_start(regex, pattern, strlen(pattern), NULL, status))
		while (srm_regex_next(regex, &match, &found, status) && found)
			check(match.start <= match.end && match.end <= strlen(pattern));
	srm_regex_close(regex);
}

/* A table of rules made of the bytes, and a text that they may change. */
static void
fuzz_charsmap(const unsigned char *data, size_t length, SrmArena *arena, SrmStatus *status)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char text[] = "ab \xC3\xA9\xCC\x81 \xE4\xBD\xA0\r\n\xF0\x9F\x98\x80 a\xCC\x81";
	SrmNormalText normal = {.text = text,.length = sizeof(text) - 1};
	char	   *base64 = srm_arena_alloc(arena, length / 3 * 4 + 1, status);
	size_t		n = 0;
	SrmCharsmap *charsmap;

	for (size_t i = 0; i + 2 < length; i += 3)
	{
		uint32_t	group = (uint32_t) data[i] << 16 | (uint32_t) data[i + 1] << 8 | data[i + 2];

		for (int k = 18; k >= 0; k -= 6)
			base64[n++] = digits[group >> k & 63];
	}
	charsmap = srm_charsmap_load(base64, n, arena, status);
	if (charsmap == NULL || !srm_charsmap_apply(charsmap, &normal, arena, NULL, status))
		return;
	check(srm_utf8_valid(normal.text, normal.length));
	for (size_t i = 0; i < normal.length; i++)
	{
		SrmRange	range = srm_normal_text_range(&normal, i, i + 1);

		check(range.start < range.end && range.end <= sizeof(text) - 1);
	}
}

static void
fuzz_text(const char *json, size_t size, const char *text, size_t length, SrmArena *arena,
		  SrmStatus *status)
{
	SrmTokenizer *tokenizer = srm_tokenizer_load(json, size, NULL, arena, status);

	check(tokenizer != NULL);
	encode(tokenizer, text, length, arena);
	srm_tokenizer_free(tokenizer);
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *input = (const char *) data + 1;
	SrmStatus	status;
	SrmArena   *arena;

	if (size == 0)
		return 0;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	if (data[0] % 4 == 0)
		fuzz_file(input, size - 1, arena, &status);
	else if (data[0] % 4 == 1)
		fuzz_pattern(input, size - 1, arena, &status);
	else if (data[0] % 4 == 2)
		fuzz_charsmap(data + 1, size - 1, arena, &status);
	else if (srm_utf8_valid(input, size - 1))
	{
		fuzz_text(small, sizeof(small) - 1, input, size - 1, arena, &status);
		fuzz_text(pieces, sizeof(pieces) - 1, input, size - 1, arena, &status);
	}
	srm_arena_free(arena);
	return 0;
}
