/*-------------------------------------------------------------------------
 *
 * copy.c
 *	  A model as another one that differs in its settings alone.
 *
 * Weights are copied and not linked: whoever writes into the files of one model leaves
 * the other as it is.
 *
 *-------------------------------------------------------------------------
 */
#include "write/copy.h"

#include "base/json_write.h"
#include "model/adapter.h"
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

/* The file of a directory with the object "srm". */
static const char *
config_name(const SrmModelFiles *files)
{
	return files->adapter == NULL ? SRM_CONFIG_FILE : SRM_ADAPTER_CONFIG;
}

/* That file as it is, be it an adapter's. */
static SrmJson *
read_config(SrmModelFiles *files, SrmArena *arena, SrmStatus *status)
{
	SrmContents contents;

	if (files->adapter == NULL)
		return srm_config_tree(files, NULL, arena, status);
	return srm_files_read(files, SRM_ADAPTER_CONFIG, false, SRM_MAX_CONFIG_SIZE, arena, &contents, status) ?
		srm_json_parse(contents.data, contents.size, SRM_ADAPTER_CONFIG, arena, status) : NULL;
}

static bool
set_scale(SrmJson *config, const SrmCopyChanges *changes, SrmArena *arena, SrmStatus *status)
{
	return srm_writer_set_config(config, "mean", srm_json_make_double(changes->mean, arena, status), arena, status) &&
		srm_writer_set_config(config, "std", srm_json_make_double(changes->std, arena, status), arena, status);
}

static bool
copy_config(SrmWriter *writer, SrmModelFiles *files, const SrmCopyChanges *changes, SrmArena *arena,
			SrmStatus *status)
{
	SrmJson    *config = read_config(files, arena, status);

	return config != NULL &&
		(!changes->sets_scale || set_scale(config, changes, arena, status)) &&
		(changes->agreement == NULL || srm_agreement_set(config, changes->agreement, arena, status)) &&
		status->code == SRM_OK &&
		srm_writer_put_json(writer, config_name(files), config, status);
}

static bool
copy_weights(SrmWriter *writer, SrmModelFiles *files, SrmArena *arena, const SrmStop *stop, SrmStatus *status)
{
	bool		is_adapter = files->adapter != NULL;
	bool		found = false;

	return srm_writer_copy_file(writer, files, is_adapter ? SRM_ADAPTER_WEIGHTS : SRM_WEIGHTS_FILE, !is_adapter,
								&found, stop, status) &&
		(found || copy_shards(writer, files, arena, stop, status)) &&
		srm_writer_copy_file(writer, files, SRM_HEAD_FILE, true, &found, stop, status);
}

bool
srm_copy_model(SrmWriter *writer, const char *directory, const SrmModelPath *path, const SrmCopyChanges *changes,
			   const SrmStop *stop, SrmStatus *status)
{
	SrmArena   *arena = srm_arena_create(status);
	SrmModelFiles *files = arena == NULL ? NULL : srm_adapter_open(directory, path, arena, status);
	bool		done;

	done = files != NULL && copy_config(writer, files, changes, arena, status) &&
		srm_writer_copy_texts(writer, files, stop, status) &&
		copy_weights(writer, files, arena, stop, status) &&
		srm_files_check(files, status);
	srm_files_close(files);
	srm_arena_free(arena);
	return done;
}
