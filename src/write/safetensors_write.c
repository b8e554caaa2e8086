/*-------------------------------------------------------------------------
 *
 * safetensors_write.c
 *	  The header of a safetensors file that is to be written.
 *
 *-------------------------------------------------------------------------
 */
#include "write/safetensors_write.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/map.h"

#define ALIGNMENT	64
#define LENGTH_SIZE	8

static bool
set_size(SrmTensorPlan *plan, SrmStatus *status)
{
	unsigned	bits = srm_safetensors_type_bits(plan->type);
	size_t		n = 1;

	if (bits == 0 || bits % 8 != 0 || plan->n_dims > SRM_MAX_DIMS)
		return srm_fail(status, SRM_INTERNAL, "cannot write tensor \"%s\" of type \"%s\"",
						plan->name, plan->type);
	for (size_t i = 0; i < plan->n_dims; i++)
	{
		if (plan->shape[i] != 0 && n > SIZE_MAX / 1024 / plan->shape[i])
			return srm_fail(status, SRM_LIMIT_EXCEEDED, "tensor \"%s\" is too large", plan->name);
		n *= plan->shape[i];
	}
	plan->size = n * (bits / 8);
	return true;
}

static int
compare_plans(const void *a, const void *b)
{
	const SrmTensorPlan *x = a;
	const SrmTensorPlan *y = b;
	bool		x_aligned = x->size % ALIGNMENT == 0;
	bool		y_aligned = y->size % ALIGNMENT == 0;
	unsigned	x_bits = srm_safetensors_type_bits(x->type);
	unsigned	y_bits = srm_safetensors_type_bits(y->type);

	if (x_aligned != y_aligned)
		return x_aligned ? -1 : 1;
	if (!x_aligned && x_bits != y_bits)
		return x_bits > y_bits ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool
check_names(const SrmTensorPlan *plans, size_t n, SrmStatus *status)
{
	SrmMap		names;
	SrmArena   *arena = srm_arena_create(status);
	bool		done = arena != NULL && srm_map_init(&names, n, arena, status);

	for (size_t i = 0; done && i < n; i++)
	{
		size_t		length = strlen(plans[i].name);

		if (srm_map_get(&names, plans[i].name, length) >= 0)
			done = srm_fail(status, SRM_INTERNAL, "tensor \"%s\" is to be written twice",
							plans[i].name);
		else
			done = srm_map_put(&names, plans[i].name, length, 0, status);
	}
	srm_arena_free(arena);
	return done;
}

static bool
append(SrmBuffer *out, const char *text, SrmStatus *status)
{
	return srm_buffer_append(out, text, strlen(text), status);
}

/* "name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]} */
static bool
write_tensor(SrmBuffer *out, const SrmTensorPlan *plan, size_t start, SrmStatus *status)
{
	char		text[128];

	if (!append(out, ",", status) ||
		!srm_json_write_string(out, plan->name, status))
		return false;
	snprintf(text, sizeof(text), ":{\"dtype\":\"%s\",\"shape\":[", plan->type);
	if (!append(out, text, status))
		return false;
	for (size_t i = 0; i < plan->n_dims; i++)
	{
		snprintf(text, sizeof(text), "%s%zu", i == 0 ? "" : ",", plan->shape[i]);
		if (!append(out, text, status))
			return false;
	}
	snprintf(text, sizeof(text), "],\"data_offsets\":[%zu,%zu]}", start, start + plan->size);
	return append(out, text, status);
}

/* Puts the header's length, little-endian, into the first eight bytes. */
static void
put_length(SrmBuffer *header)
{
	uint64_t	length = header->length - LENGTH_SIZE;

	for (int i = 0; i < LENGTH_SIZE; i++)
		header->data[i] = (char) (length >> (8 * i) & 255);
}

bool
srm_safetensors_plan(SrmTensorPlan *plans, size_t n, SrmBuffer *header, SrmStatus *status)
{
	size_t		start = 0;

	for (size_t i = 0; i < n; i++)
		if (!set_size(&plans[i], status))
			return false;
	if (!check_names(plans, n, status))
		return false;
	qsort(plans, n, sizeof(SrmTensorPlan), compare_plans);

	/* transformers asks for the format; the eight bytes are filled in below */
	if (!append(header, "LLLLLLLL{\"__metadata__\":{\"format\":\"pt\"}", status))
		return false;
	for (size_t i = 0; i < n; i++)
	{
		if (!write_tensor(header, &plans[i], start, status))
			return false;
		start += plans[i].size;
	}
	if (!append(header, "}", status))
		return false;
	while (header->length % ALIGNMENT != 0)
		if (!append(header, " ", status))
			return false;
	put_length(header);
	return true;
}
