/*-------------------------------------------------------------------------
 *
 * fuzz_image.c
 *	  Tables of tokenizers that are damaged behind their checksum: no image,
 *	  or one that gives tokens of its own.
 *
 * The first byte chooses the tokenizer, the others are changes of its image.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_files.h"

#include "base/hash.h"
#include "tokenizer/tokenizer.h"

#define HEADER_SIZE		64
#define CHECKSUM_AT		56		/* of the header: what tokenizer_image.c writes there */

static const char *const names[] = {"gpt2", "llama3", "gemma", "unknown", "xlmr", "unigram_bytes", "t5", "o200k"};

#define N_NAMES	(sizeof(names) / sizeof(names[0]))

static Bytes images[N_NAMES];

static void
fix_checksum(char *image, size_t size)
{
	char		header[HEADER_SIZE];
	uint64_t	sum = 0;

	memcpy(header, image, HEADER_SIZE);
	memcpy(header + CHECKSUM_AT, &sum, sizeof(sum));
	sum = srm_hash_bytes(srm_hash_bytes(0, header, HEADER_SIZE), image + HEADER_SIZE, size - HEADER_SIZE);
	memcpy(image + CHECKSUM_AT, &sum, sizeof(sum));
}

static Bytes
make_image(const char *name)
{
	SrmStatus	status;
	SrmArena   *arena;
	char		path[128];
	Bytes		json;
	Bytes		image;
	const char *packed;

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	snprintf(path, sizeof(path), "test/data/tokenizer/%s.json", name);
	json = read_file(path);
	packed = srm_tokenizer_pack(json.data, json.size, NULL, arena, &image.size, &status);
	check_status(packed != NULL, &status);
	image.data = aligned_alloc(64, image.size);
	memcpy(image.data, packed, image.size);
	fix_checksum(image.data, image.size);
	/* Else nothing would be seen behind it */
	check(memcmp(image.data, packed, image.size) == 0);
	free(json.data);
	srm_arena_free(arena);
	return image;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	for (size_t i = 0; i < N_NAMES; i++)
		images[i] = make_image(names[i]);
	return 0;
}

static void
use(const char *image, size_t size, SrmArena *arena)
{
	static const char text[] = "Hi <s> it's 12 \xC3\xA9\xCC\x81 \xE4\xBD\xA0\xF0\x9F\x98\x80\n\n the the ab";
	SrmTokens	tokens = {NULL, 0, 0};
	SrmStatus	status;
	SrmTokenizer *tokenizer;
	int32_t		n_ids;

	srm_status_init(&status);
	tokenizer = srm_tokenizer_open(image, size, arena, &status);
	check((tokenizer == NULL) == (status.code != SRM_OK));
	if (tokenizer == NULL)
		return;
	n_ids = srm_tokenizer_n_ids(tokenizer);
	(void) srm_tokenizer_find(tokenizer, "<s>");
	for (int32_t id = 0; id < n_ids; id += 1 + n_ids / 100)
	{
		size_t		length = 0;
		const char *token = srm_tokenizer_token(tokenizer, id, &length);

		if (token != NULL)
			(void) srm_hash_bytes(0, token, length);
	}
	if (srm_tokenizer_encode(tokenizer, text, sizeof(text) - 1, NULL, 0, arena, &tokens, NULL, &status))
		for (size_t i = 0; i < tokens.n; i++)
			check(tokens.items[i].end <= sizeof(text) - 1);
	srm_tokenizer_free(tokenizer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SrmStatus	status;
	SrmArena   *arena;
	Bytes		whole;
	char	   *image;

	if (size == 0)
		return 0;
	whole = images[data[0] % N_NAMES];
	image = patch(whole, data + 1, size - 1);
	fix_checksum(image, whole.size);
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	use(image, whole.size, arena);
	srm_arena_free(arena);
	free(image);
	return 0;
}
