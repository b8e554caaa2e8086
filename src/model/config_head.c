/*-------------------------------------------------------------------------
 *
 * config_head.c
 *	  The head of a model, as config.json says it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config.h"

#define DEFAULT_GATE_TEMPERATURE	10.0

/* The names of the first labels, for messages. */
static bool
name_labels(SrmConfigReader *reader, const SrmJson *list)
{
	SrmLabels  *labels = &reader->config->labels;
	char		names[400];
	size_t		length = 0;
	size_t		i = 0;

	for (const SrmJson *label = list->child; label != NULL && i < 8; label = label->next)
	{
		const char *name = srm_json_string(label);
		int			n = snprintf(names + length, sizeof(names) - length, "%s\"%.40s\"",
								 i == 0 ? "" : ", ", name == NULL ? label->key : name);

		length += n < 0 ? 0 : (size_t) n;
		i++;
	}
	if (labels->n > i)
		snprintf(names + length, sizeof(names) - length, ", and others");
	labels->names = srm_arena_string(reader->arena, names, strlen(names), reader->status);
	return labels->names != NULL;
}

/* The number of a label that goes by that name or number, or -1. */
static int
find_label(const SrmLabels *labels, const SrmJson *list, const char *text)
{
	char	   *end;
	long		number = strtol(text, &end, 10);
	bool		is_number = end != text && *end == '\0' && number >= 0 && number < MAX_DIM;

	for (const SrmJson *label = list == NULL ? NULL : list->child; label != NULL; label = label->next)
	{
		const char *name = srm_json_string(label);

		if (name != NULL && strcmp(name, text) == 0)
		{
			number = strtol(label->key, &end, 10);
			is_number = end != label->key && *end == '\0' && number >= 0;
			break;
		}
	}
	return is_number && (labels->n == 0 || (size_t) number < labels->n) ? (int) number : -1;
}

/* "label" or "minus" in the object "srm": the name or the number of a label; *chosen stays -1 without. */
static bool
choose_label(SrmConfigReader *reader, const SrmJson *list, const char *key, int *chosen)
{
	const SrmLabels *labels = &reader->config->labels;
	const SrmJson *wanted = srm_json_member(srm_json_member(reader->root, "srm"), key);

	*chosen = -1;
	if (wanted == NULL)
		return true;
	if (wanted->text != NULL)
		*chosen = find_label(labels, list, wanted->text);
	if (*chosen >= 0)
		return true;
	srm_fail(reader->status, SRM_INVALID_MODEL, "\"%s\" names no label of the model", key);
	if (labels->names != NULL)
		srm_fail_detail(reader->status, "The labels are %s.", labels->names);
	return false;
}

bool
srm_config_read_labels(SrmConfigReader *reader)
{
	const SrmJson *list = srm_json_member(reader->root, "id2label");
	SrmLabels  *labels = &reader->config->labels;

	/* transformers writes neither for two labels, its default: then the tensor tells */
	labels->n = 0;
	if (srm_json_member(reader->root, "num_labels") != NULL &&
		!srm_config_get_size(reader, "num_labels", MAX_DIM, 1, &labels->n))
		return false;
	if (list != NULL && list->type == SRM_JSON_OBJECT)
	{
		labels->n = list->n;
		if (!name_labels(reader, list))
			return false;
	}
	else
		list = NULL;
	if (!choose_label(reader, list, "label", &labels->chosen) ||
		!choose_label(reader, list, "minus", &labels->minus))
		return false;
	if (reader->config->architecture->is_segmenter)
		labels->chosen = 0;
	if (labels->minus >= 0 && labels->chosen < 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "\"minus\" is given without \"label\"");
	return true;
}

static bool
ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* Tokens that decide where a value is read. */
static bool
read_token_ids(SrmConfigReader *reader, SrmHeadConfig *head)
{
	const SrmJson *settings = srm_json_member(reader->root, "srm");
	int64_t		id;

	head->pad_id = -1;
	if (ends_with(reader->config->name, "ForSequenceClassification") &&
		!srm_json_get_int(reader->root, "pad_token_id", -1, MAX_VOCAB_SIZE, -1, &head->pad_id,
						  reader->status))
		return false;
	return srm_json_get_int(reader->root, "reward_token_id", 0, MAX_VOCAB_SIZE, -1, &id,
							reader->status) &&
		srm_json_get_int(settings, "reward_token_id", 0, MAX_VOCAB_SIZE, id,
						 &head->reward_token_id, reader->status);
}

/*
 * Whether the head labels steps.  A class that labels tokens does, as trl trains process reward models,
 * where the configuration says which token ends a step: no file of transformers does.
 */
static bool
find_steps(SrmConfigReader *reader, bool *is_of_steps)
{
	const char *name = reader->config->name;
	bool		is_of_tokens = ends_with(name, "ForTokenClassification") && reader->config->labels.chosen < 0;

	*is_of_steps = is_of_tokens || strstr(name, "ProcessReward") != NULL;
	/* Its head has the names of a cross-encoder's, and is another */
	if (reader->config->architecture->pair_template != NULL && ends_with(name, "ForTokenClassification"))
	{
		srm_config_fail_support(reader, "model class", name);
		srm_fail_detail(reader->status, "It labels tokens, each of which sees those behind it.");
		return srm_fail_key(reader->status, "architectures");
	}
	if (!is_of_tokens || srm_json_member(srm_json_member(reader->root, "srm"), "marker_token") != NULL)
		return true;
	srm_config_fail_support(reader, "model class", name);
	srm_fail_detail(reader->status, "It labels tokens: as a process reward model, those that end a step.");
	srm_fail_key(reader->status, "architectures");
	return srm_fail_hint(reader->status, "Name what ends a step by \"marker_token\", or a label that is a reward at the last token by \"label\", in the object \"srm\" of config.json.");
}

/* What may stand between the maps of a cross-encoder. */
static const struct
{
	const char *name;
	SrmStackActivation activation;
}			known_activations[] = {
	{"gelu", SRM_STACK_GELU}, {"gelu_python", SRM_STACK_GELU}, {"tanh", SRM_STACK_TANH}, {"relu", SRM_STACK_RELU},
};

#define N_ACTIVATIONS	(sizeof(known_activations) / sizeof(known_activations[0]))

/* What stands between the maps of a cross-encoder, and which states it reads. */
static bool
read_pair_head(SrmConfigReader *reader, SrmHeadConfig *head)
{
	const SrmArchitecture *row = reader->config->architecture;
	const char *pooling = "cls";
	const char *name = "tanh";
	size_t		i = 0;

	if ((row->head_activation_key != NULL &&
		 !srm_json_get_string(reader->root, row->head_activation_key, row->head_activation, &name, reader->status)) ||
		(row->pooling_key != NULL &&
		 !srm_json_get_string(reader->root, row->pooling_key, pooling, &pooling, reader->status)))
		return false;
	while (i < N_ACTIVATIONS && strcmp(name, known_activations[i].name) != 0)
		i++;
	if (i == N_ACTIVATIONS)
	{
		srm_config_fail_support(reader, "activation", name);
		return srm_fail_key(reader->status, row->head_activation_key);
	}
	head->activation = known_activations[i].activation;
	head->pools_mean = strcmp(pooling, "mean") == 0;
	if (head->pools_mean || strcmp(pooling, "cls") == 0)
		return true;
	srm_config_fail_support(reader, "pooling", pooling);
	return srm_fail_key(reader->status, row->pooling_key);
}

/*
 * Settings of the classes that models bring along: the gate of ArmoRM and
 * QRM, the normaliser of the beaver models.
 */
bool
srm_config_read_head(SrmConfigReader *reader)
{
	SrmHeadConfig *head = &reader->config->head;
	const char *type;
	bool		normalizes;

	if (!find_steps(reader, &head->is_of_steps))
		return false;
	if (!read_token_ids(reader, head) || !read_pair_head(reader, head) ||
		!srm_config_get_positive(reader, reader->root, "gating_temperature", DEFAULT_GATE_TEMPERATURE,
					  &head->gate_temperature) ||
		!srm_json_get_bool(reader->root, "do_normalize", false, &normalizes, reader->status) ||
		!srm_json_get_string(reader->root, "score_type", "reward", &type, reader->status))
		return false;
	head->subtracts_mean = normalizes && strcmp(type, "reward") == 0;
	head->divides_by_std = head->subtracts_mean || (normalizes && strcmp(type, "cost") == 0);
	return true;
}
