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
#include "pg/rows.h"
#include "pg/settings.h"
#include "segment/segment.h"

/* The segmenter of the last locale; replaced when another is asked for. */
static SrmSegmenter *segmenter = NULL;
static char *segmenter_locale = NULL;

static SrmSegmenter *
find_segmenter(SrmCall *call, const char *locale)
{
	SrmSegmenter *opened;
	char	   *copy;

	if (segmenter != NULL && strcmp(segmenter_locale, locale) == 0)
		return segmenter;
	copy = MemoryContextStrdup(TopMemoryContext, locale);
	opened = srm_segmenter_open(locale, &call->status);
	if (opened == NULL)
	{
		pfree(copy);
		srm_call_raise(call);
	}
	srm_segmenter_free(segmenter);
	if (segmenter_locale != NULL)
		pfree(segmenter_locale);
	segmenter = opened;
	segmenter_locale = copy;
	return segmenter;
}

static void
put_sentence(SrmRows *rows, SrmPositions *positions, const SrmSentence *sentence, size_t i)
{
	SrmRange	bytes = {sentence->start, sentence->end};
	int32		first;
	int32		last;
	Datum		values[4];
	bool		nulls[4] = {false};

	srm_positions_range(positions, bytes, &first, &last);
	values[0] = Int32GetDatum((int32) i + 1);
	values[1] = Int32GetDatum(first);
	values[2] = Int32GetDatum(last);
	values[3] = srm_datum_of_utf8(positions->data + bytes.start, bytes.end - bytes.start);
	srm_rows_put(rows, values, nulls);
	pfree(DatumGetPointer(values[3]));
}

static Datum
segment(FunctionCallInfo fcinfo, const char *locale)
{
	SrmText		value = srm_text_of_datum(PG_GETARG_DATUM(0));
	SrmSentences sentences;
	SrmPositions positions;
	SrmRows		rows;
	SrmCall    *call;

	srm_rows_begin(&rows, fcinfo, 4);
	call = srm_call_begin();
	srm_call_check(call, srm_segment(find_segmenter(call, locale), value.data, value.length,
									 call->arena, &sentences, &call->stop, &call->status));
	srm_positions_init(&positions, value.data, value.length);
	for (size_t i = 0; i < sentences.n; i++)
		put_sentence(&rows, &positions, &sentences.items[i], i);
	srm_call_end(call);
	return (Datum) 0;
}

/* srm_segment(text): the locale of srm.locale */
SRM_FUNCTION(srm_sql_segment)
{
	return segment(fcinfo, srm_locale);
}

/* srm_segment(text, locale text) */
SRM_FUNCTION(srm_sql_segment_locale)
{
	return segment(fcinfo, srm_cstring_of_datum(PG_GETARG_DATUM(1)));
}
