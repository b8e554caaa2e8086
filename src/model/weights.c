/*-------------------------------------------------------------------------
 *
 * weights.c
 *	  The tensors of a model: of model.safetensors, or of the files that
 *	  model.safetensors.index.json lists.
 *
 *-------------------------------------------------------------------------
 */
#include "model/weights.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "files/folder.h"
#include "files/name.h"

#define MAX_INDEX_SIZE		((size_t) 16 * 1024 * 1024)
#define MAX_SHARDS			1000
#define MAX_SCALES_NAME		512

static bool
fail_index(const char *path, SrmStatus *status)
{
	return srm_fail(status, SRM_INVALID_MODEL, "invalid index of model files \"%s\"", path);
}

static bool
add_shard(SrmShards *shards, const SrmJson *entry, SrmMap *seen, SrmArena *arena,
		  SrmStatus *status)
{
	const char *name = srm_json_string(entry);

	if (name == NULL || !srm_name_is_file(name))
	{
		fail_index(shards->index_path, status);
		return srm_fail_detail(status, "Tensor \"%s\" lies in \"%s\", which is not a plain file name.",
							   entry->key, name == NULL ? "" : name);
	}
	if (srm_map_get(seen, name, strlen(name)) >= 0)
		return true;
	if (shards->n == MAX_SHARDS)
	{
		fail_index(shards->index_path, status);
		return srm_fail_detail(status, "It lists more than %d files.", MAX_SHARDS);
	}
	shards->names[shards->n] = srm_arena_string(arena, name, strlen(name), status);
	if (shards->names[shards->n] == NULL)
		return false;
	return srm_map_put(seen, name, strlen(name), (int32_t) shards->n++, status);
}

bool
srm_shards_read(SrmShards *shards, SrmModelFiles *files, SrmArena *arena, SrmStatus *status)
{
	SrmContents index;
	SrmMap		seen;
	SrmJson    *json;
	char		what[256];

	memset(shards, 0, sizeof(SrmShards));
	if (!srm_files_read(files, SRM_WEIGHTS_INDEX, true, MAX_INDEX_SIZE, arena, &index, status))
		return false;
	if (!index.found)
	{
		srm_fail_file(status, ENOENT, "could not find model file \"%s/%s\"",
					  files->directory, SRM_WEIGHTS_FILE);
		return srm_folder_explain(files->directory, status);
	}
	shards->index_path = index.path;
	snprintf(what, sizeof(what), "file \"%s\"", index.path);
	json = srm_json_parse(index.data, index.size, what, arena, status);
	if (json == NULL)
		return false;
	shards->weight_map = srm_json_member(json, "weight_map");
	if (shards->weight_map == NULL || shards->weight_map->type != SRM_JSON_OBJECT)
	{
		fail_index(index.path, status);
		return srm_fail_detail(status, "It has no object \"weight_map\".");
	}
	shards->names = srm_arena_array(arena, MAX_SHARDS, sizeof(char *), status);
	if (shards->names == NULL || !srm_map_init(&seen, MAX_SHARDS, arena, status))
		return false;
	for (const SrmJson *entry = shards->weight_map->child; entry != NULL; entry = entry->next)
		if (!add_shard(shards, entry, &seen, arena, status))
			return false;
	return true;
}

/* Only the header of a file is in memory while it is read. */
static bool
load_header(SrmModelFiles *files, const SrmContents *contents, SrmStatus *status)
{
	size_t		start;

	if (!srm_files_load(files, contents->data, contents->size < SRM_SAFETENSORS_FIRST ?
						contents->size : SRM_SAFETENSORS_FIRST, status))
		return false;
	start = srm_safetensors_data_start(contents->data, contents->size);
	if (start > SRM_SAFETENSORS_MAX_START)
		start = SRM_SAFETENSORS_MAX_START;
	return srm_files_load(files, contents->data, start < contents->size ? start : contents->size,
						  status);
}

bool
srm_weights_open_file(SrmSafetensors *tensors, SrmModelFiles *files, const char *name, bool optional,
					  bool *found, SrmArena *arena, SrmStatus *status)
{
	SrmContents contents;

	if (!srm_files_reserve(files, name, optional, SRM_SAFETENSORS_FIRST, srm_safetensors_data_start,
						   &contents, status))
		return false;
	*found = contents.found;
	return !contents.found ||
		(load_header(files, &contents, status) && srm_safetensors_read(tensors, contents.path, contents.data, contents.size, arena, status));
}

/* Makes the tensors of one file those of the model. */
static bool
take_file(SrmWeights *weights, const SrmSafetensors *file, SrmArena *arena, SrmStatus *status)
{
	weights->tensors = file->tensors;
	weights->n = file->n;
	if (!srm_map_init(&weights->names, file->n, arena, status))
		return false;
	for (size_t i = 0; i < file->n; i++)
		if (!srm_map_put(&weights->names, file->tensors[i].name, strlen(file->tensors[i].name),
						 (int32_t) i, status))
			return false;
	return true;
}

static bool
fail_shard(const SrmShards *shards, const SrmJson *entry, SrmStatus *status)
{
	fail_index(shards->index_path, status);
	srm_fail_detail(status, "Tensor \"%s\" is not in file \"%s\".", entry->key, entry->text);
	return srm_fail_hint(status, "Check that the index and the files are of the same model.");
}

/*
 * Takes the tensors of one shard that the index says are in it; taken marks
 * the entries of the index, in their order, whose tensor is found.
 */
static bool
take_shard(SrmWeights *weights, const SrmSafetensors *file, const char *name,
		   const SrmMap *entries, const SrmJson **places, SrmStatus *status)
{
	for (size_t i = 0; i < file->n; i++)
	{
		const SrmTensor *tensor = &file->tensors[i];
		int32_t		entry = srm_map_get(entries, tensor->name, strlen(tensor->name));

		if (entry < 0 || strcmp(places[entry]->text, name) != 0)
			continue;
		if (!srm_map_put(&weights->names, tensor->name, strlen(tensor->name),
						 (int32_t) weights->n, status))
			return false;
		weights->tensors[weights->n++] = *tensor;
	}
	return true;
}

/* Entries of the index by name: places[entries[name]] */
static bool
map_entries(const SrmShards *shards, SrmMap *entries, const SrmJson **places,
			SrmStatus *status)
{
	int32_t		n = 0;

	for (const SrmJson *entry = shards->weight_map->child; entry != NULL; entry = entry->next)
	{
		if (srm_map_get(entries, entry->key, strlen(entry->key)) >= 0)
		{
			fail_index(shards->index_path, status);
			return srm_fail_detail(status, "Tensor \"%s\" occurs twice.", entry->key);
		}
		places[n] = entry;
		if (!srm_map_put(entries, entry->key, strlen(entry->key), n++, status))
			return false;
	}
	return true;
}

static bool
open_shards(SrmWeights *weights, SrmModelFiles *files, SrmArena *arena, const SrmStop *stop,
			SrmStatus *status)
{
	SrmShards	shards;
	SrmMap		entries;
	const SrmJson **places;
	size_t		n;

	if (!srm_shards_read(&shards, files, arena, status))
		return false;
	n = shards.weight_map->n;
	places = srm_arena_array(arena, n, sizeof(SrmJson *), status);
	weights->tensors = srm_arena_array(arena, n, sizeof(SrmTensor), status);
	if (places == NULL || weights->tensors == NULL ||
		!srm_map_init(&weights->names, n, arena, status) ||
		!srm_map_init(&entries, n, arena, status) ||
		!map_entries(&shards, &entries, places, status))
		return false;
	for (size_t i = 0; i < shards.n; i++)
	{
		SrmSafetensors file;
		bool		found;

		if (!srm_continue(stop, status) ||
			!srm_weights_open_file(&file, files, shards.names[i], false, &found, arena, status) ||
			!take_shard(weights, &file, shards.names[i], &entries, places, status))
			return false;
	}
	for (size_t i = 0; i < n; i++)
		if (srm_map_get(&weights->names, places[i]->key, strlen(places[i]->key)) < 0)
			return fail_shard(&shards, places[i], status);
	return true;
}

const SrmTensor *
srm_weights_find_scales_for(const SrmWeights *weights, const char *name)
{
	char		scales[MAX_SCALES_NAME];

	return snprintf(scales, sizeof(scales), "%s" SRM_SCALES_SUFFIX, name) >= (int) sizeof(scales) ? NULL :
		srm_weights_find(weights, scales);
}

const SrmTensor *
srm_weights_find_scales(const SrmWeights *weights, const SrmTensor *tensor)
{
	return tensor->dtype == SRM_INT8 ? srm_weights_find_scales_for(weights, tensor->name) : NULL;
}

SrmDtype
srm_weights_scaled_dtype(const SrmTensor *scales, const char *quantization)
{
	bool		has_groups = scales->n_dims == 2 && scales->shape[1] != 1;

	return has_groups || (quantization != NULL && strcmp(quantization, "w8") == 0) ? SRM_W8 : SRM_INT8;
}

bool
srm_weights_is_scales(const SrmWeights *weights, const SrmTensor *tensor)
{
	size_t		length = strlen(tensor->name);
	size_t		n_suffix = strlen(SRM_SCALES_SUFFIX);
	int32_t		index;

	if (length <= n_suffix || strcmp(tensor->name + length - n_suffix, SRM_SCALES_SUFFIX) != 0)
		return false;
	index = srm_map_get(&weights->names, tensor->name, length - n_suffix);
	return index >= 0 && weights->tensors[index].dtype == SRM_INT8;
}

void
srm_weights_count(SrmWeights *weights)
{
	uint64_t	n_of_type[] = {[SRM_F32] = 0,[SRM_F16] = 0,[SRM_BF16] = 0,[SRM_INT8] = 0,[SRM_W8] = 0};

	weights->n_parameters = 0;
	for (size_t i = 0; i < weights->n; i++)
	{
		const SrmTensor *tensor = &weights->tensors[i];

		if (srm_weights_is_scales(weights, tensor))
			continue;
		weights->n_parameters += tensor->n_elements;
		if (tensor->is_weight || srm_weights_find_scales(weights, tensor) != NULL)
			n_of_type[tensor->dtype] += tensor->n_elements;
	}
	weights->dtype = SRM_F32;
	for (int type = 0; type < (int) (sizeof(n_of_type) / sizeof(n_of_type[0])); type++)
		if (n_of_type[type] > n_of_type[weights->dtype])
			weights->dtype = (SrmDtype) type;
}

/* A head that was saved apart: tensors that the others lack. */
static bool
take_head(SrmWeights *weights, const SrmSafetensors *file, SrmArena *arena, SrmStatus *status)
{
	weights->tensors = srm_arena_grow(arena, weights->tensors, weights->n, weights->n + file->n,
									  sizeof(SrmTensor), status);
	if (weights->tensors == NULL)
		return false;
	for (size_t i = 0; i < file->n; i++)
	{
		const char *name = file->tensors[i].name;

		if (srm_map_get(&weights->names, name, strlen(name)) >= 0)
			continue;
		if (!srm_map_put(&weights->names, name, strlen(name), (int32_t) weights->n, status))
			return false;
		weights->tensors[weights->n++] = file->tensors[i];
	}
	return true;
}

const char *
srm_weights_unwrap(const char *name, SrmArena *arena, SrmStatus *status)
{
	static const char *const prefixes[] = {"module.", "_orig_mod.", "base_model.model.", "pretrained_model.", NULL};
	static const char saved[] = ".modules_to_save.default.";
	const char *rest = name;
	const char *place;
	char	   *result;

	for (int i = 0; prefixes[i] != NULL; i++)
		if (strncmp(rest, prefixes[i], strlen(prefixes[i])) == 0)
		{
			rest += strlen(prefixes[i]);
			i = -1;
		}
	place = strstr(rest, saved);
	if (place == NULL)
		return rest == name ? NULL : rest;
	result = srm_arena_string(arena, rest, strlen(rest), status);
	if (result != NULL)
		memmove(result + (place - rest) + 1, place + sizeof(saved) - 1, strlen(place + sizeof(saved) - 1) + 1);
	return result;
}

/* Names as a model alone has them, beside those of the files. */
static bool
unwrap_names(SrmWeights *weights, SrmArena *arena, SrmStatus *status)
{
	for (size_t i = 0; i < weights->n; i++)
	{
		const char *name = srm_weights_unwrap(weights->tensors[i].name, arena, status);

		if (status->code != SRM_OK)
			return false;
		if (name == NULL)
			continue;
		if (srm_map_get(&weights->names, name, strlen(name)) >= 0)
		{
			srm_fail(status, SRM_INVALID_MODEL, "tensors \"%s\" and \"%s\" in model file \"%s\" are one and the same",
					 name, weights->tensors[i].name, weights->tensors[i].path);
			return false;
		}
		weights->tensors[i].name = name;
		if (!srm_map_put(&weights->names, name, strlen(name), (int32_t) i, status))
			return false;
	}
	return true;
}

bool
srm_weights_open(SrmWeights *weights, SrmModelFiles *files, SrmArena *arena,
				 const SrmStop *stop, SrmStatus *status)
{
	SrmSafetensors single;
	bool		found = false;

	memset(weights, 0, sizeof(SrmWeights));
	if (!srm_weights_open_file(&single, files, SRM_WEIGHTS_FILE, true, &found, arena, status))
		return false;
	if (!(found ? take_file(weights, &single, arena, status) :
		  open_shards(weights, files, arena, stop, status)) ||
		!srm_weights_open_file(&single, files, SRM_HEAD_FILE, true, &found, arena, status) ||
		(found && !take_head(weights, &single, arena, status)) ||
		!unwrap_names(weights, arena, status))
		return false;
	srm_weights_count(weights);
	return true;
}

bool
srm_weights_change(const SrmTensor *tensor, SrmMatrix *matrix, size_t first, SrmArena *arena,
				   SrmStatus *status)
{
	const SrmTensorChange *of = tensor->change;
	SrmLowRank *change;

	if (of == NULL)
		return true;
	change = srm_arena_array(arena, 1, sizeof(SrmLowRank), status);
	if (change == NULL)
		return false;
	change->scale = of->scale;
	change->a = (SrmMatrix) {.data = of->a->data,.dtype = of->a->dtype,.rows = of->a->shape[0],.cols = of->a->shape[1]};
	change->b = (SrmMatrix) {
		.data = of->b->data + first * of->b->shape[1] * srm_dtype_size(of->b->dtype),.dtype = of->b->dtype,
		.rows = matrix->rows,.cols = of->b->shape[1],.band = matrix->band,.stride = matrix->stride
	};
	matrix->change = change;
	return true;
}

bool
srm_weights_load(SrmModelFiles *files, const SrmTensor *tensor, SrmStatus *status)
{
	const SrmTensorChange *change = tensor->change;

	return srm_files_load(files, tensor->data, tensor->size, status) &&
		(change == NULL || (srm_files_load(files, change->a->data, change->a->size, status) &&
							srm_files_load(files, change->b->data, change->b->size, status)));
}

/* A piece at a time: a tensor may lie at any byte. */
void
srm_tensor_read(const SrmTensor *tensor, size_t start, size_t n, float *out)
{
	uint32_t	piece[256];		/* aligned for every type */
	size_t		size = srm_dtype_size(tensor->dtype);
	size_t		capacity = sizeof(piece) / size;

	for (size_t done = 0; done < n; done += capacity)
	{
		size_t		n_piece = n - done < capacity ? n - done : capacity;
		SrmMatrix	matrix = {.data = piece,.dtype = tensor->dtype,.rows = 1,.cols = n_piece};

		memcpy(piece, tensor->data + (start + done) * size, n_piece * size);
		srm_matrix_read(&matrix, 0, n_piece, out + done);
	}
}

const SrmTensor *
srm_weights_find(const SrmWeights *weights, const char *name)
{
	int32_t		index = srm_map_get(&weights->names, name, strlen(name));

	return index < 0 ? NULL : &weights->tensors[index];
}
