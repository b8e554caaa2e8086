/*-------------------------------------------------------------------------
 *
 * sizes.h
 *	  Arithmetic with sizes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SIZES_H
#define SRM_SIZES_H

#include <stddef.h>

static inline size_t
srm_smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many pieces of size b hold a; b is not 0. */
static inline size_t
srm_divide_up(size_t a, size_t b)
{
	return a / b + (a % b != 0);
}

#endif							/* SRM_SIZES_H */
