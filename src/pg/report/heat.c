/*-------------------------------------------------------------------------
 *
 * heat.c
 *	  Sentences coloured by their rewards: as HTML, and for a terminal.
 *
 * Blue earns, orange loses; the two are told apart with any kind of colour
 * vision.  Colours are transparent, or few, so that the text is readable on a
 * light and on a dark ground.  Text is only ever data here: what HTML or a terminal
 * would take for more is escaped.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "pg/call.h"
#include "pg/report/heat.h"

#define STEPS	4				/* shades of each colour in a terminal */

/* Backgrounds of the 256 colours that terminals have, from weak to strong; dark text on them is readable */
static const int blues[STEPS] = {153, 117, 75, 39};
static const int oranges[STEPS] = {223, 222, 215, 208};

/* Characters of texts come one by one, in the encoding of the database. */
void
srm_html_append_text(StringInfo html, const char *text, int length)
{
	while (length > 0)
	{
		int			size = Min(pg_mblen(text), length);

		CHECK_FOR_INTERRUPTS();
		if (size > 1)
			appendBinaryStringInfo(html, text, size);
		else if (*text == '&')
			appendStringInfoString(html, "&amp;");
		else if (*text == '<')
			appendStringInfoString(html, "&lt;");
		else if (*text == '>')
			appendStringInfoString(html, "&gt;");
		else if (*text == '"')
			appendStringInfoString(html, "&quot;");
		else if (*text == '\'')
			appendStringInfoString(html, "&#39;");
		else if ((unsigned char) *text >= 0x20 || *text == '\n' || *text == '\t')
			appendStringInfoChar(html, *text);
		text += size;
		length -= size;
	}
}

/* Controls, those of eight bits too: in a terminal they would move the cursor or worse. */
static bool
is_control(const char *text, int size)
{
	unsigned char first = (unsigned char) text[0];

	if (size == 2)
		return GetDatabaseEncoding() == PG_UTF8 && first == 0xC2 && (unsigned char) text[1] < 0xA0;
	return size == 1 && first != '\n' && first != '\t' && (first < 0x20 || (first >= 0x7F && first < 0xA0));
}

static void
append_printable(StringInfo out, const char *text, int length)
{
	while (length > 0)
	{
		int			size = Min(pg_mblen(text), length);

		CHECK_FOR_INTERRUPTS();
		if (is_control(text, size))
			appendStringInfoChar(out, '?');
		else
			appendBinaryStringInfo(out, text, size);
		text += size;
		length -= size;
	}
}

static void
read_sentences(SrmHeat *sentences, ArrayType *texts, ArrayType *rewards)
{
	bool	   *is_null;
	int			n;

	deconstruct_array(texts, TEXTOID, -1, false, TYPALIGN_INT, &sentences->texts, &is_null, &sentences->n);
	deconstruct_array(rewards, FLOAT4OID, sizeof(float4), true, TYPALIGN_INT,
					  &sentences->rewards, &sentences->unread, &n);
	if (n != sentences->n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be as many rewards as sentences")));
	sentences->greatest = 0.0;
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (is_null[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("sentences must not be null")));
		if (!sentences->unread[i])
			sentences->greatest = Max(sentences->greatest, fabs(DatumGetFloat4(sentences->rewards[i])));
	}
}

/* From -1 to 1: the reward over the greatest magnitude of all. */
static double
strength(const SrmHeat *sentences, int i)
{
	return sentences->greatest > 0.0 ? DatumGetFloat4(sentences->rewards[i]) / sentences->greatest : 0.0;
}

static void
append_html(StringInfo html, const SrmHeat *sentences, int i)
{
	text	   *sentence = DatumGetTextPP(sentences->texts[i]);
	double		heat = sentences->unread[i] ? 0.0 : strength(sentences, i);

	if (sentences->unread[i])
		appendStringInfoString(html, "<span role=\"listitem\" tabindex=\"0\" title=\"not read\"");
	else
		appendStringInfo(html, "<span role=\"listitem\" tabindex=\"0\" title=\"reward %+.3f\" aria-description=\"reward %+.3f\"",
						 DatumGetFloat4(sentences->rewards[i]), DatumGetFloat4(sentences->rewards[i]));
	appendStringInfo(html, " style=\"background-color:rgba(%s,%.2f)\">",
					 heat < 0.0 ? "230,97,1" : "33,102,172", 0.5 * fabs(heat));
	srm_html_append_text(html, VARDATA_ANY(sentence), VARSIZE_ANY_EXHDR(sentence));
	appendStringInfoString(html, "</span>");
}

static void
append_ansi(StringInfo out, const SrmHeat *sentences, int i)
{
	text	   *sentence = DatumGetTextPP(sentences->texts[i]);
	double		heat = sentences->unread[i] ? 0.0 : strength(sentences, i);
	int			step = Min((int) (fabs(heat) * STEPS), STEPS - 1);
	bool		coloured = fabs(heat) * STEPS >= 0.5;

	if (coloured)
		appendStringInfo(out, "\033[38;5;16;48;5;%dm", heat < 0.0 ? oranges[step] : blues[step]);
	append_printable(out, VARDATA_ANY(sentence), VARSIZE_ANY_EXHDR(sentence));
	if (coloured)
		appendStringInfoString(out, "\033[0m");
}

void
srm_heat_append_html(StringInfo html, const SrmHeat *heat)
{
	appendStringInfoString(html, "<div class=\"srm-heatmap\" role=\"list\" style=\"white-space:pre-wrap;line-height:1.6\">");
	for (int i = 0; i < heat->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		append_html(html, heat, i);
	}
	appendStringInfoString(html, "</div>");
}

/* srm_heat_html(sentences text[], rewards real[]) */
SRM_FUNCTION(srm_sql_heat_html)
{
	SrmHeat		sentences;
	StringInfoData html;

	read_sentences(&sentences, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1));
	initStringInfo(&html);
	srm_heat_append_html(&html, &sentences);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(html.data, html.len));
}

/* srm_heat_ansi(sentences text[], rewards real[]) */
SRM_FUNCTION(srm_sql_heat_ansi)
{
	SrmHeat		sentences;
	StringInfoData out;

	read_sentences(&sentences, PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_ARRAYTYPE_P(1));
	initStringInfo(&out);
	for (int i = 0; i < sentences.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		append_ansi(&out, &sentences, i);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
