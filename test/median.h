/*-------------------------------------------------------------------------
 *
 * median.h
 *	  The value in the middle, for test programs and benchmarks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TEST_MEDIAN_H
#define SRM_TEST_MEDIAN_H

#include <stdlib.h>

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Sorts values (n), of which there is one at least. */
static inline double
median(double *values, size_t n)
{
	qsort(values, n, sizeof(double), compare_doubles);
	return values[n / 2];
}

#endif							/* SRM_TEST_MEDIAN_H */
