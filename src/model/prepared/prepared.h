/*-------------------------------------------------------------------------
 *
 * prepared.h
 *	  A model's weights in the order in which products read them, made once
 *	  and shared by all processes.
 *
 * The first process that opens a model with a kind of arithmetic writes a
 * file, under a lock; all others, and it itself, map that file read-only.
 * It holds all that is read of the weights while a model scores, so that model files may
 * be overwritten meanwhile.
 * Where a file cannot be written, each process makes the same in memory of its own.
 * A file goes with its model: replaced models get new ones, and
 * files that nobody will use again are removed when the next one is made, see prepared_clean.h.
 * Deleting any of them costs only the time to make it again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PREPARED_H
#define SRM_PREPARED_H

#include "model/contents.h"

/*
 * Gives all matrices of the layers their packed form.  To be called when all
 * files of the model have been read: they tell which model it is.
 *
 * directory, made with mode if it is missing, is where prepared files are;
 * NULL packs into the process's memory.  What keeps a file from being written or
 * read is no failure but goes to model->prepared.problem.
 */
extern bool srm_prepared_open(SrmModel *model, const SrmModelOptions *options,
							  const SrmStop *stop, SrmStatus *status);

/* Whether so many bytes of weights of a model's directory may lie in this process's memory. */
extern bool srm_prepared_check_memory(const SrmModelOptions *options, const char *directory,
									  size_t bytes, SrmStatus *status);

/* Ends the mappings, that of the tokenizer included, which must be freed before. */
extern void srm_prepared_close(SrmModel *model);

#endif							/* SRM_PREPARED_H */
