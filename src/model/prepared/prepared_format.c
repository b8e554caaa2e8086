/*-------------------------------------------------------------------------
 *
 * prepared_format.c
 *	  The file that holds a model's weights as the products read them.
 *
 *-------------------------------------------------------------------------
 */
#include "model/prepared/prepared_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "files/directory.h"
#include "kernel/pack.h"

#define MAGIC			"SRMPREP3"
#define BYTE_ORDER_MARK	UINT32_C(0x01020304)
#define PAGE			((size_t) 4096)
#define ALIGNMENT		((size_t) 64)
#define MAX_SIZE		(SIZE_MAX / 4)
#define COPIED			UINT64_C(256)	/* added to the type of what is no packed form */

static void
list_layer(SrmPreparedPlan *plan, const SrmLayer *layer)
{
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
		if (srm_weight_is_matrix(i) && srm_weight_matrix(layer, i)->data != NULL)
			plan->matrices[plan->n++].matrix = srm_weight_matrix(layer, i);
	for (size_t i = 0; i < layer->n_experts; i++)
	{
		SrmExpert  *expert = &layer->experts[i];

		plan->matrices[plan->n++].matrix = &expert->gate;
		plan->matrices[plan->n++].matrix = &expert->up;
		plan->matrices[plan->n++].matrix = &expert->down;
	}
}

size_t
srm_prepared_source_bytes(const SrmMatrix *matrix)
{
	return matrix->rows == 0 ? 0 :
		(srm_matrix_row(matrix, matrix->rows - 1) + 1) * matrix->cols * srm_dtype_size(matrix->dtype);
}

/* A matrix that is read where it lies in a file of the model. */
static void
list_copy(SrmPreparedPlan *plan, const SrmModel *model, const SrmMatrix *matrix)
{
	if (!srm_files_hold(model->files, matrix->data) || srm_prepared_source_bytes(matrix) == 0)
		return;
	plan->matrices[plan->n].is_copy = true;
	plan->matrices[plan->n++].matrix = (SrmMatrix *) matrix;
}

static void
list_copies(SrmPreparedPlan *plan, SrmModel *model)
{
	const SrmStack *stacks[] = {&model->head.value, &model->head.gate.stack};

	list_copy(plan, model, &model->decoder.embedding);
	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < stacks[i]->n; j++)
			list_copy(plan, model, &stacks[i]->layers[j].weight);
}

static size_t
stored_bytes(const SrmPreparedMatrix *entry)
{
	return entry->is_copy ? srm_prepared_source_bytes(entry->matrix) :
		srm_pack_bytes(entry->packing, entry->matrix->rows, entry->matrix->cols);
}

/*
 * Rounding to bytes anew would lose what an adapter adds: most of it is less than
 * half a step.
 */
static SrmCompute
auto_compute(const SrmMatrix *matrix)
{
	return srm_compute_auto(matrix->change != NULL && srm_scales_count(matrix->cols, matrix->dtype) > 0 ? SRM_BF16 : matrix->dtype);
}

static bool
place(SrmPreparedPlan *plan, SrmComputeChoice choice, SrmStatus *status)
{
	size_t		end = sizeof(SrmPreparedHeader) + plan->n * sizeof(SrmPreparedEntry);

	end = (end + PAGE - 1) / PAGE * PAGE;
	plan->data_offset = end;
	for (size_t i = 0; i < plan->n; i++)
	{
		SrmPreparedMatrix *entry = &plan->matrices[i];
		const SrmMatrix *matrix = entry->matrix;

		entry->compute = choice < 0 ? auto_compute(matrix) : (SrmCompute) choice;
		entry->packing = matrix->change != NULL ? srm_packing_of(entry->compute) : srm_packing_for(entry->compute, matrix->dtype);
		entry->offset = end;
		entry->size = stored_bytes(entry);
		if (entry->size == 0 || entry->size > MAX_SIZE - end)
			return srm_fail(status, SRM_LIMIT_EXCEEDED, "a matrix of %zu x %zu is too large",
							matrix->rows, matrix->cols);
		end += (entry->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	}
	plan->size = end;
	return true;
}

static uint64_t
hash_watches(uint64_t hash, const SrmModelFiles *files)
{
	for (const SrmWatch *watch = files->watches; watch != NULL; watch = watch->next)
	{
		const SrmFileStamp *stamp = &watch->stamp;
		uint64_t	numbers[] = {
			stamp->exists, stamp->device, stamp->inode, stamp->size,
			(uint64_t) stamp->modified_s, (uint64_t) stamp->modified_ns,
			(uint64_t) stamp->changed_s, (uint64_t) stamp->changed_ns
		};

		hash = srm_hash_bytes(hash, watch->path, strlen(watch->path));
		hash = srm_hash_bytes(hash, numbers, sizeof(numbers));
	}
	return files->base == NULL ? hash : hash_watches(hash, files->base);
}

/* Paths and stamps, so that any file that changes makes another model. */
static void
identify(SrmPreparedPlan *plan, const SrmModel *model)
{
	plan->identity.directory = model->directory;
	for (int i = 0; i < 2; i++)
		plan->identity.files[i] = hash_watches((uint64_t) i, model->files);
}

bool
srm_prepared_plan(SrmPreparedPlan *plan, SrmModel *model, SrmComputeChoice choice, SrmArena *arena,
				  SrmStatus *status)
{
	const SrmDecoder *decoder = &model->decoder;
	size_t		n_most = decoder->n_layers * SRM_N_WEIGHTS + 1 + model->head.value.n + model->head.gate.stack.n;

	memset(plan, 0, sizeof(SrmPreparedPlan));
	for (size_t i = 0; i < decoder->n_layers; i++)
		n_most += 3 * decoder->layers[i].n_experts;
	plan->matrices = srm_arena_array(arena, n_most,
									 sizeof(SrmPreparedMatrix), status);
	if (plan->matrices == NULL)
		return false;
	for (size_t i = 0; i < decoder->n_layers; i++)
		list_layer(plan, &decoder->layers[i]);
	plan->n_packed = plan->n;
	list_copies(plan, model);
	identify(plan, model);
	return place(plan, choice, status);
}

/* The packings of all kinds: when one changes, no old file is used. */
static void
print_packings(char *out, size_t size)
{
	snprintf(out, size, "%s %s %s %s", srm_packing_name(SRM_PACKING_F32),
			 srm_packing_name(SRM_PACKING_BF16), srm_packing_name(SRM_PACKING_INT8), srm_packing_name(SRM_PACKING_W8));
}

uint64_t
srm_prepared_header_checksum(const SrmPreparedHeader *header,
							 const SrmPreparedEntry *entries, size_t n)
{
	SrmPreparedHeader copy = *header;

	copy.checksum = 0;
	return srm_hash_bytes(srm_hash_bytes(0, &copy, sizeof(copy)), entries,
						  n * sizeof(SrmPreparedEntry));
}

/* What the plan says; the checksum is left to the caller. */
static void
fill_header(SrmPreparedHeader *header, const SrmPreparedPlan *plan, const char *digest)
{
	memset(header, 0, sizeof(SrmPreparedHeader));
	memcpy(header->magic, MAGIC, sizeof(header->magic));
	header->byte_order = BYTE_ORDER_MARK;
	header->n_matrices = (uint32_t) plan->n;
	header->size = plan->size;
	memcpy(header->files, plan->identity.files, sizeof(header->files));
	print_packings(header->packings, sizeof(header->packings));
	snprintf(header->digest, sizeof(header->digest), "%s", digest);
	snprintf(header->directory, sizeof(header->directory), "%s", plan->identity.directory);
}

static void
fill_entry(SrmPreparedEntry *entry, const SrmPreparedMatrix *matrix)
{
	entry->rows = matrix->matrix->rows;
	entry->cols = matrix->matrix->cols;
	entry->packing = matrix->is_copy ? COPIED + matrix->matrix->dtype : (uint64_t) matrix->packing;
	entry->offset = matrix->offset;
	entry->size = matrix->size;
}

void
srm_prepared_write_header(SrmPreparedHeader *header, SrmPreparedEntry *entries,
						  const SrmPreparedPlan *plan, const SrmDigests *digests)
{
	fill_header(header, plan, digests->all);
	for (size_t i = 0; i < digests->n; i++)
		header->file_digests[i] = srm_prepared_file_digest(&digests->files[i]);
	for (size_t i = 0; i < plan->n; i++)
		fill_entry(&entries[i], &plan->matrices[i]);
	header->checksum = srm_prepared_header_checksum(header, entries, plan->n);
}

uint64_t
srm_prepared_file_digest(const SrmFileDigest *file)
{
	return srm_hash_bytes(0, file->digest, SRM_DIGEST_LENGTH);
}

void
srm_prepared_key(char key[SRM_PREPARED_NAME], const char *directory, const char *compute_name)
{
	snprintf(key, SRM_PREPARED_NAME, "%016" PRIx64 ".%s",
			 srm_hash_bytes(0, directory, strlen(directory)), compute_name);
}

/* A digest as text, which ends inside its room. */
static bool
is_digest(const char *text, size_t size)
{
	size_t		length = strnlen(text, size);

	return length == SRM_DIGEST_LENGTH && strspn(text, "0123456789abcdef") == length;
}

static bool
check_header(const SrmPreparedPlan *plan, const SrmPreparedHeader *header, size_t size)
{
	SrmPreparedHeader expected;

	if (size != plan->size || !is_digest(header->digest, sizeof(header->digest)))
		return false;
	fill_header(&expected, plan, header->digest);
	memcpy(expected.file_digests, header->file_digests, sizeof(expected.file_digests));
	expected.checksum = header->checksum;
	return memcmp(&expected, header, sizeof(expected)) == 0;
}

uint64_t
srm_prepared_sum(uint64_t sum, const char *data, size_t size)
{
	for (size_t start = 0; start < size; start += SRM_PREPARED_PIECE)
		sum = srm_hash_bytes(sum, data + start, size - start < SRM_PREPARED_PIECE ?
							 size - start : SRM_PREPARED_PIECE);
	return sum;
}

static bool
check_matrix(const SrmPreparedMatrix *matrix, const SrmPreparedEntry *entry, const char *data,
			 bool all)
{
	SrmPreparedEntry expected = *entry;
	size_t		sample = matrix->size < SRM_PREPARED_SAMPLE ? matrix->size : SRM_PREPARED_SAMPLE;

	fill_entry(&expected, matrix);
	if (memcmp(&expected, entry, sizeof(expected)) != 0)
		return false;
	data += matrix->offset;
	return srm_hash_bytes(0, data, sample) == entry->sample &&
		(!all || srm_prepared_sum(0, data, matrix->size) == entry->checksum);
}

bool
srm_prepared_check(const SrmPreparedPlan *plan, const void *data, size_t size, bool all)
{
	const SrmPreparedHeader *header = data;
	const SrmPreparedEntry *entries = (const SrmPreparedEntry *) (header + 1);

	/* After this the table is inside the file, which is as long as the plan says */
	if (size < sizeof(SrmPreparedHeader) || !check_header(plan, header, size) ||
		srm_prepared_header_checksum(header, entries, plan->n) != header->checksum)
		return false;
	for (size_t i = 0; i < plan->n; i++)
		if (!check_matrix(&plan->matrices[i], &entries[i], data, all))
			return false;
	return true;
}

bool
srm_prepared_is_current(const SrmPreparedHeader *header)
{
	char		packings[sizeof(header->packings)] = {0};

	print_packings(packings, sizeof(packings));
	return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
		header->byte_order == BYTE_ORDER_MARK &&
		memcmp(header->packings, packings, sizeof(packings)) == 0 &&
		memchr(header->directory, '\0', sizeof(header->directory)) != NULL;
}
