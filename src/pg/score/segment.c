/*-------------------------------------------------------------------------
 *
 * segment.c
 *	  Sentences of a text in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "pg/call.h"
#include "pg/encoding.h"
#include "pg/models/sats.h"
#include "pg/rows.h"
#include "pg/settings.h"
#include "pg/topic.h"
#include "segment/segment.h"

/* What cuts where nothing else is said */
#define SEGMENTER	"icu"

/* The last segmenter, by its name and locale; replaced when another is asked for. */
static SrmSegmenter *segmenter = NULL;
static char *segmenter_name = NULL;
static char *segmenter_locale = NULL;

static void
keep_text(char **kept, char *copy)
{
	if (*kept != NULL)
		pfree(*kept);
	*kept = copy;
}

static SrmSegmenter *
find_segmenter(SrmCall *call, const char *name, const char *locale)
{
	SrmSegmenter *opened;
	char	   *name_copy;
	char	   *locale_copy;

	if (segmenter != NULL && strcmp(segmenter_name, name) == 0 &&
		strcmp(segmenter_locale, locale) == 0)
		return segmenter;
	name_copy = MemoryContextStrdup(TopMemoryContext, name);
	locale_copy = MemoryContextStrdup(TopMemoryContext, locale);
	opened = srm_segmenter_open(name, locale, &call->status);
	if (opened == NULL)
	{
		pfree(name_copy);
		pfree(locale_copy);
		srm_call_raise(call);
	}
	srm_segmenter_free(segmenter);
	segmenter = opened;
	keep_text(&segmenter_name, name_copy);
	keep_text(&segmenter_locale, locale_copy);
	return segmenter;
}

/* name and locale: NULL where they are the arguments behind the text */
static Datum
segment(FunctionCallInfo fcinfo, const char *name, const char *locale)
{
	SrmTopic	topic;
	SrmText		text;
	SrmSegmenter *cutter;
	SrmSentences sentences;
	SrmPositions positions;
	SrmRows		rows;
	SrmCall    *call;

	srm_topic_begin(&topic);
	srm_rows_begin(&rows, fcinfo, 4);
	call = srm_call_begin();
	if (locale == NULL)
		locale = srm_topic_read_cstring(&topic, "locale", PG_GETARG_DATUM(1));
	if (name == NULL)
		name = srm_topic_read_cstring(&topic, "segmenter", PG_GETARG_DATUM(2));
	cutter = find_segmenter(call, name, locale);
	/* The form without arguments besides the text follows the settings */
	srm_segmenter_set_splitter(cutter, srm_sats_splitter(call, name, PG_NARGS() == 1));
	text = srm_topic_read_text(&topic, "text", PG_GETARG_DATUM(0));
	srm_call_check(call, srm_segment(cutter, text.data, text.length, call->arena, &sentences,
									 &call->stop, &call->status));
	srm_positions_init(&positions, text.data, text.length);
	for (size_t i = 0; i < sentences.n; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		srm_positions_sentence(&positions, &sentences.items[i], i, values);
		srm_rows_put(&rows, values, nulls);
		pfree(DatumGetPointer(values[3]));
	}
	srm_call_end(call);
	srm_topic_end(&topic);
	return (Datum) 0;
}

/* srm_segment(text): as srm.segmenter and srm.locale say */
SRM_FUNCTION(srm_sql_segment)
{
	const char *name = srm_segmenter[0] == '\0' ? SEGMENTER :
		srm_cstring_of_datum(CStringGetTextDatum(srm_segmenter));

	return segment(fcinfo, name, srm_locale);
}

/* srm_segment(text, locale text) */
SRM_FUNCTION_AS(srm_sql_segment_locale, segment(fcinfo, SEGMENTER, NULL))

/* srm_segment(text, locale text, segmenter text) */
SRM_FUNCTION_AS(srm_sql_segment_segmenter, segment(fcinfo, NULL, NULL))
