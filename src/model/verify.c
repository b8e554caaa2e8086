/*-------------------------------------------------------------------------
 *
 * verify.c
 *	  Whether all that a model's scores come from is what it was.
 *
 *-------------------------------------------------------------------------
 */
#include "model/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files/directory.h"
#include "model/prepared/prepared_verify.h"

/* Names of kinds of arithmetic, see model->prepared.compute_name. */
static const char *const kinds[] = {"f32", "bf16", "int8", "w8", "mixed"};

#define N_KINDS		(sizeof(kinds) / sizeof(kinds[0]))

typedef struct Verifier
{
	const SrmModel *model;
	SrmArena   *arena;
	SrmVerified *verified;
	SrmVerifiedFile prepared[N_KINDS + 1];
	size_t		n_prepared;
	const SrmStop *stop;
	SrmStatus  *status;
} Verifier;

static bool
fail_digest(Verifier *verifier, const char *path, const char *digest)
{
	srm_fail(verifier->status, SRM_INVALID_MODEL, "\"%s\" has other contents than before", path);
	srm_fail_detail(verifier->status, "Its SHA-256 is now %s.", digest);
	return srm_fail_hint(verifier->status, "Its time of change does not show that. Restore the model from a copy.");
}

/* The first file whose digest is not that of the header, whose files were the same. */
static const SrmFileDigest *
find_changed(const SrmDigests *digests, const SrmPreparedHeader *header)
{
	for (size_t i = 0; i < digests->n; i++)
		if (srm_prepared_file_digest(&digests->files[i]) != header->file_digests[i])
			return &digests->files[i];
	return NULL;
}

/* Compares with what was recorded when weights were prepared, and with what is known besides. */
static bool
compare_digests(Verifier *verifier, const SrmDigests *digests, const char *known)
{
	const SrmPrepared *prepared = &verifier->model->prepared;
	const SrmFileDigest *changed = prepared->data == NULL ? NULL : find_changed(digests, prepared->data);

	if (changed != NULL)
		return fail_digest(verifier, changed->path, changed->digest);
	if ((prepared->digest[0] != '\0' && strcmp(digests->all, prepared->digest) != 0) ||
		(known[0] != '\0' && strcmp(digests->all, known) != 0))
		return fail_digest(verifier, verifier->model->directory, digests->all);
	return srm_files_check(verifier->model->files, verifier->status);
}

/* A file's name, behind that of the base if it is the base's. */
static const char *
shown_name(Verifier *verifier, const SrmFileDigest *file)
{
	const char *base = verifier->model->base;
	size_t		size;
	char	   *name;

	if (!file->is_base)
		return file->name;
	size = strlen(base) + strlen(file->name) + 2;
	name = srm_arena_alloc(verifier->arena, size, verifier->status);
	if (name != NULL)
		snprintf(name, size, "%s/%s", base, file->name);
	return name;
}

static bool
list_files(Verifier *verifier, const SrmDigests *digests)
{
	SrmVerified *verified = verifier->verified;

	verified->files = srm_arena_array(verifier->arena, digests->n + verifier->n_prepared,
									  sizeof(SrmVerifiedFile), verifier->status);
	if (verified->files == NULL)
		return false;
	for (size_t i = 0; i < digests->n; i++)
	{
		const SrmFileDigest *file = &digests->files[i];
		const char *name = shown_name(verifier, file);

		if (name == NULL)
			return false;
		verified->files[verified->n++] = (SrmVerifiedFile) {name, file->bytes, file->digest};
	}
	for (size_t i = 0; i < verifier->n_prepared; i++)
		verified->files[verified->n++] = verifier->prepared[i];
	return true;
}

static bool
verify_files(Verifier *verifier, const char *known)
{
	SrmDigests	digests;

	return srm_files_digests(verifier->model->files, &digests, verifier->arena, verifier->stop,
							 verifier->status) &&
		compare_digests(verifier, &digests, known) &&
		list_files(verifier, &digests);
}

static void
add_prepared(Verifier *verifier, const SrmPreparedVerifier *file)
{
	verifier->prepared[verifier->n_prepared++] = (SrmVerifiedFile) {file->name, file->bytes, NULL};
}

/* The files of all kinds; that of the model's own must be there, if it is one. */
static bool
verify_kinds(Verifier *verifier, SrmPreparedVerifier *files)
{
	const SrmPrepared *prepared = &verifier->model->prepared;

	for (size_t i = 0; i < N_KINDS; i++)
	{
		bool		is_own = prepared->data != NULL && strcmp(prepared->compute_name, kinds[i]) == 0;

		if (!srm_prepared_verify(files, kinds[i], is_own))
			return false;
		if (files->found)
			add_prepared(verifier, files);
	}
	if (prepared->tokenizer == NULL)
		return true;
	if (!srm_prepared_verify_tokenizer(files))
		return false;
	add_prepared(verifier, files);
	return true;
}

static bool
verify_prepared(Verifier *verifier, const char *path)
{
	SrmPreparedVerifier files = {.model = verifier->model,.path = path,.arena = verifier->arena,
		.stop = verifier->stop,.status = verifier->status};
	bool		done;

	files.directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Without a directory weights are private, and are compared with nothing */
	if (files.directory < 0)
		return verifier->model->prepared.data == NULL ||
			srm_fail_file(verifier->status, errno, "could not open directory \"%s\": %s", path, strerror(errno));
	done = verify_kinds(verifier, &files);
	close(files.directory);
	return done;
}

bool
srm_model_verify(const SrmModel *model, const char *prepared, const char *known, SrmArena *arena,
				 SrmVerified *verified, const SrmStop *stop, SrmStatus *status)
{
	Verifier	verifier = {.model = model,.arena = arena,.verified = verified,.stop = stop,.status = status};

	/* The prepared file first, which has the digests that the others are compared with */
	memset(verified, 0, sizeof(SrmVerified));
	return verify_prepared(&verifier, prepared) && verify_files(&verifier, known);
}
