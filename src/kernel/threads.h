/*-------------------------------------------------------------------------
 *
 * threads.h
 *	  Threads that share the work of one call.
 *
 * They exist from srm_threads_start() to srm_threads_end() only, take no
 * signals, and run engine code alone.  Work is cut into tasks whose results
 * do not depend on who runs them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_THREADS_H
#define SRM_THREADS_H

#include <stddef.h>

#include "base/status.h"

typedef struct SrmThreads SrmThreads;

/* thread is 0 for the caller and below n_threads for the others. */
typedef void (*SrmTask) (void *arg, size_t task, int thread);

/*
 * The caller and n_threads - 1 more; with fewer where the system refuses.
 * NULL, with the status set, when memory is short.
 */
extern SrmThreads *srm_threads_start(int n_threads, SrmStatus *status);
extern void srm_threads_end(SrmThreads *threads);	/* NULL is allowed */
extern int	srm_threads_count(const SrmThreads *threads);

/*
 * Runs tasks 0 .. n_tasks - 1 (fewer than 2^32), handed out one by one, and returns when all
 * are done.  The caller works too.  Each thread begins with a range of its own: tasks
 * that are cut by rows find in a processor's cache what the round before has left there.
 */
extern void srm_threads_run(SrmThreads *threads, size_t n_tasks, SrmTask task, void *arg);

/*
 * The same, with stop asked by the caller's thread before each task that it
 * takes.  Once it says so, no more tasks are handed out; returns false with
 * SRM_STOPPED when those under way are done.
 */
extern bool srm_threads_run_or_stop(SrmThreads *threads, size_t n_tasks, SrmTask task,
									void *arg, const SrmStop *stop, SrmStatus *status);

/*
 * Scratch memory of a thread for the time of a task, aligned to 64 bytes:
 * size bytes at least, once they have been reserved.  Not to be reserved
 * while tasks run; what was in it is lost.
 */
extern bool srm_threads_reserve(SrmThreads *threads, size_t size, SrmStatus *status);
extern void *srm_threads_scratch(SrmThreads *threads, int thread);

/*
 * One piece of memory for all threads, aligned to 64 bytes, until the next
 * call.  NULL, with the status set, when memory is short.
 */
extern void *srm_threads_shared(SrmThreads *threads, size_t size, SrmStatus *status);

#endif							/* SRM_THREADS_H */
