/*-------------------------------------------------------------------------
 *
 * tokenizer_files.c
 *	  The files beside tokenizer.json that say something about tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "model/tokenizer_files.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define MAX_FILE_SIZE		((size_t) 16 * 1024 * 1024)

/* NULL in *tree where there is no such file. */
static bool
read_tree(SrmTokenizerFiles *files, SrmModelFiles *directory, const char *name,
		  const SrmJson **tree, const char **path, SrmArena *arena, SrmStatus *status)
{
	SrmContents contents;
	char		what[256];

	*tree = NULL;
	if (!srm_files_read(directory, name, true, MAX_FILE_SIZE, arena, &contents, status))
		return false;
	files->hash = srm_hash_bytes(files->hash + contents.found, contents.data, contents.found ? contents.size : 0);
	*path = contents.path;
	if (!contents.found)
		return true;
	snprintf(what, sizeof(what), "file \"%s\"", contents.path);
	*tree = srm_json_parse(contents.data, contents.size, what, arena, status);
	return *tree != NULL;
}

bool
srm_tokenizer_files_read(SrmTokenizerFiles *files, SrmModelFiles *directory, size_t n_ids,
						 SrmArena *arena, SrmStatus *status)
{
	SrmSpecialFiles *trees = &files->trees;
	const char *path;

	memset(files, 0, sizeof(SrmTokenizerFiles));
	files->hash = n_ids;
	if (!read_tree(files, directory, "tokenizer_config.json", &trees->config, &files->config_path, arena, status) ||
		!read_tree(files, directory, "special_tokens_map.json", &trees->map, &path, arena, status) ||
		!read_tree(files, directory, "added_tokens.json", &trees->added, &path, arena, status))
		return false;
	if (!srm_special_tokens_read(&files->special, trees, arena, status))
		return srm_fail_place(status, files->config_path);
	if (n_ids < (size_t) files->special.n_ids)
		files->special.n_ids = (int32_t) n_ids;
	return true;
}
