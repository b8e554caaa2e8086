/*-------------------------------------------------------------------------
 *
 * bench_decoder.c
 *	  Tokens in a second through a decoder with random weights.
 *
 * Without options: the shape of a 0.6B model (0.44B without embeddings).
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "../kernels_environment.h"
#include "../median.h"
#include "../unit/forward_text.h"
#include "../unit/random_decoder.h"
#include "kernel/pack.h"

#define MAX_TOKENS	100000
#define MAX_RUNS	1000

static const char usage[] =
"usage: bench_decoder [option value]...\n"
"  -l layers (28)        -d hidden size (1024)    -f FFN size (3072)\n"
"  -a heads (16)         -k key/value heads (8)   -h head size (128)\n"
"  -w weights: f32, f16, bf16 or int8 (bf16)      -j threads (1)\n"
"  -c compute: f32, bf16 or int8, weights packed for it (as they are)\n"
"  -t tokens (128)       -r runs (5)\n"
"  -p 1: processor time instead of the clock's, where others are at work\n"
"  -s stop after so many milliseconds, to see when that takes effect\n";

typedef struct Options
{
	RandomShape shape;
	bool		packed;
	SrmCompute	compute;
	size_t		n_tokens;
	int			n_threads;
	size_t		n_runs;
	bool		processor_time;
	double		stop_after;		/* seconds; 0: never */
} Options;

static double
seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

static double
now(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

static bool
read_count(const char *text, size_t limit, size_t *count)
{
	char	   *end;
	unsigned long value = strtoul(text, &end, 10);

	*count = value;
	return *end == '\0' && value >= 1 && value <= limit;
}

static bool
read_dtype(const char *text, SrmDtype *dtype)
{
	*dtype = strcmp(text, "f32") == 0 ? SRM_F32 : strcmp(text, "f16") == 0 ? SRM_F16 :
		strcmp(text, "int8") == 0 ? SRM_INT8 : SRM_BF16;
	return *dtype != SRM_BF16 || strcmp(text, "bf16") == 0;
}

static bool
read_compute(const char *text, Options *options)
{
	options->packed = true;
	for (options->compute = SRM_COMPUTE_F32; options->compute < SRM_N_COMPUTES; options->compute++)
		if (strcmp(text, srm_compute_name(options->compute)) == 0)
			return true;
	return false;
}

static bool
read_option(Options *options, int option, const char *text)
{
	RandomShape *shape = &options->shape;
	size_t		count;

	switch (option)
	{
		case 'l':
			return read_count(text, 1000, &shape->n_layers);
		case 'd':
			return read_count(text, 65536, &shape->dim);
		case 'f':
			return read_count(text, 262144, &shape->ffn_dim);
		case 'a':
			return read_count(text, 1024, &shape->n_heads);
		case 'k':
			return read_count(text, 1024, &shape->n_kv_heads);
		case 'h':
			return read_count(text, 1024, &shape->head_dim);
		case 'w':
			return read_dtype(text, &shape->dtype);
		case 'c':
			return read_compute(text, options);
		case 't':
			return read_count(text, MAX_TOKENS, &options->n_tokens);
		case 'r':
			return read_count(text, MAX_RUNS, &options->n_runs);
		case 'j':
			if (!read_count(text, 256, &count))
				return false;
			options->n_threads = (int) count;
			return true;
		case 'p':
			if (!read_count(text, 1, &count))
				return false;
			options->processor_time = true;
			return true;
		case 's':
			if (!read_count(text, 100000, &count))
				return false;
			options->stop_after = 1e-3 * (double) count;
			return true;
	}
	return false;
}

static bool
read_options(Options *options, int argc, char **argv)
{
	int			option;

	while ((option = getopt(argc, argv, "l:d:f:a:k:h:w:c:t:r:j:p:s:")) != -1)
		if (!read_option(options, option, optarg))
			return false;
	return optind == argc && options->shape.n_heads % options->shape.n_kv_heads == 0 &&
		options->shape.head_dim % 2 == 0;
}

static bool
past_deadline(void *arg)
{
	return now() > *(const double *) arg;
}

/* Seconds for a pass that wants the last token; negative when it fails. */
static double
time_pass(const SrmDecoder *decoder, const Options *options, const int32_t *tokens, float *hidden)
{
	uint32_t	last = (uint32_t) options->n_tokens - 1;
	clockid_t	clock = options->processor_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
	double		start = seconds_of(clock);
	double		deadline = now() + options->stop_after;
	SrmStop		stop = {options->stop_after > 0 ? past_deadline : NULL, &deadline, NULL};
	SrmStatus	status;

	srm_status_init(&status);
	if (!forward_text(decoder, NULL, false, tokens, options->n_tokens, &last, 1, hidden,
							 options->n_threads, &stop, &status))
	{
		if (status.code == SRM_STOPPED)
			printf("stopped %.1f ms after the deadline\n", 1e3 * (now() - deadline));
		else
			fprintf(stderr, "%s\n%s\n%s\n", status.message, status.detail, status.hint);
		return -1;
	}
	return seconds_of(clock) - start;
}

static int
run(const Options *options, SrmArena *arena, int32_t *tokens, float *hidden)
{
	SrmDecoder *decoder = random_decoder(&options->shape, 1, arena);
	double		seconds[MAX_RUNS];
	double		middle;
	const char *compute = options->packed ? srm_compute_name(options->compute) : "nothing";
	double		n_tokens = (double) options->n_tokens;
	size_t		n = options->n_runs;

	if (options->packed)
		pack_decoder(decoder, options->compute, arena);
	for (size_t i = 0; i < options->n_tokens; i++)
		tokens[i] = (int32_t) (i * 7919 % options->shape.vocab_size);

	/* The first pass loads the library, and memory */
	if (time_pass(decoder, options, tokens, hidden) < 0)
		return options->stop_after > 0 ? 0 : 1;
	for (size_t i = 0; i < n; i++)
		seconds[i] = time_pass(decoder, options, tokens, hidden);
	middle = median(seconds, n);
	printf("%zu layers, %s packed for %s, %zu tokens, %d threads: median %.1f (%.1f to %.1f) tokens/s in %zu runs\n",
		   options->shape.n_layers, srm_dtype_name(options->shape.dtype), compute,
		   options->n_tokens, options->n_threads,
		   n_tokens / middle, n_tokens / seconds[n - 1], n_tokens / seconds[0], n);
	return 0;
}

int
main(int argc, char **argv)
{
	Options		options = {
		.shape = {
			.n_layers = 28, .dim = 1024, .n_heads = 16, .n_kv_heads = 8, .head_dim = 128,
			.ffn_dim = 3072, .vocab_size = 2048, .dtype = SRM_BF16, .with_head_norms = true,
			.rope = {.type = SRM_ROPE_DEFAULT, .theta = 1e6}
		},
		.n_tokens = 128, .n_threads = 1, .n_runs = 5
	};
	SrmStatus	status;
	SrmArena   *arena;
	int32_t    *tokens;
	float	   *hidden;
	int			result;

	if (!read_options(&options, argc, argv))
	{
		fputs(usage, stderr);
		return 2;
	}
	choose_kernels_of_environment();
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	tokens = arena == NULL ? NULL : srm_arena_array(arena, options.n_tokens, sizeof(int32_t), &status);
	hidden = tokens == NULL ? NULL : srm_arena_array(arena, options.shape.dim, sizeof(float), &status);
	if (hidden == NULL)
	{
		fprintf(stderr, "%s\n", status.message);
		return 1;
	}
	result = run(&options, arena, tokens, hidden);
	srm_arena_free(arena);
	return result;
}
