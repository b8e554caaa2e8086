/*-------------------------------------------------------------------------
 *
 * score_worker.c
 *	  Background workers that take part in srm_score_table().
 *
 * A worker is told the number of its job and who called; the statements stand
 * in srm.score_job.  It commits after each batch, and ends when no row is left.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/settings.h"
#include "pg/table/score_batch.h"
#include "pg/table/score_worker.h"

/* What a worker is told, in bgw_extra. */
typedef struct WorkerOrder
{
	int64		job;
	Oid			database;
	Oid			session_user;	/* who is connected */
	Oid			current_user;	/* who called: rights are theirs */
	int			n_threads;
} WorkerOrder;

static void
fill_worker(BackgroundWorker *worker, const SrmScoreJob *job)
{
	WorkerOrder order = {
		.job = job->number,.database = MyDatabaseId,
		.session_user = GetSessionUserId(),.current_user = GetUserId(),.n_threads = srm_threads
	};

	StaticAssertStmt(sizeof(order) <= BGW_EXTRALEN, "a worker's order fits");
	memset(worker, 0, sizeof(BackgroundWorker));
	snprintf(worker->bgw_name, BGW_MAXLEN, "srm scoring worker for job " INT64_FORMAT, job->number);
	strlcpy(worker->bgw_type, "srm scoring worker", BGW_MAXLEN);
	strlcpy(worker->bgw_library_name, "srm", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, "srm_worker_main", sizeof(worker->bgw_function_name));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_ConsistentState;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	worker->bgw_notify_pid = MyProcPid;
	memcpy(worker->bgw_extra, &order, sizeof(order));
}

void
srm_score_workers_start(SrmScoreWorkers *workers, const SrmScoreJob *job, int n)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	pid_t		pid;

	fill_worker(&worker, job);
	workers->handles = palloc0(sizeof(BackgroundWorkerHandle *) * Max(n, 1));
	while (workers->n < n && RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		workers->handles[workers->n++] = handle;
		if (WaitForBackgroundWorkerStartup(handle, &pid) == BGWH_POSTMASTER_DIED)
			ereport(FATAL,
					(errcode(ERRCODE_ADMIN_SHUTDOWN),
					 errmsg("postmaster died while background workers were started")));
	}
}

void
srm_score_workers_wait(SrmScoreWorkers *workers)
{
	for (int i = 0; i < workers->n; i++)
		if (WaitForBackgroundWorkerShutdown(workers->handles[i]) == BGWH_POSTMASTER_DIED)
			ereport(FATAL,
					(errcode(ERRCODE_ADMIN_SHUTDOWN),
					 errmsg("postmaster died while background workers were running")));
	workers->n = 0;
}

void
srm_score_workers_stop(int code pg_attribute_unused(), Datum argument)
{
	SrmScoreWorkers *workers = (SrmScoreWorkers *) DatumGetPointer(argument);

	for (int i = 0; i < workers->n; i++)
		TerminateBackgroundWorker(workers->handles[i]);
	workers->n = 0;
}

static void
begin_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end_transaction(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static bool
run_batch(SrmScoreRunner *runner)
{
	SrmScoreCounts counts;
	bool		more;

	begin_transaction();
	more = srm_score_batch_run(runner, &counts);
	if (more)
		srm_score_job_add(runner->job, &counts);
	end_transaction();
	return more;
}

/* Plans and the job's statements outlive transactions. */
static void
work(int64 number)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "srm scoring", ALLOCSET_DEFAULT_SIZES);
	SrmScoreRunner *runner;
	SrmScoreJob job;

	begin_transaction();
	MemoryContextSwitchTo(context);
	srm_score_job_read(&job, number);
	set_config_option("search_path", job.search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0, false);
	srm_score_job_join(&job);
	runner = srm_score_batch_begin(&job, context);
	end_transaction();
	pgstat_report_activity(STATE_RUNNING, job.statements[SRM_SCORE_READ]);
	while (run_batch(runner))
		CHECK_FOR_INTERRUPTS();
}

void
srm_worker_main(Datum argument pg_attribute_unused())
{
	WorkerOrder order;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(order.database, order.session_user, 0);
	SetUserIdAndSecContext(order.current_user, 0);
	srm_threads = order.n_threads;
	work(order.job);
}
