/*-------------------------------------------------------------------------
 *
 * messages.c
 *	  Conversations from the forms in which published sets have them, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "jinja/transcript.h"
#include "pg/call.h"
#include "pg/score/conversation.h"
#include "pg/topic.h"

#define MAX_BYTES	JENTRY_OFFLENMASK	/* of a jsonb */
#define SHOWN_BYTES	40			/* of a line, in a message */

static void
push_string(JsonbInState *state, JsonbIteratorToken token, const char *text, size_t length)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = (int) length;
	srm_push_jsonb(state, token, &value);
}

/* {"role": ..., "content": ...} */
static void
push_message(JsonbInState *state, const char *text, const SrmTurn *turn)
{
	srm_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	push_string(state, WJB_KEY, "role", 4);
	push_string(state, WJB_VALUE, turn->role, strlen(turn->role));
	push_string(state, WJB_KEY, "content", 7);
	push_string(state, WJB_VALUE, text + turn->start, turn->end - turn->start);
	srm_push_jsonb(state, WJB_END_OBJECT, NULL);
}

/* Text before the first turn is the system's, unless somebody else speaks in it. */
static void
check_system(const SrmTranscript *transcript, const SrmTurn *turn)
{
	size_t		at = srm_transcript_other_speaker(transcript, turn);
	const char *line = transcript->text + at;
	int			length;

	if (at == SIZE_MAX)
		return;
	length = pg_mbcliplen(line, (int) (turn->end - at), SHOWN_BYTES);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("transcript has other speakers than \"Human:\" and \"Assistant:\""),
			 errdetail("A line before the first turn begins with \"%.*s\".", (int) strcspn(pnstrdup(line, length), "\r\n"), line),
			 errhint("Turns begin with \"Human:\" or \"Assistant:\" behind an empty line; regexp_replace() can write them so.")));
}

/* What no jsonb has room for is refused before anything is built of it. */
static void
check_size(bool valid, const char *detail)
{
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("transcript is too long"),
				 errdetail_internal("%s", detail)));
}

static void
push_turns(JsonbInState *state, SrmTranscript *transcript)
{
	SrmTurn		turn;
	bool		has_turn = false;
	int			n = 0;

	while (srm_transcript_next(transcript, &turn))
	{
		CHECK_FOR_INTERRUPTS();
		check_size(++n <= SRM_MAX_MESSAGES, psprintf("It has more than %d turns.", SRM_MAX_MESSAGES));
		if (strcmp(turn.role, "system") == 0)
			check_system(transcript, &turn);
		else
			has_turn = true;
		push_message(state, transcript->text, &turn);
	}
	if (!has_turn && transcript->status->code == SRM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transcript has no turns"),
				 errhint("Turns begin with \"Human:\" or \"Assistant:\" behind an empty line.")));
}

/*
 * srm_messages(transcript text) returns jsonb
 *
 * What marks a turn is ASCII, which no encoding of a server hides in other
 * characters: the text is looked at as it is.
 */
SRM_FUNCTION(srm_sql_messages)
{
	text	   *argument = PG_GETARG_TEXT_PP(0);
	SrmTopic	topic;
	SrmCall    *call = srm_call_begin();
	SrmTranscript transcript = {
		.text = VARDATA_ANY(argument),.length = VARSIZE_ANY_EXHDR(argument),
		.stop = &call->stop,.status = &call->status
	};
	JsonbInState state = {0};

	srm_topic_begin(&topic);
	srm_topic_set(&topic, "transcript", 0);
	check_size(transcript.length <= MAX_BYTES, psprintf("It has more than %d bytes.", MAX_BYTES));
	srm_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	push_turns(&state, &transcript);
	srm_call_check(call, call->status.code == SRM_OK);
	srm_call_end(call);
	srm_topic_end(&topic);
	srm_push_jsonb(&state, WJB_END_ARRAY, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(state.result));
}
