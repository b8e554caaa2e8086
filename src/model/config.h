/*-------------------------------------------------------------------------
 *
 * config.h
 *	  What config.json says.
 *
 * Absent members have the values that transformers gives them; what the
 * decoder cannot do is an error that names it.  What does not concern a
 * reward is not looked at: "final_logit_softcapping", "tie_word_embeddings",
 * and tokens that only a generation or a batch has use for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CONFIG_H
#define SRM_CONFIG_H

#include "base/json.h"
#include "model/architecture.h"
#include "files/directory.h"
#include "model/contents.h"
#include "nn/stack.h"

/* What the outputs of a head stand for. */
typedef struct SrmLabels
{
	size_t		n;				/* 0: as many as the head's weight has rows */
	const char *names;			/* for messages: "bad", "good"; NULL where not given */
	int			chosen;			/* the one that is the reward, -1: none was chosen */
	int			minus;			/* one whose value is taken off that, -1: none */
} SrmLabels;

/* What a checkpoint's own settings say about its head. */
typedef struct SrmHeadConfig
{
	bool		is_of_steps;	/* two labels at the end of each step */
	int64_t		reward_token_id;	/* -1 where there is none */
	int64_t		pad_id;			/* looked for by *ForSequenceClassification alone; or -1 */
	double		gate_temperature;
	bool		subtracts_mean; /* the value is normalised by the checkpoint's mean, */
	bool		divides_by_std; /* and by its variance */
	SrmStackActivation activation;	/* of a cross-encoder's, between its maps */
	bool		pools_mean;		/* it reads the mean of all states, not the first one */
} SrmHeadConfig;

typedef struct SrmConfig
{
	const SrmArchitecture *architecture;
	const char *name;			/* of the class: "LlamaForSequenceClassification" */
	SrmDecoder	decoder;		/* its numbers; the weights are NULL */
	SrmLayer   *layers;			/* (n_layers): what they are besides weights, which are NULL */
	SrmLabels	labels;
	SrmHeadConfig head;
	bool		features[SRM_N_FEATURES];	/* which of them the layers have */
	bool		has_token_types;
	bool		norms_relative; /* the embeddings of relative positions are normed */
	size_t		max_tokens;
	size_t		attention_dim;	/* of the aggregator; 0 where it is not given */
	SrmModelSettings settings;
} SrmConfig;

#define SRM_CONFIG_FILE		"config.json"
#define SRM_MAX_CONFIG_SIZE	((size_t) 1024 * 1024)
#define SRM_MIN_MAX_TOKENS	16

/*
 * The config.json of a model directory as a tree in the arena; path, unless NULL, gets that of the
 * file.  Of an adapter it is its base's, with its own object "srm" laid over that of the base,
 * member by member.
 */
extern SrmJson *srm_config_tree(SrmModelFiles *files, const char **path, SrmArena *arena,
								SrmStatus *status);

/* Reads the config.json of a model directory, or that tree; what config points to lies in the arena. */
extern bool srm_config_open(SrmConfig *config, SrmModelFiles *files, SrmArena *arena,
							SrmStatus *status);

/*
 * Reads the contents of a config.json.  path is for messages; what config
 * points to lies in the arena.
 */
extern bool srm_config_read(SrmConfig *config, const char *path,
							const char *json, size_t length,
							SrmArena *arena, SrmStatus *status);

#endif							/* SRM_CONFIG_H */
