/*-------------------------------------------------------------------------
 *
 * ownership.c
 *	  Who made a model, in a file of its directory.
 *
 *-------------------------------------------------------------------------
 */
#include "write/ownership.h"

#include <stdio.h>
#include <fcntl.h>
#include <string.h>

#include "base/json_write.h"
#include "files/file.h"

#define MAX_FILE_SIZE	((size_t) 4096)

static void
take_members(SrmOwner *owner, const SrmJson *json)
{
	const SrmJson *id = srm_json_member(json, "oid");
	const SrmJson *role = srm_json_member(json, "role");
	const char *name = role == NULL ? NULL : srm_json_string(role);
	double		number;

	if (name == NULL || strlen(name) >= SRM_MAX_OWNER_NAME ||
		id == NULL || !srm_json_number(id, &number) || !(number >= 1.0 && number <= UINT32_MAX))
		return;
	owner->id = (uint32_t) number;
	strcpy(owner->name, name);
}

void
srm_ownership_read(SrmOwner *owner, const char *directory)
{
	SrmStatus	ignored;
	SrmArena   *arena;
	SrmFile		file = {.fd = -1};
	char	   *path;

	memset(owner, 0, sizeof(SrmOwner));
	srm_status_init(&ignored);
	arena = srm_arena_create(&ignored);
	path = arena == NULL ? NULL : srm_arena_alloc(arena, strlen(directory) + sizeof(SRM_OWNER_FILE) + 1, &ignored);
	if (path != NULL)
	{
		sprintf(path, "%s/%s", directory, SRM_OWNER_FILE);
		if (srm_file_open(&file, AT_FDCWD, path, path, true, &ignored) && file.fd >= 0)
		{
			char	   *text = srm_file_read(&file, MAX_FILE_SIZE, arena, &ignored);
			SrmJson    *json = text == NULL ? NULL : srm_json_parse(text, file.size, path, arena, &ignored);

			if (json != NULL && json->type == SRM_JSON_OBJECT)
				take_members(owner, json);
			srm_file_close(&file);
		}
	}
	srm_arena_free(arena);
}

bool
srm_ownership_write(SrmWriter *writer, const SrmOwner *owner, SrmStatus *status)
{
	SrmArena   *arena;
	SrmJson    *object;
	SrmJson    *role;
	SrmJson    *id;
	bool		done;

	if (owner->name[0] == '\0')
		return true;
	arena = srm_arena_create(status);
	if (arena == NULL)
		return false;
	object = srm_json_make(SRM_JSON_OBJECT, arena, status);
	role = srm_json_make_string(owner->name, arena, status);
	id = srm_json_make_int(owner->id, arena, status);
	done = object != NULL && role != NULL && id != NULL &&
		srm_json_set(object, "role", role, arena, status) &&
		srm_json_set(object, "oid", id, arena, status) &&
		srm_writer_put_json(writer, SRM_OWNER_FILE, object, status);
	srm_arena_free(arena);
	return done;
}
