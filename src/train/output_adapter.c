/*-------------------------------------------------------------------------
 *
 * output_adapter.c
 *	  Adapters in the format of peft, Hugging Face's library for them.
 *
 *-------------------------------------------------------------------------
 */
#include "train/output.h"

#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "model/adapter.h"
#include "model/config.h"
#include "model/weights.h"
#include "train/continued.h"
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
plan_tensor(Output *output, const char *type, const char *name, const float *values, size_t rows, size_t cols)
{
	char		full[MAX_NAME_SIZE];
	SrmTensorPlan *plan = &output->plans[output->n_plans++];

	snprintf(full, sizeof(full), "base_model.model.%s", name);
	*plan = (SrmTensorPlan) {.n_dims = cols == 0 ? 1 : 2,.data = values};
	plan->type = type;
	plan->name = srm_arena_string(output->arena, full, strlen(full), output->status);
	plan->shape[0] = rows;
	plan->shape[1] = cols;
	return plan->name != NULL;
}

/* The tensor that a map is in the files of the base; NULL where it is one of several of a tensor. */
static const SrmLayerTensor *
find_tensor(const Output *output, SrmWeightNumber weight)
{
	const SrmLayerTensor *tensor = output->base->config->architecture->layer_tensors;

	while (tensor->name != NULL && tensor->weight != weight)
		tensor++;
	return tensor->name == NULL || tensor->fusion != NULL ? NULL : tensor;
}

/* The module of an adapter, which is what its tensor's name says before ".weight". */
static bool
name_module(const Output *output, const SrmAdapter *adapter, char *name)
{
	const SrmLayerTensor *tensor = find_tensor(output, adapter->weight);

	if (tensor == NULL)
	{
		srm_fail(output->status, SRM_NOT_SUPPORTED, "cannot write an adapter of \"%s\", which the base fuses with others",
				 srm_layer_weights[adapter->weight].peft);
		return srm_fail_hint(output->status, "Write a merged model instead.");
	}
	snprintf(name, MAX_NAME_SIZE, "model.%s%zu.%.*s", output->base->config->architecture->layer_prefix, adapter->layer,
			 (int) (strlen(tensor->name) - strlen(".weight")), tensor->name);
	return true;
}

/* An adapter that goes on keeps the type of the first one. */
static const char *
type_of_factors(const Output *output, const SrmAdapter *adapter)
{
	static const char *const types[] = {[SRM_F32] = "F32",[SRM_F16] = "F16",[SRM_BF16] = "BF16"};

	return adapter->start == NULL || output->options->write_f32 ? srm_output_type(output->base, output->options, NULL) :
		types[adapter->start->a.dtype];
}

static bool
plan_adapter(Output *output, const SrmAdapter *adapter)
{
	const float *weights = output->parameters->weights;
	const char *type = type_of_factors(output, adapter);
	char		module[MAX_NAME_SIZE];
	char		name[MAX_NAME_SIZE + sizeof(".lora_A.weight")];

	if (!name_module(output, adapter, module))
		return false;
	snprintf(name, sizeof(name), "%s.lora_A.weight", module);
	if (!plan_tensor(output, type, name, weights + adapter->a, adapter->rank, adapter->base.cols))
		return false;
	snprintf(name, sizeof(name), "%s.lora_B.weight", module);
	return plan_tensor(output, type, name, weights + adapter->b, adapter->base.rows, adapter->rank);
}

/* The head of an adapter that goes on keeps its type, too. */
static const char *
type_of_head(const Output *output)
{
	return srm_output_type(output->base, output->options, output->base->base == NULL ? NULL :
						   srm_weights_find(output->base->weights, "score.weight"));
}

static bool
plan_head(Output *output)
{
	const SrmHead *head = &output->parameters->head;
	const char *type = type_of_head(output);
	size_t		d = head->attention_dim;

	if (!plan_tensor(output, type, "score.weight", head->value_weight, 1, head->dim) ||
		(head->value_bias != output->parameters->no_bias &&
		 !plan_tensor(output, type, "score.bias", head->value_bias, 1, 0)))
		return false;
	return d == 0 ||
		(plan_tensor(output, type, "srm.query.weight", head->query_weight, d, head->dim) &&
		 plan_tensor(output, type, "srm.query.bias", head->query_bias, d, 0) &&
		 plan_tensor(output, type, "srm.key.weight", head->key_weight, d, head->dim) &&
		 plan_tensor(output, type, "srm.key.bias", head->key_bias, d, 0));
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

static bool
append_text(Output *output, SrmJson *list, const char *text)
{
	SrmJson    *node = srm_json_make_string(text, output->arena, output->status);

	if (node != NULL)
		srm_json_append(list, node);
	return node != NULL;
}

/* The last part of a module's name, "q_proj", where all layers have an adapter of it; else each by its name. */
static bool
list_modules(Output *output, SrmWeightNumber weight, SrmJson *list)
{
	const SrmParameters *parameters = output->parameters;
	char		name[MAX_NAME_SIZE];
	size_t		n = 0;

	for (size_t i = 0; i < parameters->n_adapters; i++)
		n += parameters->adapters[i].weight == weight ? 1 : 0;
	for (size_t i = 0; i < parameters->n_adapters; i++)
	{
		if (parameters->adapters[i].weight != weight)
			continue;
		if (!name_module(output, &parameters->adapters[i], name))
			return false;
		if (n == output->base->decoder.n_layers)
			return append_text(output, list, strrchr(name, '.') + 1);
		if (!append_text(output, list, name))
			return false;
	}
	return true;
}

static SrmJson *
list_targets(Output *output)
{
	SrmJson    *list = srm_json_make(SRM_JSON_ARRAY, output->arena, output->status);

	for (int weight = 0; list != NULL && weight < SRM_N_WEIGHTS; weight++)
		if (!list_modules(output, (SrmWeightNumber) weight, list))
			return NULL;
	return list;
}

/* Ranks and alphas that are not those of the options, which an adapter that goes on may have. */
static bool
set_patterns(Output *output, SrmJson *config)
{
	SrmJson    *ranks = srm_json_make(SRM_JSON_OBJECT, output->arena, output->status);
	SrmJson    *alphas = srm_json_make(SRM_JSON_OBJECT, output->arena, output->status);
	char		name[MAX_NAME_SIZE];

	if (ranks == NULL || alphas == NULL)
		return false;
	for (size_t i = 0; i < output->parameters->n_adapters; i++)
	{
		const SrmAdapter *adapter = &output->parameters->adapters[i];
		double		alpha = srm_train_alpha(adapter->scale, adapter->rank);

		if (adapter->start == NULL)
			continue;
		if (!name_module(output, adapter, name) ||
			(adapter->rank != output->options->lora_rank &&
			 !set(output, ranks, name, srm_json_make_int((int64_t) adapter->rank, output->arena, output->status))) ||
			(alpha != output->options->lora_alpha &&
			 !set(output, alphas, name, srm_json_make_double(alpha, output->arena, output->status))))
			return false;
	}
	return (ranks->n == 0 || set(output, config, "rank_pattern", ranks)) &&
		(alphas->n == 0 || set(output, config, "alpha_pattern", alphas));
}

/* The object "srm" of an adapter that goes on begins as the first one's. */
static SrmJson *
begin_settings(Output *output)
{
	SrmModelFiles *files = output->base->files;
	SrmContents contents;
	SrmJson    *root;
	const SrmJson *first = NULL;

	if (files->adapter != NULL)
	{
		if (!srm_files_read(files, SRM_ADAPTER_CONFIG, false, SRM_MAX_CONFIG_SIZE, output->arena, &contents,
							output->status))
			return NULL;
		root = srm_json_parse(contents.data, contents.size, SRM_ADAPTER_CONFIG, output->arena, output->status);
		if (root == NULL)
			return NULL;
		first = srm_json_member(root, "srm");
	}
	return first != NULL && first->type == SRM_JSON_OBJECT ? (SrmJson *) first :
		srm_json_make(SRM_JSON_OBJECT, output->arena, output->status);
}

/* A text of NULL takes a setting away. */
static bool
set_setting(Output *output, SrmJson *object, const char *key, const char *text)
{
	return text == NULL ? srm_json_set(object, key, NULL, output->arena, output->status) :
		set_text(output, object, key, text);
}

/* What says how scores are made, as in a model's config.json. */
static SrmJson *
make_settings(Output *output)
{
	static const char *const dropped[] = {"mean", "std", "agreement", "label"};	/* said of the first one's rewards */
	SrmJson    *object = begin_settings(output);
	size_t		d = output->parameters->head.attention_dim;
	SrmJson    *dim = d == 0 ? NULL : srm_json_make_int((int64_t) d, output->arena, output->status);

	for (size_t i = 0; object != NULL && i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (!set_setting(output, object, dropped[i], NULL))
			return NULL;
	if (object == NULL ||
		!set_setting(output, object, "aggregation", srm_aggregation_name(output->options->aggregation)) ||
		!set_setting(output, object, "boundary", srm_boundary_name(output->options->boundary)) ||
		!set_setting(output, object, "marker_token", output->settings->marker_token) ||
		!set_setting(output, object, "marker_layout",
					 output->settings->marker_token == NULL ? NULL : output->settings->marker_layout) ||
		!srm_json_set(object, "attention_dim", dim, output->arena, output->status) ||
		!set_setting(output, object, "segmenter", output->settings->segmenter) ||
		!set_setting(output, object, "locale", output->settings->locale) ||
		!set_length(output, object, "min_sentence_tokens", output->base->settings.min_sentence_tokens) ||
		!set_length(output, object, "max_sentence_tokens", output->base->settings.max_sentence_tokens))
		return NULL;
	return object;
}

/* The base's name; that of an adapter's base is as the adapter has it. */
static bool
set_base(Output *output, SrmJson *config)
{
	const SrmAdapterConfig *first = output->base->files->adapter;
	const char *slash = strrchr(output->base->directory, '/');
	const char *name = slash == NULL ? output->base->directory : slash + 1;

	if (first != NULL)
		name = first->named == NULL ? first->base : first->named;
	return set_text(output, config, "base_model_name_or_path", name);
}

static bool
write_config(Output *output)
{
	SrmArena   *arena = output->arena;
	SrmStatus  *status = output->status;
	SrmJson    *config = srm_json_make(SRM_JSON_OBJECT, arena, status);
	SrmJson    *saved = srm_json_make(SRM_JSON_ARRAY, arena, status);
	SrmJson    *score = srm_json_make_string("score", arena, status);

	if (config == NULL || saved == NULL || score == NULL)
		return false;
	srm_json_append(saved, score);
	return set_text(output, config, "peft_type", "LORA") &&
		set_text(output, config, "task_type", "SEQ_CLS") &&
		set_base(output, config) &&
		set(output, config, "r", srm_json_make_int((int64_t) output->options->lora_rank, arena, status)) &&
		set(output, config, "lora_alpha", srm_json_make_double(output->options->lora_alpha, arena, status)) &&
		set_patterns(output, config) &&
		set(output, config, "lora_dropout", srm_json_make_double(0.0, arena, status)) &&
		set(output, config, "target_modules", list_targets(output)) &&
		set(output, config, "modules_to_save", saved) &&
		set_text(output, config, "bias", "none") &&
		set(output, config, "inference_mode", srm_json_make(SRM_JSON_TRUE, arena, status)) &&
		set(output, config, "srm", make_settings(output)) &&
		srm_writer_put_json(output->writer, "adapter_config.json", config, status);
}

/* The files of an adapter that has a tokenizer of its own, which one that goes on has, too; else NULL. */
static SrmModelFiles *
own_texts(const SrmModel *base)
{
	return base->files->adapter != NULL && base->files->has_tokenizer ? base->files : NULL;
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
		(own_texts(base) == NULL || srm_writer_copy_texts(output.writer, own_texts(base), stop, status)) &&
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
	if (own_texts(base) != NULL)
		*bytes += srm_writer_text_bytes(base->files->directory);
	for (size_t i = 0; done && i < output.n_plans; i++)
		*bytes += output.plans[i].size;
	srm_arena_free(output.arena);
	return done;
}
