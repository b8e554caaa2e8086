/*-------------------------------------------------------------------------
 *
 * safetensors.c
 *	  The tensors of one safetensors file.
 *
 * See https://github.com/huggingface/safetensors for the format.
 *
 *-------------------------------------------------------------------------
 */
#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"

/* Weights are used as they lie in the file. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "srm runs on little-endian processors only"
#endif

#define LENGTH_SIZE			SRM_SAFETENSORS_FIRST

/*
 * The reference implementation allows 100 MB.  The largest models published have
 * headers below 1 MB, and a tree of a hostile one takes 25 times its size.
 */
#define MAX_HEADER_SIZE		(SRM_SAFETENSORS_MAX_START - LENGTH_SIZE)

#define MAX_SIZE			(SIZE_MAX / 16)

typedef struct TensorType
{
	const char *name;
	unsigned	bits;
	bool		is_weight;
	SrmDtype	dtype;
} TensorType;

/* Tensors that no weight is bound to may have any type that the format knows. */
static const TensorType types[] = {
	{"F32", 32, true, SRM_F32},
	{"F16", 16, true, SRM_F16},
	{"BF16", 16, true, SRM_BF16},
	{"BOOL", 8, false, SRM_F32},
	{"U8", 8, false, SRM_F32},
	{"I8", 8, false, SRM_INT8},
	{"U16", 16, false, SRM_F32},
	{"I16", 16, false, SRM_F32},
	{"U32", 32, false, SRM_F32},
	{"I32", 32, false, SRM_F32},
	{"U64", 64, false, SRM_F32},
	{"I64", 64, false, SRM_F32},
	{"F64", 64, false, SRM_F32},
	{"C64", 64, false, SRM_F32},
	{"F8_E4M3", 8, false, SRM_F32},
	{"F8_E5M2", 8, false, SRM_F32},
	{"F8_E8M0", 8, false, SRM_F32},
	{"F6_E2M3", 6, false, SRM_F32},
	{"F6_E3M2", 6, false, SRM_F32},
	{"F4", 4, false, SRM_F32},
	{NULL, 0, false, SRM_F32}
};

typedef struct Reader
{
	const char *path;
	const char *data;			/* (data_size), behind the header */
	size_t		data_size;
	SrmArena   *arena;
	SrmStatus  *status;
} Reader;

/* The message that all damaged headers have in common; details follow. */
static bool
fail_header(const char *path, SrmStatus *status)
{
	return srm_fail(status, SRM_INVALID_MODEL, "invalid header in model file \"%s\"", path);
}

static bool
fail_incomplete(SrmStatus *status)
{
	return srm_fail_hint(status, "Check that the file was copied completely.");
}

unsigned
srm_safetensors_type_bits(const char *name)
{
	for (const TensorType *type = types; type->name != NULL; type++)
		if (strcmp(type->name, name) == 0)
			return type->bits;
	return 0;
}

/* A whole number as JSON writes it, without sign, fraction or exponent. */
static bool
read_size(const SrmJson *json, size_t *value)
{
	size_t		size = 0;

	if (json == NULL || json->type != SRM_JSON_NUMBER)
		return false;
	for (const char *c = json->text; *c != '\0'; c++)
	{
		if (*c < '0' || *c > '9' || size > MAX_SIZE / 10)
			return false;
		size = size * 10 + (size_t) (*c - '0');
	}
	*value = size;
	return size <= MAX_SIZE;
}

static bool
read_type(Reader *reader, const SrmJson *json, SrmTensor *tensor, unsigned *bits)
{
	const char *name = srm_json_string(srm_json_member(json, "dtype"));

	for (const TensorType *type = types; name != NULL && type->name != NULL; type++)
	{
		if (strcmp(type->name, name) != 0)
			continue;
		tensor->type = type->name;
		tensor->is_weight = type->is_weight;
		tensor->dtype = type->dtype;
		*bits = type->bits;
		return true;
	}
	fail_header(reader->path, reader->status);
	return srm_fail_detail(reader->status, "Tensor \"%s\" has the unknown data type \"%s\".",
						   tensor->name, name == NULL ? "" : name);
}

/* The shape, and the bytes it asks for. */
static bool
read_shape(Reader *reader, const SrmJson *json, SrmTensor *tensor, unsigned bits,
		   size_t *size)
{
	const SrmJson *shape = srm_json_member(json, "shape");
	size_t		n = 1;

	if (shape == NULL || shape->type != SRM_JSON_ARRAY || shape->n > SRM_MAX_DIMS)
	{
		fail_header(reader->path, reader->status);
		return srm_fail_detail(reader->status,
							   "Tensor \"%s\" has no shape of at most %d dimensions.",
							   tensor->name, SRM_MAX_DIMS);
	}
	for (const SrmJson *dim = shape->child; dim != NULL; dim = dim->next)
	{
		size_t		length = 0;

		if (!read_size(dim, &length) || (length != 0 && n > MAX_SIZE / 64 / length))
		{
			fail_header(reader->path, reader->status);
			return srm_fail_detail(reader->status,
								   "The shape of tensor \"%s\" is not valid or too large.",
								   tensor->name);
		}
		tensor->shape[tensor->n_dims++] = length;
		n *= length;
	}
	tensor->n_elements = n;
	*size = (n * bits + 7) / 8;
	return true;
}

/* The place of the data, which must be inside the file and of the right size. */
static bool
read_offsets(Reader *reader, const SrmJson *json, SrmTensor *tensor, size_t expected)
{
	const SrmJson *offsets = srm_json_member(json, "data_offsets");
	size_t		end = 0;
	bool		is_pair = offsets != NULL && offsets->type == SRM_JSON_ARRAY && offsets->n == 2;

	if (!is_pair || !read_size(offsets->child, &tensor->start) ||
		!read_size(offsets->child->next, &end) || end < tensor->start)
	{
		fail_header(reader->path, reader->status);
		return srm_fail_detail(reader->status, "Tensor \"%s\" has no valid data offsets.",
							   tensor->name);
	}
	if (end > reader->data_size)
	{
		fail_header(reader->path, reader->status);
		srm_fail_detail(reader->status,
						"Tensor \"%s\" ends at byte %zu, but the file has %zu bytes of data.",
						tensor->name, end, reader->data_size);
		return fail_incomplete(reader->status);
	}
	tensor->size = end - tensor->start;
	if (tensor->size != expected)
	{
		fail_header(reader->path, reader->status);
		return srm_fail_detail(reader->status,
							   "Tensor \"%s\" has %zu bytes, but its shape asks for %zu.",
							   tensor->name, tensor->size, expected);
	}
	tensor->data = reader->data + tensor->start;
	return true;
}

static bool
read_tensor(Reader *reader, const SrmJson *json, SrmTensor *tensor)
{
	unsigned	bits = 0;
	size_t		expected = 0;

	tensor->path = reader->path;
	tensor->name = srm_arena_string(reader->arena, json->key, strlen(json->key),
									reader->status);
	return tensor->name != NULL &&
		read_type(reader, json, tensor, &bits) &&
		read_shape(reader, json, tensor, bits, &expected) &&
		read_offsets(reader, json, tensor, expected);
}

/* A name may occur once: which of two would count? */
static bool
check_unique(Reader *reader, const SrmSafetensors *safetensors)
{
	SrmMap		names;

	if (!srm_map_init(&names, safetensors->n, reader->arena, reader->status))
		return false;
	for (size_t i = 0; i < safetensors->n; i++)
	{
		const char *name = safetensors->tensors[i].name;

		if (srm_map_get(&names, name, strlen(name)) >= 0)
		{
			fail_header(reader->path, reader->status);
			return srm_fail_detail(reader->status, "Tensor \"%s\" occurs twice.", name);
		}
		if (!srm_map_put(&names, name, strlen(name), (int32_t) i, reader->status))
			return false;
	}
	return true;
}

static int
compare_places(const void *a, const void *b)
{
	const SrmTensor *x = a;
	const SrmTensor *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->size == y->size ? 0 : x->size < y->size ? -1 : 1;
}

/* The tensors, sorted by place, must tile the data. */
static bool
check_places(Reader *reader, const SrmSafetensors *safetensors)
{
	size_t		end = 0;

	for (size_t i = 0; i < safetensors->n; i++)
	{
		const SrmTensor *tensor = &safetensors->tensors[i];

		if (tensor->start < end)
		{
			fail_header(reader->path, reader->status);
			return srm_fail_detail(reader->status, "Tensors \"%s\" and \"%s\" overlap.",
								   tensor[-1].name, tensor->name);
		}
		if (tensor->start > end)
			break;
		end += tensor->size;
	}
	if (end == reader->data_size)
		return true;
	fail_header(reader->path, reader->status);
	return srm_fail_detail(reader->status, "The data at byte %zu belong to no tensor.", end);
}

static uint64_t
read_length(const char *data)
{
	uint64_t	value = 0;

	for (int i = LENGTH_SIZE - 1; i >= 0; i--)
		value = value << 8 | (unsigned char) data[i];
	return value;
}

size_t
srm_safetensors_data_start(const char *first, size_t n_first)
{
	uint64_t	length = n_first < LENGTH_SIZE ? 0 : read_length(first);

	return LENGTH_SIZE + (length > SIZE_MAX / 2 ? 0 : (size_t) length);
}

/* The JSON header, checked to lie inside the file, and where the data begin. */
static bool
find_header(const char *path, const char *data, size_t size, size_t *length,
			SrmStatus *status)
{
	uint64_t	value;

	if (size < LENGTH_SIZE)
	{
		fail_header(path, status);
		srm_fail_detail(status, "The file has %zu bytes, but a header takes more than %d.",
						size, LENGTH_SIZE);
		return fail_incomplete(status);
	}
	value = read_length(data);
	if (value > MAX_HEADER_SIZE)
	{
		fail_header(path, status);
		return srm_fail_detail(status, "The header has %llu bytes, the limit is %zu.",
							   (unsigned long long) value, MAX_HEADER_SIZE);
	}
	if (value > size - LENGTH_SIZE)
	{
		fail_header(path, status);
		srm_fail_detail(status, "The header has %llu bytes, but the file has %zu.",
						(unsigned long long) value, size);
		return fail_incomplete(status);
	}
	*length = (size_t) value;
	return true;
}

static const SrmJson *
parse_header(Reader *reader, const char *json, size_t length, SrmArena *scratch)
{
	char		what[256];
	SrmJson    *header;

	snprintf(what, sizeof(what), "the header of model file \"%s\"", reader->path);
	header = srm_json_parse(json, length, what, scratch, reader->status);
	if (header == NULL || header->type == SRM_JSON_OBJECT)
		return header;
	fail_header(reader->path, reader->status);
	srm_fail_detail(reader->status, "It is not a JSON object.");
	return NULL;
}

static bool
read_tensors(Reader *reader, const SrmJson *header, SrmSafetensors *safetensors)
{
	safetensors->tensors = srm_arena_array(reader->arena, header->n, sizeof(SrmTensor),
										   reader->status);
	safetensors->n = 0;
	if (safetensors->tensors == NULL)
		return false;
	for (const SrmJson *json = header->child; json != NULL; json = json->next)
		if (strcmp(json->key, "__metadata__") != 0 &&
			!read_tensor(reader, json, &safetensors->tensors[safetensors->n++]))
			return false;
	if (!check_unique(reader, safetensors))
		return false;
	qsort(safetensors->tensors, safetensors->n, sizeof(SrmTensor), compare_places);
	return check_places(reader, safetensors);
}

bool
srm_safetensors_read(SrmSafetensors *safetensors, const char *path, const char *data,
					 size_t size, SrmArena *arena, SrmStatus *status)
{
	Reader		reader = {.path = path,.arena = arena,.status = status};
	SrmArena   *scratch;
	const SrmJson *header;
	size_t		length = 0;
	bool		done;

	if (!find_header(path, data, size, &length, status))
		return false;
	scratch = srm_arena_create(status);
	if (scratch == NULL)
		return false;
	reader.data = data + LENGTH_SIZE + length;
	reader.data_size = size - LENGTH_SIZE - length;
	header = parse_header(&reader, data + LENGTH_SIZE, length, scratch);
	done = header != NULL && read_tensors(&reader, header, safetensors);
	srm_arena_free(scratch);
	return done;
}
