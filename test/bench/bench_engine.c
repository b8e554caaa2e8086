/*-------------------------------------------------------------------------
 *
 * bench_engine.c
 *	  Scores conversations without a server, as bare as a C program can.
 *
 *	  bench_engine MODEL_DIRECTORY THREADS
 *
 * Reads lines of a prompt, a tab and a response, and prints the seconds that
 * each took from text to score: what a call in SQL costs above that is SQL's.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kernels_environment.h"
#include "score/scorer.h"

#define CACHE_BYTES ((size_t) 256 << 20)	/* as srm.prompt_cache by default */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

/* Seconds to score a line; negative when it fails. */
static double
time_line(SrmScorer *scorer, char *line, int n_threads, SrmArena *arena, SrmStatus *status)
{
	char	   *response = line + strcspn(line, "\t");
	SrmMessage	messages[] = {{"user", line, (size_t) (response - line), NULL}, {"assistant", NULL, 0, NULL}};
	SrmScoreOptions options;
	SrmScored	scored;
	SrmStop		stop = {0};
	double		start = now();

	if (*response == '\0')
		return -1;
	messages[1].content = response + 1;
	messages[1].content_length = strcspn(response + 1, "\n");
	srm_scorer_defaults(scorer, &options);
	options.n_threads = n_threads;
	options.cache_bytes = CACHE_BYTES;
	if (!srm_scorer_score(scorer, messages, 2, &options, arena, &scored, &stop, status))
		return -1;
	start = now() - start;
	srm_arena_reset(arena);
	return start;
}

int
main(int argc, char **argv)
{
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_AUTO};
	SrmStop		stop = {0};
	SrmScorer  *scorer;
	SrmArena   *arena;
	SrmStatus	status;
	char	   *line = NULL;
	size_t		capacity = 0;
	double		seconds = 0;

	if (argc != 3)
	{
		fprintf(stderr, "usage: bench_engine MODEL_DIRECTORY THREADS\n");
		return 2;
	}
	choose_kernels_of_environment();
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	scorer = arena == NULL ? NULL : srm_scorer_open(argv[1], &options, &stop, &status);
	if (scorer != NULL)
	{
		printf("ready\n");
		fflush(stdout);
		while (seconds >= 0 && getline(&line, &capacity, stdin) > 0)
		{
			seconds = time_line(scorer, line, atoi(argv[2]), arena, &status);
			printf("%.6f\n", seconds);
			fflush(stdout);
		}
	}
	if (status.code != SRM_OK)
		fprintf(stderr, "%s\n%s\n%s\n", status.message, status.detail, status.hint);
	free(line);
	srm_scorer_close(scorer);
	srm_arena_free(arena);
	return status.code == SRM_OK && seconds >= 0 ? 0 : 1;
}
