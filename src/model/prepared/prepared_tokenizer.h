/*-------------------------------------------------------------------------
 *
 * prepared_tokenizer.h
 *	  A model's tokenizer, its tables made once and shared by all processes.
 *
 * The file lies with those of prepared weights, and is as expendable: made by
 * whoever misses it, and not trusted.  Where it cannot be written each process
 * has the tables to itself.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PREPARED_TOKENIZER_H
#define SRM_PREPARED_TOKENIZER_H

#include "model/contents.h"
#include "model/tokenizer_files.h"

#define SRM_PREPARED_TOKENIZER	"tok"	/* the files' names: KEY.tok */
#define SRM_PREPARED_TOKENIZER_SIZE	((size_t) 1024 * 1024 * 1024)	/* no file is larger */

/*
 * Sets model->tokenizer from the model's tokenizer.json, and what the others of
 * its files say.  options are those of
 * srm_model_open(), NULL included; the mapping goes with srm_prepared_close().
 */
extern bool srm_prepared_tokenizer(SrmModel *model, const SrmTokenizerFiles *files,
								   const SrmModelOptions *options, const SrmStop *stop,
								   SrmStatus *status);

/*
 * Whether all bytes of a file are as they were written, for the model of a directory; data
 * is aligned to 64 bytes.
 */
extern bool srm_prepared_tokenizer_check(const char *data, size_t size, const char *directory);

/* Whether an open file is one of this build's format, of a model directory that exists. */
extern bool srm_prepared_tokenizer_is_current(int fd);

#endif							/* SRM_PREPARED_TOKENIZER_H */
