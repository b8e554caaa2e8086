/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  A model as another one that differs in its config.json alone.
 *
 * Weights are copied and not linked: whoever writes into the files of one model leaves
 * the other as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "write/copy.h"

#include "base/json_write.h"
#include "model/config.h"
#include "model/weights.h"

static bool
copy_shards(SrmWriter *writer, SrmModelFiles *files, SrmArena *arena, const SrmStop *stop,
			SrmStatus *status)
{
	SrmShards	shards;
	bool		found;

	if (!srm_shards_read(&shards, files, arena, status) ||
		!srm_writer_copy_file(writer, files, SRM_WEIGHTS_INDEX, false, &found, stop, status))
		return false;
	for (size_t i = 0; i < shards.n; i++)
		if (!srm_writer_copy_file(writer, files, shards.names[i], false, &found, stop, status))
			return false;
	return true;
}

static bool
copy_config(SrmWriter *writer, SrmModelFiles *files, double mean, double std, SrmArena *arena,
			SrmStatus *status)
{
	SrmJson    *config = srm_writer_read_config(files, arena, status);

	return config != NULL &&
		srm_writer_set_config(config, "mean", srm_json_make_double(mean, arena, status), arena, status) &&
		srm_writer_set_config(config, "std", srm_json_make_double(std, arena, status), arena, status) &&
		status->code == SRM_OK &&
		srm_writer_put_json(writer, SRM_CONFIG_FILE, config, status);
}

bool
srm_copy_model(SrmWriter *writer, const char *directory, double mean, double std,
			   const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmModelFiles *files = arena == NULL ? NULL : srm_files_create(directory, arena, status);
	bool		found = false;
	bool		done;

	done = files != NULL && copy_config(writer, files, mean, std, arena, status) &&
		srm_writer_copy_texts(writer, files, stop, status) &&
		srm_writer_copy_file(writer, files, SRM_WEIGHTS_FILE, true, &found, stop, status) &&
		(found || copy_shards(writer, files, arena, stop, status)) &&
		srm_writer_copy_file(writer, files, SRM_HEAD_FILE, true, &found, stop, status) &&
		srm_files_check(files, status);
	srm_files_close(files);
	srm_arena_free(arena);
	return done;
}
