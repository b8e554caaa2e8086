/*-------------------------------------------------------------------------
 *
 * speech.c
 *	  Quotations and titles that a sentence goes on behind.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/speech.h"

#include <string.h>

#include "segment/chars.h"

/* Characters of a speaker's name and of a title. */
#define MAX_SPEAKER 6
#define MAX_TITLE	48

static bool
starts_with(const SrmSpeech *speech, size_t at, const char *word)
{
	size_t		length = strlen(word);

	return speech->end - at >= length && memcmp(speech->text + at, word, length) == 0;
}

/*
 * Speech goes on with its verb: 他说 behind a quotation in Chinese, where no
 * other speech follows, and the particles of Korean.
 */
static bool
is_reported(const SrmSpeech *speech)
{
	static const char *const particles[] = {"라고", "고 ", "하고", "이라고", "라며", "라는", "라면서", "이라며"};
	static const char *const verbs[] = {"说", "道", "问", "答", "喊", "叫", "表示", "說", "問"};
	size_t		at = speech->next;

	for (size_t i = 0; i < sizeof(particles) / sizeof(particles[0]); i++)
	{
		if (starts_with(speech, at, particles[i]))
			return true;
	}
	for (int n = 0; n < MAX_SPEAKER && at < speech->end; n++)
	{
		size_t		next;

		if (!srm_char_is_caseless(srm_char_at(speech->text, at, speech->end, &next)))
			return false;
		for (size_t i = 0; n > 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		{
			size_t		after = at + strlen(verbs[i]);

			if (starts_with(speech, at, verbs[i]))
				return starts_with(speech, after, "。") || starts_with(speech, after, "，") ||
					starts_with(speech, after, "着") || starts_with(speech, after, "了");
		}
		at = next;
	}
	return false;
}

/*
 * A terminator within brackets or the marks of a title, or at its end: the
 * closing one comes before another that opens.
 */
static bool
is_in_brackets(const SrmSpeech *speech)
{
	size_t		at = speech->close;
	int32_t		before = srm_char_before(speech->text, speech->after, speech->close, NULL);

	if (speech->next != speech->close)
		return false;
	if (before == 0x300B || before == 0x3009)
		return true;
	for (int n = 0; n < MAX_TITLE && at < speech->end; n++)
	{
		int32_t		c = srm_char_at(speech->text, at, speech->end, &at);

		if (c == 0x300B || c == 0xFF09 || c == 0x3009)
			return true;
		if (c == 0x300A || c == 0xFF08 || c == 0x3008 || srm_char_is_newline(c))
			return false;
	}
	return false;
}

/*
 * 「はい。」と言った: a quotation goes on with its particle, and so does what
 * stands before an aside in brackets.
 */
static bool
is_quotative(const SrmSpeech *speech)
{
	static const char *const not_particles[] = {
		"とても", "ところ", "とき", "とにかく", "とりあえず"
	};
	static const char to[] = "と";
	size_t		rest = speech->end - speech->next;
	int32_t		c = srm_char_at(speech->text, speech->next, speech->end, NULL);

	if (speech->close == speech->after)
		return false;
	if (starts_with(speech, speech->next, "하고 ") || starts_with(speech, speech->next, "라고 "))
		return true;
	if (speech->next != speech->close)
		return false;
	if (is_reported(speech))
		return true;
	if (srm_char_before(speech->text, speech->after, speech->close, NULL) == 0xFF09)
		return c >= 0x3041 && c <= 0x309F;	/* Hiragana */
	if (rest < 3 || memcmp(speech->text + speech->next, to, 3) != 0)
		return false;
	for (size_t i = 0; i < sizeof(not_particles) / sizeof(not_particles[0]); i++)
	{
		size_t		length = strlen(not_particles[i]);

		if (rest >= length && memcmp(speech->text + speech->next, not_particles[i], length) == 0)
			return false;
	}
	return true;
}

bool
srm_speech_goes_on(const SrmSpeech *speech)
{
	return is_quotative(speech) || is_in_brackets(speech);
}
