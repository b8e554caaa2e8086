/*-------------------------------------------------------------------------
 *
 * linear.h
 *	  Several linear maps of the same rows at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_LINEAR_H
#define SRM_LINEAR_H

#include "base/status.h"
#include "kernel/matrix.h"
#include "kernel/threads.h"

/* out (m, w.rows) = x (m, w.cols) * w^T + bias (w.rows) */
typedef struct SrmLinear
{
	float	   *out;			/* overlaps no x */
	const float *x;
	const SrmMatrix *w;
	const float *bias;			/* or NULL */
} SrmLinear;

#define SRM_MAX_LINEARS 3		/* queries, keys and values */

/*
 * Computes n_maps maps, whose work is shared among the threads as a whole.
 * Stop is asked between tasks of some milliseconds.  A row of an output has the same
 * bits whatever m is, whatever rows stand beside it, and with any number of threads.
 */
extern bool srm_linears_forward(const SrmLinear *maps, size_t n_maps, size_t m,
								SrmThreads *threads, const SrmStop *stop,
								SrmStatus *status);

/* What rows of x are made of at the moment they are needed, each once. */
typedef struct SrmRowSource
{
	/* out (cols) = a row of x; called by several threads, for different rows */
	void		(*read) (void *arg, size_t row, float *out);
	void	   *arg;
} SrmRowSource;

/* The same for maps of one x that a source gives; their own x is not looked at. */
extern bool srm_linears_forward_from(const SrmLinear *maps, size_t n_maps, size_t m,
									 const SrmRowSource *source, SrmThreads *threads,
									 const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_LINEAR_H */
