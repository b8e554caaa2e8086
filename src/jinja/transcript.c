/*-------------------------------------------------------------------------
 *
 * transcript.c
 *	  Conversations written as one text, as the HH sets have them.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/transcript.h"

#include <stdint.h>
#include <string.h>

#define STOP_BYTES	65536		/* of white space between two looks at the stop */

static const struct
{
	const char *name;
	const char *role;
}			speakers[] = {
	{"Human:", "user"},
	{"Assistant:", "assistant"}
};

/* Whose turn begins at an offset, and where its content does; NULL: nobody's. */
static const char *
read_speaker(const SrmTranscript *transcript, size_t at, size_t *content)
{
	for (size_t i = 0; i < sizeof(speakers) / sizeof(speakers[0]); i++)
	{
		size_t		length = strlen(speakers[i].name);

		if (transcript->length - at < length ||
			memcmp(transcript->text + at, speakers[i].name, length) != 0)
			continue;
		*content = at + length;
		if (*content < transcript->length && transcript->text[*content] == ' ')
			++*content;
		return speakers[i].role;
	}
	return NULL;
}

/* Bytes of the line's end at an offset, LF or CR LF; 0: there is none. */
static size_t
line_end(const SrmTranscript *transcript, size_t at)
{
	const char *text = transcript->text;

	if (at < transcript->length && text[at] == '\n')
		return 1;
	return at + 1 < transcript->length && text[at] == '\r' && text[at + 1] == '\n' ? 2 : 0;
}

/* Where the next turn begins, with the empty line before it, or the end. */
static size_t
find_turn(const SrmTranscript *transcript, size_t start)
{
	const char *text = transcript->text;
	size_t		at = start;
	size_t		content;

	while (at < transcript->length)
	{
		const char *line = memchr(text + at, '\n', transcript->length - at);
		size_t		empty;

		if (line == NULL || !srm_continue(transcript->stop, transcript->status))
			break;
		at = (size_t) (line - text) + 1;
		empty = line_end(transcript, at);
		if (empty > 0 && read_speaker(transcript, at + empty, &content) != NULL)
			return at - 1 > start && text[at - 2] == '\r' ? at - 2 : at - 1;
	}
	return transcript->length;
}

static size_t
skip_white_space(const SrmTranscript *transcript, size_t at)
{
	while (at < transcript->length && strchr(" \t\r\n", transcript->text[at]) != NULL)
		if (++at % STOP_BYTES == 0 && !srm_continue(transcript->stop, transcript->status))
			return transcript->length;
	return at;
}

/* What comes before the first turn; false where there is nothing. */
static bool
read_start(SrmTranscript *transcript, SrmTurn *turn)
{
	size_t		start = skip_white_space(transcript, 0);
	size_t		content;

	transcript->started = true;
	if (start == transcript->length || read_speaker(transcript, start, &content) != NULL)
	{
		transcript->at = start;
		return false;
	}
	turn->role = "system";
	turn->start = 0;
	turn->end = transcript->at = find_turn(transcript, 0);
	return true;
}

bool
srm_transcript_next(SrmTranscript *transcript, SrmTurn *turn)
{
	size_t		at;

	if (!transcript->started && read_start(transcript, turn))
		return true;
	if (transcript->at >= transcript->length)
		return false;
	/* An empty line comes first, but for a turn at the start */
	at = transcript->at + line_end(transcript, transcript->at);
	at += line_end(transcript, at);
	turn->role = read_speaker(transcript, at, &turn->start);
	turn->end = transcript->at = find_turn(transcript, turn->start);
	return turn->end < transcript->length || strcmp(turn->role, "assistant") != 0 ||
		skip_white_space(transcript, turn->start) < transcript->length;
}

/* Names in lower case, as other sets have them */
static const char *const other_speakers[] = {
	"user:", "human:", "assistant:", "ai:", "bot:", "gpt:", "system:", "prompter:",
	"instruction:", "response:", "[inst]", "<|im_start|>", "<|user|>", "<|assistant|>", "<|prompter|>"
};

static bool
starts_with(const char *text, size_t length, const char *name)
{
	size_t		i = 0;

	while (name[i] != '\0' && i < length &&
		   (text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]) == name[i])
		i++;
	return name[i] == '\0';
}

/* Headings ("### ") may come before a name. */
static bool
is_other_speaker(const char *line, size_t length)
{
	while (length > 0 && (*line == '#' || *line == ' '))
	{
		line++;
		length--;
	}
	for (size_t i = 0; i < sizeof(other_speakers) / sizeof(other_speakers[0]); i++)
		if (starts_with(line, length, other_speakers[i]))
			return true;
	return false;
}

size_t
srm_transcript_other_speaker(const SrmTranscript *transcript, const SrmTurn *turn)
{
	size_t		at = turn->start;

	while (at < turn->end && srm_continue(transcript->stop, transcript->status))
	{
		const char *line = memchr(transcript->text + at, '\n', turn->end - at);

		if (is_other_speaker(transcript->text + at, turn->end - at))
			return at;
		at = line == NULL ? turn->end : (size_t) (line - transcript->text) + 1;
	}
	return SIZE_MAX;
}
