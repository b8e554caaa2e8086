/*-------------------------------------------------------------------------
 *
 * adapter_weights.c
 *	  The tensors of a model, or those of an adapter over those of its base.
 *
 *-------------------------------------------------------------------------
 */
#include "model/adapter_weights.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/bind_head.h"

#define A_SUFFIX		".lora_A.weight"
#define B_SUFFIX		".lora_B.weight"
#define MAX_NAME_SIZE	512

typedef struct Layering
{
	SrmWeights *weights;		/* the base's, and then the model's */
	const SrmAdapterConfig *config;
	SrmTensor  *tensors;		/* (n) the adapter's, under the names that the base would have */
	size_t		n;
	SrmMap		names;			/* of the tensors */
	bool		has_head;
	SrmArena   *arena;
	SrmStatus  *status;
} Layering;

/* Length of a name without a suffix; 0 where it ends otherwise. */
static size_t
stem_length(const char *name, const char *suffix)
{
	size_t		length = strlen(name);
	size_t		n = strlen(suffix);

	return length > n && strcmp(name + length - n, suffix) == 0 ? length - n : 0;
}

static bool
is_aggregator(const char *name)
{
	return strncmp(name, "srm.", strlen("srm.")) == 0;
}

/* Adds the tensors of a file, under their names in a model alone. */
static bool
list_tensors(Layering *layering, const SrmSafetensors *file)
{
	layering->tensors = srm_arena_grow(layering->arena, layering->tensors, layering->n, layering->n + file->n,
									   sizeof(SrmTensor), layering->status);
	if (layering->tensors == NULL)
		return false;
	for (size_t i = 0; i < file->n; i++)
	{
		SrmTensor  *tensor = &layering->tensors[layering->n];
		const char *name = srm_weights_unwrap(file->tensors[i].name, layering->arena, layering->status);

		if (layering->status->code != SRM_OK)
			return false;
		*tensor = file->tensors[i];
		tensor->name = name == NULL ? tensor->name : name;
		if (srm_map_get(&layering->names, tensor->name, strlen(tensor->name)) >= 0)
			return srm_fail(layering->status, SRM_INVALID_MODEL, "tensor \"%s\" of an adapter occurs twice in \"%s\"",
							tensor->name, tensor->path);
		if (!srm_map_put(&layering->names, tensor->name, strlen(tensor->name), (int32_t) layering->n++,
						 layering->status))
			return false;
	}
	return true;
}

/* Both files of an adapter's directory that may have tensors. */
static bool
open_files(Layering *layering, SrmModelFiles *files)
{
	SrmSafetensors file;
	bool		found;

	if (!srm_map_init(&layering->names, 0, layering->arena, layering->status) ||
		!srm_weights_open_file(&file, files, SRM_ADAPTER_WEIGHTS, true, &found, layering->arena, layering->status))
		return false;
	if (!found)
	{
		srm_fail_file(layering->status, ENOENT, "could not find model file \"%s/%s\"", files->directory,
					  SRM_ADAPTER_WEIGHTS);
		return srm_fail_hint(layering->status, "Adapters are read from safetensors files only.");
	}
	return list_tensors(layering, &file) &&
		srm_weights_open_file(&file, files, SRM_HEAD_FILE, true, &found, layering->arena, layering->status) &&
		(!found || list_tensors(layering, &file));
}

/* The base's tensor of a module, which may have "model." before it where the other has not; or NULL. */
static SrmTensor *
find_adapted(const Layering *layering, const char *module)
{
	static const char model[] = "model.";
	bool		has_prefix = strncmp(module, model, strlen(model)) == 0;

	for (int i = 0; i < 2; i++)
	{
		char		name[MAX_NAME_SIZE];
		int32_t		index;

		/* A name cut off is that of no tensor */
		snprintf(name, sizeof(name), "%s%s.weight", i == 0 || has_prefix ? "" : model,
				 i == 1 && has_prefix ? module + strlen(model) : module);
		index = srm_map_get(&layering->weights->names, name, strlen(name));
		if (index >= 0)
			return &layering->weights->tensors[index];
	}
	return NULL;
}

static bool
fail_tensor(Layering *layering, const SrmTensor *tensor, const char *problem)
{
	return srm_fail(layering->status, SRM_INVALID_MODEL, "tensor \"%s\" of adapter file \"%s\" %s", tensor->name,
					tensor->path, problem);
}

static bool
check_type(Layering *layering, const SrmTensor *tensor)
{
	if (!tensor->is_weight)
		return fail_tensor(layering, tensor, "is not of type F32, F16 or BF16");
	return (uintptr_t) tensor->data % srm_dtype_size(tensor->dtype) == 0 ||
		fail_tensor(layering, tensor, "is not aligned");
}

static bool
check_shapes(Layering *layering, const SrmTensor *a, const SrmTensor *b, const SrmTensor *base, double rank)
{
	if (a->n_dims != 2 || b->n_dims != 2 || base->n_dims != 2)
		return fail_tensor(layering, a, "or its counterpart is no matrix, or adapts none");
	if (a->shape[1] == base->shape[1] && b->shape[0] == base->shape[0] && a->shape[0] == b->shape[1] &&
		(double) a->shape[0] == rank)
		return true;
	fail_tensor(layering, a, "or its counterpart has a wrong shape");
	return srm_fail_detail(layering->status, "They are (%zu, %zu) and (%zu, %zu), for a weight (%zu, %zu) and a rank of %g.",
						   a->shape[0], a->shape[1], b->shape[0], b->shape[1], base->shape[0], base->shape[1], rank);
}

/* A factor (rank, cols) and its counterpart, as a change of the base's tensor. */
static bool
take_pair(Layering *layering, const SrmTensor *a, size_t stem)
{
	SrmTensorChange *change = srm_arena_array(layering->arena, 1, sizeof(SrmTensorChange), layering->status);
	char	   *module = srm_arena_alloc(layering->arena, stem + sizeof(B_SUFFIX), layering->status);
	int32_t		other;
	SrmTensor  *base;

	if (change == NULL || module == NULL)
		return false;
	snprintf(module, stem + sizeof(B_SUFFIX), "%.*s" B_SUFFIX, (int) stem, a->name);
	other = srm_map_get(&layering->names, module, strlen(module));
	if (other < 0)
		return fail_tensor(layering, a, "has no counterpart");
	module[stem] = '\0';
	base = find_adapted(layering, module);
	if (base == NULL || base->change != NULL)
	{
		fail_tensor(layering, a, base == NULL ? "adapts nothing that its base has" : "adapts what another one does");
		return srm_fail_detail(layering->status, "The base is \"%s\".", layering->config->base);
	}
	change->a = a;
	change->b = &layering->tensors[other];
	change->scale = (float) srm_adapter_scale(layering->config, module);
	base->change = change;
	return check_type(layering, a) && check_type(layering, change->b) &&
		check_shapes(layering, a, change->b, base, srm_adapter_rank(layering->config, module));
}

static bool
take_tensor(Layering *layering, const SrmTensor *tensor)
{
	size_t		stem = stem_length(tensor->name, A_SUFFIX);
	char		name[MAX_NAME_SIZE];

	if (stem > 0)
		return take_pair(layering, tensor, stem);
	stem = stem_length(tensor->name, B_SUFFIX);
	if (stem > 0)
	{
		snprintf(name, sizeof(name), "%.*s" A_SUFFIX, (int) stem, tensor->name);
		return srm_map_get(&layering->names, name, strlen(name)) >= 0 ||
			fail_tensor(layering, tensor, "has no counterpart");
	}
	if (srm_bind_is_head(tensor->name))
		layering->has_head = true;
	else if (!is_aggregator(tensor->name))
	{
		srm_fail(layering->status, SRM_NOT_SUPPORTED, "tensor \"%s\" of adapter file \"%s\" is not supported",
				 tensor->name, tensor->path);
		return srm_fail_detail(layering->status, "Supported are lora_A and lora_B of linear maps, and a value head.");
	}
	return true;
}

static bool
add_tensor(SrmWeights *weights, const SrmTensor *tensor, SrmStatus *status)
{
	weights->tensors[weights->n] = *tensor;
	return srm_map_put(&weights->names, tensor->name, strlen(tensor->name), (int32_t) weights->n++, status);
}

/* The tensors of the base that stay, and the adapter's own. */
static bool
join_tensors(Layering *layering)
{
	SrmWeights	base = *layering->weights;
	SrmWeights *weights = layering->weights;

	weights->n = 0;
	weights->tensors = srm_arena_array(layering->arena, base.n + layering->n, sizeof(SrmTensor), layering->status);
	if (weights->tensors == NULL ||
		!srm_map_init(&weights->names, base.n + layering->n, layering->arena, layering->status))
		return false;
	for (size_t i = 0; i < base.n; i++)
	{
		const char *name = base.tensors[i].name;

		if ((layering->has_head && srm_bind_is_head(name)) ||
			srm_map_get(&layering->names, name, strlen(name)) >= 0)
			continue;
		if (!add_tensor(weights, &base.tensors[i], layering->status))
			return false;
	}
	for (size_t i = 0; i < layering->n; i++)
	{
		const char *name = layering->tensors[i].name;

		if ((srm_bind_is_head(name) || is_aggregator(name)) &&
			!add_tensor(weights, &layering->tensors[i], layering->status))
			return false;
	}
	srm_weights_count(weights);
	return true;
}

bool
srm_adapter_weights_open(SrmWeights *weights, SrmModelFiles *files, SrmArena *arena, const SrmStop *stop,
						 SrmStatus *status)
{
	Layering	layering = {.weights = weights,.config = files->adapter,.arena = arena,.status = status};

	if (!srm_weights_open(weights, srm_files_of_model(files), arena, stop, status))
		return false;
	if (files->adapter == NULL)
		return true;
	if (!open_files(&layering, files))
		return false;
	for (size_t i = 0; i < layering.n; i++)
		if (!srm_continue(stop, status) || !take_tensor(&layering, &layering.tensors[i]))
			return false;
	return join_tensors(&layering);
}
