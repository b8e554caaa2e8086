/*-------------------------------------------------------------------------
 *
 * report.c
 *	  A page about the preference pairs of a query: reading them, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "base/utf8.h"
#include "pg/pairs/judge.h"
#include "pg/pairs/pairs.h"
#include "pg/report/report.h"

/* Bytes that are kept of texts */
#define RESPONSE_BYTES	8000
#define PROMPT_BYTES	2000
#define SENTENCE_BYTES	400
#define CATEGORY_BYTES	200

/* The width of bins to begin with: powers of two, so that bins join exactly */
#define FIRST_WIDTH		0x1p-16

/* A response that was scored. */
typedef struct Scored
{
	const SrmMessage *response;
	double		score;
	double		length;			/* in characters */
	SrmScored	sentences;
} Scored;

static void
add_margin(SrmReportMargins *margins, double margin)
{
	uint64	   *counts = margins->counts;

	while (margin < -SRM_REPORT_BINS * margins->width || margin >= SRM_REPORT_BINS * margins->width)
	{
		/* Two bins become one, from the middle outwards */
		for (int i = 0; i < SRM_REPORT_BINS; i++)
		{
			int			right = SRM_REPORT_BINS + i;
			int			left = SRM_REPORT_BINS - 1 - i;
			bool		is_inside = 2 * i < SRM_REPORT_BINS;

			counts[right] = is_inside ? counts[SRM_REPORT_BINS + 2 * i] + counts[SRM_REPORT_BINS + 2 * i + 1] : 0;
			counts[left] = is_inside ? counts[SRM_REPORT_BINS - 1 - 2 * i] + counts[SRM_REPORT_BINS - 2 - 2 * i] : 0;
		}
		margins->width *= 2.0;
	}
	counts[SRM_REPORT_BINS + (int) floor(margin / margins->width)]++;
}

/* pair counts from 0 */
static void
add_points(SrmReportPoints *points, uint64 pair, SrmReportPoint chosen, SrmReportPoint rejected)
{
	if (pair % points->stride != 0)
		return;
	if (points->n == SRM_REPORT_PAIRS)
	{
		points->n /= 2;
		points->stride *= 2;
		for (int i = 0; i < points->n; i++)
		{
			points->chosen[i] = points->chosen[2 * i];
			points->rejected[i] = points->rejected[2 * i];
		}
		/* An even number of strides was behind, so this pair has its turn */
	}
	points->chosen[points->n] = chosen;
	points->rejected[points->n++] = rejected;
}

static void
add_moments(SrmReportMoments *moments, SrmReportPoint point)
{
	double		n = (double) ++moments->n;
	double		length = point.length - moments->mean.length;
	double		score = point.score - moments->mean.score;

	moments->mean.length += length / n;
	moments->mean.score += score / n;
	moments->lengths += length * (point.length - moments->mean.length);
	moments->scores += score * (point.score - moments->mean.score);
	moments->products += length * (point.score - moments->mean.score);
}

/* The beginning of UTF-8 as text of the database. */
static text *
clip_text(const char *data, size_t length, size_t limit)
{
	return DatumGetTextPP(srm_datum_of_utf8_shown(data, srm_utf8_clip(data, length, limit)));
}

static char *
clip_string(const char *data, size_t length, size_t limit)
{
	char	   *string = text_to_cstring(clip_text(data, length, limit));

	return length > limit ? psprintf("%s...", string) : string;
}

/* The sentences of a response, as far as they fit. */
static void
copy_response(SrmReportResponse *copy, const Scored *scored)
{
	const SrmScored *sentences = &scored->sentences;
	SrmHeat    *heat = &copy->heat;
	size_t		left = RESPONSE_BYTES;

	copy->score = scored->score;
	while (heat->n < (int) sentences->n_sentences && sentences->sentences[heat->n].start < RESPONSE_BYTES)
		heat->n++;
	heat->texts = palloc(sizeof(Datum) * Max(heat->n, 1));
	heat->rewards = palloc0(sizeof(Datum) * Max(heat->n, 1));
	heat->unread = palloc(sizeof(bool) * Max(heat->n, 1));
	copy->is_cut = heat->n < (int) sentences->n_sentences;
	for (int i = 0; i < heat->n; i++)
	{
		size_t		start = sentences->sentences[i].start;
		size_t		length = sentences->sentences[i].end - start;

		heat->texts[i] = PointerGetDatum(clip_text(scored->response->content + start, length, left));
		copy->is_cut |= length > left;
		left -= Min(left, length);
		heat->unread[i] = (size_t) i >= sentences->n;
		if (heat->unread[i])
			continue;
		heat->rewards[i] = Float4GetDatum((float4) sentences->rewards[i + 1]);
		heat->greatest = Max(heat->greatest, fabs((float4) sentences->rewards[i + 1]));
	}
}

/* Makes room for an entry of a rank in a list in order; NULL where it comes too late. */
static SrmReportPair *
place_pair(SrmReportPairs *pairs, double rank)
{
	SrmReportPair *entries = pairs->entries;
	int			i = pairs->n;

	while (i > 0 && entries[i - 1].rank > rank)
		i--;
	if (i == SRM_REPORT_TOP)
		return NULL;
	if (pairs->n == SRM_REPORT_TOP)
		MemoryContextDelete(entries[--pairs->n].context);
	memmove(&entries[i + 1], &entries[i], sizeof(SrmReportPair) * (pairs->n - i));
	pairs->n++;
	memset(&entries[i], 0, sizeof(SrmReportPair));
	entries[i].rank = rank;
	return &entries[i];
}

static MemoryContext
make_context(const SrmReport *report)
{
	return AllocSetContextCreate(report->context, "srm report entry", ALLOCSET_SMALL_SIZES);
}

static void
keep_pair(const SrmReport *report, SrmReportPairs *pairs, double rank, const SrmPairRow *row,
		  uint64 number, const Scored *chosen, const Scored *rejected)
{
	SrmReportPair *pair = place_pair(pairs, rank);
	MemoryContext old;

	if (pair == NULL)
		return;
	pair->context = make_context(report);
	old = MemoryContextSwitchTo(pair->context);
	pair->margin = chosen->score - rejected->score;
	pair->row = number;
	if (row->category != NULL)
		pair->category = pnstrdup(row->category, pg_mbcliplen(row->category, (int) strlen(row->category), CATEGORY_BYTES));
	if (row->chosen.n_messages > 1)
	{
		const SrmMessage *prompt = chosen->response - 1;

		pair->prompt = clip_string(prompt->content, prompt->content_length, PROMPT_BYTES);
	}
	copy_response(&pair->chosen, chosen);
	copy_response(&pair->rejected, rejected);
	MemoryContextSwitchTo(old);
}

static void
remove_sentence(SrmReportSentences *list, int i)
{
	MemoryContextDelete(list->entries[i].context);
	list->n--;
	memmove(&list->entries[i], &list->entries[i + 1], sizeof(SrmReportSentence) * (list->n - i));
}

/* A text stands in a list once, at its best place; false where it stands there already. */
static bool
remove_same(SrmReportSentences *list, const SrmReportSentence *sentence)
{
	for (int i = 0; i < list->n; i++)
	{
		if (strcmp(list->entries[i].text, sentence->text) != 0)
			continue;
		if (list->entries[i].rank <= sentence->rank)
			return false;
		remove_sentence(list, i);
		break;
	}
	return true;
}

/* Takes the sentence, whose context goes with it. */
static void
place_sentence(SrmReportSentences *list, const SrmReportSentence *sentence)
{
	SrmReportSentence *entries = list->entries;
	int			i;

	if (!remove_same(list, sentence))
	{
		MemoryContextDelete(sentence->context);
		return;
	}
	if (list->n == SRM_REPORT_TOP)
		remove_sentence(list, list->n - 1);
	for (i = list->n; i > 0 && entries[i - 1].rank > sentence->rank; i--)
		entries[i] = entries[i - 1];
	entries[i] = *sentence;
	list->n++;
}

static bool
is_wanted(const SrmReportSentences *list, double rank)
{
	return list->n < SRM_REPORT_TOP || rank < list->entries[list->n - 1].rank;
}

/* Without the spaces around it, which sentences in the middle of a response have. */
static char *
copy_sentence(const char *data, size_t length)
{
	while (length > 0 && scanner_isspace(data[0]))
	{
		data++;
		length--;
	}
	while (length > 0 && scanner_isspace(data[length - 1]))
		length--;
	return clip_string(data, length, SENTENCE_BYTES);
}

static void
keep_sentence(const SrmReport *report, SrmReportSentences *list, double rank, const Scored *scored,
			  size_t i, uint64 number, bool is_of_chosen)
{
	SrmReportSentence sentence = {.rank = rank,.row = number,.is_of_chosen = is_of_chosen};
	const SrmSentence *place = &scored->sentences.sentences[i];
	MemoryContext old;

	if (!is_wanted(list, rank))
		return;
	sentence.context = make_context(report);
	old = MemoryContextSwitchTo(sentence.context);
	sentence.reward = (float4) scored->sentences.rewards[i + 1];
	sentence.text = copy_sentence(scored->response->content + place->start, place->end - place->start);
	MemoryContextSwitchTo(old);
	place_sentence(list, &sentence);
}

static void
keep_sentences(SrmReport *report, const Scored *scored, uint64 number, bool is_of_chosen)
{
	for (size_t i = 0; i < scored->sentences.n; i++)
	{
		double		reward = (float4) scored->sentences.rewards[i + 1];

		if (reward > 0.0)
			keep_sentence(report, &report->best, -reward, scored, i, number, is_of_chosen);
		else if (reward < 0.0)
			keep_sentence(report, &report->worst, reward, scored, i, number, is_of_chosen);
	}
}

static Scored
read_response(SrmPairCursor *cursor, const SrmPairRow *row, int response, const SrmScoreRequest *requests)
{
	return (Scored) {
		.score = srm_judge_score(cursor, row, response, requests),
		.sentences = requests[response].scored,.response = requests[response].response,
		.length = srm_pairs_response_length(response == 0 ? &row->chosen : &row->rejected)
	};
}

static void
add_numbers(SrmReport *report, const char *category, const Scored *chosen, const Scored *rejected)
{
	double		margin = chosen->score - rejected->score;
	SrmReportPoint chosen_point = {chosen->length, chosen->score};
	SrmReportPoint rejected_point = {rejected->length, rejected->score};

	add_points(&report->points, report->all.n, chosen_point, rejected_point);
	add_moments(&report->moments, chosen_point);
	add_moments(&report->moments, rejected_point);
	add_margin(&report->margins, margin);
	srm_evaluation_add(&report->all, margin, chosen->length, rejected->length);
	if (category != NULL)
		srm_evaluation_add(&srm_categories_find(&report->categories, category)->evaluation,
						   margin, chosen->length, rejected->length);
}

static void
add_row(void *arg, SrmPairCursor *cursor, const SrmPairRow *row, const SrmScoreRequest *requests)
{
	SrmReport  *report = arg;
	Scored		chosen = read_response(cursor, row, 0, requests);
	Scored		rejected = read_response(cursor, row, 1, requests);
	double		margin = chosen.score - rejected.score;

	add_numbers(report, row->category, &chosen, &rejected);
	keep_sentences(report, &chosen, row->number, true);
	keep_sentences(report, &rejected, row->number, false);
	if (margin < 0.0)
		keep_pair(report, &report->wrong, margin, row, row->number, &chosen, &rejected);
	keep_pair(report, &report->doubtful, fabs(margin), row, row->number, &chosen, &rejected);
}

static SrmReport *
make_report(const char *query)
{
	SrmReport  *report = palloc0(sizeof(SrmReport));

	report->query = query;
	report->context = CurrentMemoryContext;
	report->margins.width = FIRST_WIDTH;
	report->points.stride = 1;
	srm_categories_init(&report->categories);
	return report;
}

/* srm_report(query text, model text) returns text */
SRM_FUNCTION(srm_sql_report)
{
	SrmReport  *report;
	SrmJudge	judge;
	StringInfoData html;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("query must not be null")));
	report = make_report(TextDatumGetCString(PG_GETARG_DATUM(0)));
	srm_judge_begin(&judge, PG_ARGISNULL(1) ? NULL : srm_cstring_of_datum(PG_GETARG_DATUM(1)), NULL);
	report->model = srm_call_text(judge.name);
	report->aggregation = srm_aggregation_name(judge.options.aggregation);
	report->n_left_out = srm_judge_query(&judge, report->query, true, add_row, report);
	srm_judge_end(&judge);
	srm_categories_sort(&report->categories);
	initStringInfo(&html);
	srm_report_append_page(&html, report);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(html.data, html.len));
}
