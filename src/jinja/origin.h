/*-------------------------------------------------------------------------
 *
 * origin.h
 *	  Where each byte of a rendered text came from.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ORIGIN_H
#define SRM_ORIGIN_H

#include <stdint.h>

typedef enum SrmOrigin
{
	SRM_FROM_TEMPLATE,			/* literal text of the template and its special tokens */
	SRM_FROM_CONTENT,			/* a message's content, as it was passed */
	SRM_FROM_USER				/* other text of the user's: an unusual role, content changed by a filter */
} SrmOrigin;

/* Bytes [start, start + length) of the rendered text; the fragments tile it. */
typedef struct SrmFragment
{
	uint32_t	start;
	uint32_t	length;
	SrmOrigin	origin;
	uint32_t	message;		/* SRM_FROM_CONTENT: which, from 0 */
	uint32_t	offset;			/* SRM_FROM_CONTENT: byte of the content where the fragment starts */
} SrmFragment;

#endif							/* SRM_ORIGIN_H */
