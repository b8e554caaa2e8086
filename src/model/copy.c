/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  A model as another one that differs in its config.json alone.
 *
 * Weights are copied and not linked: the old model keeps its files as they
 * are, and so do those that have them mapped.
 *
 *-------------------------------------------------------------------------
 */
#include "model/copy.h"

#include "model/weights.h"

static bool
copy_file(SrmWriter *writer, SrmModelFiles *files, const char *name, bool optional, bool *found,
		  const SrmStop *stop, SrmStatus *status)
{
	SrmContents contents;

	if (!srm_continue(stop, status) ||
		!srm_files_map(files, name, optional, &contents, status))
		return false;
	*found = contents.found;
	return !contents.found ||
		srm_writer_put(writer, name, contents.data, contents.size, status);
}

static bool
copy_shards(SrmWriter *writer, SrmModelFiles *files, SrmArena *arena, const SrmStop *stop,
			SrmStatus *status)
{
	SrmShards	shards;
	bool		found;

	if (!srm_shards_read(&shards, files, arena, status) ||
		!copy_file(writer, files, SRM_WEIGHTS_INDEX, false, &found, stop, status))
		return false;
	for (size_t i = 0; i < shards.n; i++)
		if (!copy_file(writer, files, shards.names[i], false, &found, stop, status))
			return false;
	return true;
}

bool
srm_copy_model(SrmWriter *writer, const char *directory, const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmModelFiles *files = arena == NULL ? NULL : srm_files_create(directory, arena, status);
	bool		found = false;
	bool		done;

	done = files != NULL && srm_writer_copy_texts(writer, directory, stop, status) &&
		copy_file(writer, files, SRM_WEIGHTS_FILE, true, &found, stop, status) &&
		(found || copy_shards(writer, files, arena, stop, status)) &&
		copy_file(writer, files, SRM_HEAD_FILE, true, &found, stop, status);
	srm_files_close(files);
	srm_arena_free(arena);
	return done;
}
