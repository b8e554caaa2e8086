/*-------------------------------------------------------------------------
 *
 * layout_names.c
 *	  What kinds of boundaries and truncation are called.
 *
 *-------------------------------------------------------------------------
 */
#include "score/layout.h"

#include <string.h>

static const char *const boundary_names[] = {
	[SRM_BOUNDARY_OFFSET] = "offset",
	[SRM_BOUNDARY_MARKER] = "marker",
	[SRM_BOUNDARY_STEP] = "step"
};

static const char *const truncation_names[] = {
	[SRM_TRUNCATION_ERROR] = "error",
	[SRM_TRUNCATION_PROMPT] = "prompt",
	[SRM_TRUNCATION_RESPONSE] = "response"
};

bool
srm_boundary_find(const char *name, SrmBoundary *boundary)
{
	for (size_t i = 0; i < sizeof(boundary_names) / sizeof(boundary_names[0]); i++)
	{
		if (strcmp(name, boundary_names[i]) != 0)
			continue;
		*boundary = (SrmBoundary) i;
		return true;
	}
	return false;
}

bool
srm_truncation_find(const char *name, SrmTruncation *truncation)
{
	for (int i = SRM_TRUNCATION_ERROR; i <= SRM_TRUNCATION_RESPONSE; i++)
	{
		if (strcmp(name, truncation_names[i]) != 0)
			continue;
		*truncation = (SrmTruncation) i;
		return true;
	}
	return false;
}

const char *
srm_boundary_name(SrmBoundary boundary)
{
	return boundary_names[boundary];
}
