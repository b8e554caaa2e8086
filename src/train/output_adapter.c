/*-------------------------------------------------------------------------
 *
 * output_adapter.c
 *	  Adapters in the layout of peft, Hugging Face's library for them.
 *
 *-------------------------------------------------------------------------
 */
#include "train/output.h"

#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "model/config.h"
#include "write/ownership.h"
#include "write/writer.h"

#define MAX_NAME_SIZE	256
#define N_HEAD_TENSORS	6

typedef struct Output
{
	const SrmModel *base;
	const SrmTrainOptions *options;
	const SrmOutputSettings *settings;
	const SrmParameters *parameters;
	SrmTensorPlan *plans;
	size_t		n_plans;
	SrmWriter  *writer;
	SrmArena   *arena;
	SrmStatus  *status;
} Output;

/* A tensor under peft's name for it: (rows, cols), or (rows) where cols is 0. */
static bool
plan_tensor(Output *output, const char *name, const float *values, size_t rows, size_t cols)
{
	char		full[MAX_NAME_SIZE];
	SrmTensorPlan *plan = &output->plans[output->n_plans++];

	snprintf(full, sizeof(full), "base_model.model.%s", name);
	*plan = (SrmTensorPlan) {.n_dims = cols == 0 ? 1 : 2,.data = values};
	plan->type = srm_output_type(output->base, output->options, NULL);
	plan->name = srm_arena_string(output->arena, full, strlen(full), output->status);
	plan->shape[0] = rows;
	plan->shape[1] = cols;
	return plan->name != NULL;
}

static bool
plan_adapter(Output *output, const SrmAdapter *adapter)
{
	const SrmArchitecture *row = output->base->config->architecture;
	const SrmParameters *parameters = output->parameters;
	const SrmLayerTensor *tensor = row->layer_tensors;
	char		name[MAX_NAME_SIZE];
	int			length;

	while (tensor->name != NULL && tensor->weight != adapter->weight)
		tensor++;
	if (tensor->name == NULL || tensor->packing != NULL)
	{
		srm_fail(output->status, SRM_NOT_SUPPORTED, "cannot write an adapter of \"%s\", which the base packs with others",
				 srm_layer_weights[adapter->weight].peft);
		return srm_fail_hint(output->status, "Write a merged model instead.");
	}
	/* The module is what the tensor's name says before ".weight" */
	length = (int) strlen(tensor->name) - (int) strlen(".weight");
	snprintf(name, sizeof(name), "model.%s%zu.%.*s.lora_A.weight", row->layer_prefix, adapter->layer, length,
			 tensor->name);
	if (!plan_tensor(output, name, parameters->weights + adapter->a, parameters->rank, adapter->base->cols))
		return false;
	snprintf(name, sizeof(name), "model.%s%zu.%.*s.lora_B.weight", row->layer_prefix, adapter->layer, length,
			 tensor->name);
	return plan_tensor(output, name, parameters->weights + adapter->b, adapter->base->rows, parameters->rank);
}

static bool
plan_head(Output *output)
{
	const SrmHead *head = &output->parameters->head;
	size_t		d = head->attention_dim;

	if (!plan_tensor(output, "score.weight", head->value_weight, 1, head->dim) ||
		(head->value_bias != output->parameters->no_bias &&
		 !plan_tensor(output, "score.bias", head->value_bias, 1, 0)))
		return false;
	return d == 0 ||
		(plan_tensor(output, "srm.query.weight", head->query_weight, d, head->dim) &&
		 plan_tensor(output, "srm.query.bias", head->query_bias, d, 0) &&
		 plan_tensor(output, "srm.key.weight", head->key_weight, d, head->dim) &&
		 plan_tensor(output, "srm.key.bias", head->key_bias, d, 0));
}

static bool
plan_tensors(Output *output)
{
	const SrmParameters *parameters = output->parameters;

	output->plans = srm_arena_array(output->arena, 2 * parameters->n_adapters + N_HEAD_TENSORS, sizeof(SrmTensorPlan),
									output->status);
	if (output->plans == NULL)
		return false;
	for (size_t i = 0; i < parameters->n_adapters; i++)
		if (!plan_adapter(output, &parameters->adapters[i]))
			return false;
	return plan_head(output);
}

/* Values of plans in their types: in memory, since adapters are small. */
static bool
convert_tensors(Output *output)
{
	for (size_t i = 0; i < output->n_plans; i++)
	{
		SrmTensorPlan *plan = &output->plans[i];
		size_t		n = plan->shape[0] * (plan->n_dims == 1 ? 1 : plan->shape[1]);
		uint16_t   *halves;

		if (strcmp(plan->type, "F32") == 0)
			continue;
		halves = srm_arena_array(output->arena, n, sizeof(uint16_t), output->status);
		if (halves == NULL)
			return false;
		srm_output_halves(plan->type, plan->data, n, halves);
		plan->data = halves;
	}
	return true;
}

static bool
set(Output *output, SrmJson *object, const char *key, SrmJson *value)
{
	return value != NULL && srm_json_set(object, key, value, output->arena, output->status);
}

static bool
set_text(Output *output, SrmJson *object, const char *key, const char *text)
{
	return text == NULL || set(output, object, key, srm_json_make_string(text, output->arena, output->status));
}

static bool
set_length(Output *output, SrmJson *object, const char *key, size_t n_tokens)
{
	return n_tokens == 0 || set(output, object, key, srm_json_make_int((int64_t) n_tokens, output->arena, output->status));
}

static SrmJson *
list_targets(Output *output)
{
	SrmJson    *list = srm_json_make(SRM_JSON_ARRAY, output->arena, output->status);

	for (int weight = 0; list != NULL && weight < SRM_N_WEIGHTS; weight++)
		for (size_t i = 0; i < output->parameters->n_adapters; i++)
		{
			SrmJson    *text;

			if (output->parameters->adapters[i].weight != (SrmWeightNumber) weight)
				continue;
			text = srm_json_make_string(srm_layer_weights[weight].peft, output->arena, output->status);
			if (text == NULL)
				return NULL;
			srm_json_append(list, text);
			break;
		}
	return list;
}

/* What says how scores are made, as in a model's config.json. */
static SrmJson *
make_settings(Output *output)
{
	SrmJson    *object = srm_json_make(SRM_JSON_OBJECT, output->arena, output->status);
	size_t		d = output->parameters->head.attention_dim;

	if (object == NULL ||
		!set_text(output, object, "aggregation", srm_aggregation_name(output->options->aggregation)) ||
		!set_text(output, object, "boundary", srm_boundary_name(output->options->boundary)) ||
		!set_text(output, object, "marker_token", output->settings->marker_token) ||
		(output->settings->marker_token != NULL &&
		 !set_text(output, object, "marker_layout", output->settings->marker_layout)) ||
		(d > 0 && !set(output, object, "attention_dim",
					   srm_json_make_int((int64_t) d, output->arena, output->status))) ||
		!set_text(output, object, "segmenter", output->settings->segmenter) ||
		!set_text(output, object, "locale", output->settings->locale) ||
		!set_length(output, object, "min_sentence_tokens", output->base->settings.min_sentence_tokens) ||
		!set_length(output, object, "max_sentence_tokens", output->base->settings.max_sentence_tokens))
		return NULL;
	return object;
}

static bool
write_config(Output *output)
{
	SrmArena   *arena = output->arena;
	SrmStatus  *status = output->status;
	SrmJson    *config = srm_json_make(SRM_JSON_OBJECT, arena, status);
	SrmJson    *saved = srm_json_make(SRM_JSON_ARRAY, arena, status);
	SrmJson    *score = srm_json_make_string("score", arena, status);
	const char *name = strrchr(output->base->directory, '/');

	if (config == NULL || saved == NULL || score == NULL)
		return false;
	srm_json_append(saved, score);
	return set_text(output, config, "peft_type", "LORA") &&
		set_text(output, config, "task_type", "SEQ_CLS") &&
		set_text(output, config, "base_model_name_or_path", name == NULL ? output->base->directory : name + 1) &&
		set(output, config, "r", srm_json_make_int((int64_t) output->options->lora_rank, arena, status)) &&
		set(output, config, "lora_alpha", srm_json_make_double(output->options->lora_alpha, arena, status)) &&
		set(output, config, "lora_dropout", srm_json_make_double(0.0, arena, status)) &&
		set(output, config, "target_modules", list_targets(output)) &&
		set(output, config, "modules_to_save", saved) &&
		set_text(output, config, "bias", "none") &&
		set(output, config, "inference_mode", srm_json_make(SRM_JSON_TRUE, arena, status)) &&
		set(output, config, "srm", make_settings(output)) &&
		srm_writer_put_json(output->writer, "adapter_config.json", config, status);
}

bool
srm_output_adapter(const SrmModel *base, const SrmTrainOptions *options, const SrmOutputSettings *settings,
				   const SrmParameters *parameters, const SrmStop *stop, SrmStatus *status)
{
	Output		output = {.base = base,.options = options,.settings = settings,.parameters = parameters,.status = status};
	bool		done;

	output.arena = srm_arena_create(status);
	if (output.arena == NULL)
		return false;
	output.writer = srm_writer_begin(options->output, options->name, options->replace, options->directory_mode, status);
	done = output.writer != NULL && plan_tensors(&output) && convert_tensors(&output) && write_config(&output) &&
		srm_ownership_write(output.writer, &options->owner, status) &&
		srm_writer_put_tensors(output.writer, "adapter_model.safetensors", output.plans, output.n_plans, stop, status) &&
		srm_writer_commit(output.writer, status);
	srm_writer_close(output.writer);
	srm_arena_free(output.arena);
	return done;
}

bool
srm_output_adapter_bytes(const SrmModel *base, const SrmTrainOptions *options, const SrmParameters *parameters,
						 size_t *bytes, SrmStatus *status)
{
	Output		output = {.base = base,.options = options,.parameters = parameters,.status = status};
	SrmBuffer	header;
	bool		done;

	output.arena = srm_arena_create(status);
	if (output.arena == NULL)
		return false;
	done = plan_tensors(&output) && srm_buffer_init(&header, output.arena, 0, status) &&
		srm_safetensors_plan(output.plans, output.n_plans, &header, status);
	*bytes = done ? header.length : 0;
	for (size_t i = 0; done && i < output.n_plans; i++)
		*bytes += output.plans[i].size;
	srm_arena_free(output.arena);
	return done;
}
