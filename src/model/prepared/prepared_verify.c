/*-------------------------------------------------------------------------
 *
 * prepared_verify.c
 *	  Every byte of a prepared file against its checksums.
 *
 *-------------------------------------------------------------------------
 */
#include "model/prepared/prepared_verify.h"

#include <stdio.h>
#include <string.h>

#include "files/directory.h"
#include "model/prepared/prepared_tokenizer.h"

typedef struct Reader
{
	SrmPreparedVerifier *verifier;
	SrmFile		file;
	SrmArena   *arena;			/* of what follows */
	SrmPreparedHeader *header;
	SrmPreparedEntry *entries;	/* (header->n_matrices) */
	char	   *piece;			/* (SRM_PREPARED_PIECE) */
} Reader;

static bool
fail_damaged(const Reader *reader, const char *detail)
{
	SrmStatus  *status = reader->verifier->status;

	srm_fail(status, SRM_INVALID_MODEL, "prepared file \"%s\" is damaged", reader->file.path);
	srm_fail_detail(status, "%s", detail);
	return srm_fail_hint(status, "Remove it, and end the sessions that have the model open, or restart the server where it is preloaded; the next one makes the file anew.");
}

/* Opens a file of the directory; not to be closed where it is not found. */
static bool
open_file(Reader *reader, const char *name, bool required)
{
	SrmPreparedVerifier *verifier = reader->verifier;
	size_t		size = strlen(verifier->path) + strlen(name) + 2;
	char	   *path = srm_arena_alloc(verifier->arena, size, verifier->status);

	if (path == NULL)
		return false;
	snprintf(path, size, "%s/%s", verifier->path, name);
	if (!srm_file_open(&reader->file, verifier->directory, name, path, !required, verifier->status))
		return srm_fail_hint(verifier->status, "The next session that opens the model makes the file anew.");
	verifier->name = path + strlen(verifier->path) + 1;
	verifier->bytes = reader->file.size;
	verifier->found = reader->file.fd >= 0;
	return true;
}

/* Whether a header is that of the model as it is now, for this build. */
static bool
is_of_model(const Reader *reader)
{
	const SrmModel *model = reader->verifier->model;

	return srm_prepared_is_current(reader->header) &&
		strcmp(reader->header->directory, model->directory) == 0 &&
		memcmp(reader->header->files, model->prepared.plan->identity.files,
			   sizeof(reader->header->files)) == 0;
}

/* The header, and the table if the header is the model's. */
static bool
read_table(Reader *reader, bool required)
{
	SrmPreparedVerifier *verifier = reader->verifier;
	SrmPreparedHeader *header;
	size_t		table;

	reader->header = header = srm_arena_array(reader->arena, 1, sizeof(SrmPreparedHeader), verifier->status);
	if (header == NULL)
		return false;
	if (reader->file.size >= sizeof(SrmPreparedHeader) &&
		!srm_file_read_at(&reader->file, 0, header, sizeof(SrmPreparedHeader), verifier->status))
		return false;
	if (!is_of_model(reader))
	{
		verifier->found = false;
		return !required || fail_damaged(reader, "It does not begin as the file of the model does.");
	}
	table = header->n_matrices * sizeof(SrmPreparedEntry);
	if (header->size != reader->file.size || table > reader->file.size - sizeof(SrmPreparedHeader))
		return fail_damaged(reader, "It does not have the size that it says.");
	reader->entries = srm_arena_array(reader->arena, header->n_matrices, sizeof(SrmPreparedEntry), verifier->status);
	if (reader->entries == NULL ||
		!srm_file_read_at(&reader->file, sizeof(SrmPreparedHeader), reader->entries, table, verifier->status))
		return false;
	return srm_prepared_header_checksum(header, reader->entries, header->n_matrices) == header->checksum ||
		fail_damaged(reader, "Its table does not have its checksum.");
}

/* Bytes [start, end), which are in the file. */
static bool
sum_bytes(Reader *reader, size_t start, size_t end, uint64_t *sum)
{
	*sum = 0;
	while (start < end)
	{
		size_t		n = end - start < SRM_PREPARED_PIECE ? end - start : SRM_PREPARED_PIECE;

		if (!srm_continue(reader->verifier->stop, reader->verifier->status) ||
			!srm_file_read_at(&reader->file, start, reader->piece, n, reader->verifier->status))
			return false;
		*sum = srm_prepared_sum(*sum, reader->piece, n);
		start += n;
	}
	return true;
}

/* What lies between matrices is zero. */
static bool
check_gap(Reader *reader, size_t start, size_t end)
{
	while (start < end)
	{
		size_t		n = end - start < SRM_PREPARED_PIECE ? end - start : SRM_PREPARED_PIECE;

		if (!srm_file_read_at(&reader->file, start, reader->piece, n, reader->verifier->status))
			return false;
		for (size_t i = 0; i < n; i++)
			if (reader->piece[i] != 0)
				return fail_damaged(reader, "There are bytes between its matrices.");
		start += n;
	}
	return true;
}

static bool
check_matrices(Reader *reader)
{
	size_t		end = sizeof(SrmPreparedHeader) + reader->header->n_matrices * sizeof(SrmPreparedEntry);
	size_t		size = reader->file.size;

	for (size_t i = 0; i < reader->header->n_matrices; i++)
	{
		const SrmPreparedEntry *entry = &reader->entries[i];
		char		detail[80];
		uint64_t	sum;

		if (entry->offset < end || entry->offset > size || entry->size > size - entry->offset)
			return fail_damaged(reader, "A matrix lies where none can.");
		if (!check_gap(reader, end, entry->offset))
			return false;
		end = entry->offset + entry->size;
		if (!sum_bytes(reader, entry->offset, end, &sum))
			return false;
		snprintf(detail, sizeof(detail), "Matrix %zu of %zu does not have its checksum.", i + 1,
				 (size_t) reader->header->n_matrices);
		if (sum != entry->checksum)
			return fail_damaged(reader, detail);
	}
	return check_gap(reader, end, size);
}

static bool
read_file(Reader *reader, bool required)
{
	if (!read_table(reader, required) || !reader->verifier->found)
		return reader->verifier->status->code == SRM_OK;
	reader->piece = srm_arena_alloc(reader->arena, SRM_PREPARED_PIECE, reader->verifier->status);
	return reader->piece != NULL && check_matrices(reader);
}

bool
srm_prepared_verify(SrmPreparedVerifier *verifier, const char *compute_name, bool required)
{
	Reader		reader = {.verifier = verifier};
	char		key[SRM_PREPARED_NAME];
	char		name[SRM_PREPARED_NAME + 8];
	bool		done = false;

	srm_prepared_key(key, verifier->model->directory, compute_name);
	snprintf(name, sizeof(name), "%s.srm", key);
	if (!open_file(&reader, name, required) || !verifier->found)
		return verifier->status->code == SRM_OK;
	reader.arena = srm_arena_create(verifier->status);
	if (reader.arena != NULL)
		done = read_file(&reader, required);
	srm_arena_free(reader.arena);
	srm_file_close(&reader.file);
	return done;
}

bool
srm_prepared_verify_tokenizer(SrmPreparedVerifier *verifier)
{
	const char *directory = srm_files_of_tokenizer(verifier->model->files)->directory;
	Reader		reader = {.verifier = verifier};
	char		key[SRM_PREPARED_NAME];
	const char *data = NULL;
	bool		done = false;

	srm_prepared_key(key, directory, SRM_PREPARED_TOKENIZER);
	if (!open_file(&reader, key, true))
		return false;
	reader.arena = srm_arena_create(verifier->status);
	if (reader.arena != NULL)
		data = srm_file_read(&reader.file, SRM_PREPARED_TOKENIZER_SIZE, reader.arena, verifier->status);
	if (data != NULL)
		done = srm_prepared_tokenizer_check(data, reader.file.size, directory) ||
			fail_damaged(&reader, "It does not have its checksum.");
	srm_arena_free(reader.arena);
	srm_file_close(&reader.file);
	return done;
}
