/*-------------------------------------------------------------------------
 *
 * bench_tokenizer.c
 *	  How fast a tokenizer.json loads, an image of it opens, and how fast it encodes a
 *	  text file.
 *
 *	  bench_tokenizer TOKENIZER_JSON TEXT_FILE
 *
 * All are the best of several runs, in processor time; the file is encoded in
 * pieces of about 4 kB, each ending with a line, as a table of responses is.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tokenizer/tokenizer.h"

#define N_RUNS		10
#define PIECE_SIZE	4096

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

static char *
read_file(const char *path, size_t *length)
{
	FILE	   *file = fopen(path, "rb");
	char	   *text = NULL;
	long		size;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0)
	{
		rewind(file);
		text = malloc((size_t) size + 1);
		*length = text == NULL ? 0 : fread(text, 1, (size_t) size, file);
	}
	if (file != NULL)
		fclose(file);
	if (text == NULL)
		fprintf(stderr, "cannot read %s\n", path);
	return text;
}

/* The best time to load, in seconds; the tokenizer of the last run stays. */
static double
bench_load(const char *json, size_t length, SrmTokenizer **tokenizer, SrmArena **arena,
		   SrmStatus *status)
{
	double		best = 1e9;

	for (int run = 0; run < N_RUNS; run++)
	{
		double		start;

		srm_tokenizer_free(*tokenizer);
		srm_arena_free(*arena);
		*arena = srm_arena_create(status);
		start = now();
		*tokenizer = srm_tokenizer_load(json, length, NULL, *arena, status);
		if (*tokenizer == NULL)
			return -1.0;
		if (now() - start < best)
			best = now() - start;
	}
	return best;
}

/* The best time to open an image that lies in memory. */
static double
bench_open(const char *json, size_t length, SrmStatus *status)
{
	SrmArena   *packed = srm_arena_create(status);
	size_t		size = 0;
	const char *image = srm_tokenizer_pack(json, length, NULL, packed, &size, status);
	double		best = 1e9;

	for (int run = 0; run < N_RUNS && image != NULL; run++)
	{
		SrmArena   *arena = srm_arena_create(status);
		double		start = now();

		srm_tokenizer_free(srm_tokenizer_open(image, size, arena, status));
		if (now() - start < best)
			best = now() - start;
		srm_arena_free(arena);
	}
	srm_arena_free(packed);
	return best;
}

/* Encodes a text piece by piece and returns the seconds, or -1. */
static double
encode_pieces(SrmTokenizer *tokenizer, const char *text, size_t length, size_t *n_tokens,
			  SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	double		start = now();

	*n_tokens = 0;
	for (size_t at = 0; at < length;)
	{
		SrmTokens	tokens = {NULL, 0, 0};
		size_t		end = at + PIECE_SIZE < length ? at + PIECE_SIZE : length;
		const char *line = memchr(text + end, '\n', length - end);

		end = line == NULL ? length : (size_t) (line - text) + 1;
		srm_arena_reset(arena);
		if (!srm_tokenizer_encode(tokenizer, text + at, end - at, NULL, 0, arena, &tokens,
								  NULL, status))
			break;
		*n_tokens += tokens.n;
		at = end;
	}
	srm_arena_free(arena);
	return status->code == SRM_OK ? now() - start : -1.0;
}

int
main(int argc, char **argv)
{
	SrmTokenizer *tokenizer = NULL;
	SrmArena   *arena = NULL;
	SrmStatus	status;
	size_t		json_length;
	size_t		length;
	size_t		n_tokens = 0;
	double		best = 1e9;
	char	   *json = argc == 3 ? read_file(argv[1], &json_length) : NULL;
	char	   *text = argc == 3 ? read_file(argv[2], &length) : NULL;

	if (json == NULL || text == NULL)
	{
		fprintf(stderr, "usage: bench_tokenizer TOKENIZER_JSON TEXT_FILE\n");
		return 1;
	}
	srm_status_init(&status);
	printf("load: %.1f ms\n", 1e3 * bench_load(json, json_length, &tokenizer, &arena, &status));
	if (tokenizer != NULL)
		printf("open: %.1f ms\n", 1e3 * bench_open(json, json_length, &status));
	for (int run = 0; run < N_RUNS && tokenizer != NULL; run++)
	{
		double		seconds = encode_pieces(tokenizer, text, length, &n_tokens, &status);

		if (seconds >= 0.0 && seconds < best)
			best = seconds;
	}
	if (status.code == SRM_OK)
		printf("ids: %d, kept: %.1f MB\nencode: %.2f MB/s, %.2f bytes a token\n",
			   srm_tokenizer_n_ids(tokenizer), 1e-6 * (double) srm_arena_used(arena),
			   1e-6 * (double) length / best, (double) length / (double) n_tokens);
	else
		fprintf(stderr, "%s\n%s\n", status.message, status.detail);
	srm_tokenizer_free(tokenizer);
	srm_arena_free(arena);
	free(json);
	free(text);
	return status.code == SRM_OK ? 0 : 1;
}
