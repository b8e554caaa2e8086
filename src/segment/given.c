/*-------------------------------------------------------------------------
 *
 * given.c
 *	  Sentences that a caller gives, by their ends or by their texts.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/given.h"

#include <inttypes.h>
#include <string.h>

#include "base/utf8.h"

void
srm_given_begin(SrmGiven *given, const char *text, size_t length, SrmArena *arena)
{
	*given = (SrmGiven) {.text = text,.length = length,.arena = arena};
}

/* The next sentence ends at a byte, which is that many characters further on. */
static bool
append(SrmGiven *given, size_t end, int64_t characters, SrmStatus *status)
{
	SrmSentences *sentences = &given->sentences;

	if (!srm_arena_reserve(given->arena, &sentences->items, &given->capacity, sentences->n + 1,
						   sizeof(SrmSentence), status))
		return false;
	sentences->items[sentences->n++] = (SrmSentence) {(uint32_t) given->at, (uint32_t) end};
	given->at = end;
	given->characters += characters;
	return true;
}

/* Characters of the whole text, of which the beginning is counted. */
static int64_t
count_all(const SrmGiven *given)
{
	return given->characters +
		(int64_t) srm_utf8_count(given->text + given->at, given->length - given->at);
}

static bool
fail_ends(SrmStatus *status)
{
	return srm_fail_hint(status, "Give the last character of each sentence, counted from 1 and ascending; the last one is the length of the response.");
}

bool
srm_given_end(SrmGiven *given, int64_t characters, SrmStatus *status)
{
	size_t		number = given->sentences.n + 1;
	size_t		end = given->at;
	int64_t		missing = characters - given->characters;

	if (missing <= 0)
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "ends of sentences must ascend");
		srm_fail_detail(status, "Element %zu is %" PRId64 ", but must be greater than %" PRId64 ".",
						number, characters, given->characters);
		return fail_ends(status);
	}
	for (; missing > 0 && end < given->length; missing--)
		end += srm_utf8_size((unsigned char) given->text[end]);
	if (missing > 0)
	{
		srm_fail(status, SRM_INVALID_ARGUMENT, "end of a sentence lies behind the response");
		srm_fail_detail(status, "Element %zu is %" PRId64 ", but the response has %" PRId64 " characters.",
						number, characters, count_all(given));
		return fail_ends(status);
	}
	return append(given, end, characters - given->characters, status);
}

static bool
fail_sentence(const SrmGiven *given, size_t length, SrmStatus *status)
{
	size_t		number = given->sentences.n + 1;

	srm_fail(status, SRM_INVALID_ARGUMENT, "sentences do not make up the response");
	if (length == 0)
		srm_fail_detail(status, "Element %zu is empty.", number);
	else if (given->at == given->length)
		srm_fail_detail(status, "Element %zu lies behind the response, which has %" PRId64 " characters.",
						number, given->characters);
	else
		srm_fail_detail(status, "Element %zu is not what the response has from character %" PRId64 " on.",
						number, given->characters + 1);
	return srm_fail_hint(status, "Put together, sentences are the response, to the letter; white space between two belongs to the first.");
}

bool
srm_given_sentence(SrmGiven *given, const char *sentence, size_t length, SrmStatus *status)
{
	if (length == 0 || length > given->length - given->at ||
		memcmp(given->text + given->at, sentence, length) != 0)
		return fail_sentence(given, length, status);
	return append(given, given->at + length, (int64_t) srm_utf8_count(sentence, length), status);
}

bool
srm_given_finish(const SrmGiven *given, SrmStatus *status)
{
	if (given->at == given->length)
		return true;
	srm_fail(status, SRM_INVALID_ARGUMENT, "sentences do not reach the end of the response");
	srm_fail_detail(status, "The last element, number %zu, ends at character %" PRId64 ", but the response has %" PRId64 ".",
					given->sentences.n, given->characters, count_all(given));
	if (given->sentences.n == 0)
		srm_fail_detail(status, "There is no element, but the response has %" PRId64 " characters.",
						count_all(given));
	return srm_fail_hint(status, "Every character of the response, white space included, belongs to a sentence.");
}
