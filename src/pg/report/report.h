/*-------------------------------------------------------------------------
 *
 * report.h
 *	  A page about the preference pairs of a query: what is collected for it.
 *
 * Of all rows there are sums; texts are kept, and cut short, of a few
 * rows only, so that memory does not grow with the rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_REPORT_H
#define SRM_REPORT_H

#include "postgres.h"

#include "lib/stringinfo.h"

#include "pg/pairs/categories.h"
#include "pg/report/heat.h"

#define SRM_REPORT_TOP		10	/* entries of each list */
#define SRM_REPORT_BINS		20	/* of margins, on either side of 0 */
#define SRM_REPORT_PAIRS	1000	/* that are drawn as points, two each */

/* Margins; bin i counts those in [(i - SRM_REPORT_BINS) * width, (i + 1 - SRM_REPORT_BINS) * width). */
typedef struct SrmReportMargins
{
	double		width;			/* doubled whenever a margin fits into no bin */
	uint64		counts[2 * SRM_REPORT_BINS];
} SrmReportMargins;

typedef struct SrmReportPoint
{
	double		length;			/* of the response, in characters */
	double		score;
} SrmReportPoint;

/* Every stride-th pair. */
typedef struct SrmReportPoints
{
	uint64		stride;
	int			n;
	SrmReportPoint chosen[SRM_REPORT_PAIRS];
	SrmReportPoint rejected[SRM_REPORT_PAIRS];
} SrmReportPoints;

/* Of lengths and scores of all responses, by Welford's recurrence. */
typedef struct SrmReportMoments
{
	uint64		n;
	SrmReportPoint mean;
	double		lengths;		/* sums of products of distances from the means */
	double		scores;
	double		products;
} SrmReportMoments;

typedef struct SrmReportSentence
{
	MemoryContext context;		/* its own */
	double		rank;			/* the least comes first */
	double		reward;
	char	   *text;
	uint64		row;
	bool		is_of_chosen;
} SrmReportSentence;

typedef struct SrmReportResponse
{
	double		score;
	SrmHeat		heat;
	bool		is_cut;
} SrmReportResponse;

typedef struct SrmReportPair
{
	MemoryContext context;		/* its own */
	double		rank;			/* the least comes first */
	double		margin;
	uint64		row;
	char	   *category;		/* NULL where there is none */
	char	   *prompt;			/* the message before the response; NULL where there is none */
	SrmReportResponse chosen;
	SrmReportResponse rejected;
} SrmReportPair;

typedef struct SrmReportSentences
{
	int			n;
	SrmReportSentence entries[SRM_REPORT_TOP];
} SrmReportSentences;

typedef struct SrmReportPairs
{
	int			n;
	SrmReportPair entries[SRM_REPORT_TOP];
} SrmReportPairs;

typedef struct SrmReport
{
	const char *query;
	const char *model;			/* in the encoding of the database */
	const char *aggregation;
	uint64		n_left_out;
	SrmEvaluation all;
	SrmCategories categories;
	SrmReportMargins margins;
	SrmReportPoints points;
	SrmReportMoments moments;
	SrmReportSentences best;
	SrmReportSentences worst;
	SrmReportPairs wrong;		/* most negative margins */
	SrmReportPairs doubtful;	/* least magnitudes of margins */
	MemoryContext context;
} SrmReport;

/* Appends the whole page. */
extern void srm_report_append_page(StringInfo html, const SrmReport *report);

/* Appends pictures, as SVG. */
extern void srm_report_append_margins(StringInfo html, const SrmReportMargins *margins);
extern void srm_report_append_reliability(StringInfo html, const SrmEvaluation *evaluation);
extern void srm_report_append_points(StringInfo html, const SrmReportPoints *points);

#endif							/* SRM_REPORT_H */
