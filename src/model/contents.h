/*-------------------------------------------------------------------------
 *
 * contents.h
 *	  What a model directory holds, once it is opened.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CONTENTS_H
#define SRM_CONTENTS_H

#include <stdint.h>

#include "base/arena.h"
#include "jinja/template.h"
#include "model/digest.h"
#include "nn/decoder.h"
#include "nn/stack.h"
#include "tokenizer/tokenizer.h"

/* Which arithmetic is asked for: a kind, with the value of its SrmCompute, or what leaves that open. */
typedef enum SrmComputeChoice
{
	SRM_CHOICE_PLAIN = -3,		/* weights as they are in the files: slower, and in f32 */
	SRM_CHOICE_OF_MODEL = -2,	/* what the model's settings say */
	SRM_CHOICE_AUTO = -1,		/* what keeps the weights as published, see kernel/pack.h */
	SRM_CHOICE_F32 = SRM_COMPUTE_F32,
	SRM_CHOICE_BF16 = SRM_COMPUTE_BF16,
	SRM_CHOICE_INT8 = SRM_COMPUTE_INT8,
	SRM_CHOICE_W8 = SRM_COMPUTE_W8
} SrmComputeChoice;

/* How to open a model. */
typedef struct SrmModelOptions
{
	SrmComputeChoice compute_choice;
	const char *prepared;		/* directory of prepared weights; NULL: in memory */
	unsigned	mode;			/* of that directory, if it has to be made */
	bool		base;			/* to be trained: the value head and the aggregator may be missing */
	size_t		memory_limit;	/* bytes of weights in this process's memory; 0: none */
	const SrmModelPath *path;	/* where an adapter's base is looked for; NULL: beside it */
} SrmModelOptions;

/* The weights of the layers as products read them. */
typedef struct SrmPrepared
{
	const char *compute_name;	/* "f32", "bf16", "int8", "w8" or "mixed"; NULL: not prepared */
	size_t		bytes;
	bool		is_private;		/* in this process's memory, not in a file */
	SrmStatus	problem;		/* why it is, where a directory was given */
	char		digest[SRM_DIGEST_LENGTH + 1];	/* of the model, if the file tells; "" */
	void	   *data;			/* (bytes) the mapping, or NULL */
	const struct SrmPreparedPlan *plan; /* what a file holds */
	void	   *tokenizer;		/* (tokenizer_bytes) that of the tokenizer's tables, or NULL */
	size_t		tokenizer_bytes;
} SrmPrepared;

#define SRM_MARKER_LAYOUT_PAPER	"paper" /* none between the last sentence and the terminator */
#define SRM_MARKER_LAYOUT_0_1	"0.1"	/* one there, too */

/* How far scores of a copy in 8 bits agreed with those of its source on some pairs. */
typedef struct SrmAgreement
{
	size_t		n_pairs;		/* 0: it was not measured */
	size_t		n_flips;		/* pairs of which one form prefers the other response, or neither */
	double		rank_correlation;	/* Spearman's, over all scores; 1 where all are the same in both */
	double		largest_difference; /* of two scores of one response */
} SrmAgreement;

/* The object "srm" of config.json; absent members have the defaults shown. */
typedef struct SrmModelSettings
{
	const char *aggregation;	/* "last" */
	const char *boundary;		/* "offset" */
	const char *marker_token;	/* NULL */
	const char *marker_layout;	/* one of those below: where markers stand */
	const char *gate_pattern;	/* NULL: text whose tokens begin where a gate is read */
	const char *segmenter;		/* "icu" */
	const char *locale;			/* "" */
	const char *truncation;		/* "error" */
	size_t		min_sentence_tokens;	/* 0: no limit */
	size_t		max_sentence_tokens;	/* 0: no limit */
	const char *chat_template;	/* NULL: that of the tokenizer */
	const char *template_date;	/* what a chat template takes for today */
	const char *template_variables; /* NULL: a JSON object of what it may ask for besides */
	const char **response_roles;	/* (n_response_roles) roles of responses that it does not name */
	size_t		n_response_roles;
	double		threshold;		/* of a segmenter: of the probability that a sentence ends; */
	size_t		stride;			/* and tokens from one chunk to the next */
	SrmComputeChoice compute_choice;	/* SRM_CHOICE_AUTO or a kind */
	const char *quantization;	/* NULL, or "int8" or "w8": maps of the layers have scales */
	SrmAgreement agreement;
	bool		has_scale;		/* mean and std are given */
	double		mean;
	double		std;			/* positive */
} SrmModelSettings;

/* The aggregator of design section 1; dim 0 and NULL where the model has none. */
typedef struct SrmModelAttention
{
	size_t		dim;			/* d, even */
	const float *query_weight;	/* (d, dim) */
	const float *query_bias;	/* (d) */
	const float *key_weight;	/* (d, dim) */
	const float *key_bias;		/* (d) */
} SrmModelAttention;

/*
 * A head that is more than a linear map; its formulas stand in reward/head.h.
 * value.n is 0 where the model has value_weight instead.
 */
typedef struct SrmModelHead
{
	SrmStack	value;			/* 1 output; as many as the gate's; or 2 of steps */
	SrmGate		gate;			/* gate.stack.n 0: none */
	const int32_t *gate_tokens; /* (n_gate_tokens) */
	size_t		n_gate_tokens;	/* 0: the gate reads where the value is read */
	bool		is_of_steps;	/* values are probabilities of single sentences */
	bool		is_of_pairs;	/* a cross-encoder's: the value of prompt and response is read at the first token, */
	bool		pools_mean;		/* or from the mean of all states */
} SrmModelHead;

typedef struct SrmModel
{
	const char *directory;
	const char *base;			/* of an adapter, the name of what it adapts; else NULL */
	const char *architecture;	/* "LlamaForSequenceClassification" */
	const char *dtype;			/* of most weights: "float32", "float16", "bfloat16", "int8" */
	uint64_t	n_parameters;
	size_t		max_tokens;		/* max_position_embeddings, or less where "srm" says so */
	size_t		mapped_bytes;	/* shared with other processes */
	SrmDecoder	decoder;
	const float *value_weight;	/* (dim), or NULL: see head */
	float		value_bias;		/* 0 where the model has none */
	SrmModelHead head;
	SrmModelAttention attention;
	SrmModelSettings settings;
	int32_t		marker_id;		/* token id of marker_token; -1 where there is none */
	int32_t		reward_token_id;	/* ends a conversation, and is read; -1: none */
	int32_t		pad_id;			/* not read at the end of a conversation; -1: none */
	bool		types_pairs;	/* tokens from the response on have the second type */
	bool		is_base;		/* value_weight may be NULL, too */
	SrmTokenizer *tokenizer;
	SrmTemplate *chat_template; /* NULL where the model has none */
	SrmTemplateVariables variables; /* tokens as the template may ask for them */
	SrmArena   *arena;			/* owns all of the above */
	struct SrmModelFiles *files;	/* what identifies them, and where they are */
	const struct SrmConfig *config;
	const struct SrmWeights *weights;	/* the tensors, to be loaded from files */
	SrmPrepared prepared;
} SrmModel;

#endif							/* SRM_CONTENTS_H */
