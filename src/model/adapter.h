/*-------------------------------------------------------------------------
 *
 * adapter.h
 *	  Directories of models, of which one may be an adapter over another one.
 *
 * An adapter is what peft writes: adapter_config.json and
 * adapter_model.safetensors, without a model.safetensors or an index of one.
 * Its base is a model of the name that is the last part of
 * "base_model_name_or_path", or that "base" in the object "srm" gives.  That object
 * is the model's, and stands in adapter_config.json.
 *
 * What would change a score and is not LoRA is an error that names it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MODEL_ADAPTER_H
#define SRM_MODEL_ADAPTER_H

#include "base/json.h"
#include "files/directory.h"
#include "files/name.h"

#define SRM_ADAPTER_CONFIG	"adapter_config.json"
#define SRM_ADAPTER_WEIGHTS	"adapter_model.safetensors"

/* What adapter_config.json says; all of it lies in the files' arena. */
typedef struct SrmAdapterConfig
{
	const char *path;			/* of the file, for messages */
	const char *named;			/* "base_model_name_or_path" as it stands there, or NULL */
	const char *base;			/* the name of the base, */
	const char *cache;			/* and that of its directory in a cache of downloads; or NULL */
	double		rank;
	double		alpha;			/* b * a is scaled by alpha / rank, */
	bool		is_rank_stabilized; /* or by alpha / sqrt(rank) */
	const SrmJson *ranks;		/* of modules that differ, by patterns of names; or NULL */
	const SrmJson *alphas;
	bool		is_classifier;	/* of a model for sequence classification */
	bool		saves_score;	/* the base's map "score" is replaced */
	const SrmJson *settings;	/* the object "srm", or NULL */
} SrmAdapterConfig;

/*
 * Opens the directory of a model, as srm_files_create(); of an adapter with that of its
 * base, which is looked for along the path.  With path NULL it lies beside the
 * adapter.
 */
extern SrmModelFiles *srm_adapter_open(const char *directory, const SrmModelPath *path,
									   SrmArena *arena, SrmStatus *status);

/* The rank for a module such as "model.layers.0.mlp.up_proj", and the factor of b * a. */
extern double srm_adapter_rank(const SrmAdapterConfig *adapter, const char *module);
extern double srm_adapter_scale(const SrmAdapterConfig *adapter, const char *module);

#endif							/* SRM_MODEL_ADAPTER_H */
