/*-------------------------------------------------------------------------
 *
 * threads.c
 *	  Threads that share the work of one call.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "kernel/workspace.h"

#define MAX_THREADS		256

/*
 * How often a thread looks for news before it sleeps: about 20 microseconds,
 * which is what waking it would take.
 */
#define N_SPINS			1000

typedef struct Worker
{
	SrmThreads *threads;
	int			number;			/* from 1 on */
	pthread_t	id;
} Worker;

/*
 * The tasks that a thread takes first, from the front; others help from the back
 * once they have none of their own.  So neighbouring tasks, which share rows,
 * mostly meet in one processor's cache, round after round.
 */
typedef struct Range
{
	_Alignas(64) atomic_uint_fast64_t tasks;	/* next << 32 | end */
} Range;

/*
 * A round is open while there are tasks to hand out.  A worker that comes too
 * late for one waits for the next, so that the caller never waits for a thread that the
 * system has not woken yet.
 */
struct SrmThreads
{
	int			n_threads;		/* with the caller */
	Worker	   *workers;		/* (n_threads - 1) */
	void	   *scratch;		/* (n_threads, scratch_size) */
	size_t		scratch_size;
	void	   *shared;			/* (shared_size) */
	size_t		shared_size;

	pthread_mutex_t lock;
	pthread_cond_t opened;		/* or ending */
	pthread_cond_t idle;		/* n_active is 0 */
	atomic_uint round;			/* counts rounds; changes under the lock */
	atomic_int	n_active;		/* workers in the round; changes under the lock */
	bool		open;			/* under the lock, as all below it */
	bool		ending;

	SrmTask		task;
	void	   *arg;
	size_t		n_tasks;
	Range	   *ranges;			/* (n_threads) */
};

static inline void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

static uint64_t
range_of(size_t next, size_t end)
{
	return (uint64_t) next << 32 | (uint64_t) end;
}

/* Takes a task from the front, or from the back; false when there is none. */
static bool
take_from_range(Range *range, bool front, size_t *task)
{
	uint_fast64_t tasks = atomic_load(&range->tasks);

	for (;;)
	{
		size_t		next = tasks >> 32;
		size_t		end = tasks & UINT32_MAX;

		if (next >= end)
			return false;
		*task = front ? next : end - 1;
		if (atomic_compare_exchange_weak(&range->tasks, &tasks,
										 front ? range_of(next + 1, end) : range_of(next, end - 1)))
			return true;
	}
}

/* The next task for a thread, of its own or of those that follow it. */
static bool
take_task(SrmThreads *threads, int thread, size_t *task)
{
	for (int i = 0; i < threads->n_threads; i++)
		if (take_from_range(&threads->ranges[(thread + i) % threads->n_threads], i == 0, task))
			return true;
	return false;
}

static void
work_on_tasks(SrmThreads *threads, int thread)
{
	size_t		task;

	while (take_task(threads, thread, &task))
		threads->task(threads->arg, task, thread);
}

/* Waits for a round that comes after seen; false when there will be none. */
static bool
join_round(SrmThreads *threads, unsigned *seen)
{
	bool		joined;

	for (int i = 0; i < N_SPINS && atomic_load(&threads->round) == *seen; i++)
		relax();
	pthread_mutex_lock(&threads->lock);
	while (!threads->ending && (!threads->open || atomic_load(&threads->round) == *seen))
		pthread_cond_wait(&threads->opened, &threads->lock);
	joined = !threads->ending;
	*seen = atomic_load(&threads->round);
	if (joined)
		atomic_fetch_add(&threads->n_active, 1);
	pthread_mutex_unlock(&threads->lock);
	return joined;
}

static void
leave_round(SrmThreads *threads)
{
	pthread_mutex_lock(&threads->lock);
	if (atomic_fetch_sub(&threads->n_active, 1) == 1)
		pthread_cond_signal(&threads->idle);
	pthread_mutex_unlock(&threads->lock);
}

static void *
run_worker(void *arg)
{
	Worker	   *worker = arg;
	SrmThreads *threads = worker->threads;
	unsigned	seen = 0;

	while (join_round(threads, &seen))
	{
		work_on_tasks(threads, worker->number);
		leave_round(threads);
	}
	return NULL;
}

static void
start_workers(SrmThreads *threads, int n_threads)
{
	sigset_t	all;
	sigset_t	kept;

	/* Signals are for the thread that knows what to do about them */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &kept);
	while (threads->n_threads < n_threads)
	{
		Worker	   *worker = &threads->workers[threads->n_threads - 1];

		worker->threads = threads;
		worker->number = threads->n_threads;
		if (pthread_create(&worker->id, NULL, run_worker, worker) != 0)
			break;
		threads->n_threads++;
	}
	pthread_sigmask(SIG_SETMASK, &kept, NULL);
}

static void
free_threads(SrmThreads *threads)
{
	if (threads == NULL)
		return;
	srm_workspace_free(threads->shared);
	srm_workspace_free(threads->scratch);
	free(threads->workers);
	free(threads->ranges);
	free(threads);
}

SrmThreads *
srm_threads_start(int n_threads, SrmStatus *status)
{
	SrmThreads *threads = calloc(1, sizeof(SrmThreads));

	if (n_threads < 1)
		n_threads = 1;
	if (n_threads > MAX_THREADS)
		n_threads = MAX_THREADS;
	if (threads != NULL)
	{
		threads->workers = calloc((size_t) n_threads, sizeof(Worker));
		threads->ranges = aligned_alloc(_Alignof(Range), (size_t) n_threads * sizeof(Range));
	}
	if (threads == NULL || threads->workers == NULL || threads->ranges == NULL)
	{
		free_threads(threads);
		srm_fail_memory(status, sizeof(SrmThreads) + (size_t) n_threads * (sizeof(Worker) + sizeof(Range)));
		return NULL;
	}
	threads->n_threads = 1;
	pthread_mutex_init(&threads->lock, NULL);
	pthread_cond_init(&threads->opened, NULL);
	pthread_cond_init(&threads->idle, NULL);
	start_workers(threads, n_threads);
	return threads;
}

void
srm_threads_end(SrmThreads *threads)
{
	if (threads == NULL)
		return;
	pthread_mutex_lock(&threads->lock);
	threads->ending = true;
	pthread_cond_broadcast(&threads->opened);
	pthread_mutex_unlock(&threads->lock);
	for (int i = 0; i < threads->n_threads - 1; i++)
		pthread_join(threads->workers[i].id, NULL);
	pthread_cond_destroy(&threads->idle);
	pthread_cond_destroy(&threads->opened);
	pthread_mutex_destroy(&threads->lock);
	free_threads(threads);
}

int
srm_threads_count(const SrmThreads *threads)
{
	return threads->n_threads;
}

/* Lets the workers join; ranges are set before the lock is taken. */
static void
let_workers_join(SrmThreads *threads)
{
	if (threads->n_threads == 1 || threads->n_tasks <= 1)
		return;
	pthread_mutex_lock(&threads->lock);
	threads->open = true;
	atomic_fetch_add(&threads->round, 1);
	pthread_cond_broadcast(&threads->opened);
	pthread_mutex_unlock(&threads->lock);
}

/* Shares the tasks out, in order. */
static void
open_round(SrmThreads *threads, size_t n_tasks, SrmTask task, void *arg)
{
	size_t		n_threads = (size_t) threads->n_threads;

	threads->task = task;
	threads->arg = arg;
	threads->n_tasks = n_tasks;
	for (size_t i = 0; i < n_threads; i++)
		atomic_store(&threads->ranges[i].tasks,
					 range_of(i * n_tasks / n_threads, (i + 1) * n_tasks / n_threads));
	let_workers_join(threads);
}

/* Waits for the workers that have joined. */
static void
close_round(SrmThreads *threads)
{
	if (threads->n_threads == 1 || threads->n_tasks <= 1)
		return;
	for (int i = 0; i < N_SPINS && atomic_load(&threads->n_active) > 0; i++)
		relax();
	pthread_mutex_lock(&threads->lock);
	threads->open = false;
	while (atomic_load(&threads->n_active) > 0)
		pthread_cond_wait(&threads->idle, &threads->lock);
	pthread_mutex_unlock(&threads->lock);
}

void
srm_threads_run(SrmThreads *threads, size_t n_tasks, SrmTask task, void *arg)
{
	open_round(threads, n_tasks, task, arg);
	work_on_tasks(threads, 0);
	close_round(threads);
}

/*
 * Lets the workers finish what they have begun, and asks with none at work:
 * the answer may be the end of the process, in which libraries take their
 * memory down.  Then the round goes on with the tasks that were left.
 */
static bool
rest_and_ask(SrmThreads *threads, const SrmStop *stop, SrmStatus *status)
{
	uint64_t	left[MAX_THREADS];
	bool		going;

	for (int i = 0; i < threads->n_threads; i++)
		left[i] = atomic_exchange(&threads->ranges[i].tasks, 0);
	close_round(threads);
	going = srm_continue(stop, status);
	for (int i = 0; going && i < threads->n_threads; i++)
		atomic_store(&threads->ranges[i].tasks, left[i]);
	if (going)
		let_workers_join(threads);
	return going;
}

bool
srm_threads_run_or_stop(SrmThreads *threads, size_t n_tasks, SrmTask task, void *arg,
						const SrmStop *stop, SrmStatus *status)
{
	size_t		number;

	open_round(threads, n_tasks, task, arg);
	do
	{
		if (srm_stop_is_pending(stop) && !rest_and_ask(threads, stop, status))
			return false;
		if (!take_task(threads, 0, &number))
			break;
		task(arg, number, 0);
	} while (true);
	close_round(threads);
	return true;
}

bool
srm_threads_reserve(SrmThreads *threads, size_t size, SrmStatus *status)
{
	size_t		rounded = (size + 63) & ~(size_t) 63;
	void	   *scratch;

	if (size <= threads->scratch_size)
		return true;
	if (size > SIZE_MAX / 4 / MAX_THREADS)
		return srm_fail_memory(status, size);
	scratch = srm_workspace_alloc(rounded * (size_t) threads->n_threads, status);
	if (scratch == NULL)
		return false;
	srm_workspace_free(threads->scratch);
	threads->scratch = scratch;
	threads->scratch_size = rounded;
	return true;
}

void *
srm_threads_scratch(SrmThreads *threads, int thread)
{
	if (threads->scratch == NULL)
		return NULL;
	return (char *) threads->scratch + (size_t) thread * threads->scratch_size;
}

void *
srm_threads_shared(SrmThreads *threads, size_t size, SrmStatus *status)
{
	if (threads->shared != NULL && size <= threads->shared_size)
		return threads->shared;
	srm_workspace_free(threads->shared);
	threads->shared_size = size;
	threads->shared = srm_workspace_alloc(size, status);
	return threads->shared;
}
