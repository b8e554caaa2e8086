/*-------------------------------------------------------------------------
 *
 * weights.h
 *	  The tensors of a model: of model.safetensors, or of the files that
 *	  model.safetensors.index.json lists.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_WEIGHTS_H
#define SRM_WEIGHTS_H

#include "base/json.h"
#include "base/map.h"
#include "files/directory.h"
#include "model/safetensors.h"

#define SRM_WEIGHTS_FILE	"model.safetensors"
#define SRM_HEAD_FILE		"value_head.safetensors"	/* of LlamaFactory, beside the others */
#define SRM_WEIGHTS_INDEX	"model.safetensors.index.json"

typedef struct SrmWeights
{
	SrmTensor  *tensors;		/* (n) */
	size_t		n;
	SrmMap		names;			/* of the tensors, to their indexes */
	uint64_t	n_parameters;
	SrmDtype	dtype;			/* of most parameters */
} SrmWeights;

/*
 * Reads the headers of the files of the directory; model.safetensors
 * comes first where there are both.  The list lies in the arena; what its
 * tensors' data point to is loaded by srm_files_load().
 */
extern bool srm_weights_open(SrmWeights *weights, SrmModelFiles *files,
							 SrmArena *arena, const SrmStop *stop, SrmStatus *status);

/*
 * Reads the header of one file.  With optional, one that does not exist is not an error, and
 * found tells.
 */
extern bool srm_weights_open_file(SrmSafetensors *tensors, SrmModelFiles *files, const char *name,
								  bool optional, bool *found, SrmArena *arena, SrmStatus *status);

/*
 * A name without what wrappers of a model put before it, or amid it; NULL where nothing of it is
 * there, or, with the status set, memory is short.
 */
extern const char *srm_weights_unwrap(const char *name, SrmArena *arena, SrmStatus *status);

/* Counts the parameters, and finds the type of most of them. */
extern void srm_weights_count(SrmWeights *weights);

/*
 * Behind the name of an int8 tensor (rows, cols): that of its scales, one for each row, (rows) or (rows, 1), or
 * of w8 one for each SRM_SCALE_COLS columns, (rows, srm_scales_count()).
 */
#define SRM_SCALES_SUFFIX	"_scale"

/* What the file has as scales for a tensor of that name, whatever its type, or NULL. */
extern const SrmTensor *srm_weights_find_scales_for(const SrmWeights *weights, const char *name);

/* The scales of an int8 tensor, or NULL. */
extern const SrmTensor *srm_weights_find_scales(const SrmWeights *weights,
												const SrmTensor *tensor);

/*
 * How a tensor that has such scales is stored, given the model's "quantization" or NULL: that decides where
 * w8 has no more than a scale for a row.
 */
extern SrmDtype srm_weights_scaled_dtype(const SrmTensor *scales, const char *quantization);

/* Whether a tensor is the scales of an int8 tensor; they are no parameters. */
extern bool srm_weights_is_scales(const SrmWeights *weights, const SrmTensor *tensor);

/* A tensor, or NULL. */
extern const SrmTensor *srm_weights_find(const SrmWeights *weights, const char *name);

/*
 * Adds the change of a tensor, where it has one, to a matrix of some of its rows, from first on, whose
 * rows, band and stride are set already.
 */
extern bool srm_weights_change(const SrmTensor *tensor, SrmMatrix *matrix, size_t first,
							   SrmArena *arena, SrmStatus *status);

/* Loads a tensor and its change. */
extern bool srm_weights_load(SrmModelFiles *files, const SrmTensor *tensor, SrmStatus *status);

/* out (n) = elements of a tensor of weights that is loaded, from element start on, as f32. */
extern void srm_tensor_read(const SrmTensor *tensor, size_t start, size_t n, float *out);

/* Names of the files of an index, each once, in the order in which they occur. */
typedef struct SrmShards
{
	const char **names;			/* (n) */
	size_t		n;
	const SrmJson *weight_map;	/* from names of tensors to names of files */
	const char *index_path;
} SrmShards;

/* Reads the index of a sharded model into the arena. */
extern bool srm_shards_read(SrmShards *shards, SrmModelFiles *files, SrmArena *arena,
							SrmStatus *status);

#endif							/* SRM_WEIGHTS_H */
