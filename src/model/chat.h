/*-------------------------------------------------------------------------
 *
 * chat.h
 *	  What tokenizer_config.json and chat_template.jinja say.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CHAT_H
#define SRM_CHAT_H

#include "model/directory.h"
#include "text/template.h"

/*
 * Reads the chat template, NULL where there is none, and the tokens that it
 * may ask for, into the arena.  chat_template.jinja comes before the template
 * in tokenizer_config.json, and of several there the one named "default" counts.
 * Both files may be absent.
 */
extern bool srm_chat_read(SrmTemplate **chat_template, SrmTemplateVariables *variables,
						  SrmModelFiles *files, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_CHAT_H */
