/*-------------------------------------------------------------------------
 *
 * messages.c
 *	  Conversations from the forms in which published sets have them, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "pg/call.h"
#include "jinja/transcript.h"

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

/*
 * srm_messages(transcript text) returns jsonb
 *
 * What marks a turn is ASCII, which no encoding of a server hides in other
 * characters: the text is looked at as it is.
 */
SRM_FUNCTION(srm_sql_messages)
{
	text	   *argument = PG_GETARG_TEXT_PP(0);
	SrmTranscript transcript = {
		.text = VARDATA_ANY(argument),.length = VARSIZE_ANY_EXHDR(argument)
	};
	JsonbInState state = {0};
	SrmTurn		turn;
	bool		has_turn = false;

	srm_push_jsonb(&state, WJB_BEGIN_ARRAY, NULL);
	while (srm_transcript_next(&transcript, &turn))
	{
		push_message(&state, transcript.text, &turn);
		has_turn |= strcmp(turn.role, "system") != 0;
	}
	if (!has_turn)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("transcript has no turns"),
				 errhint("Turns begin with \"Human:\" or \"Assistant:\" behind an empty line.")));
	srm_push_jsonb(&state, WJB_END_ARRAY, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(state.result));
}
