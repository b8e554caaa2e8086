/*-------------------------------------------------------------------------
 *
 * bench_segment.c
 *	  How fast text is cut into sentences.
 *
 *	  build/bench_segment [FILE]
 *
 * FILE is cut as one text, again and again for a second of processor time.
 * Without it, hostile texts of three sizes are: where the work is linear, all
 * three go through at the same speed.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <time.h>

#include "../hostile_texts.h"
#include "base/arena.h"
#include "base/utf8.h"
#include "segment/segment.h"

#define MIN_SECONDS	1.0

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec * 1e-9;
}

/* Megabytes a second of processor time; 0 if the text cannot be cut. */
static double
measure(SrmSegmenter *segmenter, const char *text, size_t length, double min_seconds)
{
	SrmStatus	status;
	SrmArena   *arena;
	SrmSentences sentences;
	double		start = now();
	double		seconds = 0.0;
	int			n = 0;

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	while (arena != NULL && status.code == SRM_OK && (n == 0 || seconds < min_seconds))
	{
		srm_arena_reset(arena);
		srm_segment(segmenter, text, length, arena, &sentences, NULL, &status);
		seconds = now() - start;
		n++;
	}
	srm_arena_free(arena);
	return status.code == SRM_OK ? (double) length * n / seconds / 1e6 : 0.0;
}

/* A part as it is shown in one line */
static void
show_part(const char *part)
{
	for (; *part != '\0'; part++)
	{
		if (*part == '\n' || *part == '\r' || *part == '\t')
			printf("\\%c", *part == '\n' ? 'n' : *part == '\r' ? 'r' : 't');
		else
			putchar(*part);
	}
}

static int
measure_hostile(SrmSegmenter *segmenter)
{
	static const size_t sizes[] = {1 << 18, 1 << 20, 1 << 22};

	printf("MB/s at 256 kB, 1 MB and 4 MB\n");
	for (size_t i = 0; i < N_HOSTILE; i++)
	{
		for (int j = 0; j < 3; j++)
		{
			char	   *text = make_hostile(hostile_parts[i], sizes[j]);

			if (text == NULL)
				return 1;
			printf("%8.1f", measure(segmenter, text, strlen(text), 0.0));
			fflush(stdout);
			free(text);
		}
		printf("  ");
		show_part(hostile_parts[i]);
		printf("\n");
	}
	return 0;
}

static int
measure_file(SrmSegmenter *segmenter, const char *path)
{
	FILE	   *file = fopen(path, "rb");
	size_t		limit = (size_t) 1 << 26;
	char	   *text = malloc(limit);
	size_t		length;

	if (file == NULL || text == NULL)
	{
		perror(path);
		return 1;
	}
	length = fread(text, 1, limit, file);
	fclose(file);
	if (!srm_utf8_valid(text, length))
	{
		fprintf(stderr, "%s: not valid UTF-8, or more than 64 MB\n", path);
		return 1;
	}
	printf("%.1f MB/s\n", measure(segmenter, text, length, MIN_SECONDS));
	free(text);
	return 0;
}

int
main(int argc, char **argv)
{
	SrmStatus	status;
	SrmSegmenter *segmenter;
	int			result;

	srm_status_init(&status);
	segmenter = srm_segmenter_open("icu", "", &status);
	if (segmenter == NULL)
	{
		fprintf(stderr, "%s\n", status.message);
		return 1;
	}
	result = argc > 1 ? measure_file(segmenter, argv[1]) : measure_hostile(segmenter);
	srm_segmenter_free(segmenter);
	return result;
}
