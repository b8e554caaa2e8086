/*-------------------------------------------------------------------------
 *
 * meant.h
 *	  Texts in a place where something else was meant.
 *
 * A call that lacks an argument or a cast finds another form of its function,
 * which would give the score of another conversation without a word.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MEANT_H
#define SRM_MEANT_H

#include "postgres.h"
#include "fmgr.h"

#include "jinja/template.h"

/* An error for a text that is a list of messages in JSON; argument is its name. */
extern void srm_meant_check_text(const SrmMessage *text, const char *argument);

/*
 * The first argument of a function is a prompt, which is a model's name: an error where it is written
 * in the call, and else a warning, once a query, as any text may stand in a column.
 */
extern void srm_meant_check_prompt(FunctionCallInfo fcinfo);

#endif							/* SRM_MEANT_H */
