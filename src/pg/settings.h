/*-------------------------------------------------------------------------
 *
 * settings.h
 *	  The settings of the extension.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SETTINGS_H
#define SRM_SETTINGS_H

#include "postgres.h"

/* In srm.model_path: models/ in the extension's share directory. */
#define SRM_SYSTEM_MODELS	"$system"

/* In srm.model_path: the directory in srm.output_path. */
#define SRM_OUTPUT_MODELS	"$output"

/* srm.aggregation: the model's own, or an SrmAggregation */
#define SRM_AGGREGATION_OF_MODEL	(-1)

/* srm.truncation: the model's own, or an SrmTruncation */
#define SRM_TRUNCATION_OF_MODEL		(-1)

extern char *srm_model;
extern char *srm_model_path;
extern char *srm_output_path;
extern char *srm_prepared_path;
extern char *srm_segmenter;
extern char *srm_locale;
extern char *srm_template_date;
extern char *srm_template_variables;
extern char *srm_preload_models;
extern double srm_sat_threshold;	/* 0: the segmenter's own */
extern int	srm_sat_stride;		/* the same */
extern int	srm_aggregation;
extern int	srm_truncation;
extern int	srm_max_tokens;
extern int	srm_min_sentence_tokens;	/* -1: the model's own */
extern int	srm_max_sentence_tokens;	/* the same */
extern int	srm_compute;		/* an SrmComputeChoice; SRM_CHOICE_OF_MODEL for "auto" */
extern int	srm_threads;
extern int	srm_prompt_cache;	/* kB */
extern int	srm_workspace;		/* kB */
extern int	srm_training_memory;	/* kB */

/* Makes the settings known to the server; once, as the library is loaded. */
extern void srm_settings_define(void);

/* The absolute path, palloc'd, of a directory that a setting names. */
extern char *srm_settings_path(const char *path);

/* Threads for one call: one in a parallel worker, whose leader has others. */
extern int	srm_settings_threads(void);

#endif							/* SRM_SETTINGS_H */
