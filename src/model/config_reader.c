/*-------------------------------------------------------------------------
 *
 * config_reader.c
 *	  What the parts of a config.json's reader have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config_reader.h"

bool
srm_config_get_size(SrmConfigReader *reader, const char *key, size_t maximum, size_t fallback,
					size_t *value)
{
	int64_t		number;

	if (!srm_json_get_int(reader->root, key, 1, (int64_t) maximum, (int64_t) fallback,
						  &number, reader->status))
		return false;
	if (number == 0)
		return srm_fail(reader->status, SRM_INVALID_MODEL,
						"\"%s\" is missing in the model's configuration", key);
	*value = (size_t) number;
	return true;
}

bool
srm_config_get_positive(SrmConfigReader *reader, const SrmJson *object, const char *key,
						double fallback, double *value)
{
	if (!srm_json_get_double(object, key, fallback, value, reader->status))
		return false;
	if (*value > 0)
		return true;
	srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"%s\"", key);
	return srm_fail_detail(reader->status, "It is missing or not positive.");
}

bool
srm_config_fail_support(SrmConfigReader *reader, const char *what, const char *value)
{
	return srm_fail(reader->status, SRM_NOT_SUPPORTED, "%s \"%s\" is not supported", what, value);
}
