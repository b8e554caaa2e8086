/*-------------------------------------------------------------------------
 *
 * name.c
 *	  Names of models, and of files in their directories.
 *
 *-------------------------------------------------------------------------
 */
#include "files/name.h"

#include <string.h>

bool
srm_name_is_model(const char *name)
{
	size_t		length = strlen(name);

	if (length == 0 || length > SRM_MAX_MODEL_NAME || name[0] == '.')
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (*c == '/' || *c == '\\' || *c == '@' || (unsigned char) *c < ' ')
			return false;
	return true;
}

bool
srm_name_check(const char *name, SrmStatus *status)
{
	if (srm_name_is_model(name))
		return true;
	srm_fail(status, SRM_INVALID_ARGUMENT, "invalid model name \"%s\"", name);
	return srm_fail_detail(status, "A model name is the name of a directory, without a path.");
}

bool
srm_name_is_file(const char *name)
{
	size_t		length = strlen(name);

	return length > 0 && length <= SRM_MAX_FILE_NAME && name[0] != '.' &&
		strchr(name, '/') == NULL;
}
