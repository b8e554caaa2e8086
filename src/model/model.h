/*-------------------------------------------------------------------------
 *
 * model.h
 *	  A model directory, opened.
 *
 * The Hugging Face format as published: config.json, model.safetensors or
 * the sharded set with its index, tokenizer.json, tokenizer_config.json; or an
 * adapter over another such directory, see adapter.h, which is merged as its base is read.
 * Weights are mapped from a file that was prepared from them, or are in memory;
 * vectors (norms, biases, the value head) are copied as f32.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MODEL_H
#define SRM_MODEL_H

#include "model/contents.h"

/*
 * Opens a model directory.  NULL, with the status set, if any part of it is
 * missing, damaged or not supported.  The model serves one thread at a time.
 *
 * options NULL reads the weights into memory as they are in the files: products with
 * them are slower, and in f32.
 *
 * The weights themselves are not looked at: a model of NaN opens, and whoever
 * computes with it checks the result.  A model that is replaced by renaming while it is
 * opened is the old one or the new one; one that is written into may be an error.
 */
extern SrmModel *srm_model_open(const char *directory, const SrmModelOptions *options,
								const SrmStop *stop, SrmStatus *status);

/* Takes another token of the tokenizer as the marker, which must be a special one. */
extern bool srm_model_set_marker(SrmModel *model, const char *token, const SrmStop *stop,
								 SrmStatus *status);

/* Whether it finds ends of sentences, and no rewards. */
extern bool srm_model_is_segmenter(const SrmModel *model);

extern void srm_model_close(SrmModel *model);	/* NULL is allowed */

/* Bytes that this process alone holds for the model. */
extern size_t srm_model_private_bytes(const SrmModel *model);

/*
 * After a pass: lets go of the pages of a large embedding that it has read.  A page that is read brings its neighbours along, so that the
 * memory of a session would grow far beyond what it uses; they come back from the page cache.
 */
extern void srm_model_release(const SrmModel *model);

/* Whether files of the directory were replaced, added or removed since it was opened. */
extern bool srm_model_changed(const SrmModel *model);

/*
 * The directory of an adapter's base, in the arena; NULL where the directory is no adapter or,
 * with the status set, its base is not found.
 */
extern const char *srm_model_base_directory(const char *directory, const SrmModelPath *path,
											SrmArena *arena, SrmStatus *status);

/* What a list of models shows. */
typedef struct SrmModelSummary
{
	const char *architecture;
	const char *dtype;
	uint64_t	n_parameters;	/* from the headers of the safetensors files */
	size_t		max_tokens;
	SrmModelSettings settings;
	bool		is_segmenter;	/* it has no aggregation, and no boundaries */
} SrmModelSummary;

/*
 * From config.json, and the headers of the files of weights; what the summary points to lies in the
 * arena.  Does not read the weights.
 */
extern bool srm_model_summarize(const char *directory, const SrmModelPath *path, SrmArena *arena,
								SrmModelSummary *summary, SrmStatus *status);

#endif							/* SRM_MODEL_H */
