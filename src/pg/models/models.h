/*-------------------------------------------------------------------------
 *
 * models.h
 *	  Models by name, and those that this backend has open.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MODELS_H
#define SRM_MODELS_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "pg/call.h"
#include "score/scorer.h"

/* An open model. */
typedef struct SrmOpenModel
{
	char	   *name;
	char	   *directory;
	SrmComputeChoice compute_choice;	/* as it was asked for */
	SrmScorer  *scorer;
	TimestampTz opened_at;
	double		load_ms;
	char		digest[SRM_DIGEST_LENGTH + 1];	/* "" until somebody asks */
	uint64		last_use;
	TimestampTz checked_statement;	/* in which the files were last looked at */
	LocalTransactionId checked_transaction;
	char	   *checked_path;	/* srm.model_path then */
	struct SrmOpenModel *next;
} SrmOpenModel;

/*
 * Opens a model "name" or "name@digest", or finds it open; one whose files
 * were replaced before the statement began is opened anew.  choice is SRM_CHOICE_OF_MODEL for functions
 * that follow the model alone, and srm_compute for those that follow the settings.
 * Raises an error if there is none.  The result is good until the next call.
 */
extern SrmOpenModel *srm_models_open(SrmCall *call, const char *name, SrmComputeChoice choice);

/*
 * The directory, palloc'd, of a model "name" or "name@digest", which need not be one
 * that can score: a language model to train from.  Raises an error if there is none.
 */
extern char *srm_models_resolve(SrmCall *call, const char *name);

/* A name leads to other files from now on, in the statement at hand, too. */
extern void srm_models_forget_checked(const char *name);

/* The digest of an open model, computed at most once. */
extern const char *srm_models_digest(SrmCall *call, SrmOpenModel *model);

/* Raises an error unless digits are well formed and the beginning of a model's digest. */
extern void srm_models_check_digest(const char *name, const char *digits, const char *digest);

/*
 * The digest of a model's directory, SRM_DIGEST_LENGTH + 1 bytes, if this session knows it or
 * finds it quickly.  False if not, or if the call's status says why.
 */
extern bool srm_models_known_digest(SrmCall *call, const char *directory, char *digest);

/* Opens the models of srm.preload_models; what cannot be opened is a warning. */
extern void srm_models_preload(const char *names);

/* The directories of srm.model_path, palloc'd. */
extern void srm_models_path(SrmModelPath *path);

/* The names that can be opened, sorted, as palloc'd cstrings. */
extern List *srm_models_list(void);

/* The directory of a model, palloc'd, or NULL. */
extern char *srm_models_find_directory(const char *name);

/* The open model of a directory that was used last, or NULL. */
extern SrmOpenModel *srm_models_find_open(const char *directory);

/* Parameters of the model of that name, if this session has it open; else 0. */
extern uint64 srm_models_parameters(const char *name);

#endif							/* SRM_MODELS_H */
