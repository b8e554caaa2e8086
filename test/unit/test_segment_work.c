/*-------------------------------------------------------------------------
 *
 * test_segment_work.c
 *	  The work of segmentation grows as the text does.
 *
 * The linker puts counters in place of the functions that look at text, so that
 * what is compared does not depend on the machine.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/segment.h"

#include <string.h>

#include "../hostile_texts.h"
#include "segment/chars.h"
#include "testing.h"

/* Bytes of a text, and of the longer one of the same kind */
#define SMALL	((size_t) 1 << 14)
#define FACTOR	8

/* Characters and bytes that were looked at */
static uint64_t n_steps;

extern int32_t __real_srm_char_at(const char *text, size_t at, size_t end, size_t *next);
extern int32_t __real_srm_char_before(const char *text, size_t start, size_t at, size_t *prev);
extern size_t __real_srm_skip_space(const char *text, size_t at, size_t end);
extern size_t __real_srm_strip_space(const char *text, size_t start, size_t at);
extern void *__real_memchr(const void *bytes, int byte, size_t length);

extern int32_t __wrap_srm_char_at(const char *text, size_t at, size_t end, size_t *next);
extern int32_t __wrap_srm_char_before(const char *text, size_t start, size_t at, size_t *prev);
extern size_t __wrap_srm_skip_space(const char *text, size_t at, size_t end);
extern size_t __wrap_srm_strip_space(const char *text, size_t start, size_t at);
extern void *__wrap_memchr(const void *bytes, int byte, size_t length);

int32_t
__wrap_srm_char_at(const char *text, size_t at, size_t end, size_t *next)
{
	n_steps++;
	return __real_srm_char_at(text, at, end, next);
}

int32_t
__wrap_srm_char_before(const char *text, size_t start, size_t at, size_t *prev)
{
	n_steps++;
	return __real_srm_char_before(text, start, at, prev);
}

size_t
__wrap_srm_skip_space(const char *text, size_t at, size_t end)
{
	size_t		found = __real_srm_skip_space(text, at, end);

	n_steps += found - at;
	return found;
}

size_t
__wrap_srm_strip_space(const char *text, size_t start, size_t at)
{
	size_t		found = __real_srm_strip_space(text, start, at);

	n_steps += at - found;
	return found;
}

void *
__wrap_memchr(const void *bytes, int byte, size_t length)
{
	const char *found = __real_memchr(bytes, byte, length);

	n_steps += found == NULL ? length : (size_t) (found - (const char *) bytes);
	return (void *) found;
}

/* Steps for a text of a kind */
static uint64_t
count_steps(SrmSegmenter *segmenter, const char *part, size_t length)
{
	SrmStatus	status;
	SrmArena   *arena;
	SrmSentences sentences;
	char	   *text = make_hostile(part, length);

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	n_steps = 0;
	assert_true(srm_segment(segmenter, text, strlen(text), arena, &sentences, NULL, &status));
	assert_true(sentences.n > 0);
	assert_int_equal(sentences.items[sentences.n - 1].end, strlen(text));
	srm_arena_free(arena);
	free(text);
	return n_steps;
}

static void
check_all(const char *name)
{
	SrmStatus	status;
	SrmSegmenter *segmenter;

	srm_status_init(&status);
	segmenter = srm_segmenter_open(name, "", &status);
	assert_non_null(segmenter);
	for (size_t i = 0; i < N_HOSTILE; i++)
	{
		uint64_t	small = count_steps(segmenter, hostile_parts[i], SMALL);
		uint64_t	large = count_steps(segmenter, hostile_parts[i], SMALL * FACTOR);

		/* What is looked at in both is the same but for the ends: a tenth on top is ample */
		if (large > small * FACTOR + small * FACTOR / 10)
			fail_msg("%s: %zu bytes of \"%s\" take %llu steps, %d times as many bytes %llu", name, SMALL,
					 hostile_parts[i], (unsigned long long) small, FACTOR, (unsigned long long) large);
		/* A text is no reason to look at each byte hundreds of times */
		if (small > SMALL * 500)
			fail_msg("%s: \"%s\" takes %llu steps a byte", name, hostile_parts[i],
					 (unsigned long long) (small / SMALL));
	}
	srm_segmenter_free(segmenter);
}

static void
test_icu(void **state)
{
	(void) state;
	check_all("icu");
}

static void
test_lines_and_paragraphs(void **state)
{
	(void) state;
	check_all("lines");
	check_all("paragraphs");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_icu),
		cmocka_unit_test(test_lines_and_paragraphs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
