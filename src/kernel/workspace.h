/*-------------------------------------------------------------------------
 *
 * workspace.h
 *	  Memory of a forward pass, kept for the next one.
 *
 * The buffers of a pass are large, and fresh memory costs more time than what is
 * computed in it: the system clears it, page by page.  So pieces that are given
 * back stay in this process, up to a limit.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_WORKSPACE_H
#define SRM_WORKSPACE_H

#include <stddef.h>

#include "base/status.h"

/* Aligned to 64 bytes, with anything in it.  NULL, with the status set, when memory is short. */
extern void *srm_workspace_alloc(size_t size, SrmStatus *status);
extern void srm_workspace_free(void *piece);	/* NULL is allowed */

/* How many bytes may be kept while no pass runs, 64 MB at first; what is more goes back now. */
extern void srm_workspace_limit(size_t bytes);

#endif							/* SRM_WORKSPACE_H */
