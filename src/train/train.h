/*-------------------------------------------------------------------------
 *
 * train.h
 *	  Bradley-Terry training of a reward model on preference pairs.
 *
 *	  loss of a pair = -log sigmoid(R_w - R_l - m) + c (R_w^2 + R_l^2)
 *
 * A trainer is opened on a base model, takes pairs one by one, and is then run step by
 * step; between two calls it holds no frames, so that the caller may commit
 * what it reports.  Nothing under the final name exists before
 * srm_trainer_finish() has renamed it into place.
 *
 *	  open, add ..., begin, step ... until done, finish, close
 *
 * The same base, pairs in the same order, options and processor give the same
 * model file, whatever the number of threads and however often the run was
 * stopped and resumed.  There is no dropout.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_H
#define SRM_TRAIN_H

#include "files/name.h"
#include "write/ownership.h"
#include "reward/reward.h"
#include "score/layout.h"
#include "jinja/template.h"

typedef enum SrmTrainPart
{
	SRM_TRAIN_HEAD,				/* value head and aggregator; the decoder stays as it is */
	SRM_TRAIN_LORA,				/* and low-rank adapters of the decoder's projections */
	SRM_TRAIN_FULL				/* and all of the decoder */
} SrmTrainPart;

/* What to do with a pair that has more tokens than max_tokens. */
typedef enum SrmTrainLong
{
	SRM_TRAIN_LONG_ERROR,
	SRM_TRAIN_LONG_SKIP,
	SRM_TRAIN_LONG_TRUNCATE		/* the prompt loses its beginning; skipped where that is not enough */
} SrmTrainLong;

/* Something that the user should know: what was initialised, skipped, resumed. */
typedef struct SrmNotice
{
	void		(*callback) (void *arg, const char *message);	/* NULL: nobody listens */
	void	   *arg;
} SrmNotice;

/* srm_train_defaults() fills in what is shown in brackets. */
typedef struct SrmTrainOptions
{
	const char *base;			/* directory of a reward model, or of a language model */
	const SrmModelPath *path;	/* where the base of an adapter is looked for, as srm_trainer_open()
								 * does; NULL: beside it [NULL] */
	const char *output;			/* directory in which the new model's directory appears */
	const char *name;			/* of the new model's directory */
	const char *checkpoint;		/* directory for the state of this run, made on demand; NULL: none */
	bool		resume;			/* go on from the checkpoint there; else one that is there is discarded [false] */
	bool		replace;		/* an existing model of the name is replaced, else an error [false] */

	SrmTrainPart part;			/* [full] */
	bool		fresh;			/* the base gives sizes and tokenizer; all weights start anew [false] */
	SrmAggregation aggregation; /* [the base's own: set has_aggregation to say another] */
	bool		has_aggregation;
	SrmBoundary boundary;		/* [the base's own] */
	bool		has_boundary;
	const char *marker_token;	/* NULL: the base's own [NULL] */
	size_t		attention_dim;	/* d of a new aggregator; 0: the base's, or 64 [0] */
	const char *segmenter;		/* a model with its whole digest; NULL: the base's own [NULL] */
	const char *locale;			/* NULL: the base's own [NULL] */

	size_t		lora_rank;		/* r [8] */
	bool		has_lora_rank;	/* said by the user, as the next ones with has_: to be that of an adapter
								 * that training goes on from, whose own counts otherwise */
	double		lora_alpha;		/* adapters are scaled by alpha / r [16] */
	bool		has_lora_alpha;
	const char *lora_targets;	/* "q_proj,v_proj,...", as peft names them; "all": every projection [all] */
	bool		has_lora_targets;
	bool		lora_adapter;	/* write peft's format instead of a merged model; over a base that is an
								 * adapter, its own factors are trained [false] */

	double		epochs;			/* [1] */
	size_t		batch;			/* pairs a step [16] */
	double		learning_rate;	/* at its peak; 0: by part [0] */
	double		warmup;			/* fraction of the steps [0.05] */
	double		final_rate;		/* where the cosine ends, as a fraction of the peak [0.1] */
	double		weight_decay;	/* of matrices; norms and biases have none [0.01] */
	double		beta1;			/* [0.9] */
	double		beta2;			/* [0.98] */
	double		epsilon;		/* [1e-8] */
	double		clip;			/* greatest norm of the gradient; 0: any [1] */
	double		margin;			/* m, where a pair says none [0] */
	double		penalty;		/* c [0] */
	double		value_scale;	/* the base's value head times this: for another aggregation [1] */

	double		held_out;		/* fraction of the prompts that are only evaluated [0.05] */
	uint64_t	seed;			/* of split, order and initial weights [1] */
	size_t		evaluate_every; /* steps; 0: at the end of an epoch [0] */
	size_t		patience;		/* evaluations without a better held-out accuracy, then the run ends
								 * with the best weights; 0: never, and the last weights [0] */

	int			n_threads;		/* [1] */
	size_t		memory_limit;	/* bytes; 0: none [0] */
	size_t		max_tokens;		/* of one conversation; 0: the model's own [0] */
	SrmTrainLong too_long;		/* [truncate] */
	size_t		checkpoint_seconds; /* time between checkpoints, written behind a step [300] */
	bool		write_f32;		/* weights as f32, not in the base's type [false] */
	const char *prepared;		/* directory of prepared weights, for SRM_TRAIN_HEAD; NULL: in memory [NULL] */
	unsigned	directory_mode; /* of directories that are made; files have it without execution [0700] */
	SrmOwner	owner;			/* of the model and its checkpoints [nobody] */

	SrmNotice	notice;
} SrmTrainOptions;

typedef struct SrmTrainPair
{
	const SrmMessage *prompt;	/* (n_prompt) the messages before the response */
	size_t		n_prompt;
	SrmMessage	chosen;
	SrmMessage	rejected;
	bool		has_margin;		/* margin counts, not that of the options */
	double		margin;
	double		weight;			/* factor of the pair's loss, finite and not negative; 1 as a rule */
	uint64_t	row;			/* the caller's number, for messages */
} SrmTrainPair;

/* What is known once the pairs are in. */
typedef struct SrmTrainPlan
{
	size_t		n_pairs;		/* added, but for those skipped */
	size_t		n_skipped;		/* too long, or with two responses of the same tokens */
	size_t		n_train;
	size_t		n_held_out;
	uint64_t	n_steps;
	uint64_t	run;			/* that a resumed run was given before it was stopped; 0 otherwise */
	uint64_t	first_step;		/* the step that a resumed run goes on with; 1 otherwise */
	uint64_t	first_report;	/* the step that is reported first: the one before where only
								 * its evaluation is missing */
	size_t		n_parameters;	/* that are trained */
	size_t		memory;			/* bytes that the run needs */
	size_t		fast_memory;	/* that it would take to keep the states of all layers, which it computes twice; 0: it keeps them */
} SrmTrainPlan;

/* What a step came to. */
typedef struct SrmTrainReport
{
	uint64_t	step;			/* from 1 on; 0 is none */
	uint64_t	n_steps;
	double		epoch;			/* passes over the training pairs so far */
	double		loss;			/* mean of the step's pairs */
	double		accuracy;		/* of the step's pairs, before the step; ties count half */
	bool		evaluated;		/* the next two are of this step */
	double		held_out_accuracy;	/* of the last evaluation; NaN before the first */
	double		held_out_loss;
	double		best_accuracy;	/* held-out; NaN before the first evaluation */
	double		learning_rate;
	double		gradient_norm;	/* before clipping */
	double		tokens_per_second;	/* of this run so far, evaluation left out */
	double		seconds_left;	/* of the run, by the pace so far */
	bool		done;			/* this was the last step */
	bool		stopped_early;	/* by patience */
	const SrmStatus *unsaved;	/* why a checkpoint could not be written, until the next call; NULL:
								 * it could, or it was not time */
} SrmTrainReport;

typedef struct SrmTrainer SrmTrainer;

/* What training does where nothing is said. */
extern void srm_train_defaults(SrmTrainOptions *options);

/* "head", "lora", "full" */
extern bool srm_train_part_find(const char *name, SrmTrainPart *part);

/*
 * Opens the base model.  The options and their strings are copied.  NULL, with
 * the status set, where an option is out of its range (SRM_INVALID_ARGUMENT),
 * or does not suit the model.
 */
extern SrmTrainer *srm_trainer_open(const SrmTrainOptions *options, const SrmStop *stop,
									SrmStatus *status);
extern void srm_trainer_close(SrmTrainer *trainer); /* NULL is allowed */

/* What it cuts by: that of the options or the base, good as long as the trainer. */
extern const char *srm_trainer_segmenter(const SrmTrainer *trainer);

/*
 * What a segmenter "sat:NAME@DIGEST" asks for ends of sentences; to be set before pairs are added, and to stay
 * as long as they are.
 */
extern void srm_trainer_set_splitter(SrmTrainer *trainer, const SrmSplitter *splitter);

/*
 * Tokenizes a pair and keeps the tokens; nothing of the pair is needed
 * afterwards.  A pair that cannot be used is skipped and counted, or
 * an error, as the options say; errors name its row.
 */
extern bool srm_trainer_add(SrmTrainer *trainer, const SrmTrainPair *pair,
							const SrmStop *stop, SrmStatus *status);

/*
 * Splits the pairs, computes the memory that the run needs and checks it
 * (SRM_LIMIT_EXCEEDED), reads the checkpoint where the options say so
 * (SRM_INVALID_ARGUMENT where it belongs to other options, pairs or base), checks the space
 * on the disk (SRM_FILE_ACCESS with ENOSPC), and, for SRM_TRAIN_HEAD,
 * computes the states of all pairs.  At least one pair must be left to train on.
 * Once all of this has gone well, a checkpoint that is not resumed from is removed.
 */
extern bool srm_trainer_begin(SrmTrainer *trainer, SrmTrainPlan *plan,
							  const SrmStop *stop, SrmStatus *status);

/* The caller's number of the run, which its checkpoints keep. */
extern void srm_trainer_set_run(SrmTrainer *trainer, uint64_t run);

/*
 * One step: a batch of pairs forth and back, an update, and where it is time
 * an evaluation and a checkpoint.  Not to be called once done was reported.
 *
 * A checkpoint that cannot be written does not end the run: the report says why, and the
 * one before stays.  After SRM_STOPPED the weights are those behind the last complete step; a
 * checkpoint of them has been written, or the report says why not.  A loss or gradient that is not
 * finite is SRM_INVALID_ARGUMENT; the message names the step and the pair's row.
 */
extern bool srm_trainer_step(SrmTrainer *trainer, SrmTrainReport *report,
							 const SrmStop *stop, SrmStatus *status);

/*
 * Writes a checkpoint of the state behind the last complete step now, if there is none
 * of it.  It only computes and writes files, so that it may be called while a process ends.
 */
extern bool srm_trainer_save(SrmTrainer *trainer, SrmStatus *status);

/* The step behind which the checkpoint on disk stands; 0: there is none of this run. */
extern uint64_t srm_trainer_saved_step(const SrmTrainer *trainer);

/*
 * Writes the model as it is now, or as it was at its best where there is patience,
 * and renames it into place; removes the checkpoint.
 */
extern bool srm_trainer_finish(SrmTrainer *trainer, const SrmStop *stop, SrmStatus *status);

/* Bytes that the trainer holds now. */
extern size_t srm_trainer_bytes(const SrmTrainer *trainer);

#endif							/* SRM_TRAIN_H */
