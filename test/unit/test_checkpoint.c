/*-------------------------------------------------------------------------
 *
 * test_checkpoint.c
 *	  Checkpoints of a run: where it goes on, and what a disk does to it that
 *	  is full or fails.
 *
 * Calls of the system fail here where a test says so; no disk is filled.
 *
 *-------------------------------------------------------------------------
 */
#include "train_fixture.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "train/checkpoint.h"

extern ssize_t __real_write(int fd, const void *data, size_t size);
extern ssize_t __wrap_write(int fd, const void *data, size_t size);
extern int	__real_fsync(int fd);
extern int	__wrap_fsync(int fd);
extern int	__real_statvfs(const char *path, struct statvfs *st);
extern int	__wrap_statvfs(const char *path, struct statvfs *st);

static bool disk_is_full;		/* for all that is written */
static bool directories_fail;	/* to be flushed */
static uint64_t free_bytes;		/* as the file system says; 0: what it really has */

ssize_t
__wrap_write(int fd, const void *data, size_t size)
{
	if (!disk_is_full)
		return __real_write(fd, data, size);
	errno = ENOSPC;
	return -1;
}

int
__wrap_fsync(int fd)
{
	struct stat st;

	if (!directories_fail || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
		return __real_fsync(fd);
	errno = EIO;
	return -1;
}

int
__wrap_statvfs(const char *path, struct statvfs *st)
{
	int			result = __real_statvfs(path, st);

	if (free_bytes > 0)
	{
		st->f_frsize = 1;
		st->f_bavail = free_bytes;
	}
	return result;
}

static char checkpoint[128];
static char state_file[160];

static void
start_saving(Run *run)
{
	start_options(run);
	snprintf(checkpoint, sizeof(checkpoint), "%s/checkpoint", run->directory);
	snprintf(state_file, sizeof(state_file), "%s/training.state", checkpoint);
	run->options.checkpoint = checkpoint;
	run->options.checkpoint_seconds = 0;
}

static void
step(Run *run)
{
	if (!srm_trainer_step(run->trainer, &run->report, NULL, &run->status))
		fail_msg("%s %s", run->status.message, run->status.detail);
}

static void
reopen(Run *run, bool resume)
{
	srm_trainer_close(run->trainer);
	srm_status_init(&run->status);
	run->options.resume = resume;
	open_run(run);
}

static size_t
file_size(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (size_t) st.st_size : 0;
}

/* a full disk does not end a run; the checkpoint before stays, and later ones are written again */
static void
test_full_disk(void **state)
{
	Run			run;
	SrmCheckpointInfo info;

	(void) state;
	start_saving(&run);
	open_run(&run);
	step(&run);
	assert_null(run.report.unsaved);
	disk_is_full = true;
	step(&run);
	assert_non_null(run.report.unsaved);
	assert_int_equal(run.report.unsaved->errnum, ENOSPC);
	assert_non_null(strstr(run.report.unsaved->message, "training.state.tmp"));
	assert_int_equal(srm_trainer_saved_step(run.trainer), 1);
	assert_true(srm_checkpoint_find(checkpoint, &info, &run.status));
	assert_true(info.exists && info.is_readable && info.step == 1);
	disk_is_full = false;
	step(&run);
	assert_null(run.report.unsaved);
	assert_int_equal(srm_trainer_saved_step(run.trainer), 3);
	reopen(&run, true);
	assert_int_equal(run.plan.first_step, 4);
	remove_run(&run);
}

/* nor does it at the last step, where the model still fits */
static void
test_full_disk_at_end(void **state)
{
	Run			run;
	char		path[128];

	(void) state;
	start_saving(&run);
	run.options.epochs = 1.0;
	open_run(&run);
	disk_is_full = true;
	run_steps(&run);
	assert_non_null(run.report.unsaved);
	assert_int_equal(srm_trainer_saved_step(run.trainer), 0);
	disk_is_full = false;
	finish_run(&run);
	snprintf(path, sizeof(path), "%s/new/config.json", run.directory);
	assert_true(file_size(path) > 0);
	remove_run(&run);
}

static bool
begin_with(Run *run, uint64_t bytes)
{
	SrmTrainPlan plan;
	bool		done;

	srm_trainer_close(run->trainer);
	srm_status_init(&run->status);
	run->trainer = srm_trainer_open(&run->options, NULL, &run->status);
	assert_non_null(run->trainer);
	add_pairs(run);
	free_bytes = bytes;
	done = srm_trainer_begin(run->trainer, &plan, NULL, &run->status);
	free_bytes = 0;
	return done;
}

/* the space is looked at before the first step; what a checkpoint holds already counts */
static void
test_room(void **state)
{
	Run			run;
	size_t		size;

	(void) state;
	start_saving(&run);
	open_run(&run);
	step(&run);
	size = file_size(state_file);
	assert_true(size > 0);
	run.options.resume = true;
	assert_false(begin_with(&run, size - 1));
	assert_int_equal(run.status.code, SRM_FILE_ACCESS);
	assert_int_equal(run.status.errnum, ENOSPC);
	assert_true(begin_with(&run, size));
	/* what is to be discarded goes only once all is well */
	run.options.resume = false;
	assert_false(begin_with(&run, size - 1));
	assert_int_equal(file_size(state_file), size);
	assert_true(begin_with(&run, size));
	assert_int_equal(file_size(state_file), 0);
	assert_false(begin_with(&run, 2 * size - 1));
	assert_true(begin_with(&run, 2 * size));
	/* without checkpoints it is the model alone */
	run.options.checkpoint = NULL;
	assert_true(begin_with(&run, size));
	assert_false(begin_with(&run, size / 10));
	remove_run(&run);
}

/* a directory that cannot be flushed is said to be one */
static void
test_directory(void **state)
{
	Run			run;

	(void) state;
	start_saving(&run);
	open_run(&run);
	step(&run);
	directories_fail = true;
	step(&run);
	directories_fail = false;
	assert_non_null(run.report.unsaved);
	assert_int_equal(run.report.unsaved->errnum, EIO);
	assert_non_null(strstr(run.report.unsaved->message, "could not fsync directory"));
	remove_run(&run);
}

/* modes are those of the server's other files, and nobody is led elsewhere by a link */
static void
test_files(void **state)
{
	Run			run;
	SrmCheckpointInfo info;
	struct stat st;
	char		link[200];
	char		elsewhere[200];
	mode_t		mask = umask(0);

	(void) state;
	start_saving(&run);
	run.options.directory_mode = 0750;
	run.options.owner.id = 42;
	strcpy(run.options.owner.name, "somebody");
	assert_true(srm_checkpoint_find(checkpoint, &info, &run.status));
	assert_false(info.exists);
	open_run(&run);
	step(&run);
	assert_int_equal(stat(checkpoint, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(stat(state_file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_true(srm_checkpoint_find(checkpoint, &info, &run.status));
	assert_int_equal(info.owner.id, 42);
	assert_string_equal(info.owner.name, "somebody");
	snprintf(link, sizeof(link), "%s.tmp", state_file);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", run.directory);
	assert_int_equal(symlink(elsewhere, link), 0);
	step(&run);
	assert_non_null(run.report.unsaved);
	assert_int_equal(run.report.unsaved->errnum, ELOOP);
	assert_int_equal(access(elsewhere, F_OK), -1);
	umask(mask);
	remove_run(&run);
}

/* Steps until the stop callback has been asked so often; how often it was. */
static int
step_asking(Run *run, int stop_at)
{
	SrmStop		stop = {.callback = ask_stop,.arg = run};

	run->n_asked = 0;
	run->stop_at = stop_at;
	if (!srm_trainer_step(run->trainer, &run->report, &stop, &run->status))
		assert_int_equal(run->status.code, SRM_STOPPED);
	return run->n_asked;
}

/* a run that is stopped in an evaluation, and again behind it, knows what it has reported */
static void
test_stopped_evaluation(void **state)
{
	Run			run;
	int			n;

	(void) state;
	start_saving(&run);
	run.options.checkpoint_seconds = 1000;
	run.options.evaluate_every = 1;
	open_run(&run);
	n = step_asking(&run, 1000000);
	assert_int_equal(srm_trainer_saved_step(run.trainer), 0);
	/* the last question of a step is one of its evaluation */
	reopen(&run, false);
	step_asking(&run, n);
	assert_int_equal(srm_trainer_saved_step(run.trainer), 1);
	reopen(&run, true);
	assert_int_equal(run.plan.first_step, 2);
	assert_int_equal(run.plan.first_report, 1);
	step(&run);
	assert_true(run.report.evaluated);
	assert_int_equal(run.report.step, 1);
	step_asking(&run, 1);
	assert_int_equal(run.status.code, SRM_STOPPED);
	reopen(&run, true);
	assert_int_equal(run.plan.first_step, 2);
	assert_int_equal(run.plan.first_report, 2);
	remove_run(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_full_disk_at_end),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_stopped_evaluation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
