/*-------------------------------------------------------------------------
 *
 * report_chart.c
 *	  A page about the preference pairs of a query: its pictures.
 *
 * Colours are those of the page's style sheet, which has them for a light
 * and for a dark ground.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "pg/report/report.h"

/* The picture, and the frame in it, in its own units */
#define WIDTH	640
#define HEIGHT	320
#define LEFT	64
#define RIGHT	(WIDTH - 16)
#define TOP		12
#define BOTTOM	(HEIGHT - 48)
#define TICKS	5

typedef struct Axis
{
	double		low;
	double		high;
	const char *title;
} Axis;

typedef struct Chart
{
	StringInfo	html;
	Axis		x;
	Axis		y;
} Chart;

static double
x_of(const Chart *chart, double x)
{
	return LEFT + (x - chart->x.low) / (chart->x.high - chart->x.low) * (RIGHT - LEFT);
}

static double
y_of(const Chart *chart, double y)
{
	return BOTTOM - (y - chart->y.low) / (chart->y.high - chart->y.low) * (BOTTOM - TOP);
}

/* 1, 2 or 5 times a power of ten. */
static double
find_step(const Axis *axis)
{
	double		step = (axis->high - axis->low) / TICKS;
	double		power = pow(10.0, floor(log10(step)));
	double		mantissa = step / power;

	return power * (mantissa < 1.5 ? 1.0 : mantissa < 3.5 ? 2.0 : mantissa < 7.5 ? 5.0 : 10.0);
}

/* The first tick of an axis, and how many there are: never so many that numbers too close to each other matter. */
static double
find_ticks(const Axis *axis, double step, int *n)
{
	double		first = ceil(axis->low / step);

	for (*n = 0; *n < 2 * TICKS && (first + *n) * step <= axis->high;)
		(*n)++;
	return first;
}

static void
append_x_ticks(const Chart *chart)
{
	double		step = find_step(&chart->x);
	int			n;
	double		first = find_ticks(&chart->x, step, &n);

	for (int i = 0; i < n; i++)
	{
		double		tick = (first + i) * step;

		appendStringInfo(chart->html, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>",
						 x_of(chart, tick), TOP, BOTTOM, x_of(chart, tick), BOTTOM + 18, tick);
	}
}

static void
append_y_ticks(const Chart *chart)
{
	double		step = find_step(&chart->y);
	int			n;
	double		first = find_ticks(&chart->y, step, &n);

	for (int i = 0; i < n; i++)
	{
		double		tick = (first + i) * step;

		appendStringInfo(chart->html, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>",
						 LEFT, y_of(chart, tick), RIGHT, LEFT - 6, y_of(chart, tick) + 4.0, tick);
	}
}

/* description is what a screen reader says of the picture. */
static void
begin_chart(const Chart *chart, const char *description)
{
	appendStringInfo(chart->html, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
					 WIDTH, HEIGHT, description);
	append_x_ticks(chart);
	append_y_ticks(chart);
	appendStringInfo(chart->html, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>",
					 (LEFT + RIGHT) / 2, HEIGHT - 8, chart->x.title);
	appendStringInfo(chart->html, "<text transform=\"translate(14 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>",
					 (TOP + BOTTOM) / 2, chart->y.title);
}

static void
end_chart(const Chart *chart)
{
	appendStringInfo(chart->html, "<path class=\"frame\" d=\"M%d %dV%dH%d\"/></svg>\n", LEFT, TOP, BOTTOM, RIGHT);
}

/* Bins on either side of 0 that have pairs, or that mirror such. */
static int
count_used_bins(const SrmReportMargins *margins)
{
	int			n = SRM_REPORT_BINS;

	while (n > 1 && margins->counts[SRM_REPORT_BINS - n] == 0 && margins->counts[SRM_REPORT_BINS + n - 1] == 0)
		n--;
	return n;
}

void
srm_report_append_margins(StringInfo html, const SrmReportMargins *margins)
{
	int			n = count_used_bins(margins);
	double		width = margins->width;
	Chart		chart = {html, {-n * width, n * width, "margin: score of the chosen less score of the rejected response"}, {0.0, 1.0, "pairs"}};

	for (int i = SRM_REPORT_BINS - n; i < SRM_REPORT_BINS + n; i++)
		chart.y.high = Max(chart.y.high, (double) margins->counts[i]);
	begin_chart(&chart, "Histogram of margins; those right of 0 are right");
	for (int i = SRM_REPORT_BINS - n; i < SRM_REPORT_BINS + n; i++)
	{
		double		low = (i - SRM_REPORT_BINS) * width;
		double		y = y_of(&chart, (double) margins->counts[i]);

		if (margins->counts[i] > 0)
			appendStringInfo(html, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>" UINT64_FORMAT " from %.4g to %.4g</title></rect>",
							 i < SRM_REPORT_BINS ? "loses" : "earns", x_of(&chart, low) + 0.5, y,
							 (double) (RIGHT - LEFT) / (2 * n) - 1.0, BOTTOM - y, margins->counts[i], low, low + width);
	}
	end_chart(&chart);
}

/* How often the preferred response is the chosen one, with its interval. */
static void
append_bin(const Chart *chart, const SrmCalibrationBin *bin)
{
	double		n = (double) bin->n;
	double		share = bin->wins / n;
	double		x = x_of(chart, bin->confidences / n);
	double		low;
	double		high;

	srm_wilson_interval(share, n, &low, &high);
	appendStringInfo(chart->html, "<path class=\"interval\" d=\"M%.1f %.1fV%.1f\"/>", x, y_of(chart, low), y_of(chart, high));
	appendStringInfo(chart->html, "<circle class=\"earns\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>" UINT64_FORMAT " pairs: %.1f %% expected, %.1f %% right</title></circle>",
					 x, y_of(chart, share), (uint64) bin->n, 100.0 * bin->confidences / n, 100.0 * share);
}

void
srm_report_append_reliability(StringInfo html, const SrmEvaluation *evaluation)
{
	Chart		chart = {html, {0.5, 1.0, "confidence: probability of the preferred response"}, {0.0, 1.0, "share that is right"}};

	begin_chart(&chart, "Reliability: how often the model is right, by how sure it is");
	appendStringInfo(html, "<path class=\"ideal\" d=\"M%.1f %.1fL%.1f %.1f\"/>",
					 x_of(&chart, 0.5), y_of(&chart, 0.5), x_of(&chart, 1.0), y_of(&chart, 1.0));
	for (int i = 0; i < SRM_CALIBRATION_BINS; i++)
		if (evaluation->bins[i].n > 0)
			append_bin(&chart, &evaluation->bins[i]);
	end_chart(&chart);
}

static void
widen(Chart *chart, const SrmReportPoint *points, int n)
{
	for (int i = 0; i < n; i++)
	{
		chart->x.high = Max(chart->x.high, points[i].length);
		chart->y.low = Min(chart->y.low, points[i].score);
		chart->y.high = Max(chart->y.high, points[i].score);
	}
}

/* All points of a kind are one path of dots, which is shorter than as many elements. */
static void
append_dots(const Chart *chart, const char *kind, const SrmReportPoint *points, int n)
{
	appendStringInfo(chart->html, "<path class=\"dots %s\" d=\"", kind);
	for (int i = 0; i < n; i++)
		appendStringInfo(chart->html, "M%.1f %.1fh.01", x_of(chart, points[i].length), y_of(chart, points[i].score));
	appendStringInfoString(chart->html, "\"/>");
}

void
srm_report_append_points(StringInfo html, const SrmReportPoints *points)
{
	Chart		chart = {html, {0.0, 1.0, "characters of the response"}, {HUGE_VAL, -HUGE_VAL, "score"}};
	double		border;

	widen(&chart, points->chosen, points->n);
	widen(&chart, points->rejected, points->n);
	/* All scores may be the same, and large */
	border = chart.y.high > chart.y.low ? 0.05 * (chart.y.high - chart.y.low) : Max(0.5, 0.1 * fabs(chart.y.high));
	chart.y.low -= border;
	chart.y.high += border;
	begin_chart(&chart, "Scores of chosen and rejected responses against their lengths");
	append_dots(&chart, "rejected", points->rejected, points->n);
	append_dots(&chart, "chosen", points->chosen, points->n);
	end_chart(&chart);
}
