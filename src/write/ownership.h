/*-------------------------------------------------------------------------
 *
 * ownership.h
 *	  Who made a model, in a file of its directory.
 *
 * The engine keeps what it is told and looks at nothing; what an owner may do is
 * its caller's affair.  The file is no part of a model's digest.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_OWNERSHIP_H
#define SRM_OWNERSHIP_H

#include <stdint.h>

#include "write/writer.h"

#define SRM_OWNER_FILE		"srm_owner.json"
#define SRM_MAX_OWNER_NAME	260

/* Both must fit: a number alone may be another role's on another server. */
typedef struct SrmOwner
{
	uint32_t	id;
	char		name[SRM_MAX_OWNER_NAME];	/* UTF-8; "": nobody */
} SrmOwner;

/* The owner of a model directory; nobody where its file is missing or makes no sense. */
extern void srm_ownership_read(SrmOwner *owner, const char *directory);

/* Writes the file; nobody leaves none. */
extern bool srm_ownership_write(SrmWriter *writer, const SrmOwner *owner, SrmStatus *status);

#endif							/* SRM_OWNERSHIP_H */
