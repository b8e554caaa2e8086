/*-------------------------------------------------------------------------
 *
 * report_html.c
 *	  A page about the preference pairs of a query: the page.
 *
 * It stands alone: no script, nothing from elsewhere, and a policy that
 * forbids both.  Its own text is ASCII, since databases have many encodings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "pg/report/report.h"

#define MAX_CATEGORIES	500		/* rows of the table */
#define NAME_BYTES		200
#define QUERY_BYTES		10000

static const char style[] =
":root{color-scheme:light dark;--text:#1b1f24;--ground:#fff;--faint:#57606a;--line:#d0d7de;--earns:#2166ac;--loses:#b35806}\n"
"@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--ground:#0d1117;--faint:#9aa4af;--line:#30363d;--earns:#6cb0f2;--loses:#f0883e}}\n"
"body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--ground);max-width:60rem;margin:0 auto;padding:1rem}\n"
"h1,h2{line-height:1.2;text-wrap:balance}h2{margin-top:2.5rem}\n"
".faint,figcaption,caption{color:var(--faint);font-size:.875rem;text-align:left}\n"
".wide{overflow-x:auto}td .faint{display:block;text-align:right;font-weight:normal}\n"
"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\n"
"th,td{padding:.3rem .5rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\n"
"th.text{text-align:left}th[scope=row],td.text{text-align:left;white-space:pre-wrap;overflow-wrap:break-word;min-width:7rem;max-width:24rem}\n"
"tfoot th,tfoot td{font-weight:bold}\n"
"figure{margin:1.5rem 0}svg{width:100%;height:auto}svg text{fill:var(--faint);font-size:12px}\n"
"svg.bar{width:6rem;height:1rem;vertical-align:middle}\n"
".grid{stroke:var(--line);stroke-width:.5}.frame{stroke:var(--faint);fill:none}\n"
".ideal{stroke:var(--faint);stroke-dasharray:4}.interval{stroke:var(--text);stroke-width:1.5}\n"
"rect.track{fill:var(--line)}.earns{fill:var(--earns)}.loses{fill:var(--loses)}.longer{stroke:var(--loses);stroke-width:3}\n"
".dots{fill:none;stroke-linecap:round;stroke-width:4;stroke-opacity:.55}.chosen{stroke:var(--earns)}.rejected{stroke:var(--loses)}\n"
".key{display:inline-block;width:.7em;height:.7em;border-radius:50%}.key.chosen{background:var(--earns)}.key.rejected{background:var(--loses)}\n"
"details{border:1px solid var(--line);border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}\n"
"pre,.prompt{white-space:pre-wrap;overflow-wrap:anywhere}.prompt{border-left:3px solid var(--line);margin:.5rem 0;padding-left:.8rem;color:var(--faint)}\n"
".both{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(18rem,100%),1fr));gap:1.5rem}.both>*{min-width:0}h3{font-size:1rem;margin:.5rem 0}\n"
".srm-heatmap{overflow-wrap:anywhere}:focus-visible{outline:2px solid var(--earns);outline-offset:1px}\n";

static void
append_clipped(StringInfo html, const char *text, int limit)
{
	int			length = (int) strlen(text);
	int			shown = pg_mbcliplen(text, length, limit);

	srm_html_append_text(html, text, shown);
	if (shown < length)
		appendStringInfoString(html, "...");
}

/* A number as it is shown, and exactly. */
static void
append_number(StringInfo html, double number, const char *format)
{
	appendStringInfo(html, "<data value=\"%.17g\">", number);
	appendStringInfo(html, format, number);
	appendStringInfoString(html, "</data>");
}

static void
append_percent(StringInfo html, double share)
{
	appendStringInfo(html, "<data value=\"%.17g\">%.1f&nbsp;%%</data>", share, 100.0 * share);
}

static void
append_share(StringInfo html, double share, double low, double high)
{
	appendStringInfoString(html, "<td>");
	append_percent(html, share);
	appendStringInfoString(html, " <span class=\"faint\">");
	append_percent(html, low);
	appendStringInfoString(html, "&ndash;");
	append_percent(html, high);
	appendStringInfoString(html, "</span></td>");
}

/* Accuracy as a bar with its interval, and a mark where preferring the longer response would be. */
static void
append_bar(StringInfo html, const SrmEvaluationResult *result)
{
	appendStringInfo(html, "<td><svg class=\"bar\" viewBox=\"0 0 128 16\" aria-hidden=\"true\"><rect class=\"track\" width=\"128\" height=\"16\"/>"
					 "<rect class=\"earns\" width=\"%.1f\" height=\"16\"/>", 128.0 * result->accuracy);
	appendStringInfo(html, "<path class=\"interval\" d=\"M%.1f 8H%.1f\"/><path class=\"longer\" d=\"M%.1f 0V16\"/></svg></td>",
					 128.0 * result->accuracy_low, 128.0 * result->accuracy_high, 128.0 * result->longer_accuracy);
}

static void
append_numbers(StringInfo html, const SrmEvaluation *evaluation)
{
	SrmEvaluationResult result;
	double		longer_low;
	double		longer_high;

	srm_evaluation_result(evaluation, &result);
	srm_wilson_interval(result.longer_accuracy, (double) evaluation->n, &longer_low, &longer_high);
	appendStringInfo(html, "<td><data value=\"" UINT64_FORMAT "\">" UINT64_FORMAT "</data></td>",
					 (uint64) evaluation->n, (uint64) evaluation->n);
	append_bar(html, &result);
	append_share(html, result.accuracy, result.accuracy_low, result.accuracy_high);
	append_share(html, result.longer_accuracy, longer_low, longer_high);
	appendStringInfoString(html, "<td>");
	append_number(html, result.mean_margin, "%+.3f");
	appendStringInfoString(html, "</td><td>");
	append_number(html, result.log_loss, "%.3f");
	appendStringInfoString(html, "</td><td>");
	append_number(html, result.calibration_error, "%.3f");
	appendStringInfoString(html, "</td></tr>\n");
}

static void
append_accuracy(StringInfo html, const SrmReport *report)
{
	int			n = list_length(report->categories.list);
	int			n_shown = Min(n, MAX_CATEGORIES);

	appendStringInfoString(html, "<section><h2>Accuracy</h2>\n<div class=\"wide\" role=\"region\" aria-label=\"Accuracy\" tabindex=\"0\"><table>\n"
						   "<caption>Share of pairs whose chosen response scores higher, a tie counting half, with Wilson&#39;s interval of 95&nbsp;%; "
						   "beside it what preferring the longer response would give, the mark in the bar.</caption>\n"
						   "<thead><tr><th scope=\"col\" class=\"text\">Category</th><th scope=\"col\">Pairs</th><td></td><th scope=\"col\">Accuracy</th>"
						   "<th scope=\"col\">Longer wins</th><th scope=\"col\">Mean margin</th><th scope=\"col\">Log loss</th>"
						   "<th scope=\"col\">Calibration error</th></tr></thead>\n<tbody>\n");
	for (int i = 0; i < n_shown; i++)
	{
		const SrmCategory *category = list_nth(report->categories.list, i);

		appendStringInfoString(html, "<tr><th scope=\"row\">");
		append_clipped(html, category->name, NAME_BYTES);
		appendStringInfoString(html, "</th>");
		append_numbers(html, &category->evaluation);
	}
	appendStringInfoString(html, "</tbody>\n<tfoot><tr><th scope=\"row\">All</th>");
	append_numbers(html, &report->all);
	appendStringInfoString(html, "</tfoot></table></div>\n");
	if (n_shown < n)
		appendStringInfo(html, "<p>%d more categories are not shown.</p>\n", n - n_shown);
	appendStringInfoString(html, "</section>\n");
}

static void
append_reliability(StringInfo html, const SrmEvaluation *evaluation)
{
	appendStringInfoString(html, "<section><h2>Reliability</h2><figure>");
	srm_report_append_reliability(html, evaluation);
	appendStringInfoString(html, "<figcaption>How often the response that the model prefers is the chosen one, with Wilson&#39;s interval of 95&nbsp;%, "
						   "by how sure it is. On the dashed line confidence is what it says; below it the model is too sure.</figcaption></figure>\n"
						   "<details><summary>Numbers</summary><div class=\"wide\" role=\"region\" aria-label=\"Reliability\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Confidence</th><th scope=\"col\">Pairs</th>"
						   "<th scope=\"col\">Mean confidence</th><th scope=\"col\">Right</th></tr></thead><tbody>\n");
	for (int i = 0; i < SRM_CALIBRATION_BINS; i++)
	{
		const SrmCalibrationBin *bin = &evaluation->bins[i];

		if (bin->n == 0)
			continue;
		appendStringInfo(html, "<tr><th scope=\"row\">%.2f&ndash;%.2f</th><td>" UINT64_FORMAT "</td><td>",
						 0.5 + 0.5 * i / SRM_CALIBRATION_BINS, 0.5 + 0.5 * (i + 1) / SRM_CALIBRATION_BINS, (uint64) bin->n);
		append_percent(html, bin->confidences / (double) bin->n);
		appendStringInfoString(html, "</td><td>");
		append_percent(html, bin->wins / (double) bin->n);
		appendStringInfoString(html, "</td></tr>\n");
	}
	appendStringInfoString(html, "</tbody></table></div></details></section>\n");
}

static void
append_lengths(StringInfo html, const SrmReport *report)
{
	const SrmReportMoments *moments = &report->moments;
	double		spread = sqrt(moments->lengths) * sqrt(moments->scores);

	appendStringInfoString(html, "<section><h2>Score and length</h2><figure>");
	srm_report_append_points(html, &report->points);
	appendStringInfoString(html, "<figcaption><span class=\"key chosen\"></span> chosen <span class=\"key rejected\"></span> rejected. ");
	if (report->points.stride > 1)
		appendStringInfo(html, "One pair in " UINT64_FORMAT " is drawn. ", report->points.stride);
	if (spread > 0.0)
	{
		appendStringInfoString(html, "Correlation of all scores with lengths: ");
		append_number(html, moments->products / spread, "%+.2f");
		appendStringInfoString(html, ".");
	}
	appendStringInfoString(html, "</figcaption></figure></section>\n");
}

static void
append_sentences(StringInfo html, const char *title, const SrmReportSentences *sentences)
{
	appendStringInfo(html, "<section><h2>%s</h2>\n", title);
	if (sentences->n == 0)
		appendStringInfoString(html, "<p>None.</p>");
	else
		appendStringInfo(html, "<div class=\"wide\" role=\"region\" aria-label=\"%s\" tabindex=\"0\"><table><thead><tr><th scope=\"col\">Reward</th>"
						 "<th scope=\"col\" class=\"text\">Sentence</th><th scope=\"col\">Response</th><th scope=\"col\">Row</th></tr></thead><tbody>\n", title);
	for (int i = 0; i < sentences->n; i++)
	{
		const SrmReportSentence *sentence = &sentences->entries[i];

		appendStringInfoString(html, "<tr><td>");
		append_number(html, sentence->reward, "%+.3f");
		appendStringInfoString(html, "</td><td class=\"text\">");
		srm_html_append_text(html, sentence->text, (int) strlen(sentence->text));
		appendStringInfo(html, "</td><td>%s</td><td>" UINT64_FORMAT "</td></tr>\n",
						 sentence->is_of_chosen ? "chosen" : "rejected", sentence->row);
	}
	appendStringInfoString(html, sentences->n == 0 ? "</section>\n" : "</tbody></table></div></section>\n");
}

static void
append_response(StringInfo html, const char *title, const SrmReportResponse *response)
{
	appendStringInfo(html, "<div><h3>%s ", title);
	append_number(html, response->score, "%+.3f");
	appendStringInfoString(html, "</h3>");
	srm_heat_append_html(html, &response->heat);
	if (response->is_cut)
		appendStringInfoString(html, "<p class=\"faint\">The rest is not shown.</p>");
	appendStringInfoString(html, "</div>\n");
}

static void
append_pair(StringInfo html, const SrmReportPair *pair, bool is_open)
{
	appendStringInfo(html, "<details%s><summary>Row " UINT64_FORMAT ", margin ", is_open ? " open" : "", pair->row);
	append_number(html, pair->margin, "%+.3f");
	if (pair->category != NULL)
	{
		appendStringInfoString(html, ", ");
		srm_html_append_text(html, pair->category, (int) strlen(pair->category));
	}
	appendStringInfoString(html, "</summary>\n");
	if (pair->prompt != NULL)
	{
		appendStringInfoString(html, "<div class=\"prompt\">");
		srm_html_append_text(html, pair->prompt, (int) strlen(pair->prompt));
		appendStringInfoString(html, "</div>\n");
	}
	appendStringInfoString(html, "<div class=\"both\">");
	append_response(html, "Chosen", &pair->chosen);
	append_response(html, "Rejected", &pair->rejected);
	appendStringInfoString(html, "</div></details>\n");
}

static void
append_wrong(StringInfo html, const SrmReportPairs *pairs)
{
	appendStringInfoString(html, "<section><h2>Most clearly wrong</h2>\n"
						   "<p class=\"faint\">Pairs with the most negative margins. Sentences are blue where they earn reward, and orange where they lose it.</p>\n");
	for (int i = 0; i < pairs->n; i++)
		append_pair(html, &pairs->entries[i], i == 0);
	appendStringInfoString(html, pairs->n == 0 ? "<p>None.</p></section>\n" : "</section>\n");
}

static void
append_doubtful(StringInfo html, const SrmReportPairs *pairs)
{
	appendStringInfoString(html, "<section><h2>Most doubtful</h2>\n"
						   "<p class=\"faint\">Pairs with the smallest margins, those that are wrong first.</p>\n");
	for (int i = 0; i < pairs->n; i++)
		if (pairs->entries[i].margin < 0.0)
			append_pair(html, &pairs->entries[i], false);
	for (int i = 0; i < pairs->n; i++)
		if (pairs->entries[i].margin >= 0.0)
			append_pair(html, &pairs->entries[i], false);
	appendStringInfoString(html, "</section>\n");
}

static void
append_head(StringInfo html, const SrmReport *report)
{
	appendStringInfoString(html, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
						   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; base-uri &#39;none&#39;; form-action &#39;none&#39;\">\n"
						   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Preference pairs by ");
	append_clipped(html, report->model, NAME_BYTES);
	appendStringInfo(html, "</title>\n<style>\n%s</style></head>\n<body><main>\n<h1>Preference pairs by ", style);
	append_clipped(html, report->model, NAME_BYTES);
	appendStringInfo(html, "</h1>\n<p>" UINT64_FORMAT " pairs, scores by <code>%s</code>.", (uint64) report->all.n, report->aggregation);
	if (report->n_left_out > 0)
		appendStringInfo(html, " Rows left out, for a NULL or an empty response: " UINT64_FORMAT ".", report->n_left_out);
	appendStringInfoString(html, "</p>\n<details><summary>Query</summary><pre>");
	append_clipped(html, report->query, QUERY_BYTES);
	appendStringInfoString(html, "</pre></details>\n");
}

void
srm_report_append_page(StringInfo html, const SrmReport *report)
{
	append_head(html, report);
	if (report->all.n > 0)
	{
		append_accuracy(html, report);
		appendStringInfoString(html, "<section><h2>Margins</h2><figure>");
		srm_report_append_margins(html, &report->margins);
		appendStringInfoString(html, "<figcaption>Pairs right of 0 are right; a tie stands in the first bin there.</figcaption></figure></section>\n");
		append_reliability(html, &report->all);
		append_lengths(html, report);
		append_sentences(html, "Best sentences", &report->best);
		append_sentences(html, "Worst sentences", &report->worst);
		append_wrong(html, &report->wrong);
		append_doubtful(html, &report->doubtful);
	}
	appendStringInfoString(html, "</main></body></html>\n");
}
