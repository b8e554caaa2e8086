/*-------------------------------------------------------------------------
 *
 * understood.h
 *	  Whether a model's chat template takes in what a conversation says.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_UNDERSTOOD_H
#define SRM_UNDERSTOOD_H

#include "model/model.h"

/*
 * Many a template takes every role that it does not know for the user's, and
 * leaves out what it does not know of a message: a score would be one of
 * another conversation.
 *
 * The last role must be "assistant", one that the template spells out, or one
 * of the model's own; the others must be usual, spelt out, or printed.  Keys
 * that carry text of the conversation must be spelt out.  Fails with
 * SRM_INVALID_ARGUMENT.
 */
extern bool srm_check_understood(const SrmModel *model, const SrmMessage *messages,
								 size_t n_messages, const SrmRendered *rendered,
								 SrmStatus *status);

#endif							/* SRM_UNDERSTOOD_H */
