/*-------------------------------------------------------------------------
 *
 * kernels_environment.h
 *	  The set of kernels that the environment variable SRM_KERNELS names, for
 *	  test programs and benchmarks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_KERNELS_ENVIRONMENT_H
#define SRM_KERNELS_ENVIRONMENT_H

#include <stdlib.h>

#include "kernel/kernels.h"

/* A set that this processor does not have is passed over. */
static inline void
choose_kernels_of_environment(void)
{
	const char *name = getenv("SRM_KERNELS");

	if (name != NULL)
		(void) srm_kernels_choose(name);
}

#endif							/* SRM_KERNELS_ENVIRONMENT_H */
