/*-------------------------------------------------------------------------
 *
 * writer.h
 *	  A model directory that is being made.
 *
 * It grows under a temporary name, ".NAME.tmp.PID", beside its final one, and
 * is renamed into place as a whole, flushed to disk.  Until then nobody sees
 * it; a writer that is closed before takes all of it away.  What a writer
 * that crashed has left behind is removed by the next one.
 *
 * A model that is replaced goes the same way: readers see at their next call
 * that there is another.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_WRITER_H
#define SRM_WRITER_H

#include "base/json.h"
#include "files/directory.h"
#include "write/safetensors_write.h"

typedef struct SrmWriter SrmWriter;

/*
 * Begins a model in an existing directory.  With replace, there may be a model
 * of that name, and only a model: any other directory, or a file, is never replaced.  mode is that of directories, such as 0700; files have it
 * without the bits for execution.  NULL, with the status set, if it cannot be done.
 */
extern SrmWriter *srm_writer_begin(const char *parent, const char *name, bool replace,
								   unsigned mode, SrmStatus *status);

/*
 * Whether one could begin now: SRM_DUPLICATE_MODEL where the name is taken.  To
 * be asked before long work whose result will be written.
 */
extern bool srm_writer_check(const char *parent, const char *name, bool replace, SrmStatus *status);

/* Where the model will be: "parent/name". */
extern const char *srm_writer_path(const SrmWriter *writer);

/* Writes a whole file; one that is there already is an error. */
extern bool srm_writer_put(SrmWriter *writer, const char *file, const void *data,
						   size_t size, SrmStatus *status);

/* Writes a JSON tree as a file, with a line's end behind it. */
extern bool srm_writer_put_json(SrmWriter *writer, const char *file, const SrmJson *json,
								SrmStatus *status);

/* Copies a file of another model.  With optional, one that does not exist is no error; found tells. */
extern bool srm_writer_copy_file(SrmWriter *writer, SrmModelFiles *files, const char *name,
								 bool optional, bool *found, const SrmStop *stop,
								 SrmStatus *status);

/*
 * Copies what belongs to the text side of another model, as
 * far as there: the tokenizer's files, the chat template, and the licence.
 */
extern bool srm_writer_copy_texts(SrmWriter *writer, SrmModelFiles *files,
								  const SrmStop *stop, SrmStatus *status);

/* The bytes of those files. */
extern size_t srm_writer_text_bytes(const char *directory);

/*
 * Writes a safetensors file.  begin sorts the plans into the order in which
 * the data must be appended, in pieces of any size; append with NULL for data
 * writes zeros.  end fails with SRM_INTERNAL where too few bytes came.
 */
extern bool srm_writer_begin_tensors(SrmWriter *writer, const char *file,
									 SrmTensorPlan *plans, size_t n, SrmStatus *status);
extern bool srm_writer_append(SrmWriter *writer, const void *data, size_t size,
							  const SrmStop *stop, SrmStatus *status);
extern bool srm_writer_end_tensors(SrmWriter *writer, SrmStatus *status);

/* All three, for plans that have their data. */
extern bool srm_writer_put_tensors(SrmWriter *writer, const char *file, SrmTensorPlan *plans,
								   size_t n, const SrmStop *stop, SrmStatus *status);

/*
 * Flushes all files to disk and puts the model into its place.  Without replace
 * this never takes anything away: SRM_DUPLICATE_MODEL where the name was taken meanwhile.
 */
extern bool srm_writer_commit(SrmWriter *writer, SrmStatus *status);

/* Removes what was not committed, and frees the writer; NULL is allowed. */
extern void srm_writer_close(SrmWriter *writer);

/*
 * Sets a member of the object "srm" of a configuration, which is added where there is
 * none; a value of NULL takes the member away.
 */
extern bool srm_writer_set_config(SrmJson *config, const char *key, SrmJson *value,
								  SrmArena *arena, SrmStatus *status);

#endif							/* SRM_WRITER_H */
