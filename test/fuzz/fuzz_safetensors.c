/*-------------------------------------------------------------------------
 *
 * fuzz_safetensors.c
 *	  Any bytes as a safetensors file: an error that says something, or
 *	  tensors that lie inside the file.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/safetensors.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_tensor(const SrmTensor *tensor, const char *data, size_t size)
{
	size_t		n = 1;

	if (tensor->n_dims > SRM_MAX_DIMS || tensor->data < data + 8 ||
		tensor->size > (size_t) (data + size - tensor->data) || strlen(tensor->name) > size)
		abort();
	for (size_t i = 0; i < tensor->n_dims; i++)
		if (__builtin_mul_overflow(n, tensor->shape[i], &n))
			abort();
	if (n != tensor->n_elements)
		abort();
	if (tensor->is_weight && n * srm_dtype_size(tensor->dtype) != tensor->size)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SrmStatus	status = {0};
	SrmArena   *arena = srm_arena_create(&status);
	SrmSafetensors safetensors;

	if (srm_safetensors_read(&safetensors, "fuzz", (const char *) data, size, arena, &status))
		for (size_t i = 0; i < safetensors.n; i++)
			check_tensor(&safetensors.tensors[i], (const char *) data, size);
	else if (status.code != SRM_INVALID_MODEL || status.message[0] == '\0')
		abort();
	srm_arena_free(arena);
	return 0;
}
