/*-------------------------------------------------------------------------
 *
 * chat.h
 *	  What tokenizer_config.json and chat_template.jinja say.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CHAT_H
#define SRM_CHAT_H

#include "files/directory.h"
#include "model/contents.h"
#include "model/tokenizer_files.h"
#include "jinja/template.h"

/*
 * Reads the chat template, NULL where there is none, and the tokens that it
 * may ask for, into the arena.  That of the model's own settings comes first,
 * then chat_template.jinja, then that in tokenizer_config.json, where of several the
 * one named "default" counts, and at last a cross-encoder's architecture.  Both files may be absent.
 *
 * A template that writes a special token which the model's tokenizer has no
 * id for is SRM_INVALID_MODEL: it would be read as plain text.
 */
extern bool srm_chat_read(SrmModel *model, const SrmTokenizerFiles *files, SrmStatus *status);

#endif							/* SRM_CHAT_H */
