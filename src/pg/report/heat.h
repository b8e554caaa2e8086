/*-------------------------------------------------------------------------
 *
 * heat.h
 *	  Sentences coloured by their rewards, as HTML.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_HEAT_H
#define SRM_HEAT_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* Sentences and their rewards, as srm_sentence_rewards() gives them. */
typedef struct SrmHeat
{
	int			n;
	Datum	   *texts;			/* (n) */
	Datum	   *rewards;		/* (n) float4 */
	bool	   *unread;			/* (n) behind the end of what the model read */
	double		greatest;		/* magnitude of a reward */
} SrmHeat;

/* Appends a text in the encoding of the database, in which HTML then finds no mark-up. */
extern void srm_html_append_text(StringInfo html, const char *text, int length);

/* Appends the sentences as a list. */
extern void srm_heat_append_html(StringInfo html, const SrmHeat *heat);

#endif							/* SRM_HEAT_H */
